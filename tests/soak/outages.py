"""PostgreSQL hangs, goes away, is not there yet, has no room; the gateway is asked to end. What was promised holds, what cannot
be promised is refused, and nothing needs a restart.

    outages.py [frozen away absent full panic drained cornered stalled] [--seed N]
"""
import argparse
import json
import os
import random
import signal
import sys
import threading
import time

import rig
from postgres import Postgres
from rig import harness
from servers import Bench, Skipped, answer_of, small_disk

STREAM = "soak.outages"
QUIET = "soak.quiet"         # nobody watches it: reads of it need PostgreSQL


def during(place, wrong):
    """What every call says while PostgreSQL does not answer; the slowest, in seconds, and the code of the publish."""
    slowest, code = 0.0, None
    path = f"/v1/streams/{QUIET}/events"
    for method, target, body in (("POST", path, b'{"type":"A","id":"during"}'), ("GET", path, b""), ("GET", "/v1/streams", b"")):
        status, headers, body, seconds = answer_of(place, method, target, body)
        slowest = max(slowest, seconds)
        code = code or body.get("code")
        if status != 503 or "retry-after" not in headers or body.get("code") not in ("database-unavailable", "outcome-unknown"):
            wrong.append(f"without PostgreSQL {method} {target} says {status} {body}")
    status, _, body, seconds = answer_of(place, "GET", "/readyz")
    failing = [check["name"] for check in body["checks"] if not check["ok"]]
    if status != 503 or "postgresql" not in failing:
        wrong.append(f"without PostgreSQL /readyz says {status} {body}")
    asked = [answer_of(place, "GET", "/healthz") for _ in range(3)]      # the quickest: the machine may stand still for a moment
    status, seconds = max(one[0] for one in asked), min(one[3] for one in asked)
    if status != 200 or seconds > 0.5 * harness.SLOW:
        wrong.append(f"/healthz says {status} after {seconds:.2f} s")
    return slowest, code


def afterwards(place, wrong, seconds=60):
    """Seconds until the gateway says that it is ready again."""
    began = time.monotonic()
    while answer_of(place, "GET", "/readyz")[0] != 200:
        if time.monotonic() - began > seconds * harness.SLOW:
            wrong.append(f"not ready {seconds} s after PostgreSQL came back")
            break
        time.sleep(0.05)
    took = time.monotonic() - began
    if answer_of(place, "GET", "/v1/streams")[0] != 200:
        wrong.append("streams are not listed again")
    return took


def outage(seed, hurt, heal, seconds, publishers):
    """PostgreSQL is gone for `seconds` while publishers and readers go on."""
    wrong = []
    with Bench() as bench:
        bench.postgres.start()
        gateway = bench.serve()
        place = rig.Place(gateway)
        rig.create(place, STREAM)
        rig.create(place, QUIET)
        assert answer_of(place, "POST", f"/v1/streams/{QUIET}/events", b'{"type":"A"}')[0] == 201
        writers = [rig.Publisher(place, STREAM, i, seed, 0.01) for i in range(publishers)]
        readers = [kind(place, STREAM, kind.__name__) for kind in (rig.Poller, rig.Listener)]
        with rig.at_work(*writers, *readers):
            time.sleep(1)
            began = time.monotonic()
            hurt(bench.postgres)
            time.sleep(min(4.0, seconds / 2))      # the time that a request may wait, twice
            slowest, code = during(place, wrong)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            gone, refused = time.monotonic() - began, sum(one.statuses[503] for one in writers)
            heal(bench.postgres)
            ready = afterwards(place, wrong)
            back = time.monotonic()
            time.sleep(1)
            log = rig.settle(writers, readers, gateway, STREAM)
        if len(answer_of(place, "GET", f"/v1/streams/{QUIET}/events")[2]["events"]) > (1 if code in rig.NOTHING_RECORDED else 2):
            wrong.append(f"what was refused as {code} is there")
        if not any(at > back for one in writers for at in one.acked_at):
            wrong.append("nothing was accepted after PostgreSQL came back")
        wrong += rig.audit(log, writers, readers, rig.read_all(place, STREAM))
        if not refused:
            wrong.append("no publish was refused: nothing was proved")
        status = gateway.stop()
        if status:
            wrong.append(f"the gateway ended with {status}")
        return wrong, {
            "seconds without PostgreSQL": f"{gone:.1f}", "publishes refused with 503": refused,
            "slowest refusal": f"{slowest:.2f} s", "ready again after": f"{ready:.2f} s",
            "events acknowledged": sum(len(one.acked) for one in writers), "refused (and not there)":
            sum(len(one.refused) for one in writers), "events in the log": sum(log.heads)}


def frozen(seed, seconds=10, publishers=8):
    """Every process of PostgreSQL is stopped: connections stay open and nothing answers."""
    return outage(seed, Postgres.freeze, Postgres.thaw, seconds, publishers)


def away(seed, seconds=8, publishers=8):
    """PostgreSQL is killed and stays away."""
    return outage(seed, Postgres.kill, Postgres.start, seconds, publishers)


def absent(seed, seconds=3):
    """PostgreSQL comes only after the gateway."""
    wrong = []
    with Bench() as bench:
        came = []

        def come():
            came.append(time.monotonic())
            bench.postgres.start()

        timer = threading.Timer(seconds, come)
        timer.start()
        try:
            gateway = bench.serve()
        finally:
            timer.join()
        ready = time.monotonic()
        if not came or ready < came[0]:
            wrong.append("ready before there was a PostgreSQL")
        if "waiting" not in gateway.log().lower():
            wrong.append(f"it does not say that it waits: {gateway.log()}")
        place = rig.Place(gateway)
        rig.create(place, STREAM)
        status, _, _, _ = answer_of(place, "POST", f"/v1/streams/{STREAM}/events", b'{"type":"A"}')
        if status != 201:
            wrong.append(f"publish says {status}")
        if gateway.stop():
            wrong.append("it did not end with 0")
        return wrong, {"waited": f"{seconds} s", "ready after PostgreSQL was started": f"{ready - came[0]:.2f} s" if came else "-"}


class Filling:
    """Publishes large events one after another and remembers how each ended."""

    def __init__(self, place, seed, kilobytes=100):
        self.wire, self.random, self.kilobytes = rig.Wire(place), random.Random(seed), kilobytes
        self.accepted, self.codes = {}, []

    def publish(self):
        """None, or the code of the refusal."""
        event_id = str(len(self.accepted) + len(self.codes))
        body = json.dumps({"type": "A", "id": event_id, "data": self.random.randbytes(self.kilobytes << 9).hex()}).encode()
        status, headers, answer = self.wire.request("POST", f"/v1/streams/{STREAM}/events", body, 60)
        answer = json.loads(answer)
        if status == 201:
            self.accepted[event_id] = (str(answer["partition"]), answer["offset"])
            return None
        self.codes.append(answer["code"] if status == 503 and "retry-after" in headers else f"{status} {answer}")
        return self.codes[-1]

    def missing(self, gateway, certain):
        """Sentences on what is not as it was answered."""
        there = {i: (p, o) for p, o, i in (line.split("|") for line in harness.psql(
            gateway, f"select partition, \"offset\", id from weir.log where stream = '{STREAM}'"))}
        wrong = [f"{i} was acknowledged as {at}, SQL says {there.get(i)}" for i, at in self.accepted.items() if there.get(i) != at]
        if certain and len(there) != len(self.accepted):
            wrong.append(f"{len(self.accepted)} events were acknowledged, {len(there)} are there")
        return wrong


def fill(seed, megabytes, wal_too, mend):
    """A disk fills up and gets room again; mend(postgres) sees to PostgreSQL itself. The log may have a disk of its own."""
    wrong = []
    with small_disk(megabytes) as disk, Bench(os.path.join(disk, "cluster", "data"), wal_too) as bench:
        bench.postgres.start()
        gateway = bench.serve()
        place = rig.Place(gateway)
        rig.create(place, STREAM)
        filling, ballast, space = Filling(place, seed), os.path.join(disk, "ballast"), os.statvfs(disk)
        with open(ballast, "wb") as f:
            f.write(bytes(max(0, space.f_bavail * space.f_frsize - (megabytes << 20) // 10)))
        while not filling.publish() and len(filling.accepted) < 20 * megabytes:
            pass
        until_full = len(filling.accepted)
        for _ in range(5):
            filling.publish()
        if not filling.codes:
            wrong.append("the disk did not fill up: nothing was proved")
        wanted = {"database-full"} if not wal_too else {"database-full", "database-unavailable", "outcome-unknown"}
        wrong += [f"with a full disk publish says {code}" for code in filling.codes if code not in wanted]
        status, _, page, _ = answer_of(place, "GET", harness.events_path(STREAM, limit=10))
        if not wal_too and (status != 200 or len(page["events"]) != 10):
            wrong.append(f"with a full disk a read says {status}")
        os.unlink(ballast)
        mend(bench.postgres)
        began = time.monotonic()
        while filling.publish():
            if time.monotonic() - began > 30:
                wrong.append("nothing is accepted although there is room again")
                break
            time.sleep(0.1)
        recovered = time.monotonic() - began
        for _ in range(20):
            filling.publish()
        wrong += filling.missing(gateway, "outcome-unknown" not in filling.codes)
        if gateway.stop():
            wrong.append("it did not end with 0")
        return wrong, {"accepted until full": until_full, "refused": {c: filling.codes.count(c) for c in filling.codes},
                       "accepted again after": f"{recovered:.2f} s", "events acknowledged": len(filling.accepted)}


def full(seed, megabytes=200):
    """The disk of the data is full; PostgreSQL says so and lives."""
    return fill(seed, megabytes, False, lambda postgres: None)


def panic(seed, megabytes=200):
    """The disk of the write-ahead log is full too: PostgreSQL breaks down, and is started again once there is room."""
    def restart(postgres):
        if postgres.server.poll() is None:
            postgres.kill()
        postgres.start()
    return fill(seed, megabytes, True, restart)


class Last(threading.Thread):
    """Publishes until the gateway ends, and notes when each request was sent and how it ended."""

    def __init__(self, place, number):
        super().__init__(daemon=True)
        self.wire, self.number, self.sent = rig.Wire(place), number, []

    def run(self):
        while True:
            event_id, at, ended = f"{self.number}-{len(self.sent)}", time.monotonic(), None
            body = json.dumps({"type": "A", "id": event_id}).encode()
            try:
                status, headers, answer = self.wire.request("POST", f"/v1/streams/{STREAM}/events", body)
                json.loads(answer)
                ended = status
            except ConnectionRefusedError:
                return
            except rig.BROKEN as error:
                ended = "midway" if self.wire.cut_midway else type(error).__name__
            self.sent.append((event_id, at, ended))
            if ended == 503 or len(self.sent) > 100000:
                return


def drained(seed, rounds=5, publishers=12):
    """SIGTERM in the middle of the work."""
    wrong, rng, counts, slowest = [], random.Random(seed), {}, 0.0
    with Bench() as bench:
        bench.postgres.start()
        for number in range(rounds):
            gateway = bench.serve()
            place = rig.Place(gateway)
            if number == 0:
                rig.create(place, STREAM)
            lasts = [Last(place, f"{number}.{i}") for i in range(publishers)]
            for one in lasts:
                one.start()
            time.sleep(rng.uniform(0.3, 1.5))
            told = time.monotonic()
            status = gateway.stop()
            slowest = max(slowest, time.monotonic() - told)
            if status:
                wrong.append(f"it ended with {status}: {gateway.log()[-1000:]}")
            recorded = set(harness.psql(gateway, f"select id from weir.log where stream = '{STREAM}'"))
            for one in lasts:
                one.join(60)
                for event_id, at, ended in one.sent:
                    counts[ended] = counts.get(ended, 0) + 1
                    if ended in (200, 201) and event_id not in recorded:
                        wrong.append(f"{event_id} was acknowledged and is not there")
                    if ended not in (200, 201) and event_id in recorded:
                        wrong.append(f"{event_id} is there and its request ended with {ended}")
                    if ended not in (200, 201, 503) and (at < told or ended == "midway"):
                        wrong.append(f"{event_id}, sent {at - told:+.3f} s from SIGTERM, ended with {ended}")
        return wrong, {"rounds": rounds, "how requests ended": counts, "slowest end": f"{slowest:.2f} s"}


def cornered(seed, publishers=8):
    """SIGTERM while PostgreSQL hangs: everyone is answered, nobody waits for ever, what was refused is not there."""
    wrong = []
    with Bench() as bench:
        bench.postgres.start()
        gateway = bench.serve()
        place = rig.Place(gateway)
        rig.create(place, STREAM)
        lasts = [Last(place, i) for i in range(publishers)]
        for one in lasts:
            one.start()
        time.sleep(random.Random(seed).uniform(0.3, 1.0))
        bench.postgres.freeze()
        time.sleep(0.3)
        told = time.monotonic()
        status = gateway.stop()
        took = time.monotonic() - told
        bench.postgres.thaw()
        if status:
            wrong.append(f"it ended with {status}: {gateway.log()[-1000:]}")
        for one in lasts:
            one.join(60)
        recorded = set(harness.psql(gateway, f"select id from weir.log where stream = '{STREAM}'"))
        ends = [end for one in lasts for end in one.sent]
        wrong += [f"{event_id} was acknowledged and is not there" for event_id, _, ended in ends
                  if ended == 201 and event_id not in recorded]
        wrong += [f"{event_id}, sent {at - told:+.3f} s from SIGTERM, ended with {ended}" for event_id, at, ended in ends
                  if ended not in (201, 503)]
        return wrong, {"ended after": f"{took:.2f} s", "acknowledged": sum(ended == 201 for _, _, ended in ends),
                       "refused": sum(ended == 503 for _, _, ended in ends)}


def hold_in_transaction(gateway, rng):
    """Stops the gateway between a lane's two round trips, where it holds the head rows."""
    for _ in range(200):
        time.sleep(rng.uniform(0.01, 0.1))
        gateway.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)                    # what another gateway has open is over by then
        if harness.psql(gateway, "select 1 from pg_stat_activity where state = 'idle in transaction' "
                                 "and application_name like 'weir-lane-%' and state_change < now() - interval '90 ms'"):
            return True
        gateway.process.send_signal(signal.SIGCONT)
    return False


def stalled(seed, rounds=3, seconds=7, publishers=8):
    """A gateway stops in the middle of a transaction. PostgreSQL ends its session, the other gateway goes on, and the first,
    when it wakes, neither loses nor repeats anything."""
    wrong, rng, times = [], random.Random(seed), []
    with Bench() as bench:
        bench.postgres.start()
        first, second = (bench.serve(WEIR_COMMIT_WAIT="3s", WEIR_DATABASE_STATEMENT_TIMEOUT="3s") for _ in range(2))
        places = rig.Place(first), rig.Place(second)
        rig.create(places[0], STREAM)
        writers = [rig.Publisher(places[i % 2], STREAM, i, seed, 0.005) for i in range(publishers)]
        readers = [kind(place, STREAM, f"{kind.__name__} {i}") for i, place in enumerate(places)
                   for kind in (rig.Poller, rig.Listener)]
        with rig.at_work(*writers, *readers):
            for _ in range(rounds):
                if not hold_in_transaction(first, rng):
                    wrong.append("the gateway was never caught within a transaction: nothing was proved")
                times.append(time.monotonic())
                time.sleep(seconds)
                if max(writers[1].acked_at, default=0) < times[-1]:
                    wrong.append("the other gateway did not go on")
                first.process.send_signal(signal.SIGCONT)
                time.sleep(1)
            log = rig.settle(writers, readers, second, STREAM)
        wrong += rig.audit(log, writers, readers, rig.read_all(places[1], STREAM))
        wrong += [f"a gateway ended with {status}" for status in (first.stop(), second.stop()) if status]
        return wrong, {"times stopped": rounds, "silence of the other gateway":
                       " ".join(f"{gap:.2f}" for gap in rig.silences(writers[1::2], times)) + " s",
                       "events acknowledged": sum(len(one.acked) for one in writers), "events in the log": sum(log.heads)}


SCENARIOS = {scenario.__name__: scenario for scenario in (frozen, away, absent, full, panic, drained, cornered, stalled)}


def run(names=SCENARIOS, seed=None, **sizes):
    """(violations, figures); a scenario that the machine does not allow is named in the figures."""
    seed = seed if seed is not None else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}", flush=True)
    wrong, figures = [], {"seed": seed}
    for name in names:
        try:
            violations, found = SCENARIOS[name](seed, **sizes)
        except Skipped as why:
            violations, found = [], {"skipped": str(why)}
        wrong += [f"{name}: {text}" for text in violations]
        figures.update({f"{name}: {key}": value for key, value in found.items()})
    return wrong, figures


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("scenarios", nargs="*", default=list(SCENARIOS))
    parse.add_argument("--seed", type=int)
    args = parse.parse_args()
    sys.exit(rig.show("outages", *run(args.scenarios, args.seed)))


if __name__ == "__main__":
    main()
