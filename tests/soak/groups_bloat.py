"""A million events go through a group, one in a hundred fails once, while another session holds an open snapshot: what the group's
tables take, and whether receiving slows down.

    groups_bloat.py [--events 1000000] [--ordering none|key]
"""
import argparse
import random
import statistics
import sys
import threading
import time

import groups_rig
import rig
from rig import harness
from servers import Session

GROUP, TABLES = "workers", ("groups", "group_states", "leases", "retries", "skips")
SIZES = f"""select relname, pg_total_relation_size(oid) from pg_class
             where relnamespace = 'weir'::regnamespace and relname in {TABLES}"""
MIB = 1 << 20


def sizes(gateway):
    return {name: int(n) for name, n in (line.split("|") for line in harness.psql(gateway, SIZES))}


class Workers:
    """Times each receive and ack, and nacks what fails for the first time."""

    def __init__(self, places, stream, count, lease, fails, seed):
        self.lease, self.fails, self.random, self.lock = lease, fails, random.Random(seed), threading.Lock()
        self.received, self.acked, self.failed, self.done, self.violations = [], [], 0, 0, []
        self.threads = [groups_rig.Each(groups_rig.Calls(places, stream, GROUP, f"worker-{i}"), self.work) for i in range(count)]

    def work(self, calls):
        began = time.monotonic()
        got, _, _ = calls.receive(max=self.lease, wait="1s")
        took = time.monotonic() - began
        nack = [one for one in got or () if one.attempt == 1 and self.random.random() < self.fails]
        refused = {one.id for one in nack}
        ack = [one for one in got or () if one.id not in refused]
        if nack:
            calls.say("nack", nack, error={"type": "Unlucky", "message": "once in a hundred", "context": {"try": 1}})
        began = time.monotonic()
        said = calls.say("ack", ack) if ack else []
        with self.lock:
            if len(got or ()) == self.lease:
                self.received.append(took)
                self.acked.append(time.monotonic() - began)
            self.failed += len(nack)
            self.done += sum(one.result == "done" for one in said)
            self.violations += calls.violations
        return not calls.violations


def tenths(measured):
    """Medians of the first and of the last tenth, in milliseconds."""
    n = max(len(measured) // 10, 1)
    return tuple(1000 * statistics.median(part) for part in (measured[:n], measured[-n:]))


def run(gateways, events=1_000_000, lease=500, workers=4, fails=0.01, ordering="none", most=8, bound=1.5, seed=0):
    """(violations, figures); `most`: MiB of all tables together."""
    gateway, place, stream, wrong = gateways.any, gateways.places[0], groups_rig.stream_of("bloat"), []
    groups_rig.fill(place, stream, events, 8, keys=0 if ordering == "none" else 100_000, key="partitionkey")
    groups_rig.define(place, stream, GROUP, ordering=ordering, max_in_flight=10 * lease,
                      backoff={"initial": "200ms", "factor": 2, "max": "1s", "jitter": 0.2})
    session = Session(gateway.database_url)
    session.say("begin isolation level repeatable read; select count(*) from weir.groups")
    crew, began, largest = Workers([place], stream, workers, lease, fails, seed), time.monotonic(), {}
    with groups_rig.working(crew.threads):
        while crew.done < events and not crew.violations and time.monotonic() - began < 900 * harness.SLOW:
            time.sleep(0.5)
            largest = {name: max(size, largest.get(name, 0)) for name, size in sizes(gateway).items()}
    took, held = time.monotonic() - began, session.say("select count(*) from weir.group_states")[0]
    session.say("commit")
    session.close()
    wrong += crew.violations
    if crew.done != events or not groups_rig.drained(groups_rig.kept(gateway, stream, GROUP)):
        wrong.append(f"{crew.done} of {events} were done: {groups_rig.kept(gateway, stream, GROUP)}")
    (first, last), (first_ack, last_ack) = tenths(crew.received), tenths(crew.acked)
    if sum(largest.values()) > most * MIB:
        wrong.append(f"the group's tables took {sum(largest.values()) / MIB:.1f} MiB")
    if last > bound * first + 1 * harness.SLOW:
        wrong.append(rig.Slow(f"a receive took {first:.2f} ms at first and {last:.2f} ms at last"))
    return wrong, {
        "events, ordering": f"{events}, {ordering}", "seconds": f"{took:.1f} ({events / took:,.0f} events a second)",
        "failed once": crew.failed, "rows that the open snapshot sees": held,
        "largest, MiB": " ".join(f"{name}:{size / MIB:.2f}" for name, size in sorted(largest.items())),
        f"receive of {lease}, ms": f"{first:.2f} in the first tenth, {last:.2f} in the last, "
                                   f"p99 {1000 * rig.quantile(crew.received, 0.99):.2f}",
        "ack, ms": f"{first_ack:.2f} in the first tenth, {last_ack:.2f} in the last",
    }


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--events", type=int, default=1_000_000)
    parse.add_argument("--ordering", choices=("none", "key"), default="none")
    args = parse.parse_args()
    sys.exit(rig.show("bloat", *groups_rig.prove(run, args.events, ordering=args.ordering)))


if __name__ == "__main__":
    main()
