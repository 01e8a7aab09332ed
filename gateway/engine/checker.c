#include "gateway/engine/checker.h"

#include "gateway/base/clock.h"
#include "gateway/engine/avro_data.h"
#include "gateway/jsonschema/jsonschema.h"

#define SLOW_US 2000              /* longer is not for a thread that serves others meanwhile */
#define SLOW_CHECKS 3             /* in a row: one alone may have been interrupted */
#define AVRO_ARENA ((size_t)256 << 20)
#define FRAME_BYTES 5
#define WANTS_AVRO \
    "The schema is Avro: send the datum's bytes, after a zero byte and the id of the schema in 4 bytes, or with its dataschema."

struct checker *checker_ref(struct checker *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void checker_unref(struct checker *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    jsonschema_free(c->json);
    arena_free(c->arena); /* holds the checker itself */
}

bool checker_is_of(const struct checker *c, const struct schema_row *row)
{
    if (!row || c->kind == CHECKER_NONE)
        return !row && c->kind == CHECKER_NONE;
    return c->id == row->id && c->version == row->version && slice_eq(c->text, row->text) && slice_eq(c->refs_text, row->refs);
}

static enum err compile_json(struct checker *c, const struct schema_text *s, struct arena *work, struct fault *f)
{
    struct jsonschema_document *docs = arena_alloc(work, (s->n + 1) * sizeof *docs);

    for (size_t i = 0; docs && i < s->n; i++)
        docs[i] = (struct jsonschema_document){ s->refs[i].name, s->refs[i].text };
    return docs ? jsonschema_compile(s->text, DRAFT_7, docs, s->n, &c->json, f) : ERR_NO_MEMORY;
}

/* Avro keeps pointing into what it was read from. */
static enum err compile_avro(struct checker *c, const struct schema_text *s, struct fault *f)
{
    struct schema_reference *refs = arena_alloc(c->arena, (s->n + 1) * sizeof *refs);
    struct schema_text own = { arena_slice(c->arena, s->text), refs, s->n };

    for (size_t i = 0; refs && i < s->n; i++)
        refs[i] = (struct schema_reference){ arena_slice(c->arena, s->refs[i].name), arena_slice(c->arena, s->refs[i].text) };
    return refs && own.text.p ? avro_parse(&own, c->arena, &c->avro, f) : ERR_NO_MEMORY;
}

static enum err compile(const struct config *config, struct db *db, const struct schema_row *row, struct checker *c,
                        struct fault *f)
{
    struct arena *work = arena_new(2 * SCHEMA_WHOLE_BYTES);
    struct schema_text text;
    enum err e = work ? schema_whole(config, db, work, row, &text, f) : ERR_NO_MEMORY;

    if (!e) {
        c->kind = row->type == SCHEMA_AVRO ? CHECKER_AVRO : CHECKER_JSON;
        e = row->type == SCHEMA_AVRO ? compile_avro(c, &text, &c->why) : compile_json(c, &text, work, &c->why);
        if (e == ERR_BAD_BODY || e == ERR_BAD_JSON) {
            c->kind = CHECKER_UNUSABLE;
            e = OK;
        }
    }
    arena_free(work);
    return e;
}

enum err checker_new(const struct config *config, struct db *db, const struct schema_row *row, struct checker **ret,
                     struct fault *f)
{
    struct arena *a = arena_new(AVRO_ARENA);
    struct checker *c = a ? arena_zalloc(a, sizeof *c) : NULL;
    enum err e = OK;

    if (!c) {
        arena_free(a);
        return ERR_NO_MEMORY;
    }
    c->arena = a;
    atomic_init(&c->refs, 1);
    if (row) {
        c->id = row->id;
        c->version = row->version;
        c->text = arena_slice(a, row->text);
        c->refs_text = arena_slice(a, row->refs);
        e = c->text.p && c->refs_text.p ? compile(config, db, row, c, f) : ERR_NO_MEMORY;
    }
    c->bytes = arena_used(a) + (c->json ? jsonschema_memory(c->json) : 0);
    if (e)
        checker_unref(c);
    else
        *ret = c;
    return e;
}

bool checker_is_slow(const struct checker *c)
{
    return atomic_load_explicit(&c->slow, memory_order_relaxed) >= SLOW_CHECKS;
}

bool checker_frame(struct slice bytes, int *ret_id, struct slice *ret_datum)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    uint32_t id;

    if (bytes.n < FRAME_BYTES || p[0])
        return false;
    id = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    *ret_id = (int)(id & INT32_MAX);
    *ret_datum = (struct slice){ bytes.p + FRAME_BYTES, bytes.n - FRAME_BYTES };
    return id > 0 && id <= INT32_MAX;
}

static enum err one(struct finding *ret, size_t *ret_n, const char *detail)
{
    *ret = (struct finding){ .pointer = SLICE(""), .detail = slice_of(detail) };
    *ret_n = 1;
    return OK;
}

static enum err check_json(const struct checker *c, struct slice json, struct arena *a, struct finding *ret, size_t max,
                           size_t *ret_n)
{
    struct fault why = { 0 };
    enum err e = jsonschema_validate(c->json, json, a, ret, max, ret_n, &why);
    char *detail;

    if (!e || e == ERR_NO_MEMORY)
        return e;
    detail = arena_strndup(a, why.detail, strlen(why.detail));
    return detail ? one(ret, ret_n, detail) : ERR_NO_MEMORY;
}

static enum err check_avro(const struct checker *c, struct slice bytes, struct arena *a, struct finding *ret, size_t *ret_n)
{
    bool good;
    enum err e = avro_data_check(c->avro, bytes, a, ret, &good);

    *ret_n = !e && !good;
    return e;
}

static enum err check(const struct checker *c, const struct event *ev, bool named, struct arena *a, struct finding *ret,
                      size_t max, size_t *ret_n)
{
    bool avro = c->kind == CHECKER_AVRO, bytes = ev->data_format == DATA_BINARY;
    struct slice datum = ev->data;
    int id;

    if (ev->data_format == DATA_NONE)
        return one(ret, ret_n, "The event has no data.");
    if (c->kind == CHECKER_UNUSABLE)
        return one(ret, ret_n, c->why.detail);
    if (bytes && !(avro && named))
        bytes = checker_frame(ev->data, &id, &datum);
    if (avro && bytes)
        return check_avro(c, datum, a, ret, ret_n);
    if (!avro && (bytes || ev->data_format == DATA_JSON))
        return check_json(c, datum, a, ret, max, ret_n);
    return one(ret, ret_n, avro ? WANTS_AVRO : "The data are not JSON.");
}

enum err checker_check(struct checker *c, const struct event *ev, bool named, struct arena *a, struct finding *ret, size_t max,
                       size_t *ret_n)
{
    int64_t began = clock_mono_us();
    enum err e;

    *ret_n = 0;
    e = check(c, ev, named, a, ret, max, ret_n);
    if (clock_mono_us() - began > SLOW_US)
        atomic_fetch_add_explicit(&c->slow, 1, memory_order_relaxed);
    else if (atomic_load_explicit(&c->slow, memory_order_relaxed))
        atomic_store_explicit(&c->slow, 0, memory_order_relaxed);
    return e;
}
