"""Eight consumers drain a stream of eight partitions through two gateways. With habits of the worst kind, while the gateways are
killed with -9: each event is acked or in the DLQ, one of the two, within its retries. Without failures: each is delivered once.
Ordered by key: none before the one before it; keys that are blocked do not hold up others.

    groups_drain.py [bounded flawless by-key blocked] [--seed N]
"""
import argparse
import dataclasses
import os
import random
import statistics
import sys
import threading
import time

import groups_rig
import rig
from groups_consumers import Consumer, Habits, Ledger
from rig import harness

GROUP, CONSUMERS, PARTITIONS, RETRIES = "workers", 8, 8, 3
WORST = Habits(nack=0.03, reject=0.002, vanish=0.04, half=0.03, late=0.04, extend=0.03, again=0.05, deadline=2.0, pause=0.05)
BACKOFF = {"initial": "100ms", "factor": 2, "max": "1s", "jitter": 0.2}
WIDE = {"max_in_flight": 20000, "max_retrying": 100000, "max_skipped": 100000, "backoff": BACKOFF, "max_retries": RETRIES}


class Source(threading.Thread):
    """Publishes all events over so many seconds, each batch again until it is accepted."""

    def __init__(self, place, stream, total, seconds, keys, batch=500):
        super().__init__(daemon=True)
        self.place, self.stream, self.total, self.seconds, self.keys, self.batch = place, stream, total, seconds, keys, batch
        self.published, self.violations, self.halt = 0, [], threading.Event()

    def run(self):
        wire, began = rig.Wire(self.place), time.monotonic()
        while self.published < self.total and not self.halt.is_set():
            numbers = range(self.published, min(self.published + self.batch, self.total))
            time.sleep(max(0.0, began + self.seconds * self.published / self.total - time.monotonic()))
            try:
                status, _, text = wire.request("POST", f"/v1/streams/{self.stream}/events",
                                               groups_rig.events(numbers, self.keys, ids=True))
            except rig.BROKEN:
                time.sleep(0.02)
                continue
            if status in (200, 201):
                self.published += len(numbers)
            elif status not in (429, 503):
                self.violations.append(f"publish says {status} {text[:300]}")
                return
        wire.close()


def crew(places, stream, habits, seed, count=CONSUMERS, group=GROUP):
    return [Consumer(groups_rig.Calls(places, stream, group, f"consumer-{i}", i), habits, seed) for i in range(count)]


def until_drained(gateway, stream, seconds, group=GROUP):
    """None, or what is left when the time is over."""
    def done():
        return groups_rig.drained(groups_rig.kept(gateway(), stream, group))

    return None if groups_rig.wait_for(done, seconds, 0.2) else f"not drained: {groups_rig.kept(gateway(), stream, group)}"


def published(found):
    return {(partition, offset) for partition, head in enumerate(found.heads) for offset in range(1, head + 1)}


def judged(ledger, gateway, stream, ordering, retries, returns=False):
    """(violations, dead letters)"""
    found, dead = groups_rig.kept(gateway, stream, GROUP), groups_rig.dead_letters(gateway, stream, GROUP)
    wrong = ledger.violations + list(ledger.exactly_one(published(found), dead)) + list(ledger.bounded(retries, dead, returns))
    if ordering == "key":
        wrong += ledger.in_order(dead)
    return wrong, dead


def told(ledger, consumers, dead, took, total):
    statuses = {}
    for one in consumers:
        for status, n in one.calls.statuses.items():
            statuses[status] = statuses.get(status, 0) + n
    return {
        "seconds": f"{took:.1f}", "events": total,
        "deliveries": f"{ledger.deliveries()} by {sum(one.receives for one in consumers)} receives",
        "deliveries of an event": ledger.attempts_told(),
        "answers": f"{ledger.counted()} HTTP {' '.join(f'{k}:{v}' for k, v in sorted(statuses.items()))}",
        "calls without answer": sum(one.calls.broken for one in consumers),
        "slowest call": f"{max(one.calls.slowest for one in consumers):.2f} s",
        "leases left by vanished consumers": sum(one.vanished for one in consumers),
        "dead letters": f"{len(dead)} ({sum(letter.reason == 'rejected' for letter in dead.values())} rejected)",
    }


def bounded(gateways, seed, total=100_000, seconds=40, kills=(0.5, 2.0), ordering="none", key_batch=1, **habits):
    """(violations, figures): everything at once. habits: otherwise than WORST."""
    rng, stream = random.Random(seed), groups_rig.stream_of("bounded")
    places, wrong, kills_before, sessions = gateways.places, [], gateways.kills, 0
    rig.create(places[0], stream, PARTITIONS)
    groups_rig.define(places[0], stream, GROUP, ordering=ordering, key_batch=key_batch, **WIDE)
    source = Source(places[1], stream, total, seconds, keys=total // 5)
    consumers, began = crew(places, stream, dataclasses.replace(WORST, **habits), seed), time.monotonic()
    with groups_rig.working([source, *consumers]):
        while source.is_alive() and not wrong:
            time.sleep(rng.uniform(*kills))
            if gateways.kills == kills_before or rng.random() < 0.7:
                gateways.kill(rng.randrange(2))
            else:
                gateways.end_sessions()
                sessions += 1
            wrong = [text for one in (source, *consumers) for text in one.violations]
        left = until_drained(lambda: gateways.any, stream, 120)
    took, ledger = time.monotonic() - began, Ledger(consumers)
    found, dead = judged(ledger, gateways.any, stream, ordering, RETRIES, returns=key_batch > 1)
    wrong = [left] * bool(left) + source.violations + found
    if source.published != total:
        wrong.append(f"{source.published} of {total} events were published")
    if not dead:
        wrong.append("no dead letters: not all was proved")
    return wrong, {"ordering": f"{ordering}, key_batch {key_batch}", "kills of gateways / of all sessions":
                   f"{gateways.kills - kills_before} / {sessions}", **told(ledger, consumers, dead, took, total)}


def flawless(gateways, seed, total=100_000, ordering="none"):
    """(violations, figures): nobody fails, so nothing comes twice."""
    stream = groups_rig.stream_of("flawless")
    groups_rig.fill(gateways.places[0], stream, total, PARTITIONS, keys=total // 5)
    groups_rig.define(gateways.places[0], stream, GROUP, ordering=ordering, **WIDE)
    consumers, began = crew(gateways.places, stream, Habits(deadline=60), seed), time.monotonic()
    with groups_rig.working(consumers):
        left = until_drained(lambda: gateways.any, stream, 120)
    took, ledger = time.monotonic() - began, Ledger(consumers)
    wrong, dead = judged(ledger, gateways.any, stream, ordering, RETRIES)
    wrong += [left] * bool(left)
    wrong += [f"{place} was delivered {len(given)} times" for place, given in ledger.given.items() if len(given) != 1]
    wrong += [f"{said} although nobody failed" for acks in ledger.acks.values() for said in acks if said.result != "done"]
    if dead or ledger.deliveries() != total:
        wrong.append(f"{ledger.deliveries()} deliveries of {total} events, {len(dead)} dead letters")
    return wrong, {"ordering": ordering, **told(ledger, consumers, dead, took, total)}


def by_key(gateways, seed, total=30_000, keys=1000, key_batch=1):
    """(violations, figures): one delivery in ten fails, some events always."""
    stream, habits = groups_rig.stream_of("by-key"), Habits(nack=0.1, poison=300, deadline=60, sizes=(10, 50, 100))
    groups_rig.fill(gateways.places[0], stream, total, PARTITIONS, keys)
    groups_rig.define(gateways.places[0], stream, GROUP, key_batch=key_batch,
                      **{**WIDE, "backoff": {**BACKOFF, "initial": "20ms", "max": "100ms"}})
    consumers, began = crew(gateways.places, stream, habits, seed), time.monotonic()
    with groups_rig.working(consumers):
        left = until_drained(lambda: gateways.any, stream, 300)
    took, ledger = time.monotonic() - began, Ledger(consumers)
    wrong, dead = judged(ledger, gateways.any, stream, "key", RETRIES, returns=key_batch > 1)
    wrong += [left] * bool(left)
    return wrong, {"keys": f"{keys}, key_batch {key_batch}", **told(ledger, consumers, dead, took, total)}


def blocked(gateways, seed, total=40_000, keys=1000, held=50, rounds=3, bound=2.0):
    """(violations, figures): groups of which some keys wait for an hour, beside groups of which none does."""
    stream, wrong, times = groups_rig.stream_of("blocked"), [], {0: [], held: []}
    settings = {**WIDE, "max_skipped": total, "backoff": {"initial": "1h", "factor": 1, "max": "1h", "jitter": 0}}
    groups_rig.fill(gateways.places[0], stream, total, PARTITIONS, keys)
    for n in range(2 * rounds):
        count, group = (held, 0)[n % 2], f"group-{n}"
        left = total // keys * count
        groups_rig.define(gateways.places[0], stream, group, **settings)
        consumers = crew(gateways.places, stream, Habits(blocked=count, deadline=60, sizes=(100,)), seed, group=group)
        began = time.monotonic()
        with groups_rig.working(consumers):
            if not groups_rig.wait_for(lambda: sum(len(one.given) for one in consumers) >= total - left + count, 120, 0.01):
                wrong.append(f"{group} delivered only {sum(len(one.given) for one in consumers)}")
            times[count].append(time.monotonic() - began)
            time.sleep(0.3)
        found, ledger = groups_rig.kept(gateways.any, stream, group), Ledger(consumers)
        wrong += ledger.violations + list(ledger.in_order({}))
        if ledger.deliveries() != total - left + count:
            wrong.append(f"{ledger.deliveries()} deliveries of {total} events, {count} keys blocked")
        if (found.leased, found.retrying, found.skipped) != (0, count, left - count):
            wrong.append(f"{count} keys are blocked, {left} events are theirs, and the group remembers {found}")
    free, slow = (statistics.median(times[count]) for count in (0, held))
    if slow > bound * free + 0.5 * harness.SLOW:
        wrong.append(rig.Slow(f"{slow:.2f} s with {held} keys of {keys} blocked, {free:.2f} s without"))
    return wrong, {"events, keys": f"{total}, {keys}", "seconds with none blocked": f"{free:.2f}",
                   f"seconds with {held} blocked": f"{slow:.2f}"}


PROOFS = {"bounded": bounded, "flawless": flawless, "by-key": by_key, "blocked": blocked}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("names", nargs="*", default=list(PROOFS))
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    sys.exit(max(rig.show(name, *groups_rig.prove(PROOFS[name], args.seed)) for name in args.names))


if __name__ == "__main__":
    main()
