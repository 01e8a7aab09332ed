#include <stdarg.h>
#include <stdio.h>

#include "gateway/engine/compat_json.h"

enum { SPLITS_MAX = 5 }; /* cases within cases */

bool differ(struct comparison *c, const char *rule, const struct json_node *reader, const struct facts *f, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    if (c->quiet)
        return false;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (compat_add(c->report, rule, place_of(c, f->home), place_of(c, reader), "%s", text)) {
        struct facts *copy = arena_alloc(c->arena, sizeof *copy);
        struct step *at = NULL, **last = &at;

        for (const struct step *s = c->at; s; s = s->up) { /* the steps are on the stack */
            if (!(*last = arena_alloc(c->arena, sizeof **last)))
                break;
            **last = *s;
            (*last)->up = NULL;
            last = (struct step **)&(*last)->up;
        }
        if (copy)
            *copy = *f;
        c->spots[c->report->n - 1] = (struct spot){ at, reader, copy };
    }
    return false;
}

bool quietly(struct comparison *c, const struct json_node *reader, const struct facts *f)
{
    c->quiet++;
    bool result = covers(c, reader, f);

    c->quiet--;
    return result;
}

/* One level down, at a member or an item. */
bool covers_at(struct comparison *c, const struct json_node *reader, const struct facts *f, struct slice name, unsigned index)
{
    struct step step = { c->at, name, index };

    c->at = &step;
    c->level++;
    bool result = covers(c, reader, f);

    c->level--;
    c->at = step.up;
    return result;
}

/* In the order in which they are told. `then` and `else` go with `if`; $dynamicRef and the like with $ref. */
static const struct {
    const char *name;
    rule_fn *check;
} rules[] = {
    { "$ref", rule_reference },
    { "$dynamicRef", rule_reference },
    { "$recursiveRef", rule_reference },
    { "type", rule_type },
    { "enum", rule_listed },
    { "const", rule_listed },
    { "minimum", rule_limit },
    { "maximum", rule_limit },
    { "exclusiveMinimum", rule_limit },
    { "exclusiveMaximum", rule_limit },
    { "multipleOf", rule_multiple },
    { "minLength", rule_limit },
    { "maxLength", rule_limit },
    { "pattern", rule_string },
    { "format", rule_string },
    { "required", rule_required },
    { "properties", rule_properties },
    { "patternProperties", rule_pattern_properties },
    { "additionalProperties", rule_additional },
    { "unevaluatedProperties", rule_unevaluated_properties },
    { "propertyNames", rule_property_names },
    { "minProperties", rule_limit },
    { "maxProperties", rule_limit },
    { "dependencies", rule_dependencies },
    { "dependentRequired", rule_dependent_required },
    { "dependentSchemas", rule_dependent_schemas },
    { "items", rule_items },
    { "prefixItems", rule_items },
    { "unevaluatedItems", rule_items },
    { "minItems", rule_limit },
    { "maxItems", rule_limit },
    { "uniqueItems", rule_unique },
    { "contains", rule_contains },
    { "allOf", rule_all },
    { "anyOf", rule_any },
    { "oneOf", rule_any },
    { "not", rule_not },
    { "if", rule_if },
};

/* Where a default may be filled in without another keyword that minds: those beside a $ref do, where they count. */
static bool is_plain(const struct json_node *r)
{
    static const char *const plain[] = { "type", "properties", "required", "additionalProperties", "items" };
    bool refers = keyword(r, "$ref");
    unsigned n = refers, asserting = 0;

    if (refers && draft_of(r) <= DRAFT_7)
        return true;
    for (size_t i = 0; !refers && i < sizeof plain / sizeof *plain; i++)
        n += keyword(r, plain[i]) ? 1 : 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        asserting += keyword(r, rules[i].name) ? 1 : 0;
    return n == asserting;
}

static bool keywords_hold(struct comparison *c, const struct json_node *r, const struct facts *f)
{
    bool only_ref = draft_of(r) <= DRAFT_7 && json_tree_get(r, "$ref"), result = true, plain = c->plain;

    c->plain = plain && is_plain(r);
    for (size_t i = 0; i < sizeof rules / sizeof *rules && (result || !c->quiet); i++) {
        const struct json_node *value = keyword(r, rules[i].name);

        if (!value)
            continue;
        result = spend(c, 1) && rules[i].check(c, r, value, f) && result;
        if (only_ref)
            break;
    }
    c->plain = plain;
    return result;
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */
static bool has_choice(const struct json_node *r)
{
    static const char *const names[] = { "anyOf", "oneOf", "not", "if", "allOf", "$ref", "$dynamicRef", "$recursiveRef" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (keyword(r, names[i]))
            return true;
    return false;
}

static bool by_values(struct comparison *c, const struct json_node *r, const struct facts *f, bool *ret)
{
    const struct json_node *list = listed(f);
    bool constant = list && slice_is(list->name, "const");

    for (unsigned i = 0; i < f->n; i++)
        if (f->is[i].value)
            return false;
    if (!list || list->n > CASES_MAX)
        return false;
    *ret = true;
    for (unsigned i = 0; i < (constant ? 1 : list->n) && *ret; i++) {
        struct facts one = *f;

        facts_add_value(c, &one, constant ? list : list->child[i]);
        *ret = one.n > f->n && (!one.kinds || quietly(c, r, &one));
    }
    return true;
}

static bool by_branches(struct comparison *c, const struct json_node *r, const struct facts *f, bool *ret)
{
    const struct json_node *list = open_choice(c, f);

    if (!list)
        return false;
    *ret = true;
    for (unsigned i = 0; i < list->n && *ret; i++) {
        struct facts one = *f;

        facts_add(c, &one, list->child[i]);
        for (unsigned k = 0; slice_is(list->name, "oneOf") && k < list->n; k++)
            if (k != i)
                facts_deny(&one, list->child[k]);
        *ret = one.n > f->n && quietly(c, r, &one);
    }
    return true;
}

static bool by_condition(struct comparison *c, const struct json_node *r, const struct facts *f, bool *ret)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node, *condition = f->is[i].value ? NULL : keyword(s, "if");
        struct facts held = *f, failed = *f;

        if (!condition || condition->type != JSON_OBJECT || facts_have(f, condition) || f->n_not == NEGATIONS_MAX)
            continue;
        for (unsigned k = 0; k < f->n_not && condition; k++)
            condition = f->denied[k] == condition ? NULL : condition;
        if (!condition)
            continue;
        facts_add(c, &held, condition);
        facts_add(c, &held, keyword(s, "then"));
        facts_deny(&failed, condition);
        facts_add(c, &failed, keyword(s, "else"));
        *ret = facts_have(&held, condition) && quietly(c, r, &held) && quietly(c, r, &failed);
        return true;
    }
    return false;
}

static bool by_kinds(struct comparison *c, const struct json_node *r, const struct facts *f, bool *ret)
{
    static const unsigned parts[] = { KIND_NULL,  KIND_BOOLEAN, KIND_INTEGER | KIND_INTEGER_POINT, KIND_FRACTION, KIND_STRING,
                                      KIND_ARRAY, KIND_OBJECT };
    unsigned n = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        n += f->kinds & parts[i] ? 1 : 0;
    if (n < 2 || !has_choice(r))
        return false;
    *ret = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && *ret; i++) {
        struct facts one = *f;

        one.kinds &= parts[i];
        *ret = !one.kinds || quietly(c, r, &one);
    }
    return true;
}

static bool by_cases(struct comparison *c, const struct json_node *r, const struct facts *f)
{
    bool result = false;

    if (c->splits == SPLITS_MAX)
        return false;
    c->splits++;
    bool split = (by_values(c, r, f, &result) && result) || (by_branches(c, r, f, &result) && result) ||
                 (by_condition(c, r, f, &result) && result) || (by_kinds(c, r, f, &result) && result);

    c->splits--;
    return split;
}

/* --- the proof ------------------------------------------------------------------------------------------------------ */
static bool prove(struct comparison *c, const struct json_node *r, const struct facts *f)
{
    for (unsigned i = 0; i < f->n; i++)
        if (!f->is[i].value && same(c, r, f->is[i].node))
            return true;
    return keywords_hold(c, r, f) || impossible(c, f) || by_cases(c, r, f);
}

static struct memo_entry *remembered(struct comparison *c, const struct json_node *r, const struct facts *f, size_t *ret_at)
{
    uintptr_t key[4 + FACTS_MAX + NEGATIONS_MAX] = { 1 + c->plain, (uintptr_t)r, f->kinds, f->n };
    unsigned n = 4;

    for (unsigned i = 0; i < f->n; i++)
        key[n++] = (uintptr_t)f->is[i].node | f->is[i].value;
    for (unsigned i = 0; i < f->n_not; i++)
        key[n++] = (uintptr_t)f->denied[i];
    return memo_find(c, key, n, ret_at);
}

static bool covers_quietly(struct comparison *c, const struct json_node *r, const struct facts *f, size_t at)
{
    struct memo_entry *e = &c->memo.v[at];

    if (e->state != MEMO_DEAD)
        return e->state == MEMO_TRUE || (e->state == MEMO_OPEN && memo_assume(c, e));
    if (too_deep(c))
        return false;
    memo_open(c, at);
    c->quiet++;
    bool result = prove(c, r, f) && !c->gave_up;

    c->quiet--;
    return memo_close(c, at, result);
}

bool covers(struct comparison *c, const struct json_node *r, const struct facts *f)
{
    size_t at, before = c->report->n;

    if (always_true(r) || !f->kinds)
        return true;
    if (!spend(c, 1 + f->n / 4) || !remembered(c, r, f, &at))
        return false;
    if (r->type != JSON_OBJECT)
        return r->type == JSON_FALSE &&
               (impossible(c, f) || differ(c, "SCHEMA_FALSE", r, f, "Nothing is allowed here any more."));
    if (covers_quietly(c, r, f, at))
        return true;
    if (c->quiet || too_deep(c))
        return false;
    if (c->memo.v[at].told) {
        c->again = true;
        return false;
    }
    c->memo.v[at].told = true;
    c->again = false;
    keywords_hold(c, r, f);
    if (c->report->n == before && !c->again)
        differ(c, "CANNOT_TELL", r, f, "It cannot be told that all values that were allowed still are.");
    return false;
}

static bool alike(const struct schema_text *x, const struct schema_text *y)
{
    bool equal = slice_eq(x->text, y->text) && x->n == y->n;

    for (size_t i = 0; equal && i < x->n; i++)
        equal = slice_eq(x->refs[i].name, y->refs[i].name) && slice_eq(x->refs[i].text, y->refs[i].text);
    return equal;
}

static bool unknown_draft(struct comparison *c)
{
    if (!c->reader.unknown && !c->writer.unknown)
        return false;
    compat_add(c->report, "CANNOT_TELL", SLICE(""), SLICE(""),
               "The $schema of the %s is none of the drafts 4, 6, 7, 2019-09 and 2020-12: it cannot be compared.",
               c->reader.unknown ? "reader's" : "writer's");
    return true;
}

/* What is known of a side when references are followed; it only grows. */
static size_t known_of(const struct side *s)
{
    return s->n + s->recursive;
}

/* A reference may lead to what was no schema before, and what that brings may change what others lead to: once more, then. */
static bool proved(struct comparison *c, struct facts *ret)
{
    bool result;
    size_t known;

    do {
        known = known_of(&c->reader) + known_of(&c->writer);
        c->memo = (struct memo){ 0 };
        c->mixed = c->reader.fourth != c->writer.fourth || (c->reader.fourth && c->reader.later) ||
                   (c->writer.fourth && c->writer.later);
        *ret = facts_none(c->writer.root);
        facts_add(c, ret, c->writer.root);
        result = quietly(c, c->reader.root, ret);
    } while (result && known != known_of(&c->reader) + known_of(&c->writer));
    return result;
}

enum err compat_json(const struct schema_text *reader, const struct schema_text *writer, struct compat_report *report,
                     struct fault *f)
{
    struct comparison c = {
        .arena = report->arena, .report = report, .stack = __builtin_frame_address(0), .steps = COMPAT_STEPS, .plain = true
    };
    struct facts facts;
    enum err e;

    if ((e = side_read(&c, &c.reader, reader, false, f)) || (e = side_read(&c, &c.writer, writer, true, f)))
        return e;
    if (alike(reader, writer))
        return OK;
    if (unknown_draft(&c))
        return OK;
    if (!(c.spots = arena_zalloc(c.arena, (report->max + 1) * sizeof *c.spots)))
        return fault(f, ERR_NO_MEMORY, "The comparison takes more memory than there is for it.");
    bool good = proved(&c, &facts);

    if (unknown_draft(&c))
        return OK;
    if (!good) {
        c.gave_up = false;       /* what is told takes work of its own */
        c.steps = COMPAT_STEPS;
        covers(&c, c.reader.root, &facts);
        if (!report->n)
            compat_add(report, "CANNOT_TELL", SLICE(""), SLICE(""), "The comparison takes more than %d steps.", COMPAT_STEPS);
    }
    report->no_memory |= c.no_memory;
    find_examples(&c);
    return OK;
}
