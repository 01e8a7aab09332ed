"""How fast a projection is folded anew, beside SQL of one's own over the same events: one statement that aggregates all of them, and a
worker that adds them up in batches, each with its position in a transaction, as a projection does."""
import contextlib
import os
import time

import cpu
import load
from goals import AGGREGATE, BATCH_WORKER, REBUILD
from load import Measurement, Run, harness

STREAM, NAME = "orders.projected", "bench.totals"
PARTITIONS, SUBJECTS, BATCH = 4, 10_000, 1000
EVENTS = 40_000                # that are folded, for each second of a measurement
PUBLISH = 1000                 # events of one request
DEFINITION = {"streams": [STREAM], "key": "subject", "on": {load.TYPE: [
    {"count": "/orders"}, {"increment": {"/revenue": {"from": "/data/total"}}}, {"max": {"/largest": {"from": "/data/total"}}}]}}
FOLDED = f"""select coalesce(sum(version), 0) from weir.projection_states s join weir.projections p using (projection_id, build)
              where p.name = '{NAME}'"""
SUM_ALL = f"""insert into bench.totals select subject, count(*), sum(total), max(total)
  from (select subject, (data->>'total')::numeric as total from weir.log where stream = '{STREAM}' offset 0) e group by subject"""
WAIT = 300                     # seconds that a rebuild may take


class Bench:
    def __init__(self, gateway):
        self.gateway, self.published = gateway, 0

    @contextlib.contextmanager
    def events(self, seconds):
        """Published once, for all measurements; the tables are empty."""
        with contextlib.closing(harness.Client(self.gateway, check=False)) as client:
            if not self.published:
                client.create(STREAM, partitions=PARTITIONS)
                with open(os.path.join(load.HERE, "rebuild.sql"), encoding="ascii") as f:
                    harness.psql(self.gateway, f.read())
            for first in range(self.published, seconds * EVENTS, PUBLISH):
                body = ",".join(f'{{{load.FIELDS},"subject":"customer-{n % SUBJECTS}"}}' for n in range(first, first + PUBLISH))
                client.post(f"/v1/streams/{STREAM}/events", f"[{body}]".encode()).expect(201)
                self.published = first + PUBLISH
            self.folded(client)
        harness.psql(self.gateway, "truncate bench.totals, bench.positions; "
                                   f"insert into bench.positions select n, 0 from generate_series(0, {PARTITIONS - 1}) n")
        yield

    def folded(self, client, after=0):
        """Waits until a build later than this one is read and has caught up; the projection is made if it is not there."""
        if not after and client.get(f"/v1/projections/{NAME}").status == 404:
            client.put(f"/v1/projections/{NAME}", DEFINITION).expect(201)
        deadline = time.monotonic() + WAIT
        while True:
            now = client.get(f"/v1/projections/{NAME}").expect(200).json()
            if now["build"] > after and now["lag"]["events"] == 0:
                return now["build"]
            assert time.monotonic() < deadline, now
            time.sleep(0.005)

    def ran(self, began, counted):
        seconds = time.monotonic() - began
        wrong = abs(self.published - int(harness.psql(self.gateway, counted)[0]))
        return Run(self.published / seconds, 1000 * seconds, 1000 * seconds, self.published, wrong)

    def rebuild(self, _seconds):
        with contextlib.closing(harness.Client(self.gateway, check=False)) as client:
            build, began = self.folded(client), time.monotonic()
            client.post(f"/v1/projections/{NAME}/rebuild", {}).expect(202)
            self.folded(client, build)
            return self.ran(began, FOLDED)

    def sql(self, statement):
        began = time.monotonic()
        harness.psql(self.gateway, statement)
        return self.ran(began, "select coalesce(sum(orders), 0) from bench.totals")

    def worker(self):
        [stream_id] = harness.psql(self.gateway, f"select stream_id from weir.streams where name = '{STREAM}' and not deleted")
        return self.sql(f"call bench.add_up({stream_id}, {PARTITIONS}, {BATCH})")


def measurements(gateway):
    """name → Measurement"""
    bench, store = Bench(gateway), load.gateway_cpu(gateway)["store"]
    return {REBUILD: Measurement(1, bench.rebuild, lambda: cpu.own(gateway.pid), store, around=bench.events),
            AGGREGATE: Measurement(1, lambda _: bench.sql(SUM_ALL), store=store, around=bench.events),
            BATCH_WORKER: Measurement(1, lambda _: bench.worker(), store=store, around=bench.events)}
