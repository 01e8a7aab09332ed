#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/group_lane.h"

/* Events are immutable: what was read ahead stays true, whatever becomes of the transaction. */
#define FETCH_LEAST 32       /* of a partition */
#define FETCH_MOST 1000      /* of all together, unless twice of what is wanted is more */

bool window_next(const struct cell *c, int partition, struct page_row *ret)
{
    const struct fresh *f = c->windows[partition].first;
    int32_t p;

    if (!f)
        return false;
    db_group_event(&f->page->rows, f->at, &p, ret);
    return true;
}

void window_pass(struct cell *c, int partition)
{
    struct window *w = &c->windows[partition];
    struct fresh *f = w->first;

    f->page->left--;
    if (++f->at < f->end)
        return;
    if (!(w->first = f->next))
        w->last = &w->first;
    free(f);
}

static void window_empty(struct cell *c, int partition)
{
    while (c->windows[partition].first)
        window_pass(c, partition);
    c->windows[partition].at_end = false;
}

void window_clear(struct cell *c)
{
    for (int p = 0; p < PARTITIONS_MAX; p++)
        window_empty(c, p);
    window_sweep(c);
}

void window_sweep(struct cell *c)
{
    for (struct page **at = &c->pages, *p; (p = *at);) {
        if (p->left) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        rows_free(&p->rows);
        free(p);
    }
}

static bool add_run(struct cell *c, int partition, struct page *page, int at, int end)
{
    struct window *w = &c->windows[partition];
    struct fresh *f = malloc(sizeof *f);

    if (!f)
        return false;
    *f = (struct fresh){ NULL, page, at, end };
    if (!w->first)
        w->last = &w->first;
    *w->last = f;
    w->last = &f->next;
    page->left += (size_t)(end - at);
    return true;
}

/* The offset that follows what was read ahead. */
static int64_t window_end(const struct cell *c, int partition)
{
    const struct fresh *f = c->windows[partition].first;
    struct page_row row;
    int32_t p;

    if (!f)
        return group_state_next(c->state)[partition];
    while (f->next)
        f = f->next;
    db_group_event(&f->page->rows, f->end - 1, &p, &row);
    return row.offset + 1;
}

struct fetch {
    int32_t partitions[PARTITIONS_MAX];
    int64_t from[PARTITIONS_MAX];
    size_t n;
    int64_t limit, bytes;
};

static void plan(const struct cell *c, size_t want, struct fetch *ret)
{
    const struct config *config = c->lane->groups->config;

    for (int p = 0; p < c->stream->row.partitions; p++)
        if (!c->windows[p].first && !c->windows[p].at_end && group_state_wants(c->state, p)) {
            ret->partitions[ret->n] = p;
            ret->from[ret->n++] = window_end(c, p);
        }
    if (!ret->n)
        return;
    ret->limit = (int64_t)((want > FETCH_MOST / 2 ? 2 * want : FETCH_MOST) / ret->n) + FETCH_LEAST;
    ret->bytes = config->groups_page_bytes / (int64_t)ret->n;
}

void window_lost(struct cell *c, int32_t partition, int64_t earliest)
{
    int64_t from;

    if (!group_state_lost(c->state, partition, earliest, &from))
        return;
    for (int p = 0; !c->lost && p < PARTITIONS_MAX; p++)
        c->lost_from[p] = c->lost_to[p] = group_state_next(c->state)[p] - 1;
    if (c->lost_from[partition] == c->lost_to[partition] || c->lost_to[partition] < earliest - 1)
        c->lost_to[partition] = earliest - 1;
    if (from - 1 < c->lost_from[partition])
        c->lost_from[partition] = from - 1;
    c->lost = true;
}

/* A partition of the plan begins later than it should: what was between has been removed. */
static enum err take_lost(struct wave *w, int32_t partition, int64_t first)
{
    struct cell *c = w->cell;
    struct rows r = { 0 };
    enum err e = db_earliest_of(c->lane->db, w->arena, c->stream->row.stream_id, &partition, 1) ?
                     db_flush(c->lane->db, &r, 1, w->fault) : ERR_NO_MEMORY;

    if (!e && r.n && row_int8(&r, 0, 1) < first) {
        log_error("events are missing in the log", L_SLICE("stream", c->stream->row.name), L_INT("partition", partition),
                  L_INT("from", group_state_next(c->state)[partition]), L_INT("to", first - 1));
    }
    rows_free(&r);
    if (!e)
        window_lost(c, partition, first);
    return e;
}

static enum err take_page(struct wave *w, const struct fetch *plan, struct page *page)
{
    struct cell *c = w->cell;
    int at = 0;

    for (size_t i = 0; i < plan->n; i++) {
        int32_t partition = plan->partitions[i], p = partition;
        int end = at;
        struct page_row row;
        enum err e;

        while (end < page->rows.n && row_int4(&page->rows, end, 0) == partition &&
               (end == at || row_int8(&page->rows, end, 1) > row_int8(&page->rows, end - 1, 1)))
            end++;
        if (end == at) {
            c->windows[partition].at_end = true;
            continue;
        }
        db_group_event(&page->rows, at, &p, &row);
        if (row.offset > plan->from[i] && (e = take_lost(w, partition, row.offset)))
            return e;
        if (!add_run(c, partition, page, at, end))
            return ERR_NO_MEMORY;
        at = end;
    }
    return at == page->rows.n ? OK : fault(w->fault, ERR_INTERNAL, "Events came out of order.");
}

enum err window_fetch(struct wave *w, size_t want)
{
    struct cell *c = w->cell;
    struct fetch f = { .n = 0 };
    struct rows rows[2] = { 0 };
    struct page *page;
    enum err e;

    plan(c, want, &f);
    if (!f.n)
        return OK;
    if (!(page = calloc(1, sizeof *page)))
        return ERR_NO_MEMORY;
    page->next = c->pages;
    c->pages = page;
    if (!db_group_state(c->lane->db, w->arena, c->stream->row.stream_id, c->group_id) ||
        !db_group_page(c->lane->db, w->arena, c->stream->row.stream_id, f.partitions, f.from, f.n, f.limit, f.bytes)) {
        db_abandon(c->lane->db);
        return ERR_NO_MEMORY;
    }
    if (!(e = db_flush(c->lane->db, rows, 2, w->fault)) && (!rows[0].n || row_int8(&rows[0], 0, 0) != c->seq))
        e = ERR_DB_RETRY;
    w->verified |= !e;
    page->rows = rows[1];
    metric_add(M_GROUP_FETCHED, page->rows.n);
    rows_free(&rows[0]);
    return e ? e : take_page(w, &f, page);
}
