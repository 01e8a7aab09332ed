#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/replay.h"
#include "gateway/replay_binary.h"

/* Longer windows than this survive every pause of a call that is repeated. */
#define SAFE_WINDOW_US (INT64_C(1800) * 1000000)

/* The event that a problem points at ("/3/data"), if it does. */
static bool culprit(const json_t *problem, size_t n, size_t *ret)
{
    const char *p = json_string_value(json_object_get(json_array_get(json_object_get(problem, "errors"), 0), "pointer"));
    char *end;
    unsigned long i;

    if (!p || p[0] != '/' || p[1] < '0' || p[1] > '9')
        return false;
    i = strtoul(p + 1, &end, 10);
    *ret = i;
    return i < n && (*end == '\0' || *end == '/');
}

static bool refused(struct replay *r, const struct replay_event *ev, const struct http_answer *a)
{
    char what[400];

    if (ev)
        snprintf(what, sizeof what, "event %.200s of partition %d, offset %lld", ev->id.p ? ev->id.p : "", ev->partition,
                 (long long)ev->offset);
    else
        snprintf(what, sizeof what, "publishing to %s", r->to);
    return replay_refused(r, what, a);
}

static bool count(struct replay *r, const struct http_answer *a, size_t n)
{
    json_t *receipts = json_loadb(a->body.p, a->body.n, 0, NULL), *one;
    size_t i, duplicates = 0;
    bool array = json_is_array(receipts), good = array ? json_array_size(receipts) == n : json_is_object(receipts);

    if (array)
        json_array_foreach(receipts, i, one)
            duplicates += json_is_true(json_object_get(one, "duplicate"));
    else
        duplicates = json_is_true(json_object_get(receipts, "duplicate"));
    json_decref(receipts);
    if (!good)
        snprintf(r->why, sizeof r->why, "publishing to %s: what answers are no receipts", r->to);
    r->there += (int64_t)duplicates;
    r->copied += (int64_t)(n - duplicates);
    return good;
}

static bool publish(struct replay *r, struct slice body, const char *const *headers, struct http_answer *ret)
{
    char path[200];

    snprintf(path, sizeof path, "/v1/streams/%s/events", r->to);
    return replay_call(r, &(struct http_call){ path, headers, body, r->window_us < SAFE_WINDOW_US }, ret);
}

static bool send_json(struct replay *r, const struct replay_page *page, const struct replay_event *const *v, size_t n,
                      struct http_answer *ret)
{
    static const char *const headers[] = { "Content-Type: application/cloudevents-batch+json", "Accept: application/json", NULL };
    struct buf body = { 0 };
    bool answered;

    for (size_t i = 0; i < n; i++) {
        buf_char(&body, i ? ',' : '[');
        buf_put(&body, page->text.p + v[i]->at, v[i]->n);
    }
    buf_char(&body, ']');
    if (body.failed)
        snprintf(r->why, sizeof r->why, "memory is out");
    answered = !body.failed && publish(r, (struct slice){ body.p, body.n }, headers, ret);
    buf_free(&body);
    return answered;
}

/* One event that is too large as JSON may have come in binary mode, where its data need no escapes and no base64. */
static bool send_binary(struct replay *r, const struct replay_page *page, const struct replay_event *ev,
                        const struct http_answer *before)
{
    struct replay_binary b;
    struct http_answer a;
    bool good = false;

    if (!replay_binary_make(&b, (struct slice){ page->text.p + ev->at, ev->n }))
        refused(r, ev, before);
    else if (publish(r, b.body, b.headers, &a))
        good = a.status / 100 == 2 ? count(r, &a, 1) : refused(r, ev, &a);
    replay_binary_free(&b);
    return good;
}

bool replay_send(struct replay *r, const struct replay_page *page, const struct replay_event *const *v, size_t n)
{
    struct http_answer a;
    json_t *problem;
    size_t at = n / 2;
    bool pointed;

    if (!n)
        return true;
    if (!send_json(r, page, v, n, &a))
        return false;
    if (a.status / 100 == 2)
        return count(r, &a, n);
    problem = json_loadb(a.body.p, a.body.n, 0, NULL);
    pointed = culprit(problem, n, &at);
    json_decref(problem);
    if (a.status != 413)
        return refused(r, pointed ? v[at] : n == 1 ? v[0] : NULL, &a);
    if (n == 1)
        return send_binary(r, page, v[0], &a);
    if (pointed) /* what comes before it goes first: the order is kept */
        return replay_send(r, page, v, at) && replay_send(r, page, v + at, 1) && replay_send(r, page, v + at + 1, n - at - 1);
    return replay_send(r, page, v, at) && replay_send(r, page, v + at, n - at);
}
