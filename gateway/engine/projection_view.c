#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine/projection_parts.h"
#include "gateway/engine/projection_view.h"

/* --- where a projection stands --- */

enum err projection_view_make(struct arena *a, const struct projection_view_row *row, struct projection_view *v)
{
    *v = (struct projection_view){
        .projection_id = row->projection.projection_id, .build = row->projection.build, .paused = row->projection.paused,
        .name = row->projection.name, .definition = row->definition, .error = row->error, .n = row->n,
        .streams = arena_alloc(a, (row->n + 1) * sizeof *v->streams),
        .pos = arena_alloc(a, (row->n + 1) * sizeof *v->pos),
        .kept = arena_alloc(a, (row->n + 1) * sizeof *v->kept),
        .part = arena_alloc(a, (row->n + 1) * sizeof *v->part),
    };
    if (!v->streams || !v->pos || !v->kept || !v->part)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < row->n; i++) {
        const struct part_row *p = &row->parts[i];

        if (!v->stream_n || v->streams[v->stream_n - 1].stream_id != p->at.stream_id)
            v->streams[v->stream_n++] = (struct projection_stream){ p->stream, p->at.stream_id, 0, i };
        v->streams[v->stream_n - 1].partitions++;
        v->pos[i] = p->at.offset;
        v->kept[i] = p->kept;
        v->part[i] = p->part;
    }
    return OK;
}

enum err projections_look(struct db *db, struct arena *a, struct slice name, struct projection_view *ret, struct fault *f)
{
    struct projection_view_row row;
    enum err e = db_projection_view(db, a, name, true, &row, f);

    return e ? e : projection_view_make(a, &row, ret);
}

/* --- positions --- */

static void cursor_ids(const struct projection_view *v, struct cursor_id *ids)
{
    for (size_t i = 0; i < v->stream_n; i++)
        ids[i] = (struct cursor_id){ v->streams[i].stream_id, v->streams[i].partitions, v->streams[i].first };
}

size_t projection_position(const struct projection_view *v, const int64_t *pos, char *out)
{
    struct cursor_id ids[CURSOR_PARTS_MAX];
    struct cursor one = { 0 };
    struct cursor_many *many;
    size_t n = 0;

    if (v->stream_n == 1) {
        one.count = v->streams[0].partitions;
        memcpy(one.pos, pos, (size_t)one.count * sizeof *one.pos);
        return cursor_format(&one, v->streams[0].name, v->streams[0].stream_id, out);
    }
    if (!v->stream_n || !(many = malloc(sizeof *many)))
        return 0;
    cursor_ids(v, ids);
    cursor_many_make(many, ids, v->stream_n);
    n = cursor_many_format(many, ids, v->stream_n, pos, out);
    free(many);
    return n;
}

/* A cursor of several streams, all of them the projection's: puts the places. *ret_all: of all of them. */
static enum err read_many(struct arena *a, const struct projection_view *v, struct slice text, struct projection_target *t,
                          bool *ret_all, struct fault *f)
{
    struct cursor_many *c = arena_alloc(a, sizeof *c);
    int64_t *pos = arena_alloc(a, CURSOR_PARTS_MAX * sizeof *pos);
    uint32_t digest = 0;
    size_t found = 0;
    enum err e = c && pos ? cursor_many_parse(text, c, pos, f) : ERR_NO_MEMORY;

    if (e)
        return e;
    for (size_t i = 0; i < v->stream_n; i++) {
        const struct projection_stream *s = &v->streams[i];
        const struct cursor_stream *at = cursor_many_find(c, s->stream_id);

        if (!at || at->partitions != s->partitions)
            continue;
        found++;
        digest = cursor_digest(digest, s->stream_id);
        for (int p = 0; p < s->partitions; p++)
            t->v[t->n++] = (struct place){ s->stream_id, pos[at->first + (size_t)p], p };
    }
    *ret_all = found == v->stream_n;
    return found == c->n && digest == c->digest ? OK :
           fault(f, ERR_CURSOR_UNKNOWN, "The cursor is of streams that the projection does not have, or that were deleted.");
}

/* A cursor of one stream. */
static enum err read_one(const struct projection_view *v, struct slice text, struct projection_target *t, bool *ret_all,
                         struct fault *f)
{
    enum err e = ERR_CURSOR_FOREIGN;
    struct cursor c;

    for (size_t i = 0; i < v->stream_n && e == ERR_CURSOR_FOREIGN; i++) {
        const struct projection_stream *s = &v->streams[i];
        struct fault why = { 0 };

        if ((e = cursor_parse(text, s->name, s->stream_id, &c, &why))) {
            if (f)
                *f = why;
            continue;
        }
        if (f)
            *f = (struct fault){ 0 };
        for (int p = 0; p < c.count; p++)
            t->v[t->n++] = (struct place){ s->stream_id, c.pos[p], c.partial ? c.partition[p] : p };
        *ret_all = v->stream_n == 1 && !c.partial && c.count == s->partitions;
    }
    return e;
}

/* *ret_all: it has every partition of every stream. */
static enum err read_places(struct arena *a, const struct projection_view *v, struct slice text, struct projection_target *t,
                            bool *ret_all, struct fault *f)
{
    struct fault many = { 0 };
    enum err e;

    *t = (struct projection_target){ .v = arena_alloc(a, (v->n + PARTITIONS_MAX + 1) * sizeof *t->v) };
    *ret_all = false;
    if (!t->v)
        return ERR_NO_MEMORY;
    if ((e = read_many(a, v, text, t, ret_all, &many)) != ERR_CURSOR_FOREIGN) {
        if (e && f)
            *f = many;
        return e;
    }
    if (!v->stream_n)
        return fault(f, ERR_CURSOR_FOREIGN, "None of the projection's streams exists.");
    t->n = 0;
    return read_one(v, text, t, ret_all, f);
}

enum err projection_positions(struct arena *a, const struct projection_view *v, struct slice text, int64_t **ret_pos,
                               struct fault *f)
{
    struct projection_target t;
    bool all;
    enum err e = read_places(a, v, text, &t, &all, f);

    if (!e && !all)
        e = fault(f, ERR_CURSOR_PARTIAL, "The cursor is not of all partitions of the projection's streams.");
    if (!e && !(*ret_pos = arena_zalloc(a, (v->n + 1) * sizeof **ret_pos)))
        e = ERR_NO_MEMORY;
    for (size_t i = 0; !e && i < v->stream_n; i++)
        for (size_t k = 0; k < t.n; k++)
            if (t.v[k].stream_id == v->streams[i].stream_id)
                (*ret_pos)[v->streams[i].first + (size_t)t.v[k].partition] = t.v[k].offset;
    return e;
}

/* The heads of all streams; the caller has room for all partitions. */
static enum err read_heads(struct db *db, const struct projection_view *v, struct place *ret, size_t *ret_n, struct fault *f)
{
    struct head_row heads[PARTITIONS_MAX];
    size_t n;
    enum err e = OK;

    *ret_n = 0;
    for (size_t i = 0; !e && i < v->stream_n; i++) {
        e = streams_heads(db, v->streams[i].stream_id, heads, &n, f);
        for (size_t k = 0; !e && k < n && k < (size_t)v->streams[i].partitions; k++)
            ret[(*ret_n)++] = (struct place){ v->streams[i].stream_id, heads[k].head, heads[k].partition };
    }
    return e;
}

/* One beyond the end would be waited for in vain. */
static enum err check_heads(struct db *db, struct arena *a, const struct projection_view *v, const struct projection_target *t,
                            struct fault *f)
{
    struct place *heads = arena_alloc(a, (v->n + 1) * sizeof *heads);
    size_t n = 0;
    enum err e = heads ? read_heads(db, v, heads, &n, f) : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < t->n; i++)
        for (size_t k = 0; !e && k < n; k++)
            if (heads[k].stream_id == t->v[i].stream_id && heads[k].partition == t->v[i].partition &&
                heads[k].offset < t->v[i].offset)
                e = fault(f, ERR_CURSOR_UNKNOWN, "The cursor is beyond the end of partition %d: the database was set back.",
                          heads[k].partition);
    return e;
}

static bool has_stream(const struct projection_view *v, int64_t stream_id)
{
    size_t i = 0;

    while (i < v->stream_n && v->streams[i].stream_id != stream_id)
        i++;
    return i < v->stream_n;
}

/* The view with the streams that were made since, in place of others of their names and behind all: without positions. */
static enum err look_ahead(struct db *db, struct arena *a, const struct projection_view *v, struct projection_view *ret,
                           struct fault *f)
{
    struct stream_ahead *more;
    size_t n;
    enum err e = db_streams_ahead(db, a, v->projection_id, v->build, &v->streams->stream_id, sizeof *v->streams, v->stream_n, &more,
                                  &n, f);

    *ret = *v;
    if (e || !n)
        return e;
    if (!(ret->streams = arena_alloc(a, (v->stream_n + n) * sizeof *ret->streams)))
        return ERR_NO_MEMORY;
    ret->stream_n = 0;
    for (size_t i = 0, k; i < v->stream_n; i++) {
        for (k = 0; k < n && !slice_eq(more[k].name, v->streams[i].name);)
            k++;
        if (k == n)
            ret->streams[ret->stream_n++] = v->streams[i];
    }
    for (size_t k = 0; k < n; k++) {
        ret->streams[ret->stream_n++] = (struct projection_stream){ more[k].name, more[k].stream_id, more[k].partitions, ret->n };
        ret->n += (size_t)more[k].partitions;
    }
    return OK;
}

/* These come last. */
static size_t count_ahead(const struct projection_view *v, const struct projection_target *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        n += !has_stream(v, t->v[i].stream_id);
    return n;
}

enum err projections_target(struct db *db, struct arena *a, const struct projection_view *v, struct slice text,
                            struct projection_target *ret, struct fault *f)
{
    struct projection_view soon;
    struct fault why = { 0 };
    bool all;
    enum err e, first;

    *ret = (struct projection_target){ 0 };
    if (slice_is(text, "earliest"))
        return OK;
    if (slice_is(text, "latest")) {
        if ((e = look_ahead(db, a, v, &soon, f)) || !(ret->v = arena_alloc(a, (soon.n + 1) * sizeof *ret->v)))
            return e ? e : ERR_NO_MEMORY;
        e = read_heads(db, &soon, ret->v, &ret->n, f);
        ret->ahead = count_ahead(v, ret);
        return e;
    }
    if (!(first = read_places(a, v, text, ret, &all, &why)))
        return projection_reached(v, ret) ? OK : check_heads(db, a, v, ret, f);
    if (first == ERR_CURSOR_FOREIGN || first == ERR_CURSOR_UNKNOWN) {
        if ((e = look_ahead(db, a, v, &soon, f)))
            return e;
        if (!read_places(a, &soon, text, ret, &all, NULL) && (ret->ahead = count_ahead(v, ret)))
            return check_heads(db, a, &soon, ret, f);
    }
    if (f)
        *f = why;
    return first;
}

bool projection_reached(const struct projection_view *v, const struct projection_target *t)
{
    for (size_t i = 0; i < t->n; i++)
        for (size_t s = 0; s < v->stream_n; s++)
            if (v->streams[s].stream_id == t->v[i].stream_id && t->v[i].partition < v->streams[s].partitions &&
                v->pos[v->streams[s].first + (size_t)t->v[i].partition] < t->v[i].offset)
                return false;
    for (size_t i = t->n - t->ahead; i < t->n; i++)
        if (t->v[i].offset > 0 && !has_stream(v, t->v[i].stream_id))
            return false;
    return true;
}

/* --- states --- */

enum err projections_state(struct db *db, struct arena *a, struct slice name, struct slice key, struct projection_view *ret_view,
                           struct projection_state *ret, struct fault *f)
{
    struct projection_view_row row;
    enum err e = db_projection_state(db, a, name, key, &row, ret, f);

    return e ? e : projection_view_make(a, &row, ret_view);
}

size_t projection_etag(const struct projection_view *v, const struct projection_state *s, char out[PROJECTION_ETAG])
{
    return (size_t)snprintf(out, PROJECTION_ETAG, "%lld-%d-%d-%lld", (long long)v->projection_id, s->build, s->last_part,
                            (long long)s->last_offset);
}

/* Pages, as their states are looked at. */
struct look {
    struct db *db;
    struct arena *a;
    const struct projection_view *v;
    const struct projection_query *q;
    struct states_query at;
    struct fold_where *where;
};

static enum err read_wheres(struct projections *p, struct look *l, struct fault *f)
{
    struct projection_definition def;
    enum err e;

    if (!l->q->where_n)
        return OK;
    if (!(l->where = arena_alloc(l->a, l->q->where_n * sizeof *l->where)))
        return ERR_NO_MEMORY;
    if ((e = projection_definition_parse(l->a, l->v->definition, (size_t)p->config->projections_state_bytes, &def, f)))
        return e == ERR_NO_MEMORY ? e : ERR_INTERNAL;
    for (size_t i = 0; i < l->q->where_n; i++)
        if ((e = fold_where_parse(def.fold, l->a, l->q->where[i], &l->where[i], f)))
            return e;
    for (size_t i = 0; i < l->q->where_n && !l->at.hash_n; i++) {
        l->at.hashes = l->where[i].hash;
        l->at.hash_n = l->where[i].indexed ? l->where[i].hash_n : 0;
    }
    return OK;
}

/* A text that is greater than all keys that begin with the prefix, which are not longer than this. */
static bool end_of_prefix(struct arena *a, struct slice prefix, struct slice *ret)
{
    static const char last[4] = "\xf4\x8f\xbf\xbf"; /* U+10FFFF */
    char *s = arena_alloc(a, prefix.n + FOLD_KEY_MAX + sizeof last);
    size_t n = prefix.n;

    if (!s)
        return false;
    memcpy(s, prefix.p, n);
    for (size_t i = 0; i <= FOLD_KEY_MAX / sizeof last; i++, n += sizeof last)
        memcpy(s + n, last, sizeof last);
    *ret = (struct slice){ s, n };
    return true;
}

static enum err matches(const struct look *l, const struct projection_state *s, bool *ret)
{
    bool failed = false;

    *ret = true;
    for (size_t i = 0; i < l->q->where_n && *ret && !failed; i++)
        *ret = fold_where_match(&l->where[i], l->a, s->state, &failed);
    return failed ? ERR_NO_MEMORY : OK;
}

#define LOOK_BATCH 500           /* states looked at in one round trip where they are to be sorted out */

static enum err collect(struct look *l, struct projection_page *ret, struct fault *f)
{
    size_t looked = 0, bytes = 0;
    bool more = true;
    enum err e = OK;

    while (!e && more && ret->n < l->q->limit && looked < l->q->budget && bytes < l->q->bytes) {
        struct projection_state *v;
        size_t n;

        l->at.limit = l->q->where_n ? LOOK_BATCH : (int64_t)(l->q->limit - ret->n);
        l->at.bytes = (int64_t)(l->q->bytes - bytes);
        e = db_states_page(l->db, l->a, l->v->projection_id, l->v->build, &l->at, &v, &n, &more, f);
        for (size_t i = 0; !e && i < n && ret->n < l->q->limit; i++) {
            bool fits;

            if ((e = matches(l, &v[i], &fits)))
                break;
            l->at.after = v[i].key;
            bytes += v[i].state.n;
            looked++;
            if (fits)
                ret->v[ret->n++] = v[i];
            more |= i + 1 < n && ret->n == l->q->limit;
        }
    }
    if (!e && more)
        ret->next = l->at.after;
    return e;
}

enum err projections_states(struct projections *p, struct db *db, struct arena *a, struct slice name,
                            const struct projection_query *q, struct projection_view *ret_view, struct projection_page *ret,
                            struct fault *f)
{
    struct projection_view_row row;
    struct look l = { .db = db, .a = a, .v = ret_view, .q = q };
    enum err e = db_projection_view(db, a, name, false, &row, f);

    *ret = (struct projection_page){ 0 };
    if (e)
        return e;
    l.at.after = q->after.p ? q->after : SLICE("");
    l.at.from = q->prefix.p ? q->prefix : SLICE("");
    if ((e = projection_view_make(a, &row, ret_view)) || (e = read_wheres(p, &l, f)))
        ;
    else if (!end_of_prefix(a, l.at.from, &l.at.before) || !(ret->v = arena_alloc(a, (q->limit + 1) * sizeof *ret->v)))
        e = ERR_NO_MEMORY;
    else
        e = collect(&l, ret, f);
    db_rollback(db);
    return e;
}
