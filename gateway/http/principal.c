#include "gateway/http/principal.h"

#include <stdatomic.h>
#include <stdlib.h>

struct principal {
    atomic_uint refs;
    int64_t expires_us, issued_us;
    struct rights rights;
    const struct rights *ceiling; /* NULL: none */
    struct slice subject, issuer, token_id; /* in text */
    char text[];
};

/* A copy of a string claim behind what is in text already; absent ones are empty. */
static struct slice claim(const json_t *v, char **at)
{
    size_t n = json_string_length(v);
    struct slice s = { *at, n };

    if (n)
        memcpy(*at, json_string_value(v), n);
    *at += n;
    return s;
}

struct principal *principal_new(const json_t *claims, int64_t expires_us, const char **why)
{
    const json_t *sub = json_object_get(claims, "sub"), *iss = json_object_get(claims, "iss");
    const json_t *jti = json_object_get(claims, "jti"), *iat = json_object_get(claims, "iat");
    struct principal *p = calloc(1, sizeof *p + json_string_length(sub) + json_string_length(iss) + json_string_length(jti) + 1);
    double issued = json_number_value(iat);
    char *at;

    if (!p) {
        *why = NULL;
        return NULL;
    }
    atomic_init(&p->refs, 1);
    p->expires_us = expires_us;
    p->issued_us = issued > 0 && issued < 9e12 ? (int64_t)(issued * 1e6) : 0;
    at = p->text;
    p->subject = claim(sub, &at);
    p->issuer = claim(iss, &at);
    p->token_id = claim(jti, &at);
    if (!rights_read(&p->rights, claims, why)) {
        principal_unref(p);
        return NULL;
    }
    return p;
}

struct principal *principal_ref(struct principal *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void principal_unref(struct principal *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    rights_free(&p->rights);
    free(p);
}

void principal_limit(struct principal *p, const struct rights *ceiling)
{
    p->ceiling = ceiling;
}

bool principal_may(const struct principal *p, enum perm action, struct slice name)
{
    if (p && p->ceiling)
        return rights_allow_both(&p->rights, p->ceiling, action, name);
    return p && rights_allow(&p->rights, action, name);
}

bool principal_may_all(const struct principal *p, enum perm action)
{
    return p && rights_allow_all(&p->rights, action) && (!p->ceiling || rights_allow_all(p->ceiling, action));
}

bool principal_may_any(const struct principal *p, enum perm action)
{
    return p && rights_allow_any(&p->rights, action) && (!p->ceiling || rights_allow_any(p->ceiling, action));
}

void principal_write_rights(const struct principal *p, unsigned action, struct buf *b)
{
    rights_write(&p->rights, action, b);
}

int64_t principal_expires_us(const struct principal *p)
{
    return p->expires_us;
}

struct slice principal_subject(const struct principal *p)
{
    return p->subject;
}

struct slice principal_issuer(const struct principal *p)
{
    return p->issuer;
}

struct slice principal_token_id(const struct principal *p)
{
    return p->token_id;
}

int64_t principal_issued_us(const struct principal *p)
{
    return p->issued_us;
}
