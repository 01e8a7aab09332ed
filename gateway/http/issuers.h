#ifndef WEIR_HTTP_ISSUERS_H
#define WEIR_HTTP_ISSUERS_H

#include "gateway/base/config.h"
#include "gateway/http/jwks_set.h"
#include "gateway/http/keys.h"

/* Who signs tokens: each issuer with its own keys and audiences, from the keys file or the settings. Its name, audiences and
 * limits are read-only; keys that are fetched belong to auth.c, which guards `set`. */
#define ISSUERS_MAX 16
#define ISSUER_AUDIENCES_MAX 16

struct issuer {
    char *name;                     /* exactly `iss` */
    char *audiences[ISSUER_AUDIENCES_MAX]; /* one of which `aud` must be or hold; none: any */
    size_t audience_n;
    bool at_jwt;                    /* the header's typ must be at+jwt */
    struct rights *ceiling;         /* what its tokens may grant at most; NULL: anything */
    struct keys keys;               /* configured ones; else fetched ones: */
    bool fetched, discovery;
    char *jwks_url;                 /* NULL with discovery */
    unsigned algs;                  /* bits (1 << KEY_…) for fetched keys */
    struct jwks_set *set;           /* NULL: none yet */
    int64_t fetched_s;              /* unix time of the last success; 0: none yet. Guarded like set */
    struct jwks *source;
};

struct issuers {
    struct issuer *v[ISSUERS_MAX];
    size_t n;
};

/* The list `issuers` of a keys file, and the settings auth.issuer with auth.jwks_url or auth.discovery. On failure a sentence in
 * err that names the place. */
bool issuers_read(struct issuers *is, const json_t *list, const char *path, const struct config *c, char err[512]);
bool issuers_of_settings(struct issuers *is, const struct config *c, char err[512]);
void issuers_free(struct issuers *is); /* the sources have ended */
struct issuer *issuers_find(const struct issuers *is, struct slice name); /* is may be NULL */

#endif
