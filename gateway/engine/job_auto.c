#include "gateway/base/log.h"
#include "gateway/engine/job_step.h"

#define GROUPS_MAX 64 /* in one round */
#define AUTO_ARENA ((size_t)16 << 20)

/* Nobody asked for it: the record has no actor. */
static enum err finish(struct job_steps *s, struct arena *a, const struct auto_group *g, enum err e, size_t moved, struct fault *f)
{
    char *path = arena_printf(a, "/v1/streams/%.*s/groups/%.*s", (int)g->stream.n, g->stream.p, (int)g->group.n, g->group.p);
    char *changes = arena_printf(a, "{\"automatic\":true,\"letters\":%zu}", moved);
    const struct audit_record r = { .type = moved ? "DeadLettersRedriven" : NULL, .resource = slice_of(path),
                                    .changes = slice_of(changes) };

    return audit_end(s->audit, s->db, !e && (!path || !changes) ? ERR_NO_MEMORY : e, &r, f);
}

/* A batch of one group, in one transaction. Under the lock of its row no other gateway chooses the same letters. */
static enum err attempt(struct job_steps *s, struct arena *a, const struct auto_group *g, size_t *ret_moved, struct fault *f)
{
    struct letter_moves m = { 0 };
    struct group_row row;
    uint8_t(*ids)[16] = NULL;
    size_t n = 0;
    enum err e;

    if ((e = audit_begin(s->db, f)))
        return e;
    if (!(e = db_group_lock(s->db, a, g->stream_id, g->group, &row, f)) && row.dlq_retry_after_us >= 0)
        e = db_auto_match(s->db, a, g->stream_id, g->group, row.dlq_retry_rounds, row.dlq_retry_after_us, s->config->jobs_batch,
                          &ids, &n, f);
    if (!e && n)
        e = db_letters_fit(s->db, a, g->stream_id, ids, n, &n, f);
    if (!e && n)
        e = dlq_redrive(s->db, a, g->stream_id, ids, n, SLICE_NONE, true, &m, f);
    if ((e = finish(s, a, g, e, m.moved, f)))
        return e == ERR_UNKNOWN_GROUP ? OK : e; /* deleted meanwhile */
    job_tell_groups(s, g->stream_id, &m);
    *ret_moved = m.moved;
    return OK;
}

static enum err redrive(struct job_steps *s, const struct auto_group *g, size_t *ret_moved)
{
    struct fault f = { 0 };
    enum err e = ERR_DB_RETRY;

    for (int tries = 0; (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY) && tries < DLQ_TRIES; tries++) {
        struct arena *a = arena_new(AUTO_ARENA);

        e = a ? attempt(s, a, g, ret_moved, &f) : ERR_NO_MEMORY;
        arena_free(a);
    }
    if (e && e != ERR_DATABASE_UNAVAILABLE)
        log_warn("letters wait for their automatic redrive", L_SLICE("stream", g->stream), L_SLICE("group", g->group),
                 L_STR("why", f.detail));
    return e == ERR_DB_UNIQUE || e == ERR_DB_RETRY ? OK : e;
}

/* Each for itself: what stands in the way of one group is none to the others. */
enum err job_auto(struct job_steps *s, bool *ret_more)
{
    struct arena *a = arena_new(AUTO_ARENA);
    struct auto_group *v = NULL;
    size_t n = 0;
    enum err first = a ? db_auto_groups(s->db, a, GROUPS_MAX, &v, &n, NULL) : ERR_NO_MEMORY;

    for (size_t i = 0; i < n; i++) {
        size_t moved = 0;
        enum err e = redrive(s, &v[i], &moved);

        first = first ? first : e;
        *ret_more |= moved > 0;
    }
    arena_free(a);
    return first;
}
