#ifndef WEIR_HTTP_TLS_PEER_H
#define WEIR_HTTP_TLS_PEER_H

#include <gnutls/gnutls.h>

#include "gateway/http/handshake.h"
#include "gateway/http/tls.h"

/* The TLS side of one connection, for tls.c and handshake.c. */
struct tls_peer {
    struct tls *tls;
    struct tls_state *state;       /* a reference: the session uses its credentials */
    unsigned turn;
    struct MHD_Connection *connection;
    gnutls_session_t session;
    bool established, looked, has_certificate, accepted;
    int64_t expires_us;            /* of the certificate, unix; the first in its chain to expire */
    struct principal *who;         /* NULL: nobody that is listed */

    /* handshake.c's */
    struct handshakes *running;    /* the list that it is on, or NULL */
    struct tls_peer *next, *prev;
    bool suspended;
};

#endif
