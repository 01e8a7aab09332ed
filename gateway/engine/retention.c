#include "gateway/engine/retention.h"

#include "db/jobs.h"
#include "db/retention.h"
#include "db/revocations.h"
#include "db/tickets.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

#define DUE_MAX 64
#define ROOM_PERIOD_US (3600 * US_PER_S)

enum err retention_prepare(struct db *db, struct fault *f)
{
    int32_t made;

    return db_make_room(db, clock_unix_us(), &made, f);
}

/* Every hour, and again as long as there is something to drop. */
static enum err keep_room(struct retention *r, bool *ret_more)
{
    int64_t now = clock_unix_us();
    int32_t made, dropped;
    enum err e;

    (void)ret_more;
    if (clock_mono_us() < r->next_room_us)
        return OK;
    if (!(e = db_make_room(r->db, now, &made, NULL)) && !(e = db_drop_over(r->db, now, &dropped, NULL)) && !dropped)
        r->next_room_us = clock_mono_us() + ROOM_PERIOD_US;
    return e;
}

static enum err remove_expired(struct retention *r, bool *ret_more)
{
    struct due_row due[DUE_MAX];
    size_t n = 0;
    int64_t now = clock_unix_us(), removed, total = 0;
    enum err e = db_retention_due(r->db, now, due, DUE_MAX, &n, NULL);

    for (size_t i = 0; i < n; i++) {
        int64_t before = now - due[i].retention_us;
        enum err one = db_retention_remove(r->db, &due[i], r->config->retention_batch, before, &removed, NULL);

        e = e ? e : one;
        total += removed;
        *ret_more |= removed >= r->config->retention_batch;
    }
    *ret_more |= !e && n == DUE_MAX;
    metric_add(M_RETENTION_REMOVED, total);
    if (total)
        log_info("retention removed events", L_INT("events", total));
    return e;
}

static enum err remove_answers(struct retention *r, bool *ret_more)
{
    int64_t removed = 0;
    enum err e = db_answers_remove(r->db, clock_unix_us(), r->config->retention_batch, &removed, NULL);

    *ret_more |= !e && removed >= r->config->retention_batch;
    return e;
}

/* Dead letters that nobody needs any more; jobs that ended long ago. */
static enum err remove_letters(struct retention *r, bool *ret_more)
{
    const struct config *c = r->config;
    int64_t now, batch = c->retention_batch, closed = 0, parked = 0, jobs = 0;
    enum err e = db_clock(r->db, &now, NULL);

    if (!e)
        e = db_letters_remove(r->db, true, now - c->dlq_closed_retention_us, batch, &closed, NULL);
    if (!e && c->dlq_retention_us)
        e = db_letters_remove(r->db, false, now - c->dlq_retention_us, batch, &parked, NULL);
    if (!e)
        e = db_jobs_forget(r->db, now - c->jobs_retention_us, batch, &jobs, NULL);
    *ret_more |= closed >= batch || parked >= batch || jobs >= batch;
    metric_add(M_RETENTION_LETTERS, closed + parked);
    if (parked)
        log_info("retention removed parked dead letters", L_INT("letters", parked));
    return e;
}

static enum err remove_deleted(struct retention *r, bool *ret_more)
{
    int64_t ids[DUE_MAX], removed;
    size_t n;
    enum err e = db_deleted_streams(r->db, ids, DUE_MAX, &n, NULL);

    for (size_t i = 0; !e && i < n; i++) {
        e = db_deleted_remove(r->db, ids[i], r->config->retention_batch, &removed, NULL);
        *ret_more |= removed > 0;
    }
    return e;
}

/* Tickets and revocations whose time is over. */
static enum err forget_identity(struct retention *r, bool *ret_more)
{
    int64_t now = clock_unix_us(), batch = r->config->retention_batch, tickets = 0, revocations = 0;
    enum err e = db_tickets_forget(r->db, now, batch, &tickets, NULL);

    if (!e)
        e = db_revocations_forget(r->db, now, batch, &revocations, NULL);
    *ret_more |= tickets >= batch || revocations >= batch;
    return e;
}

/* Each for itself: what stands in the way of one lets none of the others grow. */
enum err retention_tick(void *retention, bool *ret_more)
{
    enum err (*const steps[])(struct retention *, bool *) = { keep_room, remove_expired, remove_answers, remove_letters,
                                                               remove_deleted, forget_identity };
    struct retention *r = retention;
    enum err first = OK;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        enum err e = db_connect(r->db, NULL);

        e = e ? e : steps[i](r, ret_more);
        first = first ? first : e;
    }
    return first;
}
