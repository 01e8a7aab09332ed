#include "gateway/base/utf8.h"
#include "gateway/engine/compat_members.h"

/* Rules of keywords that are about the members of objects. */
enum { NESTED_MAX = 32 };

static int shown(struct slice s)
{
    return (int)utf8_cut(s.p, s.n, 60);
}

static bool may_be_objects(const struct facts *f)
{
    return f->kinds & KIND_OBJECT;
}

static bool is_declared(const struct facts *f, struct slice name)
{
    for (unsigned i = 0; i < f->n; i++)
        if (!f->is[i].value && json_tree_member(map_of(f->is[i].node, "properties"), name))
            return true;
    return false;
}

bool rule_properties(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    bool result = true;

    (void)schema;
    if (!may_be_objects(f))
        return true;
    if (value->type != JSON_OBJECT)
        return false;
    for (unsigned i = 0; i < value->n && (result || !c->quiet); i++) {
        const struct json_node *one = value->child[i];

        if (always_true(one))
            continue;
        struct facts member = facts_of_member(c, f, one->name);

        c->quiet++;
        bool covered = covers_at(c, one, &member, one->name, 0);

        c->quiet--;
        result = result && covered;
        if (covered || c->quiet)
            continue;
        if (is_declared(f, one->name))
            covers_at(c, one, &member, one->name, 0);
        else {
            struct step step = { c->at, one->name, 0 };

            c->at = &step;
            differ(c,
                   member.n ? "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
                            : "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
                   one, &member, "The property \"%.*s\" is new; documents may have had it with other values.", shown(one->name),
                   one->name.p);
            c->at = step.up;
        }
    }
    return result;
}

static bool pattern_holds(struct comparison *c, const struct json_node *schema, const struct json_node *one,
                          const struct facts *f, const struct names *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct facts member;

        if (name_matches(c, one->name, name_of(l->v[i])) == NO)
            continue;
        member = facts_of_member(c, f, name_of(l->v[i]));
        if (!covers_at(c, one, &member, name_of(l->v[i]), 0))
            return false;
    }
    return covers_others(c, one, f, schema, one->name);
}

bool rule_pattern_properties(struct comparison *c, const struct json_node *schema, const struct json_node *value,
                             const struct facts *f)
{
    struct names l;

    if (!may_be_objects(f))
        return true;
    if (value->type != JSON_OBJECT || !collect(c, f, &l))
        return differ(c, "CANNOT_TELL", value, f, "There are too many names to compare.");
    for (unsigned i = 0; i < value->n; i++) {
        if (always_true(value->child[i]))
            continue;
        c->quiet++;
        bool holds = pattern_holds(c, schema, value->child[i], f, &l);

        c->quiet--;
        if (!holds)
            return differ(c, "PATTERN_PROPERTIES_NARROWED", value->child[i], f,
                          "It cannot be told that all properties with such names had values that are still allowed.");
    }
    return true;
}

static bool has_evaluated(struct comparison *c, const struct json_node *schema, struct slice name, unsigned nested);

static bool evaluates(struct comparison *c, const struct json_node *s, struct slice name, bool additional)
{
    const struct json_node *patterns = map_of(s, "patternProperties");

    if (json_tree_member(map_of(s, "properties"), name) || (additional && keyword(s, "additionalProperties")))
        return true;
    for (unsigned i = 0; patterns && i < patterns->n; i++)
        if (name_matches(c, patterns->child[i]->name, name) == YES)
            return true;
    return false;
}

/* For certain: by what always applies. */
static bool has_evaluated(struct comparison *c, const struct json_node *schema, struct slice name, unsigned nested)
{
    const struct json_node *all = keyword(schema, "allOf");

    if (nested == NESTED_MAX || !spend(c, 1) || schema->type != JSON_OBJECT || draft_of(schema) <= DRAFT_7)
        return false;
    if (evaluates(c, schema, name, nested > 0))
        return true;
    for (int i = 0; i < REFERENCES; i++) {
        const struct json_node *ref = reference_at(schema, i), *target = ref ? target_of(c, ref) : NULL;

        if (target && has_evaluated(c, target, name, nested + 1))
            return true;
    }
    for (unsigned i = 0; all && all->type == JSON_ARRAY && i < all->n; i++)
        if (has_evaluated(c, all->child[i], name, nested + 1))
            return true;
    return false;
}

static bool others_hold(struct comparison *c, const struct json_node *schema, const struct json_node *value,
                        const struct facts *f, bool unevaluated)
{
    struct names l;
    bool result = true;

    if (!collect(c, f, &l))
        return differ(c, "CANNOT_TELL", value, f, "There are too many names to compare.");
    for (size_t i = 0; i < l.n && (result || !c->quiet); i++) {
        struct slice name = name_of(l.v[i]);
        struct facts member = facts_of_member(c, f, name);
        struct step step = { c->at, name, 0 };

        if (unevaluated ? has_evaluated(c, schema, name, 0) : evaluates(c, schema, name, false))
            continue;
        c->quiet++;
        bool covered = covers_at(c, value, &member, name, 0);

        c->quiet--;
        result = result && covered;
        if (covered || c->quiet)
            continue;
        c->at = &step;
        differ(c,
               value->type == JSON_FALSE ? "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"
                                         : "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
               value, &member, "The property \"%.*s\" was allowed; there is no room for all its values any more.", shown(name),
               name.p);
        c->at = step.up;
    }
    if (covers_others(c, value, f, schema, SLICE_NONE))
        return result;
    return differ(c, value->type == JSON_FALSE ? "ADDITIONAL_PROPERTIES_REMOVED" : "ADDITIONAL_PROPERTIES_NARROWED", value, f,
                  "Properties of other names were allowed, with values that are not any more.");
}

bool rule_additional(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    return !may_be_objects(f) || always_true(value) || others_hold(c, schema, value, f, false);
}

bool rule_unevaluated_properties(struct comparison *c, const struct json_node *schema, const struct json_node *value,
                                 const struct facts *f)
{
    return !may_be_objects(f) || always_true(value) || keyword(schema, "additionalProperties") ||
           others_hold(c, schema, value, f, true);
}

bool rule_property_names(struct comparison *c, const struct json_node *schema, const struct json_node *value,
                         const struct facts *f)
{
    struct facts name = facts_none(f->home);
    const struct json_node **known;
    size_t n;
    bool result;

    (void)schema;
    if (!may_be_objects(f) || always_true(value))
        return true;
    name.kinds = KIND_STRING;
    for (unsigned i = 0; i < f->n; i++)
        if (!f->is[i].value)
            facts_add(c, &name, keyword(f->is[i].node, "propertyNames"));
    c->quiet++;
    result = covers(c, value, &name);
    if (!result && members_known(c, f, &known, &n)) {
        result = true;
        for (size_t i = 0; i < n && result; i++) {
            struct json_node *text = arena_zalloc(c->arena, sizeof *text);
            struct facts member = facts_of_member(c, f, name_of(known[i])), one = name;

            if (!text)
                result = false;
            else if (!impossible(c, &member)) {
                *text = (struct json_node){ .type = JSON_STRING, .text = name_of(known[i]) };
                facts_add_value(c, &one, text);
                result = one.n > name.n && covers(c, value, &one);
            }
        }
    }
    c->quiet--;
    return result ||
           differ(c, "PROPERTY_NAMES_NARROWED", value, f, "It cannot be told that all names that were allowed still are.");
}

/* A reader that fills in the default of a property that is missing: right where filling it in can break nothing else
 * (c->plain), and the default is of its property's schema. */
static bool is_filled_in(struct comparison *c, const struct json_node *schema, struct slice name)
{
    const struct json_node *property = json_tree_member(map_of(schema, "properties"), name),
                           *value = json_tree_get(property, "default");
    struct facts f = facts_none(schema);
    bool plain = c->plain, result;

    if (!value || !plain)
        return false;
    facts_add_value(c, &f, value);
    c->quiet++;
    c->plain = false;
    result = f.n && covers(c, property, &f);
    c->plain = plain;
    c->quiet--;
    return result;
}

bool rule_required(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    bool result = true;

    if (!may_be_objects(f))
        return true;
    if (value->type != JSON_ARRAY)
        return draft_of(schema) == DRAFT_4 && value->type == JSON_TRUE;
    for (unsigned i = 0; i < value->n && (result || !c->quiet); i++) {
        struct slice name = value->child[i]->text;

        if (value->child[i]->type == JSON_STRING && (facts_require(c, f, name) || is_filled_in(c, schema, name)))
            continue;
        result = differ(c, is_declared(f, name) ? "REQUIRED_ATTRIBUTE_ADDED" : "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
                        value->child[i], f, "The property \"%.*s\" is required, and documents may lack it.", shown(name), name.p);
    }
    return result;
}

/* The facts, and that a member is there. */
static struct facts with_member(struct comparison *c, const struct facts *f, struct slice name)
{
    struct json_node *n = arena_zalloc(c->arena, 3 * sizeof *n), **list = arena_zalloc(c->arena, 2 * sizeof *list);
    struct facts with = *f;

    if (!n || !list || f->n == FACTS_MAX) {
        c->no_memory |= !n || !list;
        return with;
    }
    n[0] = (struct json_node){ .type = JSON_OBJECT, .n = 1, .child = list, .by_name = list, .tag = f->home->tag };
    n[1] = (struct json_node){ .type = JSON_ARRAY, .name = SLICE("required"), .n = 1, .child = list + 1, .parent = n };
    n[2] = (struct json_node){ .type = JSON_STRING, .text = name, .parent = n + 1 };
    list[0] = &n[1];
    list[1] = &n[2];
    facts_add(c, &with, n);
    with.home = f->home;
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node;
        const struct json_node *schemas =
            f->is[i].value ? NULL : map_of(s, draft_of(s) <= DRAFT_7 ? "dependencies" : "dependentSchemas");

        for (unsigned k = 0; schemas && k < schemas->n; k++)
            if (schemas->child[k]->type != JSON_ARRAY && facts_require(c, &with, schemas->child[k]->name))
                facts_add(c, &with, schemas->child[k]);
    }
    return with;
}

static bool dependency_holds(struct comparison *c, const struct json_node *one, const struct facts *f)
{
    struct facts member = facts_of_member(c, f, one->name), with;

    if (always_true(one) || impossible(c, &member))
        return true;
    with = with_member(c, f, one->name);
    if (one->type != JSON_ARRAY)
        return covers(c, one, &with);
    for (unsigned i = 0; i < one->n; i++)
        if (one->child[i]->type != JSON_STRING || !facts_require(c, &with, one->child[i]->text))
            return false;
    return true;
}

bool rule_dependencies(struct comparison *c, const struct json_node *schema, const struct json_node *value, const struct facts *f)
{
    const char *rule = "DEPENDENCY_SCHEMA_ADDED";

    (void)schema;
    if (!may_be_objects(f))
        return true;
    if (value->type != JSON_OBJECT)
        return false;
    for (unsigned i = 0; i < value->n; i++) {
        c->quiet++;
        bool holds = dependency_holds(c, value->child[i], f);

        c->quiet--;
        if (value->child[i]->type == JSON_ARRAY)
            rule = "DEPENDENCY_ARRAY_EXTENDED";
        if (!holds)
            return differ(c, rule, value->child[i], f,
                          "It cannot be told that all objects with \"%.*s\" have what depends on it.",
                          shown(value->child[i]->name), value->child[i]->name.p);
    }
    return true;
}

bool rule_dependent_required(struct comparison *c, const struct json_node *schema, const struct json_node *value,
                             const struct facts *f)
{
    return rule_dependencies(c, schema, value, f);
}

bool rule_dependent_schemas(struct comparison *c, const struct json_node *schema, const struct json_node *value,
                            const struct facts *f)
{
    return rule_dependencies(c, schema, value, f);
}
