#ifndef WEIR_ENGINE_BREAKER_H
#define WEIR_ENGINE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/* A circuit breaker (Nygard, Release It!, 2007) as a value: no clock, no I/O, no lock. Times are unix microseconds of the database,
 * because it is one for all gateways. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATES };
extern const char *const breaker_names[BREAKER_STATES];     /* "closed" "open" "half-open" */

struct breaker {
    enum breaker_state state;
    int failures;                  /* in a row, while closed; those that opened it else */
    int successes;                 /* of probes in a row, while half-open */
    int64_t opened_us;             /* 0: never */
    int64_t probe_owner;           /* the gateway that may send the probe; 0: nobody */
    int64_t probe_until_us;        /* then another one may; without an owner too */
};

struct breaker_rules {
    int failures, successes;       /* in a row: to open, to close */
    int64_t open_us;               /* until a probe may be sent */
};

/* What a call says of its target. */
enum breaker_outcome {
    BREAKER_GOOD,
    BREAKER_BAD,
    BREAKER_DECIDED,               /* a business failure: it works, but that does not excuse failures before */
    BREAKER_NEITHER,               /* an answer that does not tell */
    BREAKER_VOID,                  /* there is none that the target has to do with: not sent, or this gateway's own fault */
};

#define BREAKER_LATE INT64_C(-1)   /* as probe_of: of a probe that had outlasted its claim when it ended */

/* Takes an outcome; probe_of: the owner whose probe it was, 0: none. While open nothing counts, while half-open only probes; of one
 * that outlasted its claim not what would change who may probe next, and when. True: *b has changed. */
bool breaker_take(struct breaker *b, const struct breaker_rules *r, enum breaker_outcome o, int64_t probe_of, int64_t now_us);
/* Whether a probe may be claimed now; else when, at the earliest: *ret_us. */
bool breaker_probe_due(const struct breaker *b, const struct breaker_rules *r, int64_t now_us, int64_t *ret_us);
/* Claims it: half-open, and until then nobody else may. */
void breaker_probe(struct breaker *b, int64_t owner, int64_t until_us);

#endif
