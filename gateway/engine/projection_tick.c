#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "db/projection_letters.h"
#include "gateway/engine/projection_parts.h"

#define TICK_ARENA ((size_t)64 << 20)
#define CLAIM_MAX 1000           /* parts at once */

/* --- claims --- */

static struct folder *folder_new(struct projections *p, struct db *db, const struct part_id *id, struct fault *f)
{
    struct folder *x = calloc(1, sizeof *x);
    struct build_row build;
    bool found = false;

    if (!x || !(x->arena = arena_new(SIZE_MAX))) {
        free(x);
        return NULL;
    }
    atomic_init(&x->refs, 1);
    if (!db_build_get(db, x->arena, id->projection_id, id->build, &build, &found, &x->skips, f) && found &&
        !db_fold_group(db, x->arena, id->projection_id, id->build, &x->group, &x->letters, &x->state, f) &&
        !projection_definition_parse(x->arena, build.definition, (size_t)p->config->projections_state_bytes, &x->def, f))
        return x;
    if (found)
        log_error("the definition of a projection cannot be read", L_INT("projection", id->projection_id), L_STR("why", f->detail));
    folder_unref(x);
    return NULL;
}

static struct stream *stream_of(struct projections *p, struct db *db, const struct claim_row *c)
{
    struct stream *s = streams_cached(p->streams, c->stream);

    if (!s && streams_load(p->streams, db, c->stream, &s, NULL))
        return NULL;
    if (s->row.stream_id == c->id.stream_id)
        return s;
    stream_unref(s);
    return NULL;
}

static int by_build(const void *a, const void *b)
{
    const struct part_id *x = &((const struct claim_row *)a)->id, *y = &((const struct claim_row *)b)->id;

    if (x->projection_id != y->projection_id)
        return x->projection_id < y->projection_id ? -1 : 1;
    return (x->build > y->build) - (x->build < y->build);
}

/* What cannot be taken up is released by the next tick, since it is not among the parts here. */
static void take_up(struct projections *p, struct claim_row *v, size_t n)
{
    struct folder *folder = NULL;

    qsort(v, n, sizeof *v, by_build);
    for (size_t i = 0; i < n; i++) {
        struct fault f = { 0 };
        struct stream *s;

        if (i == 0 || by_build(&v[i], &v[i - 1])) {
            folder_unref(folder);
            folder = folder_new(p, p->db, &v[i].id, &f);
        }
        if (folder && (s = stream_of(p, p->db, &v[i])))
            parts_add(p, &v[i], s, folder_ref(folder));
    }
    folder_unref(folder);
}

/* Gives up what was lost; releases what is ours by the tables, and is not here. */
static enum err compare(struct projections *p, struct arena *a, struct fault *f)
{
    struct claim_row *mine;
    bool *here;
    size_t n;
    enum err e = db_parts_mine(p->db, a, p->owner, &mine, &n, f);

    if (e)
        return e;
    if (!(here = arena_zalloc(a, n + 1)))
        return ERR_NO_MEMORY;
    parts_keep(p, mine, n, here);
    for (size_t i = 0; !e && i < n; i++)
        if (!here[i])
            e = db_part_release(p->db, &mine[i].id, mine[i].epoch, p->owner, f);
    return e;
}

static enum err give_away(struct projections *p, struct arena *a, size_t n, struct fault *f)
{
    struct claim_row *v = arena_alloc(a, (n + 1) * sizeof *v);
    enum err e = v ? OK : ERR_NO_MEMORY;

    n = v ? parts_take_out(p, n, v) : 0;
    for (size_t i = 0; !e && i < n; i++)
        e = db_part_release(p->db, &v[i].id, v[i].epoch, p->owner, f);
    return e;
}

/* As many parts as fall to each of those who fold. */
static enum err claim(struct projections *p, struct arena *a, struct fault *f)
{
    int64_t others, parts, share;
    struct claim_row *v;
    size_t n, have;
    enum err e = db_member_beat(p->db, p->owner, p->config->projections_lease_us, &others, &parts, f);

    if (e || (e = compare(p, a, f)))
        return e;
    have = parts_count(p);
    share = (parts + others) / (others + 1);
    if (others && have > (size_t)share)
        return give_away(p, a, have - (size_t)share, f);
    if ((size_t)share <= have && others)
        return OK;
    share = others ? share - (int64_t)have : CLAIM_MAX;
    if (!(e = db_parts_claim(p->db, a, p->owner, share < CLAIM_MAX ? share : CLAIM_MAX, &v, &n, f)))
        take_up(p, v, n);
    return e;
}

/* --- what no notification has told --- */

static enum err look(struct projections *p, struct arena *a, struct fault *f)
{
    int64_t now = clock_mono_us();
    struct part_id *v;
    size_t n;
    enum err e;

    parts_wake_late(p);
    if (!atomic_exchange(&p->look, false) && now < p->next_look_us)
        return OK;
    if ((e = db_parts_behind(p->db, a, p->owner, &v, &n, f)))
        return e;
    for (size_t i = 0; i < n; i++)
        parts_wake(p, &v[i]);
    if ((e = db_parts_redriven(p->db, a, p->owner, &v, &n, f)))
        return e;
    for (size_t i = 0; i < n; i++)
        parts_wake(p, &v[i]);
    p->next_look_us = now + p->config->tail_poll_us;
    return OK;
}

enum err projections_tick(void *projections, bool *ret_more)
{
    struct projections *p = projections;
    struct arena *a = arena_new(TICK_ARENA);
    struct fault f = { 0 };
    enum err e = a ? claim(p, a, &f) : ERR_NO_MEMORY;

    if (!e)
        e = look(p, a, &f);
    if (!e)
        e = projections_upkeep(p, a, ret_more, &f);
    if (e && e != ERR_DATABASE_UNAVAILABLE)
        log_warn("projections are not looked after", L_INT("err", e), L_STR("why", f.detail));
    arena_free(a);
    return e == ERR_DATABASE_UNAVAILABLE || e == ERR_DB_RETRY || e == ERR_OUTCOME_UNKNOWN ? OK : e; /* leases do not wait for a back-off */
}
