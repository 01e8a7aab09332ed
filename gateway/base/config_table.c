#include "gateway/base/config.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define MS INT64_C(1000)
#define S (1000 * MS)
#define MIN (60 * S)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)

#define BOOL(name, field, dflt, help) { name, CONF_BOOL, offsetof(struct config, field), dflt, 0, 1, NULL, help }
#define INT(name, field, dflt, min, max, help)                                                                         \
    { name, CONF_INT, offsetof(struct config, field), dflt, min, max, NULL, help }
#define BYTES(name, field, dflt, min, max, help)                                                                       \
    { name, CONF_BYTES, offsetof(struct config, field), dflt, min, max, NULL, help }
#define TIME(name, field, dflt, min, max, help)                                                                        \
    { name, CONF_DURATION, offsetof(struct config, field), dflt, min, max, NULL, help }
#define TEXT(name, field, dflt, min, max, help)                                                                        \
    { name, CONF_STRING, offsetof(struct config, field), dflt, min, max, NULL, help }
#define SECRET(name, field, max, help) { name, CONF_SECRET, offsetof(struct config, field), "", 0, max, NULL, help }
#define WORD(name, field, dflt, min, choices, help)                                                                    \
    { name, CONF_STRING, offsetof(struct config, field), dflt, min, 32, choices, help }

const struct config_row config_rows[] = {
    SECRET("database.url", database_url, 4096,
           "PostgreSQL to use, as a libpq URL (postgresql://user@host/name) or connection string."),
    TIME("database.connect_timeout", database_connect_timeout_us, "5s", 100 * MS, 2 * MIN,
         "A connection that is not ready after so long is given up."),
    TIME("database.statement_timeout", database_statement_timeout_us, "30s", S, 10 * MIN,
         "A round trip without answer for so long closes the connection, even if PostgreSQL itself hangs."),
    TIME("database.startup_wait", database_startup_wait_us, "0s", 0, DAY,
         "How long `weir serve` waits for PostgreSQL at start; 0s is for ever."),

    TEXT("http.address", http_address, "127.0.0.1", 2, 45,
         "Numeric address to listen on; 0.0.0.0 or :: is all. The default is reachable from this machine only."),
    INT("http.port", http_port, "8080", 0, 65535, "TCP port to listen on; 0 takes any free one."),
    INT("http.loops", http_loops, "2", 1, 64, "Event loop threads; more than there are cores is of no use."),
    INT("http.connections", http_connections, "20000", 8, 1000000,
        "Most open client connections, shared out among the loops; the next ones wait in the backlog."),
    INT("http.address_connections", http_address_connections, "0", 0, 1000000,
        "Most open connections of one client address (IPv6: of its /64); 0 is no bound, as is right behind a proxy."),
    INT("http.connection_requests", http_connection_requests, "0", 0, 1000000000,
        "Requests after which a kept-alive connection is closed; 0 is no bound."),
    INT("http.backlog", http_backlog, "4096", 1, 65535, "Connections that may wait to be accepted, per loop."),
    BYTES("http.connection_memory", http_connection_memory, "8KiB", 4 * KIB, MIB,
          "Memory of one connection; it bounds the request line and the headers (431 above)."),
    BYTES("http.body_memory", http_body_memory, "1GiB", MIB, 1024 * GIB,
          "Request bodies, all together, that may arrive or be in process at once (429 above)."),
    TIME("http.idle_timeout", http_idle_timeout_us, "2m", S, HOUR,
         "A kept-alive connection without a request, or a reader that takes nothing, is closed after so long."),
    TIME("http.request_timeout", http_request_timeout_us, "30s", 100 * MS, 10 * MIN,
         "From the first byte of a request to its last (408 after)."),
    TIME("http.drain_timeout", http_drain_timeout_us, "30s", 0, 10 * MIN,
         "How long running requests may go on after SIGTERM."),
    TIME("http.keepalive", http_keepalive_us, "15s", 100 * MS, 10 * MIN,
         "Time between the comments that keep a silent event stream open."),
    BOOL("http.access_log", http_access_log, "false", "Log one line for each request; those answered with 5xx are logged always."),
    BYTES("http.gzip_bytes", http_gzip_bytes, "16KiB", 0, GIB,
          "Answers of at least so many bytes are compressed for who takes gzip; 0: none. Event streams never are."),
    TEXT("http.cors_origins", http_cors_origins, "", 0, 4096,
         "Origins that browsers may call from, space-separated (https://app.example); empty: none."),

    TEXT("tls.certificate", tls_certificate, "", 0, 4095,
         "PEM file of the server's certificate and its chain; it turns TLS on. Read again on SIGHUP. See docs/tls.md."),
    TEXT("tls.key", tls_key, "", 0, 4095, "PEM file of the certificate's private key."),
    WORD("tls.min_version", tls_min_version, "1.3", 1, "1.3 1.2", "The oldest version of TLS that is spoken."),
    TEXT("tls.client_ca", tls_client_ca, "", 0, 4095,
         "PEM file of the authorities that client certificates may come from."),
    WORD("tls.client_auth", tls_client_auth, "off", 1, "off optional required", "Whether clients show a certificate."),

    INT("worker.threads", worker_threads, "4", 1, 256,
        "Threads, each with its own database connection, for requests that need PostgreSQL."),
    INT("worker.queue", worker_queue, "4096", 1, 1000000, "Requests that may wait for a worker thread (429 above)."),

    BYTES("publish.event_bytes", event_bytes, "1MiB", KIB, 64 * MIB, "Largest event, as sent (413 above)."),
    BYTES("publish.request_bytes", request_bytes, "16MiB", KIB, 256 * MIB, "Largest publish request (413 above)."),
    INT("publish.request_events", request_events, "10000", 1, 100000,
        "Most events in one publish request (413 above)."),
    INT("publish.json_depth", json_depth, "64", 8, 256, "Deepest nesting of JSON (400 above)."),
    BYTES("publish.inline_bytes", inline_bytes, "64KiB", 0, 16 * MIB,
          "Publish requests up to this size are parsed by the event loop, larger ones by a worker thread."),

    TIME("publish.idempotency_window", idempotency_window_us, "1d", S, 30 * DAY,
         "How long the answer of a publish with an Idempotency-Key is kept."),
    BYTES("publish.idempotency_bytes", idempotency_bytes, "8MiB", KIB, 64 * MIB,
          "Largest answer kept under an Idempotency-Key; such a request with larger receipts is refused (413)."),

    INT("commit.lanes", commit_lanes, "1", 1, 16,
        "Writer connections; a stream always uses the same one. More pay only with many streams and spare cores."),
    INT("commit.queue_events", commit_queue_events, "100000", 1, 10000000,
        "Events that may wait for their transaction, over all lanes (429 above)."),
    BYTES("commit.queue_bytes", commit_queue_bytes, "256MiB", KIB, 64 * GIB,
          "Bytes that may wait for their transaction, over all lanes (429 above)."),
    INT("commit.batch_events", commit_batch_events, "2000", 1, 20000,
        "Most events in one transaction; a single larger request still goes in one."),
    BYTES("commit.batch_bytes", commit_batch_bytes, "8MiB", KIB, 256 * MIB,
          "Most bytes in one transaction; a single larger request still goes in one."),
    INT("commit.batch_streams", commit_batch_streams, "64", 1, 10000,
        "Most streams in one transaction; 1 under Citus."),
    TIME("commit.wait", commit_wait_us, "5s", 100 * MS, 5 * MIN,
         "A publish request that could not be committed for so long is answered 503."),

    TIME("tail.poll", tail_poll_us, "1s", 10 * MS, MIN,
         "How often heads are read without notification: the longest delay when notifications are lost."),
    INT("tail.ring_events", tail_ring_events, "4096", 16, 1000000,
        "Newest events of each watched stream kept in memory."),
    BYTES("tail.ring_bytes", tail_ring_bytes, "16MiB", 64 * KIB, 4 * GIB, "Their bytes, per watched stream."),
    BYTES("tail.memory", tail_memory, "256MiB", 1 * MIB, 64 * GIB, "Their bytes, all watched streams together."),
    TIME("tail.idle", tail_idle_us, "1m", S, DAY, "A stream that nobody reads is dropped from memory after so long."),

    INT("read.limit_max", read_limit_max, "10000", 1, 100000, "Largest `limit` of a page of events."),
    BYTES("read.page_bytes", read_page_bytes, "8MiB", 64 * KIB, 256 * MIB,
          "A page ends early once it holds so many bytes; it always holds an event."),
    INT("read.scan_events", read_scan_events, "100000", 100, 10000000,
        "A filtered page ends early once so many events have been looked at."),
    TIME("read.wait_max", read_wait_max_us, "1m", 0, 10 * MIN, "Longest `wait` of a long-poll."),

    BOOL("streams.auto_create", streams_auto_create, "false",
         "Publishing to an unknown stream creates it; `weir dev` has this on unless it is set."),
    INT("streams.auto_partitions", streams_auto_partitions, "1", 1, 64, "Partitions of a stream created so."),
    INT("streams.cache", streams_cache, "10000", 16, 10000000, "Stream definitions kept in memory."),
    TIME("retention.period", retention_period_us, "1m", 100 * MS, DAY, "How often expired events are looked for."),
    INT("retention.batch", retention_batch, "5000", 1, 100000, "Most events removed in one transaction."),

    INT("groups.per_stream", groups_per_stream, "1000", 1, 100000, "Most consumer groups of a stream (409 above)."),
    INT("groups.lanes", groups_lanes, "2", 1, 16,
        "Writer connections for the calls of consumers, and as many that read ahead; the groups of a stream always use the"
        " same one."),
    INT("groups.queue", groups_queue, "20000", 1, 1000000,
        "Calls of consumers that may wait in a lane, long-polls included (429 above)."),
    TIME("groups.wait_max", groups_wait_max_us, "1m", 0, 10 * MIN, "Longest `wait` of a receive."),
    BYTES("groups.answer_bytes", groups_answer_bytes, "8MiB", 64 * KIB, 256 * MIB,
          "A receive ends early once its events have so many bytes; it always has one."),
    BYTES("groups.page_bytes", groups_page_bytes, "4MiB", 64 * KIB, 256 * MIB,
          "Bytes of a page of events that is read for a group; one that is behind holds two."),
    BYTES("groups.error_bytes", groups_error_bytes, "16KiB", KIB, MIB,
          "An error that a consumer reports is cut at so many bytes."),
    TIME("groups.idle", groups_idle_us, "1m", S, DAY, "A group that nobody uses is dropped from memory after so long."),

    TIME("dlq.retention", dlq_retention_us, "0s", 0, 36500 * DAY,
         "Dead letters that are parked are removed so long after they died; 0s: never."),
    TIME("dlq.closed_retention", dlq_closed_retention_us, "30d", S, 36500 * DAY,
         "Dead letters that were resolved or discarded are removed so long after that."),
    TIME("jobs.poll", jobs_poll_us, "500ms", 10 * MS, MIN, "How often a gateway looks for jobs of which a step is due."),
    INT("jobs.batch", jobs_batch, "500", 1, 10000, "Most dead letters that one step of a job moves, in one transaction."),
    INT("jobs.per_stream", jobs_per_stream, "100", 1, 10000, "Most jobs of one stream that run at once (429 above)."),
    TIME("jobs.retention", jobs_retention_us, "7d", S, 3650 * DAY, "How long a job that has ended can be looked at."),
    TIME("jobs.auto_period", jobs_auto_period_us, "1s", 100 * MS, HOUR,
         "How often a gateway looks for dead letters that their group redrives by itself (dlq_retry)."),

    BOOL("audit.enabled", audit_enabled, "true", "Record who changed what in the stream _audit; see docs/audit.md."),
    TIME("audit.retention", audit_retention_us, "0s", 0, 36500 * DAY,
         "How long the stream _audit keeps its events; 0s is for ever."),

    TEXT("auth.keys_file", auth_keys_file, "", 0, 4095,
         "JSON file of the keys that sign tokens; see docs/authorization.md."),
    SECRET("auth.hs256_secret", auth_hs256_secret, 4096, "A shared secret of at least 32 bytes for HS256 tokens."),
    TEXT("auth.public_key", auth_public_key, "", 0, 16384,
         "A PEM public key that signs tokens; by environment variable, since it has several lines."),
    WORD("auth.public_key_alg", auth_public_key_alg, "", 0, "RS256 PS256 ES256 EdDSA",
         "The algorithm of auth.public_key."),
    TEXT("auth.issuer", auth_issuer, "", 0, 1024, "What `iss` of a token must be; empty: anything."),
    TEXT("auth.audience", auth_audience, "", 0, 1024, "What `aud` of a token must be or hold; empty: anything."),
    TEXT("auth.jwks_url", auth_jwks_url, "", 0, 1024,
         "Where auth.issuer publishes its keys (https); several issuers: auth.keys_file. Needs auth.issuer and auth.audience."),
    BOOL("auth.discovery", auth_discovery, "false",
         "Ask <auth.issuer>/.well-known/openid-configuration for it instead. Needs auth.issuer and auth.audience."),
    BOOL("auth.require_at_jwt", auth_require_at_jwt, "false",
         "Tokens of that issuer must have the header typ at+jwt (RFC 9068)."),
    TEXT("auth.jwks_ca_file", auth_jwks_ca_file, "", 0, 4095,
         "PEM file of certificate authorities to trust, beside the system's, when keys are fetched."),
    BOOL("auth.jwks_allow_http", auth_jwks_allow_http, "false",
         "Keys may be fetched by http from other machines: whoever sits in between can make tokens."),
    TIME("auth.jwks_timeout", auth_jwks_timeout_us, "5s", 100 * MS, MIN,
         "One attempt to fetch keys, and how long a request waits for it whose token has a new key."),
    TIME("auth.jwks_start_wait", auth_jwks_start_wait_us, "2s", 0, MIN,
         "How long the start waits for the first keys of issuers; it goes on without them."),
    TIME("auth.jwks_min_age", auth_jwks_min_age_us, "5m", 100 * MS, 30 * DAY,
         "Fetched keys are fetched again no sooner, whatever Cache-Control says; also where it says nothing."),
    TIME("auth.jwks_max_age", auth_jwks_max_age_us, "24h", 100 * MS, 30 * DAY, "Nor later."),
    TIME("auth.jwks_min_refresh", auth_jwks_min_refresh_us, "30s", 100 * MS, DAY,
         "A token with an unknown key has the keys of its issuer fetched at once, but only once in so long."),
    TIME("auth.jwks_max_stale", auth_jwks_max_stale_us, "24h", 0, 30 * DAY,
         "Keys that cannot be fetched again are used for so long beyond the time they were due."),
    TIME("auth.leeway", auth_leeway_us, "1m", 0, 10 * MIN,
         "How far clocks may differ when `exp` and `nbf` are checked."),
    INT("auth.cache", auth_cache, "10000", 0, 1000000,
        "Verified tokens remembered, so that a signature is checked once."),

    TIME("quota.window", quota_window_us, "1m", S, DAY,
         "The time that the quotas are for; unused quota does not add up beyond one window."),
    INT("quota.requests", quota_requests, "0", 0, 1000000000,
        "Requests of one caller (iss and sub) in a window, on this gateway (429 above); 0: any number."),
    INT("quota.events", quota_events, "0", 0, 1000000000,
        "Events that one caller may publish in a window, on this gateway (429 above); 0: any number."),
    BYTES("quota.bytes", quota_bytes, "0", 0, 1024 * GIB,
          "Bytes that one caller may publish in a window, on this gateway (429 above); 0: any number."),
    INT("quota.streams", quota_streams, "0", 0, 1000000,
        "Event streams and long-polls that one caller may have open at once, on this gateway (429 above); 0: any number."),
    INT("quota.principals", quota_principals, "10000", 16, 10000000,
        "Callers remembered for their quotas; beyond that the one seen least recently is forgotten."),

    INT("auth.revocations_max", auth_revocations_max, "10000", 1, 100000,
        "Most entries in the list of revoked tokens (507 above)."),
    TIME("auth.revocations_keep", auth_revocations_keep_us, "31d", MIN, 3650 * DAY,
         "How long a revocation is kept unless it says so itself; no token may live longer."),
    TIME("auth.revocations_poll", auth_revocations_poll_us, "1s", 10 * MS, MIN,
         "How often the list is looked at without notification: the longest delay when notifications are lost."),

    TIME("tickets.ttl_max", tickets_ttl_max_us, "10m", S, HOUR, "Longest life of a ticket for an event stream."),
    INT("tickets.per_principal", tickets_per_principal, "1000", 1, 1000000,
        "Most tickets of one caller that are good at the same time (429 above)."),
    INT("tickets.cache", tickets_cache, "10000", 1, 1000000, "Tickets remembered, so that PostgreSQL is asked once."),

    BOOL("metrics.public", metrics_public, "false", "Serve /metrics without a token."),
    TIME("metrics.groups_period", metrics_groups_period_us, "15s", 0, HOUR,
         "How often the figures of consumer groups and dead letters are collected; 0s: never."),
    INT("metrics.groups_max", metrics_groups_max, "1000", 1, 100000,
        "Most groups with figures: those with the largest lag, and those with the most dead letters."),
    BOOL("outbound.allow_private", outbound_allow_private, "false",
         "Webhooks and sagas may call private, loopback and link-local addresses."),
    WORD("log.level", log_level, "info", 1, "debug info warn error off", "Least level that is logged."),

    TEXT("data_dir", data_dir, ".weir", 1, 4095, "Where `weir dev` keeps its PostgreSQL cluster."),
    TEXT("postgres_bin", postgres_bin, "", 0, 4095,
         "Directory of initdb and postgres for `weir dev`; empty: look for it."),
    TEXT("ready_file", ready_file, "", 0, 4095,
         "File to write, with address and process id as JSON, once Weir serves."),
};
const size_t config_row_count = sizeof config_rows / sizeof *config_rows;
