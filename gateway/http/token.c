#include "gateway/http/token.h"

#include <math.h>

#include "gateway/base/clock.h"
#include "gateway/http/clientcert.h"
#include "gateway/http/jose.h"
#include "gateway/http/principal.h"

enum { ARENA_LIMIT = 4 * TOKEN_MAX };
#define TIME_MAX_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct parts {
    struct slice input, header, claims, signature; /* input as sent: what is signed; the others decoded */
};

struct header {
    enum key_alg alg;
    struct slice kid;                              /* p == NULL: absent */
    bool at_jwt;                                   /* typ says that it is an access token (RFC 9068) */
};

struct signer {
    const struct key *key;
    const struct issuer *issuer;                   /* NULL: it is not one of the configured issuers */
};

static enum err invalid(struct fault *f, const char *why)
{
    return fault(f, ERR_INVALID_TOKEN, "%s", why);
}

/* Exactly three parts, none empty. More dots fail in base64url. */
static bool split(struct arena *a, struct slice token, struct parts *ret)
{
    const char *end = token.p + token.n;
    const char *dot = memchr(token.p, '.', token.n);
    const char *last = dot ? memchr(dot + 1, '.', (size_t)(end - dot - 1)) : NULL;

    if (!last || dot == token.p || last == dot + 1 || last + 1 == end)
        return false;
    ret->input = (struct slice){ token.p, (size_t)(last - token.p) };
    return jose_base64url(a, (struct slice){ token.p, (size_t)(dot - token.p) }, &ret->header) &&
           jose_base64url(a, (struct slice){ dot + 1, (size_t)(last - dot - 1) }, &ret->claims) &&
           jose_base64url(a, (struct slice){ last + 1, (size_t)(end - last - 1) }, &ret->signature);
}

/* NULL unless it is a JSON object, bounded in depth, whose members are unique at every level. */
static json_t *object(struct slice text)
{
    json_t *v = jose_json(text) ? json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (json_is_object(v))
        return v;
    json_decref(v);
    return NULL;
}

static struct slice string_of(const json_t *v)
{
    return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) } : SLICE_NONE;
}

/* RFC 8725, 3.11: another kind of token of the same issuer (a logout token, a proof of possession) is not for us. */
static bool is_access_token(const json_t *typ, bool *ret_at_jwt)
{
    static const char *const kinds[] = { "JWT", "at+jwt", "application/at+jwt" };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (json_is_string(typ) && !strcasecmp(json_string_value(typ), kinds[i])) {
            *ret_at_jwt = i > 0;
            return true;
        }
    }
    return !typ;
}

/* jwk, jku, x5u and x5c, by which a token could bring or name its own key, are never looked at. */
static const char *header_fault(const json_t *o, struct header *ret)
{
    const json_t *kid = json_object_get(o, "kid");

    if (!o)
        return "The token's header is not a JSON object with unique members.";
    if (json_object_get(o, "crit"))
        return "The token demands extensions (crit) that this server does not know.";
    if (!is_access_token(json_object_get(o, "typ"), &ret->at_jwt))
        return "The token's typ is neither JWT nor at+jwt.";
    if (kid && !json_is_string(kid))
        return "The token's kid is not a string.";
    if (!key_alg_parse(string_of(json_object_get(o, "alg")), &ret->alg))
        return "The token's alg is not one of HS256, RS256, PS256, ES256 and EdDSA.";
    ret->kid = string_of(kid);
    return NULL;
}

/* A NumericDate in microseconds. False if it is there but not a time between 1970 and 9999. */
static bool time_claim(const json_t *claims, const char *name, bool *ret_present, int64_t *ret_us)
{
    const json_t *v = json_object_get(claims, name);

    *ret_present = v != NULL;
    if (json_is_integer(v)) {
        int64_t s = json_integer_value(v);

        *ret_us = s >= 0 && s <= TIME_MAX_S ? s * US_PER_S : -1;
    } else if (json_is_real(v)) {
        double s = json_real_value(v);

        *ret_us = isfinite(s) && s >= 0 && s <= (double)TIME_MAX_S ? (int64_t)(s * 1e6) : -1;
    } else {
        return !v;
    }
    return *ret_us >= 0;
}

static const char *time_fault(const json_t *claims, int64_t now, int64_t leeway, int64_t *ret_expires)
{
    bool has_exp, has_nbf, has_iat;
    int64_t nbf = 0, iat = 0;

    if (!time_claim(claims, "exp", &has_exp, ret_expires) || !time_claim(claims, "nbf", &has_nbf, &nbf) ||
        !time_claim(claims, "iat", &has_iat, &iat))
        return "The token's exp, nbf and iat must be numbers of seconds since 1970.";
    if (!has_exp)
        return "The token has no exp claim; tokens without an end are not accepted.";
    if (now - leeway >= *ret_expires)
        return "The token has expired.";
    if (has_nbf && nbf > now + leeway)
        return "The token is not valid yet (nbf).";
    if (has_iat && iat > now + leeway)
        return "The token was issued in the future (iat); compare the clocks.";
    return NULL;
}

/* RFC 7519, 4.1.3: one string, or an array of strings. */
static bool audience_has(const json_t *aud, struct slice wanted, bool *ret_malformed)
{
    bool found = slice_eq(string_of(aud), wanted);
    const json_t *v;
    size_t i;

    *ret_malformed = aud && !json_is_string(aud) && !json_is_array(aud);
    json_array_foreach(aud, i, v) {
        *ret_malformed = *ret_malformed || !json_is_string(v);
        found = found || (json_is_string(v) && slice_eq(string_of(v), wanted));
    }
    return found;
}

static bool audience_good(const json_t *aud, const struct signer *by, const struct token_rules *rules)
{
    struct slice one = by->key->audience ? slice_of(by->key->audience) : rules->audience;
    bool malformed, found = false;

    if (!by->issuer)
        return !one.n || audience_has(aud, one, &malformed);
    for (size_t i = 0; i < by->issuer->audience_n; i++)
        found = found || audience_has(aud, slice_of(by->issuer->audiences[i]), &malformed);
    return found || by->issuer->audience_n == 0;
}

static const char *party_fault(const json_t *claims, const struct signer *by, const struct token_rules *rules)
{
    const json_t *iss = json_object_get(claims, "iss"), *sub = json_object_get(claims, "sub");
    const json_t *aud = json_object_get(claims, "aud");
    struct slice issuer = by->key->issuer ? slice_of(by->key->issuer) : rules->issuer;
    bool malformed;

    audience_has(aud, SLICE_NONE, &malformed);
    if (slice_is(string_of(iss), CLIENTCERT_ISSUER))
        return "The token's issuer (iss) is a name that Weir keeps for client certificates.";
    if (malformed || (iss && !json_is_string(iss)) || (sub && !json_is_string(sub)))
        return "The token's iss, sub or aud is not a string (aud: or an array of strings).";
    if (!by->issuer && issuer.n && !slice_eq(string_of(iss), issuer))
        return "The token's issuer (iss) is not the one that this server expects.";
    if (!audience_good(aud, by, rules))
        return "The token's audience (aud) does not name this server.";
    return NULL;
}

static enum err read_claims(const struct signer *by, const struct token_rules *rules, const json_t *claims, int64_t now,
                            struct principal **ret, struct fault *f)
{
    int64_t expires_us = 0;
    const char *why = claims ? NULL : "The token's claims are not a JSON object with unique members.";

    if (!why)
        why = time_fault(claims, now, rules->leeway_us, &expires_us);
    if (!why)
        why = party_fault(claims, by, rules);
    struct principal *p = why ? NULL : principal_new(claims, expires_us, &why);

    if (!p)
        return why ? invalid(f, why) : fault(f, ERR_NO_MEMORY, "Memory is out.");
    if (by->issuer)
        principal_limit(p, by->issuer->ceiling);
    *ret = p;
    return OK;
}

/* The claims are not to be believed yet: iss only says whose keys are tried. Keys that stand outside of issuers[] take part where
 * they are bound to the very same iss. */
static struct signer find_signer(const struct keys *keys, const struct token_rules *rules, const struct header *h, struct slice iss,
                                 const struct parts *t, struct issuer **ret_lacking)
{
    struct issuer *is = issuers_find(rules->issuers, iss);
    const struct key *k;

    if (!is)
        return (struct signer){ keys_verify(keys, h->kid, h->alg, t->input, t->signature), NULL };
    k = is->fetched ? jwks_set_verify(is->set, h->kid, h->alg, t->input, t->signature)
                    : keys_verify(&is->keys, h->kid, h->alg, t->input, t->signature);
    if (k)
        return (struct signer){ k, is };
    k = keys_verify_bound(keys, iss, rules->issuer, h->kid, h->alg, t->input, t->signature);
    if (!k && ret_lacking && is->fetched && (!is->set || (h->kid.p && !jwks_set_has(is->set, h->kid))))
        *ret_lacking = is;
    return (struct signer){ k, NULL };
}

enum err token_verify(const struct keys *keys, const struct token_rules *rules, struct slice token, int64_t now_unix_us,
                      struct principal **ret, struct issuer **ret_lacking, struct fault *f)
{
    struct arena *a = NULL;
    json_t *head = NULL, *claims = NULL;
    struct header header = { 0 };
    struct parts parts;
    struct signer by;
    const char *why;
    enum err e;

    if (token.n == 0 || token.n > TOKEN_MAX)
        return invalid(f, "The token is empty or longer than 8192 bytes.");
    if (!(a = arena_new(ARENA_LIMIT)))
        return fault(f, ERR_NO_MEMORY, "Memory is out.");
    if (!split(a, token, &parts)) {
        e = invalid(f, "The token is not three parts of unpadded base64url, joined by dots.");
        goto out;
    }
    head = object(parts.header);
    if ((why = header_fault(head, &header))) {
        e = invalid(f, why);
        goto out;
    }
    claims = object(parts.claims);
    by = find_signer(keys, rules, &header, string_of(json_object_get(claims, "iss")), &parts, ret_lacking);
    if (!by.key)
        e = invalid(f, "The token is not signed by a key and algorithm that this server accepts.");
    else if (by.issuer && by.issuer->at_jwt && !header.at_jwt)
        e = invalid(f, "The token's typ is not at+jwt, as it must be for this issuer.");
    else
        e = read_claims(&by, rules, claims, now_unix_us, ret, f);
out:
    json_decref(claims);
    json_decref(head);
    arena_free(a);
    return e;
}
