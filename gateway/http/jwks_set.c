#include "gateway/http/jwks_set.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http/jose.h"

/* What a key may be used for, by its kind, when it does not say (alg) itself. */
static const struct {
    const char *kty;
    enum key_alg algs[2];
    size_t n;
} kinds[] = {
    { "RSA", { KEY_RS256, KEY_PS256 }, 2 },
    { "EC", { KEY_ES256 }, 1 },
    { "OKP", { KEY_EDDSA }, 1 },
};

static struct slice text_of(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) } : SLICE_NONE;
}

void jwks_set_free(struct jwks_set *s)
{
    if (!s)
        return;
    while (s->n)
        key_free(s->v[--s->n]);
    free(s);
}

static bool same_kid(const struct key *k, struct slice kid)
{
    return k->kid ? kid.p && slice_is(kid, k->kid) : !kid.p;
}

/* The first key of a name and algorithm counts, a second one could only confuse. */
static bool is_taken(const struct jwks_set *s, struct slice kid, enum key_alg alg)
{
    for (size_t i = 0; kid.p && i < s->n; i++) {
        if (s->v[i]->alg == alg && same_kid(s->v[i], kid))
            return true;
    }
    return false;
}

/* false: memory is out. A key that cannot be used is passed over: its neighbours must go on to serve. */
static bool add_as(struct jwks_set *s, const json_t *jwk, struct slice kid, enum key_alg alg, bool *ret_added)
{
    char why[KEY_WHY];
    struct key *k = is_taken(s, kid, alg) ? NULL : key_from_jwk(alg, jwk, why);

    if (!k)
        return true;
    if (kid.p && !(k->kid = strndup(kid.p, kid.n))) {
        key_free(k);
        return false;
    }
    s->v[s->n++] = k;
    *ret_added = true;
    return true;
}

static bool add(struct jwks_set *s, const json_t *jwk, unsigned algs)
{
    struct slice kty = text_of(jwk, "kty"), alg = text_of(jwk, "alg"), kid = text_of(jwk, "kid");
    bool added = false;
    enum key_alg own = KEY_HS256;
    bool named = json_object_get(jwk, "alg") != NULL;

    if (named && !key_alg_parse(alg, &own))
        algs = 0;
    if (json_object_get(jwk, "kid") && (!kid.p || memchr(kid.p, '\0', kid.n)))
        algs = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (size_t j = 0; slice_is(kty, kinds[i].kty) && j < kinds[i].n; j++) {
            enum key_alg a = kinds[i].algs[j];

            if (algs & 1U << a && (!named || own == a) && !add_as(s, jwk, kid, a, &added))
                return false;
        }
    }
    s->skipped += !added;
    return true;
}

/* An object, bounded in depth, with unique members; NULL with a clause. */
static json_t *object(struct slice text, char why[KEY_WHY])
{
    json_t *v = text.n <= JWKS_BYTES_MAX && jose_json(text) ? json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (json_is_object(v))
        return v;
    json_decref(v);
    snprintf(why, KEY_WHY, "the document is not a JSON object with unique members");
    return NULL;
}

struct jwks_set *jwks_set_parse(struct slice text, unsigned algs, char why[KEY_WHY])
{
    json_t *root = object(text, why);
    const json_t *list = json_object_get(root, "keys"), *jwk;
    struct jwks_set *s = NULL;
    bool good = true;
    size_t i;

    if (!root)
        return NULL;
    if (!json_is_array(list))
        snprintf(why, KEY_WHY, "the document has no array \"keys\"");
    else if (json_array_size(list) > JWKS_KEYS_MAX)
        snprintf(why, KEY_WHY, "the document has more than %d keys", JWKS_KEYS_MAX);
    else if (!(s = calloc(1, sizeof *s)))
        snprintf(why, KEY_WHY, "memory is out");
    if (s) {
        json_array_foreach(list, i, jwk)
            good = good && add(s, jwk, algs & ~(1U << KEY_HS256));
    }
    json_decref(root);
    if (good)
        return s;
    snprintf(why, KEY_WHY, "memory is out");
    jwks_set_free(s);
    return NULL;
}

bool jwks_set_has(const struct jwks_set *s, struct slice kid)
{
    for (size_t i = 0; s && kid.p && i < s->n; i++) {
        if (same_kid(s->v[i], kid))
            return true;
    }
    return false;
}

const struct key *jwks_set_verify(const struct jwks_set *s, struct slice kid, enum key_alg alg, struct slice input,
                                  struct slice signature)
{
    const struct key *k = NULL;

    for (size_t i = 0; s && i < s->n; i++) {
        if (s->v[i]->alg != alg || (kid.p && !same_kid(s->v[i], kid)))
            continue;
        if (k)
            return NULL; /* no kid, several keys */
        k = s->v[i];
    }
    return k && key_verify(k, input, signature) ? k : NULL;
}

static bool holds(const struct jwks_set *s, const struct key *wanted)
{
    struct slice kid = slice_of(wanted->kid);

    for (size_t i = 0; s && i < s->n; i++) {
        const struct key *k = s->v[i];

        if (k->alg == wanted->alg && same_kid(k, kid) && EVP_PKEY_eq(k->pkey, wanted->pkey) == 1)
            return true;
    }
    return false;
}

size_t jwks_set_lacks(const struct jwks_set *s, const struct jwks_set *of)
{
    size_t n = 0;

    for (size_t i = 0; of && i < of->n; i++)
        n += !holds(s, of->v[i]);
    return n;
}

char *discovery_parse(struct slice text, const char *issuer, char why[KEY_WHY])
{
    json_t *root = object(text, why);
    struct slice named = text_of(root, "issuer"), uri = text_of(root, "jwks_uri");
    char *out = NULL;

    if (!root)
        return NULL;
    if (!slice_is(named, issuer)) /* Discovery 1.0, 4.3: else one provider could speak for another */
        snprintf(why, KEY_WHY, "the discovery document is another issuer's: its issuer is not exactly the configured one");
    else if (!uri.n || memchr(uri.p, '\0', uri.n))
        snprintf(why, KEY_WHY, "the discovery document has no jwks_uri");
    else if (!(out = strndup(uri.p, uri.n)))
        snprintf(why, KEY_WHY, "memory is out");
    json_decref(root);
    return out;
}

char *discovery_url(const char *issuer)
{
    size_t n = strlen(issuer);
    char *out;

    n -= n > 0 && issuer[n - 1] == '/'; /* Discovery 1.0, 4.1 */
    return asprintf(&out, "%.*s/.well-known/openid-configuration", (int)n, issuer) < 0 ? NULL : out;
}
