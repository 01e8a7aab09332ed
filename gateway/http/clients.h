#ifndef WEIR_HTTP_CLIENTS_H
#define WEIR_HTTP_CLIENTS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/http/auth.h"
#include "gateway/http/handshake.h"

/* The connections of one loop, for what libmicrohttpd does not do: a bound on the time that a request may take to arrive
 * (its own timeout is of inactivity only), and closing idle ones gently at shutdown. Loop thread only. */
struct request_internal;
struct tls_peer;
struct addresses;
struct address;

struct client {
    struct client *next, *prev;
    int fd;
    struct request_internal *in;   /* the request in process, or NULL */
    struct tls_peer *tls;          /* NULL: plain */
    struct address *address;       /* where it is counted, or NULL */
    int64_t requests;              /* begun on it */
    int64_t since_us;              /* accepted, or its last request completed */
    int64_t began_us;              /* the first byte of a request was noticed; 0: none */
    uint64_t bytes;                /* received in all, when `known` */
    bool known;
    bool again;                    /* a request of it has completed before */
    struct auth_memo token;        /* of its last request */
};

struct clients {
    struct client *head;
    size_t n;
    size_t most;                   /* libmicrohttpd's limit: the next ones wait in the backlog */
    bool slot_freed;               /* there were as many, and one has gone */
    struct tls *tls;               /* the server's; NULL: plain HTTP */
    struct handshakes handshakes;  /* under way */
    struct addresses *addresses;   /* the server's; NULL: not counted */
    struct address *admitted;      /* counted for the connection that libmicrohttpd is about to begin */
};

/* libmicrohttpd's callbacks; cls is the struct clients, the socket context a struct client (NULL: no memory). */
enum MHD_Result clients_on_accept(void *cls, const struct sockaddr *from, socklen_t n);
void clients_on_connection(void *cls, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code);
/* Once: libmicrohttpd must run again, for only then it goes on to accept. */
bool clients_slot_freed(struct clients *s);
void client_idle(struct client *c, int64_t now_us);       /* its request, or its TLS handshake, has completed */

/* Cuts those whose request has not arrived whole within timeout_us of its first byte, after a 408, and those whose TLS handshake
 * is not done so long after they were accepted. */
void clients_reap(struct clients *s, int64_t now_us, int64_t timeout_us);
/* Closes those without a request for quiet_us and without a byte on the way. */
void clients_close_idle(struct clients *s, int64_t now_us, int64_t quiet_us);
void clients_cut(struct clients *s);

#endif
