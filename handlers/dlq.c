#include "handlers/dlq.h"

#include <stdlib.h>

#include "gateway/app_parts.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/base/uuid.h"
#include "handlers/handlers.h"
#include "handlers/link.h"

#define LIST_MAX 1000
#define LIST_DEFAULT 100

enum err letter_path_id(struct request *rq, uint8_t ret[16])
{
    struct slice id = request_path(rq, "id");

    return uuid_parse(id, ret) ? OK : fault(&rq->fault, ERR_UNKNOWN_LETTER, "The stream has no such dead letter.");
}

static enum err read_state(struct request *rq, int *ret)
{
    struct slice word = request_query(rq, "state");

    if (!word.p)
        return OK;
    for (int s = 0; s < LETTER_STATES; s++)
        if (slice_is(word, letter_state_word(s))) {
            *ret = s;
            return OK;
        }
    return fault(&rq->fault, ERR_BAD_PARAMETER, "state must be one of: %s.", LETTER_STATE_WORDS);
}

static enum err read_filter(struct request *rq, struct letter_filter *f)
{
    struct slice fingerprint = request_query(rq, "fingerprint");
    enum err e;

    *f = (struct letter_filter){ .group = request_query(rq, "group"), .reason = request_query(rq, "reason"),
                                 .type = request_query(rq, "type"), .subject = request_query(rq, "subject"), .state = -1 };
    f->has_fingerprint = fingerprint.p;
    if (fingerprint.p && !hex16_parse(fingerprint, f->fingerprint))
        return fault(&rq->fault, ERR_BAD_PARAMETER, "fingerprint must have 32 hexadecimal digits.");
    if ((e = read_state(rq, &f->state)) || (e = request_query_time(rq, "from", &f->from_us)) ||
        (e = request_query_time(rq, "to", &f->to_us)))
        return e;
    if (f->from_us && f->to_us && f->from_us >= f->to_us)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "from must be before to.");
    return OK;
}

enum err handle_list_letters(struct request *rq, struct reply *rp)
{
    struct slice after = request_query(rq, "after");
    int64_t limit = LIST_DEFAULT;
    struct letter_filter filter;
    struct stream_row stream;
    struct letter_page page;
    struct buf b = { 0 };
    char next[UUID_TEXT];
    uint8_t id[16];
    enum err e;

    if ((e = read_filter(rq, &filter)) || (e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)))
        return e;
    if (after.p && !uuid_parse(after, id))
        return fault(&rq->fault, ERR_BAD_PARAMETER, "after must be the next of another page.");
    if ((e = streams_get(rq->db, rq->arena, request_path(rq, "stream"), &stream, &rq->fault)) ||
        (e = dlq_list(rq->db, rq->arena, stream.stream_id, &filter, after.p ? id : NULL, limit, rq->config->read_page_bytes, &page,
                      &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < page.n; i++) {
        if (i)
            buf_char(&b, ',');
        dlq_render(&b, stream.name, &page.v[i]);
    }
    if (page.more)
        uuid_format(page.v[page.n - 1].letter_id, next);
    link_page(rq, rp, &b, page.more ? slice_of(next) : SLICE_NONE);
    return reply_json(rp, 200, &b);
}

enum err handle_get_letter(struct request *rq, struct reply *rp)
{
    struct stream_row stream;
    struct letter_row letter;
    struct buf b = { 0 };
    uint8_t id[16];
    enum err e;

    if ((e = streams_get(rq->db, rq->arena, request_path(rq, "stream"), &stream, &rq->fault)) || (e = letter_path_id(rq, id)) ||
        (e = dlq_get(rq->db, rq->arena, stream.stream_id, id, false, &letter, &rq->fault)))
        return e;
    dlq_render(&b, stream.name, &letter);
    return reply_json(rp, 200, &b);
}

/* --- triage --- */

static enum err read_kind(struct request *rq, struct letter_kind *ret)
{
    struct slice after = request_query(rq, "after");
    const char *hyphen = after.p ? memchr(after.p, '-', after.n) : NULL;
    size_t n = hyphen ? (size_t)(hyphen - after.p) : 0;

    if (!after.p || (hyphen && json_int64((struct slice){ after.p, n }, &ret->count) &&
                     hex16_parse((struct slice){ hyphen + 1, after.n - n - 1 }, ret->fingerprint)))
        return OK;
    return fault(&rq->fault, ERR_BAD_PARAMETER, "after must be the next of another page.");
}

static void put_kind(struct buf *b, const struct letter_kind *k)
{
    char fingerprint[HEX16_TEXT], sample[UUID_TEXT];

    hex16_format(k->fingerprint, fingerprint);
    uuid_format(k->sample, sample);
    buf_printf(b, "{\"fingerprint\":\"%s\",\"group\":", fingerprint);
    buf_json_string(b, k->group);
    BUF_LIT(b, ",\"type\":");
    buf_json_string(b, k->type);
    BUF_LIT(b, ",\"error\":{\"type\":");
    buf_json_string(b, k->error_type);
    BUF_LIT(b, ",\"message\":");
    buf_json_string(b, k->error_masked);
    buf_printf(b, "},\"count\":%lld,\"states\":{", (long long)k->count);
    for (int s = 0; s < LETTER_STATES; s++)
        buf_printf(b, "%s\"%s\":%lld", s ? "," : "", letter_state_word(s), (long long)k->states[s]);
    buf_printf(b, "},\"poison\":%s", k->poison ? "true" : "false");
    buf_member_time(b, "first_seen", k->first_us);
    buf_member_time(b, "last_seen", k->last_us);
    buf_printf(b, ",\"sample\":\"%s\"}", sample);
}

#define KIND_TEXT (20 + HEX16_TEXT)

/* <count>-<fingerprint> of the last one */
static void after_kind(const struct letter_kind *last, char ret[KIND_TEXT])
{
    char fingerprint[HEX16_TEXT];

    hex16_format(last->fingerprint, fingerprint);
    snprintf(ret, KIND_TEXT, "%lld-%s", (long long)last->count, fingerprint);
}

enum err handle_summarize_letters(struct request *rq, struct reply *rp)
{
    struct letter_kind after = { 0 };
    struct letter_summary summary;
    char next[KIND_TEXT];
    int64_t limit = LIST_DEFAULT;
    struct letter_filter filter;
    struct stream_row stream;
    struct buf b = { 0 };
    enum err e;

    if ((e = read_filter(rq, &filter)) || (e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) ||
        (e = read_kind(rq, &after)) ||
        (e = streams_get(rq->db, rq->arena, request_path(rq, "stream"), &stream, &rq->fault)) ||
        (e = dlq_summary(rq->db, rq->arena, stream.stream_id, &filter, request_query(rq, "after").p ? &after : NULL, limit,
                         &summary, &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < summary.n; i++) {
        if (i)
            buf_char(&b, ',');
        put_kind(&b, &summary.v[i]);
    }
    if (summary.more)
        after_kind(&summary.v[summary.n - 1], next);
    link_page(rq, rp, &b, summary.more ? slice_of(next) : SLICE_NONE);
    return reply_json(rp, 200, &b);
}
