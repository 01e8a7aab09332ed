#include "gateway/base/clock.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/dlq.h"
#include "gateway/engine/event.h"

/* The copy of the event, with these data. */
static void put_event(struct buf *b, const char *name, struct slice stream, const struct letter_row *l, struct slice data)
{
    const struct event ev = {
        .id = l->id,
        .source = l->source,
        .type = l->type,
        .subject = l->subject,
        .attributes = l->attributes,
        .data = data,
        .data_format = (enum data_format)l->data_format,
        .partition = l->partition,
        .offset = l->offset,
        .recorded_us = l->recorded_us,
        .version = l->version,
    };

    buf_printf(b, ",\"%s\":", name);
    event_render(b, stream, &ev, false);
}

const char *letter_state_word(int state)
{
    static const char *const words[LETTER_STATES] = { "parked", "redriven", "resolved", "discarded" };

    return words[state];
}

void dlq_render(struct buf *out, struct slice stream, const struct letter_row *l)
{
    char id[UUID_TEXT], fingerprint[HEX16_TEXT];

    uuid_format(l->letter_id, id);
    hex16_format(l->fingerprint, fingerprint);
    buf_printf(out, "{\"id\":\"%s\"", id);
    buf_member_text(out, "group", l->group);
    buf_printf(out, ",\"state\":\"%s\"", letter_state_word(l->state));
    put_event(out, "event", stream, l, l->data);
    if (l->original.p)
        put_event(out, "original_event", stream, l, l->original);
    buf_member_text(out, "reason", l->reason);
    BUF_LIT(out, ",\"error\":");
    buf_slice(out, l->error.p ? l->error : SLICE("null"));
    buf_printf(out, ",\"fingerprint\":\"%s\",\"attempts\":[", fingerprint);
    buf_slice(out, l->attempts);
    buf_printf(out, "],\"redrives\":%lld,\"poison\":%s", (long long)l->redrives, l->poison ? "true" : "false");
    buf_member_time(out, "dead_at", l->dead_us);
    buf_member_time(out, "updated_at", l->updated_us);
    buf_member_text(out, "note", l->note);
    buf_char(out, '}');
}
