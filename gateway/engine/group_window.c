#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/group_lane.h"

/* Events are immutable: what was read ahead stays true, whatever becomes of the transaction. */
#define FETCH_LEAST 32       /* of a partition */
#define FETCH_MOST 1000      /* of all together, unless twice of what is wanted is more */
#define LARGE_PAGES 16       /* after a large event: a page that is cut at each of many would be read for little */

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
    c->windows[partition].at_end = c->windows[partition].more = false;
}

void window_clear(struct cell *c)
{
    ahead_drop(c);
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

    if (!f)
        return group_state_next(c->state)[partition];
    while (f->next)
        f = f->next;
    return row_int8(&f->page->rows, f->end - 1, 1) + 1;
}

static void add(struct fetch *f, const struct cell *c, int32_t partition)
{
    f->partitions[f->plan.n] = partition;
    f->from[f->plan.n++] = window_end(c, partition);
}

static void bound(const struct cell *c, struct fetch *f, size_t want)
{
    struct page_plan *p = &f->plan;
    int64_t n = (int64_t)p->n;

    if (!n)
        return;
    p->partitions = f->partitions;
    p->from = f->from;
    p->limit = (int64_t)(want > FETCH_MOST / 2 ? 2 * want : FETCH_MOST) / n + FETCH_LEAST;
    p->bytes = c->lane->groups->config->groups_page_bytes / n;
    p->small = !c->large;
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

static int64_t page_bytes(const struct page *p)
{
    int64_t bytes = 0;
    struct page_row row;
    int32_t partition;

    for (int i = 0; i < p->rows.n; i++) {
        db_group_event(&p->rows, i, &partition, &row);
        bytes += (int64_t)(row.attributes.n + row.data.n);
    }
    return bytes;
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

/* Those of a partition, from a row on, that are here with their contents. *ret_rows: all of its. */
static int run_of(const struct page *page, int at, int32_t partition, int *ret_rows)
{
    int end = at, whole;

    while (end < page->rows.n && row_int4(&page->rows, end, 0) == partition &&
           (end == at || row_int8(&page->rows, end, 1) > row_int8(&page->rows, end - 1, 1)))
        end++;
    for (whole = at; whole < end && !db_group_event_withheld(&page->rows, whole);)
        whole++;
    *ret_rows = end - at;
    return whole;
}

static enum err take_run(struct wave *w, const struct fetch *f, size_t i, struct page *page, int at, int end)
{
    struct cell *c = w->cell;
    int64_t first = row_int8(&page->rows, at, 1);
    enum err e;

    if (first > f->from[i] && (e = take_lost(w, f->partitions[i], first)))
        return e;
    return add_run(c, f->partitions[i], page, at, end) ? OK : ERR_NO_MEMORY;
}

/* `ahead`: it was asked for earlier. What does not follow any more is left to a page of its own. */
static enum err take_page(struct wave *w, const struct fetch *f, struct page *page, bool ahead)
{
    struct cell *c = w->cell;
    int at = 0, rows, end;
    bool large = false;
    enum err e;

    for (size_t i = 0; i < f->plan.n; i++, at += rows) {
        struct window *v = &c->windows[f->partitions[i]];

        end = run_of(page, at, f->partitions[i], &rows);
        large |= end < at + rows;
        v->more = rows >= f->plan.limit || (rows && !f->plan.small);
        if (!rows && !ahead)
            v->at_end = true;
        if (end == at || (ahead && (window_end(c, f->partitions[i]) != f->from[i] || row_int8(&page->rows, at, 1) != f->from[i])))
            continue;
        if ((e = take_run(w, f, i, page, at, end)))
            return e;
    }
    metric_add(M_GROUP_FETCHED, page->rows.n);
    if (large || (!f->plan.small && page_bytes(page) > f->plan.bytes / f->plan.limit * page->rows.n))
        c->large = LARGE_PAGES;
    else
        c->large -= c->large > 0;
    return at == page->rows.n ? OK : fault(w->fault, ERR_INTERNAL, "Events came out of order.");
}

static struct page *new_page(struct cell *c)
{
    struct page *page = calloc(1, sizeof *page);

    if (page) {
        page->next = c->pages;
        c->pages = page;
    }
    return page;
}

static enum err fetch_now(struct wave *w, const struct fetch *f)
{
    struct cell *c = w->cell;
    struct rows rows[2] = { 0 };
    struct page *page = new_page(c);
    enum err e;

    if (!page)
        return ERR_NO_MEMORY;
    if (!db_group_state(c->lane->db, w->arena, c->stream->row.stream_id, c->group_id) ||
        !db_group_page(c->lane->db, w->arena, c->stream->row.stream_id, &f->plan)) {
        db_abandon(c->lane->db);
        return ERR_NO_MEMORY;
    }
    if (!(e = db_flush(c->lane->db, rows, 2, w->fault)) && (!rows[0].n || row_int8(&rows[0], 0, 0) != c->seq))
        e = ERR_DB_RETRY;
    w->verified |= !e;
    page->rows = rows[1];
    rows_free(&rows[0]);
    return e ? e : take_page(w, f, page, false);
}

enum err window_fetch(struct wave *w, size_t want)
{
    struct cell *c = w->cell;
    struct fetch f = { .plan.n = 0 };

    if (c->ahead) {
        struct page *page = new_page(c);

        if (!page)
            return ERR_NO_MEMORY;
        return ahead_take(c, &f, &page->rows) ? take_page(w, &f, page, true) : OK;
    }
    for (int p = 0; p < c->stream->row.partitions; p++)
        if (!c->windows[p].first && !c->windows[p].at_end && group_state_wants(c->state, p))
            add(&f, c, p);
    bound(c, &f, want);
    return f.plan.n ? fetch_now(w, &f) : OK;
}

void window_ahead(struct cell *c)
{
    struct fetch f = { .plan.n = 0 };
    size_t unread = 0;

    for (const struct page *p = c->pages; p; p = p->next)
        unread += p->left > 0;
    if (c->ahead || unread > 1)
        return;
    for (int p = 0; p < c->stream->row.partitions; p++)
        if (c->windows[p].more)
            add(&f, c, p);
    bound(c, &f, 0);
    if (f.plan.n)
        ahead_ask(c, &f);
}
