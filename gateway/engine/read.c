#include "gateway/engine/read.h"

#include <stdlib.h>

#include "db/read.h"
#include "gateway/base/glob.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

#define ATTEMPTS 3 /* retention may move the beginning while we look */

/* What one call works on: the partitions chosen, with their bounds. */
struct reading {
    struct db *db;
    struct arena *arena;
    struct stream *stream;
    const struct read_spec *spec;
    struct fault *fault;
    size_t n;
    int32_t partition[PARTITIONS_MAX];
    struct bounds_row bounds[PARTITIONS_MAX];
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

static bool like_pattern(struct arena *a, struct slice glob, struct slice *ret)
{
    char *out = arena_alloc(a, glob.n * 2 + 1), *o = out;

    if (!out)
        return false;
    for (size_t i = 0; i < glob.n; i++) {
        if (strchr("%_\\", glob.p[i]))
            *o++ = '\\';
        *o++ = glob.p[i] == '*' ? '%' : glob.p[i];
    }
    *ret = (struct slice){ out, (size_t)(o - out) };
    return true;
}

static bool like_patterns(struct reading *r)
{
    const struct filter *f = r->spec->filter;

    for (size_t i = 0; f && i < f->type_n; i++)
        if (!like_pattern(r->arena, f->types[i], &r->types[i]))
            return false;
    for (size_t i = 0; f && i < f->subject_n; i++)
        if (!like_pattern(r->arena, f->subjects[i], &r->subjects[i]))
            return false;
    return true;
}

static enum err load_bounds(struct reading *r, const int64_t *pos)
{
    int64_t at[PARTITIONS_MAX];
    size_t n = 0, got;
    enum err e;

    for (int p = 0; p < r->stream->row.partitions; p++)
        if (r->spec->only < 0 || p == r->spec->only) {
            at[n] = pos[p];
            r->partition[n++] = p;
        }
    r->n = n;
    e = db_read_bounds(r->db, r->arena, r->stream->row.stream_id, r->partition, at, n, r->bounds, &got, r->fault);
    if (!e && got != n)
        e = fault(r->fault, ERR_UNKNOWN_STREAM, "The stream %.*s was deleted.", (int)r->stream->row.name.n, r->stream->row.name.p);
    return e;
}

/* The last offset recorded before a time, in each partition: a binary search, since `recorded` never goes back. */
static enum err search_time(struct reading *r, int64_t *pos)
{
    int64_t low[PARTITIONS_MAX], high[PARTITIONS_MAX], mid[PARTITIONS_MAX], at[PARTITIONS_MAX];
    int32_t part[PARTITIONS_MAX];
    size_t index[PARTITIONS_MAX], n;
    enum err e;

    for (size_t i = 0; i < r->n; i++) { /* low is before the time, high + 1 is not */
        low[i] = r->bounds[i].earliest - 1;
        high[i] = r->bounds[i].head;
    }
    for (;;) {
        n = 0;
        for (size_t i = 0; i < r->n; i++)
            if (low[i] < high[i]) {
                index[n] = i;
                part[n] = r->partition[i];
                mid[n++] = low[i] + (high[i] - low[i] + 1) / 2;
            }
        if (!n)
            break;
        if ((e = db_recorded_at(r->db, r->arena, r->stream->row.stream_id, part, mid, n, at, r->fault)))
            return e;
        for (size_t k = 0; k < n; k++)
            if (at[k] < r->spec->time_us)
                low[index[k]] = mid[k];
            else
                high[index[k]] = mid[k] - 1;
    }
    for (size_t i = 0; i < r->n; i++)
        pos[r->partition[i]] = low[i];
    return OK;
}

static enum err begin(struct reading *r, int64_t *pos)
{
    enum err e;

    if (r->spec->from == READ_CURSOR)
        memcpy(pos, r->spec->pos, PARTITIONS_MAX * sizeof *pos);
    else
        memset(pos, 0, PARTITIONS_MAX * sizeof *pos);
    if ((e = load_bounds(r, pos)))
        return e;
    if (r->spec->from == READ_CURSOR)
        return OK;
    for (size_t i = 0; i < r->n; i++)
        pos[r->partition[i]] = r->spec->from == READ_LATEST ? r->bounds[i].head : r->bounds[i].earliest - 1;
    if (r->spec->from == READ_TIME && (e = search_time(r, pos)))
        return e;
    return load_bounds(r, pos);
}

/* A cursor outside of what is kept is told, never bridged. */
static enum err check_bounds(struct reading *r, const struct bounds_row *b, size_t n, const int64_t *pos, struct read_page *ret)
{
    struct cursor c = { .count = (int)r->stream->row.partitions };
    bool expired = false;

    memcpy(c.pos, pos, sizeof c.pos);
    for (size_t i = 0; i < n; i++) {
        int p = b[i].partition;

        if (pos[p] > b[i].head)
            return fault(r->fault, ERR_CURSOR_UNKNOWN, "The cursor is beyond the end of partition %d: the database was set back.",
                         p);
        if (pos[p] + 1 < b[i].earliest) {
            expired = true;
            c.pos[p] = b[i].earliest - 1;
        }
    }
    if (!expired)
        return OK;
    memcpy(ret->pos, c.pos, sizeof ret->pos);
    if (r->fault) {
        char text[CURSOR_TEXT];

        r->fault->earliest = arena_strndup(r->arena, text, cursor_format(&c, r->stream->row.name, r->stream->row.stream_id, text));
    }
    return fault(r->fault, ERR_CURSOR_EXPIRED, "Events after this cursor were removed by retention; go on from `earliest`.");
}

/* Shares the page among the partitions that have something, the rest going to those that can use it. */
static size_t share(struct reading *r, const int64_t *pos, struct page_query *q)
{
    int64_t left = r->spec->limit, window[PARTITIONS_MAX], scan = (r->spec->scan - 1) / (int64_t)r->n + 1;
    size_t n = 0, waiting = 0, first = 0;

    for (size_t i = 0; i < r->n; i++) {
        const struct bounds_row *b = &r->bounds[i];
        int64_t upto = b->month_last < b->head ? b->month_last : b->head, after = pos[b->partition];

        if (upto - after > scan)
            upto = after + scan;
        window[i] = upto - after;
        waiting += window[i] > 0;
        first += (size_t)after;
    }
    for (size_t k = 0; waiting && left > 0 && k < r->n; k++) {
        size_t i = (first + k) % r->n; /* begin elsewhere each time: a small limit must not starve the last ones */
        const struct bounds_row *b = &r->bounds[i];
        int64_t take;

        if (window[i] <= 0)
            continue;
        take = (left + (int64_t)waiting - 1) / (int64_t)waiting;
        waiting--;
        if (!r->spec->filter && take > window[i])
            take = window[i];
        left -= take;
        q[n++] = (struct page_query){
            .stream_id = r->stream->row.stream_id, .partition = b->partition, .after = pos[b->partition],
            .upto = pos[b->partition] + window[i], .limit = take, .bytes = r->spec->bytes, .from_us = b->from_us, .to_us = b->to_us,
            .types = r->types, .subjects = r->subjects, .type_n = r->spec->filter ? r->spec->filter->type_n : 0,
            .subject_n = r->spec->filter ? r->spec->filter->subject_n : 0,
        };
    }
    for (size_t i = 0; i < n; i++)
        q[i].bytes = r->spec->bytes / (int64_t)n;
    return n;
}

static void free_rows(void *rows)
{
    rows_free(rows);
}

static void take_event(const struct rows *rows, int i, int32_t partition, struct event *ev)
{
    struct page_row row;

    db_page_row(rows, i, &row);
    *ev = (struct event){
        .id = row.id, .source = row.source, .type = row.type, .subject = row.subject, .attributes = row.attributes,
        .data = row.data, .data_format = (enum data_format)row.data_format, .partition = partition, .offset = row.offset,
        .recorded_us = row.recorded_us, .version = row.version,
        .line_breaks = row.data_format == DATA_JSON &&
                       (memchr(row.data.p, '\n', row.data.n) || memchr(row.data.p, '\r', row.data.n)),
    };
}

/* Moves the position behind what the query has looked at. false: rows are missing that were there (retention, at work just now). */
static bool advance(const struct page_query *q, const struct rows *rows, int64_t *pos)
{
    int64_t last = rows->n ? row_int8(rows, rows->n - 1, 0) : q->after, found;

    if (!q->type_n && !q->subject_n) {
        *pos = last;
        return rows->n && row_int8(rows, 0, 0) == q->after + 1 && last == q->after + rows->n;
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
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* ERR_DB_RETRY: the beginning moved. */
static enum err fetch(struct reading *r, int64_t *pos, struct read_page *ret)
{
    struct page_query q[PARTITIONS_MAX];
    struct bounds_row after[PARTITIONS_MAX];
    size_t n = share(r, pos, q), got = 0, total = 0;
    struct rows *rows = arena_zalloc(r->arena, (n + 1) * sizeof *rows);
    enum err e = OK;

    if (!rows)
        return ERR_NO_MEMORY;
    if (n)
        e = db_read_pages(r->db, r->arena, q, n, rows, after, &got, r->fault);
    for (size_t i = 0; i < n; i++) {
        total += (size_t)rows[i].n;
        if (!arena_defer(r->arena, free_rows, &rows[i])) {
            rows_free(&rows[i]);
            e = ERR_NO_MEMORY;
        }
    }
    if (e)
        return e;
    if (got != n)
        return fault(r->fault, ERR_UNKNOWN_STREAM, "The stream was deleted.");
    metric_add(M_RING_MISSES, (int64_t)n);
    if ((e = check_bounds(r, after, n, pos, ret)))
        return e;
    if (!(ret->events = arena_alloc(r->arena, (total + 1) * sizeof *ret->events)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        if (!advance(&q[i], &rows[i], &pos[q[i].partition]))
            return ERR_DB_RETRY;
        for (int k = 0; k < rows[i].n; k++)
            take_event(&rows[i], k, q[i].partition, &ret->events[ret->n++]);
    }
    if (n > 1)
        qsort(ret->events, ret->n, sizeof *ret->events, by_recorded);
    return OK;
}

enum err read_page(struct db *db, struct arena *a, struct stream *s, const struct read_spec *spec, struct read_page *ret,
                   struct fault *f)
{
    struct reading r = { .db = db, .arena = a, .stream = s, .spec = spec, .fault = f };
    int64_t pos[PARTITIONS_MAX];
    enum err e = like_patterns(&r) ? ERR_DB_RETRY : ERR_NO_MEMORY;

    for (int i = 0; e == ERR_DB_RETRY && i < ATTEMPTS; i++) {
        ret->n = 0;
        if ((e = begin(&r, pos)) || (e = check_bounds(&r, r.bounds, r.n, pos, ret)))
            continue;
        memcpy(ret->start, pos, sizeof ret->start);
        if ((e = fetch(&r, pos, ret)) == ERR_CURSOR_EXPIRED && spec->from != READ_CURSOR)
            e = ERR_DB_RETRY;
    }
    if (e == ERR_DB_RETRY) {
        log_error("offsets are missing in the log", L_SLICE("stream", s->row.name));
        return fault(f, ERR_INTERNAL, "The log of stream %.*s has a gap.", (int)s->row.name.n, s->row.name.p);
    }
    if (e)
        return e;
    memcpy(ret->pos, pos, sizeof ret->pos);
    ret->up_to_date = true;
    for (size_t i = 0; i < r.n; i++)
        ret->up_to_date &= pos[r.partition[i]] >= r.bounds[i].head;
    return OK;
}
