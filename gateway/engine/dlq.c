#include "gateway/engine/dlq.h"

#include <stdlib.h>

#include "gateway/engine/projection_letters.h"

static void free_rows(void *rows)
{
    rows_free(rows);
}

/* A result that goes with the arena. NULL: no memory. */
static struct rows *rows_in(struct arena *a)
{
    struct rows *r = arena_zalloc(a, sizeof *r);

    return r && arena_defer(a, free_rows, r) ? r : NULL;
}

enum err dlq_list(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *filter, const uint8_t *before,
                  int64_t limit, int64_t bytes, struct letter_page *ret, struct fault *f)
{
    struct rows *r = rows_in(a);
    struct letter_row *v;
    bool more = false;
    enum err e = r ? db_letters_list(db, a, stream_id, filter, before, limit, bytes, r, &more, f) : ERR_NO_MEMORY;

    if (e)
        return e;
    if (!(v = arena_alloc(a, (size_t)(r->n + 1) * sizeof *v)))
        return ERR_NO_MEMORY;
    for (int i = 0; i < r->n; i++)
        db_letter_row(r, i, &v[i]);
    *ret = (struct letter_page){ v, (size_t)r->n, more };
    return OK;
}

enum err dlq_get(struct db *db, struct arena *a, int64_t stream_id, const uint8_t id[16], bool lock, struct letter_row *ret,
                 struct fault *f)
{
    struct rows *r = rows_in(a);
    enum err e = r ? db_letter_get(db, stream_id, id, lock, r, f) : ERR_NO_MEMORY;

    if (!e)
        db_letter_row(r, 0, ret);
    return e;
}

enum err dlq_summary(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *filter,
                     const struct letter_kind *after, int64_t limit, struct letter_summary *ret, struct fault *f)
{
    enum err e = db_letters_summary(db, a, stream_id, filter, after, limit + 1, &ret->v, &ret->n, f);

    ret->more = !e && (int64_t)ret->n > limit;
    if (ret->more)
        ret->n = (size_t)limit;
    return e;
}

/* --- moving: parked letters, inside a transaction --- */

static bool is_projection(struct slice group)
{
    const size_t n = sizeof PROJECTION_GROUP - 1;

    return group.n > n && memcmp(group.p, PROJECTION_GROUP, n) == 0;
}

/* Locks and claims the groups, in the order of their ids; those that are there come to the front of v. */
static enum err claim(struct db *db, struct arena *a, int64_t stream_id, struct letter_group *v, size_t n, size_t *ret_there,
                      struct fault *f)
{
    size_t there = 0;

    for (size_t i = 0; i < n; i++) {
        struct letter_group g = v[i];
        struct group_row row = { 0 };
        bool projection = is_projection(g.name);
        enum err e = projection     ? projection_letters_claim(db, a, g.name, f) :
                     g.group_id < 0 ? ERR_UNKNOWN_GROUP :
                                      db_group_lock(db, a, stream_id, g.name, &row, f);

        if (e == ERR_UNKNOWN_GROUP || e == ERR_UNKNOWN_PROJECTION) {
            v[i].group_id = -1;
            continue;
        }
        if (e || (!projection && (e = db_group_claim(db, stream_id, row.group_id, f))))
            return e;
        v[i] = v[there];
        v[there++] = (struct letter_group){ g.name, row.group_id, projection };
    }
    *ret_there = there;
    return OK;
}

static int by_id(const void *x, const void *y)
{
    return memcmp(x, y, 16);
}

static bool is_deleted(const struct letter_group *groups, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(groups[i].name, name))
            return groups[i].group_id < 0 || groups[i].projection; /* it is one's of that name that was deleted */
    return false; /* it was not parked when the groups were looked up */
}

static enum err tell(struct arena *a, const uint8_t (*ids)[16], size_t n, const struct letter_seen *seen, size_t seen_n,
                     const struct letter_group *groups, size_t group_n, struct letter_moves *ret)
{
    enum letter_fate *fates = arena_alloc(a, (n + 1) * sizeof *fates);
    int64_t *there = arena_alloc(a, (group_n + 1) * sizeof *there);

    if (!fates || !there)
        return ERR_NO_MEMORY;
    *ret = (struct letter_moves){ .fates = fates, .groups = there };
    for (size_t i = 0; i < group_n; i++)
        if (groups[i].group_id >= 0 && !groups[i].projection)
            there[ret->group_n++] = groups[i].group_id;
    for (size_t i = 0; i < n; i++) {
        const struct letter_seen *s = bsearch(ids[i], seen, seen_n, sizeof *seen, by_id);

        fates[i] = !s                                                  ? FATE_UNKNOWN :
                   s->moved                                            ? FATE_MOVED :
                   s->parked && is_deleted(groups, group_n, s->group)  ? FATE_NO_GROUP :
                                                                         FATE_NOT_PARKED;
        ret->moved += fates[i] == FATE_MOVED;
    }
    return OK;
}

/* Those of projections, which the statement for groups has locked and left alone. */
static enum err refold(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                       const struct letter_group *groups, size_t there, struct slice note, struct letter_seen *seen, size_t seen_n,
                       struct fault *f)
{
    struct slice *names = arena_alloc(a, (there + 1) * sizeof *names);
    struct rows r = { 0 };
    size_t name_n = 0;
    enum err e;

    if (!names)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < there; i++)
        if (groups[i].projection)
            names[name_n++] = groups[i].name;
    if (!name_n)
        return OK;
    e = db_letters_refold(db, a, stream_id, ids, n, names, name_n, note, &r, f);
    for (int i = 0; !e && i < r.n; i++) {
        struct letter_seen *s = bsearch(row_uuid(&r, i, 0), seen, seen_n, sizeof *seen, by_id);

        if (s)
            s->moved = true;
    }
    rows_free(&r);
    return e;
}

/* How many of them are groups, which come to the front. */
static size_t groups_first(struct letter_group *v, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!v[i].projection) {
            struct letter_group g = v[i];

            v[i] = v[k];
            v[k++] = g;
        }
    return k;
}

enum err dlq_redrive(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n, struct slice note,
                     bool automatic, struct letter_moves *ret, struct fault *f)
{
    struct letter_group *groups;
    struct letter_seen *seen;
    size_t group_n, there = 0, seen_n;
    enum err e;

    if ((e = db_letters_groups(db, a, stream_id, ids, n, &groups, &group_n, f)) ||
        (e = claim(db, a, stream_id, groups, group_n, &there, f)) ||
        (e = db_letters_redrive(db, a, stream_id, ids, n, groups, groups_first(groups, there), note, automatic, &seen, &seen_n,
                                f)) ||
        (e = refold(db, a, stream_id, ids, n, groups, there, note, seen, seen_n, f)))
        return e;
    return tell(a, ids, n, seen, seen_n, groups, group_n, ret);
}

enum err dlq_discard(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n, struct slice note,
                     struct letter_moves *ret, struct fault *f)
{
    struct letter_seen *seen;
    size_t seen_n;
    enum err e = db_letters_discard(db, a, stream_id, ids, n, note, &seen, &seen_n, f);

    return e ? e : tell(a, ids, n, seen, seen_n, NULL, 0, ret);
}
