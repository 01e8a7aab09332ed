#ifndef WEIR_HTTP_TLS_STATE_H
#define WEIR_HTTP_TLS_STATE_H

#include <gnutls/gnutls.h>
#include <stdatomic.h>

#include "gateway/http/clientcert.h"

/* What the TLS files hold, read once; tls.c shares it among connections. Immutable, reference-counted. */
struct tls_state {
    atomic_uint refs;
    gnutls_certificate_credentials_t credentials; /* chain, key, and authorities of client certificates */
    struct clientcerts *clients;                   /* NULL: no client certificates */
};

/* One reference. On failure NULL, and a sentence in err. What works but ought to be looked at (expired) is logged. */
struct tls_state *tls_state_load(const struct config *c, char err[512]);
struct tls_state *tls_state_ref(struct tls_state *s);
void tls_state_unref(struct tls_state *s); /* NULL-safe */
/* Whether the session's client certificate is good by the credentials that the session has; also when there is none. */
bool tls_verify_client(gnutls_session_t session);

#endif
