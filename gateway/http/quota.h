#ifndef WEIR_HTTP_QUOTA_H
#define WEIR_HTTP_QUOTA_H

#include "gateway/base/buf.h"
#include "gateway/base/config.h"

/* What each caller (a token's `iss` and `sub`) may use: requests, events and bytes a window, and open streams at once. Counted by
 * each gateway process for itself, in a bounded table: a caller who has no request in process may be forgotten, the one seen least
 * recently first, and begins afresh. Any thread. */
enum quota_rate { QUOTA_REQUESTS, QUOTA_EVENTS, QUOTA_BYTES, QUOTA_RATES };
struct quota;
struct account;

struct quota *quota_new(const struct config *c); /* NULL: no memory */
void quota_free(struct quota *q);                /* NULL-safe; no account is held any more */
bool quota_on(const struct quota *q);            /* false: nothing is limited, and nothing else here needs to be called */

/* The caller's account, held until quota_leave. NULL: no memory. */
struct account *quota_enter(struct quota *q, struct slice issuer, struct slice subject);
void quota_leave(struct quota *q, struct account *a, bool held); /* held: a stream is given back too */

/* Takes n of each rate, or nothing: then which one is short is returned, and *ret_wait_us says when it is there; -1: it is more
 * than a whole window's quota, never. QUOTA_RATES: all was taken. now_us: monotonic. */
enum quota_rate quota_charge(struct quota *q, struct account *a, const int64_t n[QUOTA_RATES], int64_t now_us,
                             int64_t *ret_wait_us);
bool quota_hold(struct quota *q, struct account *a); /* one stream more; false: none is left */

/* The fields of draft-ietf-httpapi-ratelimit-headers-09: what is allowed, and what is left now. */
void quota_policy(const struct quota *q, struct buf *out);
void quota_state(struct quota *q, const struct account *a, int64_t now_us, struct buf *out);
int64_t quota_limit(const struct quota *q, enum quota_rate rate); /* a window; 0: none */
const char *quota_rate_name(enum quota_rate rate);

/* The generic cell rate algorithm in its form of virtual scheduling (ITU-T I.371, annex A): *tat is when all that was taken will have
 * come back, on the clock of now. At most `limit` in a burst, and `limit` a window from then on. Nanoseconds. Returns 0 and takes n, or
 * how long to wait, or -1: n is above the limit. `commit` false: only looks. Pure. */
int64_t gcra(int64_t *tat, int64_t now, int64_t window, int64_t limit, int64_t n, bool commit);
int64_t gcra_left(int64_t tat, int64_t now, int64_t window, int64_t limit);

#endif
