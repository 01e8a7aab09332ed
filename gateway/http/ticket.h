#ifndef WEIR_HTTP_TICKET_H
#define WEIR_HTTP_TICKET_H

#include "gateway/http/request.h"

/* Tickets: what a browser's EventSource sends in its URL, since it sends no header. One is 256 random bits; what is recorded is the
 * SHA-256 of it together with path and query, so that it opens exactly these and who reads the table has nothing. Routes take
 * tickets that name the query parameter `ticket`. A ticket stands for the token that made it: same iss, sub, jti and iat (so it is
 * revoked with it), no more rights, no later end. */
#define TICKET_TEXT 43   /* characters: base64url */
#define TICKET_HASH 32   /* bytes */

struct ticket_grant {
    char text[TICKET_TEXT + 1];
    unsigned char hash[TICKET_HASH], owner[TICKET_HASH]; /* owner: of iss and sub */
    struct slice url, claims; /* what hash is bound to; JSON for principal_new. In the arena */
};

/* For the handler of POST /v1/tickets, any thread. ERR_BAD_BODY with the pointer /url: it is no event stream of this server;
 * ERR_FORBIDDEN: the caller may not read it. */
enum err ticket_grant(struct request *rq, struct slice url, struct ticket_grant *ret);

/* What is recorded of a ticket: claims in rq's arena. ERR_NOT_FOUND: there is none, or it is over. A worker thread's. */
typedef enum err ticket_find_fn(struct request *rq, struct slice hash, struct slice *ret_claims, int64_t *ret_expires_us);

#endif
