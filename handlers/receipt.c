#include "gateway/base/metrics.h"
#include "gateway/engine/receipt.h"
#include "handlers/publishing.h"

/* The cursor of the whole request: the last offset in each partition that it touched. */
static void put_cover(const struct stream *st, const struct events *events, char text[CURSOR_TEXT])
{
    struct cursor c = { .count = 0 };

    for (size_t i = 0; i < events->n; i++) {
        const struct event *ev = &events->v[i];
        int at = 0;

        while (at < c.count && c.partition[at] != ev->partition)
            at++;
        if (at == c.count) {
            c.partition[c.count] = ev->partition;
            c.pos[c.count++] = 0;
        }
        if (c.pos[at] < ev->offset)
            c.pos[at] = ev->offset;
    }
    c.partial = st->row.partitions > 1;
    cursor_format(&c, st->row.name, st->row.stream_id, text);
}

/* Returns the status. */
static int render(const struct publish *p, struct buf *b, char cursor[CURSOR_TEXT])
{
    const struct events *events = &p->events;
    size_t duplicates = 0;

    if (events->array)
        buf_char(b, '[');
    for (size_t i = 0; i < events->n; i++) {
        if (i)
            buf_char(b, ',');
        receipt_put(b, p->stream, &events->v[i]);
        duplicates += events->v[i].duplicate;
    }
    if (events->array)
        buf_char(b, ']');
    put_cover(p->stream, events, cursor);
    return duplicates == events->n ? 200 : 201;
}

static void count_duplicates(const struct events *events)
{
    int64_t n = 0;

    for (size_t i = 0; i < events->n; i++)
        n += events->v[i].duplicate;
    if (n)
        metric_add(M_DUPLICATE_EVENTS, n);
}

enum err receipt(struct request *rq, struct reply *rp, const struct publish *p)
{
    struct buf b = { 0 };
    char cursor[CURSOR_TEXT];
    int status = render(p, &b, cursor);

    count_duplicates(&p->events);
    reply_header(rq, rp, "Weir-Cursor", cursor);
    return reply_json(rp, status, &b);
}

enum err receipt_render(struct publish *p)
{
    struct publish_key *key = p->key;

    key->status = render(p, &key->answer, key->cursor);
    if (key->answer.failed)
        return ERR_NO_MEMORY;
    if (key->answer.n > key->limit)
        return fault(&p->fault, ERR_BODY_TOO_LARGE,
                     "The receipts would have %zu bytes, and %zu at most are kept under an Idempotency-Key. Publish fewer events.",
                     key->answer.n, key->limit);
    count_duplicates(&p->events);
    return OK;
}

enum err receipt_kept(struct request *rq, struct reply *rp, struct publish_key *key)
{
    reply_header(rq, rp, "Weir-Cursor", key->cursor);
    if (key->replayed) {
        reply_header(rq, rp, "Idempotency-Replayed", "true");
        metric_add(M_IDEMPOTENT_REPLAYS, 1);
    }
    return reply_json(rp, key->status, &key->answer);
}
