#include "gateway/engine/event.h"

#include <stdio.h>
#include <sys/random.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"

static void put_source(struct buf *out, struct slice stream, struct slice source)
{
    if (source.p) {
        buf_json_string(out, source);
        return;
    }
    BUF_LIT(out, "\"/v1/streams/"); /* stream names need no escape */
    buf_slice(out, stream);
    buf_char(out, '"');
}

static void put_data(struct buf *out, const struct event *ev, bool one_line)
{
    size_t at;

    switch (ev->data_format) {
    case DATA_NONE:
        break;
    case DATA_JSON:
        BUF_LIT(out, ",\"data\":");
        at = out->n;
        buf_slice(out, ev->data);
        for (; one_line && ev->line_breaks && at < out->n; at++)
            if (out->p[at] == '\n' || out->p[at] == '\r')
                out->p[at] = ' ';    /* in JSON these stand between tokens only */
        break;
    case DATA_TEXT:
        BUF_LIT(out, ",\"data\":");
        buf_json_string(out, ev->data);
        break;
    case DATA_BINARY:
        BUF_LIT(out, ",\"data_base64\":\"");
        buf_base64(out, ev->data);
        buf_char(out, '"');
        break;
    }
}

void event_render(struct buf *out, struct slice stream, const struct event *ev, bool one_line)
{
    char recorded[CLOCK_TEXT];

    buf_reserve(out, 256 + ev->attributes.n + ev->data.n);
    BUF_LIT(out, "{\"specversion\":\"1.0\",\"id\":");
    buf_json_string(out, ev->id);
    BUF_LIT(out, ",\"source\":");
    put_source(out, stream, ev->source);
    BUF_LIT(out, ",\"type\":");
    buf_json_string(out, ev->type);
    if (ev->subject.p) {
        BUF_LIT(out, ",\"subject\":");
        buf_json_string(out, ev->subject);
    }
    if (ev->attributes.n) {
        buf_char(out, ',');
        buf_slice(out, ev->attributes);
    }
    BUF_LIT(out, ",\"stream\":\"");
    buf_slice(out, stream);
    BUF_LIT(out, "\",\"partition\":");
    buf_i64(out, ev->partition);
    BUF_LIT(out, ",\"offset\":\"");
    buf_i64(out, ev->offset);
    BUF_LIT(out, "\",\"recordedtime\":\"");
    clock_format(ev->recorded_us, recorded);
    buf_put(out, recorded, CLOCK_TEXT - 1);
    buf_char(out, '"');
    if (ev->version) {
        BUF_LIT(out, ",\"version\":");
        buf_i64(out, ev->version);
    }
    put_data(out, ev, one_line);
    buf_char(out, '}');
}

/* Random bytes, fetched for many UUIDs at a time: a system call for each would cost more than parsing the event. */
static void random_bytes(uint8_t out[10])
{
    static _Thread_local struct {
        uint8_t bytes[1000];
        size_t left;
    } pool;

    if (!pool.left) {
        while (getrandom(pool.bytes, sizeof pool.bytes, 0) != (ssize_t)sizeof pool.bytes)
            ;                    /* a signal came in between */
        pool.left = sizeof pool.bytes;
    }
    pool.left -= 10;
    memcpy(out, pool.bytes + pool.left, 10);
}

/* RFC 9562, 6.2 method 1: a 12-bit counter that begins at random in its lower half; when it is used up, or the clock
 * goes back, the time stamp runs ahead of the clock. */
void uuid7(int64_t unix_us, char out[37])
{
    static const char hex[] = "0123456789abcdef";
    static _Thread_local int64_t last_ms;
    static _Thread_local unsigned counter;
    int64_t ms = unix_us / 1000;
    uint8_t b[16];

    random_bytes(b + 6);
    if (ms > last_ms || ++counter > 0xFFF) {
        last_ms = ms > last_ms ? ms : last_ms + 1;
        counter = ((unsigned)b[6] << 8 | b[7]) & 0x7FF;
    }
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(last_ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | counter >> 8);
    b[7] = (uint8_t)counter;
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3F));
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[b[i] >> 4];
        *out++ = hex[b[i] & 15];
    }
    *out = '\0';
}

/* Within a string its quotes would be escaped, so what is found is a member's name. */
struct slice event_attribute(struct arena *a, struct slice attributes, const char *name)
{
    char member[80];
    size_t n = (size_t)snprintf(member, sizeof member, "\"%s\":", name);
    const char *at = attributes.n ? memmem(attributes.p, attributes.n, member, n) : NULL;
    struct slice inside, value;
    struct json j;
    bool escaped;

    if (!at)
        return SLICE_NONE;
    at += n;
    json_begin(&j, (struct slice){ at, (size_t)(attributes.p + attributes.n - at) }, 2);
    return json_scan_string(&j, &inside, &escaped) && json_unescape(a, inside, escaped, &value) ? value : SLICE_NONE;
}

struct slice event_order_key(struct arena *a, struct slice attributes, struct slice subject)
{
    struct slice key = event_attribute(a, attributes, "partitionkey");

    return key.p ? key : subject;
}
