#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/engine/arrivals.h"
#include "gateway/engine/cursor_many.h"
#include "gateway/engine/selection.h"
#include "handlers/handlers.h"
#include "handlers/reading.h"

/* Several streams with one cursor: which they are, and what the cursor says of them. All else is as with one. */
struct many {
    struct selection selection;
    struct arrival *arrival;    /* NULL: no pattern, or the reader does not wait */
    struct arrivals *arrivals;
    struct request *rq;
    atomic_bool came;           /* a stream that a pattern covers, perhaps */
    bool resolved;
    size_t parts;               /* partitions of all members */
    struct cursor_many *cursor; /* made of ids; both when members change */
    struct cursor_id ids[CURSOR_PARTS_MAX];
};

static void wake(void *many, bool more)
{
    struct many *m = many;

    atomic_store(&m->came, true);
    request_wake_wave(m->rq, more);
}

void many_free(struct reading *r)
{
    arrivals_unwatch(r->many->arrivals, r->many->arrival);
    free(r->many->cursor);
    free(r->many);
}

bool many_came(const struct reading *r)
{
    return r->many && atomic_load(&r->many->came);
}

void many_changed(struct reading *r)
{
    struct many *m = r->many;

    m->parts = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct stream_row *row = &r->members[i]->stream->row;

        m->ids[i] = (struct cursor_id){ row->stream_id, (int32_t)row->partitions, m->parts };
        m->parts += (size_t)row->partitions;
    }
    cursor_many_make(m->cursor, m->ids, r->n);
}

size_t many_cursor(const struct reading *r, char *out)
{
    int64_t pos[CURSOR_PARTS_MAX];

    for (size_t i = 0; i < r->n; i++)
        memcpy(pos + r->many->ids[i].first, r->members[i]->pos, (size_t)r->many->ids[i].partitions * sizeof *pos);
    return cursor_many_format(r->many->cursor, r->many->ids, r->n, pos, out);
}

/* --- which streams there are --- */

static bool is_member(const struct reading *r, int64_t stream_id)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->members[i]->stream->row.stream_id == stream_id)
            return true;
    return false;
}

static bool may_read(const struct request *rq, struct slice name)
{
    return principal_may(rq->who, PERM_SUBSCRIBE, name);
}

/* What the patterns find: passes over what is named, known or not allowed, and counts the rest. */
struct search {
    const struct request *rq;
    const struct reading *r;
    size_t parts;
};

static bool wanted(void *arg, const struct stream_row *row)
{
    struct search *f = arg;
    const struct selection *s = &f->r->many->selection;

    if (!selection_covers(s, row->name) || selection_names(s, row->name) || !may_read(f->rq, row->name) ||
        is_member(f->r, row->stream_id))
        return false;
    f->parts += (size_t)row->partitions;
    return f->parts <= CURSOR_PARTS_MAX;
}

static enum err too_many(struct request *rq, size_t parts)
{
    return fault(&rq->fault, ERR_TOO_MANY_PARTITIONS, "The streams selected have %zu partitions; %d may be read together.", parts,
                 CURSOR_PARTS_MAX);
}

static enum err add_named(struct request *rq, struct reading *r)
{
    const struct selection *s = &r->many->selection;
    size_t parts = 0;

    for (size_t i = 0; i < s->name_n; i++) {
        struct stream *one = streams_cached(rq->app->streams, s->names[i]);
        struct member *m;
        enum err e = one ? OK : streams_load(rq->app->streams, rq->db, s->names[i], &one, &rq->fault);

        if (e)
            return e;
        parts += (size_t)one->row.partitions;
        if (!(m = reading_add(rq, r, one)))
            return ERR_NO_MEMORY;
        m->named = true;
    }
    return parts > CURSOR_PARTS_MAX ? too_many(rq, parts) : OK;
}

static enum err add_matching(struct request *rq, struct reading *r, struct arena *a)
{
    const struct selection *s = &r->many->selection;
    struct stream *found[CURSOR_PARTS_MAX];
    struct search f = { rq, r, 0 };
    size_t n = 0;
    enum err e;

    for (size_t i = 0; i < r->n; i++)
        f.parts += (size_t)r->members[i]->stream->row.partitions;
    e = streams_match(rq->app->streams, rq->db, a, s->patterns, s->pattern_n, wanted, &f, found, &n, &rq->fault);
    if (!e && f.parts > CURSOR_PARTS_MAX)
        e = too_many(rq, f.parts);
    for (size_t i = 0; i < n; i++)
        if (e)
            stream_unref(found[i]);
        else if (!reading_add(rq, r, found[i]))
            e = ERR_NO_MEMORY;
    return e;
}

/* --- what a cursor says of them --- */

/* The streams of a cursor that are not among the members: still there, or deleted? */
struct missing {
    const struct request *rq;
    const struct selection *selection;
    const struct cursor_many *cursor;
    bool found[CURSOR_PARTS_MAX];
    size_t found_n;
    bool foreign;               /* one that is there and is not selected */
};

static void look_at(void *arg, int64_t stream_id, struct slice name)
{
    struct missing *m = arg;
    const struct cursor_stream *v = cursor_many_find(m->cursor, stream_id);

    if (!v || m->found[v - m->cursor->v])
        return;
    m->found[v - m->cursor->v] = true;
    m->found_n++;
    if (may_read(m->rq, name) || !(selection_covers(m->selection, name) || selection_names(m->selection, name)))
        m->foreign = true;
}

/* Streams by pattern may have gone since; a name that stands for another stream than it did is told. */
static enum err judge_missing(struct request *rq, struct missing *m, bool joined_by_name)
{
    enum err e = db_stream_ids(rq->db, look_at, m, &rq->fault);

    if (e)
        return e;
    if (m->foreign)
        return fault(&rq->fault, ERR_CURSOR_FOREIGN, "This cursor covers streams that are not selected here.");
    if (m->found_n < m->cursor->n && joined_by_name)
        return fault(&rq->fault, ERR_CURSOR_UNKNOWN, "A stream of this cursor was deleted since, perhaps one that is named here.");
    return OK;
}

/* Sets the positions of the members; one that the cursor does not know has come since and is read from its beginning. */
static enum err apply_cursor(struct request *rq, struct reading *r, struct arena *a)
{
    struct cursor_many *c = arena_alloc(a, sizeof *c);
    struct missing *missing = arena_zalloc(a, sizeof *missing);
    int64_t pos[CURSOR_PARTS_MAX];
    bool joined_by_name = false;
    uint32_t digest = 0;
    enum err e;

    if (!c || !missing)
        return ERR_NO_MEMORY;
    if ((e = cursor_many_parse(r->cursor_text, c, pos, &rq->fault)))
        return e;
    missing->rq = rq;
    missing->selection = &r->many->selection;
    missing->cursor = c;
    for (size_t i = 0; i < r->n; i++) {
        struct member *m = r->members[i];
        const struct cursor_stream *v = cursor_many_find(c, m->stream->row.stream_id);

        joined_by_name |= !v && m->named;
        if (!v)
            continue;
        if (v->partitions != m->stream->row.partitions)
            return fault(&rq->fault, ERR_CURSOR_UNKNOWN, "The cursor does not fit the partitions of a stream.");
        memcpy(m->pos, pos + v->first, (size_t)v->partitions * sizeof *pos);
        missing->found[v - c->v] = true;
        missing->found_n++;
        digest = cursor_digest(digest, m->stream->row.stream_id);
    }
    if (missing->found_n < c->n)
        return judge_missing(rq, missing, joined_by_name);
    return digest == c->digest ? OK : fault(&rq->fault, ERR_CURSOR_UNKNOWN, "A stream of this cursor was deleted since.");
}

enum err many_resolve(struct request *rq, struct reading *r, struct arena *a)
{
    struct many *m = r->many;
    bool came = atomic_exchange(&m->came, false), first = !m->resolved;
    enum err e = OK;

    if (first)
        e = add_named(rq, r);
    if (!e && (first || came) && m->selection.pattern_n)
        e = add_matching(rq, r, a);
    if (!e && first && r->cursor_text.p)
        e = apply_cursor(rq, r, a);
    if (!e && (first || came))
        many_changed(r);
    m->resolved |= e == OK;
    return e;
}

/* --- the request --- */

static enum err select_streams(struct request *rq, struct many *m)
{
    struct slice texts[SELECTION_MAX];
    size_t n = request_query_all(rq, "stream", texts, SELECTION_MAX);
    enum err e = selection_make(&m->selection, rq->arena, texts, n, &rq->fault);

    for (size_t i = 0; !e && i < m->selection.name_n; i++) {
        struct slice name = m->selection.names[i];

        if (!may_read(rq, name))
            e = fault(&rq->fault, ERR_FORBIDDEN, "The token does not allow to read %.*s.", (int)name.n, name.p);
    }
    return e;
}

static enum err begin(struct request *rq, struct reading *r)
{
    struct many *m = calloc(1, sizeof *m);
    enum err e;

    if (!(r->many = m))
        return ERR_NO_MEMORY;
    m->rq = rq;
    m->arrivals = tail_arrivals(rq->app->tail);
    if (!(m->cursor = calloc(1, sizeof *m->cursor)))
        return ERR_NO_MEMORY;
    if ((e = select_streams(rq, m)))
        return e;
    if (m->selection.pattern_n && (r->format == READ_SSE || r->deadline_us) && /* before the first look */
        !(m->arrival = arrivals_watch(m->arrivals, &m->selection, wake, m)))
        return ERR_NO_MEMORY;
    return request_job(rq, reading_page);
}

enum err handle_read_many(struct request *rq, struct reply *rp)
{
    struct reading *r = rq->state;
    enum err e;

    if (r)
        return reading_answer(rq, rp, r);
    if ((e = reading_open(rq, CURSOR_PARTS_MAX, &r)))
        return e;
    return begin(rq, r);
}
