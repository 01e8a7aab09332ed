#ifndef WEIR_BASE_METRICS_H
#define WEIR_BASE_METRICS_H

#include <stdint.h>

#include "gateway/base/buf.h"

/* Counters, gauges and histograms: one static table in metrics_table.c, updated by relaxed atomics from any thread,
 * printed as Prometheus text. Labels are few and fixed (operation × status). */
enum metric {
    M_HTTP_CONNECTIONS,          /* gauge */
    M_HTTP_REJECTED,             /* counter: refused by the gate */
    M_HTTP_ADDRESS_REFUSED,      /* counter: connections beyond http.address_connections */
    M_TLS_HANDSHAKES_FAILED,     /* counter */
    M_TLS_CLIENTS_REFUSED,       /* counter: client certificates */
    M_TLS_EXPIRES,               /* gauge: end of the server's certificate, unix seconds */
    M_HTTP_PARKED,               /* gauge: suspended connections */
    M_HTTP_SSE,                  /* gauge: open event streams */
    M_HTTP_BODY_BYTES,           /* gauge */
    M_HTTP_DISCONNECTS,          /* counter: clients that left while parked */
    M_PUBLISHED_EVENTS,          /* counter */
    M_PUBLISHED_BYTES,           /* counter */
    M_DUPLICATE_EVENTS,          /* counter */
    M_IDEMPOTENT_REPLAYS,        /* counter */
    M_COMMIT_BATCH_EVENTS,       /* histogram: events */
    M_COMMIT_BATCH_REQUESTS,     /* histogram: requests */
    M_COMMIT_SECONDS,            /* histogram: one transaction */
    M_COMMIT_RETRIES,            /* counter */
    M_COMMIT_QUEUE_EVENTS,       /* gauge */
    M_COMMIT_QUEUE_BYTES,        /* gauge */
    M_COMMIT_OVERLOADED,         /* counter: 429 */
    M_WORKER_QUEUE,              /* gauge */
    M_WORKER_BUSY,               /* gauge */
    M_RING_HITS,                 /* counter: events handed out from memory */
    M_RING_MISSES,               /* counter: pages read from PostgreSQL */
    M_RING_STREAMS,              /* gauge */
    M_RING_BYTES,                /* gauge */
    M_TAIL_NOTIFICATIONS,        /* counter */
    M_TAIL_POLLS,                /* counter */
    M_TAIL_FETCHED,              /* counter: events */
    M_DELIVERED_EVENTS,          /* counter: events written to readers */
    M_DB_CONNECTIONS,            /* gauge */
    M_DB_RECONNECTS,             /* counter */
    M_DB_ERRORS,                 /* counter */
    M_TOKEN_CACHE_HITS,          /* counter */
    M_TOKEN_CACHE_MISSES,        /* counter */
    M_TOKEN_REFUSED,             /* counter */
    M_QUOTA_REFUSED,             /* counter: 429 by a caller's quota */
    M_TOKEN_UNKNOWN_KEYS,        /* counter: of those, whose key their issuer had not published */
    M_JWKS_FETCHES,              /* counter: attempts */
    M_JWKS_FAILURES,             /* counter */
    M_JWKS_FETCHED,              /* gauge: unix seconds */
    M_TOKEN_REVOKED,             /* counter: requests refused or cut */
    M_REVOCATIONS,               /* gauge */
    M_TICKETS_MADE,              /* counter */
    M_TICKET_LOOKUPS,            /* counter: in PostgreSQL */
    M_OUTBOX_EVENTS,             /* counter */
    M_AUDIT_RECORDS,             /* counter: of these, to _audit */
    M_GROUP_DELIVERED,           /* counters */
    M_GROUP_ACKED,
    M_GROUP_FAILED,
    M_GROUP_EXPIRED,
    M_GROUP_DEAD,
    M_GROUP_FETCHED,
    M_GROUP_CONFLICTS,
    M_SCHEMA_CHECKED,            /* counter: events */
    M_SCHEMA_VIOLATIONS,         /* counter: events, refused or marked */
    M_SCHEMA_LOADS,              /* counter: schemas read for checking */
    M_SCHEMA_CACHED,             /* gauge: bytes */
    M_PROJECTION_FOLDED,         /* counter: events */
    M_PROJECTION_STEPS,          /* counter: transactions */
    M_PROJECTION_FAILURES,       /* counter: builds that stopped */
    M_PROJECTION_SWAPS,
    M_PROJECTION_CHECKS,
    M_PROJECTION_DRIFT,          /* counter: builds that took another one's place */
    M_OUTBOUND_RUNNING,          /* gauge: calls */
    M_OUTBOUND_SUCCEEDED,        /* counters: calls by what came of them */
    M_OUTBOUND_REFUSED,
    M_OUTBOUND_FAILED,
    M_OUTBOUND_BLOCKED,
    M_OUTBOUND_SECONDS,          /* histogram: one call */
    M_SAGAS_ASIDE,               /* gauge: instances that cannot be taken further */
    M_RETENTION_REMOVED,         /* counter: events */
    M_RETENTION_LETTERS,         /* counter: dead letters */
    M_LOG_LINES,                 /* counter */
    M_END
};

void metric_add(enum metric m, int64_t n);   /* counters and gauges */
void metric_set(enum metric m, int64_t v);   /* gauges */
void metric_observe(enum metric m, double v);/* histograms, in the unit of the table */

/* Requests: weir_http_requests_total{operation,status} and weir_http_request_seconds{operation}, a histogram. `route`
 * is an index into the operation ids; any other index (no route matched) counts as operation "none". */
#define METRICS_ROUTES 128
/* Once, before the first request; the strings stay, the array need not. */
void metrics_routes(const char *const *operation_ids, size_t n);
void metric_request(size_t route, int status, double seconds);

/* Figures of consumer groups and dead letters: gauges with the labels stream and group, as they were last collected. Names need no
 * escape. Each list is in order of stream and group, by bytes; a group with a lag and no letters has a zero of them. */
struct metric_group_name {
    struct slice stream, group;
};
struct metric_lag {
    struct metric_group_name of;
    int64_t events, us, in_flight, retrying;
};
struct metric_letters {
    struct metric_group_name of;
    int64_t parked, poison;
};
struct metric_groups {
    const struct metric_lag *lags;
    size_t lag_n;
    const struct metric_letters *letters;
    size_t letter_n;
    int64_t dropped;             /* that are not told of, because there are too many */
};
bool metrics_groups_set(const struct metric_groups *groups, int64_t unix_us); /* copies; any thread. false: no memory */

/* Of projections, likewise: with the label projection, by name. */
struct metric_projection {
    struct slice name;
    int64_t lag_events, lag_us;
    bool failed, paused;
};
bool metrics_projections_set(const struct metric_projection *v, size_t n, int64_t dropped, int64_t unix_us);

/* Of targets of calls, likewise: with the label target, which needs no escape. */
struct metric_target {
    struct slice name;
    int breaker;                 /* enum breaker_state */
    int running;
};
bool metrics_targets_set(const struct metric_target *v, size_t n);

/* Of sagas: what happens, with the labels saga and (of steps) step and kind, whose names need no escape. Those beyond METRICS_SAGAS sagas
 * and METRICS_SAGA_STEPS steps are counted together, as "_other". Any thread. */
#define METRICS_SAGAS 200
#define METRICS_SAGA_STEPS 2000
enum metric_saga {
    METRIC_SAGA_STARTED, METRIC_SAGA_BACK, METRIC_SAGA_PAUSED,
    METRIC_SAGA_COMPLETED, METRIC_SAGA_COMPENSATED, METRIC_SAGA_FAILED, /* with the seconds since its start */
    METRIC_SAGA_END
};
void metric_saga(struct slice saga, enum metric_saga what, double seconds);
enum metric_step {
    METRIC_STEP_SUCCEEDED, METRIC_STEP_FAILED, /* with the seconds since it began */
    METRIC_STEP_SKIPPED,
    METRIC_STEP_AGAIN,           /* an attempt failed, and another one is made */
    METRIC_STEP_END
};
void metric_saga_step(struct slice saga, struct slice step, const char *kind, enum metric_step what, double seconds);
/* How many have not ended, likewise as they were last collected. */
enum { METRIC_SAGA_STATES = 4 }; /* running, waiting, paused, compensating */
struct metric_saga_now {
    struct slice name;
    int64_t in_state[METRIC_SAGA_STATES];
};
bool metrics_sagas_set(const struct metric_saga_now *v, size_t n, int64_t dropped, int64_t unix_us);

void metrics_render(struct buf *out); /* Prometheus text 0.0.4 with HELP and TYPE, and process_* figures from /proc */

#endif
