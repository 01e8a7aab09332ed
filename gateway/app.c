#include "gateway/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/app_parts.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/engine/figures.h"
#include "gateway/engine/retention.h"
#include "gateway/http/server.h"
#include "handlers/handlers.h"

struct app_internal {
    struct auth *auth;
    struct pool *pool;
    struct server *_Atomic server; /* NULL: not yet up */
    struct revocations *revocations;
    struct ticker *retention_ticker;
    struct figures *figures;
    struct retention retention;
    struct route *routes;      /* the table, with what the configuration decides */
};

#define OUT_OF_MEMORY "out of memory at start"

static enum err no_memory(struct fault *f)
{
    return fault(f, ERR_INTERNAL, OUT_OF_MEMORY);
}

/* Only `metrics.public` changes a right, and only towards what the operator asked for. */
static struct route *configured_routes(struct app *a)
{
    struct route *v = malloc(route_count * sizeof *v);

    for (size_t i = 0; v && i < route_count; i++) {
        v[i] = routes[i];
        if (v[i].handle == handle_metrics && a->config->metrics_public)
            v[i].perm = PERM_NONE;
    }
    return v;
}

/* The list of revoked tokens has changed: what waits looks at it. */
static bool take_revocations(void *app, const struct revocation_row *rows, size_t n)
{
    struct app_internal *in = ((struct app *)app)->in;
    struct server *server = atomic_load(&in->server);
    struct revocation *v = calloc(n + 1, sizeof *v);
    bool ok;

    for (size_t i = 0; v && i < n; i++)
        v[i] = (struct revocation){ rows[i].jti, rows[i].sub, rows[i].iss, rows[i].issued_before_us, rows[i].expires_us };
    ok = v && revocations_set(in->revocations, v, n);
    free(v);
    if (ok && server)
        server_vet(server);
    return ok;
}

/* Before anything is served. */
static enum err start_revocations(struct app *a, struct db *db, struct fault *f)
{
    enum err e;

    if (!(a->in->revocations = revocations_new()) ||
        !(a->revocation_feed = revocation_feed_new(a->config, &a->db, take_revocations, a)))
        return no_memory(f);
    if ((e = revocation_feed_refresh(a->revocation_feed, db, f)))
        return e;
    return revocation_feed_start(a->revocation_feed) ? OK : no_memory(f);
}

static enum err start_outbound(struct app *a, struct fault *f)
{
    char err[512];

    a->outbound = outbound_start(a->config, &a->db, err);
    return a->outbound ? OK : fault(f, ERR_INTERNAL, "%s", err);
}

static bool start_engine(struct app *a)
{
    const struct config *c = a->config;

    a->in->retention = (struct retention){ .config = c, .db = db_new(&a->db) };
    return a->in->retention.db && (a->streams = streams_new(c)) && (a->tail = tail_new(c, &a->db, &a->db, a->streams)) &&
           (a->commit = commit_new(c, &a->db, a->tail, a->streams)) &&
           (a->outbox = outbox_start(c, &a->db, a->commit, a->streams)) && (a->audit = audit_new(c, a->outbox)) &&
           (a->groups = groups_new(c, &a->db, a->tail, a->streams, a->outbox)) &&
           (a->jobs = jobs_start(c, &a->db, a->audit, a->groups)) && (a->in->figures = figures_start(c, &a->db)) &&
           (a->projections = projections_start(c, &a->db, a->tail, a->streams)) &&
           (a->checks = projection_checks_start(c, &a->db, a->projections)) &&
           (a->schemas = schemas_start(c, &a->db, a->outbox)) &&
           (a->schema_cache = schema_cache_new(c, a->schemas)) &&
           (a->sagas = sagas_start(c, &a->db, a->streams, a->tail, a->commit, a->schema_cache, a->outbox, a->outbound));
}

static enum err start_database(struct app *a, struct fault *f)
{
    const struct config *c = a->config;
    struct db *db;
    enum err e;

    a->db = (struct db_config){ c->database_url, "weir", c->database_connect_timeout_us, c->database_statement_timeout_us, false };
    if (!(db = db_new(&a->db)))
        return no_memory(f);
    if (!(e = db_check(db, f)) && !(e = retention_prepare(db, f)))
        e = start_revocations(a, db, f);
    db_free(db);
    if (!e)
        e = start_outbound(a, f);
    return e ? e : start_engine(a) ? OK : no_memory(f);
}

/* What says that it serves is ready: the lanes connect by themselves, in milliseconds; one that cannot does not hold up the start. */
static void wait_for_lanes(const struct app *a)
{
    int64_t until = clock_mono_us() + a->config->database_connect_timeout_us;

    while (!commit_moving(a->commit) && clock_mono_us() < until)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static bool start_http(struct app *a, struct slice dev_secret, char err[512])
{
    struct app_internal *in = a->in;
    const struct pool_config pool = { .name = "weir-work", .threads = (int)a->config->worker_threads,
                                      .queue = (int)a->config->worker_queue, .ctx_new = db_of_worker, .ctx_free = db_of_worker_free,
                                      .arg = &a->db };
    const struct ticker_def retention = { "weir-retain", a->config->retention_period_us, retention_tick };
    struct server *server;

    wait_for_lanes(a);
    if (!(in->auth = auth_new(a->config, dev_secret, err)) || !(in->routes = configured_routes(a)))
        return false;
    if (!(in->pool = pool_new(&pool)) || !(in->retention_ticker = ticker_start(&retention, &in->retention)))
        return false;
    tail_on_revocation(a->tail, revocation_feed_wake, a->revocation_feed);
    server = server_start(&(struct server_config){ .config = a->config, .app = a, .auth = in->auth, .revocations = in->revocations,
                                                   .find_ticket = tickets_look_up, .pool = in->pool, .routes = in->routes,
                                                   .route_count = route_count }, err);
    atomic_store(&in->server, server);
    if (server)
        server_vet(server); /* the list may have changed while it came up */
    return server;
}

enum err app_start(const struct config *c, struct slice dev_secret, struct app **ret, struct fault *f)
{
    struct app *a = calloc(1, sizeof *a);
    char err[512] = OUT_OF_MEMORY;
    enum err e;

    if (!a || !(a->in = calloc(1, sizeof *a->in))) {
        free(a);
        return no_memory(f);
    }
    a->config = c;
    if (!(e = start_database(a, f)) && !start_http(a, dev_secret, err))
        e = fault(f, ERR_INTERNAL, "%s", err);
    if (e)
        app_stop(a);
    else
        *ret = a;
    return e;
}

int app_port(const struct app *a)
{
    return server_port(a->in->server);
}

bool app_is_tls(const struct app *a)
{
    return server_is_tls(a->in->server);
}

void app_reload(struct app *a)
{
    char err[512];

    server_reload(a->in->server);
    if (!*a->config->outbound_file)
        return;
    if (outbound_reload(a->outbound, err))
        log_line(LOG_INFO, "outbound.file was read again");
    else
        log_error("outbound.file cannot be used; what was read before stays in force", L_STR("why", err));
}

void app_stop(struct app *a)
{
    if (!a)
        return;
    if (a->in->server)
        server_stop(a->in->server);
    ticker_stop(a->in->retention_ticker);
    figures_stop(a->in->figures);
    pool_stop(a->in->pool);
    sagas_stop(a->sagas);
    schema_cache_free(a->schema_cache);
    schemas_stop(a->schemas);
    projection_checks_stop(a->checks);
    projections_stop(a->projections);
    jobs_stop(a->jobs);
    audit_free(a->audit);
    groups_stop(a->groups);
    outbox_stop(a->outbox);
    commit_stop(a->commit);
    tail_stop(a->tail);
    projections_free(a->projections);
    outbound_stop(a->outbound);
    sagas_free(a->sagas);
    revocation_feed_stop(a->revocation_feed);
    server_free(a->in->server);
    streams_free(a->streams);
    db_free(a->in->retention.db);
    auth_free(a->in->auth);
    revocations_free(a->in->revocations);
    free(a->in->routes);
    free(a->in);
    free(a);
}
