#include "gateway/http/query.h"

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/http/router.h"

static size_t count_args(struct slice text)
{
    size_t n = 1;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '&';
    return n;
}

enum err query_parse(struct request *rq, struct slice text)
{
    const char *p = text.p, *end = text.p + text.n;
    size_t max = count_args(text);

    if (max > QUERY_ARGS_MAX)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The query has more than %d parameters.", QUERY_ARGS_MAX);
    if (!(rq->query = arena_alloc(rq->arena, max * sizeof *rq->query)))
        return ERR_NO_MEMORY;
    for (; p < end; p++) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        const char *equals, *name_end;
        struct query_arg *arg = &rq->query[rq->query_count];
        if (!stop)
            stop = end;
        if (stop > p) {
            equals = memchr(p, '=', (size_t)(stop - p));
            name_end = equals ? equals : stop;
            struct slice value = { equals ? equals + 1 : stop, equals ? (size_t)(stop - equals - 1) : 0 };
            if (!percent_decode(rq->arena, (struct slice){ p, (size_t)(name_end - p) }, true, &arg->name) ||
                !percent_decode(rq->arena, value, true, &arg->value))
                return fault(&rq->fault, ERR_BAD_PARAMETER, "The query has a bad percent-escape or is not UTF-8.");
            rq->query_count++;
        }
        p = stop;
    }
    return OK;
}

/* 0: not named; 1: once at most; 2: any number of times */
static int named_in(const char *names, struct slice name)
{
    for (const char *p = names ? names : ""; *p;) {
        size_t n = strcspn(p, " ");
        bool many = n && p[n - 1] == '*';

        if (n && slice_eq((struct slice){ p, n - many }, name))
            return 1 + many;
        p += n + strspn(p + n, " ");
    }
    return 0;
}

bool query_names(const struct route *route, struct slice name)
{
    return named_in(route->query, name) != 0;
}

enum err query_check(struct request *rq)
{
    for (size_t i = 0; i < rq->query_count; i++) {
        struct slice name = rq->query[i].name;
        int named = named_in(rq->route->query, name), shown = name.n < 60 ? (int)name.n : 0;

        if (!named)
            return fault(&rq->fault, ERR_BAD_PARAMETER, "There is no query parameter \"%.*s\" here.", shown, name.p);
        for (size_t k = 0; named == 1 && k < i; k++)
            if (slice_eq(rq->query[k].name, name))
                return fault(&rq->fault, ERR_BAD_PARAMETER, "The query parameter \"%.*s\" may be given once.", shown, name.p);
    }
    return OK;
}

struct slice request_query(const struct request *rq, const char *name)
{
    struct slice first = SLICE_NONE;

    request_query_all(rq, name, &first, 1);
    return first;
}

size_t request_query_all(const struct request *rq, const char *name, struct slice *out, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < rq->query_count; i++) {
        if (!slice_is(rq->query[i].name, name))
            continue;
        if (n < max)
            out[n] = rq->query[i].value;
        n++;
    }
    return n;
}

/* The one value of a parameter that may come once. OK with ret->p == NULL: absent. */
static enum err single(struct request *rq, const char *name, struct slice *ret)
{
    *ret = SLICE_NONE;
    if (request_query_all(rq, name, ret, 1) > 1)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The parameter %s may come once only.", name);
    return OK;
}

enum err request_query_int(struct request *rq, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    struct slice s;
    int64_t v;
    enum err e = single(rq, name, &s);

    if (e || !s.p)
        return e;
    if (!json_int64(s, &v) || v < min || v > max)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The parameter %s must be an integer from %lld to %lld.", name,
                     (long long)min, (long long)max);
    *ret = v;
    return OK;
}

enum err request_query_duration(struct request *rq, const char *name, int64_t max_us, int64_t *ret_us)
{
    struct slice s;
    int64_t v;
    char most[32];
    enum err e = single(rq, name, &s);

    if (e || !s.p)
        return e;
    if (!duration_parse(s, &v) || v > max_us) {
        duration_format(max_us, most);
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The parameter %s must be a duration like 30s, at most %s.", name,
                     most);
    }
    *ret_us = v;
    return OK;
}

enum err request_query_time(struct request *rq, const char *name, int64_t *ret_unix_us)
{
    struct slice s;
    char text[64];
    enum err e = single(rq, name, &s);

    if (e || !s.p)
        return e;
    if (s.n < sizeof text) { /* an offset's '+' that was not percent-encoded has become a space */
        memcpy(text, s.p, s.n);
        if (s.n > 6 && text[s.n - 6] == ' ')
            text[s.n - 6] = '+';
        if (clock_parse((struct slice){ text, s.n }, ret_unix_us))
            return OK;
    }
    return fault(&rq->fault, ERR_BAD_PARAMETER, "The parameter %s must be an RFC 3339 time.", name);
}

enum err request_query_bool(struct request *rq, const char *name, bool *ret)
{
    struct slice s;
    enum err e = single(rq, name, &s);

    if (e || !s.p)
        return e;
    if (!slice_is(s, "true") && !slice_is(s, "false"))
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The parameter %s must be true or false.", name);
    *ret = slice_is(s, "true");
    return OK;
}
