#include <jansson.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "handlers/delivery_body.h"

/* Input: a byte that says which call it is and how much of an error is kept, then the body of ack, nack, reject or extend. */

bool utf8_valid(struct slice s); /* its header and jansson's have names in common */

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static bool is_text(struct slice s)
{
    return utf8_valid(s) && !(s.n && memchr(s.p, '\0', s.n));
}

/* *ret_beyond: it is JSON, but jansson has no room for such a number, or for a name with a NUL. */
static json_t *read_by_jansson(struct slice text, bool *ret_beyond)
{
    json_error_t error;
    json_t *v = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &error);

    *ret_beyond = !v && (json_error_code(&error) == json_error_numeric_overflow ||
                         json_error_code(&error) == json_error_null_byte_in_key);
    return v;
}

static void check_ids(const struct finish_body *b, const json_t *ids)
{
    demand(b->n >= 1 && b->n <= RECEIVE_MAX && json_array_size(ids) == b->n);
    for (size_t i = 0; i < b->n; i++) {
        char again[DELIVERY_ID];

        delivery_id_format(&b->ids[i], again);
        demand(slice_is(b->texts[i], again));
        demand(!strcmp(json_string_value(json_array_get(ids, i)), again));
    }
}

/* What is stored of an error is a JSON object that PostgreSQL's text can hold, with the type and the message that are indexed. */
static void check_error(const struct finish_body *b, const json_t *told, size_t limit)
{
    bool beyond;
    json_t *kept;

    demand((told != NULL) == (b->error.p != NULL));
    if (!told)
        return;
    demand(is_text(b->error) && is_text(b->error_type) && b->error_type.n <= 200 && b->error_message.n <= limit / 2);
    demand(b->error.n <= 6 * limit + 6 * 200 + 200); /* each byte may be an escape of six */
    kept = read_by_jansson(b->error, &beyond);
    demand(kept || beyond);
    demand(!kept || (json_is_string(json_object_get(kept, "type")) && json_is_string(json_object_get(kept, "message"))));
    json_decref(kept);
}

static void check(const struct finish_body *b, struct slice body, size_t limit)
{
    bool beyond, fails = b->how == FINISH_NACK || b->how == FINISH_REJECT;
    json_t *v = read_by_jansson(body, &beyond);

    demand(v || beyond);
    demand(b->delay_us >= -1 && b->delay_us <= 7 * 24 * 3600 * US_PER_S && (b->how == FINISH_NACK || b->delay_us == -1));
    demand(b->how == FINISH_EXTEND ? b->by_us >= 0 && b->by_us <= 12 * 3600 * US_PER_S : b->by_us == -1);
    demand(fails || !b->error.p);
    if (v) {
        check_ids(b, json_object_get(v, "delivery_ids"));
        check_error(b, json_object_get(v, "error"), limit);
    }
    json_decref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config config = { .groups_error_bytes = size && data[0] & 4 ? 64 : 4096 };
    struct request rq = { .config = &config };
    struct finish_body b;

    if (size < 1 || size > 1 << 16)
        return 0;
    rq.body = (struct slice){ (const char *)data + 1, size - 1 };
    rq.arena = arena_new(1 << 20);
    demand(rq.arena != NULL);
    if (finish_body_read(&rq, (enum finish)(data[0] & 3), &b) == OK)
        check(&b, rq.body, (size_t)config.groups_error_bytes);
    else
        demand(rq.fault.detail[0] && utf8_valid(slice_of(rq.fault.detail)) &&
               (!rq.fault.pointer[0] || (rq.fault.pointer[0] == '/' && utf8_valid(slice_of(rq.fault.pointer)))));
    arena_free(rq.arena);
    return 0;
}
