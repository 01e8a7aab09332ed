#include <stdio.h>

#include "gateway/base/utf8.h"
#include "gateway/engine/compat_json.h"

/* Rules of keywords that are about one value. */
static int shown(struct slice s)
{
    return (int)utf8_cut(s.p, s.n, 60);
}

bool rule_type(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    unsigned kinds = kinds_of(c, schema, false);

    if (!(f->kinds & ~kinds))
        return true;
    return differ(c, kinds & f->kinds ? "TYPE_NARROWED" : "TYPE_CHANGED", value, f,
                  "Values that were allowed are of another type than %.*s.", shown(value->text), value->text.p);
}

bool rule_listed(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    const struct json_node *list;

    (void)schema;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node;

        if (f->is[i].value ? among(c, value, s) : (list = keyword(s, "const")) && among(c, value, list))
            return true;
        if (f->is[i].value || !(list = keyword(s, "enum")) || list->type != JSON_ARRAY)
            continue;
        unsigned k = 0;

        while (k < list->n && among(c, value, list->child[k]))
            k++;
        if (k == list->n)
            return true;
    }
    list = listed(f);
    return differ(c,
                  !list                 ? "ENUM_ARRAY_ADDED"
                  : list->n && value->n ? "ENUM_ARRAY_NARROWED"
                                        : "ENUM_ARRAY_CHANGED",
                  value, f, "Values that were allowed are not among those that are left.");
}

static const struct {
    const char *name;
    enum family family;
    bool upper, exclusive;
    const char *added, *changed, *lower;
} limits[] = {
    { "minimum", FAMILY_NUMBER, false, false, "MINIMUM_ADDED", "MINIMUM_INCREASED", "least" },
    { "maximum", FAMILY_NUMBER, true, false, "MAXIMUM_ADDED", "MAXIMUM_DECREASED", "greatest" },
    { "exclusiveMinimum", FAMILY_NUMBER, false, true, "EXCLUSIVE_MINIMUM_ADDED", "EXCLUSIVE_MINIMUM_INCREASED", "least" },
    { "exclusiveMaximum", FAMILY_NUMBER, true, true, "EXCLUSIVE_MAXIMUM_ADDED", "EXCLUSIVE_MAXIMUM_DECREASED", "greatest" },
    { "minLength", FAMILY_LENGTH, false, false, "MIN_LENGTH_ADDED", "MIN_LENGTH_INCREASED", "least" },
    { "maxLength", FAMILY_LENGTH, true, false, "MAX_LENGTH_ADDED", "MAX_LENGTH_DECREASED", "greatest" },
    { "minItems", FAMILY_ITEMS, false, false, "MIN_ITEMS_ADDED", "MIN_ITEMS_INCREASED", "least" },
    { "maxItems", FAMILY_ITEMS, true, false, "MAX_ITEMS_ADDED", "MAX_ITEMS_DECREASED", "greatest" },
    { "minProperties", FAMILY_PROPERTIES, false, false, "MIN_PROPERTIES_ADDED", "MIN_PROPERTIES_INCREASED", "least" },
    { "maxProperties", FAMILY_PROPERTIES, true, false, "MAX_PROPERTIES_ADDED", "MAX_PROPERTIES_DECREASED", "greatest" },
};

/* A closed object has no more members than names. */
static bool few_members(struct comparison *c, const struct facts *f, struct slice most)
{
    const struct json_node **names;
    char text[24];
    size_t n;

    if (!members_known(c, f, &names, &n))
        return false;
    snprintf(text, sizeof text, "%zu", n);
    return decimal_order(slice_of(text), most) <= 0;
}

bool rule_limit(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    size_t i = 0;
    bool exclusive;

    while (!slice_is(value->name, limits[i].name))
        i++;
    if (!(f->kinds & family_kinds[limits[i].family]))
        return true;
    if (!spend(c, (long)value->text.n / DIGITS))
        return false;
    if (value->type != JSON_NUMBER) /* draft 4: exclusiveMinimum goes with minimum */
        return draft_of(schema) == DRAFT_4 && limits[i].exclusive;
    exclusive = limits[i].exclusive;
    if (draft_of(schema) == DRAFT_4 && limits[i].family == FAMILY_NUMBER) {
        const struct json_node *e = keyword(schema, limits[i].upper ? "exclusiveMaximum" : "exclusiveMinimum");

        exclusive = e && e->type == JSON_TRUE;
    }
    struct bound b = bound_of(c, f, limits[i].family, limits[i].upper);
    int order = b.at.p ? decimal_order(b.at, value->text) : 0;

    if (b.at.p && (limits[i].upper ? order < 0 : order > 0 || (!order && (b.exclusive || !exclusive))))
        return true;
    if (b.at.p && limits[i].upper && !order && (b.exclusive || !exclusive))
        return true;
    if (limits[i].family != FAMILY_NUMBER && !limits[i].upper && decimal_order(value->text, SLICE("0")) <= 0)
        return true;
    if (limits[i].family == FAMILY_PROPERTIES && limits[i].upper && few_members(c, f, value->text))
        return true;
    return differ(c, b.at.p ? limits[i].changed : limits[i].added, value, f, "The %s that is allowed was %.*s and is %.*s%s.",
                  limits[i].lower, b.at.p ? shown(b.at) : 9, b.at.p ? b.at.p : "unbounded", shown(value->text), value->text.p,
                  exclusive ? ", exclusive" : "");
}

/* Is every multiple of x one of y? */
static bool divides(struct comparison *c, struct slice y, struct slice x)
{
    struct decimal d = decimal_of(x), of = decimal_of(y);

    if (!spend(c, (long)(x.n + y.n) / DIGITS))
        return false;
    return !d.vast && !of.vast && of.digits < of.end && decimal_digits(&of) <= DECIMAL_DIVISOR && decimal_multiple(&d, &of);
}

bool rule_multiple(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    const struct json_node *had = NULL;

    (void)schema;
    if (!(f->kinds & KIND_NUMBER))
        return true;
    if (value->type != JSON_NUMBER)
        return false;
    if (!(f->kinds & KIND_FRACTION) && divides(c, value->text, SLICE("1")))
        return true;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *one = f->is[i].value ? f->is[i].node : keyword(f->is[i].node, "multipleOf");

        if (!one || one->type != JSON_NUMBER)
            continue;
        had = one;
        if (divides(c, value->text, one->text))
            return true;
    }
    return differ(c, had ? "MULTIPLE_OF_CHANGED" : "MULTIPLE_OF_ADDED", value, f,
                  "Numbers that were allowed are not multiples of %.*s.", shown(value->text), value->text.p);
}

bool rule_string(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    bool format = slice_is(value->name, "format"), had = false;

    if (!(f->kinds & KIND_STRING) || (format && draft_of(schema) >= DRAFT_2019_09))
        return true;
    if (value->type != JSON_STRING)
        return false;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node, *one = f->is[i].value ? NULL : keyword(s, format ? "format" : "pattern");

        if (f->is[i].value && !format && s->type == JSON_STRING && name_matches(c, value->text, s->text) == YES)
            return true;
        if (!one || one->type != JSON_STRING || (format && draft_of(s) >= DRAFT_2019_09))
            continue;
        had = true;
        if (slice_eq(one->text, value->text))
            return true;
    }
    if (format)
        return differ(c, had ? "FORMAT_CHANGED" : "FORMAT_ADDED", value, f,
                      "It cannot be told that all strings that were allowed are of the format %.*s.", shown(value->text),
                      value->text.p);
    return differ(c, had ? "PATTERN_CHANGED" : "PATTERN_ADDED", value, f,
                  "It cannot be told that all strings that were allowed match %.*s.", shown(value->text), value->text.p);
}
