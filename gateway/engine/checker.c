#include "gateway/engine/checker.h"

#include "gateway/engine/avro_data.h"
#include "gateway/jsonschema/jsonschema.h"

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
    struct arena *work = arena_new(SCHEMA_WORK_BYTES);
    struct schema_text text;
    enum err e = work ? schema_whole(config, db, work, row, &text, &c->why) : ERR_NO_MEMORY;

    if (e == ERR_REGISTRY) {      /* a bound was lowered since it was registered */
        c->kind = CHECKER_UNUSABLE;
        e = OK;
    } else if (e) {
        *f = c->why;
    } else {
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

/* --- checking --- */

struct check {
    const struct checker *c;
    int64_t *steps;
    struct arena *arena;
    struct finding *ret;
    size_t max, *ret_n;
};

static enum err one(const struct check *k, const char *detail)
{
    if (k->max)
        *k->ret = (struct finding){ .pointer = SLICE(""), .detail = slice_of(detail) };
    *k->ret_n = 1;
    return OK;
}

/* Of a text that does not conform, or cannot be told. */
static enum err say_why(const struct check *k, struct slice json)
{
    struct fault why = { 0 };
    enum err e = jsonschema_validate(k->c->json, json, k->arena, k->ret, k->max, k->ret_n, &why);
    char *detail;

    if (!e || e == ERR_NO_MEMORY)
        return e;
    detail = arena_strndup(k->arena, why.detail, strlen(why.detail));
    return detail ? one(k, detail) : ERR_NO_MEMORY;
}

static enum err check_json(const struct check *k, struct slice json)
{
    int64_t most = JSONSCHEMA_STEPS + JSONSCHEMA_STEPS_BYTE * (int64_t)json.n, given = most < *k->steps ? most : *k->steps;
    int64_t left = given;
    bool conforms = false;
    enum err e = jsonschema_conforms(k->c->json, json, &left, &conforms);

    *k->steps -= given - left;
    if (e == ERR_SCHEMA_LIMIT && given < most)
        return e;
    if (e == ERR_NO_MEMORY || (!e && conforms))
        return e;
    *k->ret_n = 1;
    if (!k->max)
        return OK;
    *k->steps -= 2 * (given - left);
    return say_why(k, json);
}

static enum err check_avro(const struct check *k, struct slice bytes)
{
    struct finding found;
    bool good;
    enum err e = avro_data_check(k->c->avro, bytes, k->steps, k->max ? k->arena : NULL, &found, &good);

    *k->ret_n = !e && !good;
    if (*k->ret_n && k->max)
        *k->ret = found;
    return e;
}

static enum err check(const struct check *k, const struct event *ev, bool named)
{
    bool avro = k->c->kind == CHECKER_AVRO, bytes = ev->data_format == DATA_BINARY;
    struct slice datum = ev->data;
    int id;

    if (ev->data_format == DATA_NONE)
        return one(k, "The event has no data.");
    if (k->c->kind == CHECKER_UNUSABLE)
        return one(k, k->c->why.detail);
    if (bytes && !(avro && named))
        bytes = checker_frame(ev->data, &id, &datum);
    if (avro && bytes)
        return check_avro(k, datum);
    if (!avro && (bytes || ev->data_format == DATA_JSON))
        return check_json(k, datum);
    return one(k, avro ? WANTS_AVRO : "The data are not JSON.");
}

enum err checker_check(const struct checker *c, const struct event *ev, bool named, int64_t *steps, struct arena *a,
                       struct finding *ret, size_t max, size_t *ret_n)
{
    const struct check k = { c, steps, a, ret, max, ret_n };

    *ret_n = 0;
    return check(&k, ev, named);
}
