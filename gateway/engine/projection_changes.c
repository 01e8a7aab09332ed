#include <stdlib.h>

#include "gateway/engine/projection_parts.h"
#include "gateway/engine/projection_view.h"

/* Steps of a part that are looked at for one answer: so many at first, and four times as many while there are too few keys in them. A
 * reader that keeps up needs few; one that is behind gets its keys from the first look, or its steps are small. */
#define STEPS_FIRST 4
#define STEPS_MOST 256

/* Where the reader is, as the view of now has its parts; false: not all that came since is remembered. */
static bool carry_over(const struct projection_changes_query *q, const struct projection_view *now, int64_t *pos, int32_t *told)
{
    const struct projection_view *seen = q->seen;
    bool known = !q->build || q->build == now->build;

    for (size_t i = 0; known && i < now->stream_n; i++) {
        const struct projection_stream *s = &now->streams[i];
        size_t k = 0;

        while (k < seen->stream_n && seen->streams[k].stream_id != s->stream_id)
            k++;
        known = k < seen->stream_n && seen->streams[k].partitions == s->partitions;
        for (size_t p = 0; known && p < (size_t)s->partitions; p++) {
            pos[s->first + p] = q->pos[seen->streams[k].first + p];
            told[s->first + p] = seen->told ? seen->told[seen->streams[k].first + p] : 0;
            known = pos[s->first + p] >= now->kept[s->first + p];
        }
    }
    return known;
}

static int by_slice(const void *a, const void *b)
{
    return slice_order(*(const struct slice *)a, *(const struct slice *)b);
}

static bool begins_with(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

/* The distinct keys, ascending. */
static size_t distinct_keys(const struct change_row *rows, size_t n, struct slice prefix, struct slice *ret)
{
    size_t found = 0, kept = 0;

    for (size_t i = 0; i < n; i++)
        if (!prefix.p || begins_with(rows[i].key, prefix))
            ret[found++] = rows[i].key;
    qsort(ret, found, sizeof *ret, by_slice);
    for (size_t i = 0; i < found; i++)
        if (!kept || !slice_eq(ret[kept - 1], ret[i]))
            ret[kept++] = ret[i];
    return kept;
}

/* Each key with its state, or without. */
static enum err states_of(struct db *db, struct arena *a, const struct projection_view *v, const struct slice *keys, size_t n,
                          struct projection_changes *ret, struct fault *f)
{
    struct projection_state *found;
    size_t found_n, at = 0;
    enum err e = db_states_of(db, a, v->projection_id, v->build, keys, n, &found, &found_n, f);

    if (e || !(ret->v = arena_alloc(a, (n + 1) * sizeof *ret->v)))
        return e ? e : ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        if (at < found_n && slice_eq(found[at].key, keys[i]))
            ret->v[ret->n++] = found[at++];
        else
            ret->v[ret->n++] = (struct projection_state){ .key = keys[i], .build = v->build };
    return OK;
}

/* Where the reader is when it has these: where the projection is, if that is all. */
static void move(const struct projection_view *v, const struct change_row *rows, size_t n, bool all, int64_t *pos, int32_t *told)
{
    for (size_t k = 0; all && k < v->n; k++) {
        told[k] = v->pos[k] == pos[k] ? told[k] : 0;
        pos[k] = v->pos[k];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < v->n; k++)
            if (v->part[k] == rows[i].part && (!all || pos[k] == rows[i].position)) {
                pos[k] = rows[i].position;
                told[k] = rows[i].refold;
            }
}

/* Fewer steps of each part than were asked for: there are no others. */
static bool no_part_is_cut(const struct change_row *rows, size_t n, const struct projection_view *v, int64_t most, int64_t *steps)
{
    int64_t longest = 0;

    memset(steps, 0, v->n * sizeof *steps);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;

        if (i && rows[i].part == rows[i - 1].part && rows[i].position == rows[i - 1].position &&
            rows[i].refold == rows[i - 1].refold)
            continue;
        while (k < v->n && v->part[k] != rows[i].part)
            k++;
        if (k < v->n && ++steps[k] > longest)
            longest = steps[k];
    }
    return longest < most;
}

/* At least `keys` keys, or all, or what STEPS_MOST of each part have. */
static enum err find_steps(struct db *db, struct arena *a, const struct projection_view *v, const struct projection_changes *at,
                           size_t keys, struct change_row **ret, size_t *ret_n, bool *ret_all, struct fault *f)
{
    int64_t *count = arena_alloc(a, (v->n + 1) * sizeof *count);
    enum err e = count ? OK : ERR_NO_MEMORY;

    *ret_all = false;
    for (int64_t steps = STEPS_FIRST; !e && steps <= STEPS_MOST; steps *= 4) {
        e = db_changes_read(db, a, v->projection_id, v->build, v->part, at->pos, at->told, v->n, steps, (int64_t)keys, ret,
                            ret_n, f);
        if (e || *ret_n >= keys || (*ret_all = no_part_is_cut(*ret, *ret_n, v, steps, count)))
            break;
    }
    return e;
}

static enum err read_changes(struct db *db, struct arena *a, const struct projection_changes_query *q,
                             const struct projection_view *v, struct projection_changes *ret, struct fault *f)
{
    struct change_row *rows;
    struct slice *keys;
    size_t n, key_n;
    enum err e = find_steps(db, a, v, ret, q->keys, &rows, &n, &ret->up_to_date, f);

    if (e || !(keys = arena_alloc(a, (n + 1) * sizeof *keys)))
        return e ? e : ERR_NO_MEMORY;
    key_n = distinct_keys(rows, n, q->prefix, keys);
    move(v, rows, n, ret->up_to_date, ret->pos, ret->told);
    return key_n ? states_of(db, a, v, keys, key_n, ret, f) : OK;
}

enum err projections_changes(struct db *db, struct arena *a, struct slice name, const struct projection_changes_query *q,
                             struct projection_view *ret_view, struct projection_changes *ret, struct fault *f)
{
    struct projection_view_row row;
    enum err e = db_projection_view(db, a, name, false, &row, f);

    *ret = (struct projection_changes){ 0 };
    if (e)
        return e;
    if (!(e = projection_view_make(a, &row, ret_view)) && (!(ret->pos = arena_zalloc(a, (ret_view->n + 1) * sizeof *ret->pos)) ||
                                                           !(ret->told = arena_zalloc(a, (ret_view->n + 1) * sizeof *ret->told))))
        e = ERR_NO_MEMORY;
    if (!e && !carry_over(q, ret_view, ret->pos, ret->told)) {
        ret->gap = ret->up_to_date = true;
        memcpy(ret->pos, ret_view->pos, ret_view->n * sizeof *ret->pos);
        memset(ret->told, 0, ret_view->n * sizeof *ret->told);
    } else if (!e) {
        e = read_changes(db, a, q, ret_view, ret, f);
    }
    db_rollback(db);
    return e;
}
