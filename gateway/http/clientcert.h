#ifndef WEIR_HTTP_CLIENTCERT_H
#define WEIR_HTTP_CLIENTCERT_H

#include "gateway/http/auth.h"

/* Which client certificates are somebody, and what they may do: the list "clients" of the keys file (docs/tls.md). Whether a
 * certificate is genuine is not decided here. Immutable once loaded; any thread. */
#define CLIENTCERTS_MAX 1000
#define CLIENTCERT_ISSUER "tls" /* principal_issuer of who is known by a certificate */
struct clientcerts;

/* The list in the file; a path "" or a file without the list: one that knows nobody. On failure NULL, and a sentence in err that
 * names the entry. Blocks. */
struct clientcerts *clientcerts_load(const char *path, char err[512]);
void clientcerts_free(struct clientcerts *cs); /* NULL-safe */

/* The end of a certificate (DER) as unix time in microseconds; 0: it cannot be read. */
int64_t clientcert_expires_us(struct slice der);
/* Whom the certificate (DER) names: the first entry of the list that equals its subject, one of its DNS names (in any case) or one of
 * its URIs. A new reference; NULL: nobody, or memory is out. */
struct principal *clientcerts_find(const struct clientcerts *cs, struct slice der, int64_t expires_us);

#endif
