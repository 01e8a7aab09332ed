#include "gateway/engine/commit_flight.h"

#include "gateway/base/log.h"

bool flight_begin(struct flight *f, struct batch *b, struct db *db)
{
    *f = (struct flight){ .b = b, .db = db, .max = b->lot_n * STATEMENTS_MAX + STATEMENTS_MAX };
    return (f->rows = arena_zalloc(b->arena, f->max * sizeof *f->rows)) != NULL;
}

void flight_queued(struct flight *f, bool ok)
{
    f->failed |= !ok;
    f->n += ok;
}

void flight_say(struct flight *f, const struct stmt *s)
{
    db_queue(f->db, s, NULL);
    f->n++;
}

enum err flight_flush(struct flight *f)
{
    struct fault fault = { 0 };
    enum err e;

    if (f->failed) { /* nothing was sent: begin anew on a clean connection */
        db_abandon(f->db);
        return ERR_NO_MEMORY;
    }
    e = db_flush(f->db, f->rows, f->n, &fault);
    if (e && e != ERR_DB_UNIQUE && e != ERR_DB_RETRY)
        log_warn("commit failed", L_STR("why", fault.detail), L_INT("requests", f->b->n));
    return e;
}

void flight_end(struct flight *f)
{
    for (size_t i = 0; i < f->n; i++)
        rows_free(&f->rows[i]);
    f->n = 0;
}

struct publish_head *flight_heads(struct batch *b, const struct lot *g, bool changed_only, size_t *ret_n)
{
    struct publish_head *v = arena_alloc(b->arena, g->part_n * sizeof *v);

    *ret_n = 0;
    for (size_t i = 0; v && i < g->part_n; i++)
        if (!changed_only || g->part[i].n)
            v[(*ret_n)++] = (struct publish_head){
                .partition = g->part[i].partition, .head = g->part[i].head + g->part[i].n, .n = g->part[i].n,
                .seen = g->part[i].head, .bytes = g->part[i].bytes,
                .recorded_us = g->part[i].recorded_us, .first_offset = g->part[i].head + 1 };
    return v;
}

struct publish_event *flight_events(struct batch *b, const struct lot *g)
{
    struct publish_event *v = arena_alloc(b->arena, (g->accepted_n + 1) * sizeof *v);
    int64_t behind[PARTITIONS_MAX] = { 0 };

    for (size_t i = g->accepted_n; v && i-- > 0;) {
        const struct event *ev = g->accepted[i];

        v[i] = (struct publish_event){
            .partition = ev->partition, .offset = ev->offset, .back = behind[ev->partition]++, .recorded_us = ev->recorded_us,
            .version = ev->version, .id = ev->id, .source = ev->source, .type = ev->type, .subject = ev->subject,
            .attributes = ev->attributes.p ? ev->attributes : SLICE(""), .data_format = (int16_t)ev->data_format,
            .data = ev->data_format == DATA_NONE ? SLICE_NONE : ev->data };
    }
    return v;
}
