"""Work that is handed out in batches: a consumer group over HTTP, and tables of the same PostgreSQL from which consumers take rows
with FOR UPDATE SKIP LOCKED: the fastest that we found, and pgmq's. All with one program (consumers.c), each also while another session
holds a snapshot."""
import contextlib
import functools
import json
import os

import cpu
import load
from goals import GROUP, GROUP_HELD, PGMQ, PGMQ_HELD, QUEUE, QUEUE_HELD
from load import Measurement, Run, harness

STREAM, CONSUMERS = "orders.groups", 4
READY = 150_000                # messages that wait, for each second of a measurement: more than any has needed
PUBLISH = 5000                 # events of one request
TAKE = """update bench.work set vt = clock_timestamp() + interval '30 s', attempts = attempts + 1
 where id = any(array(select id from bench.work where vt <= clock_timestamp() order by id limit $1::bigint for update skip locked))
 returning id, type, data"""
DONE = "delete from bench.work where id = any($1::bigint[])"
PGMQ_TAKE = "select msg_id, message from bench.read_messages('work', 30, $1::integer)"
PGMQ_DONE = "select bench.delete_messages('work', $1::bigint[])"
# What the group has handed out and not got back, and how far it is.
LEFT = f"""select (select sum(n) - count(*) from unnest(t.next) n) - coalesce((select sum(open) from weir.leases l
        where (l.stream_id, l.group_id) = (t.stream_id, t.group_id)), 0)
  from weir.group_states t join weir.groups g using (stream_id, group_id) join weir.streams s using (stream_id)
 where s.name = '{STREAM}' and g.name = '%s' order by seq desc limit 1"""
SNAPSHOT = "set transaction isolation level repeatable read; select count(*) from weir.streams"


def consume(kind, seconds, *arguments):
    out = load.output([os.path.join(load.PROGRAMS, "consumers"), kind, *map(str, (CONSUMERS, seconds, load.BATCH, *arguments))],
                      timeout=seconds + 60)
    found = json.loads(out)
    return Run(found["count"] / found["seconds"], found["p50"], found["p99"], found["count"], found["errors"])


class Bench:
    def __init__(self, gateway, token):
        self.gateway, self.token, self.group, self.published, self.rows = gateway, token, "", 0, 0

    @contextlib.contextmanager
    def held(self, ready, seconds):
        """What is made ready, and then a snapshot."""
        with ready(seconds):
            holder = harness.Holder(self.gateway, SNAPSHOT)
            try:
                yield
            finally:
                holder.release()

    # --- Weir ---
    @contextlib.contextmanager
    def new_group(self, seconds):
        """At the beginning of a stream that all measurements share."""
        client = harness.Client(self.gateway, check=False)
        if not self.published:
            client.create(STREAM)
        body = f"[{','.join(['{' + load.FIELDS + '}'] * PUBLISH)}]".encode()
        for self.published in range(self.published + PUBLISH, seconds * READY + 1, PUBLISH):
            client.post(f"/v1/streams/{STREAM}/events", body).expect(201)
        self.group = f"group-{os.urandom(4).hex()}"
        client.put(self.path(), {"start": "earliest"}).expect(201)
        yield
        client.request("DELETE", self.path()).expect(204)
        client.close()

    def path(self):
        return f"/v1/streams/{STREAM}/groups/{self.group}"

    def consume_group(self, seconds):
        run = consume("group", seconds, self.gateway.port, self.path(), self.token)
        run.errors += abs(int(harness.psql(self.gateway, LEFT % self.group)[0]) - run.count)
        return run

    # --- the tables ---
    @contextlib.contextmanager
    def new_rows(self, table, columns, seconds):
        self.rows = seconds * READY
        harness.psql(self.gateway, f"truncate {table}; insert into {table} {columns} from generate_series(1, {self.rows})")
        harness.psql(self.gateway, f"vacuum (analyze) {table}")
        yield

    def consume_rows(self, table, take, done, seconds):
        run = consume("queue", seconds, self.gateway.database_url, take, done)
        run.errors += abs(self.rows - int(harness.psql(self.gateway, f"select count(*) from {table}")[0]) - run.count)
        harness.psql(self.gateway, f"truncate {table}")
        return run

    def table(self, name, columns, take, done):
        return functools.partial(self.consume_rows, name, take, done), functools.partial(self.new_rows, name, columns), lambda: 0.0


def measurements(gateway, token):
    """name → Measurement"""
    bench, store = Bench(gateway, token), load.gateway_cpu(gateway)["store"]
    work = f"(type, data) select '{load.TYPE}', '{load.DATA}'"
    message = json.dumps({"type": load.TYPE, "data": json.loads(load.DATA)})
    peers = {GROUP: (bench.consume_group, bench.new_group, lambda: cpu.own(gateway.pid)),
             QUEUE: bench.table("bench.work", work, TAKE, DONE),
             PGMQ: bench.table("bench.q_work", f"(vt, message) select now(), '{message}'", PGMQ_TAKE, PGMQ_DONE)}
    held = {GROUP: GROUP_HELD, QUEUE: QUEUE_HELD, PGMQ: PGMQ_HELD}
    table = {}
    for name, (run, ready, server) in peers.items():
        table[name] = Measurement(CONSUMERS, run, server, store, around=ready)
        table[held[name]] = Measurement(CONSUMERS, run, server, store, around=lambda s, ready=ready: bench.held(ready, s))
    return table
