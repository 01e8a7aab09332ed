#ifndef WEIR_ENGINE_COMPAT_JSON_H
#define WEIR_ENGINE_COMPAT_JSON_H

#include "gateway/base/decimal.h"
#include "gateway/base/json_tree.h"
#include "gateway/engine/compat_parts.h"
#include "gateway/jsonschema/jsonschema.h"

/* The comparison of JSON Schemas. A schema of the reader is a conjunction of keywords; each has to follow from the *facts*, a
 * conjunction of subschemas of the writer's that the same value is known to conform to. Facts may be dropped at any time: that
 * only makes less provable. Every function that says true has a proof. */

/* Kinds of values; INTEGER_POINT is 1.0, no integer in draft 4. */
enum {
    KIND_NULL = 1,
    KIND_BOOLEAN = 2,
    KIND_INTEGER = 4,
    KIND_INTEGER_POINT = 8,
    KIND_FRACTION = 16,
    KIND_STRING = 32,
    KIND_ARRAY = 64,
    KIND_OBJECT = 128,
    KIND_NUMBER = KIND_INTEGER | KIND_INTEGER_POINT | KIND_FRACTION,
    KIND_ALL = 255
};

enum {
    FACTS_MAX = 32,
    NEGATIONS_MAX = 16,
    CASES_MAX = 256,             /* values of an enum, branches of anyOf */
    DIGITS = 16,                 /* of a number, to look at, that are one step */
    PROOF_STACK = 256 << 10,     /* bytes of the stack that a proof may take; a thread has THREAD_STACK */
};

struct fact {
    const struct json_node *node; /* a schema; or the value of a $ref that leads to nothing known */
    bool value;                  /* the node is the value itself, not a schema */
};

struct facts {
    unsigned n, n_not;
    unsigned kinds;              /* 0: there is no such value */
    struct fact is[FACTS_MAX];
    const struct json_node *denied[NEGATIONS_MAX]; /* schemas that it does not conform to */
    const struct json_node *home;               /* where in the writer's schema this is about */
};

/* What a node's tag says. */
enum {
    TAG_DRAFT = 7,
    TAG_WRITER = 8,
    TAG_RESOURCE = 16,
    TAG_SCHEMA = 32,
    TAG_DOCUMENT = 8             /* bits to shift: 0 the schema, else a reference */
};

struct resource {
    struct slice uri;            /* absolute as far as can be, without fragment */
    struct slice anchor;         /* p == NULL: the resource itself */
    struct json_node *node;
    bool dynamic;                /* the anchor is */
};

struct side {
    const struct schema_text *text;
    struct json_node *root;
    struct resource *v;
    size_t n, cap;
    bool fourth, later;          /* something is of draft 4; of another one */
    bool dynamic;                /* something has a dynamic anchor */
    bool unknown;                /* a $schema that is not known */
    unsigned recursive;          /* schemas with "$recursiveAnchor": true */
};

struct step {                    /* from the document's root to the value that is looked at */
    const struct step *up;
    struct slice name;           /* p == NULL: an item */
    unsigned index;
};

struct spot {                    /* of a finding: what its counterexample is made from */
    const struct step *at;
    const struct json_node *reader;
    const struct facts *facts;
};

enum { MEMO_OPEN, MEMO_TRUE, MEMO_FALSE, MEMO_DEAD };

struct memo_entry {
    const uintptr_t *key;
    unsigned words, level;
    size_t trail;                /* how long it was when this was opened */
    uint32_t below;              /* what was opened before it, and is open still: its place in v, plus 1 */
    unsigned char state;
    bool told;                   /* its findings are reported */
    bool leans;                  /* on another one that is open, about the same value */
};

struct memo {
    struct memo_entry *v;
    size_t n, cap;
    uint32_t *slot;              /* places in v, plus 1; twice cap */
    uint32_t *trail;             /* of what is MEMO_TRUE, in the order in which it was proved */
    size_t trail_n;
    uint32_t top;                /* what was opened last, and is open still: its place in v, plus 1 */
};

struct comparison {
    struct arena *arena;
    struct compat_report *report;
    struct side reader, writer;
    struct memo memo;
    const struct step *at;
    struct spot *spots;          /* of report->v */
    const char *stack;           /* where the proof began */
    long steps;
    unsigned quiet, level, splits;
    bool mixed;                  /* draft 4 on one side, a later one on the other */
    bool plain;                  /* filling in a default here breaks nothing: only plain keywords from the root on */
    bool again;                  /* what differs was told before */
    bool gave_up, no_memory;
};

/* compat_resolve.c: documents, URIs, references */
enum err side_read(struct comparison *c, struct side *s, const struct schema_text *text, bool writer, struct fault *f);
struct slice resolve_uri(struct comparison *c, const struct json_node *ref);
const struct json_node *keyword(const struct json_node *schema, const char *name); /* NULL: absent, or unknown to its draft */
enum draft draft_of(const struct json_node *n);
struct slice place_of(struct comparison *c, const struct json_node *n);            /* its pointer, for a finding */
bool always_true(const struct json_node *schema);                                  /* absent, true, or asserts nothing */
enum { REFERENCES = 3 };
const struct json_node *reference_at(const struct json_node *schema, int i);          /* $ref and the like; or NULL */
const struct json_node *target_of(struct comparison *c, const struct json_node *ref); /* NULL: not known before evaluation */

/* compat_facts.c */
bool spend(struct comparison *c, long n);
bool too_deep(const struct comparison *c); /* on the stack */
struct facts facts_none(const struct json_node *home);
void facts_add(struct comparison *c, struct facts *f, const struct json_node *schema);
void facts_add_value(struct comparison *c, struct facts *f, const struct json_node *value);
void facts_deny(struct facts *f, const struct json_node *schema);
bool facts_have(const struct facts *f, const struct json_node *schema);
unsigned kinds_of(struct comparison *c, const struct json_node *schema, bool as_fact);
unsigned kind_of_value(const struct json_node *v);

struct bound {
    struct slice at;             /* p == NULL: none */
    bool exclusive;
    const struct json_node *from;
};
enum family { FAMILY_NUMBER, FAMILY_LENGTH, FAMILY_ITEMS, FAMILY_PROPERTIES, FAMILIES };
extern const unsigned family_kinds[FAMILIES];
struct bound bound_of(struct comparison *c, const struct facts *f, enum family family, bool upper);
bool facts_require(struct comparison *c, const struct facts *f, struct slice name);
const struct json_node *listed(const struct facts *f); /* an enum, or a const, among the facts */
/* These spend what it takes to look; false as well when nothing is left. list: an enum's array, or a const. */
bool among(struct comparison *c, const struct json_node *list, const struct json_node *value);
bool equal(struct comparison *c, const struct json_node *x, const struct json_node *y);

/* compat_same.c: do two schemas say the same? */
bool same(struct comparison *c, const struct json_node *x, const struct json_node *y);
bool same_reference(struct comparison *c, const struct json_node *x, const struct json_node *y); /* values of $ref */

/* compat_choice.c: an anyOf or oneOf among the facts, of which no branch is taken yet; or NULL */
const struct json_node *open_choice(struct comparison *c, const struct facts *f);

/* compat_proof.c */
bool covers(struct comparison *c, const struct json_node *reader, const struct facts *f);
bool covers_at(struct comparison *c, const struct json_node *reader, const struct facts *f, struct slice name, unsigned index);
bool quietly(struct comparison *c, const struct json_node *reader, const struct facts *f); /* covers, without findings */
bool differ(struct comparison *c, const char *rule, const struct json_node *reader, const struct facts *f, const char *fmt, ...)
    __attribute__((format(printf, 5, 6))); /* reports unless quiet; always false */

/* compat_empty.c */
bool impossible(struct comparison *c, const struct facts *f);
bool disjoint(struct comparison *c, const struct json_node *schema, const struct facts *f);

/* compat_memo.c */
/* New ones are MEMO_DEAD. NULL: no memory. */
struct memo_entry *memo_find(struct comparison *c, const uintptr_t *key, unsigned words, size_t *ret_at);
void memo_open(struct comparison *c, size_t at);
bool memo_assume(struct comparison *c, const struct memo_entry *open); /* an open one, of a value that holds this one? */
bool memo_close(struct comparison *c, size_t at, bool result);

/* compat_object.c, compat_array.c: rules of keywords that apply schemas to members and items */
typedef bool rule_fn(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f);
rule_fn rule_properties, rule_pattern_properties, rule_additional, rule_unevaluated_properties, rule_property_names, rule_required,
    rule_dependent_required, rule_dependent_schemas, rule_dependencies;
rule_fn rule_items, rule_contains, rule_unique;
rule_fn rule_type, rule_listed, rule_limit, rule_multiple, rule_string;  /* compat_value.c */
rule_fn rule_all, rule_any, rule_not, rule_if, rule_reference;           /* compat_choice.c */
struct facts facts_of_member(struct comparison *c, const struct facts *f, struct slice name);
struct facts facts_of_item(struct comparison *c, const struct facts *f, unsigned index);
bool members_known(struct comparison *c, const struct facts *f, const struct json_node ***ret, size_t *ret_n);
enum known { NO, YES, PERHAPS };
/* compat_pattern.c */
enum known name_matches(struct comparison *c, struct slice pattern, struct slice name);

/* compat_example.c: sets the counterexamples of all findings */
void find_examples(struct comparison *c);

#endif
