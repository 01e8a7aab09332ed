"""What the dashboards show. Each panel is a line or a few: title, unit, and (expression, legend) of each series."""


def graph(title, unit, *series, w=8, h=8, text="", steps=(("none", None),), most=None):
    return {"type": "timeseries", "title": title, "unit": unit, "series": series, "w": w, "h": h, "description": text,
            "steps": steps, "names": (), "max": most}


def figure(title, unit, expression, steps=(("none", None),), names=(), w=4, text=""):
    return {"type": "stat", "title": title, "unit": unit, "series": ((expression, ""),), "w": w, "h": 4, "description": text,
            "steps": steps, "names": names, "max": None}


def states(title, expression, legend, names, w=24, text=""):
    return {"type": "state-timeline", "title": title, "unit": "short", "series": ((expression, legend),), "w": w, "h": 8,
            "description": text, "steps": (("none", None),), "names": names, "max": None}


def above(warning, bad):
    return (("good", None), ("warning", warning), ("bad", bad))


def chosen(*more):
    return "{" + ",".join(("@", *filter(None, more))) + "}"


def total(by):
    return f"sum by ({by}) " if by else "sum"


def rate(metric, by="", *more):
    """A second, of all gateways together."""
    return f"{total(by)}(rate({metric}{chosen(*more)}[@]))"


def increase(metric, by="", *more):
    return f"{total(by)}(increase({metric}{chosen(*more)}[@]))"


def worst(metric, by, *more):
    """Of what every gateway tells of its whole database."""
    return f"max by ({by}) ({metric}{chosen(*more)})"


def all_of(*which):
    return f"sum({worst(*which)}) or vector(0)"


def most_of(most, *which):
    return f"topk({most}, {worst(*which)})"


def quantiles(histogram, *more):
    return tuple((f"histogram_quantile({q}, sum by (le) (rate({histogram}_bucket{chosen(*more)}[@])))", f"{q * 100:g} %")
                 for q in (0.5, 0.95, 0.99))


def age(of):
    return figure("Age of the figures", "s", f"time() - min({of}_figures_timestamp_seconds{{@}} > 0)", above(120, 600),
                  text="How long ago the figures of this page were collected, on the gateway where that is longest ago.")


def dropped(what, of):
    return graph(f"{what} without figures", "short", (f"max({of}_series_dropped{{@}})", "beyond metrics.groups_max"), w=24, h=5)


def open_targets(*more):
    open_now = f"count(max by (target) (weir_target_breaker_state{chosen(*more)}) == 1) or vector(0)"
    return figure("Targets shut off", "short", open_now,
                  ANY_IS_BAD, text="Whose circuit breaker is open.")


ANY_IS_WARNING = (("good", None), ("warning", 1))
ANY_IS_BAD = (("good", None), ("bad", 1))
SAME = "Every gateway tells of all of its database: the highest counts."
OF_GROUP = "stream, group"
STEP = "saga, step, kind"
OUTCOME_FAILED, OUTCOME_AGAIN, OUTCOME_ENDED = 'outcome="failed"', 'outcome="again"', 'outcome=~"succeeded|failed"'
GROUP = 'stream=~"$stream",group=~"$group"'
PROJECTION = 'projection=~"$projection"'
TARGET = 'target=~"$target"'
SAGA = 'saga=~"$saga"'

OVERVIEW = {
    "uid": "weir", "title": "Weir",
    "description": "How it goes, and what needs somebody. The other dashboards are behind the link.",
    "variables": (),
    "rows": (
        ("What needs attention", (
            figure("Gateways", "short", "sum(weir_build_info{@})", (("bad", None), ("good", 1)), text="That answer the scrape."),
            figure("Answers that are errors", "percentunit",
                   '(sum(rate(weir_http_requests_total{@,status=~"5.."}[5m])) or vector(0))'
                   " / sum(rate(weir_http_requests_total{@}[5m]))",
                   above(0.001, 0.01), text="5xx, of the last 5 minutes."),
            figure("Dead letters parked", "short", all_of("weir_dlq_letters", OF_GROUP, 'state="parked"'), ANY_IS_WARNING),
            figure("Projections stopped", "short", all_of("weir_projection_failed", "projection"), ANY_IS_BAD),
            figure("Sagas paused", "short", all_of("weir_saga_instances", "saga", 'state="paused"'), ANY_IS_WARNING),
            open_targets(),
        )),
        ("Events", (
            graph("Published and delivered", "eps",
                  (rate("weir_published_events_total"), "published"),
                  (rate("weir_delivered_events_total"), "to readers"),
                  (rate("weir_group_delivered_events_total"), "to groups"),
                  (rate("weir_projection_folded_events_total"), "folded"), w=12),
            graph("Time to the answer of a publish", "s",
                  *quantiles("weir_http_request_seconds", 'operation="publishEvents"'), w=12),
            graph("Lag of groups", "short", (most_of(10, "weir_group_lag_events", OF_GROUP), "{{stream}} {{group}}"),
                  text=SAME),
            graph("Lag of projections", "s", (most_of(10, "weir_projection_lag_seconds", "projection"), "{{projection}}"),
                  text=SAME),
            graph("Sagas under way", "short", ("sum by (state) (max by (saga, state) (weir_saga_instances{@}))", "{{state}}"),
                  text=SAME),
        )),
        ("Requests", (
            graph("By status", "reqps", (rate("weir_http_requests_total", "status"), "{{status}}")),
            graph("By operation", "reqps", (f"topk(15, {rate('weir_http_requests_total', 'operation')})", "{{operation}}")),
            graph("Connections", "short",
                  ("sum(weir_http_connections{@})", "open"),
                  ("sum(weir_http_event_streams{@})", "event streams"),
                  ("sum(weir_http_parked_connections{@})", "parked")),
        )),
    ),
}

GROUPS = {
    "uid": "weir-groups", "title": "Weir: groups and dead letters",
    "description": "Consumer groups: how far behind, what fails, what died.",
    "variables": (("stream", "weir_group_lag_events"), ("group", "weir_group_lag_events")),
    "rows": (
        ("Now", (
            figure("Events behind", "short", all_of("weir_group_lag_events", OF_GROUP, GROUP), above(1000, 100000)),
            figure("Oldest event", "s", f"max(weir_group_lag_seconds{{@,{GROUP}}})", above(60, 600)),
            figure("Waiting for a retry", "short", all_of("weir_group_retrying", OF_GROUP, GROUP), ANY_IS_WARNING),
            figure("Dead letters parked", "short", all_of("weir_dlq_letters", OF_GROUP, 'state="parked"', GROUP),
                   ANY_IS_WARNING),
            figure("Poison", "short", all_of("weir_dlq_poison_letters", OF_GROUP, GROUP), ANY_IS_BAD,
                   text="Parked letters that died of the same again after a redrive."),
            age("weir_group"),
        )),
        ("Lag", (
            graph("Events behind", "short", (most_of(20, "weir_group_lag_events", OF_GROUP, GROUP),
                                             "{{stream}} {{group}}"), w=12, text=SAME),
            graph("Age of the oldest", "s", (most_of(20, "weir_group_lag_seconds", OF_GROUP, GROUP),
                                             "{{stream}} {{group}}"), w=12, text=SAME),
            graph("In flight", "short", (most_of(20, "weir_group_in_flight", OF_GROUP, GROUP), "{{stream}} {{group}}"),
                  w=12, text=SAME),
            graph("Waiting for a retry", "short", (most_of(20, "weir_group_retrying", OF_GROUP, GROUP),
                                                   "{{stream}} {{group}}"), w=12, text=SAME),
        )),
        ("Deliveries, of all groups", (
            graph("What becomes of deliveries", "eps",
                  (rate("weir_group_delivered_events_total"), "handed out"),
                  (rate("weir_group_acked_events_total"), "acked"),
                  (rate("weir_group_failed_events_total"), "nacked, rejected"),
                  (rate("weir_group_expired_events_total"), "deadline passed"),
                  (rate("weir_group_dead_events_total"), "dead")),
            graph("Deliveries that fail", "percentunit",
                  (f"({rate('weir_group_failed_events_total')} + {rate('weir_group_expired_events_total')})"
                   f" / {rate('weir_group_delivered_events_total')}", "of those handed out")),
            graph("Read ahead, and taken from another gateway", "eps",
                  (rate("weir_group_fetched_events_total"), "events read ahead"),
                  (rate("weir_group_conflicts_total"), "changed by another gateway first")),
        )),
        ("Dead letters", (
            graph("Parked", "short", (most_of(20, "weir_dlq_letters", OF_GROUP, 'state="parked"', GROUP),
                                      "{{stream}} {{group}}"), text=SAME),
            graph("Poison", "short", (most_of(20, "weir_dlq_poison_letters", OF_GROUP, GROUP), "{{stream}} {{group}}"),
                  text="They died of the same again after a redrive: repair them first."),
            graph("Letters that come and go", "short",
                  (increase("weir_group_dead_events_total"), "died"),
                  (increase("weir_retention_removed_dead_letters_total"), "removed by retention")),
            dropped("Groups", "weir_group"),
        )),
    ),
}

PROJECTIONS = {
    "uid": "weir-projections", "title": "Weir: projections",
    "description": "How far projections are behind, which stand still, what verification found.",
    "variables": (("projection", "weir_projection_lag_events"),),
    "rows": (
        ("Now", (
            figure("Stopped", "short", all_of("weir_projection_failed", "projection", PROJECTION), ANY_IS_BAD,
                   text="They stand in front of an event that cannot be folded, or read."),
            figure("Paused", "short", all_of("weir_projection_paused", "projection", PROJECTION), ANY_IS_WARNING),
            figure("Events behind", "short", all_of("weir_projection_lag_events", "projection", PROJECTION),
                   above(1000, 100000)),
            figure("Oldest event", "s", f"max(weir_projection_lag_seconds{{@,{PROJECTION}}})", above(60, 300)),
            figure("Keys that drifted", "short", "sum(increase(weir_projection_drifted_keys_total{@}[$__range]))", ANY_IS_BAD,
                   text="Found by verification in the time shown. A rebuild mends them."),
            age("weir_projection"),
        )),
        ("Each projection", (
            graph("Events behind", "short", (most_of(20, "weir_projection_lag_events", "projection", PROJECTION),
                                             "{{projection}}"), w=12, text=SAME),
            graph("Age of the oldest", "s", (most_of(20, "weir_projection_lag_seconds", "projection", PROJECTION),
                                             "{{projection}}"), w=12, text=SAME, steps=(("none", None), ("bad", 300))),
            states("State", f"2 * {worst('weir_projection_failed', 'projection', PROJECTION)}"
                   f" + {worst('weir_projection_paused', 'projection', PROJECTION)}", "{{projection}}",
                   ((0, "runs", "good"), (1, "paused", "warning"), (2, "stopped", "bad"), (3, "stopped", "bad"))),
        )),
        ("Work, of all projections", (
            graph("Folded", "eps", (rate("weir_projection_folded_events_total", "instance"), "{{instance}}"),
                  text="By the gateway that did it; rebuilds and verifications included."),
            graph("Events a transaction", "short",
                  (f"{rate('weir_projection_folded_events_total')} / {rate('weir_projection_steps_total')}", "events")),
            graph("Stops, rebuilds, verifications", "short",
                  (increase("weir_projection_failures_total"), "stopped"),
                  (increase("weir_projection_swaps_total"), "rebuilt"),
                  (increase("weir_projection_checks_total"), "verified"),
                  (increase("weir_projection_drifted_keys_total"), "keys that drifted")),
            dropped("Projections", "weir_projection"),
        )),
    ),
}

SAGAS = {
    "uid": "weir-sagas", "title": "Weir: sagas and targets",
    "description": "Instances by state, steps that fail, and the services that they call.",
    "variables": (("saga", "weir_saga_instances"), ("target", "weir_target_breaker_state")),
    "rows": (
        ("Now", (
            figure("Under way", "short", all_of("weir_saga_instances", "saga, state", SAGA)),
            figure("Paused", "short", all_of("weir_saga_instances", "saga", 'state="paused"', SAGA), ANY_IS_WARNING,
                   text="They wait for an operator."),
            figure("Compensating", "short", all_of("weir_saga_instances", "saga", 'state="compensating"', SAGA), ANY_IS_WARNING),
            figure("Set aside", "short", "max(weir_saga_set_aside{@})", ANY_IS_BAD,
                   text="That a gateway could not take further; its log says why."),
            open_targets(TARGET),
            age("weir_saga"),
        )),
        ("Instances", (
            graph("By state", "short", (f"sum by (state) (max by (saga, state) (weir_saga_instances{{@,{SAGA}}}))", "{{state}}"),
                  text=SAME),
            graph("Paused", "short", (most_of(20, "weir_saga_instances", "saga", 'state="paused"', SAGA), "{{saga}}"),
                  text=SAME),
            graph("Started and ended", "cps",
                  (rate("weir_saga_started_total", "", SAGA), "started"),
                  (rate("weir_saga_ended_total", "state", SAGA), "{{state}}")),
            graph("That complete", "percentunit",
                  (f'sum by (saga) (increase(weir_saga_ended_total{{@,state="completed",{SAGA}}}[1h]))'
                   f" / sum by (saga) (increase(weir_saga_ended_total{{@,{SAGA}}}[1h]))", "{{saga}}"), most=1,
                  text="Of those that ended in the hour before."),
            graph("Turned back, paused", "short",
                  (increase("weir_saga_compensating_total", "saga", SAGA), "{{saga}} turned back"),
                  (increase("weir_saga_paused_total", "saga", SAGA), "{{saga}} paused")),
            graph("Time from start to end", "s",
                  *quantiles("weir_saga_seconds", SAGA)),
        )),
        ("Steps", (
            graph("That fail", "cps",
                  (f"topk(20, {rate('weir_saga_steps_total', STEP, OUTCOME_FAILED, SAGA)})", "{{saga}} {{step}} {{kind}}")),
            graph("Attempts made again", "cps",
                  (f"topk(20, {rate('weir_saga_steps_total', STEP, OUTCOME_AGAIN, SAGA)})", "{{saga}} {{step}} {{kind}}")),
            graph("Mean time of a step", "s",
                  (f"topk(20, {rate('weir_saga_step_seconds_total', STEP, SAGA)}"
                   f" / {rate('weir_saga_steps_total', STEP, OUTCOME_ENDED, SAGA)})", "{{saga}} {{step}} {{kind}}")),
        )),
        ("Targets and calls", (
            states("Circuit breakers", 'max by (target) (weir_target_breaker_state{@,target=~"$target"})', "{{target}}",
                   ((0, "closed", "good"), (1, "open", "bad"), (2, "half-open", "warning")), w=12),
            graph("Calls that run", "short", ('topk(20, sum by (target) (weir_target_calls{@,target=~"$target"}))', "{{target}}"),
                  ("sum(weir_outbound_calls{@})", "all"), w=12),
            graph("What becomes of calls", "cps",
                  (rate("weir_outbound_succeeded_total"), "succeeded"),
                  (rate("weir_outbound_refused_total"), "refused for good, or not yet"),
                  (rate("weir_outbound_failed_total"), "failed"),
                  (rate("weir_outbound_blocked_total"), "not allowed"), w=12),
            graph("Time of a call", "s",
                  *quantiles("weir_outbound_seconds"), w=12),
            dropped("Sagas", "weir_saga"),
        )),
    ),
}

GATEWAY = {
    "uid": "weir-gateway", "title": "Weir: gateways and PostgreSQL",
    "description": "The machinery: commits, memory, connections, tokens, the process.",
    "variables": (),
    "rows": (
        ("Requests", (
            graph("By operation", "reqps", (rate("weir_http_requests_total", "operation"), "{{operation}}")),
            graph("Time to the answer, 99 %", "s",
                  ("histogram_quantile(0.99, sum by (operation, le) (rate(weir_http_request_seconds_bucket{@}[@])))",
                   "{{operation}}"),
                  text="Long-polls and event streams last as long as they wait."),
            graph("Refused", "cps",
                  (rate("weir_http_rejected_total"), "at the gate"),
                  (rate("weir_http_address_refused_total"), "connections of one address"),
                  (rate("weir_tls_handshakes_failed_total"), "TLS"),
                  (rate("weir_tls_client_certificates_refused_total"), "client certificates"),
                  (rate("weir_token_refused_total"), "tokens"),
                  (rate("weir_token_revoked_total"), "revoked tokens"),
                  (rate("weir_quota_refused_total"), "quota"),
                  (rate("weir_commit_overloaded_total"), "overloaded")),
            graph("Bodies in memory", "bytes", ("weir_http_body_bytes{@}", "{{instance}}")),
            graph("Clients that left while parked", "cps", (rate("weir_http_disconnects_total", "instance"), "{{instance}}")),
            graph("Workers", "short",
                  ("weir_worker_busy_threads{@}", "busy {{instance}}"),
                  ("weir_worker_queue_jobs{@}", "waiting {{instance}}")),
        )),
        ("Commits", (
            graph("Time of a transaction", "s",
                  *quantiles("weir_commit_seconds"), steps=(("none", None), ("bad", 0.5))),
            graph("Batch", "short",
                  ("histogram_quantile(0.5, sum by (le) (rate(weir_commit_batch_events_bucket{@}[@])))", "events, 50 %"),
                  ("histogram_quantile(0.99, sum by (le) (rate(weir_commit_batch_events_bucket{@}[@])))", "events, 99 %"),
                  ("histogram_quantile(0.5, sum by (le) (rate(weir_commit_batch_requests_bucket{@}[@])))", "requests, 50 %")),
            graph("Events", "eps",
                  (rate("weir_published_events_total"), "recorded"),
                  (rate("weir_duplicate_events_total"), "duplicates"),
                  (rate("weir_outbox_events_total"), "of Weir's own"),
                  (rate("weir_audit_records_total"), "of these, audit")),
            graph("Bytes published", "Bps", (rate("weir_published_bytes_total"), "bytes")),
            graph("Queue", "short", ("weir_commit_queue_events{@}", "{{instance}}")),
            graph("Bytes in the queue", "bytes", ("weir_commit_queue_bytes{@}", "{{instance}}")),
            graph("Tried again, replayed", "cps",
                  (rate("weir_commit_retries_total"), "transactions tried again"),
                  (rate("weir_idempotent_replays_total"), "answers replayed")),
            graph("Schemas", "eps",
                  (rate("weir_schema_checked_events_total"), "events checked"),
                  (rate("weir_schema_violations_total"), "that did not conform"),
                  (rate("weir_schema_loads_total"), "schemas loaded")),
            graph("Compiled schemas", "bytes", ("weir_schema_cache_bytes{@}", "{{instance}}")),
        )),
        ("Readers and PostgreSQL", (
            graph("Where readers read", "cps",
                  (rate("weir_ring_hits_total"), "events from memory"),
                  (rate("weir_ring_misses_total"), "pages from PostgreSQL")),
            graph("Tail", "cps",
                  (rate("weir_tail_notifications_total"), "notifications"),
                  (rate("weir_tail_polls_total"), "polls"),
                  (rate("weir_tail_fetched_events_total"), "events fetched"),
                  text="Polls and no notifications: LISTEN does not work."),
            graph("Removed by retention", "eps", (rate("weir_retention_removed_events_total"), "events")),
            graph("Connections to PostgreSQL", "short", ("weir_db_connections{@}", "{{instance}}")),
            graph("Lost connections, failed statements", "short",
                  (increase("weir_db_reconnects_total", "instance"), "connected again {{instance}}"),
                  (increase("weir_db_errors_total", "instance"), "statements failed {{instance}}")),
            graph("Streams in memory", "short", ("weir_ring_streams{@}", "{{instance}}"), w=4),
            graph("Their bytes", "bytes", ("weir_ring_bytes{@}", "{{instance}}"), w=4),
        )),
        ("Tokens", (
            graph("Tokens", "cps",
                  (rate("weir_token_cache_hits_total"), "remembered"),
                  (rate("weir_token_cache_misses_total"), "checked in full"),
                  (rate("weir_token_unknown_keys_total"), "of unknown keys")),
            graph("Tickets", "cps",
                  (rate("weir_tickets_made_total"), "made"),
                  (rate("weir_ticket_lookups_total"), "looked up")),
            graph("Keys of issuers", "short",
                  (increase("weir_jwks_fetches_total"), "fetches"),
                  (increase("weir_jwks_failures_total"), "failures")),
            figure("Since the keys were fetched", "s", "time() - min(weir_jwks_fetched_timestamp_seconds{@} > 0)", w=8),
            figure("Until the certificate ends", "s", "min(weir_tls_certificate_expiry_seconds{@} > 0) - time()",
                   (("bad", None), ("warning", 7 * 86400), ("good", 30 * 86400)), w=8),
            figure("Revocations in force", "short", "max(weir_revocations{@})", w=8),
        )),
        ("Process", (
            graph("CPU", "percentunit", ("rate(process_cpu_seconds_total{@}[@])", "{{instance}}"), text="1 is one core."),
            graph("Memory", "bytes",
                  ("process_resident_memory_bytes{@}", "resident {{instance}}"),
                  ("process_virtual_memory_bytes{@}", "virtual {{instance}}")),
            graph("File descriptors", "short",
                  ("process_open_fds{@}", "{{instance}}"),
                  ("min(process_max_fds{@})", "limit")),
            graph("Threads", "short", ("process_threads{@}", "{{instance}}")),
            graph("Runs since", "s", ("time() - process_start_time_seconds{@}", "{{instance}}")),
            graph("Log lines", "cps", (rate("weir_log_lines_total", "instance"), "{{instance}}")),
            graph("Versions", "short", ("sum by (version) (weir_build_info{@})", "{{version}}"), w=24,
                  text="Gateways, by version."),
        )),
    ),
}

BOARDS = (OVERVIEW, GROUPS, SAGAS, PROJECTIONS, GATEWAY)
