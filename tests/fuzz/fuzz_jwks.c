/* What an issuer sends: the input as a key set, as a discovery document and as a Cache-Control value. */
#include <stdlib.h>

#include "gateway/http/jwks_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALGS (1U << KEY_HS256 | 1U << KEY_RS256 | 1U << KEY_PS256 | 1U << KEY_ES256 | 1U << KEY_EDDSA)
#define ISSUER "https://id.example"
#define DAY_US (INT64_C(24) * 3600 * 1000000)

static void must(bool x)
{
    if (!x)
        abort();
}

/* Whatever was taken is a public key with one algorithm, found by its name, and signs nothing by itself. */
static void hold(const struct jwks_set *s)
{
    must(s->n <= sizeof s->v / sizeof *s->v && jwks_set_lacks(s, s) == 0 && jwks_set_lacks(s, NULL) == 0);
    must(jwks_set_lacks(NULL, s) == s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct key *k = s->v[i];

        must(k->alg != KEY_HS256 && k->pkey && !k->secret && !k->issuer && !k->audience);
        must(!k->kid || jwks_set_has(s, slice_of(k->kid)));
        must(!jwks_set_verify(s, slice_of(k->kid), k->alg, SLICE("input"), SLICE("")));
        must(!jwks_set_verify(s, slice_of(k->kid), KEY_HS256, SLICE("input"), SLICE("")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    char why[KEY_WHY] = "";
    struct jwks_set *s;
    char *url;

    if (size > JWKS_BYTES_MAX + 1)
        return 0;
    if ((s = jwks_set_parse(input, ALGS, why)))
        hold(s);
    else
        must(*why);
    jwks_set_free(s);
    if ((url = discovery_parse(input, ISSUER, why))) {
        must(*url);
        jwks_url_good(url, false, why);
    }
    free(url);
    int64_t us = cache_control_max_age(input);

    must(us >= -1 && us <= 365 * DAY_US);
    return 0;
}
