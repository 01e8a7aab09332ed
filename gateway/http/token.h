#ifndef WEIR_HTTP_TOKEN_H
#define WEIR_HTTP_TOKEN_H

#include "gateway/http/auth.h"
#include "gateway/http/issuers.h"

/* JSON Web Tokens in JWS compact form (RFC 7515, 7519, 8725); docs/decisions/0001-own-token-verifier.md says why. */
#define TOKEN_MAX 8192

struct token_rules {
    struct slice issuer, audience; /* expected, unless the key says otherwise; n == 0: any */
    int64_t leeway_us;
    const struct issuers *issuers; /* whose tokens none but their own keys verify; NULL: none */
};

/* ERR_INVALID_TOKEN or ERR_NO_MEMORY. The sentence tells nothing of the keys. ret_lacking (may be NULL) is set with
 * ERR_INVALID_TOKEN when the issuer's fetched keys, of which this one may be new, have none of this name. */
enum err token_verify(const struct keys *keys, const struct token_rules *rules, struct slice token, int64_t now_unix_us,
                      struct principal **ret, struct issuer **ret_lacking, struct fault *f);

#endif
