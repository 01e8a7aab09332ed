#include "gateway/http/handshake.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "gateway/http/tls_peer.h"

#define TAG ((uintptr_t)1) /* in the pointer of an epoll event, where others have a request: both are aligned */

void handshake_run(struct handshakes *hs, struct tls_peer *peer)
{
    peer->running = hs;
    peer->prev = NULL;
    peer->next = hs->head;
    if (hs->head)
        hs->head->prev = peer;
    hs->head = peer;
}

void handshake_leave(struct tls_peer *peer)
{
    if (!peer->running)
        return;
    if (peer->prev)
        peer->prev->next = peer->next;
    else
        peer->running->head = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    peer->running = NULL;
}

/* The end of the connection is something to read as well. */
static bool waits_for_client(const struct tls_peer *peer, int fd)
{
    char byte;

    return gnutls_record_get_direction(peer->session) == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void suspend(struct tls_peer *peer, int fd, int epoll_fd)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = (void *)((uintptr_t)peer | TAG) };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev))
        return; /* it goes on as it does without us */
    MHD_suspend_connection(peer->connection);
    peer->suspended = true;
    handshake_leave(peer);
}

void handshakes_suspend(struct handshakes *hs, int epoll_fd)
{
    for (struct tls_peer *peer = hs->head, *next; peer; peer = next) {
        int fd = gnutls_transport_get_int(peer->session);

        next = peer->next;
        if (peer->established)
            handshake_leave(peer);
        else if (waits_for_client(peer, fd))
            suspend(peer, fd, epoll_fd);
    }
}

bool handshake_resume(struct handshakes *hs, int epoll_fd, void *event)
{
    struct tls_peer *peer = (struct tls_peer *)((uintptr_t)event & ~TAG);

    if (!((uintptr_t)event & TAG))
        return false;
    if (peer->suspended) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, gnutls_transport_get_int(peer->session), NULL);
        peer->suspended = false;
        MHD_resume_connection(peer->connection);
        handshake_run(hs, peer);
    }
    return true;
}
