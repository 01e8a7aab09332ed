#include "gateway/engine/receipt.h"

void receipt_put(struct buf *b, const struct stream *stream, const struct event *ev)
{
    struct cursor c = { .partial = stream->row.partitions > 1, .count = 1, .partition = { ev->partition }, .pos = { ev->offset } };
    char cursor[CURSOR_TEXT];

    BUF_LIT(b, "{\"id\":");
    buf_json_string(b, ev->id);
    BUF_LIT(b, ",\"stream\":");
    buf_json_string(b, stream->row.name);
    BUF_LIT(b, ",\"partition\":");
    buf_i64(b, ev->partition);
    BUF_LIT(b, ",\"offset\":\"");
    buf_i64(b, ev->offset);
    BUF_LIT(b, "\"");
    if (ev->version) {
        BUF_LIT(b, ",\"version\":");
        buf_i64(b, ev->version);
    }
    BUF_LIT(b, ",\"cursor\":\"");
    buf_put(b, cursor, cursor_format(&c, stream->row.name, stream->row.stream_id, cursor));
    if (ev->duplicate)
        BUF_LIT(b, "\",\"duplicate\":true}");
    else
        BUF_LIT(b, "\",\"duplicate\":false}");
}
