#include <stdlib.h>

#include "gateway/engine/compat_members.h"

/* Members of objects: by name, and those of any other name. */
enum { NAMES_MAX = 4096, NESTED_MAX = 32 };

const struct json_node *map_of(const struct json_node *schema, const char *name)
{
    const struct json_node *m = keyword(schema, name);

    return m && m->type == JSON_OBJECT ? m : NULL;
}

/* What applies other schemas to the same value. */
static const struct {
    const char *name;
    bool map;
} applicators[] = { { "allOf", false },      { "anyOf", false }, { "oneOf", false }, { "if", false },
                    { "then", false },       { "else", false },  { "not", false },   { "dependentSchemas", true },
                    { "dependencies", true } };

typedef bool visit_fn(void *self, const struct json_node *schema);

static bool visit_one(struct comparison *c, const struct json_node *schema, visit_fn *visit, void *self, unsigned nested);

/* Visits every schema that applies, perhaps, to the value that `schema` applies to, itself not included. False: stopped, or
 * something cannot be followed. */
static bool visit_all(struct comparison *c, const struct json_node *schema, visit_fn *visit, void *self, unsigned nested)
{
    if (nested == NESTED_MAX || !spend(c, 1))
        return false;
    for (int i = 0; i < REFERENCES; i++) {
        const struct json_node *ref = reference_at(schema, i), *target = ref ? target_of(c, ref) : NULL;

        if (ref && (!target || !visit_one(c, target, visit, self, nested)))
            return false;
    }
    for (size_t i = 0; i < sizeof applicators / sizeof *applicators; i++) {
        const struct json_node *v = keyword(schema, applicators[i].name);
        bool many = v && (v->type == JSON_ARRAY || applicators[i].map);

        for (unsigned k = 0; v && k < (many ? v->n : 1); k++)
            if (!visit_one(c, many ? v->child[k] : v, visit, self, nested))
                return false;
    }
    return true;
}

static bool visit_one(struct comparison *c, const struct json_node *schema, visit_fn *visit, void *self, unsigned nested)
{
    return schema->type != JSON_OBJECT || (visit(self, schema) && visit_all(c, schema, visit, self, nested + 1));
}

struct evaluated {
    struct comparison *c;
    struct slice name; /* p == NULL: one that no `properties` has */
};

/* False: this schema may evaluate the member. */
static bool leaves_alone(void *self, const struct json_node *s)
{
    struct evaluated *e = self;
    const struct json_node *patterns = map_of(s, "patternProperties");

    if (keyword(s, "additionalProperties") || keyword(s, "unevaluatedProperties"))
        return false;
    if (e->name.p && json_tree_member(map_of(s, "properties"), e->name))
        return false;
    for (unsigned i = 0; patterns && i < patterns->n; i++)
        if (!e->name.p || name_matches(e->c, patterns->child[i]->name, e->name) != NO)
            return false;
    return true;
}

/* What the schema says of a member that its `properties` and `patternProperties` do not have; NULL: nothing. */
static const struct json_node *of_others(struct comparison *c, const struct json_node *s, struct slice name)
{
    const struct json_node *additional = keyword(s, "additionalProperties"), *unevaluated = keyword(s, "unevaluatedProperties");
    struct evaluated e = { c, name };

    if (additional || !unevaluated)
        return additional;
    return visit_all(c, s, leaves_alone, &e, 0) ? unevaluated : NULL;
}

struct facts facts_of_member(struct comparison *c, const struct facts *f, struct slice name)
{
    struct facts member = facts_none(f->home);

    for (unsigned i = 0; i < f->n && spend(c, 1); i++) {
        const struct json_node *s = f->is[i].node, *one = NULL, *patterns;
        enum known matched = NO;

        if (f->is[i].value) {
            if (s->type == JSON_OBJECT && !(one = json_tree_member(s, name)))
                member.kinds = 0;
            else if (s->type == JSON_OBJECT)
                facts_add_value(c, &member, one);
            continue;
        }
        if ((one = json_tree_member(map_of(s, "properties"), name))) {
            member.home = one;
            facts_add(c, &member, one);
        }
        patterns = map_of(s, "patternProperties");
        for (unsigned k = 0; patterns && k < patterns->n; k++) {
            enum known m = name_matches(c, patterns->child[k]->name, name);

            if (m == YES)
                facts_add(c, &member, patterns->child[k]);
            matched = m == NO ? matched : YES;
        }
        if (!one && matched == NO)
            facts_add(c, &member, of_others(c, s, name));
    }
    return member;
}

/* --- the names that the facts know ---------------------------------------------------------------------------------- */
struct slice name_of(const struct json_node *n)
{
    return n->name.p ? n->name : n->text;
}

static bool names_put(struct names *l, const struct json_node *n)
{
    if (l->n == NAMES_MAX) {
        l->full = true;
        return false;
    }
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        const struct json_node **v = arena_alloc(l->c->arena, cap * sizeof *v);

        if (!v) {
            l->c->no_memory = l->full = true;
            return false;
        }
        if (l->n)
            memcpy(v, l->v, l->n * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = n;
    return true;
}

static bool names_of_schema(void *self, const struct json_node *s)
{
    const struct json_node *m = map_of(s, "properties"), *required = keyword(s, "required"), *rule = keyword(s, "propertyNames");
    const struct json_node *list = rule && rule->type == JSON_OBJECT ? keyword(rule, "enum") : NULL;

    for (unsigned i = 0; m && i < m->n; i++)
        if (!names_put(self, m->child[i]))
            return false;
    for (unsigned i = 0; required && required->type == JSON_ARRAY && i < required->n; i++)
        if (required->child[i]->type == JSON_STRING && !names_put(self, required->child[i]))
            return false;
    for (unsigned i = 0; list && list->type == JSON_ARRAY && i < list->n; i++)
        if (list->child[i]->type == JSON_STRING && !names_put(self, list->child[i]))
            return false;
    return true;
}

static int by_name(const void *x, const void *y)
{
    return slice_order(name_of(*(const struct json_node *const *)x), name_of(*(const struct json_node *const *)y));
}

/* Every name that the facts speak of, each once. */
bool collect(struct comparison *c, const struct facts *f, struct names *l)
{
    size_t n = 0;

    *l = (struct names){ .c = c };
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node;

        for (unsigned k = 0; f->is[i].value && s->type == JSON_OBJECT && k < s->n; k++)
            names_put(l, s->child[k]);
        if (f->is[i].value)
            continue;
        names_of_schema(l, s);
        visit_all(c, s, names_of_schema, l, 0);
    }
    if (l->full || !spend(c, (long)l->n))
        return false;
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_name);
    for (size_t i = 0; i < l->n; i++)
        if (!n || !slice_eq(name_of(l->v[n - 1]), name_of(l->v[i])))
            l->v[n++] = l->v[i];
    l->n = n;
    return true;
}

/* --- members of any other name -------------------------------------------------------------------------------------- */
static bool has_pattern(const struct json_node *schema, struct slice pattern)
{
    return schema && json_tree_member(map_of(schema, "patternProperties"), pattern);
}

/* Of the patterns of s: those that such a member may match. Its name is none that the facts know; it matches `pattern`, or if
 * there is none it matches no pattern of the reader. */
static unsigned foreign(struct comparison *c, const struct json_node *s, const struct json_node *reader, struct slice pattern)
{
    const struct json_node *patterns = map_of(s, "patternProperties");
    unsigned n = 0;

    if (patterns && (pattern.p || !spend(c, 1 + patterns->n / 4)))
        return patterns->n;
    for (unsigned i = 0; patterns && i < patterns->n; i++)
        n += !has_pattern(reader, patterns->child[i]->name);
    return n;
}

static bool closed_names(const struct json_node *s)
{
    const struct json_node *rule = keyword(s, "propertyNames");

    return rule &&
           (rule->type == JSON_FALSE || (rule->type == JSON_OBJECT && keyword(rule, "enum") && !json_tree_get(rule, "$ref")));
}

/* What all the facts say of it, but for those whose patterns it may match. */
static struct facts facts_of_others(struct comparison *c, const struct facts *f, const struct json_node *reader,
                                    struct slice pattern)
{
    struct facts other = facts_none(f->home);

    for (unsigned i = 0; i < f->n && spend(c, 1); i++) {
        const struct json_node *s = f->is[i].node, *one;

        if (f->is[i].value ? s->type == JSON_OBJECT : closed_names(s))
            other.kinds = 0;
        else if (!f->is[i].value && pattern.p && (one = json_tree_member(map_of(s, "patternProperties"), pattern)))
            facts_add(c, &other, one);
        else if (!f->is[i].value && !foreign(c, s, reader, pattern))
            facts_add(c, &other, of_others(c, s, SLICE_NONE));
    }
    return other;
}

/* A fact with patterns: whichever it matches, or none of them. */
static bool by_patterns(struct comparison *c, const struct json_node *schema, const struct facts *other,
                        const struct json_node *s, const struct json_node *reader, struct slice pattern)
{
    const struct json_node *patterns = map_of(s, "patternProperties");
    struct facts one = *other;

    facts_add(c, &one, of_others(c, s, SLICE_NONE));
    if (!covers_at(c, schema, &one, SLICE("any other"), 0))
        return false;
    for (unsigned i = 0; i < patterns->n; i++) {
        if (!pattern.p && has_pattern(reader, patterns->child[i]->name))
            continue;
        one = *other;
        facts_add(c, &one, patterns->child[i]);
        if (!covers_at(c, schema, &one, SLICE("any other"), 0))
            return false;
    }
    return true;
}

/* Does the schema take every member whose name the facts do not know? */
bool covers_others(struct comparison *c, const struct json_node *schema, const struct facts *f, const struct json_node *reader,
                   struct slice pattern)
{
    struct facts other = facts_of_others(c, f, reader, pattern);
    bool result;

    c->quiet++;
    result = covers_at(c, schema, &other, SLICE("any other"), 0);
    for (unsigned i = 0; i < f->n && !result; i++)
        if (!f->is[i].value && foreign(c, f->is[i].node, reader, pattern))
            result = by_patterns(c, schema, &other, f->is[i].node, reader, pattern);
    c->quiet--;
    return result;
}

static const struct json_node nothing = { .type = JSON_FALSE };

bool members_known(struct comparison *c, const struct facts *f, const struct json_node ***ret, size_t *ret_n)
{
    struct names l;

    if (!collect(c, f, &l) || !covers_others(c, &nothing, f, NULL, SLICE_NONE))
        return false;
    *ret = l.v;
    *ret_n = l.n;
    return true;
}
