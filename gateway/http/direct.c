#include "gateway/http/direct.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "gateway/base/clock.h"
#include "gateway/http/internal.h"

#define CHUNK_BYTES 16384   /* of one chunk: what a slow reader has not taken of it waits in in->rest */
#define SIZE_ROOM 6         /* "4000\r\n" */
#define END "\r\n"
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif

bool direct_possible(const struct request_internal *in)
{
    return !in->gate.http10 && in->client && loop_plain(in->rq.loop);
}

/* As much as the socket takes. -1: the connection is broken. */
static long put(const struct request_internal *in, const char *p, size_t n)
{
    size_t sent = 0;

    while (sent < n) {
        ssize_t k = send(in->client->fd, p + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (k < 0 && errno == EAGAIN)
            break;
        if (k < 0 && errno != EINTR)
            return -1;
        sent += k > 0 ? (size_t)k : 0;
    }
    return (long)sent;
}

/* One that takes nothing is cut after http.idle_timeout, or when its token ends. */
static bool keep_rest(struct request_internal *in, const char *p, size_t n)
{
    int64_t now = clock_mono_us();

    in->rest_until_us = now + in->rq.config->http_idle_timeout_us;
    if (in->rq.who) {
        int64_t left = principal_expires_us(in->rq.who) - clock_unix_us();

        in->rest_until_us = now + left < in->rest_until_us ? now + left : in->rest_until_us;
    }
    buf_put(&in->rest, p, n);
    loop_deadline(in, in->rest_until_us);
    return !in->rest.failed && loop_watch(in, EPOLLRDHUP | EPOLLOUT);
}

/* false: it broke, or its time is over. */
static bool send_rest(struct request_internal *in)
{
    long n = put(in, in->rest.p + in->rest_at, in->rest.n - in->rest_at);

    if (n < 0)
        return false;
    in->rest_at += (size_t)n;
    if (in->rest_at < in->rest.n) {
        loop_deadline(in, in->rest_until_us); /* the reader's own, which came first, is used up */
        return !in->gone && !loop_cutting(in->rq.loop) && clock_mono_us() < in->rest_until_us &&
               loop_watch(in, EPOLLRDHUP | EPOLLOUT);
    }
    buf_free(&in->rest); /* few readers are slow: none keeps memory for it */
    in->rest_at = 0;
    return loop_watch(in, EPOLLRDHUP);
}

/* false: it broke. */
static bool send_chunk(struct request_internal *in, char *chunk, size_t n)
{
    char size[SIZE_ROOM + 1];
    size_t size_n = (size_t)snprintf(size, sizeof size, "%zx" END, n), whole = size_n + n + sizeof END - 1;
    char *p = chunk + SIZE_ROOM - size_n;
    long sent;

    memcpy(p, size, size_n);
    memcpy(chunk + SIZE_ROOM + n, END, sizeof END - 1);
    sent = put(in, p, whole);
    return sent >= 0 && ((size_t)sent == whole || keep_rest(in, p + sent, whole - (size_t)sent));
}

bool direct_pump(struct request_internal *in)
{
    char chunk[SIZE_ROOM + CHUNK_BYTES + sizeof END] UNINITIALIZED; /* clearing it would cost as much as the rest of us */

    if (in->rest.n && !send_rest(in))
        in->broken = true;
    while (!in->rest.n && !in->broken) {
        long n = send_read(in, chunk + SIZE_ROOM, CHUNK_BYTES);

        if (n == 0)
            return !in->watch || in->watched || loop_watch(in, EPOLLRDHUP);
        if (n < 0)
            return false;
        if (!send_chunk(in, chunk, (size_t)n))
            in->broken = true;
    }
    return !in->broken;
}
