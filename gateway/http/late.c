#include "gateway/http/late.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <time.h>

#include "gateway/http/reply.h"

static void set_id(const struct request *rq, char id[129])
{
    uint8_t bytes[16] = { 0 };

    if (rq && rq->id[0]) {
        snprintf(id, 129, "%s", rq->id);
        return;
    }
    RAND_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

size_t late_answer(const struct request *rq, char out[LATE_BYTES])
{
    const struct problem *p = problem_of(ERR_TIMEOUT);
    char id[129], date[40];
    struct buf body = { 0 };
    time_t now = time(NULL);
    struct tm tm;
    int n = 0;

    set_id(rq, id);
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* the program never sets another locale than C */
    buf_printf(&body, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"request_id\":", p->code,
               p->title, p->status, p->code);
    buf_json_string(&body, slice_of(id));
    BUF_LIT(&body, "}");
    if (!body.failed)
        n = snprintf(out, LATE_BYTES,
                     "HTTP/1.1 408 Request Timeout\r\nDate: %s\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
                     "X-Request-Id: %s\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
                     "Content-Length: %zu\r\n\r\n%.*s",
                     date, id, body.n, (int)body.n, body.p);
    buf_free(&body);
    return n > 0 && n < LATE_BYTES ? (size_t)n : 0;
}
