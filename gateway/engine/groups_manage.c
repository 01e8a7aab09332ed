#include "gateway/engine/groups_manage.h"

#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/random.h"

void groups_defaults(struct group_row *g)
{
    *g = (struct group_row){
        .ordering = ORDER_KEY,
        .ack_deadline_us = 30 * US_PER_S,
        .max_retries = 3,
        .backoff_initial_us = US_PER_S,
        .backoff_factor = 2,
        .backoff_max_us = 300 * US_PER_S,
        .backoff_jitter = 0.2,
        .max_in_flight = 1000,
        .max_retrying = 10000,
        .max_skipped = 10000,
        .key_batch = 1,
        .types = SLICE("[]"),
        .dlq_retry_after_us = -1,
    };
}

static enum err pointed(enum err e, const struct group_to *to, struct fault *f)
{
    if (e && f)
        snprintf(f->pointer, sizeof f->pointer, "%s", to->pointer);
    return e;
}

/* The stream as readers have it. */
static enum err stream_of(struct streams *streams, struct db *db, const struct stream_row *row, struct stream **ret,
                          struct fault *f)
{
    struct stream *s = streams_cached(streams, row->name);

    if (s && s->row.stream_id == row->stream_id) {
        *ret = s;
        return OK;
    }
    stream_unref(s);
    return streams_load(streams, db, row->name, ret, f);
}

/* Of each partition the first offset that is to come: where a reader would begin. */
static enum err first_offsets(struct streams *streams, struct db *db, struct arena *a, const struct stream_row *row,
                              const struct group_to *to, int64_t ret_next[PARTITIONS_MAX], struct fault *f)
{
    int64_t pos[PARTITIONS_MAX] = { 0 };
    const struct read_spec spec = { .from = to->from, .time_us = to->time_us, .pos = pos, .only = -1, .limit = 1,
                                    .bytes = 1, .scan = 1 };
    struct read_page page = { 0 };
    struct stream *s;
    enum err e = OK;

    if (to->from == READ_CURSOR)
        e = cursor_positions(to->cursor, row->name, row->stream_id, (int)row->partitions, pos, f);
    if (e)
        return pointed(e, to, f);
    if ((e = stream_of(streams, db, row, &s, f)))
        return e;
    e = read_page(db, a, s, &spec, &page, f);
    stream_unref(s);
    for (int p = 0; !e && p < row->partitions; p++)
        ret_next[p] = page.start[p] + 1;
    return e == ERR_CURSOR_EXPIRED || e == ERR_CURSOR_UNKNOWN ? pointed(e, to, f) : e;
}

/* The stream's row is locked: nobody else creates one. */
static enum err create(struct streams *streams, struct db *db, struct arena *a, const struct stream_row *row,
                       struct group_row *g, const struct group_to *start, int64_t most, struct fault *f)
{
    int64_t next[PARTITIONS_MAX], count;
    bool made;
    enum err e;

    if ((e = db_group_count(db, row->stream_id, &count, f)))
        return e;
    if (count >= most)
        return fault(f, ERR_CONFLICT, "The stream has %lld groups; the setting groups.per_stream allows no more.",
                     (long long)count);
    if ((e = first_offsets(streams, db, a, row, start, next, f)))
        return e;
    if (!random_id(&g->group_id))
        return ERR_INTERNAL;
    e = db_group_create(db, a, g, next, (size_t)row->partitions, &made, f);
    return e || made ? e : ERR_DB_RETRY;
}

enum err groups_put(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct group_row *g,
                    const struct group_to *start, int64_t most, struct group_row *ret_before, bool *ret_created,
                    struct fault *f)
{
    int64_t unused[PARTITIONS_MAX];
    struct stream_row row;
    enum err e;

    if ((e = streams_lock(db, a, stream, &row, f)))
        return e;
    if (start->from == READ_CURSOR)
        e = cursor_positions(start->cursor, row.name, row.stream_id, (int)row.partitions, unused, f);
    if (e && e != ERR_CURSOR_UNKNOWN) /* where a group has begun may be gone by now, and still be said again */
        return pointed(e, start, f);
    g->stream_id = row.stream_id;
    g->created_us = g->updated_us = clock_unix_us();
    e = db_group_lock(db, a, row.stream_id, g->name, ret_before, NULL);
    *ret_created = e == ERR_UNKNOWN_GROUP;
    if (*ret_created)
        return create(streams, db, a, &row, g, start, most, f);
    if (e)
        return e;
    g->group_id = ret_before->group_id;
    g->created_us = ret_before->created_us;
    if ((e = db_group_update(db, g, f)))
        return e;
    return db_group_claim(db, g->stream_id, g->group_id, f);
}

enum err groups_stream(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct stream **ret,
                       struct fault *f)
{
    struct stream_row row;
    enum err e = streams_get(db, a, stream, &row, f);

    return e ? e : stream_of(streams, db, &row, ret, f);
}

enum err groups_delete(struct db *db, struct arena *a, struct slice stream, struct slice name, struct group_row *ret_before,
                       struct fault *f)
{
    struct stream_row row;
    enum err e;

    if ((e = streams_get(db, a, stream, &row, f)) || (e = db_group_lock(db, a, row.stream_id, name, ret_before, f)))
        return e;
    return db_group_delete(db, row.stream_id, ret_before->group_id, f);
}

enum err groups_seek(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct slice name,
                     const struct group_to *to, struct group_row *ret, int64_t ret_next[PARTITIONS_MAX],
                     size_t *ret_partitions, struct fault *f)
{
    struct stream_row row;
    enum err e;

    if ((e = streams_get(db, a, stream, &row, f)) || (e = db_group_get(db, a, row.stream_id, name, ret, f)) ||
        (e = first_offsets(streams, db, a, &row, to, ret_next, f)) ||
        (e = db_group_lock(db, a, row.stream_id, name, ret, f)))
        return e;
    *ret_partitions = (size_t)row.partitions;
    return db_group_seek(db, a, row.stream_id, ret->group_id, ret_next, *ret_partitions, f);
}

enum err groups_list(struct db *db, struct arena *a, struct slice stream, struct slice after, size_t limit,
                     struct group_row **ret, size_t *ret_n, bool *ret_more, struct fault *f)
{
    struct stream_row row;
    enum err e;

    if ((e = streams_get(db, a, stream, &row, f)) ||
        (e = db_group_list(db, a, row.stream_id, after, (int)limit + 1, ret, ret_n, f)))
        return e;
    *ret_more = *ret_n > limit;
    *ret_n -= *ret_more;
    return OK;
}
