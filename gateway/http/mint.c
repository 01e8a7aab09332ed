#include <jwt.h>
#include <limits.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/http/auth.h"

char *auth_mint_hs256(struct slice secret, const char *scope, const char *subject, int64_t now_unix_us, int64_t ttl_us)
{
    int64_t exp = (now_unix_us + ttl_us + US_PER_S - 1) / US_PER_S; /* rounded up: half a second is not nothing */
    jwt_t *jwt = NULL;
    char *token = NULL;

    if (secret.n == 0 || secret.n > INT_MAX || jwt_new(&jwt))
        return NULL;
    if (!jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret.p, (int)secret.n) &&
        !jwt_add_grant(jwt, "sub", subject) && !jwt_add_grant(jwt, "scope", scope) &&
        !jwt_add_grant_int(jwt, "iat", (long)(now_unix_us / US_PER_S)) && !jwt_add_grant_int(jwt, "exp", (long)exp))
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    return token;
}
