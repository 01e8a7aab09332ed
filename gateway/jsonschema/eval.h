#ifndef WEIR_JSONSCHEMA_EVAL_H
#define WEIR_JSONSCHEMA_EVAL_H

#include "gateway/jsonschema/program.h"

/* Inside of the evaluation of one text: one thread, one run. */
struct scope {
    const struct scope *up;
    uint32_t resource;
};

/* What failed, as it is found; rendered at the end (finding.c). */
struct failure {
    const struct block *block;
    const struct op *op;         /* NULL: the type, or `false` */
    struct node *v;
    uint8_t keyword;
    const struct node *at;       /* in the schema */
    struct slice name;           /* of a member that is missing */
    uint32_t n;                  /* a count that says more: see finding.c */
};

struct notes {
    struct failure *list;
    uint32_t n, max;
};

struct run {
    struct toil toil;
    const struct jsonschema *s;
    struct tree tree;
    struct matcher *matcher;
    const struct scope *scope;
    uint32_t calls;
    struct notes *notes;         /* NULL: only whether it passes */
};

/* Which entries of an array or object have been evaluated; kept only where unevaluated* asks. */
struct track {
    uint64_t *bits, few;
    uint32_t n;
    bool all;
};

bool track_begin(struct run *r, struct track *t, const struct node *v);
void track_add(struct track *t, const struct track *more); /* t may be NULL */
static inline void track_mark(struct track *t, uint32_t i)
{
    if (t)
        t->bits[i >> 6] |= UINT64_C(1) << (i & 63);
}
static inline bool track_has(const struct track *t, uint32_t i)
{
    return t->all || t->bits[i >> 6] >> (i & 63) & 1;
}

bool eval(struct run *r, const struct block *b, struct node *v, struct track *t); /* false as well when r->toil.err is set */
bool eval_quietly(struct run *r, const struct block *b, struct node *v, struct track *t); /* notes nothing */

/* Notes a failure, if somebody wants to know; always false. */
bool failed(struct run *r, const struct block *b, const struct op *op, struct node *v);
bool failed_at(struct run *r, struct failure f);

/* eval_choice.c: anyOf, oneOf, if, not */
bool eval_any_of(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t);
bool eval_one_of(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t);
bool eval_if(struct run *r, const struct op *op, struct node *v, struct track *t);

/* eval_entries.c: arrays and objects */
bool eval_items(struct run *r, const struct op *op, struct node *v, struct track *t);
bool eval_contains(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t);
bool eval_unique(struct run *r, const struct block *b, const struct op *op, struct node *v);
bool eval_members(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t);
bool eval_names(struct run *r, const struct op *op, struct node *v);
bool eval_dependent(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t);
bool eval_unevaluated(struct run *r, const struct op *op, struct node *v, struct track *t);

/* finding.c: false: out of memory */
bool findings_render(struct run *r, const struct notes *notes, struct arena *a, struct finding *ret);

#endif
