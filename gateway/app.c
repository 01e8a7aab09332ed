#include "gateway/app.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/app_parts.h"
#include "gateway/engine/retention.h"
#include "gateway/http/server.h"
#include "handlers/handlers.h"

struct app_internal {
    struct auth *auth;
    struct pool *pool;
    struct server *server;
    struct ticker *retention_ticker;
    struct retention retention;
    struct route *routes;      /* the table, with what the configuration decides */
};

static void *worker_db(void *arg)
{
    return db_new(arg);
}

static void worker_db_free(void *db)
{
    db_free(db);
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

static bool start_database(struct app *a, char err[512])
{
    const struct config *c = a->config;
    struct db *db;
    struct fault f = { 0 };
    enum err e;

    a->db = (struct db_config){ c->database_url, "weir", c->database_connect_timeout_us, c->database_statement_timeout_us };
    if (!(db = db_new(&a->db)))
        return false;
    e = retention_prepare(db, &f);
    db_free(db);
    if (e) {
        snprintf(err, 512, "%s", f.detail);
        return false;
    }
    a->in->retention = (struct retention){ .config = c, .db = db_new(&a->db) };
    return a->in->retention.db && (a->streams = streams_new(c)) && (a->tail = tail_new(c, &a->db, &a->db, a->streams)) &&
           (a->commit = commit_new(c, &a->db, a->tail, a->streams));
}

static bool start_http(struct app *a, struct slice dev_secret, char err[512])
{
    struct app_internal *in = a->in;
    const struct pool_config pool = { .name = "weir-work", .threads = (int)a->config->worker_threads,
                                      .queue = (int)a->config->worker_queue, .ctx_new = worker_db, .ctx_free = worker_db_free,
                                      .arg = &a->db };
    const struct ticker_def retention = { "weir-retain", a->config->retention_period_us, retention_tick };

    if (!(in->auth = auth_new(a->config, dev_secret, err)) || !(in->routes = configured_routes(a)))
        return false;
    if (!(in->pool = pool_new(&pool)) || !(in->retention_ticker = ticker_start(&retention, &in->retention)))
        return false;
    in->server = server_start(&(struct server_config){ a->config, a, in->auth, in->pool, in->routes, route_count }, err);
    return in->server != NULL;
}

struct app *app_start(const struct config *c, struct slice dev_secret, char err[512])
{
    struct app *a = calloc(1, sizeof *a);

    snprintf(err, 512, "out of memory at start");
    if (!a || !(a->in = calloc(1, sizeof *a->in))) {
        free(a);
        return NULL;
    }
    a->config = c;
    if (start_database(a, err) && start_http(a, dev_secret, err))
        return a;
    app_stop(a);
    return NULL;
}

int app_port(const struct app *a)
{
    return server_port(a->in->server);
}

void app_stop(struct app *a)
{
    if (!a)
        return;
    if (a->in->server)
        server_stop(a->in->server);
    ticker_stop(a->in->retention_ticker);
    pool_stop(a->in->pool);
    commit_stop(a->commit);
    tail_stop(a->tail);
    server_free(a->in->server);
    streams_free(a->streams);
    db_free(a->in->retention.db);
    auth_free(a->in->auth);
    free(a->in->routes);
    free(a->in);
    free(a);
}
