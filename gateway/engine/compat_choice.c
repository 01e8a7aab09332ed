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

/* Up to draft 7 a $ref is replaced by what it leads to. */
static const struct json_node *stands_for(struct comparison *c, const struct json_node *schema)
{
    for (int i = 0; i < 8 && schema->type == JSON_OBJECT && draft_of(schema) <= DRAFT_7; i++) {
        const struct json_node *ref = keyword(schema, "$ref"), *target = ref ? target_of(c, ref) : NULL;

        if (!target)
            break;
        schema = target;
    }
    return schema;
}

/* An anyOf or oneOf among the facts, of which no branch is taken yet. */
const struct json_node *open_choice(struct comparison *c, const struct facts *f)
{
    for (unsigned i = 0; i < f->n * 2; i++) {
        const struct json_node *list = f->is[i / 2].value ? NULL : keyword(f->is[i / 2].node, i % 2 ? "oneOf" : "anyOf");
        bool open = list && list->type == JSON_ARRAY && list->n <= CASES_MAX;

        for (unsigned k = 0; open && k < list->n; k++)
            open = list->child[k]->type == JSON_OBJECT && !facts_have(f, stands_for(c, list->child[k]));
        if (open)
            return list;
    }
    return NULL;
}

/* The branch of a list that the writer's becomes: one that says the same, else the next that none says the same as. */
static bool pair_up(struct comparison *c, const struct json_node *old_list, const struct json_node *new_list, unsigned *ret_pair,
                    bool *ret_same)
{
    bool taken[CASES_MAX] = { false };

    if (old_list->n > new_list->n || new_list->n > CASES_MAX)
        return false;
    for (unsigned i = 0; i < old_list->n; i++) {
        unsigned k = 0;

        while (k < new_list->n && (taken[k] || !same(c, old_list->child[i], new_list->child[k])))
            k++;
        ret_same[i] = k < new_list->n;
        ret_pair[i] = k;
        if (ret_same[i])
            taken[k] = true;
    }
    for (unsigned i = 0, k = 0; i < old_list->n; i++) {
        while (!ret_same[i] && taken[k])
            k++;
        if (!ret_same[i])
            taken[ret_pair[i] = k] = true;
    }
    return true;
}

/* The facts, and that of the writer's list it is this branch; of oneOf, that it is none of a few others. */
static struct facts with_branch(struct comparison *c, const struct facts *f, const struct json_node *list, unsigned branch)
{
    struct facts one = *f;

    facts_add(c, &one, list->child[branch]);
    for (unsigned k = 0; slice_is(list->name, "oneOf") && k < list->n; k++)
        if (k != branch)
            facts_deny(&one, list->child[k]);
    return one;
}

/* anyOf or oneOf of the writer's to one that has grown: each branch goes to its own, and to no other. Where not, and the branch is
 * to blame, *ret_wrong is that of the writer's, and *ret_new what it became. */
static bool branch_by_branch(struct comparison *c, const struct json_node *new_list, const struct facts *f,
                             const struct json_node **ret_wrong, const struct json_node **ret_new)
{
    const struct json_node *old_list = open_choice(c, f);
    unsigned pair[CASES_MAX];
    bool alike[CASES_MAX], one = slice_is(new_list->name, "oneOf"), once = old_list && slice_is(old_list->name, "oneOf");

    if (!old_list || !pair_up(c, old_list, new_list, pair, alike))
        return false;
    for (unsigned i = 0; i < old_list->n; i++) {
        struct facts branch = with_branch(c, f, old_list, i);

        if (!alike[i] && !quietly(c, new_list->child[pair[i]], &branch)) {
            *ret_wrong = old_list->child[i];
            *ret_new = new_list->child[pair[i]];
            return false;
        }
    }
    for (unsigned i = 0; one && i < old_list->n; i++) {
        struct facts branch = with_branch(c, f, old_list, i);
        bool none[CASES_MAX] = { false };

        for (unsigned k = 0; once && k < old_list->n; k++) /* it is in no other of the old ones */
            none[pair[k]] = alike[k];
        for (unsigned k = 0; k < new_list->n; k++)
            if (k != pair[i] && !none[k] && !disjoint(c, new_list->child[k], &branch))
                return false;
    }
    return true;
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
    const struct json_node *wrong = NULL, *became;
    const char *before;
    unsigned n;

    (void)schema;
    if (value->type != JSON_ARRAY)
        return false;
    if (branch_by_branch(c, value, f, &wrong, &became))
        return true;
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
    differ(c, n > value->n ? "SUM_TYPE_NARROWED" : "COMBINED_TYPE_SUBSCHEMAS_CHANGED", value, f,
           "There were %u branches of %s and there are %u of %s: it cannot be told that all values that were allowed fit %s.", n,
           before, value->n, one ? "oneOf" : "anyOf", one ? "exactly one" : "one");
    if (wrong && !c->quiet) {
        struct facts branch = *f;

        facts_add(c, &branch, wrong);
        covers(c, became, &branch);
    }
    return false;
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
