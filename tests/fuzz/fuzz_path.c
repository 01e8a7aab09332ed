#include <stdint.h>
#include <stdlib.h>

#include "gateway/base/json.h"
#include "gateway/http/accept.h"
#include "gateway/http/gate.h"
#include "gateway/http/query.h"
#include "gateway/http/router.h"

/* Input: a request target, and after a line feed an Accept header. What comes out of the decoding must be UTF-8 without NUL. */

static enum err never(struct request *rq, struct reply *rp)
{
    (void)rq;
    (void)rp;
    return ERR_INTERNAL;
}

static const struct route routes[] = {
    { "streams", "GET", "/v1/streams", PERM_NONE, 0, false, never, NULL },
    { "stream", "GET", "/v1/streams/{stream}", PERM_NONE, 0, false, never, "after limit" },
    { "letter", "GET", "/v1/streams/{stream}/dlq/{id}", PERM_NONE, 0, false, never, NULL },
    { "summary", "GET", "/v1/streams/{stream}/dlq/summary", PERM_NONE, 0, false, never, NULL },
    { "subject", "GET", "/{a}/{b}/{c}/{d}", PERM_NONE, 0, false, never, NULL },
};

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(struct slice s)
{
    demand(s.p != NULL && utf8_valid(s) && (s.n == 0 || !memchr(s.p, '\0', s.n)));
}

static void check_target(const struct router *r, struct slice target)
{
    struct request rq = { .arena = arena_new(1 << 20), .route = &routes[1] };
    const char *question = target.n ? memchr(target.p, '?', target.n) : NULL;
    struct slice path = { target.p, question ? (size_t)(question - target.p) : target.n };
    struct match m = { 0 };
    struct gate g;

    demand(rq.arena != NULL);
    gate_begin(&g, SLICE("GET"), target, SLICE("HTTP/1.1"));
    gate_header(&g, target, target);
    gate_header(&g, SLICE("Host"), target);
    if (router_match(r, rq.arena, SLICE("GET"), path, &m, &rq.fault) == OK && !memchr(path.p, '\0', path.n)) {
        demand(m.route == &routes[m.index]);
        for (size_t i = 0; i < m.count; i++)
            check_text(m.values[i]);
    }
    if (question && query_parse(&rq, (struct slice){ question + 1, target.n - path.n - 1 }) == OK &&
        !memchr(question, '\0', target.n - path.n)) {
        for (size_t i = 0; i < rq.query_count; i++) {
            check_text(rq.query[i].name);
            check_text(rq.query[i].value);
        }
        query_check(&rq);
    }
    arena_free(rq.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const offers[] = { "application/json", "text/event-stream", "text/html; charset=utf-8" };
    static struct router *router;
    char err[512];
    const char *text = size ? (const char *)data : "";
    const char *feed = memchr(text, '\n', size);
    size_t target_n = feed ? (size_t)(feed - text) : size;
    const char *best;

    if (!router)
        demand((router = router_new(routes, sizeof routes / sizeof *routes, err)) != NULL);
    check_target(router, (struct slice){ text, target_n });
    if (!feed)
        return 0;
    best = accept_best((struct slice){ feed + 1, size - target_n - 1 }, offers, 3);
    demand(!best || best == offers[0] || best == offers[1] || best == offers[2]);
    traceparent_valid((struct slice){ feed + 1, size - target_n - 1 });
    return 0;
}
