#include "gateway/http/principal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/http/rights.h"

struct principal {
    atomic_uint refs;
    int64_t expires_us;
    struct rights rights;
    struct slice subject, issuer; /* in text */
    char text[];
};

struct principal *principal_new(const json_t *claims, int64_t expires_us, const char **why)
{
    const json_t *sub = json_object_get(claims, "sub"), *iss = json_object_get(claims, "iss");
    size_t sub_n = json_string_length(sub), iss_n = json_string_length(iss);
    struct principal *p = calloc(1, sizeof *p + sub_n + iss_n + 1);

    if (!p) {
        *why = NULL;
        return NULL;
    }
    atomic_init(&p->refs, 1);
    p->expires_us = expires_us;
    p->subject = (struct slice){ p->text, sub_n };
    p->issuer = (struct slice){ p->text + sub_n, iss_n };
    if (sub_n)
        memcpy(p->text, json_string_value(sub), sub_n);
    if (iss_n)
        memcpy(p->text + sub_n, json_string_value(iss), iss_n);
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

bool principal_may(const struct principal *p, enum perm action, struct slice name)
{
    return p && rights_allow(&p->rights, action, name);
}

bool principal_may_all(const struct principal *p, enum perm action)
{
    return p && rights_allow_all(&p->rights, action);
}

bool principal_may_any(const struct principal *p, enum perm action)
{
    return p && rights_allow_any(&p->rights, action);
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
