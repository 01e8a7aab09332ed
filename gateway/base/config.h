#ifndef WEIR_BASE_CONFIG_H
#define WEIR_BASE_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "gateway/base/slice.h"

/* Every setting is a row of one typed table (config_table.c): dotted name, type, default, bounds, one sentence.
 * "streams.auto_create" is WEIR_STREAMS_AUTO_CREATE in the environment, `streams.auto_create = true` in the file
 * (name = value lines, '#' lines are comments) and --streams-auto-create on the command line. Later wins: default,
 * file, environment, command line. Read-only after start; any thread. */
enum config_type { CONF_BOOL, CONF_INT, CONF_BYTES, CONF_DURATION, CONF_STRING, CONF_SECRET };

struct config {
    /* database */
    const char *database_url;        /* secret: may hold a password; never printed */
    int64_t database_statement_timeout_us; /* the gateway's own deadline for a round trip */
    int64_t database_connect_timeout_us;
    int64_t database_startup_wait_us;/* how long `serve` waits for PostgreSQL at start; 0: for ever */
    /* http */
    const char *http_address;        /* numeric IPv4 or IPv6 */
    int64_t http_port;               /* 0: any free one */
    int64_t http_loops;              /* event loop threads */
    int64_t http_connections;        /* over all loops */
    int64_t http_address_connections; /* of one client address; 0: no bound */
    int64_t http_connection_requests; /* then it is closed; 0: no bound */
    int64_t http_backlog;
    int64_t http_body_memory;        /* bytes, over all connections */
    int64_t http_connection_memory;  /* bytes of libmicrohttpd's pool per connection: the bound of the headers */
    int64_t http_idle_timeout_us;    /* keep-alive without a request, or a reader that takes nothing */
    int64_t http_request_timeout_us; /* from the first byte to the whole request */
    int64_t http_drain_timeout_us;
    int64_t http_keepalive_us;       /* SSE comment */
    bool http_access_log;
    int64_t http_gzip_bytes;         /* answers from this size on are packed; 0: never */
    const char *http_cors_origins;   /* space-separated list; empty: none */
    /* tls: files are PEM */
    const char *tls_certificate;     /* empty: plain HTTP */
    const char *tls_key;
    const char *tls_min_version;     /* 1.3 or 1.2 */
    const char *tls_client_ca;
    const char *tls_client_auth;     /* off, optional or required */
    /* workers: threads for what blocks */
    int64_t worker_threads;
    int64_t worker_queue;            /* waiting jobs */
    /* publish */
    int64_t event_bytes;             /* one event, as sent */
    int64_t request_bytes;           /* one publish request */
    int64_t request_events;
    int64_t json_depth;
    int64_t inline_bytes;            /* larger bodies are parsed by a worker thread, not by the event loop */
    int64_t idempotency_window_us;   /* an answer is kept under its Idempotency-Key for so long */
    int64_t idempotency_bytes;       /* the largest such answer */
    /* commit lanes */
    int64_t commit_lanes;
    int64_t commit_queue_events;     /* waiting for a lane, all requests */
    int64_t commit_queue_bytes;
    int64_t commit_batch_events;     /* in one transaction */
    int64_t commit_batch_bytes;
    int64_t commit_batch_streams;    /* streams in one transaction; 1 under Citus */
    int64_t commit_wait_us;          /* a publish that could not be committed for so long is answered 503 */
    /* tail */
    int64_t tail_poll_us;            /* heads are read so often even without NOTIFY */
    int64_t tail_ring_events;        /* per watched stream */
    int64_t tail_ring_bytes;         /* per watched stream */
    int64_t tail_memory;             /* all watched streams together */
    int64_t tail_idle_us;            /* a ring that nobody watches is dropped after so long */
    /* read */
    int64_t read_limit_max;          /* events a page */
    int64_t read_page_bytes;         /* an answer ends early at so many */
    int64_t read_scan_events;        /* and after so many events scanned */
    int64_t read_wait_max_us;        /* long-poll */
    int64_t subjects_snapshot_bytes; /* of a state */
    /* streams */
    bool streams_auto_create;
    int64_t streams_auto_partitions;
    int64_t streams_cache;           /* stream definitions kept in memory */
    int64_t retention_period_us;     /* how often expired events are looked for */
    int64_t retention_batch;         /* events removed in one transaction */
    int64_t groups_per_stream;
    int64_t dlq_retention_us;        /* of parked letters; 0: for ever */
    int64_t dlq_closed_retention_us; /* of resolved and discarded ones */
    int64_t jobs_poll_us;
    int64_t jobs_batch;              /* letters moved in one transaction */
    int64_t jobs_per_stream;         /* that run at once */
    int64_t jobs_retention_us;       /* of those that have ended */
    int64_t jobs_auto_period_us;     /* between two looks for letters to redrive */
    int64_t registry_schema_bytes;   /* of a schema with its metadata and rules */
    int64_t registry_subjects;
    int64_t registry_versions;       /* of a subject */
    int64_t registry_references;     /* that a schema needs, also through one another */
    int64_t registry_check_us;       /* longest comparison of a schema with earlier versions */
    int64_t registry_cache_schemas;  /* that are kept compiled to check events */
    int64_t registry_cache_bytes;
    int64_t registry_contracts;
    int64_t registry_contract_reads; /* subjects that one reads */
    int64_t registry_contract_readers; /* of one subject */
    int64_t registry_dry_run_events;
    int64_t registry_poll_us;        /* how often a gateway looks whether another one has changed the registry */
    bool audit_enabled;
    int64_t audit_retention_us;      /* of the stream _audit; 0: for ever */
    /* groups */
    int64_t groups_lanes;
    int64_t groups_queue;            /* calls of consumers that may wait, a lane */
    int64_t groups_wait_max_us;      /* long-poll of a receive */
    int64_t groups_answer_bytes;     /* of events in one answer */
    int64_t groups_page_bytes;       /* read ahead, a group */
    int64_t groups_error_bytes;      /* of an error that a consumer reports */
    int64_t groups_idle_us;          /* a group that nobody uses is dropped from memory after so long */
    /* projections */
    int64_t projections_max;
    int64_t projections_threads;
    int64_t projections_lease_us;    /* without a sign of life others take over after so long */
    int64_t projections_batch_events;/* of a step, in one transaction */
    int64_t projections_batch_bytes;
    int64_t projections_state_bytes; /* of one key */
    int64_t projections_changes_keep_us; /* how long the changes of states are remembered */
    int64_t projections_changes_steps; /* and of how many steps of a partition */
    /* auth */
    const char *auth_keys_file;      /* JSON, see docs/authorization.md */
    const char *auth_hs256_secret;   /* one HS256 key by environment */
    const char *auth_public_key;     /* one PEM public key by environment */
    const char *auth_public_key_alg; /* RS256, PS256, ES256 or EdDSA */
    const char *auth_issuer;         /* expected iss; empty: any */
    const char *auth_audience;       /* expected aud; empty: any */
    const char *auth_jwks_url;       /* where auth_issuer publishes its keys */
    bool auth_discovery;             /* or it tells where, by OpenID discovery */
    bool auth_require_at_jwt;        /* of auth_issuer's tokens */
    const char *auth_jwks_ca_file;   /* PEM, beside the system's */
    bool auth_jwks_allow_http;
    int64_t auth_jwks_timeout_us;    /* one attempt to fetch, and how long a request waits for it */
    int64_t auth_jwks_start_wait_us;
    int64_t auth_jwks_min_age_us;    /* bounds of how long a set is taken for fresh */
    int64_t auth_jwks_max_age_us;
    int64_t auth_jwks_min_refresh_us;/* between fetches because of unknown keys, per issuer */
    int64_t auth_jwks_max_stale_us;  /* after it was due a set is used on for so long */
    int64_t auth_leeway_us;
    int64_t auth_cache;              /* verified tokens kept */
    /* quotas, of each principal; 0: none */
    int64_t quota_window_us;
    int64_t quota_requests;          /* a window */
    int64_t quota_events;            /* published in a window */
    int64_t quota_bytes;             /* published in a window: bodies as sent */
    int64_t quota_streams;           /* open at once */
    int64_t quota_principals;        /* remembered */
    int64_t auth_revocations_max;    /* entries */
    int64_t auth_revocations_keep_us;/* how long one is kept unless it says so itself */
    int64_t auth_revocations_poll_us;/* how often the list is looked at without NOTIFY */
    int64_t tickets_ttl_max_us;
    int64_t tickets_per_principal;   /* good at the same time */
    int64_t tickets_cache;           /* tickets remembered, so that PostgreSQL is asked once */
    bool metrics_public;             /* /metrics without a token */
    int64_t metrics_groups_period_us;/* 0: never */
    int64_t metrics_groups_max;
    /* outbound: calls of sagas */
    const char *outbound_file;       /* JSON, see docs/outbound.md */
    bool outbound_allow_private;
    const char *outbound_allow_hosts;/* space-separated patterns; empty: all */
    const char *outbound_ca_file;    /* PEM, beside the system's */
    int64_t outbound_calls;          /* in flight, all targets together */
    int64_t outbound_targets;        /* known at once */
    int64_t outbound_concurrency;    /* of one target */
    int64_t outbound_answer_bytes;
    int64_t outbound_connect_timeout_us;
    int64_t outbound_breaker_failures; /* in a row, until it opens */
    int64_t outbound_breaker_successes; /* in a row, until it closes */
    int64_t outbound_breaker_open_us;
    int64_t outbound_poll_us;        /* how often breakers are looked at that other gateways have opened */
    int64_t sagas_max;               /* definitions */
    int64_t sagas_queue;             /* starts that wait for their transaction */
    int64_t sagas_batch;             /* instances in one transaction */
    int64_t sagas_in_flight;         /* attempts of a gateway */
    int64_t sagas_input_bytes;       /* of an instance */
    int64_t sagas_cache;             /* definitions kept compiled */
    int64_t sagas_poll_us;           /* how often it is looked for what is due */
    int64_t sagas_lease_us;          /* without a sign of life for so long a gateway loses its attempts */
    int64_t sagas_keep_us;           /* of instances that have ended */
    int64_t sagas_retention_us;      /* of the streams saga.<saga>; 0: for ever */
    /* log */
    const char *log_level;           /* debug info warn error off */
    /* files and programs of this machine */
    const char *data_dir;            /* weir dev */
    const char *postgres_bin;        /* where initdb and postgres are; empty: look for them */
    const char *ready_file;          /* written once Weir serves */

    struct config_state *state;      /* config.c's own: the strings, and where each value is from */
};

/* A row of the table; `offset` is into struct config. */
struct config_row {
    const char *name;
    enum config_type type;
    size_t offset;
    const char *dflt;                /* as it would be written */
    int64_t min, max;                /* INT, BYTES, DURATION (us); STRING, SECRET: length */
    const char *choices;             /* STRING: space-separated words, of which it must be one; NULL: any text */
    const char *help;                /* one sentence with its unit */
};
extern const struct config_row config_rows[];
extern const size_t config_row_count;

/* argv holds `--name value`, `--name=value` (a bool may do without value) and `--config FILE` only, from argv[0] on;
 * what is not a setting is left to main.c. On failure returns false, leaves nothing to free and writes one sentence
 * (which setting, from where, what is wrong, what is allowed) to err. Strings live until config_free. env is
 * environ-like; an empty variable counts as absent. A WEIR_* variable that names no setting is an error (but for those
 * that Kubernetes makes of services). */
bool config_load(struct config *c, int argc, char **argv, char **env, char err[512]);
void config_free(struct config *c);                   /* NULL-safe */

/* For `weir dev`, between config_load and the threads' start. Is it set by file, environment or command line? */
bool config_is_set(const struct config *c, const char *name);
/* Gives a setting that is not set another default; one that is set stays. False: no such name, or not a valid value. */
bool config_set_default(struct config *c, const char *name, const char *value);

void config_print(const struct config *c, FILE *out); /* as a file, with sources; secrets as *** */
void config_help(FILE *out);                          /* every setting with type, default, bounds, sentence */
void config_markdown(FILE *out);                      /* the same as docs/configuration.md */

#endif
