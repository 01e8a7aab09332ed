#ifndef WEIR_JSONSCHEMA_COMPILE_H
#define WEIR_JSONSCHEMA_COMPILE_H

#include "gateway/base/buf.h"
#include "gateway/jsonschema/program.h"

/* Inside of the compiler. Texts become documents; each document is walked once, which checks every keyword and notes the sites
 * of subschemas, their resources and anchors (sites.c, ref.c). Then blocks are made of the sites that the root reaches (compile*.c). */
struct resource {
    uint32_t id;
    struct slice base;           /* absolute URI without fragment, or "" */
    enum draft draft;
    unsigned vocabulary;
    bool recursive;              /* $recursiveAnchor at its root */
    struct document *document;
    struct site *root;
};

struct site {
    const struct node *node;
    struct resource *resource;
    struct block *block;         /* NULL: not reached yet */
    struct site *next_work;
    uint8_t role;
    bool dynamic;                /* has a $dynamicAnchor */
};

struct name_map {
    struct name_slot {
        struct slice key;
        void *value;
    } *slots;
    uint32_t mask, n;
};

/* A $dynamicAnchor, or ("") the root of a resource with $recursiveAnchor. */
struct anchor {
    struct anchor *next;
    struct slice name;
    struct site *site;
};

struct dynamic_use {
    struct dynamic_use *next;
    struct slice name;
    struct dynamic *dynamic;
};

struct compiler {
    struct jsonschema *s;
    struct arena *arena;         /* what stays */
    struct arena *temp;
    struct slice text;
    const struct jsonschema_document *docs;
    size_t n_docs, bytes, regexes;
    enum draft unless_said;
    struct document *documents;
    struct name_map sites;       /* by node */
    struct name_map uris;        /* URIs and URI#anchor → site */
    struct name_map patterns;    /* by text */
    struct anchor *anchors;
    struct dynamic_use *uses;
    struct site *first, **work_end; /* every site that has a block, in the order of their numbers */
    uint32_t resources, blocks, n_anchors, nesting;
    struct fault *fault;
};

enum { MAX_ANCHORS = 1000, MAX_REF_CHAIN = 64, MAX_METASCHEMAS = 2 };

/* names.c: temp memory; false: out of it */
bool names_put(struct compiler *c, struct name_map *m, struct slice key, void *value);
void *names_get(const struct name_map *m, struct slice key);

/* sites.c */
enum err document_add(struct compiler *c, struct slice uri, struct slice text, struct document **ret);
enum err site_at(struct compiler *c, const struct node *v, struct resource *r, uint8_t role, struct site **ret); /* walks what is new */
struct site *site_get(const struct compiler *c, const struct node *v); /* or NULL */
enum err refuse(struct compiler *c, const struct document *d, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool keyword_counts(const struct resource *r, enum keyword k);
struct slice anchor_uri(struct compiler *c, const struct site *s, struct slice name); /* base#name; p == NULL: no memory */

/* dialect.c: $schema → draft and vocabularies of the resource */
enum err dialect_of(struct compiler *c, const struct node *schema, struct resource *r);
/* ref.c */
enum err reference_find(struct compiler *c, const struct resource *from, const struct node *reference, struct site **ret);
enum err uri_site(struct compiler *c, struct slice uri, struct site **ret); /* the root of what has it; *ret NULL: nothing has */

/* compile.c */
struct emitter {
    struct compiler *c;
    struct site *site;
    struct block *block;
    const struct node *kw[K_END]; /* values of the keywords that count */
    struct buf code[CLASSES];
};

enum err block_of(struct compiler *c, struct site *s, struct block **ret);
enum err sub_block(struct emitter *e, const struct node *v, const struct block **ret);
void emit(struct emitter *e, unsigned classes, struct op op);
enum err pattern_of(struct emitter *e, const struct node *text, const struct pattern **ret);
uint32_t count_of(const struct node *v);

/* circle.c: a schema that comes back to itself without going into the value would never end */
enum err circles_check(struct compiler *c);

/* compile_values.c, compile_entries.c */
enum err emit_values(struct emitter *e);
enum err emit_numbers(struct emitter *e);
enum err emit_strings(struct emitter *e);
enum err emit_arrays(struct emitter *e);
enum err emit_objects(struct emitter *e);
enum err emit_unevaluated(struct emitter *e);

#define CLASS(c) (1U << (c))
#define CLASS_ANY ((1U << CLASSES) - 1)

#endif
