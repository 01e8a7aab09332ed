#include "gateway/http/jwks.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"
#include "gateway/http/fetch.h"

#define RETRY_FIRST_US US_PER_S              /* after a failure; doubles */
#define RETRY_MAX_US (60 * US_PER_S)
#define NEVER_US INT64_MAX

struct jwks {
    struct jwks_config c;
    pthread_t thread;
    bool running;
    atomic_bool stop;                        /* set under the lock, read by a transfer without it */

    pthread_mutex_t lock;                    /* guards the rest */
    pthread_cond_t changed;
    bool wanted, fetching;
    uint64_t attempts;                       /* that have ended */
    bool asked;                              /* a token's unknown key began a fetch at asked_us */
    int64_t asked_us, due_us, stale_us;
    struct auth_wait *waiters;

    int64_t retry_us;                        /* from here on: the thread alone */
    char trouble[FETCH_WHY];                 /* of the last attempt; logged once */
};

/* One document; what is left of the time that an attempt may take. */
static bool get(struct jwks *j, const char *url, int64_t until_us, struct fetched *ret, char why[FETCH_WHY])
{
    const struct fetch_rules rules = { j->c.config->auth_jwks_ca_file, JWKS_BYTES_MAX, &j->stop };
    int64_t left_us = until_us - clock_mono_us();

    *ret = (struct fetched){ 0 };
    if (!jwks_url_good(url, j->c.config->auth_jwks_allow_http, why))
        return false;
    if (left_us > 0)
        return fetch_get(url, &rules, left_us, ret, why);
    snprintf(why, FETCH_WHY, "no time is left after the discovery document");
    return false;
}

static char *discover(struct jwks *j, int64_t until_us, char why[FETCH_WHY])
{
    char *at = discovery_url(j->c.issuer), *url = NULL;
    struct fetched f = { 0 };

    if (!at)
        snprintf(why, FETCH_WHY, "memory is out");
    else if (get(j, at, until_us, &f, why))
        url = discovery_parse((struct slice){ f.body.p, f.body.n }, j->c.issuer, why);
    if (url && !strncasecmp(at, "https:", 6) && strncasecmp(url, "https:", 6)) {
        snprintf(why, FETCH_WHY, "the jwks_uri of the discovery document is not https");
        free(url);
        url = NULL;
    }
    buf_free(&f.body);
    free(at);
    return url;
}

static struct jwks_set *fetch(struct jwks *j, int64_t *ret_max_age_us, char why[FETCH_WHY])
{
    int64_t until_us = clock_mono_us() + j->c.config->auth_jwks_timeout_us;
    char *found = j->c.url ? NULL : discover(j, until_us, why);
    const char *url = j->c.url ? j->c.url : found;
    struct jwks_set *set = NULL;
    struct fetched f = { 0 };

    if (url && get(j, url, until_us, &f, why))
        set = jwks_set_parse((struct slice){ f.body.p, f.body.n }, j->c.algs, why);
    *ret_max_age_us = f.max_age_us;
    buf_free(&f.body);
    free(found);
    return set;
}

static int64_t clamp(int64_t v, int64_t min, int64_t max)
{
    return v < min ? min : v > max ? max : v;
}

static void succeeded(struct jwks *j, struct jwks_set *set, int64_t max_age_us)
{
    const struct config *c = j->c.config;
    int64_t now_us = clock_mono_us();

    if (*j->trouble)
        log_info("the keys of an issuer can be fetched again", L_STR("issuer", j->c.issuer));
    if (!set->n)
        log_warn("an issuer publishes no key that can be used", L_STR("issuer", j->c.issuer), L_INT("skipped", set->skipped));
    *j->trouble = '\0';
    j->retry_us = 0;
    j->c.install(j->c.arg, set);
    pthread_mutex_lock(&j->lock);
    j->due_us = now_us + clamp(max_age_us, c->auth_jwks_min_age_us, c->auth_jwks_max_age_us);
    j->stale_us = j->due_us + c->auth_jwks_max_stale_us;
    pthread_mutex_unlock(&j->lock);
}

static void failed(struct jwks *j, const char *why)
{
    if (strcmp(j->trouble, why) != 0)
        log_warn("the keys of an issuer cannot be fetched", L_STR("issuer", j->c.issuer), L_STR("why", why));
    snprintf(j->trouble, sizeof j->trouble, "%s", why);
    metric_add(M_JWKS_FAILURES, 1);
    j->retry_us = j->retry_us ? clamp(2 * j->retry_us, RETRY_FIRST_US, RETRY_MAX_US) : RETRY_FIRST_US;
    pthread_mutex_lock(&j->lock);
    j->due_us = clock_mono_us() + j->retry_us;
    pthread_mutex_unlock(&j->lock);
}

static void attempt(struct jwks *j)
{
    char why[FETCH_WHY] = "";
    int64_t max_age_us;
    struct jwks_set *set = fetch(j, &max_age_us, why);

    metric_add(M_JWKS_FETCHES, 1);
    if (set)
        succeeded(j, set, max_age_us);
    else
        failed(j, why);
}

static void drop_stale(struct jwks *j)
{
    log_error("the keys of an issuer are too old and no longer trusted", L_STR("issuer", j->c.issuer));
    j->c.install(j->c.arg, NULL);
}

/* Under the lock, so that who has unregistered is not woken: see jwks_unwait. */
static void wake_all(struct jwks *j)
{
    struct auth_wait *w;

    while ((w = j->waiters)) {
        if ((j->waiters = w->next))
            j->waiters->at = &j->waiters;
        w->linked = false;
        w->wake(w->arg);
    }
}

static void *run(void *arg)
{
    struct jwks *j = arg;

    pthread_mutex_lock(&j->lock);
    while (!atomic_load(&j->stop)) {
        int64_t now_us = clock_mono_us();

        if (j->wanted || now_us >= j->due_us) {
            j->wanted = false;
            j->fetching = true;
            pthread_mutex_unlock(&j->lock);
            attempt(j);
            pthread_mutex_lock(&j->lock);
            j->fetching = false;
            j->attempts++;
            pthread_cond_broadcast(&j->changed);
            wake_all(j);
        } else if (now_us >= j->stale_us) {
            j->stale_us = NEVER_US;
            pthread_mutex_unlock(&j->lock);
            drop_stale(j);
            pthread_mutex_lock(&j->lock);
        } else {
            cond_wait_until(&j->changed, &j->lock, j->due_us < j->stale_us ? j->due_us : j->stale_us);
        }
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

struct jwks *jwks_start(const struct jwks_config *c)
{
    struct jwks *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->c = *c;
    j->stale_us = NEVER_US;
    pthread_mutex_init(&j->lock, NULL);
    cond_init(&j->changed);
    if ((j->running = thread_start(&j->thread, "weir-jwks", run, j)))
        return j;
    jwks_stop(j);
    return NULL;
}

void jwks_stop(struct jwks *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    atomic_store(&j->stop, true);
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
    if (j->running)
        pthread_join(j->thread, NULL);
    pthread_cond_destroy(&j->changed);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

void jwks_wait_first(struct jwks *j, int64_t mono_us)
{
    pthread_mutex_lock(&j->lock);
    while (!j->attempts && cond_wait_until(&j->changed, &j->lock, mono_us))
        ;
    pthread_mutex_unlock(&j->lock);
}

uint64_t jwks_attempts(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t n = j->attempts;
    pthread_mutex_unlock(&j->lock);
    return n;
}

static void enlist(struct jwks *j, struct auth_wait *w)
{
    w->of = j;
    w->linked = true;
    w->at = &j->waiters;
    if ((w->next = j->waiters))
        w->next->at = &w->next;
    j->waiters = w;
}

enum jwks_ask jwks_want(struct jwks *j, uint64_t seen, struct auth_wait *wait)
{
    enum jwks_ask ask = JWKS_COMING;
    int64_t now_us = clock_mono_us();

    pthread_mutex_lock(&j->lock);
    if (wait && !wait->enough) /* an attempt that runs may have begun before the key was published */
        wait->enough = j->attempts + (j->fetching ? 2 : 1);
    if (j->attempts != seen) {
        ask = JWKS_LOOK_AGAIN;
    } else if (wait && j->attempts >= wait->enough) {
        ask = JWKS_REFUSED;
    } else if (!j->fetching && !j->wanted) {
        if (j->asked && now_us - j->asked_us < j->c.config->auth_jwks_min_refresh_us) {
            ask = JWKS_REFUSED;
        } else {
            j->asked = j->wanted = true;
            j->asked_us = now_us;
            pthread_cond_broadcast(&j->changed);
        }
    }
    if (ask == JWKS_COMING && wait)
        enlist(j, wait);
    pthread_mutex_unlock(&j->lock);
    return ask;
}

void jwks_unwait(struct auth_wait *w)
{
    struct jwks *j = w->of;

    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    if (w->linked && (*w->at = w->next))
        w->next->at = w->at;
    w->linked = false;
    pthread_mutex_unlock(&j->lock);
    w->of = NULL;
}
