#ifndef WEIR_HTTP_REVOCATIONS_H
#define WEIR_HTTP_REVOCATIONS_H

#include "gateway/http/auth.h"

/* The tokens that are refused before their time, as this gateway knows them. Read by every request: when the list is empty that
 * costs two atomic loads, else one or two look-ups under a read lock. Any thread. */
struct revocations;

/* One token by its jti, or every token of a sub that was issued before a time (or does not say when). */
struct revocation {
    struct slice jti, sub;     /* one of them; the other has p == NULL */
    struct slice iss;          /* of this issuer only; p == NULL: of any */
    int64_t issued_before_us;  /* unix; with sub */
    int64_t expires_us;        /* unix: no effect from then on */
};

struct revocations *revocations_new(void);
void revocations_free(struct revocations *r);   /* NULL-safe */
/* Replaces the whole list by copies. false: memory is out, the old list stays. */
bool revocations_set(struct revocations *r, const struct revocation *v, size_t n);
bool revocations_hold(struct revocations *r, const struct principal *p, int64_t now_unix_us);
/* Another number after each revocations_set, never 0: who was let in under the same number need not be looked up again. */
uint64_t revocations_generation(const struct revocations *r);

#endif
