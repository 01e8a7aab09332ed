#include "gateway/base/metrics_table.h"

static const struct metric_bounds request_seconds = {
    14, { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }
};
static const struct metric_bounds commit_seconds = {
    14, { 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 5 }
};
static const struct metric_bounds batch = { 14, { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 5000, 10000 } };

const struct metric_row metric_rows[M_END] = {
    [M_HTTP_CONNECTIONS] = { "weir_http_connections", GAUGE, "Open client connections.", NULL },
    [M_HTTP_REJECTED] = { "weir_http_rejected_total", COUNTER, "Requests refused at the gate.", NULL },
    [M_HTTP_ADDRESS_REFUSED] = { "weir_http_address_refused_total", COUNTER,
                                 "Connections closed because their client address had too many.", NULL },
    [M_TLS_HANDSHAKES_FAILED] = { "weir_tls_handshakes_failed_total", COUNTER,
                                  "Connections that ended before their TLS handshake was done.", NULL },
    [M_TLS_CLIENTS_REFUSED] = { "weir_tls_client_certificates_refused_total", COUNTER,
                                "Client certificates that did not verify.", NULL },
    [M_TLS_EXPIRES] = { "weir_tls_certificate_expiry_seconds", GAUGE,
                        "When the server's certificate expires, in unix time; 0 without TLS.", NULL },
    [M_HTTP_PARKED] = { "weir_http_parked_connections", GAUGE,
                        "Connections that wait for an event, a commit or a worker.", NULL },
    [M_HTTP_SSE] = { "weir_http_event_streams", GAUGE, "Open server-sent event streams.", NULL },
    [M_HTTP_BODY_BYTES] = { "weir_http_body_bytes", GAUGE,
                            "Bytes of request bodies that arrive or are in process.", NULL },
    [M_HTTP_DISCONNECTS] = { "weir_http_disconnects_total", COUNTER,
                             "Clients that left while their request was parked.", NULL },
    [M_PUBLISHED_EVENTS] = { "weir_published_events_total", COUNTER, "Events recorded, without duplicates.", NULL },
    [M_PUBLISHED_BYTES] = { "weir_published_bytes_total", COUNTER, "Bytes of the events recorded, as sent.", NULL },
    [M_DUPLICATE_EVENTS] = { "weir_duplicate_events_total", COUNTER, "Events that had been recorded before.", NULL },
    [M_IDEMPOTENT_REPLAYS] = { "weir_idempotent_replays_total", COUNTER,
                               "Publishes answered with what is kept under their Idempotency-Key.", NULL },
    [M_COMMIT_BATCH_EVENTS] = { "weir_commit_batch_events", HISTOGRAM, "Events in one transaction.", &batch },
    [M_COMMIT_BATCH_REQUESTS] = { "weir_commit_batch_requests", HISTOGRAM, "Requests in one transaction.", &batch },
    [M_COMMIT_SECONDS] = { "weir_commit_seconds", HISTOGRAM, "Time of one transaction.", &commit_seconds },
    [M_COMMIT_RETRIES] = { "weir_commit_retries_total", COUNTER, "Transactions that were tried again.", NULL },
    [M_COMMIT_QUEUE_EVENTS] = { "weir_commit_queue_events", GAUGE, "Events that wait for a commit lane.", NULL },
    [M_COMMIT_QUEUE_BYTES] = { "weir_commit_queue_bytes", GAUGE, "Bytes that wait for a commit lane.", NULL },
    [M_COMMIT_OVERLOADED] = { "weir_commit_overloaded_total", COUNTER,
                              "Publish requests answered 429 because a queue was full.", NULL },
    [M_WORKER_QUEUE] = { "weir_worker_queue_jobs", GAUGE, "Jobs that wait for a worker thread.", NULL },
    [M_WORKER_BUSY] = { "weir_worker_busy_threads", GAUGE, "Worker threads that run a job.", NULL },
    [M_RING_HITS] = { "weir_ring_hits_total", COUNTER, "Events handed to readers from memory.", NULL },
    [M_RING_MISSES] = { "weir_ring_misses_total", COUNTER, "Pages that readers took from PostgreSQL.", NULL },
    [M_RING_STREAMS] = { "weir_ring_streams", GAUGE, "Streams whose newest events are kept in memory.", NULL },
    [M_RING_BYTES] = { "weir_ring_bytes", GAUGE, "Bytes of the events kept in memory.", NULL },
    [M_TAIL_NOTIFICATIONS] = { "weir_tail_notifications_total", COUNTER, "Notifications from PostgreSQL.", NULL },
    [M_TAIL_POLLS] = { "weir_tail_polls_total", COUNTER, "Times the heads were read without a notification.", NULL },
    [M_TAIL_FETCHED] = { "weir_tail_fetched_events_total", COUNTER, "Events that the tail has read.", NULL },
    [M_DELIVERED_EVENTS] = { "weir_delivered_events_total", COUNTER, "Events written to readers.", NULL },
    [M_DB_CONNECTIONS] = { "weir_db_connections", GAUGE, "Open connections to PostgreSQL.", NULL },
    [M_DB_RECONNECTS] = { "weir_db_reconnects_total", COUNTER, "Connections made again after a loss.", NULL },
    [M_DB_ERRORS] = { "weir_db_errors_total", COUNTER, "Statements that failed.", NULL },
    [M_TOKEN_CACHE_HITS] = { "weir_token_cache_hits_total", COUNTER, "Tokens found among the verified ones.", NULL },
    [M_TOKEN_CACHE_MISSES] = { "weir_token_cache_misses_total", COUNTER, "Tokens checked in full.", NULL },
    [M_TOKEN_REFUSED] = { "weir_token_refused_total", COUNTER, "Tokens that are not valid.", NULL },
    [M_QUOTA_REFUSED] = { "weir_quota_refused_total", COUNTER, "Requests refused because a caller's quota was used up.", NULL },
    [M_TOKEN_UNKNOWN_KEYS] = { "weir_token_unknown_keys_total", COUNTER,
                               "Tokens refused because their issuer publishes no key of that name.", NULL },
    [M_JWKS_FETCHES] = { "weir_jwks_fetches_total", COUNTER, "Attempts to fetch the keys of an issuer.", NULL },
    [M_JWKS_FAILURES] = { "weir_jwks_failures_total", COUNTER, "Of these, those that failed.", NULL },
    [M_JWKS_FETCHED] = { "weir_jwks_fetched_timestamp_seconds", GAUGE,
                         "When the keys were last fetched, of the issuer for which that is longest ago; 0: never.", NULL },
    [M_TOKEN_REVOKED] = { "weir_token_revoked_total", COUNTER, "Requests refused or cut because their token was revoked.", NULL },
    [M_REVOCATIONS] = { "weir_revocations", GAUGE, "Revocations in force.", NULL },
    [M_TICKETS_MADE] = { "weir_tickets_made_total", COUNTER, "Tickets handed out.", NULL },
    [M_TICKET_LOOKUPS] = { "weir_ticket_lookups_total", COUNTER, "Tickets looked for in PostgreSQL.", NULL },
    [M_OUTBOX_EVENTS] = { "weir_outbox_events_total", COUNTER, "Events of Weir's own passed on to their streams.", NULL },
    [M_AUDIT_RECORDS] = { "weir_audit_records_total", COUNTER, "Audit records passed on to the stream _audit.", NULL },
    [M_GROUP_DELIVERED] = { "weir_group_delivered_events_total", COUNTER, "Events handed out to consumers of groups.", NULL },
    [M_GROUP_ACKED] = { "weir_group_acked_events_total", COUNTER, "Deliveries that were acked.", NULL },
    [M_GROUP_FAILED] = { "weir_group_failed_events_total", COUNTER, "Deliveries that were nacked or rejected.", NULL },
    [M_GROUP_EXPIRED] = { "weir_group_expired_events_total", COUNTER, "Deliveries of which the deadline passed.", NULL },
    [M_GROUP_DEAD] = { "weir_group_dead_events_total", COUNTER, "Events that became dead letters.", NULL },
    [M_GROUP_FETCHED] = { "weir_group_fetched_events_total", COUNTER, "Events that were read ahead for groups.", NULL },
    [M_GROUP_CONFLICTS] = { "weir_group_conflicts_total", COUNTER,
                            "Times that another gateway had changed a group first.", NULL },
    [M_SCHEMA_CHECKED] = { "weir_schema_checked_events_total", COUNTER, "Published events that were checked against a schema.",
                           NULL },
    [M_SCHEMA_VIOLATIONS] = { "weir_schema_violations_total", COUNTER,
                              "Published events that did not conform: refused, or marked with schemaerror.", NULL },
    [M_SCHEMA_LOADS] = { "weir_schema_loads_total", COUNTER, "Schemas that were read from PostgreSQL to check events.", NULL },
    [M_SCHEMA_CACHED] = { "weir_schema_cache_bytes", GAUGE, "Bytes of compiled schemas in memory.", NULL },
    [M_PROJECTION_FOLDED] = { "weir_projection_folded_events_total", COUNTER, "Events folded into states of projections.", NULL },
    [M_PROJECTION_STEPS] = { "weir_projection_steps_total", COUNTER, "Transactions in which events were folded.", NULL },
    [M_PROJECTION_FAILURES] = { "weir_projection_failures_total", COUNTER,
                                "Projections that stopped at an event that cannot be folded, or read.", NULL },
    [M_PROJECTION_SWAPS] = { "weir_projection_swaps_total", COUNTER, "Rebuilt projections that are read instead of the old one.",
                             NULL },
    [M_RETENTION_REMOVED] = { "weir_retention_removed_events_total", COUNTER, "Events removed by retention.", NULL },
    [M_RETENTION_LETTERS] = { "weir_retention_removed_dead_letters_total", COUNTER, "Dead letters removed by retention.", NULL },
    [M_LOG_LINES] = { "weir_log_lines_total", COUNTER, "Lines written to the log.", NULL },
};

const struct metric_row metric_row_requests = {
    "weir_http_requests_total", COUNTER, "Requests answered, by operation and status.", NULL
};
const struct metric_row metric_row_request_seconds = {
    "weir_http_request_seconds", HISTOGRAM, "Time from the first byte of a request to its answer, by operation.",
    &request_seconds
};
const struct metric_row metric_row_build = { "weir_build_info", GAUGE, "Always 1; the label tells the version.", NULL };
