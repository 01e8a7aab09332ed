#include <strings.h>

#include "gateway/base/json.h"
#include "gateway/engine/schemas.h"

/* Bodies of the registry's calls. They are read in the client's order and everything that is not known is passed over. */
static enum err malformed(const struct json *j, struct fault *f)
{
    return fault(f, ERR_BAD_JSON, "The body is not valid JSON at byte %zu: %s", (size_t)(j->p - j->start),
                 j->error ? j->error : "something follows the value");
}

static enum err wrong(struct fault *f, const char *name, const char *what)
{
    return fault(f, ERR_BAD_BODY, "The member %s must be %s.", name, what);
}

/* A string, or null, which leaves *ret absent. */
static enum err string(struct json *j, struct arena *a, const char *name, struct slice *ret, struct fault *f)
{
    enum json_type type;
    struct slice inside;
    bool escaped;

    *ret = SLICE_NONE;
    if (!json_peek(j, &type))
        return malformed(j, f);
    if (type == JSON_NULL)
        return json_value(j, &inside) ? OK : malformed(j, f);
    if (type != JSON_STRING)
        return wrong(f, name, "a string");
    if (!json_scan_string(j, &inside, &escaped))
        return malformed(j, f);
    if (!json_unescape(a, inside, escaped, ret))
        return ERR_NO_MEMORY;
    if (memchr(ret->p, '\0', ret->n))
        return wrong(f, name, "free of U+0000");
    return OK;
}

/* An integer of 32 bits, or null, which is `absent`. */
static enum err integer(struct json *j, const char *name, int absent, int *ret, struct fault *f)
{
    struct slice raw;
    int64_t v;

    *ret = absent;
    if (!json_value(j, &raw))
        return malformed(j, f);
    if (slice_is(raw, "null"))
        return OK;
    if (!json_int64(raw, &v) || v < INT32_MIN || v > INT32_MAX)
        return wrong(f, name, "an integer of 32 bits");
    *ret = (int)v;
    return OK;
}

static enum err object(struct json *j, const char *name, struct slice *ret, struct fault *f)
{
    if (!json_value(j, ret))
        return malformed(j, f);
    if (slice_is(*ret, "null"))
        *ret = SLICE_NONE;
    return ret->p && ret->p[0] != '{' ? wrong(f, name, "an object") : OK;
}

static enum err reference(struct json *j, struct arena *a, struct schema_named *r, struct fault *f)
{
    struct slice key, skipped;
    bool escaped;
    enum err e = OK;

    *r = (struct schema_named){ 0 };
    if (!json_object_begin(j))
        return j->error ? malformed(j, f) : wrong(f, "references", "an array of objects");
    while (!e && json_object_next(j, &key, &escaped)) {
        if (slice_is(key, "name"))
            e = string(j, a, "name", &r->name, f);
        else if (slice_is(key, "subject"))
            e = string(j, a, "subject", &r->subject_text, f);
        else if (slice_is(key, "version"))
            e = integer(j, "version", 0, &r->version, f);
        else if (!json_value(j, &skipped))
            e = malformed(j, f);
    }
    if (e || j->error)
        return e ? e : malformed(j, f);
    if (!r->name.p || !r->subject_text.p || r->version < -1)
        return schema_fault(f, SCHEMA_INVALID, "Invalid schema: a reference has a name, a subject and a version.");
    if (r->version == -1)
        r->version = 0;
    return schema_subject_parse(r->subject_text, &r->subject, f);
}

static enum err references(struct json *j, struct arena *a, struct schema_body *b, struct fault *f)
{
    struct json count = *j;
    enum json_type type;
    struct slice raw;
    size_t n = 0;
    enum err e = OK;

    if (!json_peek(j, &type))
        return malformed(j, f);
    if (type == JSON_NULL)
        return json_value(j, &raw) ? OK : malformed(j, f);
    if (type != JSON_ARRAY)
        return wrong(f, "references", "an array");
    for (json_array_begin(&count); json_array_next(&count) && json_value(&count, &raw); n++)
        ;
    if (count.error)
        return malformed(&count, f);
    if (n > SCHEMA_NAMED_MAX)
        return schema_fault(f, SCHEMA_TOO_LARGE, "The schema has %zu references; there may be %d at most.", n, SCHEMA_NAMED_MAX);
    if (!(b->refs = arena_alloc(a, (n + 1) * sizeof *b->refs)))
        return ERR_NO_MEMORY;
    b->n = 0;
    json_array_begin(j);
    while (!e && json_array_next(j))
        e = reference(j, a, &b->refs[b->n++], f);
    return e;
}

enum err schema_refs_parse(struct arena *a, struct slice text, struct schema_body *ret, struct fault *f)
{
    struct json j;

    *ret = (struct schema_body){ .text = SLICE_NONE };
    json_begin(&j, text, SCHEMA_BODY_DEPTH);
    return references(&j, a, ret, f);
}

static enum err schema_type(struct json *j, struct arena *a, int *ret, struct fault *f)
{
    struct slice text;
    enum err e = string(j, a, "schemaType", &text, f);

    *ret = SCHEMA_AVRO;
    if (e || !text.p)
        return e;
    for (int i = 0; i < SCHEMA_TYPES; i++)
        if (strlen(schema_type_names[i]) == text.n && !strncasecmp(schema_type_names[i], text.p, text.n)) {
            *ret = i;
            return OK;
        }
    return schema_fault(f, SCHEMA_INVALID, "Invalid schema type %.*s: there are AVRO and JSON.", text.n < 40 ? (int)text.n : 0,
                        text.p);
}

static enum err member(struct json *j, struct arena *a, struct slice key, struct schema_body *b, struct fault *f)
{
    struct slice raw;

    if (slice_is(key, "schema"))
        return string(j, a, "schema", &b->text, f);
    if (slice_is(key, "schemaType"))
        return schema_type(j, a, &b->type, f);
    if (slice_is(key, "references"))
        return references(j, a, b, f);
    if (slice_is(key, "metadata"))
        return object(j, "metadata", &b->metadata, f);
    if (slice_is(key, "ruleSet"))
        return object(j, "ruleSet", &b->rule_set, f);
    if (slice_is(key, "id"))
        return integer(j, "id", 0, &b->id, f);
    if (slice_is(key, "version"))
        return integer(j, "version", 0, &b->version, f);
    if (!json_value(j, &raw))
        return malformed(j, f);
    if (slice_is(key, "force"))
        b->force = slice_is(raw, "true");
    return OK;
}

/* Calls fn for each member, which steps over its value. */
static enum err each_member(struct slice text, enum err (*fn)(void *arg, struct json *j, struct slice key, struct fault *f),
                            void *arg, struct fault *f)
{
    struct slice key;
    struct json j;
    bool escaped;
    enum err e = OK;

    json_begin(&j, text, SCHEMA_BODY_DEPTH);
    if (!json_object_begin(&j))
        return j.error ? malformed(&j, f) : fault(f, ERR_BAD_BODY, "The body must be a JSON object.");
    while (!e && json_object_next(&j, &key, &escaped))
        e = fn(arg, &j, key, f);
    return e ? e : j.error || !json_end(&j) ? malformed(&j, f) : OK;
}

struct wanted {
    struct arena *arena;
    const char *name;             /* of the one member that is looked for */
    int absent;
    struct slice *text;
    int *integer;
    struct schema_body *body;
};

static enum err of_body(void *arg, struct json *j, struct slice key, struct fault *f)
{
    struct wanted *w = arg;

    return member(j, w->arena, key, w->body, f);
}

static enum err of_one(void *arg, struct json *j, struct slice key, struct fault *f)
{
    struct wanted *w = arg;
    struct slice skipped;

    if (!slice_is(key, w->name))
        return json_value(j, &skipped) ? OK : malformed(j, f);
    return w->text ? string(j, w->arena, w->name, w->text, f) : integer(j, w->name, w->absent, w->integer, f);
}

enum err schema_body_parse(struct arena *a, struct slice text, struct schema_body *ret, struct fault *f)
{
    struct wanted w = { .arena = a, .body = ret };
    enum err e;

    *ret = (struct schema_body){ .text = SLICE_NONE };
    e = each_member(text, of_body, &w, f);
    if (ret->id < 0)
        ret->id = 0;
    return e;
}

enum err schema_member_parse(struct arena *a, struct slice text, const char *name, struct slice *ret, struct fault *f)
{
    struct wanted w = { .arena = a, .name = name, .text = ret };

    *ret = SLICE_NONE;
    return each_member(text, of_one, &w, f);
}

enum err schema_integer_parse(struct slice text, const char *name, int absent, int *ret, struct fault *f)
{
    struct wanted w = { .name = name, .absent = absent, .integer = ret };

    *ret = absent;
    return each_member(text, of_one, &w, f);
}
