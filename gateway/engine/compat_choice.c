#include "gateway/base/utf8.h"
#include "gateway/engine/compat_json.h"

/* Rules of keywords that combine schemas. */
static int shown(struct slice s)
{
    return (int)utf8_cut(s.p, s.n, 60);
}

static unsigned branches_before(const struct facts *f, const char **ret_name)
{
    static const char *const names[] = { "anyOf", "oneOf", "allOf" };
    unsigned most = 0;

    *ret_name = NULL;
    for (unsigned i = 0; i < f->n * 3; i++) {
        const struct json_node *list = f->is[i / 3].value ? NULL : keyword(f->is[i / 3].node, names[i % 3]);

        if (list && list->type == JSON_ARRAY && list->n > most) {
            most = list->n;
            *ret_name = names[i % 3];
        }
    }
    return most;
}

bool rule_all(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    bool result = true;

    (void)schema;
    if (value->type != JSON_ARRAY)
        return false;
    for (unsigned i = 0; i < value->n && (result || !c->quiet); i++)
        result = covers(c, value->child[i], f) && result;
    return result;
}

static bool others_disjoint(struct comparison *c, const struct json_node *list, unsigned but, const struct facts *f)
{
    for (unsigned k = 0; k < list->n; k++)
        if (k != but && !disjoint(c, list->child[k], f))
            return false;
    return true;
}

/* anyOf and oneOf: one branch takes them all. That different ones take different values is found by cases. */
bool rule_any(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    bool one = slice_is(value->name, "oneOf");
    const char *before;
    unsigned n;

    (void)schema;
    if (value->type != JSON_ARRAY)
        return false;
    for (unsigned i = 0; i < value->n && spend(c, 1); i++) {
        c->quiet++;
        bool taken = covers(c, value->child[i], f) && (!one || others_disjoint(c, value, i, f));

        c->quiet--;
        if (taken)
            return true;
    }
    n = branches_before(f, &before);
    if (!before)
        return differ(c, "COMBINED_TYPE_CHANGED", value, f, "It cannot be told that all values that were allowed fit %s branch.",
                      one ? "exactly one" : "a");
    return differ(
        c, n > value->n ? "SUM_TYPE_NARROWED" : "COMBINED_TYPE_SUBSCHEMAS_CHANGED", value, f,
        "There were %u branches of %s and there are %u of %s: it cannot be told that all values that were allowed fit %s.", n,
        before, value->n, one ? "oneOf" : "anyOf", one ? "exactly one" : "one");
}

bool rule_not(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    (void)schema;
    c->quiet++;
    bool result = disjoint(c, value, f);

    c->quiet--;
    return result ||
           differ(c, "NOT_TYPE_EXTENDED", value, f, "It cannot be told that no value that was allowed is excluded by `not`.");
}

bool rule_if(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    const struct json_node *then = keyword(schema, "then"), *otherwise = keyword(schema, "else");
    struct facts held = *f, failed = *f;

    facts_add(c, &held, value);
    facts_deny(&failed, value);
    if ((always_true(then) || quietly(c, then, &held) || disjoint(c, value, f)) &&
        (always_true(otherwise) || quietly(c, otherwise, &failed) || impossible(c, &failed)))
        return true;
    return differ(c, "CONDITION_CHANGED", value, f, "It cannot be told that all values that were allowed fit if, then and else.");
}

bool rule_reference(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    const struct json_node *target = target_of(c, value);

    (void)schema;
    if (target)
        return covers(c, target, f);
    for (unsigned i = 0; i < f->n; i++)
        if (f->is[i].node->type == JSON_STRING && !f->is[i].value && slice_is(value->name, "$ref") &&
            slice_is(f->is[i].node->name, "$ref") && same_reference(c, value, f->is[i].node))
            return true;
    return differ(c, "REFERENCE_UNKNOWN", value, f, "It cannot be told what %.*s leads to.", shown(value->text), value->text.p);
}
