#include "gateway/engine/read.h"

#include <stdlib.h>

#include "db/read.h"
#include "gateway/base/glob.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

#define ATTEMPTS 3 /* retention may move the beginning while we look */

/* A partition that is read. */
struct part {
    struct place at;                /* moves on */
    struct read_member *member;
};

/* What one call works on. */
struct reading {
    struct db *db;
    struct arena *arena;
    const struct read_spec *spec;
    struct fault *fault;
    struct read_member *members;
    size_t member_n;
    size_t n;                       /* partitions, of all members together */
    struct part *parts;
    struct bounds_row *bounds;
    size_t gone;                    /* of members: the one that ERR_UNKNOWN_STREAM means */
    struct slice types[FILTER_MAX], subjects[FILTER_MAX]; /* LIKE patterns */
};

bool filter_match(const struct filter *f, struct slice type, struct slice subject)
{
    bool hit = true;

    if (!f)
        return true;
    for (size_t i = 0; i < f->type_n; i++)
        if ((hit = glob_match(f->types[i], type)))
            break;
    for (size_t i = 0; hit && i < f->subject_n; i++) {
        if (subject.p && glob_match(f->subjects[i], subject))
            return true;
        if (i + 1 == f->subject_n)
            hit = false;
    }
    return hit;
}

static bool like_patterns(struct reading *r)
{
    const struct filter *f = r->spec->filter;

    for (size_t i = 0; f && i < f->type_n; i++)
        if (!(r->types[i] = glob_like(r->arena, f->types[i])).p)
            return false;
    for (size_t i = 0; f && i < f->subject_n; i++)
        if (!(r->subjects[i] = glob_like(r->arena, f->subjects[i])).p)
            return false;
    return true;
}

static bool chosen(const struct reading *r, int partition)
{
    return r->spec->only < 0 || partition == r->spec->only;
}

static bool make_parts(struct reading *r)
{
    size_t max = 0;

    for (size_t i = 0; i < r->member_n; i++)
        max += (size_t)r->members[i].stream->row.partitions;
    r->parts = arena_zalloc(r->arena, (max + 1) * sizeof *r->parts);
    r->bounds = arena_alloc(r->arena, (max + 1) * sizeof *r->bounds);
    if (!r->parts || !r->bounds)
        return false;
    for (size_t i = 0; i < r->member_n; i++)
        for (int p = 0; p < r->members[i].stream->row.partitions; p++)
            if (chosen(r, p))
                r->parts[r->n++] = (struct part){ { r->members[i].stream->row.stream_id, 0, p }, &r->members[i] };
    return true;
}

static enum err deleted(struct reading *r, const struct part *part)
{
    struct slice name = part->member->stream->row.name;

    r->gone = (size_t)(part->member - r->members);
    return fault(r->fault, ERR_UNKNOWN_STREAM, "The stream %.*s was deleted.", (int)name.n, name.p);
}

static enum err load_bounds(struct reading *r)
{
    size_t gone = 0;
    enum err e = db_read_bounds(r->db, r->arena, &r->parts->at, sizeof *r->parts, r->n, r->bounds, &gone, r->fault);

    return e || gone == r->n ? e : deleted(r, &r->parts[gone]);
}

/* The last offset recorded before a time, in each partition: a binary search, since `recorded` never goes back. */
static enum err search_time(struct reading *r)
{
    int64_t *high = arena_alloc(r->arena, (r->n + 1) * 2 * sizeof *high), *at = high + r->n;
    struct place *mid = arena_alloc(r->arena, (r->n + 1) * sizeof *mid);
    size_t *index = arena_alloc(r->arena, (r->n + 1) * sizeof *index), n;
    enum err e;

    if (!high || !mid || !index)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < r->n; i++) /* the part's place is before the time, high + 1 is not */
        high[i] = r->bounds[i].head;
    for (;;) {
        n = 0;
        for (size_t i = 0; i < r->n; i++)
            if (r->parts[i].at.offset < high[i]) {
                index[n] = i;
                mid[n] = r->parts[i].at;
                mid[n++].offset += (high[i] - r->parts[i].at.offset + 1) / 2;
            }
        if (!n)
            return OK;
        if ((e = db_recorded_at(r->db, r->arena, mid, n, at, r->fault)))
            return e;
        for (size_t k = 0; k < n; k++)
            if (at[k] < r->spec->time_us)
                r->parts[index[k]].at.offset = mid[k].offset;
            else
                high[index[k]] = mid[k].offset - 1;
    }
}

static enum err begin(struct reading *r)
{
    enum err e;

    for (size_t i = 0; i < r->n; i++)
        r->parts[i].at.offset = r->spec->from == READ_CURSOR ? r->parts[i].member->pos[r->parts[i].at.partition] : 0;
    if ((e = load_bounds(r)) || r->spec->from == READ_CURSOR)
        return e;
    for (size_t i = 0; i < r->n; i++)
        r->parts[i].at.offset = r->spec->from == READ_LATEST ? r->bounds[i].head : r->bounds[i].earliest - 1;
    if (r->spec->from == READ_TIME && (e = search_time(r)))
        return e;
    return load_bounds(r);
}

/* All positions, as they stand, into each member's start or end. */
static void put_positions(const struct reading *r, bool end)
{
    for (size_t i = 0; i < r->member_n; i++) {
        struct read_member *m = &r->members[i];

        for (int p = 0; p < m->stream->row.partitions; p++)
            (end ? m->end : m->start)[p] = r->spec->from == READ_CURSOR ? m->pos[p] : 0;
    }
    for (size_t i = 0; i < r->n; i++)
        (end ? r->parts[i].member->end : r->parts[i].member->start)[r->parts[i].at.partition] = r->parts[i].at.offset;
}

/* A cursor outside of what is kept is told, never bridged. `which`: the parts that the bounds are of; NULL: all, in order. */
static enum err check_bounds(struct reading *r, const struct bounds_row *b, const size_t *which, size_t n)
{
    bool expired = false;

    for (size_t i = 0; i < n; i++) {
        const struct part *part = &r->parts[which ? which[i] : i];

        if (part->at.offset > b[i].head)
            return fault(r->fault, ERR_CURSOR_UNKNOWN, "The cursor is beyond the end of partition %d: the database was set back.",
                         part->at.partition);
        if (part->at.offset + 1 >= b[i].earliest)
            continue;
        if (!expired)
            put_positions(r, true);
        expired = true;
        part->member->end[part->at.partition] = b[i].earliest - 1;
    }
    if (!expired)
        return OK;
    return fault(r->fault, ERR_CURSOR_EXPIRED, "Events after this cursor were removed by retention; go on from `earliest`.");
}

/* Where among its n partitions a page begins: elsewhere each time, so that a small limit does not starve the last ones. A page
 * that cannot ask for all of them takes the next start by chance (multiplicative hashing), since its own size may divide n. */
static size_t first_part(const struct reading *r)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < r->n; i++)
        sum += (uint64_t)r->parts[i].at.offset;
    if (r->n > PAGE_QUERIES_MAX)
        sum = sum * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    return r->n ? sum % r->n : 0;
}

/* A part's share of the page. */
struct cut {
    size_t part;
    int64_t window, limit;       /* offsets to look at; events */
};

static struct page_query query_of(const struct reading *r, const struct cut *c, size_t n)
{
    const struct bounds_row *b = &r->bounds[c->part];
    const struct place *at = &r->parts[c->part].at;
    const struct filter *f = r->spec->filter;

    return (struct page_query){
        .after = *at, .upto = at->offset + c->window, .limit = c->limit, .bytes = r->spec->bytes / (int64_t)n,
        .from_us = b->from_us, .to_us = b->to_us, .types = r->types, .subjects = r->subjects, .type_n = f ? f->type_n : 0,
        .subject_n = f ? f->subject_n : 0,
    };
}

/* Partitions that have something, as many as a page can ask for. */
static size_t choose(const struct reading *r, struct cut *cut)
{
    size_t n = 0, waiting = 0, first = first_part(r);
    size_t max = r->spec->limit < PAGE_QUERIES_MAX ? (size_t)r->spec->limit : PAGE_QUERIES_MAX;
    int64_t scan;

    for (size_t i = 0; i < r->n; i++)
        waiting += r->bounds[i].head > r->parts[i].at.offset;
    scan = waiting ? (r->spec->scan - 1) / (int64_t)waiting + 1 : 0;
    for (size_t k = 0; n < max && k < r->n; k++) {
        size_t i = (first + k) % r->n;
        const struct bounds_row *b = &r->bounds[i];
        int64_t window = (b->month_last < b->head ? b->month_last : b->head) - r->parts[i].at.offset;

        if (window > 0)
            cut[n++] = (struct cut){ i, window < scan ? window : scan, 0 };
    }
    return n;
}

static int by_window(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;

    return (x->window > y->window) - (x->window < y->window);
}

static int by_part(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;

    return (x->part > y->part) - (x->part < y->part);
}

/* The queries of a page, in the order of the parts. They share it, what the short ones leave going to the long ones. */
static size_t make_queries(const struct reading *r, struct page_query *q, size_t *which)
{
    struct cut cut[PAGE_QUERIES_MAX];
    size_t n = choose(r, cut);
    int64_t left = r->spec->limit;

    qsort(cut, n, sizeof *cut, by_window);
    for (size_t i = 0; i < n; i++) {
        cut[i].limit = (left + (int64_t)(n - i) - 1) / (int64_t)(n - i);
        if (!r->spec->filter && cut[i].limit > cut[i].window)
            cut[i].limit = cut[i].window;
        left -= cut[i].limit;
    }
    qsort(cut, n, sizeof *cut, by_part);
    for (size_t i = 0; i < n; i++) {
        which[i] = cut[i].part;
        q[i] = query_of(r, &cut[i], n);
    }
    return n;
}

static void free_rows(void *rows)
{
    rows_free(rows);
}

struct event event_of_row(const struct page_row *row, int32_t partition)
{
    return (struct event){
        .id = row->id, .source = row->source, .type = row->type, .subject = row->subject, .attributes = row->attributes,
        .data = row->data, .data_format = (enum data_format)row->data_format, .partition = partition, .offset = row->offset,
        .recorded_us = row->recorded_us, .version = row->version,
        .line_breaks = row->data_format == DATA_JSON &&
                       (memchr(row->data.p, '\n', row->data.n) || memchr(row->data.p, '\r', row->data.n)),
    };
}

static void take_event(const struct reading *r, const struct rows *rows, int i, const struct part *part, struct event *ev)
{
    struct page_row row;

    db_page_row(rows, i, &row);
    *ev = event_of_row(&row, part->at.partition);
    ev->member = (int32_t)(part->member - r->members);
}

/* Moves the position behind what the query has looked at. false: rows are missing that were there (retention, at work just now). */
static bool advance(const struct page_query *q, const struct rows *rows, int64_t *pos)
{
    int64_t last = rows->n ? row_int8(rows, rows->n - 1, 0) : q->after.offset, found;

    if (!q->type_n && !q->subject_n) {
        *pos = last;
        return rows->n && row_int8(rows, 0, 0) == q->after.offset + 1 && last == q->after.offset + rows->n;
    }
    found = db_page_found(rows);
    *pos = found > rows->n || found == q->limit ? last : q->upto;
    return true;
}

static int by_recorded(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->recorded_us != y->recorded_us)
        return x->recorded_us < y->recorded_us ? -1 : 1;
    if (x->member != y->member)
        return x->member < y->member ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Asks, and looks again where the beginning is. */
static enum err query(struct reading *r, const struct page_query *q, const size_t *which, size_t n, struct rows *rows)
{
    struct bounds_row *after = arena_alloc(r->arena, (n + 1) * sizeof *after);
    size_t gone = 0;
    enum err e = OK;

    if (!after)
        return ERR_NO_MEMORY;
    if (n)
        e = db_read_pages(r->db, r->arena, q, n, rows, after, &gone, r->fault);
    for (size_t i = 0; i < n; i++)
        if (!arena_defer(r->arena, free_rows, &rows[i])) {
            rows_free(&rows[i]);
            e = ERR_NO_MEMORY;
        }
    if (e)
        return e;
    if (gone != n)
        return deleted(r, &r->parts[which[gone]]);
    metric_add(M_RING_MISSES, (int64_t)n);
    return check_bounds(r, after, which, n);
}

/* ERR_DB_RETRY: the beginning moved. */
static enum err fetch(struct reading *r, struct read_page *ret)
{
    struct page_query q[PAGE_QUERIES_MAX];
    size_t which[PAGE_QUERIES_MAX], n = make_queries(r, q, which), total = 0;
    struct rows *rows = arena_zalloc(r->arena, (n + 1) * sizeof *rows);
    enum err e = rows ? query(r, q, which, n, rows) : ERR_NO_MEMORY;

    if (e)
        return e;
    for (size_t i = 0; i < n; i++)
        total += (size_t)rows[i].n;
    if (!(ret->events = arena_alloc(r->arena, (total + 1) * sizeof *ret->events)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        struct part *part = &r->parts[which[i]];

        if (!advance(&q[i], &rows[i], &part->at.offset))
            return ERR_DB_RETRY;
        for (int k = 0; k < rows[i].n; k++)
            take_event(r, &rows[i], k, part, &ret->events[ret->n++]);
    }
    if (n > 1)
        qsort(ret->events, ret->n, sizeof *ret->events, by_recorded);
    return OK;
}

static void finish(struct reading *r, struct read_page *ret)
{
    put_positions(r, true);
    ret->up_to_date = true;
    for (size_t i = 0; i < r->member_n; i++)
        r->members[i].up_to_date = true;
    for (size_t i = 0; i < r->n; i++)
        if (r->parts[i].at.offset < r->bounds[i].head)
            r->parts[i].member->up_to_date = ret->up_to_date = false;
}

enum err read_members(struct db *db, struct arena *a, struct read_member *m, size_t n, const struct read_spec *spec,
                      struct read_page *ret, size_t *ret_gone, struct fault *f)
{
    struct reading r = { .db = db, .arena = a, .spec = spec, .fault = f, .members = m, .member_n = n };
    enum err e = like_patterns(&r) && make_parts(&r) ? ERR_DB_RETRY : ERR_NO_MEMORY;

    for (int i = 0; e == ERR_DB_RETRY && i < ATTEMPTS; i++) {
        ret->n = 0;
        if ((e = begin(&r)) || (e = check_bounds(&r, r.bounds, NULL, r.n)))
            continue;
        put_positions(&r, false);
        if ((e = fetch(&r, ret)) == ERR_CURSOR_EXPIRED && spec->from != READ_CURSOR)
            e = ERR_DB_RETRY;
    }
    *ret_gone = r.gone;
    if (e == ERR_DB_RETRY) {
        log_error("offsets are missing in the log", L_SLICE("stream", m->stream->row.name), L_INT("streams", (int64_t)n));
        return fault(f, ERR_INTERNAL, "The log has a gap.");
    }
    if (!e)
        finish(&r, ret);
    return e;
}

enum err read_page(struct db *db, struct arena *a, struct stream *s, const struct read_spec *spec, struct read_page *ret,
                   struct fault *f)
{
    struct read_member m = { .stream = s, .pos = spec->pos, .start = ret->start, .end = ret->pos };
    struct cursor c = { .count = (int)s->row.partitions };
    size_t gone;
    enum err e = read_members(db, a, &m, 1, spec, ret, &gone, f);

    if (e == ERR_CURSOR_EXPIRED && f) {
        char text[CURSOR_TEXT];

        memcpy(c.pos, ret->pos, sizeof c.pos);
        f->earliest = arena_strndup(a, text, cursor_format(&c, s->row.name, s->row.stream_id, text));
    }
    return e;
}
