"""Two gateways write to the same partitions while transactions stay open and commits are held up: every reader of either
gateway sees every offset in order, none missing, none twice. Then: how long an event takes from gateway A to gateway B.

    never_skipped.py [--seconds 60] [--writers 8] [--seed N]
"""
import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time

import rig
from rig import harness
from servers import Session

STREAM = "soak.never-skipped"
PROBE = "soak.probe"


class Holder(threading.Thread):
    """Transactions older than everything that is published meanwhile: with offsets from a sequence they would hide events."""

    def __init__(self, url, halt):
        super().__init__(daemon=True)
        self.session, self.halt, self.held = Session(url), halt, 0

    def run(self):
        while not self.halt.is_set():
            self.session.say("begin; select txid_current()")
            self.halt.wait(4)
            self.session.say("commit")
            self.held += 1
        self.session.close()


class Blocker(threading.Thread):
    """Locks the head row of a partition for a while: the commits of both gateways queue behind it."""

    def __init__(self, url, halt, rng, hold, pause):
        super().__init__(daemon=True)
        self.session, self.halt, self.rng, self.hold, self.pause = Session(url), halt, rng, hold, pause
        self.blocked = 0.0
        self.times = 0

    def run(self):
        while not self.halt.wait(self.rng.uniform(*self.pause)):
            self.session.say(f"""begin; select head from weir.partitions join weir.streams using (stream_id)
                where name = '{STREAM}' and partition = {self.rng.randrange(rig.PARTITIONS)} for update of partitions""")
            began = time.monotonic()
            time.sleep(self.rng.uniform(*self.hold))
            self.session.say("commit")
            self.blocked += time.monotonic() - began
            self.times += 1
        self.session.close()


def readers_of(place, name):
    return [rig.Poller(place, STREAM, f"Poller of {name}"), rig.Listener(place, STREAM, f"Listener of {name}"),
            rig.Poller(place, STREAM, f"Poller of {name}, partition 1", only=1),
            rig.Listener(place, STREAM, f"Listener of {name}, partition 2", only=2)]


def storm(places, url, seconds, writers, seed, hold, pause):
    """(violations, figures)"""
    halt = threading.Event()
    held = [Holder(url, halt), Blocker(url, halt, random.Random(seed), hold, pause)]
    publishers = [rig.Publisher(places[i % 2], STREAM, i, seed, 0.005) for i in range(writers)]
    readers = [reader for place, name in zip(places, "AB") for reader in readers_of(place, name)]
    with rig.at_work(*held, *readers, *publishers):
        time.sleep(seconds)
        halt.set()
        for one in held:
            one.join(30)
        log = rig.settle(publishers, readers, places[0].gateway, STREAM)
    wrong = rig.audit(log, publishers, readers, rig.read_all(places[1], STREAM))
    if held[1].times == 0 or held[0].held == 0:
        wrong.append("no transaction was held open: nothing was proved")
    return wrong, {
        "seconds": seconds,
        "events, per partition": f"{sum(log.heads)} {log.heads}",
        "acknowledged": sum(len(one.acked) for one in publishers),
        "readers": f"{len(readers)}, each saw all that it asked for" if not wrong else len(readers),
        "transactions held open": held[0].held,
        "head rows locked": f"{held[1].times} times, {held[1].blocked:.1f} s",
        "slowest answer": f"{max(one.slowest for one in publishers):.2f} s",
    }


def probe(origin, target, count, pause):
    """Milliseconds from before the publish on one gateway to the arrival on the other, and from its answer."""
    arrived, sent, answered, came = {}, {}, {}, threading.Event()

    def note(event):
        arrived[event["data"]] = time.monotonic()
        if len(arrived) == count:
            came.set()

    listener = rig.Listener(target, PROBE, "probe")
    listener.take = note
    listener.cursor = json.loads(rig.Wire(target).request("GET", harness.events_path(PROBE, after="latest"))[2])["cursor"]
    listener.start()
    time.sleep(0.5)
    wire = rig.Wire(origin)
    for i in range(count):
        sent[i] = time.monotonic()
        status, _, body = wire.request("POST", f"/v1/streams/{PROBE}/events", json.dumps({"type": "P", "data": i}).encode())
        answered[i] = time.monotonic()
        assert status == 201, body
        time.sleep(pause)
    came.wait(10)
    listener.stop()
    assert len(arrived) == count and not listener.violations, (len(arrived), listener.violations)
    return ([1000 * (arrived[i] - sent[i]) for i in range(count)], [1000 * (arrived[i] - answered[i]) for i in range(count)])


class Addresses:
    """A place known by its address alone."""

    def __init__(self, host, port, token):
        self.address, self.token = (host, int(port)), token


def probe_apart(origin, target, count, pause):
    """The same in a process of its own, which the threads of this one do not hold up."""
    arguments = [str(x) for place in (origin, target) for x in (*place.address, place.token)]
    done = subprocess.run([sys.executable, os.path.abspath(__file__), "--probe", *arguments, str(count), str(pause)],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def told(measured):
    return ", ".join(f"{name} {value:.1f}" for name, value in (
        ("median", statistics.median(measured)), ("p99", rig.quantile(measured, 0.99)), ("max", max(measured)))) + " ms"


def latency(places, count, writers, seed, median):
    """(violations, figures): at rest, and beside writers on both gateways."""
    rig.create(places[0], PROBE)
    quiet, quiet_answer = probe_apart(*places, count, 0.005)
    publishers = [rig.Publisher(places[i % 2], PROBE + ".load", i, seed, 0.01) for i in range(writers)]
    rig.create(places[0], PROBE + ".load")
    with rig.at_work(*publishers):
        time.sleep(0.5)
        busy, busy_answer = probe_apart(*places, count, 0.005)
    for one in publishers:
        one.join(60)
    wrong = [f"{name}: the median is {statistics.median(values):.1f} ms" for name, values in (("at rest", quiet), ("busy", busy))
             if statistics.median(values) > median * harness.SLOW]
    return wrong + [text for one in publishers for text in one.violations], {
        "A to B at rest, from the request": told(quiet), "  from its answer": told(quiet_answer),
        f"A to B beside {writers} writers": told(busy), "  from its answer ": told(busy_answer)}


def run(seconds=60, writers=8, probes=1000, seed=None, hold=(1.0, 2.0), pause=(0.5, 3.0), settings=None, median=100):
    """(violations, figures); median: ms from a publish to a reader of the other gateway."""
    seed = seed if seed is not None else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}", flush=True)
    with contextlib.ExitStack() as ends:
        first = harness.dev(settings)
        ends.callback(harness.remove, first)
        ends.callback(first.kill)
        second = harness.serve(first.database_url, settings)
        ends.callback(harness.remove, second)
        ends.callback(second.kill)
        places = [rig.Place(first), rig.Place(second)]
        rig.create(places[0], STREAM)
        wrong, found = storm(places, first.database_url, seconds, writers, seed, hold, pause)
        slow, times = latency(places, probes, writers, seed, median)
        wrong += slow
        wrong += [f"a gateway ended with {status}" for status in (second.stop(), first.stop()) if status]
    return wrong, {"seed": seed, **found, **times}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--seconds", type=float, default=60)
    parse.add_argument("--writers", type=int, default=8)
    parse.add_argument("--seed", type=int)
    parse.add_argument("--probe", nargs=8, help=argparse.SUPPRESS)
    args = parse.parse_args()
    if args.probe:
        print(json.dumps(probe(Addresses(*args.probe[:3]), Addresses(*args.probe[3:6]), int(args.probe[6]), float(args.probe[7]))))
        return
    sys.exit(rig.show("never skipped", *run(args.seconds, args.writers, seed=args.seed)))


if __name__ == "__main__":
    main()
