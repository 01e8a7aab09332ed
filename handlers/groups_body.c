#include "gateway/base/clock.h"
#include "handlers/groups.h"

#define DAY_US (24 * 3600 * US_PER_S)
#define TYPES_MAX 64
#define TYPE_BYTES 255

struct asked {
    struct group_row row;
    struct slice start, time;     /* p == NULL: not given; of both, one is */
    struct strings types;
    bool has_types, dlq_retry;
};

#define AT(member) offsetof(struct asked, member)
#define FIELD(name, type, member, min, max, values) { name, type, AT(member), false, min, max, values, SIZE_MAX, false, SIZE_MAX }
#define END { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX }

static const struct field backoff_fields[] = {
    FIELD("initial", F_DURATION, row.backoff_initial_us, 0, DAY_US, NULL),
    FIELD("factor", F_NUMBER, row.backoff_factor, 1, 100, NULL),
    FIELD("max", F_DURATION, row.backoff_max_us, 0, 7 * DAY_US, NULL),
    FIELD("jitter", F_NUMBER, row.backoff_jitter, 0, 1, NULL),
    END,
};
static const struct field dlq_retry_fields[] = {
    { "after", F_DURATION, AT(row.dlq_retry_after_us), true, US_PER_S, 30 * DAY_US, NULL, SIZE_MAX, false, SIZE_MAX },
    { "rounds", F_INT, AT(row.dlq_retry_rounds), true, 1, 100, NULL, SIZE_MAX, false, SIZE_MAX },
    END,
};
static const struct field time_fields[] = {
    { "time", F_STRING, AT(time), true, 1, 40, NULL, SIZE_MAX, false, SIZE_MAX },
    END,
};
static const struct field type = { "", F_STRING, 0, false, 1, TYPE_BYTES, NULL, SIZE_MAX, false, SIZE_MAX };
static const struct field group_fields[] = {
    FIELD("start", F_STRING, start, 1, CURSOR_TEXT - 1, NULL),
    FIELD("start", F_OBJECT, row, 0, 0, time_fields),
    FIELD("paused", F_BOOL, row.paused, 0, 1, NULL),
    FIELD("ordering", F_ENUM, row.ordering, 0, 0, ORDERING_WORDS),
    FIELD("ack_deadline", F_DURATION, row.ack_deadline_us, US_PER_S, DAY_US / 2, NULL),
    FIELD("max_retries", F_INT, row.max_retries, 0, 1000, NULL),
    FIELD("backoff", F_OBJECT, row, 0, 0, backoff_fields),
    FIELD("max_in_flight", F_INT, row.max_in_flight, 1, 100000, NULL),
    FIELD("max_retrying", F_INT, row.max_retrying, 1, 1000000, NULL),
    FIELD("max_skipped", F_INT, row.max_skipped, 1, 1000000, NULL),
    FIELD("key_batch", F_INT, row.key_batch, 1, 1000, NULL),
    { "types", F_STRINGS, AT(types), false, 0, TYPES_MAX, &type, AT(has_types), false, SIZE_MAX },
    { "dlq_retry", F_OBJECT, AT(row), false, 0, 0, dlq_retry_fields, SIZE_MAX, true, SIZE_MAX },
    END,
};
static const struct field seek_fields[] = {
    { "to", F_STRING, AT(start), true, 1, CURSOR_TEXT - 1, NULL, SIZE_MAX, false, SIZE_MAX },
    { "to", F_OBJECT, AT(row), true, 0, 0, time_fields, SIZE_MAX, false, SIZE_MAX },
    END,
};

static enum err bad(struct request *rq, const char *pointer, const char *why)
{
    strcpy(rq->fault.pointer, pointer);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", why);
}

static enum err read_to(struct request *rq, const struct asked *a, const char *time_pointer, struct group_to *to)
{
    if (a->time.p) {
        to->from = READ_TIME;
        return clock_parse(a->time, &to->time_us) ? OK : bad(rq, time_pointer, "It must be an RFC 3339 time.");
    }
    if (!a->start.p || slice_is(a->start, "latest")) {
        to->from = READ_LATEST;
    } else if (slice_is(a->start, "earliest")) {
        to->from = READ_EARLIEST;
    } else {
        to->from = READ_CURSOR;
        to->cursor = a->start;
    }
    return OK;
}

/* As compact JSON. */
static enum err put_types(struct request *rq, const struct strings *types, struct slice *ret)
{
    struct buf b = { 0 };

    buf_char(&b, '[');
    for (size_t i = 0; i < types->n; i++) {
        if (i)
            buf_char(&b, ',');
        buf_json_string(&b, types->v[i]);
    }
    buf_char(&b, ']');
    *ret = b.failed ? SLICE_NONE : arena_slice(rq->arena, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ret->p ? OK : ERR_NO_MEMORY;
}

enum err group_read(struct request *rq, struct group_row *g, struct group_to *start)
{
    struct asked a = { 0 };
    enum err e;

    groups_defaults(&a.row);
    *start = (struct group_to){ .pointer = "/start" };
    if ((rq->body.n && (e = request_body(rq, group_fields, &a))) || (e = read_to(rq, &a, "/start/time", start)) ||
        (a.has_types && (e = put_types(rq, &a.types, &a.row.types))))
        return e;
    if (a.row.backoff_max_us < a.row.backoff_initial_us)
        return bad(rq, "/backoff/max", "It must not be less than backoff.initial.");
    *g = a.row;
    return OK;
}

enum err group_read_seek(struct request *rq, struct group_to *to)
{
    struct asked a = { 0 };
    enum err e = request_body(rq, seek_fields, &a);

    *to = (struct group_to){ .pointer = "/to" };
    return e ? e : read_to(rq, &a, "/to/time", to);
}

void group_put_settings(struct buf *b, const struct group_row *g)
{
    static const char *const ordering[] = { "none", "key" };
    char deadline[32], initial[32], most[32], after[32];

    duration_format(g->ack_deadline_us, deadline);
    duration_format(g->backoff_initial_us, initial);
    duration_format(g->backoff_max_us, most);
    buf_printf(b, "\"paused\":%s,\"ordering\":\"%s\",\"ack_deadline\":\"%s\",\"max_retries\":%d", g->paused ? "true" : "false",
               ordering[g->ordering], deadline, (int)g->max_retries);
    buf_printf(b, ",\"backoff\":{\"initial\":\"%s\",\"factor\":%.15g,\"max\":\"%s\",\"jitter\":%.15g}", initial, g->backoff_factor,
               most, g->backoff_jitter);
    buf_printf(b, ",\"max_in_flight\":%d,\"max_retrying\":%d,\"max_skipped\":%d,\"key_batch\":%d,\"types\":", (int)g->max_in_flight,
               (int)g->max_retrying, (int)g->max_skipped, (int)g->key_batch);
    buf_slice(b, g->types);
    if (g->dlq_retry_after_us < 0) {
        BUF_LIT(b, ",\"dlq_retry\":null");
        return;
    }
    duration_format(g->dlq_retry_after_us, after);
    buf_printf(b, ",\"dlq_retry\":{\"after\":\"%s\",\"rounds\":%d}", after, (int)g->dlq_retry_rounds);
}

void group_put(struct buf *b, struct slice stream, const struct group_row *g)
{
    BUF_LIT(b, "\"name\":");
    buf_json_string(b, g->name);
    BUF_LIT(b, ",\"stream\":");
    buf_json_string(b, stream);
    buf_char(b, ',');
    group_put_settings(b, g);
    buf_member_time(b, "created", g->created_us);
    buf_member_time(b, "updated", g->updated_us);
}
