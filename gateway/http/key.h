#ifndef WEIR_HTTP_KEY_H
#define WEIR_HTTP_KEY_H

#include <jansson.h>

#include "gateway/base/slice.h"

/* One verification key with the one algorithm that it may be used with (RFC 7518, RFC 8037). Immutable once it stands
 * in a key set, so any thread may verify with it. */
enum key_alg { KEY_HS256, KEY_RS256, KEY_PS256, KEY_ES256, KEY_EDDSA };

#define KEY_WHY 192 /* bytes of the clause that says what is wrong with a key */

struct key {
    enum key_alg alg;
    char *kid;                      /* NULL: none configured */
    char *issuer, *audience;        /* what tokens of this key must carry; NULL: as configured for all keys */
    struct evp_pkey_st *pkey;       /* all but HS256 */
    unsigned char *secret;          /* HS256 */
    size_t secret_n;
};

bool key_alg_parse(struct slice name, enum key_alg *ret); /* exact spelling: "RS256" */

/* NULL on failure, with a clause in why ("the secret has 5 bytes, HS256 needs at least 32"). */
struct key *key_from_secret(struct slice secret, char why[KEY_WHY]);
struct key *key_from_pem(enum key_alg alg, struct slice pem, char why[KEY_WHY]);
struct key *key_from_jwk(enum key_alg alg, const json_t *jwk, char why[KEY_WHY]);
void key_free(struct key *k);       /* NULL-safe; wipes the secret */

/* The signature over `input` in the form that JWS uses: raw r||s for ES256. HMACs are compared in constant time. */
bool key_verify(const struct key *k, struct slice input, struct slice signature);

#endif
