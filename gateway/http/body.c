#include <jansson.h>
#include <stdio.h>
#include <strings.h>

#include "gateway/base/clock.h"
#include "gateway/http/body.h"

static enum err fill(struct arena *a, const json_t *root, const struct field *fields, void *out, struct fault *f);

static void *at(void *out, size_t offset)
{
    return (char *)out + offset;
}

/* Of two with the same name one is for objects. */
static const struct field *find(const struct field *fields, const char *name, const json_t *v)
{
    const struct field *found = NULL;

    for (const struct field *f = fields; f->name; f++)
        if (strcmp(f->name, name) == 0 && (!found || (f->type == F_OBJECT) == json_is_object(v)))
            found = f;
    return found;
}

/* Puts a member before the pointer (RFC 6901: '~' and '/' are escaped); what is too long to show goes without. */
static void point(struct fault *f, const char *name)
{
    char p[sizeof f->pointer];
    size_t n = 0, rest = strlen(f->pointer);

    p[n++] = '/';
    for (; *name; name++) {
        if (n + 3 + rest > sizeof p) {
            f->pointer[0] = '\0';
            return;
        }
        if (*name == '~' || *name == '/')
            p[n++] = '~';
        p[n++] = *name == '~' ? '0' : *name == '/' ? '1' : *name;
    }
    memcpy(p + n, f->pointer, rest + 1);
    memcpy(f->pointer, p, n + rest + 1);
}

static enum err bad(struct fault *f, const char *name, const char *sentence)
{
    f->pointer[0] = '\0';
    point(f, name);
    return fault(f, ERR_BAD_BODY, "%s", sentence);
}

static enum err set_string(struct arena *a, const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    char text[200];
    struct slice s = { json_string_value(v), json_string_length(v) };

    if (!json_is_string(v))
        return bad(f, fd->name, "It must be a string.");
    if ((int64_t)s.n < fd->min || (int64_t)s.n > fd->max) {
        snprintf(text, sizeof text, "It must have %lld to %lld bytes.", (long long)fd->min, (long long)fd->max);
        return bad(f, fd->name, text);
    }
    s = arena_slice(a, s);
    if (!s.p)
        return ERR_NO_MEMORY;
    *(struct slice *)at(out, fd->offset) = s;
    return OK;
}

static enum err set_int(const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    char text[200];
    int64_t i = json_integer_value(v);

    if (!json_is_integer(v) || i < fd->min || i > fd->max) {
        snprintf(text, sizeof text, "It must be an integer from %lld to %lld.", (long long)fd->min,
                 (long long)fd->max);
        return bad(f, fd->name, text);
    }
    *(int64_t *)at(out, fd->offset) = i;
    return OK;
}

static enum err set_number(const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    char text[200];
    double d = json_number_value(v);

    if (!json_is_number(v) || d < (double)fd->min || d > (double)fd->max) {
        snprintf(text, sizeof text, "It must be a number from %lld to %lld.", (long long)fd->min, (long long)fd->max);
        return bad(f, fd->name, text);
    }
    *(double *)at(out, fd->offset) = d;
    return OK;
}

static enum err set_duration(const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    char text[200], least[32], most[32];
    const char *word = fd->values;
    struct slice s = { json_string_value(v), json_string_length(v) };
    int64_t us;

    if (json_is_string(v) && word && slice_is(s, word)) {
        *(int64_t *)at(out, fd->offset) = -1;
        return OK;
    }
    if (!json_is_string(v) || !duration_parse(s, &us) || us < fd->min || us > fd->max) {
        duration_format(fd->min, least);
        duration_format(fd->max, most);
        snprintf(text, sizeof text, "It must be a duration from \"%s\" to \"%s\"%s%s.", least, most, word ? ", or " : "",
                 word ? word : "");
        return bad(f, fd->name, text);
    }
    *(int64_t *)at(out, fd->offset) = us;
    return OK;
}

static enum err set_enum(const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    char text[300];
    struct slice s = { json_string_value(v), json_string_length(v) };
    int index = 0;

    for (const char *p = fd->values; json_is_string(v) && *p; index++) {
        size_t n = strcspn(p, " ");
        if (slice_eq((struct slice){ p, n }, s)) {
            *(int *)at(out, fd->offset) = index;
            return OK;
        }
        p += n + strspn(p + n, " ");
    }
    snprintf(text, sizeof text, "It must be one of: %s.", (const char *)fd->values);
    return bad(f, fd->name, text);
}

static enum err set_labels(struct arena *a, const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    const char *key;
    json_t *value;
    char *text;
    struct slice s;

    json_object_foreach((json_t *)(uintptr_t)v, key, value) {
        if (!json_is_string(value))
            return bad(f, fd->name, "It must be an object whose members are strings.");
    }
    if (!json_is_object(v))
        return bad(f, fd->name, "It must be an object whose members are strings.");
    if (!(text = json_dumps(v, JSON_COMPACT)))
        return ERR_NO_MEMORY;
    s = slice_of(text);
    if ((int64_t)s.n > fd->max) {
        free(text);
        return bad(f, fd->name, "It is too large.");
    }
    s = arena_slice(a, s);
    free(text);
    if (!s.p)
        return ERR_NO_MEMORY;
    *(struct slice *)at(out, fd->offset) = s;
    return OK;
}

/* Each is a field of its own, named by its index. */
static enum err set_strings(struct arena *a, const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    char text[200], index[24];
    struct field item = *(const struct field *)fd->values;
    struct strings *ret = at(out, fd->offset);
    size_t n = json_array_size(v);
    struct slice *items;
    enum err e;

    if (!json_is_array(v) || (int64_t)n < fd->min || (int64_t)n > fd->max) {
        snprintf(text, sizeof text, "It must be an array of %lld to %lld strings.", (long long)fd->min, (long long)fd->max);
        return bad(f, fd->name, text);
    }
    if (!(items = arena_alloc(a, (n + 1) * sizeof *items)))
        return ERR_NO_MEMORY;
    item.name = index;
    item.offset = 0;
    for (size_t i = 0; i < n; i++) {
        snprintf(index, sizeof index, "%zu", i);
        if ((e = set_string(a, &item, json_array_get(v, i), &items[i], f))) {
            point(f, fd->name);
            return e;
        }
    }
    *ret = (struct strings){ items, n };
    return OK;
}

static enum err set_object(struct arena *a, const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    enum err e;

    if (!json_is_object(v))
        return bad(f, fd->name, "It must be an object.");
    if ((e = fill(a, v, fd->values, at(out, fd->offset), f)))
        point(f, fd->name);
    return e;
}

static enum err set_bool(const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    if (!json_is_boolean(v))
        return bad(f, fd->name, "It must be true or false.");
    *(bool *)at(out, fd->offset) = json_is_true(v);
    return OK;
}

static enum err set(struct arena *a, const struct field *fd, const json_t *v, void *out, struct fault *f)
{
    if (json_is_null(v)) {
        if (!fd->nullable)
            return bad(f, fd->name, "It must not be null.");
        if (fd->null_at != SIZE_MAX)
            *(bool *)at(out, fd->null_at) = true;
        return OK;
    }
    if (fd->present != SIZE_MAX)
        *(bool *)at(out, fd->present) = true;
    switch (fd->type) {
    case F_STRING:
        return set_string(a, fd, v, out, f);
    case F_INT:
        return set_int(fd, v, out, f);
    case F_NUMBER:
        return set_number(fd, v, out, f);
    case F_BOOL:
        return set_bool(fd, v, out, f);
    case F_DURATION:
        return set_duration(fd, v, out, f);
    case F_ENUM:
        return set_enum(fd, v, out, f);
    case F_LABELS:
        return set_labels(a, fd, v, out, f);
    case F_STRINGS:
        return set_strings(a, fd, v, out, f);
    case F_OBJECT:
        return set_object(a, fd, v, out, f);
    }
    return ERR_INTERNAL;
}

static enum err fill(struct arena *a, const json_t *root, const struct field *fields, void *out, struct fault *f)
{
    const char *key;
    json_t *v;
    const struct field *fd;
    enum err e;

    if (!json_is_object(root))
        return fault(f, ERR_BAD_BODY, "The body must be a JSON object.");
    json_object_foreach((json_t *)(uintptr_t)root, key, v) {
        if (!(fd = find(fields, key, v)))
            return bad(f, key, "There is no such member here.");
        if ((e = set(a, fd, v, out, f)))
            return e;
    }
    for (fd = fields; fd->name; fd++) {
        if (fd->required && !json_object_get(root, fd->name))
            return bad(f, fd->name, "It is required.");
    }
    return OK;
}

enum err body_fill(struct arena *a, struct slice text, const struct field *fields, void *out, struct fault *f)
{
    json_error_t error;
    json_t *root;
    enum err e = body_check(text, f);

    if (e)
        return e;
    if (!(root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error))) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return ERR_NO_MEMORY;
        return fault(f, ERR_BAD_BODY, "The body has a member twice or a number out of range, at byte %d.",
                     error.position);
    }
    e = fill(a, root, fields, out, f);
    json_decref(root);
    return e;
}

/* application/json, application/merge-patch+json, any other …+json */
static bool is_json(struct slice type)
{
    size_t n = 0;

    while (n < type.n && type.p[n] != ';' && type.p[n] != ' ')
        n++;
    return (n == 16 && !strncasecmp(type.p, "application/json", n)) || (n > 5 && !strncasecmp(type.p + n - 5, "+json", 5));
}

enum err request_json(struct request *rq)
{
    struct slice type = request_header(rq, "Content-Type");

    return type.p && is_json(type) ? OK : fault(&rq->fault, ERR_UNSUPPORTED_MEDIA_TYPE, "Send a body of type application/json.");
}

enum err request_body(struct request *rq, const struct field *fields, void *out)
{
    enum err e = request_json(rq);

    return e ? e : body_fill(rq->arena, rq->body, fields, out, &rq->fault);
}
