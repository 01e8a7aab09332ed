#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/replay.h"

#define PATIENCE_US (300 * US_PER_S)    /* for one call to be taken */
#define FIRST_WAIT_US (US_PER_S / 2)    /* without Retry-After; doubled each time, */
#define LONGEST_WAIT_US (15 * US_PER_S) /* up to this */

static void pause_for(int64_t us)
{
    struct timespec t = { us / US_PER_S, us % US_PER_S * 1000 };

    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

bool replay_refused(struct replay *r, const char *what, const struct http_answer *a)
{
    json_t *body = json_loadb(a->body.p ? a->body.p : "", a->body.n, 0, NULL);

    snprintf(r->why, sizeof r->why, "%.400s: the gateway answers %ld: %.500s", what, a->status,
             http_answer_message(a->status, body));
    http_plain(r->why);
    json_decref(body);
    return false;
}

static bool is_busy(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* Nobody can say whether the call was carried out: no answer, a proxy's, or one that says so. */
static bool is_unknown(bool answered, const struct http_answer *a)
{
    json_t *body;
    const char *code;
    bool unknown;

    if (!answered || a->status == 502 || a->status == 504)
        return true;
    body = json_loadb(a->body.p ? a->body.p : "", a->body.n, 0, NULL);
    code = json_string_value(json_object_get(body, "code"));
    unknown = code && strcmp(code, "outcome-unknown") == 0;
    json_decref(body);
    return unknown;
}

bool replay_call(struct replay *r, const struct http_call *call, struct http_answer *ret)
{
    int64_t give_up_us = clock_mono_us() + PATIENCE_US, wait_us = FIRST_WAIT_US, pause_us;

    for (;;) {
        bool answered = http_client_call(r->http, call, ret, r->why);

        r->reached |= answered;
        if (answered && ret->date_us)
            r->ahead_us = ret->date_us - clock_unix_us();
        if (answered && !is_busy(ret->status)) {
            r->why[0] = '\0';
            return true;
        }
        if (answered)
            replay_refused(r, http_client_url(r->http), ret);
        if (call->once && is_unknown(answered, ret)) {
            size_t n = strlen(r->why);

            snprintf(r->why + n, sizeof r->why - n, "; the last events may be recorded or not, and the dedup window of %s is too "
                     "short to send them again: run it again", r->to);
            return false;
        }
        pause_us = ret->retry_after_us ? ret->retry_after_us : wait_us;
        if (!r->reached || pause_us > give_up_us - clock_mono_us())
            return false;
        pause_for(pause_us);
        wait_us = wait_us * 2 < LONGEST_WAIT_US ? wait_us * 2 : LONGEST_WAIT_US;
    }
}

bool replay_get(struct replay *r, const char *path, struct http_answer *ret)
{
    static const char *const headers[] = { "Accept: application/json", NULL };

    if (!replay_call(r, &(struct http_call){ path, headers, SLICE_NONE, false }, ret))
        return false;
    return ret->status == 200 || replay_refused(r, path, ret);
}

static bool offset_of(const json_t *object, const char *name, int64_t *ret)
{
    const char *text = json_string_value(json_object_get(object, name));
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return !*end && !errno;
}

static bool read_description(const json_t *body, struct replay_stream *ret)
{
    const json_t *parts = json_object_get(body, "partition_status"), *one;
    const char *window = json_string_value(json_object_get(body, "dedup_window"));
    size_t i, n = json_array_size(parts);

    if (!n || n > PARTITIONS_MAX || !window || !duration_parse(slice_of(window), &ret->dedup_window_us))
        return false;
    ret->partitions = (int)n;
    json_array_foreach(parts, i, one)
        if (json_integer_value(json_object_get(one, "partition")) != (json_int_t)i || !offset_of(one, "head", &ret->head[i]) ||
            !offset_of(one, "earliest", &ret->earliest[i]))
            return false;
    return true;
}

bool replay_describe(struct replay *r, const char *stream, struct replay_stream *ret)
{
    struct http_answer a;
    char path[200];
    json_t *body;
    bool good;

    snprintf(path, sizeof path, "/v1/streams/%s", stream);
    if (!replay_get(r, path, &a))
        return false;
    body = json_loadb(a.body.p, a.body.n, 0, NULL);
    if (!(good = read_description(body, ret)))
        snprintf(r->why, sizeof r->why, "%s: what answers does not describe a stream", path);
    json_decref(body);
    return good;
}
