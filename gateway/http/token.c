#include "gateway/http/token.h"

#include <math.h>

#include "gateway/base/clock.h"
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
static bool is_access_token(const json_t *typ)
{
    static const char *const kinds[] = { "JWT", "at+jwt", "application/at+jwt" };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (json_is_string(typ) && !strcasecmp(json_string_value(typ), kinds[i]))
            return true;
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
    if (!is_access_token(json_object_get(o, "typ")))
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

static const char *party_fault(const json_t *claims, const struct key *key, const struct token_rules *rules)
{
    const json_t *iss = json_object_get(claims, "iss"), *sub = json_object_get(claims, "sub");
    struct slice issuer = key->issuer ? slice_of(key->issuer) : rules->issuer;
    struct slice audience = key->audience ? slice_of(key->audience) : rules->audience;
    bool malformed, found = audience_has(json_object_get(claims, "aud"), audience, &malformed);

    if (malformed || (iss && !json_is_string(iss)) || (sub && !json_is_string(sub)))
        return "The token's iss, sub or aud is not a string (aud: or an array of strings).";
    if (issuer.n && !slice_eq(string_of(iss), issuer))
        return "The token's issuer (iss) is not the one that this server expects.";
    if (audience.n && !found)
        return "The token's audience (aud) does not name this server.";
    return NULL;
}

static enum err read_claims(const struct key *key, const struct token_rules *rules, struct slice text, int64_t now,
                            struct principal **ret, struct fault *f)
{
    json_t *claims = object(text);
    int64_t expires_us = 0;
    const char *why = claims ? NULL : "The token's claims are not a JSON object with unique members.";

    if (!why)
        why = time_fault(claims, now, rules->leeway_us, &expires_us);
    if (!why)
        why = party_fault(claims, key, rules);
    struct principal *p = why ? NULL : principal_new(claims, expires_us, &why);

    json_decref(claims);
    if (!p)
        return why ? invalid(f, why) : fault(f, ERR_NO_MEMORY, "Memory is out.");
    *ret = p;
    return OK;
}

enum err token_verify(const struct keys *keys, const struct token_rules *rules, struct slice token, int64_t now_unix_us,
                      struct principal **ret, struct fault *f)
{
    struct arena *a = NULL;
    json_t *head = NULL;
    struct header header;
    struct parts parts;
    const struct key *key;
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
    key = keys_verify(keys, header.kid, header.alg, parts.input, parts.signature);
    if (!key)
        e = invalid(f, "The token is not signed by a key and algorithm that this server accepts.");
    else
        e = read_claims(key, rules, parts.claims, now_unix_us, ret, f);
out:
    json_decref(head);
    arena_free(a);
    return e;
}
