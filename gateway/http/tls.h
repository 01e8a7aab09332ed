#ifndef WEIR_HTTP_TLS_H
#define WEIR_HTTP_TLS_H

#include <microhttpd.h>

#include "gateway/http/auth.h"
#include "gateway/http/handshake.h"

/* TLS by GnuTLS under libmicrohttpd (docs/decisions/0006-tls.md). What the files hold - chain, key, authorities and names of client
 * certificates - is one immutable state. A reload puts the next one in its place: handshakes take the newest, an open connection
 * keeps its keys, and its client certificate is verified anew with its next request. */
struct tls;
struct tls_peer; /* the TLS side of one connection; its loop's thread alone */

/* *ret is NULL when tls.certificate is not set. On failure a sentence in err that names the setting and the file. */
bool tls_new(const struct config *c, struct tls **ret, char err[512]);
void tls_free(struct tls *t); /* NULL-safe; every peer is freed */
/* Reads the files again; blocks on them; one thread at a time. On failure what was in force stays, and err says why. */
bool tls_reload(struct tls *t, char err[512]);
/* For MHD_OPTION_ARRAY, with MHD_USE_TLS. They live as long as t. */
struct MHD_OptionItem *tls_options(struct tls *t);

/* When a connection begins, before its handshake. libmicrohttpd's socket context of the connection must be a struct client by the
 * time that the handshake ends. NULL: no memory; the connection must be cut, its handshake would fail. */
struct tls_peer *tls_accept(struct tls *t, struct MHD_Connection *connection, struct handshakes *running);
void tls_peer_free(struct tls_peer *peer); /* NULL-safe; after libmicrohttpd has freed the session */
bool tls_peer_established(const struct tls_peer *peer);
/* Writes the answer (n may be 0) between libmicrohttpd's own and ends the TLS connection in order, as far as that goes without
 * waiting. Nothing is written in a handshake. Was the answer sent? */
bool tls_peer_farewell(struct tls_peer *peer, const char *answer, size_t n);

/* The client certificate, for a request now. OK: *ret is whom it names, a new reference, or NULL: there is none, or its name is not
 * listed. ERR_UNAUTHENTICATED: it has expired, or is not accepted since a reload. */
enum err tls_peer_identify(struct tls_peer *peer, int64_t now_unix_us, struct principal **ret, struct fault *f);
/* Whether the certificate is accepted by the state in force and, if who is somebody by it, still listed. Cheap but after a reload. */
bool tls_peer_stands(struct tls_peer *peer, const struct principal *who);
bool tls_peer_has_certificate(const struct tls_peer *peer); /* after tls_peer_identify */

#endif
