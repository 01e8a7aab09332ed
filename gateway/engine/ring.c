#include "gateway/engine/ring.h"

#include <stdlib.h>

#include "gateway/base/metrics.h"

void ring_event_unref(struct ring_event *e)
{
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
        free(e);
}

bool ring_init(struct ring *r, struct stream *s, size_t cap, size_t bytes_max)
{
    *r = (struct ring){ .cap = cap, .bytes_max = bytes_max };
    if (!(r->slots = calloc(cap, sizeof *r->slots)))
        return false;
    r->stream = stream_ref(s);
    r->head.count = (int)s->row.partitions;
    return true;
}

static size_t event_bytes(const struct ring_event *e)
{
    return sizeof *e + e->text_n + e->type_n + e->subject_n;
}

static void count_bytes(struct ring *r, int64_t n)
{
    r->bytes += (size_t)n;
    if (r->memory)
        atomic_fetch_add_explicit(&r->memory->bytes, (size_t)n, memory_order_relaxed);
    metric_add(M_RING_BYTES, n);
}

/* Full by its own bounds, or by the common one: then the ring that wants more gives. */
static bool full(const struct ring *r, size_t more)
{
    return r->next - r->first == r->cap || r->bytes + more > r->bytes_max ||
           (r->memory && atomic_load_explicit(&r->memory->bytes, memory_order_relaxed) + more > r->memory->max);
}

static void evict_oldest(struct ring *r)
{
    struct ring_event *e = r->slots[r->first % r->cap];

    r->base[e->partition] = e->offset;
    count_bytes(r, -(int64_t)event_bytes(e));
    r->slots[r->first++ % r->cap] = NULL;
    ring_event_unref(e);
}

void ring_clear(struct ring *r)
{
    while (r->first < r->next)
        evict_oldest(r);
    free(r->slots);
    stream_unref(r->stream);
    *r = (struct ring){ 0 };
}

void ring_warm(struct ring *r, const int64_t *heads)
{
    for (int p = 0; p < r->head.count; p++) {
        r->base[p] = r->head.pos[p] = heads[p];
        if (r->target[p] < heads[p])
            r->target[p] = heads[p];
    }
    r->warm = true;
}

static struct ring_event *make_event(const struct ring *r, const struct event *ev, struct buf *b)
{
    struct ring_event *e;
    size_t json_at, text_n;
    char cursor[CURSOR_TEXT];

    buf_reset(b);
    BUF_LIT(b, "id: ");
    buf_put(b, cursor, cursor_format(&r->head, r->stream->row.name, r->stream->row.stream_id, cursor));
    BUF_LIT(b, "\ndata: ");
    json_at = b->n;
    event_render(b, r->stream->row.name, ev, true);
    BUF_LIT(b, "\n\n");
    text_n = b->n;
    buf_slice(b, ev->type);
    if (ev->subject.p)
        buf_slice(b, ev->subject);
    if (b->failed || b->n > UINT32_MAX || !(e = malloc(sizeof *e + b->n)))
        return NULL;
    *e = (struct ring_event){
        .partition = ev->partition, .offset = ev->offset, .exact = !ev->line_breaks, .json_at = (uint32_t)json_at,
        .json_n = (uint32_t)(text_n - 2 - json_at), .type_n = (uint32_t)ev->type.n, .subject_n = (uint32_t)ev->subject.n,
        .text_n = (uint32_t)text_n, .has_subject = ev->subject.p != NULL,
    };
    atomic_init(&e->refs, 1);
    memcpy(e->text, b->p, b->n);
    return e;
}

bool ring_push(struct ring *r, const struct event *ev, struct buf *scratch)
{
    struct ring_event *e;
    int p = ev->partition;

    if (!r->warm || p >= r->head.count || ev->offset != r->head.pos[p] + 1)
        return false;
    r->head.pos[p] = ev->offset;
    if (r->target[p] < ev->offset)
        r->target[p] = ev->offset;
    if (!(e = make_event(r, ev, scratch))) { /* out of memory: readers get it from the database */
        ring_skip_to_target(r);
        return false;
    }
    while (r->next > r->first && full(r, event_bytes(e)))
        evict_oldest(r);
    r->slots[r->next++ % r->cap] = e;
    count_bytes(r, (int64_t)event_bytes(e));
    return true;
}

void ring_skip_to_target(struct ring *r)
{
    while (r->first < r->next)
        evict_oldest(r);
    for (int p = 0; p < r->head.count; p++)
        r->base[p] = r->head.pos[p] = r->target[p];
    r->first = ++r->next; /* so that every reader attaches anew */
}

bool ring_behind(const struct ring *r)
{
    for (int p = 0; p < r->head.count; p++)
        if (r->head.pos[p] < r->target[p])
            return true;
    return false;
}

bool ring_attach(const struct ring *r, const int64_t *pos, int only, int64_t *ret_ahead)
{
    int64_t ahead = 0;

    if (!r->warm)
        return false;
    for (int p = 0; p < r->head.count; p++) {
        if (only >= 0 && p != only)
            continue;
        if (pos[p] < r->base[p])
            return false;
        ahead += pos[p] - r->base[p];
    }
    *ret_ahead = ahead;
    return true;
}
