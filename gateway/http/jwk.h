#ifndef WEIR_HTTP_JWK_H
#define WEIR_HTTP_JWK_H

#include <jansson.h>

#include "gateway/base/slice.h"
#include "gateway/http/key.h"

/* JSON Web Keys (RFC 7517, 7518 section 6, RFC 8037). On failure a clause stands in why. */
/* RSA, EC P-256, OKP Ed25519; a private one is refused. */
struct evp_pkey_st *jwk_public_key(const json_t *jwk, char why[KEY_WHY]);
bool jwk_secret(const json_t *jwk, char **ret, size_t *ret_n, char why[KEY_WHY]); /* oct; the caller wipes and frees */

#endif
