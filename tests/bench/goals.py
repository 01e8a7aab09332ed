"""The goals of the measurements: what is wanted, and how it is found from their medians."""
import hydrate
import load
import sagas_run
import schemas

BATCHES = f"publish, batches of {load.BATCH}, 64"
GROUP, QUEUE = "group, receive + ack, 4", "SKIP LOCKED queue, 4"
PGMQ = "pgmq.read + delete, 4"
GROUP_HELD, QUEUE_HELD, PGMQ_HELD = (name.replace(", 4", ", snapshot held, 4") for name in (GROUP, QUEUE, PGMQ))
REBUILD, AGGREGATE, BATCH_WORKER = "projection, rebuild, 1", "SQL aggregate of all, 1", "SQL worker, batches of 1,000, 1"
RATE = 5000                    # events per second from publisher to subscriber


def ratio(field, over, under):
    return lambda m: getattr(m[over], field) / getattr(m[under], field)


def rate(over, under):
    return ratio("per_second", over, under)


def value(field, name):
    return lambda m: getattr(m[name], field)


def dip(m):
    return min(m[f"publish, {n}"].per_second for n in (128, 256, 512)) / m["publish, 64"].per_second


def spread(m):
    """What the fan-out itself takes: neither Weir's commit nor what the bare program has instead."""
    ours, bare = m["fan-out to 1,000, Weir"], m["fan-out to 1,000, bare epoll"]
    return (ours.last - ours.first) / (bare.last - bare.first)


def overhead(m):
    return m[sagas_run.CHAIN].p50 - m[sagas_run.CURL].p50


def beyond_idle(m):
    return m[sagas_run.WAITING].waiting - m[sagas_run.WAITING].idle


# goal, bound, how it is found in name → medians, unit; without a bound it is only told.
GOALS = [
    ("publish / nginx static, 64 connections", "≥", 0.40, rate("publish, 64", "nginx, static 200, 64"), ""),
    ("publish / nginx static, 256", "≥", 0.50, rate("publish, 256", "nginx, static 200, 256"), ""),
    ("no dip: the least of 128, 256, 512 / 64", "≥", 0.90, dip, ""),
    ("publish with id + subject / nginx static, 64", "≥", 0.20, rate("publish, id + subject, 64", "nginx, static 200, 64"), ""),
    ("publish / pgbench INSERT, 64", "≥", 3, rate("publish, 64", "pgbench INSERT, 64"), ""),
    ("publish / pgbench INSERT, 256", "≥", 8, rate("publish, 256", "pgbench INSERT, 256"), ""),
    ("p99 of publish / of pgbench INSERT, 64", "≤", 0.3, ratio("p99", "publish, 64", "pgbench INSERT, 64"), ""),
    ("p99 of publish / of pgbench INSERT, 256", "≤", 0.3, ratio("p99", "publish, 256", "pgbench INSERT, 256"), ""),
    ("publish with id + subject / pgbench INSERT, 64", "≥", 1.5, rate("publish, id + subject, 64", "pgbench INSERT, 64"), ""),
    (f"events in batches of {load.BATCH} / pgbench INSERT, 64", "≥", 15, rate(BATCHES, "pgbench INSERT, 64"), ""),
    ("publish / pgmq.send, 64", "≥", 6, rate("publish, 64", "pgmq.send, 64"), ""),
    ("publish / message-db, 64", "≥", 20, rate("publish, 64", "message-db, 64"), ""),
    ("publish / webdis + Redis, 64", "≥", 1.3, rate("publish, 64", "webdis + Redis, 64"), ""),
    ("publish, RS256 / HS256", "≥", 0.95, rate("publish, RS256, 64", "publish, 64"), ""),
    (f"publish to subscriber at {RATE:,} events/s, reached", "≥", 0.98 * RATE, value("per_second", "publish to subscriber"), "/s"),
    ("  p50", "≤", 2, value("p50", "publish to subscriber"), "ms"),
    ("  p99", "≤", 10, value("p99", "publish to subscriber"), "ms"),
    ("fan-out to 1,000, last client / bare epoll", "≤", 1.15,
     ratio("last", "fan-out to 1,000, Weir", "fan-out to 1,000, bare epoll"), ""),
    ("  from the first to the last client / bare epoll", "", 0, spread, ""),
    ("  CPU per delivery / nchan", "≤", 0.75, ratio("cpu_us", "fan-out to 1,000, Weir", "fan-out to 1,000, nchan"), ""),
    ("fan-out to 10,000, last client / bare epoll", "", 0,
     ratio("last", "fan-out to 10,000, Weir", "fan-out to 10,000, bare epoll"), ""),
    ("  CPU per delivery / nchan", "", 0, ratio("cpu_us", "fan-out to 10,000, Weir", "fan-out to 10,000, nchan"), ""),
    ("receive + ack of a group / of a SKIP LOCKED queue", "≥", 5, rate(GROUP, QUEUE), ""),
    ("  the same while a snapshot is held", "≥", 5, rate(GROUP_HELD, QUEUE_HELD), ""),
    ("receive + ack of a group / of pgmq", "", 0, rate(GROUP, PGMQ), ""),
    ("  the same while a snapshot is held", "", 0, rate(GROUP_HELD, PGMQ_HELD), ""),
    ("  group while a snapshot is held / without", "≥", 0.9, rate(GROUP_HELD, GROUP), ""),
    (f"load of a subject from a snapshot / of {hydrate.EVENTS:,} events", "≥", 5, rate(hydrate.FROM_SNAPSHOT, hydrate.WHOLE), ""),
    ("payloads checked against a schema / by ajv in Node", "≥", 1, rate(schemas.OURS, schemas.AJV), ""),
    ("  / by ajv when they are objects already", "", 0, rate(schemas.OURS, schemas.AJV_OBJECTS), ""),
    ("publish with enforced schemas / without, 64", "≥", 0.8, value("ratio", schemas.ENFORCED), ""),
    (f"  in batches of {load.BATCH}", "≥", 0.8, value("ratio", schemas.ENFORCED_BATCHES), ""),
    ("events projected by a rebuild / added up by a SQL worker in batches", "≥", 0.5, rate(REBUILD, BATCH_WORKER), ""),
    ("  / by one SQL aggregate of all", "", 0, rate(REBUILD, AGGREGATE), ""),
    ("sagas of 2 HTTP steps, completed", "", 0, value("per_second", sagas_run.SAGAS), "/s"),
    ("  durable transitions", "", 0, value("transitions", sagas_run.SAGAS), "/s"),
    ("overhead of a saga's step over a bare call by curl, p50", "", 0, overhead, "ms"),
    (f"CPU of {sagas_run.WAITERS:,} sagas that wait, of a core beyond an idle gateway's", "≤", 1, beyond_idle, "%"),
    ("memory of each of 10,000 idle subscribers", "≤", 12, value("default", "memory"), "KiB"),
    ("  with http.connection_memory=4KiB", "≤", 6, value("small", "memory"), "KiB"),
    ("weir dev, first start", "≤", 2, value("first", "starts"), "s"),
    ("weir dev, later start", "≤", 0.5, value("later", "starts"), "s"),
    ("resident memory of an idle gateway", "≤", 20, value("idle", "starts"), "MiB"),
]


def found(medians):
    """(goal, sign, bound, value, unit) of those that were measured."""
    rows = []
    for name, sign, bound, find, unit in GOALS:
        try:
            rows.append((name, sign, bound, find(medians), unit))
        except KeyError:                         # BENCH_ONLY left it out
            continue
    return rows
