#include "tests/unit/http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "tests/unit/http_routes.h"

#define PATIENCE_MS 60000

static void *ctx_new(void *arg)
{
    return arg;
}

static void ctx_free(void *ctx)
{
    (void)ctx;
}

void fixture_config(struct fixture *f)
{
    *f = (struct fixture){
        .app = { .lock = PTHREAD_MUTEX_INITIALIZER },
        .config = { .http_address = "127.0.0.1", .http_loops = 2, .http_connections = 2000, .http_backlog = 512,
                    .http_connection_memory = 16384, .http_body_memory = 64 << 20, .http_idle_timeout_us = 60 * US_PER_S,
                    .http_request_timeout_us = 10 * US_PER_S, .http_drain_timeout_us = 5 * US_PER_S,
                    .http_cors_origins = "https://a.example https://b.example", .request_bytes = 2 << 20,
                    .tls_certificate = "", .tls_key = "", .tls_min_version = "1.3", .tls_client_ca = "", .tls_client_auth = "off",
                    .auth_keys_file = "", .auth_hs256_secret = FIXTURE_SECRET, .auth_public_key = "",
                    .auth_public_key_alg = "", .auth_issuer = "", .auth_audience = "", .auth_cache = 16 },
    };
}

void fixture_start(struct fixture *f)
{
    char err[512] = "";
    const struct pool_config pool = { .name = "test", .threads = WORKERS, .queue = WORKER_QUEUE, .ctx_new = ctx_new,
                                      .ctx_free = ctx_free, .arg = f };
    const struct server_config c = { .config = &f->config, .app = &f->app, .routes = test_routes,
                                     .route_count = test_route_count };
    struct server_config with = c;

    assert_non_null(with.auth = f->auth = auth_new(&f->config, SLICE_NONE, err));
    assert_non_null(with.pool = f->pool = pool_new(&pool));
    if (!(f->server = server_start(&with, err)))
        fail_msg("%s", err);
}

void fixture_stop(struct fixture *f)
{
    server_stop(f->server);
    for (int i = 0; i < PATIENCE_MS / 10 && app_int(f, &f->app.lanes); i++)
        usleep(10000);
    pool_stop(f->pool);
    server_free(f->server);
    auth_free(f->auth);
}

int waiting(struct fixture *f)
{
    int n = 0;

    pthread_mutex_lock(&f->app.lock);
    for (struct waiter *w = f->app.waiters; w; w = w->next)
        n += !w->woken; /* those of the round before may still be leaving */
    pthread_mutex_unlock(&f->app.lock);
    return n;
}

void wait_for_waiters(struct fixture *f, int n)
{
    for (int i = 0; i < PATIENCE_MS && waiting(f) != n; i++)
        usleep(1000);
    assert_int_equal(waiting(f), n);
}

void wake_all(struct fixture *f)
{
    pthread_mutex_lock(&f->app.lock);
    for (struct waiter *w = f->app.waiters; w; w = w->next) {
        w->woken = true;
        request_wake(w->rq);
    }
    pthread_mutex_unlock(&f->app.lock);
}

void produce(struct fixture *f, int chunks)
{
    pthread_mutex_lock(&f->app.lock);
    f->app.produced += chunks;
    for (struct waiter *w = f->app.waiters; w; w = w->next)
        request_wake(w->rq);
    pthread_mutex_unlock(&f->app.lock);
}

int app_int(struct fixture *f, const int *p)
{
    int v;

    pthread_mutex_lock(&f->app.lock);
    v = *p;
    pthread_mutex_unlock(&f->app.lock);
    return v;
}

void conn_open(struct conn *c, struct fixture *f)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)server_port(f->server)) };

    c->n = 0;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
}

void conn_close(struct conn *c)
{
    close(c->fd);
}

void conn_send(struct conn *c, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0)
            return; /* the server may have closed: the answer tells */
        bytes += sent;
        n -= (size_t)sent;
    }
}

void conn_say(struct conn *c, const char *text)
{
    conn_send(c, text, strlen(text));
}

/* Receives what there is; false: closed, or nothing within the time. */
static bool more(struct conn *c, int within_ms)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    ssize_t n;

    assert_true(c->n < sizeof c->in - 1);
    if (poll(&p, 1, within_ms) <= 0 || (n = recv(c->fd, c->in + c->n, sizeof c->in - 1 - c->n, 0)) <= 0)
        return false;
    c->n += (size_t)n;
    c->in[c->n] = '\0';
    return true;
}

bool conn_until(struct conn *c, const char *text)
{
    do {
        if (memmem(c->in, c->n, text, strlen(text)))
            return true;
    } while (more(c, PATIENCE_MS));
    return false;
}

bool conn_closed(struct conn *c, int within_ms)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    char byte;

    return c->n == 0 && poll(&p, 1, within_ms) > 0 && recv(c->fd, &byte, 1, 0) <= 0;
}

static void take(struct conn *c, size_t n)
{
    c->n -= n;
    memmove(c->in, c->in + n, c->n);
    c->in[c->n] = '\0';
}

static void append(struct answer *a, const char *p, size_t n)
{
    a->body = realloc(a->body, a->body_n + n + 1);
    assert_non_null(a->body);
    memcpy(a->body + a->body_n, p, n);
    a->body_n += n;
    a->body[a->body_n] = '\0';
}

/* Moves up to n bytes into the body; false: the connection ended before. */
static bool body_bytes(struct conn *c, struct answer *a, size_t n)
{
    while (n) {
        size_t part;
        if (c->n == 0 && !more(c, PATIENCE_MS))
            return false;
        part = c->n < n ? c->n : n;
        append(a, c->in, part);
        take(c, part);
        n -= part;
    }
    return true;
}

static bool body_chunks(struct conn *c, struct answer *a)
{
    for (;;) {
        size_t size, before;
        if (!conn_until(c, "\r\n"))
            return false;
        size = strtoul(c->in, NULL, 16);
        take(c, (size_t)(strstr(c->in, "\r\n") - c->in) + 2);
        before = a->body_n;
        if (!body_bytes(c, a, size + 2))
            return false;
        a->body[a->body_n = before + size] = '\0';
        if (size == 0)
            return true;
    }
}

struct answer conn_answer(struct conn *c)
{
    struct answer a = { 0 };
    char value[512];
    size_t head_n;

    append(&a, "", 0);
    do {
        take(c, a.status == 100 ? strlen("HTTP/1.1 100 Continue\r\n\r\n") : 0);
        a.status = 0;
        if (!conn_until(c, "\r\n\r\n"))
            return a;
        a.status = atoi(c->in + 9);
    } while (a.status == 100);
    head_n = (size_t)(strstr(c->in, "\r\n\r\n") - c->in) + 4;
    assert_true(head_n < sizeof a.head);
    memcpy(a.head, c->in, head_n);
    take(c, head_n);
    a.closes = answer_header(&a, "Connection", value) && strcasecmp(value, "close") == 0;
    if (a.status == 204)
        return a;
    if (answer_header(&a, "Content-Length", value)) {
        if (!body_bytes(c, &a, strtoul(value, NULL, 10)))
            a.status = 0;
    } else if (answer_header(&a, "Transfer-Encoding", value)) {
        if (!body_chunks(c, &a))
            a.status = 0;
    } else {
        while (body_bytes(c, &a, 1))
            ;
    }
    return a;
}

struct answer ask(struct fixture *f, const char *text)
{
    struct conn c;
    struct answer a;

    conn_open(&c, f);
    conn_say(&c, text);
    a = conn_answer(&c);
    conn_close(&c);
    return a;
}

const char *answer_header(const struct answer *a, const char *name, char out[512])
{
    size_t n = strlen(name);

    for (const char *p = strstr(a->head, "\r\n"); p && p[2] != '\r'; p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':') {
            snprintf(out, 512, "%.*s", (int)strcspn(p + 4 + n, "\r"), p + 4 + n);
            return out;
        }
    }
    return NULL;
}

int status_of(struct fixture *f, const char *text)
{
    struct answer a = ask(f, text);

    free(a.body);
    return a.status;
}
