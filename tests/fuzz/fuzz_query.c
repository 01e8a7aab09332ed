#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/http/query.h"
#include "gateway/http/router.h"

/* Input: what stands after the question mark. Besides: any bytes, escaped in full, come back exactly if they are UTF-8 without NUL,
 * and are refused otherwise. */

static const struct route route = { .op = "fuzz", .query = "int wait time on type*" };

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static bool text_valid(struct slice s)
{
    return s.p && utf8_valid(s) && !(s.n && memchr(s.p, '\0', s.n));
}

static void escape(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char hex[4];
        snprintf(hex, sizeof hex, i % 2 ? "%%%02x" : "%%%02X", (unsigned char)s.p[i]);
        buf_put(b, hex, 3);
    }
}

static void check_escaping(struct slice any)
{
    struct arena *a = arena_new(1 << 20);
    struct buf b = { 0 };
    struct slice back = SLICE_NONE;

    demand(a && buf_reserve(&b, 3 * any.n + 1));
    escape(&b, any);
    if (percent_decode(a, (struct slice){ b.p, b.n }, any.n % 2, &back))
        demand(text_valid(any) && slice_eq(back, any));
    else
        demand(!text_valid(any));
    buf_free(&b);
    arena_free(a);
}

static void begin(struct request *rq)
{
    *rq = (struct request){ .route = &route, .arena = arena_new(1 << 20) };
    demand(rq->arena != NULL);
}

/* Written anew from what was understood, it is understood the same. */
static void check_again(const struct request *rq)
{
    struct request again;
    struct buf b = { 0 };

    begin(&again);
    for (size_t i = 0; i < rq->query_count; i++) {
        if (i)
            buf_char(&b, '&');
        escape(&b, rq->query[i].name);
        buf_char(&b, '=');
        escape(&b, rq->query[i].value);
    }
    demand(!b.failed && query_parse(&again, (struct slice){ b.p ? b.p : "", b.n }) == OK);
    demand(again.query_count == rq->query_count);
    for (size_t i = 0; i < rq->query_count; i++)
        demand(slice_eq(again.query[i].name, rq->query[i].name) && slice_eq(again.query[i].value, rq->query[i].value));
    buf_free(&b);
    arena_free(again.arena);
}

static void check_types(struct request *rq)
{
    int64_t n = -5, wait = -1, when = -1;
    bool on = false;
    struct slice first = request_query(rq, "int"), all[3];
    char digits[32] = "";
    size_t count = request_query_all(rq, "type", all, 3);

    if (first.n < sizeof digits)
        memcpy(digits, first.p ? first.p : "", first.n);
    if (request_query_int(rq, "int", -3, 1000, &n) == OK)
        demand(first.p ? n >= -3 && n <= 1000 && n == strtoll(digits, NULL, 10) : n == -5);
    if (request_query_duration(rq, "wait", 60 * US_PER_S, &wait) == OK)
        demand(wait <= 60 * US_PER_S && (wait >= 0 || !request_query(rq, "wait").p));
    if (request_query_bool(rq, "on", &on) == OK && on)
        demand(slice_is(request_query(rq, "on"), "true"));
    request_query_time(rq, "time", &when);
    for (size_t i = 0; i < count && i < 3; i++)
        demand(text_valid(all[i]));
}

static void check_names(const struct request *rq)
{
    static const char *const once[] = { "int", "wait", "time", "on" };
    size_t known = request_query_all(rq, "type", NULL, 0);

    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        size_t n = request_query_all(rq, once[i], NULL, 0);
        demand(n <= 1);
        known += n;
    }
    demand(known == rq->query_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { size ? (const char *)data : "", size };
    struct request rq;

    if (size > 1 << 14)
        return 0;
    check_escaping(text);
    if (memchr(text.p, '\0', text.n)) /* no request line gets here with one */
        return 0;
    begin(&rq);
    if (query_parse(&rq, text) == OK) {
        demand(rq.query_count <= QUERY_ARGS_MAX);
        for (size_t i = 0; i < rq.query_count; i++)
            demand(text_valid(rq.query[i].name) && text_valid(rq.query[i].value));
        check_again(&rq);
        check_types(&rq);
        if (query_check(&rq) == OK)
            check_names(&rq);
    } else {
        demand(rq.fault.detail[0] && utf8_valid(slice_of(rq.fault.detail)));
    }
    arena_free(rq.arena);
    return 0;
}
