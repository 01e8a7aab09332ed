#include "gateway/engine/schemas.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/base/worker.h"

struct schemas {
    struct db *db;             /* the ticker's */
    struct outbox *outbox;
    struct ticker *ticker;
    _Atomic int64_t changes;
    atomic_int at_length[LONG_KINDS]; /* schemas_long_begin */
    int at_length_max[LONG_KINDS];
};

/* Answers may overtake each other; the counter never goes back. */
static enum err look(struct schemas *s, struct db *db)
{
    int64_t now, known = atomic_load(&s->changes);
    enum err e = db_registry_changes(db, &now, NULL);

    while (!e && now > known && !atomic_compare_exchange_weak(&s->changes, &known, now))
        ;
    return e;
}

/* A database that is away is no error here: the ticker would back off, and then learn too late what was changed meanwhile. */
static enum err tick(void *schemas, bool *ret_more)
{
    struct schemas *s = schemas;
    enum err e = db_connect(s->db, NULL);

    (void)ret_more;
    e = e ? e : look(s, s->db);
    return e == ERR_DATABASE_UNAVAILABLE ? OK : e;
}

struct schemas *schemas_start(const struct config *c, const struct db_config *db, struct outbox *outbox)
{
    const struct ticker_def def = { "weir-schemas", c->registry_poll_us, tick };
    int threads = (int)c->worker_threads;
    struct schemas *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    *s = (struct schemas){ .db = db_new(db), .outbox = outbox, .at_length_max = { [LONG_READING] = (threads + 3) / 4,
                           [LONG_COMPARING] = threads > 1 ? threads / 2 : 1 } };
    if (s->db && (s->ticker = ticker_start(&def, s)))
        return s;
    schemas_stop(s);
    return NULL;
}

void schemas_stop(struct schemas *s)
{
    if (!s)
        return;
    ticker_stop(s->ticker);
    db_free(s->db);
    free(s);
}

int64_t schemas_changes(const struct schemas *s)
{
    return atomic_load(&s->changes);
}

enum err schemas_long_begin(struct schemas *s, enum schemas_long kind, struct fault *f)
{
    if (atomic_fetch_add(&s->at_length[kind], 1) < s->at_length_max[kind])
        return OK;
    schemas_long_end(s, kind);
    f->retry_after = 1;
    return fault(f, ERR_OVERLOADED, "As many %s as may be at once.",
                 kind == LONG_COMPARING ? "schemas are being compared" : "dry runs, matrices and lists of schemas are being made");
}

void schemas_long_end(struct schemas *s, enum schemas_long kind)
{
    atomic_fetch_sub(&s->at_length[kind], 1);
}

enum err comparison_next(struct comparison *c, bool *ret_in_time, struct fault *f)
{
    int64_t now = clock_mono_us();
    enum err e;

    *ret_in_time = !c->deadline_us || now < c->deadline_us;
    if (c->deadline_us)
        return OK;
    if (c->schemas && (e = schemas_long_begin(c->schemas, LONG_COMPARING, f)))
        return e;
    c->deadline_us = now + c->time_us;
    return OK;
}

void comparison_end(struct comparison *c)
{
    if (c->deadline_us && c->schemas)
        schemas_long_end(c->schemas, LONG_COMPARING);
    c->deadline_us = 0;
}

/* Should reading it fail, the ticker does it. */
void schemas_changed(struct schemas *s, struct db *db)
{
    outbox_wake(s->outbox);
    if (look(s, db))
        ticker_wake(s->ticker);
}

enum err schema_fault(struct fault *f, enum schema_code code, const char *fmt, ...)
{
    char text[2 * sizeof f->detail]; /* so that it is fault that cuts, between characters */
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f->registry = (int)code;
    return fault(f, ERR_REGISTRY, "%s", text);
}

/* --- names and words --- */

static enum err bad_subject(struct slice text, struct fault *f)
{
    return schema_fault(f, SCHEMA_BAD_SUBJECT, "The specified subject '%.*s' is not a valid.", text.n < 200 ? (int)text.n : 0,
                        text.p);
}

static bool printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return utf8_valid(s);
}

static bool is_qualified(struct slice text)
{
    return text.n > 1 && text.p[0] == ':' && text.p[1] == '.';
}

enum err schema_subject_parse(struct slice text, struct schema_subject *ret, struct fault *f)
{
    const char *colon;

    *ret = (struct schema_subject){ SLICE(SCHEMA_DEFAULT_CONTEXT), text };
    if (is_qualified(text)) {
        colon = memchr(text.p + 1, ':', text.n - 1);
        ret->context = (struct slice){ text.p + 1, colon ? (size_t)(colon - text.p) - 1 : text.n - 1 };
        ret->name = colon ? (struct slice){ colon + 1, (size_t)(text.p + text.n - colon) - 1 } : SLICE("");
    }
    if (!printable(text) || !text.n || ret->name.n > SCHEMA_SUBJECT_BYTES || ret->context.n > SCHEMA_CONTEXT_BYTES)
        return bad_subject(text, f);
    return OK;
}

struct schema_subject schema_target(const struct schema_named *r, struct slice context)
{
    return (struct schema_subject){ is_qualified(r->subject_text) ? r->subject.context : context, r->subject.name };
}

struct slice schema_subject_name(const struct schema_subject *s, char room[SCHEMA_NAME_BYTES])
{
    if (slice_is(s->context, SCHEMA_DEFAULT_CONTEXT) && s->name.n && !is_qualified(s->name))
        return s->name;
    snprintf(room, SCHEMA_NAME_BYTES, ":%.*s:%.*s", (int)s->context.n, s->context.p, (int)s->name.n, s->name.p);
    return slice_of(room);
}

struct slice schema_subject_text(struct arena *a, const struct schema_subject *s)
{
    char room[SCHEMA_NAME_BYTES];
    struct slice name = schema_subject_name(s, room);

    return name.p == room ? arena_slice(a, name) : name;
}

enum err schema_version_parse(struct slice text, int *ret, struct fault *f)
{
    int64_t v = 0;

    *ret = 0;
    if (slice_is(text, "latest") || slice_is(text, "-1"))
        return OK;
    if (!json_int64(text, &v) || v < 1 || v > SCHEMA_VERSION_MAX)
        return schema_fault(f, SCHEMA_BAD_VERSION,
                            "The specified version '%.*s' is not a valid version id. Allowed values are between [1, 2^31-1] and "
                            "the string \"latest\"", text.n < 100 ? (int)text.n : 0, text.p);
    *ret = (int)v;
    return OK;
}

const char *const schema_type_names[SCHEMA_TYPES] = { "AVRO", "JSON" };
const char *const schema_mode_names[SCHEMA_MODES] = { "READWRITE", "READONLY", "IMPORT" };

static int find_word(const char *const *words, int n, struct slice text)
{
    for (int i = 0; i < n; i++)
        if (strlen(words[i]) == text.n && !strncasecmp(words[i], text.p, text.n))
            return i;
    return -1;
}

enum err schema_level_parse(struct slice text, int *ret, struct fault *f)
{
    if ((*ret = text.p ? find_word(compat_level_names, COMPAT_LEVELS, text) : -1) >= 0)
        return OK;
    return schema_fault(f, SCHEMA_BAD_LEVEL, "Invalid compatibility level. Valid values are none, backward, forward, full, "
                        "backward_transitive, forward_transitive, and full_transitive");
}

enum err schema_mode_parse(struct slice text, int *ret, struct fault *f)
{
    if ((*ret = text.p ? find_word(schema_mode_names, SCHEMA_MODES, text) : -1) >= 0)
        return OK;
    return schema_fault(f, SCHEMA_BAD_MODE, "Invalid mode. Valid values are READWRITE, READONLY, IMPORT");
}
