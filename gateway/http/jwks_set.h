#ifndef WEIR_HTTP_JWKS_SET_H
#define WEIR_HTTP_JWKS_SET_H

#include <stdint.h>

#include "gateway/http/key.h"

/* What an issuer publishes (RFC 7517, section 5; OpenID Connect Discovery 1.0). Pure: no I/O, no locks. A set is immutable
 * once parsed. On failure a clause stands in why. */
#define JWKS_KEYS_MAX 100                 /* in a document; more refuse it */
#define JWKS_BYTES_MAX ((size_t)256 << 10) /* of a document */

struct jwks_set {
    struct key *v[2 * JWKS_KEYS_MAX];     /* an RSA key without alg stands twice: for RS256 and for PS256 */
    size_t n;
    size_t skipped;                       /* entries that are no key for us: encryption, other curves, secrets, weak ones */
};

/* algs: bits (1 << KEY_…) of what the issuer's keys may be used for; HS256 is never among them: a secret that is published
 * is none. */
struct jwks_set *jwks_set_parse(struct slice text, unsigned algs, char why[KEY_WHY]);
void jwks_set_free(struct jwks_set *s);   /* NULL-safe */
bool jwks_set_has(const struct jwks_set *s, struct slice kid); /* NULL-safe; a key of this name, of any algorithm */
/* The key of this name and algorithm, if it made the signature; else NULL. Without a kid (p == NULL) only the single key of
 * the algorithm may be meant (OpenID Connect Core 1.0, 10.1). */
const struct key *jwks_set_verify(const struct jwks_set *s, struct slice kid, enum key_alg alg, struct slice input,
                                  struct slice signature);
/* How many keys of `of` are not in s, by name, algorithm and material. Both may be NULL: empty. */
size_t jwks_set_lacks(const struct jwks_set *s, const struct jwks_set *of);

/* jwks_uri of an OpenID provider's metadata, if its issuer is exactly ours; the caller frees. */
char *discovery_parse(struct slice text, const char *issuer, char why[KEY_WHY]);
/* <issuer>/.well-known/openid-configuration; the caller frees, NULL: memory is out. */
char *discovery_url(const char *issuer);

/* https, or http to this machine's loopback (anywhere if allow_http); a host, no user, no fragment. */
bool jwks_url_good(const char *url, bool allow_http, char why[KEY_WHY]);
/* max-age of a Cache-Control value in microseconds; 0: no-store, no-cache or malformed; -1: it says nothing. */
int64_t cache_control_max_age(struct slice value);

#endif
