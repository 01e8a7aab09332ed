"""A gateway that folds is killed with -9, frozen, or stopped: another one folds its partitions within 5 seconds (after a stop at once),
and what the frozen one believes when it wakes up changes nothing.

    projections_takeover.py [--rounds 12] [--seed N]
"""
import argparse
import json
import os
import signal
import sys
import time

import groups_rig
import projections_rig as shops
import rig
from rig import harness

BOUND = {"kill": 5.0, "freeze": 5.0, "stop": 1.5}      # seconds
CUSTOMERS = 200                # enough for every partition to have some


class Partitions:
    """A subject of each partition, and how far the projection is behind in it."""

    def __init__(self, place, stream, name):
        self.stream, self.name, self.keys = stream, name, {}
        for receipt, n in zip(self.publish(place, [f"c{n}" for n in range(CUSTOMERS)]), range(CUSTOMERS)):
            self.keys.setdefault(receipt["partition"], f"c{n}")
        assert len(self.keys) == shops.PARTITIONS

    def publish(self, place, keys):
        wire = rig.Wire(place)
        events = [f'{{"type":"Sold","subject":"{key}","data":{{"n":0,"region":"r0","amount":1}}}}' for key in keys]
        status, _, text = wire.request("POST", f"/v1/streams/{self.stream}/events", f"[{','.join(events)}]".encode())
        wire.close()
        assert status == 201, text
        return json.loads(text)

    def folded(self, place, seconds=60):
        """How long it takes until an event of each partition that is published now has been folded."""
        began, wire = time.monotonic(), rig.Wire(place)
        for receipt in self.publish(place, self.keys.values()):
            target = shops.path(self.name, "state", "r0", at_least=receipt["cursor"], wait=f"{seconds}s")
            status, _, text = wire.request("GET", target, timeout=2 * seconds)
            assert status == 200, (status, text[:500])
        wire.close()
        return time.monotonic() - began


def struck(gateways, kind, n, partitions):
    """Seconds from what happens to gateway n until the other one has folded an event of every partition."""
    gateway, other, began = gateways.places[n].gateway, gateways.places[1 - n], time.monotonic()
    if kind == "freeze":
        gateway.process.send_signal(signal.SIGSTOP)
    elif kind == "kill":
        gateway.kill()
    else:
        assert gateway.stop() == 0, gateway.log()[-3000:]
        began = time.monotonic()
    partitions.folded(other)
    took = time.monotonic() - began
    if kind == "freeze":
        gateway.process.send_signal(signal.SIGCONT)
    else:
        gateways.replace(n)
    return took


def run(gateways, _seed=0, rounds=12, kinds=("kill", "freeze", "stop"), load=2000, judge=max):
    """(violations, figures); `load`: events a second that are published meanwhile, so that a step is under way; `judge`: which round of
    each kind counts."""
    stream, busy, name, place = shops.named("taken"), shops.named("busy"), shops.named("taken"), gateways.places[0]
    for one in (stream, busy):
        rig.create(place, one, shops.PARTITIONS)
    shops.define(place, name, [stream, busy], shops.BY_REGION)
    partitions, took = Partitions(place, stream, name), {kind: [] for kind in kinds}
    partitions.folded(place)
    shop = shops.Shop(gateways.places, busy, load * 6 * rounds, 6 * rounds, CUSTOMERS, batch=max(load // 50, 1))
    with groups_rig.working([shop]):
        for n in range(rounds):
            kind = kinds[n // 2 % len(kinds)]    # the one that has just taken all is struck next
            took[kind].append(struck(gateways, kind, n % 2, partitions))
            partitions.folded(gateways.places[n % 2])
    left = shops.until_settled(gateways.places, name, 60)
    wrong = shop.violations + [left] * bool(left)
    wrong += [rig.Slow(f"{judge(all_of):.1f} s after a {kind} until all was folded again") for kind, all_of in took.items()
              if all_of and judge(all_of) > BOUND[kind] * harness.SLOW]
    if max((seconds for kind in ("kill", "freeze") for seconds in took.get(kind, ())), default=0) < 0.5:
        wrong.append("nothing had to be taken over: this proves nothing")
    wrong += shops.differences("after all", shops.states(place, name),
                               shops.recomputed(gateways.any, shops.SQL_BY_REGION, [stream, busy]))
    return wrong, {"events meanwhile": shop.published, **{
        f"seconds after a {kind}": " ".join(f"{seconds:.2f}" for seconds in all_of) for kind, all_of in took.items()}}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--rounds", type=int, default=12)
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    sys.exit(rig.show("takeover", *groups_rig.prove(run, args.seed, rounds=args.rounds)))


if __name__ == "__main__":
    main()
