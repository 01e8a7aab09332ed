#ifndef WEIR_HTTP_CLIENTS_H
#define WEIR_HTTP_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/http/auth.h"

/* The connections of one loop, for what libmicrohttpd does not do: a bound on the time that a request may take to arrive
 * (its own timeout is of inactivity only), and closing idle ones gently at shutdown. Loop thread only. */
struct request_internal;

struct client {
    struct client *next, *prev;
    int fd;
    struct request_internal *in;   /* the request in process, or NULL */
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
};

struct client *clients_add(struct clients *s, int fd, int64_t now_us); /* NULL: no memory */
void clients_remove(struct clients *s, struct client *c);
void client_idle(struct client *c, int64_t now_us);       /* its request has completed */

/* Cuts those whose request has not arrived whole within timeout_us of its first byte, after a 408. */
void clients_reap(struct clients *s, int64_t now_us, int64_t timeout_us);
/* Closes those without a request for quiet_us and without a byte on the way. */
void clients_close_idle(struct clients *s, int64_t now_us, int64_t quiet_us);
void clients_cut(struct clients *s);

#endif
