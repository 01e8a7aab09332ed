#ifndef WEIR_HTTP_HANDSHAKE_H
#define WEIR_HTTP_HANDSHAKE_H

#include <stdbool.h>

/* TLS handshakes that wait for their client. libmicrohttpd 1.0.1 asks such a connection again and again without a pause: it takes
 * note that a socket is empty only once the handshake is done. So they are suspended, and our own epoll set waits for their
 * bytes. One loop's; its thread alone. */
struct tls_peer;
struct handshakes {
    struct tls_peer *head;         /* those that libmicrohttpd works at */
};

void handshake_run(struct handshakes *hs, struct tls_peer *peer);  /* one that begins */
void handshake_leave(struct tls_peer *peer);                       /* one that ends, whatever its state */
/* After libmicrohttpd has run: suspends those whose socket is empty, and watches these in the epoll set. Their events carry
 * handshake_tag. */
void handshakes_suspend(struct handshakes *hs, int epoll_fd);
/* An event's data.ptr: is it a handshake's? Then it goes on, and true. */
bool handshake_resume(struct handshakes *hs, int epoll_fd, void *event);

#endif
