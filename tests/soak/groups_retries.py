"""When what failed comes again, when it is dead and what its letter tells, and that one event which makes consumers vanish harms
no neighbour of its lease.

    groups_retries.py [times poison] [--seed N]
"""
import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections import defaultdict
from datetime import datetime

import groups_rig
import rig
from rig import harness

GROUP, FACTOR, JITTER, DEADLINE = "workers", 2, 0.2, 1.0
WAYS = (*("nack", "delay", "nack") * 10, "vanish")   # few vanish: each of theirs goes out alone, before the others
LETTERS = """
    select partition, "offset", reason, attempts, error from weir.dead_letters join weir.streams s using (stream_id)
     where s.name = '{stream}' and not s.deleted and group_name = '{group}'"""


def backoff_of(failures, initial, most):
    """Seconds without jitter, after so many failures."""
    return min(initial * FACTOR ** (failures - 1), most)


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Failing:
    """Threads that receive and fail all they get, each event in the way of its number; a log of when it came and when it failed.
    patient: they have ten minutes, of which they give back what is too much for who vanishes."""

    def __init__(self, places, stream, ways, workers, patient):
        self.ways, self.patient, self.lock = ways, patient, threading.Lock()
        self.log = defaultdict(list)               # n: (attempt, came, from, to): it failed between
        self.violations, self.last = [], time.monotonic()
        self.threads = [groups_rig.Each(groups_rig.Calls(places, stream, GROUP, f"consumer-{i}", i), self.work)
                        for i in range(workers)]

    def work(self, calls):
        got, _, came = calls.receive(max=1000, wait="500ms", ack_deadline="10m" if self.patient else f"{DEADLINE:g}s")
        by_way = defaultdict(list)
        for one in got or ():
            by_way[self.ways[one.n % len(self.ways)]].append(one)
        for way, deliveries in by_way.items():
            sent = time.time()
            if way == "nack":
                calls.say("nack", deliveries, error={"type": "Broken", "message": f"by {calls.name}"})
            elif way == "delay":
                calls.say("nack", deliveries, delay="700ms", error={"type": "Broken", "message": f"by {calls.name}"})
            elif self.patient:
                calls.say("extend", deliveries, by=f"{DEADLINE:g}s")
            done = time.time()
            with self.lock:
                self.last = time.monotonic()
                for one in deliveries:
                    self.log[one.n].append((one.attempt, came, *self.failed(way, one, sent, done)))
        self.violations += calls.violations
        return not calls.violations

    def failed(self, way, one, sent, done):
        """Between when."""
        if way != "vanish":
            return sent, done
        return (sent + DEADLINE, done + DEADLINE) if self.patient else (seconds(one.deadline),) * 2


def delays(log, ways, initial, most, slack):
    """(violations, what each was late against the backoff in the middle of its jitter)"""
    wrong, late = [], defaultdict(list)
    for n, entries in log.items():
        way = ways[n % len(ways)]
        for (attempt, _, begin, end), (following, came, _, _) in zip(entries, entries[1:]):
            wanted = 0.7 if way == "delay" else backoff_of(attempt, initial, most)
            spread = 0 if way == "delay" else JITTER
            least, longest = wanted * (1 - spread), wanted * (1 + spread)
            if following != attempt + 1:
                wrong.append(f"event {n}: attempt {following} came after attempt {attempt}")
            if came - begin < least - groups_rig.DEATH_SLACK or came - end > longest + slack:
                wrong.append(f"event {n}, {way}: attempt {following} came {came - end:.3f} to {came - begin:.3f} s after failure "
                             f"{attempt}; wanted {least:.3f} to {longest:.3f} s")
            late[way, attempt].append((came - begin, came - end - longest))
    return wrong, late


def histories(gateway, stream, retries, log, ways, slack):
    """What is wrong with the letters."""
    places = {line.split("|")[0]: tuple(map(int, line.split("|")[1:])) for line in harness.psql(
        gateway, f"""select data->>'n', partition, "offset" from weir.log where stream = '{stream}'""")}
    letters = {}
    for line in harness.psql(gateway, LETTERS.format(stream=stream, group=GROUP)):
        partition, offset, reason, rest = line.split("|", 3)
        letters[int(partition), int(offset)] = (reason, rest)
    for n, entries in log.items():
        reason, rest = letters.pop(places[str(n)], (None, ""))
        attempts = json.loads(f"[{rest.rpartition('|')[0]}]") if rest else []
        if reason != "max-retries" or [one["attempt"] for one in attempts] != list(range(1, retries + 2)):
            yield f"event {n}: {reason}, attempts {attempts}"
            continue
        for (attempt, _, begin, end), told in zip(entries, attempts):
            if not begin - 0.1 <= seconds(told["at"]) <= end + slack:
                yield f"event {n}, attempt {attempt}: its letter says {told}, it failed between {begin:.3f} and {end:.3f}"
            if not told["consumer"].startswith("consumer-"):
                yield f"event {n}: {told} names no consumer"
            if ways[n % len(ways)] != "vanish" and told["error"].get("type") != "Broken":
                yield f"event {n}: {told} is not the error that was told"
    yield from (f"{place} is dead and was never delivered" for place in letters)


def times(gateways, _seed=None, count=300, retries=4, initial=0.25, most=1.5, workers=4, slack=0.5, ordering="none",
          patient=False):
    """(violations, figures); patient: on a machine that may stand still for longer than a lease lasts."""
    stream = groups_rig.stream_of("retry-times")
    place, gateway = gateways.places[0], gateways.any
    groups_rig.fill(place, stream, count, 4, keys=0 if ordering == "none" else count)
    groups_rig.define(place, stream, GROUP, ordering=ordering, max_retries=retries, backoff={
        "initial": f"{round(initial * 1000)}ms", "factor": FACTOR, "max": f"{round(most * 1000)}ms", "jitter": JITTER})
    failing, began = Failing(gateways.places, stream, WAYS, workers, patient), time.monotonic()
    with groups_rig.working(failing.threads):
        dead = groups_rig.wait_for(lambda: groups_rig.drained(groups_rig.kept(gateway, stream, GROUP)), 120)
        time.sleep(1)                          # nothing more may come
    took = time.monotonic() - began
    wrong, late = delays(failing.log, WAYS, initial, most, slack * harness.SLOW)
    wrong += failing.violations + ([] if dead else [f"not all are dead: {groups_rig.kept(gateway, stream, GROUP)}"])
    wrong += [f"event {n} was delivered {len(entries)} times" for n, entries in failing.log.items()
              if len(entries) != retries + 1]
    if len(failing.log) != count:
        wrong.append(f"{len(failing.log)} of {count} events were delivered")
    wrong += histories(gateway, stream, retries, failing.log, WAYS, max(1, slack) * harness.SLOW)
    figures = {"seconds": f"{took:.1f}", "events, retries": f"{count}, {retries}"}
    for (way, attempt), measured in sorted(late.items()):
        figures[f"{way} {attempt}: came again after"] = (
            f"{min(a for a, _ in measured):.3f} to {max(a for a, _ in measured):.3f} s, "
            f"median {statistics.median(a for a, _ in measured):.3f}; the latest {max(b for _, b in measured):+.3f} s beyond")
    return wrong, figures


class Fragile:
    """Consumers that vanish, with all that they have, as soon as the poison is among it."""

    def __init__(self, places, stream, poison, workers):
        self.poison, self.lock = poison, threading.Lock()
        self.acked, self.sizes, self.attempts, self.violations = defaultdict(int), [], [], []
        self.threads = [groups_rig.Each(groups_rig.Calls(places, stream, GROUP, f"consumer-{i}", i), self.work)
                        for i in range(workers)]

    def work(self, calls):
        first = not self.sizes               # all events; those who come singly later have time, lest a slow machine lose them
        got, _, _ = calls.receive(max=1000, wait="200ms", ack_deadline=f"{DEADLINE:g}s" if first else "10m")
        with self.lock:
            self.sizes += [len(got)] if got else []
            self.attempts += [(one.attempt, len(got)) for one in got or () if one.n == self.poison]
        if not got:
            return True
        if any(one.n == self.poison for one in got):
            if not first:
                calls.say("extend", got, by=f"{DEADLINE:g}s")
            return True
        said = calls.say("ack", got)
        with self.lock:
            self.violations += calls.violations
            for one in said:
                self.acked[one.delivery.n] += one.result == "done"
        return True


def poison(gateways, _seed=None, count=1000, retries=3, workers=4, ordering="none"):
    """(violations, figures)"""
    stream, place, gateway, bad = groups_rig.stream_of("poison"), gateways.places[0], gateways.any, count // 3
    groups_rig.fill(place, stream, count, 1, keys=0 if ordering == "none" else count)
    groups_rig.define(place, stream, GROUP, ordering=ordering, max_retries=retries,
                      backoff={"initial": "100ms", "factor": 1, "max": "100ms", "jitter": 0.2})
    fragile, began = Fragile(gateways.places, stream, bad, workers), time.monotonic()
    with groups_rig.working(fragile.threads):
        over = groups_rig.wait_for(lambda: groups_rig.drained(groups_rig.kept(gateway, stream, GROUP)), 120)
    took, dead, wrong = time.monotonic() - began, groups_rig.dead_letters(gateway, stream, GROUP), fragile.violations
    wrong += [] if over else [f"not drained: {groups_rig.kept(gateway, stream, GROUP)}"]
    if fragile.attempts != [(1, count), *((n, 1) for n in range(2, retries + 2))]:
        wrong.append(f"the poison came as (attempt, lease) {fragile.attempts}")
    if [(letter.reason, letter.attempts) for letter in dead.values()] != [("max-retries", retries + 1)]:
        wrong.append(f"dead letters: {dead}")
    wrong += [f"event {n} was acked {fragile.acked[n]} times" for n in range(count) if fragile.acked[n] != (n != bad)]
    return wrong, {"seconds": f"{took:.1f}", "events in the first lease": fragile.sizes[0] if fragile.sizes else 0,
                   "the poison came in leases of": [size for _, size in fragile.attempts],
                   "neighbours acked": sum(fragile.acked.values()), "dead": len(dead)}


PROOFS = {"times": times, "poison": poison}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("names", nargs="*", default=list(PROOFS))
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    sys.exit(max(rig.show(name, *groups_rig.prove(PROOFS[name], args.seed)) for name in args.names))


if __name__ == "__main__":
    main()
