#include "gateway/engine/compat_json.h"

/* Items of arrays: the first ones, each with a schema of its own, and the rest. */
struct layout {
    const struct json_node *first; /* an array of schemas; NULL: none */
    const struct json_node *rest;  /* for the items behind; NULL: any value */
    bool unevaluated;              /* `rest` is unevaluatedItems */
};

enum { ITEMS_MAX = 4096, NESTED_MAX = 32 };

static struct layout layout_of(const struct json_node *s)
{
    const struct json_node *items = keyword(s, "items"), *first = keyword(s, "prefixItems");
    struct layout l = { .first = first, .rest = items };

    if (draft_of(s) < DRAFT_2020_12 && items && items->type == JSON_ARRAY)
        l = (struct layout){ .first = items, .rest = keyword(s, "additionalItems") };
    if (l.first && l.first->type != JSON_ARRAY)
        l.first = NULL;
    if (!l.rest && (l.rest = keyword(s, "unevaluatedItems")))
        l.unevaluated = true;
    return l;
}

/* Nothing else that applies to the same array says what its items are. */
static bool alone(const struct json_node *s)
{
    static const char *const others[] = { "$ref", "$dynamicRef", "$recursiveRef",    "allOf",   "anyOf", "oneOf",
                                          "if",   "not",         "dependentSchemas", "contains" };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (keyword(s, others[i]))
            return false;
    return true;
}

static unsigned first_count(struct layout l)
{
    return l.first ? l.first->n : 0;
}

static const struct json_node *schema_at(struct layout l, unsigned index)
{
    return index < first_count(l) ? l.first->child[index] : l.rest;
}

struct facts facts_of_item(struct comparison *c, const struct facts *f, unsigned index)
{
    struct facts item = facts_none(f->home);

    for (unsigned i = 0; i < f->n && spend(c, 1); i++) {
        const struct json_node *s = f->is[i].node, *one;
        struct layout l;

        if (f->is[i].value) {
            if (s->type == JSON_ARRAY && index >= s->n)
                item.kinds = 0;
            else if (s->type == JSON_ARRAY)
                facts_add_value(c, &item, s->child[index]);
            continue;
        }
        l = layout_of(s);
        one = schema_at(l, index);
        if (!one || (index >= first_count(l) && l.unevaluated && !alone(s)))
            continue;
        item.home = one;
        facts_add(c, &item, one);
    }
    return item;
}

/* Are there arrays with an item at this place? */
static bool reaches(struct comparison *c, const struct facts *f, unsigned index)
{
    struct bound most = bound_of(c, f, FAMILY_ITEMS, true);
    char *text = arena_printf(c->arena, "%u", index);

    c->no_memory |= !text;
    return !text || !most.at.p || decimal_order(most.at, slice_of(text)) > 0;
}

/* One more than the last place that any fact tells apart. */
static unsigned told_apart(const struct facts *f)
{
    unsigned n = 0;

    for (unsigned i = 0; i < f->n; i++) {
        unsigned k =
            f->is[i].value ? f->is[i].node->type == JSON_ARRAY ? f->is[i].node->n : 0 : first_count(layout_of(f->is[i].node));

        n = k > n ? k : n;
    }
    return n;
}

static bool is_added(const struct json_node *one, struct layout l, const struct facts *f, unsigned index)
{
    return index < first_count(l) && one == l.first->child[index] && index >= told_apart(f);
}

static const char *rule_name(const struct json_node *one, struct layout l, const struct facts *f, const struct facts *item,
                             unsigned index)
{
    if (is_added(one, l, f, index))
        return item->n ? "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" : "ITEM_ADDED_TO_OPEN_CONTENT_MODEL";
    if (index < told_apart(f))
        return one->type == JSON_FALSE ? "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL"
                                       : "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL";
    return one->type == JSON_FALSE ? "ADDITIONAL_ITEMS_REMOVED" : "ADDITIONAL_ITEMS_NARROWED";
}

static bool item_holds(struct comparison *c, struct layout l, const struct facts *f, unsigned index)
{
    const struct json_node *one = schema_at(l, index);
    struct facts item;

    if (always_true(one) || !reaches(c, f, index))
        return true;
    item = facts_of_item(c, f, index);
    c->quiet++;
    bool covered = covers_at(c, one, &item, SLICE_NONE, index);

    c->quiet--;
    if (covered || c->quiet)
        return covered;
    if (item.n && one->type == JSON_OBJECT && !is_added(one, l, f, index))
        return covers_at(c, one, &item, SLICE_NONE, index);
    struct step step = { c->at, SLICE_NONE, index };

    c->at = &step;
    differ(c, rule_name(one, l, f, &item, index), one, &item, "Arrays may have had another item at place %u.", index);
    c->at = step.up;
    return false;
}

/* Called for each of items, prefixItems and unevaluatedItems; together they are one rule. */
bool rule_items(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    struct layout l = layout_of(schema);
    unsigned mine = first_count(l), theirs = told_apart(f), last = mine > theirs ? mine : theirs;
    bool result = true;

    if (!(f->kinds & KIND_ARRAY) || (slice_is(value->name, "items") && keyword(schema, "prefixItems")) ||
        (slice_is(value->name, "unevaluatedItems") && (keyword(schema, "prefixItems") || keyword(schema, "items"))))
        return true;
    if (last > ITEMS_MAX)
        return differ(c, "CANNOT_TELL", value, f, "There are too many items to compare.");
    for (unsigned i = 0; i <= last && (result || !c->quiet); i++)
        result = item_holds(c, l, f, i) && result;
    return result;
}

bool rule_unique(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    struct bound most = bound_of(c, f, FAMILY_ITEMS, true);

    (void)schema;
    if (!(f->kinds & KIND_ARRAY) || value->type != JSON_TRUE || (most.at.p && decimal_order(most.at, SLICE("1")) <= 0))
        return true;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node, *one = f->is[i].value ? NULL : keyword(s, "uniqueItems");
        bool twice = s->type != JSON_ARRAY;

        if (one && one->type == JSON_TRUE)
            return true;
        for (unsigned k = 0; f->is[i].value && s->type == JSON_ARRAY && k < s->n; k++)
            for (unsigned j = 0; j < k && !twice && !c->gave_up; j++)
                twice = equal(c, s->child[j], s->child[k]);
        if (f->is[i].value && !twice && !c->gave_up)
            return true;
    }
    return differ(c, "UNIQUE_ITEMS_ADDED", value, f, "Arrays with equal items were allowed.");
}

/* minContains, maxContains; the default where there is none. */
static struct slice contains_limit(const struct json_node *s, const char *name, struct slice otherwise)
{
    const struct json_node *n = keyword(s, name);

    return n && n->type == JSON_NUMBER ? n->text : otherwise;
}

static bool at_least(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    struct slice least = contains_limit(schema, "minContains", SLICE("1"));

    if (decimal_order(least, SLICE("0")) <= 0)
        return true;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *had = f->is[i].value ? NULL : keyword(f->is[i].node, "contains");
        struct facts item = facts_none(f->home);

        if (!had || decimal_order(contains_limit(f->is[i].node, "minContains", SLICE("1")), least) < 0)
            continue;
        facts_add(c, &item, had);
        if (covers_at(c, value, &item, SLICE_NONE, 0))
            return true;
    }
    struct bound n = bound_of(c, f, FAMILY_ITEMS, false);

    if (!n.at.p || decimal_order(n.at, least) < 0)
        return false;
    for (unsigned i = 0, last = told_apart(f); i <= last; i++) { /* there are enough, and every item will do */
        struct facts item = facts_of_item(c, f, i);

        if (i > ITEMS_MAX || (reaches(c, f, i) && !covers_at(c, value, &item, SLICE_NONE, i)))
            return false;
    }
    return true;
}

/* Whatever counts now has counted before. */
static bool at_most(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    struct slice most = contains_limit(schema, "maxContains", SLICE_NONE);
    struct bound n = bound_of(c, f, FAMILY_ITEMS, true);

    if (!most.p || (n.at.p && decimal_order(n.at, most) <= 0))
        return true;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *had = f->is[i].value ? NULL : keyword(f->is[i].node, "contains");
        struct slice limit = had ? contains_limit(f->is[i].node, "maxContains", SLICE_NONE) : SLICE_NONE;
        struct facts item = facts_none(f->home);

        if (!limit.p || decimal_order(limit, most) > 0)
            continue;
        facts_add(c, &item, value);
        if (covers_at(c, had, &item, SLICE_NONE, 0))
            return true;
    }
    return false;
}

bool rule_contains(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    if (!(f->kinds & KIND_ARRAY))
        return true;
    c->quiet++;
    bool holds = at_least(c, schema, value, f) && at_most(c, schema, value, f);

    c->quiet--;
    return holds || differ(c, "CONTAINS_CHANGED", value, f,
                           "It cannot be told that all arrays that were allowed contain what is asked for.");
}
