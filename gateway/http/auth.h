#ifndef WEIR_HTTP_AUTH_H
#define WEIR_HTTP_AUTH_H

#include <stdint.h>

#include "gateway/base/config.h"
#include "gateway/base/err.h"

/* What a caller may do. Bits, so that `admin:p` is all of them. A route declares one; 0 is invalid in the route table. */
enum perm {
    PERM_PUBLISH = 1 << 0,
    PERM_SUBSCRIBE = 1 << 1,
    PERM_DLQ = 1 << 2,
    PERM_SCHEMA = 1 << 3,
    PERM_SAGA = 1 << 4,
    PERM_PROJECTION = 1 << 5,
    PERM_MANAGE = 1 << 6,
    PERM_ADMIN = 1 << 7,
    PERM_ANY = (1 << 8) - 1, /* some action, no matter which */
    PERM_NONE = 1 << 8,      /* public route */
    PERM_AUTHENTICATED = 1 << 9 /* any valid token; the handler decides per item */
};

/* The verified content of a token: immutable, reference-counted, shared by the cache and the requests that use it. */
struct principal;
struct principal *principal_ref(struct principal *p);
void principal_unref(struct principal *p);                       /* NULL-safe */
bool principal_may(const struct principal *p, enum perm action, struct slice name); /* one action on one stream */
bool principal_may_all(const struct principal *p, enum perm action);   /* the action on every name: pattern "*" (or admin:*) */
bool principal_may_any(const struct principal *p, enum perm action);   /* on something */
int64_t principal_expires_us(const struct principal *p);         /* unix; exactly `exp` */
struct slice principal_subject(const struct principal *p);       /* "sub", or "" */
struct slice principal_issuer(const struct principal *p);        /* "iss", or "" */
struct slice principal_token_id(const struct principal *p);      /* "jti", or "" */
int64_t principal_issued_us(const struct principal *p);          /* "iat" as unix time, or 0: none */

/* Keys, each with its one algorithm, the issuers whose keys are fetched, and the cache of verified tokens (by SHA-256 of the
 * token). Any thread. */
struct auth;
/* dev_secret (may be empty): the development key that `weir dev` keeps in the database, HS256. Begins to fetch the keys of issuers
 * and waits up to auth.jwks_start_wait for them. c must stay. On failure: a sentence in err. */
struct auth *auth_new(const struct config *c, struct slice dev_secret, char err[512]);
void auth_free(struct auth *a);
bool auth_has_keys(const struct auth *a);                        /* or an issuer that has some */
/* Add the development key later (weir serve reads it from the database once that is up). */
bool auth_add_secret(struct auth *a, struct slice secret);

/* `authorization` is the header's value. OK: *ret is a reference for the caller. ERR_UNAUTHENTICATED: no Bearer token.
 * ERR_INVALID_TOKEN: a fault sentence that helps the owner and tells an attacker nothing of the keys. */
enum err auth_check(struct auth *a, struct slice authorization, int64_t now_unix_us, struct principal **ret, struct fault *f);

/* One who waits for keys: zero-initialised with wake and arg set, used by one thread at a time, for one token. wake is called on the
 * thread that fetches, at most once for each ERR_PARKED. */
struct auth_wait {
    void (*wake)(void *arg);
    void *arg;
    struct jwks *of;              /* the rest is auth's own */
    bool linked;                  /* under the lock of `of`, as next and at */
    struct auth_wait *next, **at;
    uint64_t enough;              /* attempts to fetch: when so many have ended the token waits for no more; 0: has not waited */
};
/* The same, with one outcome more, ERR_PARKED: the token names a key that its issuer may have published meanwhile, and it is being
 * fetched. Ask again after the wake. Call auth_unwait before w goes away; both are for one thread at a time. */
enum err auth_check_or_wait(struct auth *a, struct slice authorization, int64_t now_unix_us, struct auth_wait *w,
                            struct principal **ret, struct fault *f);
/* The last good token of a connection, so that its next request need not be digested. Zero-initialised; one thread. */
struct auth_memo {
    char *value;                  /* of the header, whole */
    size_t n;
    struct principal *who;
    uint64_t age;                 /* of the cache of tokens */
};
/* A new reference, or NULL: ask auth_check. */
struct principal *auth_recall(const struct auth *a, const struct auth_memo *m, struct slice authorization, int64_t now_unix_us);
/* age: auth_age as it was before the token was checked. Keeps values of up to 2 KiB: a connection's memory is bounded. */
void auth_remember(const struct auth *a, struct auth_memo *m, struct slice authorization, struct principal *who, uint64_t age);
uint64_t auth_age(const struct auth *a); /* goes up when a key is gone */
/* Of a token that was good: would it still be let in? Fetches nothing, waits for nothing. Where that cannot be told it stands. */
bool auth_stands(struct auth *a, struct slice authorization, int64_t now_unix_us);
void auth_forget(struct auth_memo *m); /* wipes and frees what it holds */
void auth_unwait(struct auth_wait *w); /* afterwards it is not woken any more; idempotent */

/* For a principal that was made of a token's claims without the token (a ticket's), before it is shared: no more than its issuer may
 * grant. */
void auth_limit(const struct auth *a, struct principal *p);

/* Mints a token with libjwt (HS256 by secret): `weir token`, `weir dev`. scope as in api.md. The caller frees. */
char *auth_mint_hs256(struct slice secret, const char *scope, const char *subject, int64_t now_unix_us, int64_t ttl_us);

#endif
