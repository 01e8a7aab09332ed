#include "gateway/http/clients.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/http/addresses.h"
#include "gateway/http/internal.h"
#include "gateway/http/late.h"
#include "gateway/http/tls.h"

#define UNACKED_TIMEOUT_MS 30000 /* a peer that acknowledges nothing for so long is gone */
#define HANDSHAKE_DRAIN_US US_PER_S /* a TLS handshake may take so long once the drain has begun */
#define CLOSE_WAIT 8             /* of tcpi_state; netinet/tcp.h, which names it, does not go with linux/tcp.h */

static struct client *add(struct clients *s, int fd, int64_t now_us)
{
    struct client *c = calloc(1, sizeof *c);
    const int one = 1;
    const unsigned unacked = UNACKED_TIMEOUT_MS;

    if (!c)
        return NULL;
    c->fd = fd;
    c->since_us = now_us;
    c->known = true;
    c->next = s->head;
    if (s->head)
        s->head->prev = c;
    s->head = c;
    s->n++;
    metric_add(M_HTTP_CONNECTIONS, 1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof unacked);
    return c;
}

static void drop(struct clients *s, struct client *c)
{
    if (!c)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->head = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->n--;
    metric_add(M_HTTP_CONNECTIONS, -1);
    auth_forget(&c->token);
    tls_peer_free(c->tls);
    addresses_leave(s->addresses, c->address);
    free(c);
}

enum MHD_Result clients_on_accept(void *cls, const struct sockaddr *from, socklen_t n)
{
    struct clients *s = cls;

    (void)n;
    addresses_leave(s->addresses, s->admitted); /* of one that libmicrohttpd could not begin */
    if (addresses_enter(s->addresses, from, &s->admitted))
        return MHD_YES;
    metric_add(M_HTTP_ADDRESS_REFUSED, 1);
    return MHD_NO;
}

static struct client *begin(struct clients *s, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct client *c = info ? add(s, info->connect_fd, clock_mono_us()) : NULL;

    if (!c)
        return NULL;
    c->address = s->admitted;
    s->admitted = NULL;
    if (s->tls && !(c->tls = tls_accept(s->tls, connection, &s->handshakes)))
        shutdown(c->fd, SHUT_RDWR);
    return c;
}

void clients_on_connection(void *cls, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
    struct clients *s = cls;
    struct client *c = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = begin(s, connection);
        return;
    }
    if (c && c->in) { /* a body refused by libmicrohttpd itself, whose sender left: it never tells that the request has ended */
        void *state = c->in;
        dispatch_completed(c->in->rq.loop, connection, &state, MHD_REQUEST_TERMINATED_WITH_ERROR);
    }
    s->slot_freed |= s->n >= s->most;
    drop(s, c);
}

bool clients_slot_freed(struct clients *s)
{
    bool freed = s->slot_freed;

    s->slot_freed = false;
    return freed;
}

void client_idle(struct client *c, int64_t now_us)
{
    c->in = NULL;
    c->again = true;
    c->since_us = now_us;
    c->began_us = 0;
    c->known = false;
}

static uint64_t received(int fd, bool *ret_ended)
{
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;

    *ret_ended = false;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n))
        return 0;
    *ret_ended = info.tcpi_state == CLOSE_WAIT;
    return info.tcpi_bytes_received;
}

/* libmicrohttpd does not tell that bytes of a next request have come, the kernel does. The first look after a request only
 * takes the mark, so bytes are noticed one look late at worst. */
static void look(struct client *c, int64_t now_us)
{
    bool ended;
    uint64_t bytes = received(c->fd, &ended);
    char byte;

    /* libmicrohttpd misses an end that came together with bytes: the connection would idle until its timeout */
    if (ended && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        shutdown(c->fd, SHUT_RDWR);
    if (c->known && bytes != c->bytes && !c->began_us)
        c->began_us = now_us;
    c->known = true;
    c->bytes = bytes;
}

static bool in_handshake(const struct client *c)
{
    return c->tls && !tls_peer_established(c->tls);
}

static bool arriving_since(struct client *c, int64_t now_us, int64_t *ret_us)
{
    if (in_handshake(c)) {
        *ret_us = c->since_us;
        return true;
    }
    if (c->in) {
        *ret_us = c->in->rq.began_us;
        return c->in->phase < PHASE_RUN;
    }
    look(c, now_us);
    *ret_us = c->began_us;
    return c->began_us != 0;
}

/* What libmicrohttpd knows nothing of, before the socket is shut. Plain text never goes into a TLS connection. */
static bool say(struct client *c, const char *answer, size_t n)
{
    if (c->tls)
        return tls_peer_farewell(c->tls, answer, n);
    return n && send(c->fd, answer, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void clients_reap(struct clients *s, int64_t now_us, int64_t timeout_us)
{
    char answer[LATE_BYTES];
    int64_t since;
    size_t n;

    for (struct client *c = s->head; c; c = c->next) {
        if (!arriving_since(c, now_us, &since) || now_us - since < timeout_us)
            continue;
        n = late_answer(c->in ? &c->in->rq : NULL, answer);
        if (say(c, answer, n))
            metric_add(M_HTTP_REJECTED, 1);
        shutdown(c->fd, SHUT_RDWR);
    }
}

void clients_close_idle(struct clients *s, int64_t now_us, int64_t quiet_us)
{
    char byte;

    for (struct client *c = s->head; c; c = c->next) {
        ssize_t n;

        if (c->in && c->in->phase >= PHASE_RUN)
            continue;
        n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 0) { /* it left amid a request: libmicrohttpd misses an end that came together with bytes */
            shutdown(c->fd, SHUT_RDWR);
            continue;
        }
        if (c->in)
            continue;
        if (in_handshake(c)) {
            if (now_us - c->since_us >= HANDSHAKE_DRAIN_US)
                shutdown(c->fd, SHUT_RDWR);
            continue;
        }
        look(c, now_us);
        if (n < 0 && errno == EAGAIN && !c->began_us && now_us - c->since_us >= quiet_us) {
            say(c, NULL, 0);
            shutdown(c->fd, SHUT_RDWR);
        }
    }
}

void clients_cut(struct clients *s)
{
    for (struct client *c = s->head; c; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
}
