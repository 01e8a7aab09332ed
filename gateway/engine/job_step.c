#include "gateway/engine/job_step.h"

#include <math.h>
#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/base/log.h"
#include "gateway/base/uuid.h"

#define STEP_ARENA ((size_t)16 << 20)
#define WAIT_US (1 * US_PER_S)      /* until it is looked again whether a group has room */
#define LATE_MAX_US (1 * US_PER_S)  /* a rate is caught up for so long: what stood still longer goes on from now */
#define DEATHS_US (1 * US_PER_S)    /* letters that die later than so long after the job was made are not meant: clocks differ */
#define ACTOR_DEPTH 4

static const char *const ended_types[] = { "DeadLettersRedriveEnded", "DeadLettersDiscardEnded" };

/* Who asked for it, as handlers/jobs.c wrote it. */
static void read_actor(struct arena *a, struct slice text, struct audit_record *r)
{
    const struct {
        const char *name;
        struct slice *to;
    } members[] = { { "iss", &r->issuer },          { "sub", &r->subject },     { "jti", &r->token_id },
                    { "request_id", &r->request_id }, { "address", &r->address }, { "traceparent", &r->traceparent } };
    struct slice key, inside, value;
    bool escaped;
    struct json j;

    json_begin(&j, text, ACTOR_DEPTH);
    if (!json_object_begin(&j))
        return;
    while (json_object_next(&j, &key, &escaped)) {
        if (!json_scan_string(&j, &inside, &escaped) || !json_unescape(a, inside, escaped, &value))
            return;
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            if (slice_is(key, members[i].name))
                *members[i].to = value;
    }
}

/* COMMIT, with a record if the job has ended. */
static enum err finish(struct job_steps *s, struct arena *a, const struct job_row *j, enum err e, struct fault *f)
{
    struct audit_record r = { 0 };
    char id[UUID_TEXT], path[sizeof "/v1/jobs/" + UUID_TEXT];
    struct buf changes = { 0 };

    if (!e && j->state != JOB_RUNNING) {
        uuid_format(j->job_id, id);
        snprintf(path, sizeof path, "/v1/jobs/%s", id);
        r.type = ended_types[j->kind];
        r.resource = slice_of(path);
        job_describe(&changes, j, true);
        r.changes = (struct slice){ changes.p, changes.n };
        read_actor(a, j->actor, &r);
        if (changes.failed)
            e = ERR_NO_MEMORY;
    }
    e = audit_end(s->audit, s->db, e, &r, f);
    buf_free(&changes);
    return e;
}

/* How many letters may go now. With a rate each has its moment, one after the other from `due` on, and those whose moment has come
 * may: so the rate holds over time, whoever takes the steps and however late. *ret_from: the first one's moment. */
static int64_t allowed(const struct config *c, const struct job_row *j, int64_t *ret_from)
{
    int64_t n = c->jobs_batch, left = j->letters - j->done - j->failed;

    *ret_from = j->now_us - j->due_us > LATE_MAX_US ? j->now_us - LATE_MAX_US : j->due_us;
    if (j->rate > 0) {
        double come = floor((double)(j->now_us - *ret_from) * j->rate / (double)US_PER_S) + 1;

        n = come < (double)n ? (int64_t)come : n;
    }
    return j->letters >= 0 && left < n ? left : n;
}

static void end(struct job_row *j)
{
    j->state = JOB_DONE;
    j->failed = j->matched - j->done; /* somebody else moved these meanwhile */
    j->updated_us = j->now_us;
}

/* Counts what became of the letters, and says when the next ones go. */
static void count(struct job_row *j, const uint8_t (*ids)[16], const struct letter_moves *m, size_t n, bool waits, int64_t from)
{
    for (size_t i = 0; i < n; i++)
        *(m->fates[i] == FATE_MOVED ? &j->done : &j->failed) += 1;
    if (n) {
        memcpy(j->position, ids[n - 1], sizeof j->position);
        j->updated_us = j->now_us;
    }
    if (j->matched < j->done + j->failed)
        j->matched = j->done + j->failed;
    j->due_us = j->rate > 0 ? from + (int64_t)((double)n * (double)US_PER_S / j->rate) : j->now_us;
    if (waits)
        j->due_us = j->now_us + WAIT_US;
}

static enum err move(struct job_steps *s, struct arena *a, struct job_row *j, struct letter_moves *m, struct fault *f)
{
    struct letter_filter filter;
    uint8_t(*ids)[16];
    int64_t from, want = allowed(s->config, j, &from), until = j->created_us + DEATHS_US;
    size_t n = 0, fit;
    enum err e;

    if (job_filter_read(a, j->filter, &filter, f))
        return ERR_INTERNAL;
    if (!filter.to_us || filter.to_us > until)
        filter.to_us = until;
    if ((e = db_letters_match(s->db, a, j->stream_id, &filter, j->position, j->last, want, &ids, &n, f)))
        return e;
    fit = n;
    if (n && j->kind == JOB_REDRIVE && (e = db_letters_fit(s->db, a, j->stream_id, ids, n, &fit, f)))
        return e;
    if (fit)
        e = j->kind == JOB_REDRIVE ? dlq_redrive(s->db, a, j->stream_id, ids, fit, j->reason, false, m, f) :
                                     dlq_discard(s->db, a, j->stream_id, ids, fit, j->reason, m, f);
    if (e)
        return e;
    count(j, ids, m, fit, fit < n, from);
    if (fit == n && ((int64_t)n < want || j->done + j->failed == j->letters))
        end(j);
    return OK;
}

/* One transaction. */
static enum err attempt(struct job_steps *s, struct arena *a, struct job_row *j, bool *ret_found, struct fault *f)
{
    struct letter_moves moves = { 0 };
    bool moved;
    enum err e;

    *ret_found = false;
    if ((e = audit_begin(s->db, f)))
        return e;
    if ((e = db_job_take(s->db, a, j, ret_found, f)) || !*ret_found) {
        db_rollback(s->db);
        return e;
    }
    if (!(e = move(s, a, j, &moves, f)))
        e = db_job_move(s->db, j, &moved, f);
    if (!(e = finish(s, a, j, e, f)))
        job_tell_groups(s, j->stream_id, &moves);
    return e;
}

/* It would fail for ever. */
static bool is_hopeless(enum err e)
{
    switch (e) {
    case OK:
    case ERR_DB_UNIQUE:
    case ERR_DB_RETRY:
    case ERR_DATABASE_UNAVAILABLE:
    case ERR_DATABASE_FULL:
    case ERR_OUTCOME_UNKNOWN:
    case ERR_NO_MEMORY:
        return false;
    default:
        return true;
    }
}

static enum err give_up(struct job_steps *s, struct arena *a, struct job_row *j, const struct fault *why)
{
    char id[UUID_TEXT];
    bool moved = false;
    enum err e;

    uuid_format(j->job_id, id);
    log_error("a job failed", L_STR("job", id), L_STR("why", why->detail));
    if ((e = audit_begin(s->db, NULL)) || (e = db_job_lock(s->db, a, j->stream_id, j->job_id, j, NULL)))
        return e == ERR_UNKNOWN_JOB ? OK : e;
    if (j->state == JOB_RUNNING) {
        j->state = JOB_FAILED;
        j->error = SLICE("Weir failed; its log has the cause under the id of the job.");
        j->updated_us = j->now_us;
        e = db_job_move(s->db, j, &moved, NULL);
    }
    return finish(s, a, j, e, NULL);
}

void job_tell_groups(struct job_steps *s, int64_t stream_id, const struct letter_moves *m)
{
    for (size_t i = 0; i < m->group_n; i++)
        groups_poke(s->groups, stream_id, m->groups[i]);
}

enum err job_step(struct job_steps *s, bool *ret_more)
{
    struct arena *a = NULL;
    struct job_row j;
    struct fault f;
    bool found = false, again = true;
    enum err e = ERR_DB_RETRY;

    for (int tries = 0; (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY) && tries < DLQ_TRIES; tries++) {
        arena_free(a);
        if (!(a = arena_new(STEP_ARENA)))
            return ERR_NO_MEMORY;
        f = (struct fault){ 0 };
        e = attempt(s, a, &j, &found, &f);
        if (found && is_hopeless(e) && again) { /* a new connection mends what a change of tables broke */
            db_disconnect(s->db);
            again = false;
            e = ERR_DB_RETRY;
        }
    }
    if (found && is_hopeless(e))
        e = give_up(s, a, &j, &f);
    *ret_more |= found && !e;
    arena_free(a);
    return e == ERR_DB_UNIQUE || e == ERR_DB_RETRY ? OK : e; /* the group is busy: the next tick tries again */
}
