"""How many sagas run in a second, what a step costs beside a bare call of curl, and what sagas cost that only wait. The service is nginx,
which answers every call at once."""
import contextlib
import dataclasses
import os
import statistics
import time

import cpu
import load
from load import Measurement, Run, harness

ANSWER = r'location / { default_type application/json; return 200 "{\"ok\":true}"; }'
SETTINGS = {"WEIR_OUTBOUND_ALLOW_PRIVATE": "true", "WEIR_OUTBOUND_CONCURRENCY": "256"}
SAGAS, CHAIN, CURL = "sagas of 2 HTTP steps, 64", "step of a saga, one after the other, 1", "bare call by curl, 1"
WAITING, WAITERS = "waiting sagas", 100_000
COMPLETED = 4                  # enum saga_state
STEPS = 20                     # of the chain
CONNECTIONS, WAIT, LOOK = 64, 300, 10    # seconds: that sagas may take to end, and that waiting ones are watched
INPUT = '"input":{"order":"0190f5fe-7b1c-7d4e-8a52-3f6c1e9b7a10","total":129.9}'
OF = "from weir.saga_instances i join weir.sagas using (saga_id) where name = '%s'"


@dataclasses.dataclass
class SagaRun(Run):
    transitions: float = 0     # durable ones a second


@dataclasses.dataclass
class Waiting:
    """Percent of one core, of gateway and PostgreSQL together."""
    idle: float
    waiting: float
    started: float             # instances a second


def step(port, name):
    return {"name": name, "action": {"http": {"method": "POST", "url": f"http://127.0.0.1:{port}/{name}",
                                              "body": {"order": "{{input.order}}", "total": "{{input.total}}"}}}}


class Bench:
    def __init__(self, gateway, port=0):
        self.gateway, self.token, self.port, self.saga = gateway, harness.mint(ttl=7200), port, ""

    @contextlib.contextmanager
    def define(self, steps, _seconds=0):
        """A saga of its own for each measurement."""
        self.saga = f"bench-{os.urandom(4).hex()}"
        with contextlib.closing(harness.Client(self.gateway, check=False)) as client:
            client.put(f"/v1/sagas/{self.saga}", {"steps": steps}).expect(201)
        yield

    def path(self):
        return f"/v1/sagas/{self.saga}/instances"

    def one(self, what):
        return harness.psql(self.gateway, f"select {what} {OF % self.saga}")[0].split("|")

    def start(self, seconds):
        return load.wrk(self.gateway.url + self.path(), CONNECTIONS, seconds, "event", INPUT, self.token)

    def until_ended(self):
        deadline = time.monotonic() + WAIT
        while self.one("count(*) filter (where ended is null)") != ["0"]:
            assert time.monotonic() < deadline, f"sagas do not end within {WAIT} s"
            time.sleep(0.02)

    def sagas(self, seconds):
        """Started as fast as it goes; the rate is up to the end of the last."""
        began = time.monotonic()
        sent = self.start(seconds)
        self.until_ended()
        took = time.monotonic() - began
        count, wrong, transitions, p50, p99 = (float(text) for text in self.one(f"""
            count(*), count(*) filter (where state <> {COMPLETED}), coalesce(sum(seq), 0),
            coalesce(percentile_cont(0.5) within group (order by extract(epoch from ended - i.created)) * 1000, 0),
            coalesce(percentile_cont(0.99) within group (order by extract(epoch from ended - i.created)) * 1000, 0)"""))
        lost = max(sent.count - int(count), 0)
        return SagaRun(count / took, p50, p99, int(count), int(wrong) + lost + sent.errors, transitions=transitions / took)

    def chain(self, seconds):
        """One saga of many steps at a time: what a step takes. Asked over HTTP: a psql each time would cost more than the steps."""
        times, deadline = [], time.monotonic() + seconds
        with contextlib.closing(harness.Client(self.gateway, check=False)) as client:
            while time.monotonic() < deadline:
                one = client.post(self.path(), f"{{{INPUT}}}".encode()).expect(201).json()["id"]
                while client.get(f"{self.path()}/{one}").expect(200).json()["state"] == "running":
                    time.sleep(0.02)
        times = sorted(float(line) * 1000 / STEPS for line in harness.psql(
            self.gateway, f"select extract(epoch from ended - i.created) {OF % self.saga}"))
        return Run(1000 / statistics.mean(times), statistics.median(times), times[len(times) * 99 // 100], len(times) * STEPS)

    def curl(self, seconds):
        """On one connection that is kept, with the headers and the body of a step's call."""
        count = 1000 * seconds
        out = load.output([load.program("curl"), "-s", "-o", "/dev/null", "-w", "%{time_total} %{http_code}\n", "-d", f"{{{INPUT}}}",
                           "-H", "Content-Type: application/json", f"http://127.0.0.1:{self.port}/[1-{count}]"])
        rows = [line.split() for line in out.splitlines()]
        times = sorted(float(took) * 1000 for took, _ in rows)
        return Run(1000 / statistics.mean(times), statistics.median(times), times[count * 99 // 100], count,
                   sum(status != "200" for _, status in rows))

    def used(self):
        """Percent of a core that gateway and PostgreSQL use while nothing is asked."""
        time.sleep(3)
        before = cpu.own(self.gateway.pid) + cpu.of_children(self.gateway.pid)
        time.sleep(LOOK)
        return 100 * (cpu.own(self.gateway.pid) + cpu.of_children(self.gateway.pid) - before) / LOOK

    def waiting(self):
        signal = {"name": "wait", "signal": {}, "timeout": "7d"}
        with self.define([signal]):
            idle, began = self.used(), time.monotonic()
            while int(self.one("count(*)")[0]) < WAITERS:
                self.start(5)
            took, count = time.monotonic() - began, int(self.one("count(*)")[0])
            while harness.psql(self.gateway, "select count(*) from weir.outbox") != ["0"]:
                time.sleep(1)      # their histories are on the way to the stream
            harness.psql(self.gateway, "vacuum (analyze)")    # else autovacuum does it while we look
            harness.psql(self.gateway, "checkpoint")
            return Waiting(idle, self.used(), count / took)


def measurements(gateway, port):
    """name → Measurement"""
    bench, used = Bench(gateway, port), load.gateway_cpu(gateway)
    two, many = ([step(port, f"s{n}") for n in range(count)] for count in (2, STEPS))
    return {SAGAS: Measurement(CONNECTIONS, bench.sagas, **used, around=lambda s: bench.define(two, s)),
            CHAIN: Measurement(1, bench.chain, **used, around=lambda s: bench.define(many, s)),
            CURL: Measurement(1, bench.curl)}


def waiting(gateway):
    return Bench(gateway).waiting()
