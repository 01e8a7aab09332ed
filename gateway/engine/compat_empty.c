#include "gateway/engine/compat_json.h"

/* Is there any value of which all the facts are true? Says true only where there is none. */
enum { EMPTY_DEPTH = 4 }; /* how far down it is asked */

static bool bounds_cross(struct comparison *c, const struct facts *f, enum family family)
{
    struct bound low = bound_of(c, f, family, false), high = bound_of(c, f, family, true);
    int order = low.at.p && high.at.p ? decimal_order(low.at, high.at) : -1;

    return order > 0 || (!order && (low.exclusive || high.exclusive));
}

static bool value_excluded(struct comparison *c, const struct facts *f, const struct json_node *v)
{
    if (!(kind_of_value(v) & f->kinds))
        return true;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node, *list;

        if (!spend(c, 1))
            return false;
        if (f->is[i].value
                ? !equal(c, s, v)
                : ((list = keyword(s, "const")) && !equal(c, list, v)) || ((list = keyword(s, "enum")) && !among(c, list, v)))
            return !c->gave_up;
    }
    return false;
}

static bool values_excluded(struct comparison *c, const struct facts *f)
{
    const struct json_node *list = listed(f);

    for (unsigned i = 0; i < f->n; i++)
        if (f->is[i].value && value_excluded(c, f, f->is[i].node))
            return true;
    if (!list || list->n > CASES_MAX)
        return false;
    if (slice_is(list->name, "const"))
        return value_excluded(c, f, list);
    for (unsigned i = 0; i < list->n; i++)
        if (!value_excluded(c, f, list->child[i]))
            return false;
    return true;
}

static bool empty(struct comparison *c, const struct facts *f, unsigned depth);

/* A member that has to be there and cannot. */
static bool member_missing(struct comparison *c, const struct facts *f, unsigned depth)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *required = f->is[i].value ? NULL : keyword(f->is[i].node, "required");

        for (unsigned k = 0; required && required->type == JSON_ARRAY && k < required->n; k++) {
            if (required->child[k]->type != JSON_STRING || !spend(c, f->n))
                continue;
            struct facts member = facts_of_member(c, f, required->child[k]->text);

            if (empty(c, &member, depth - 1))
                return true;
        }
    }
    return false;
}

/* A member or an item of a value that is known, and cannot be. */
static bool part_excluded(struct comparison *c, const struct facts *f, unsigned depth)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *v = f->is[i].node;
        bool object = v->type == JSON_OBJECT;

        for (unsigned k = 0; f->is[i].value && (object || v->type == JSON_ARRAY) && k < v->n && spend(c, f->n); k++) {
            struct facts part = object ? facts_of_member(c, f, v->child[k]->name) : facts_of_item(c, f, k);

            if (empty(c, &part, depth - 1))
                return true;
        }
    }
    return false;
}

static bool branches_empty(struct comparison *c, const struct facts *f, unsigned depth)
{
    static const char *const names[] = { "anyOf", "oneOf" };

    for (unsigned i = 0; i < f->n * 2; i++) {
        const struct json_node *s = f->is[i / 2].node, *list = f->is[i / 2].value ? NULL : keyword(s, names[i % 2]);
        unsigned k = 0;

        if (!list || list->type != JSON_ARRAY || list->n > CASES_MAX)
            continue;
        for (; k < list->n; k++) {
            struct facts branch = *f;

            if (facts_have(f, list->child[k]))
                break;
            facts_add(c, &branch, list->child[k]);
            if (branch.n == f->n || !empty(c, &branch, depth - 1))
                break;
        }
        if (k == list->n)
            return true;
    }
    return false;
}

static bool denied(struct comparison *c, const struct facts *f)
{
    bool plain = c->plain, result = false;

    c->plain = false;
    for (unsigned i = 0; i < f->n_not && !result; i++)
        result = quietly(c, f->denied[i], f);
    c->plain = plain;
    return result;
}

static bool empty(struct comparison *c, const struct facts *f, unsigned depth)
{
    unsigned kinds = f->kinds;

    if (!kinds || !spend(c, 1))
        return !kinds;
    for (int family = 0; family < FAMILIES; family++)
        if (kinds & family_kinds[family] && bounds_cross(c, f, (enum family)family))
            kinds &= ~family_kinds[family];
    if (depth && kinds & KIND_OBJECT && member_missing(c, f, depth))
        kinds &= ~(unsigned)KIND_OBJECT;
    return !kinds || values_excluded(c, f) ||
           (depth && (part_excluded(c, f, depth) || denied(c, f) || branches_empty(c, f, depth)));
}

bool impossible(struct comparison *c, const struct facts *f)
{
    return !too_deep(c) && empty(c, f, EMPTY_DEPTH);
}

bool disjoint(struct comparison *c, const struct json_node *schema, const struct facts *f)
{
    struct facts both = *f;

    if (schema->type == JSON_FALSE)
        return true;
    facts_add(c, &both, schema);
    return impossible(c, &both);
}
