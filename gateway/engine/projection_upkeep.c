#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/projection_parts.h"

#define REMOVE_BATCH 5000        /* states of retired builds */
#define TRIM_BATCH 1000          /* steps of which the changes are forgotten */
#define TIDY_US (10 * US_PER_S)  /* between two looks for what is to be forgotten */
#define HOLD_US (5 * US_PER_S)   /* what is read is held for so long at most, until the one to take its place has caught up */
#define REST_US (30 * US_PER_S)  /* and after it was in vain not again for so long */
#define LOCK_US (US_PER_S / 2)   /* a lock is waited for: the same thread says that this gateway lives */
#define HELD_PAUSE_NS 5000000    /* between two looks meanwhile */

/* COMMIT, or ROLLBACK with e. */
static enum err end(struct db *db, enum err e, struct fault *f)
{
    if (!e)
        e = db_exec(db, &DB_COMMIT, NULL, NULL, f);
    if (e)
        db_rollback(db);
    return e;
}

static enum err begin(struct db *db, struct arena *a, int64_t projection_id, struct projection_row *ret, bool *ret_found,
                      struct fault *f)
{
    enum err e = db_exec(db, &DB_BEGIN, NULL, NULL, f);

    *ret_found = false;
    if (e || (e = db_wait_for_locks(db, LOCK_US, f)))
        return e;
    return db_projection_lock_id(db, a, projection_id, ret, ret_found, f);
}

/* --- streams that came and went --- */

static enum err add_parts(struct db *db, struct arena *a, const struct stream_without_parts *s, struct fault *f)
{
    struct head_row heads[PARTITIONS_MAX];
    struct part_row v[PARTITIONS_MAX] = { 0 };
    struct projection_row row;
    bool found;
    size_t n = 0;
    enum err e = begin(db, a, s->projection_id, &row, &found, f);

    if (!e && found)
        e = streams_heads(db, s->stream_id, heads, &n, f);
    for (size_t i = 0; !e && i < n; i++) /* whatever `start` says: all of it came after the projection */
        v[i] = (struct part_row){ .at = { s->stream_id, 0, heads[i].partition }, .first = heads[i].earliest - 1,
                                  .target = heads[i].head };
    if (!e && n)
        e = db_parts_add(db, a, s->projection_id, s->build, v, n, f);
    return end(db, e, f);
}

static enum err follow_streams(struct projections *p, struct arena *a, struct fault *f)
{
    struct stream_without_parts *v;
    size_t n;
    enum err e = db_streams_without_parts(p->db, a, &v, &n, f);

    for (size_t i = 0; !e && i < n; i++)
        e = add_parts(p->db, a, &v[i], f);
    return e;
}

/* --- one build takes the place of another --- */

/* Nobody folds what is read until the new one has caught up, so that under load too there is a moment at which it has. */
static enum err hold(struct projections *p, struct arena *a, const struct swap_row *c, bool held, struct fault *f)
{
    struct projection_row row;
    bool found;
    enum err e = begin(p->db, a, c->projection_id, &row, &found, f);

    if (!e && found && row.build == c->active && !(e = db_parts_fence(p->db, a, c->projection_id, &c->active, 1, f)) &&
        !(e = db_build_hold(p->db, c->projection_id, c->active, held, f)))
        e = projection_tell(p->db, c->projection_id, f);
    return end(p->db, e, f);
}

static const struct swap_row *find(const struct swap_row *v, size_t n, const struct swap_row *like)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].projection_id == like->projection_id && v[i].build == like->build && v[i].active == like->active)
            return &v[i];
    return NULL;
}

/* Under the locks of the projection and of all parts of both. */
static enum err exchange(struct projections *p, struct arena *a, struct projection_row *row, const struct swap_row *c,
                         bool *ret_done, struct fault *f)
{
    const int32_t both[] = { c->active, c->build };
    struct build_row *builds;
    struct swap_row *v;
    const struct swap_row *now;
    size_t n, build_n;
    enum err e;

    if ((e = db_parts_fence(p->db, a, c->projection_id, both, 2, f)) || (e = db_swap_candidates(p->db, a, &v, &n, f)))
        return e;
    now = find(v, n, c);
    *ret_done = now && now->behind == 0;
    if (!*ret_done)
        return OK;
    if ((e = db_builds_of(p->db, a, c->projection_id, &builds, &build_n, f)))
        return e;
    for (size_t i = 0; !e && i < build_n; i++) {
        if (builds[i].build != c->active && builds[i].build != c->build)
            continue;
        builds[i].state = builds[i].build == c->build ? BUILD_ACTIVE : BUILD_RETIRED;
        builds[i].held = false;
        e = db_build_set(p->db, &builds[i], f);
    }
    row->build = c->build;
    if (e || (e = db_projection_update(p->db, row, f)) || (e = db_parts_keep_from(p->db, c->projection_id, c->build, f)))
        return e;
    return projection_tell(p->db, c->projection_id, f);
}

static enum err swap(struct projections *p, struct arena *a, const struct swap_row *c, struct fault *f)
{
    struct projection_row row;
    bool found, done = false;
    enum err e = begin(p->db, a, c->projection_id, &row, &found, f);

    if (!e && found && row.build == c->active)
        e = exchange(p, a, &row, c, &done, f);
    e = end(p->db, e, f);
    if (e || !done)
        return e;
    metric_add(M_PROJECTION_SWAPS, 1);
    log_info("a rebuilt projection is read from now on", L_INT("projection", c->projection_id), L_INT("build", c->build));
    watches_changed(p, c->projection_id);
    return OK;
}

/* Does it wait for a moment that is near? */
static enum err look_at(struct projections *p, struct arena *a, const struct swap_row *c, bool *ret_waits, struct fault *f)
{
    int64_t now = clock_mono_us();
    bool near = c->behind <= p->config->projections_batch_events && now >= p->hold_again_us;

    *ret_waits |= c->behind == 0 || c->held || near;
    if (c->behind == 0)
        return swap(p, a, c, f);
    if (c->held && c->held_us > HOLD_US) {
        p->hold_again_us = now + REST_US;
        return hold(p, a, c, false, f);
    }
    return !c->held && near ? hold(p, a, c, true, f) : OK;
}

static enum err swap_builds(struct projections *p, struct arena *a, bool *ret_more, struct fault *f)
{
    struct swap_row *v;
    bool waits = false;
    size_t n;
    enum err e = db_swap_candidates(p->db, a, &v, &n, f);

    for (size_t i = 0; !e && i < n; i++)
        e = look_at(p, a, &v[i], &waits, f);
    if (waits && !e) {
        nanosleep(&(struct timespec){ .tv_nsec = HELD_PAUSE_NS }, NULL);
        *ret_more = true;
    }
    return e;
}

/* --- what is over --- */

static enum err tidy(struct projections *p, struct arena *a, struct fault *f)
{
    struct claim_row *v;
    size_t n = parts_list(p, a, &v);
    int64_t released;
    enum err e;

    if ((e = db_parts_forget(p->db, f)) || (e = db_members_forget(p->db, f)) ||
        (e = db_builds_forsaken(p->db, 2 * HOLD_US, &released, f)))
        return e;
    for (size_t i = 0; !e && i < n; i++) {
        bool trimmed = true;

        while (!e && trimmed)
            e = db_changes_trim(p->db, v[i].id.projection_id, v[i].id.build, v[i].part, p->config->projections_changes_keep_us,
                                p->config->projections_changes_steps, TRIM_BATCH, &trimmed, f);
    }
    return e;
}

enum err projections_upkeep(struct projections *p, struct arena *a, bool *ret_more, struct fault *f)
{
    int64_t now = clock_mono_us();
    bool more = false;
    enum err e;

    if ((e = follow_streams(p, a, f)) || (e = swap_builds(p, a, ret_more, f)) ||
        (e = db_retired_remove(p->db, REMOVE_BATCH, &more, f)))
        return e;
    *ret_more |= more;
    if (now < p->next_upkeep_us)
        return OK;
    p->next_upkeep_us = now + TIDY_US;
    return tidy(p, a, f);
}
