"""Who has published reads what it published: every answer with `at_least` has it, through either gateway, and soon. Meanwhile a
projection of a million events is rebuilt, by request and by a changed definition: reads never fail, never go back, and change over
at once; memory stays within bounds.

    projections_reads.py [own-writes rebuilt] [--events 1000000] [--seed N]
"""
import argparse
import itertools
import json
import os
import random
import statistics
import sys
import threading
import time

import groups_rig
import projections_rig as shops
import rig
from rig import harness

WRITERS, MEDIAN = 4, 0.05      # seconds
MIB = 1 << 20


class Writer(threading.Thread):
    """Publishes an event of a subject of its own through one gateway and reads the subject's state through the next."""

    def __init__(self, places, stream, name, number, rounds=None, pause=0.0):
        super().__init__(daemon=True)
        self.wires, self.stream, self.name_of, self.number = [rig.Wire(place) for place in places], stream, name, number
        self.rounds, self.pause, self.halt = rounds, pause, threading.Event()
        self.done, self.read, self.whole, self.violations = 0, [], [], []

    def run(self):
        rng = random.Random(self.number)
        while not self.halt.is_set() and not self.violations and (self.rounds is None or self.done < self.rounds):
            self.turn(*(self.wires[(self.done + i) % len(self.wires)] for i in (0, rng.randrange(2))))
            if self.pause:
                time.sleep(rng.uniform(0, 2 * self.pause))
        for wire in self.wires:
            wire.close()

    def turn(self, there, here):
        n, key = self.done + 1, f"writer-{self.number}.{self.done % 3}"
        wanted = (n + 2) // 3                    # of this key
        event = f'{{"type":"Sold","subject":"{key}","data":{{"n":{n},"region":"w","amount":0.01}}}}'
        began = time.monotonic()
        status, headers, text = there.request("POST", f"/v1/streams/{self.stream}/events", event.encode())
        if status != 201:
            self.violations.append(f"publish says {status} {text[:300]}")
            return
        cursor = headers["weir-cursor"] if self.done % 2 else json.loads(text)["cursor"]
        published = time.monotonic()
        status, _, text = here.request("GET", shops.path(self.name_of, "state", key, at_least=cursor, wait="10s"))
        ended = time.monotonic()
        found = shops.exact(text)
        if status != 200 or (found["version"], found["state"]["events"], found["state"]["last"][-1]) != (wanted, wanted, n):
            self.violations.append(f"{key} after event {n}, its {wanted}.: {status} {text[:500]}")
        self.done = n
        self.read.append(ended - published)
        self.whole.append(ended - began)


def times(seconds):
    return (f"p50 {1000 * statistics.median(seconds):.1f} p99 {1000 * rig.quantile(seconds, 0.99):.1f} "
            f"most {1000 * max(seconds):.1f} ms")


def own_writes(gateways, _seed=0, rounds=500, writers=WRITERS, pause=0.01, median=MEDIAN):
    """(violations, figures)"""
    stream, name, place = shops.named("own"), shops.named("own"), gateways.places[0]
    rig.create(place, stream, shops.PARTITIONS)
    shops.define(place, name, [stream], shops.BY_CUSTOMER)
    crew = [Writer(gateways.places, stream, name, n, rounds, pause) for n in range(writers)]
    with groups_rig.working(crew):
        for one in crew:
            one.join(600)
    wrong = [text for one in crew for text in one.violations]
    read, whole = ([took for one in crew for took in getattr(one, what)] for what in ("read", "whole"))
    if len(read) != rounds * writers:
        wrong.append(f"{len(read)} of {rounds * writers} were read")
    if statistics.median(whole) > median * harness.SLOW:
        wrong.append(rig.Slow(f"half of them took more than {1000 * statistics.median(whole):.1f} ms from publish to state"))
    return wrong, {"writers, events of each": f"{writers}, {rounds}", "state?at_least": times(read), "with the publish": times(whole)}


# --- what readers see while builds change -----------------------------------------------------------------------------------------
class Floor:
    """What some reader has seen already: no read that begins later may be told less."""

    def __init__(self):
        self.lock, self.generation, self.versions, self.etags = threading.Lock(), 0, {}, {}

    def of(self, key):
        with self.lock:
            return self.generation, self.versions.get(key, 0)

    def saw(self, key, generation, version):
        with self.lock:
            self.generation = max(self.generation, generation)
            self.versions[key] = max(self.versions.get(key, 0), version)

    def breach(self, before, key, generation, version):
        """None, or what is wrong with an answer to a question that was asked when the floor was `before`."""
        if (generation, version) >= before and version >= before[1]:
            return None
        return f"{key} went back from generation {before[0]}, version {before[1]} to generation {generation}, version {version}"

    def tag(self, etag, key, text):
        """One ETag never stands for two contents."""
        with self.lock:
            before = self.etags.setdefault((key, etag), text)
        return None if before == text else f"{key}: ETag {etag} is of {before} and of {text}"


class Looker(threading.Thread):
    """Reads states one by one, or a page of them at once, through the gateways by turns. They hold `/g`, the generation."""

    def __init__(self, places, name, keys, floor, pages, seed):
        super().__init__(daemon=True)
        self.wires, self.path, self.keys, self.floor, self.pages = [rig.Wire(one) for one in places], name, keys, floor, pages
        self.random, self.halt, self.asked, self.slowest, self.violations = random.Random(seed), threading.Event(), 0, 0.0, []

    def run(self):
        turn = itertools.cycle(self.wires)
        while not self.halt.is_set() and len(self.violations) < 5:
            key, began = f"c{self.random.randrange(self.keys)}", time.monotonic()
            (self.page if self.pages else self.one)(next(turn), key)
            self.slowest, self.asked = max(self.slowest, time.monotonic() - began), self.asked + 1
        for wire in self.wires:
            wire.close()

    def ask(self, wire, *more, **query):
        try:
            status, headers, text = wire.request("GET", shops.path(self.path, "state", *more, **query))
        except rig.BROKEN as error:
            status, headers, text = type(error).__name__, {}, b""
        if status == 200:
            return headers, shops.exact(text), text
        self.violations.append(f"a read of {more or query} failed: {status} {text[:300]}")
        return headers, None, text

    def told(self, breach):
        self.violations += [breach] * bool(breach)

    def one(self, wire, key):
        before = self.floor.of(key)
        headers, found, _ = self.ask(wire, key)
        if found:
            generation, version = found["state"]["g"], found["version"]
            self.told(self.floor.breach(before, key, generation, version))
            self.told(self.floor.tag(headers.get("etag"), key, str(found["state"])))
            self.floor.saw(key, generation, version)

    def page(self, wire, key):
        before = self.floor.of(key)[0]
        _, found, _ = self.ask(wire, prefix=key[:4], limit=200)
        items = found["items"] if found else []
        generations = {item["state"]["g"] for item in items}
        if len(generations) > 1:
            self.told(f"one page is of generations {sorted(generations)}")
        if generations and min(generations) < before:
            self.told(f"a page went back from generation {before} to {min(generations)}")
        for item in items:
            self.floor.saw(item["key"], item["state"]["g"], item["version"])


class Memory(threading.Thread):
    """The most that each gateway has resident."""

    def __init__(self, gateways):
        super().__init__(daemon=True)
        self.gateways, self.halt, self.most = gateways, threading.Event(), {one: 0 for one in gateways}

    def run(self):
        while not self.halt.wait(0.05):
            self.most = {one: max(most, shops.resident(one)) for one, most in self.most.items()}


def generation(n):
    """A definition whose states tell which one made them; it holds nothing else that differs."""
    return {**shops.BY_CUSTOMER, "initial": {"by": "customer", "g": n}}


def rebuilt(gateways, seed, events=1_000_000, customers=100_000, lookers=4, growth=64, seconds=600):
    """(violations, figures); `growth`: MiB of resident memory that a gateway may take more than before."""
    places, stream, name = gateways.places, shops.named("million"), shops.named("million")
    shops.fill(places[0], stream, events, customers)
    began = time.monotonic()
    shops.define(places[0], name, [stream], generation(1))
    first = shops.until_settled(places, name, seconds)
    folded, floor = time.monotonic() - began, Floor()
    memory = Memory([place.gateway for place in places])
    before = {one: shops.resident(one) for one in memory.gateways}
    readers = [Looker(places, name, min(customers, events), floor, n % 4 == 3, f"{seed}/{n}") for n in range(lookers)]
    writer, took, wrong = Writer(places, stream, name, 1, pause=0.02), [], [first] * bool(first)
    with groups_rig.working([memory, writer, *readers]):
        for change in (lambda: shops.rebuild(places[0], name), lambda: redefined(places[-1], name, [stream], generation(2))):
            began = time.monotonic()
            build = change()
            left = shops.until_settled(places, name, seconds, build)
            took.append(time.monotonic() - began)
            wrong += [left] * bool(left)
        time.sleep(0.5)
    wrong += [text for one in (writer, *readers) for text in one.violations]
    if floor.generation != 2:
        wrong.append(f"readers saw generation {floor.generation} at last")
    wanted = {key: (version, {**state, "g": 2}) for key, (version, state) in
              shops.recomputed(gateways.any, shops.SQL_BY_CUSTOMER, [stream]).items()}
    wrong += shops.differences("rebuilt", shops.states(places[-1], name), wanted)
    grown = {one: most - before[one] for one, most in memory.most.items()}
    wrong += [f"a gateway grew by {size / MIB:.0f} MiB" for size in grown.values() if size > growth * MIB * harness.SLOW]
    return wrong, {
        "events, keys": f"{events}, {len(wanted)}", "first fold": f"{folded:.1f} s ({events / folded:,.0f} events a second)",
        "rebuild, changed definition": " ".join(f"{one:.1f} s" for one in took),
        "reads meanwhile": f"{sum(one.asked for one in readers)}, slowest {1000 * max(one.slowest for one in readers):.0f} ms",
        "own writes read meanwhile": f"{writer.done}, {times(writer.whole) if writer.whole else 'none'}",
        "resident before, most, MiB": " ".join(f"{before[one] / MIB:.0f}→{memory.most[one] / MIB:.0f}" for one in before)}


def redefined(place, name, streams, definition):
    """The number of the build that it makes."""
    before = shops.status_of(place, name)["build"]
    shops.define(place, name, streams, definition)
    return before + 1


PROOFS = {"own-writes": own_writes, "rebuilt": rebuilt}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("names", nargs="*", default=list(PROOFS))
    parse.add_argument("--events", type=int, default=1_000_000)
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    sizes = {"rebuilt": {"events": args.events}}
    sys.exit(max(rig.show(name, *groups_rig.prove(PROOFS[name], args.seed, **sizes.get(name, {}))) for name in args.names))


if __name__ == "__main__":
    main()
