#ifndef WEIR_HTTP_JWKS_H
#define WEIR_HTTP_JWKS_H

#include "gateway/http/auth.h"
#include "gateway/http/jwks_set.h"

/* The key set of one issuer, kept fresh by a thread of its own, so that a provider that hangs delays no other. Fetches when the
 * set is due, after failures with growing delays, and when a token names a key that is not in the set: at most one of these
 * in auth.jwks_min_refresh. docs/decisions/0005-issuers-and-jwks.md */
struct jwks;

struct jwks_config {
    const struct config *config;
    const char *issuer;
    const char *url;           /* of the set; NULL: by discovery */
    unsigned algs;             /* bits (1 << KEY_…) */
    /* Takes the set over; NULL: the old one is too old to be trusted. On the thread of the source. */
    void (*install)(void *arg, struct jwks_set *set);
    void *arg;
};

struct jwks *jwks_start(const struct jwks_config *c); /* c is copied, what it points to must stay; NULL: no thread or memory */
void jwks_stop(struct jwks *j);                       /* joins, frees; NULL-safe; nobody may wait any more */
void jwks_wait_first(struct jwks *j, int64_t mono_us); /* until the first attempt has ended, or this time */

/* Any thread, after a look at the set that found no key: seen is the number of attempts that had ended before that look. */
enum jwks_ask {
    JWKS_LOOK_AGAIN,           /* one ended meanwhile */
    JWKS_COMING,               /* one runs or begins: wait (if given) is woken when it has ended */
    JWKS_REFUSED               /* none may begin now, or wait has seen one that began after it came */
};
uint64_t jwks_attempts(struct jwks *j);
enum jwks_ask jwks_want(struct jwks *j, uint64_t seen, struct auth_wait *wait);
void jwks_unwait(struct auth_wait *wait);              /* afterwards it is not woken any more; idempotent */

#endif
