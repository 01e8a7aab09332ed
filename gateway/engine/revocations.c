#include "gateway/engine/revocations.h"

#include <pthread.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/worker.h"

#define ENTRY_BYTES ((size_t)4 << 10) /* most that one takes in memory: the texts that the API lets in */

struct revocation_feed {
    const struct config *config;
    revocations_fn *apply;
    void *arg;
    struct db *db;             /* the ticker's */
    struct ticker *ticker;
    pthread_mutex_t lock;      /* held over reading and handing over, so that no older list follows a newer one */
    int64_t version;           /* of what was handed over; -1: nothing yet */
};

struct revocation_feed *revocation_feed_new(const struct config *c, const struct db_config *db, revocations_fn *apply, void *arg)
{
    struct revocation_feed *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    *r = (struct revocation_feed){ .config = c, .apply = apply, .arg = arg, .db = db_new(db), .version = -1 };
    pthread_mutex_init(&r->lock, NULL);
    if (r->db)
        return r;
    revocation_feed_stop(r);
    return NULL;
}

static enum err hand_over(struct revocation_feed *r, struct db *db, struct fault *f)
{
    struct arena *a = arena_new((size_t)(r->config->auth_revocations_max + 1) * ENTRY_BYTES);
    struct revocation_row *v;
    int64_t version;
    size_t n;
    enum err e = a ? db_revocations_all(db, a, clock_unix_us(), &version, &v, &n, f) : ERR_NO_MEMORY;

    if (!e && !r->apply(r->arg, v, n))
        e = ERR_NO_MEMORY;
    if (!e) {
        r->version = version;
        metric_set(M_REVOCATIONS, (int64_t)n);
    }
    arena_free(a);
    return e;
}

enum err revocation_feed_refresh(struct revocation_feed *r, struct db *db, struct fault *f)
{
    int64_t version;
    enum err e;

    pthread_mutex_lock(&r->lock);
    e = db_revocations_version(db, &version, f);
    if (!e && version != r->version)
        e = hand_over(r, db, f);
    pthread_mutex_unlock(&r->lock);
    return e;
}

/* A database that is away is no error here: the ticker would back off, and then learn too late what was revoked meanwhile.
 * db_connect logs it once. */
static enum err tick(void *feed, bool *ret_more)
{
    struct revocation_feed *r = feed;
    enum err e = db_connect(r->db, NULL);

    (void)ret_more;
    if (!e)
        e = revocation_feed_refresh(r, r->db, NULL);
    return e == ERR_DATABASE_UNAVAILABLE ? OK : e;
}

bool revocation_feed_start(struct revocation_feed *r)
{
    const struct ticker_def def = { "weir-revoke", r->config->auth_revocations_poll_us, tick };

    r->ticker = ticker_start(&def, r);
    return r->ticker;
}

void revocation_feed_wake(void *feed)
{
    ticker_wake(((struct revocation_feed *)feed)->ticker);
}

void revocation_feed_stop(struct revocation_feed *r)
{
    if (!r)
        return;
    ticker_stop(r->ticker);
    db_free(r->db);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* Should reading it back fail, the ticker does it. */
void revocations_take_effect(struct revocation_feed *r, struct db *db)
{
    if (revocation_feed_refresh(r, db, NULL))
        revocation_feed_wake(r);
}

enum err revocations_add(struct revocation_feed *r, struct db *db, struct revocation_row *v, struct fault *f)
{
    enum err e;

    v->created_us = clock_unix_us();
    if ((e = db_revocation_add(db, v, r->config->auth_revocations_max, &v->id, f)))
        return e;
    if (!v->id)
        return fault(f, ERR_REVOCATIONS_FULL, "There are %lld revocations already, the most that auth.revocations_max allows.",
                     (long long)r->config->auth_revocations_max);
    log_info("tokens revoked", L_INT("revocation", v->id), L_SLICE("jti", v->jti), L_SLICE("sub", v->sub), L_SLICE("iss", v->iss),
             L_SLICE("by", v->created_by));
    return OK;
}

enum err revocations_remove(struct db *db, int64_t id, struct fault *f)
{
    return db_revocation_remove(db, id, f);
}

enum err revocations_get(struct db *db, struct arena *a, int64_t id, struct revocation_row *ret, struct fault *f)
{
    return db_revocation_get(db, a, id, ret, f);
}

enum err revocations_list(struct db *db, struct arena *a, int64_t after, int64_t limit, struct revocation_row **ret, size_t *ret_n,
                          bool *ret_more, struct fault *f)
{
    enum err e = db_revocations_list(db, a, after, limit + 1, ret, ret_n, f);

    *ret_more = !e && (int64_t)*ret_n > limit;
    if (*ret_more)
        *ret_n = (size_t)limit;
    return e;
}
