"""Shops sell while gateways are killed with -9, sessions of PostgreSQL end and gateways are frozen for longer than their leases last:
each event is folded exactly once, as plain SQL over the log says; the same after rebuilds that are killed as well. Exact numbers.

    projections_once.py [--gateways 1|2] [--total 200000] [--kills 20] [--seed N]
"""
import argparse
import os
import random
import signal
import sys
import time

import groups_rig
import projections_rig as shops
import rig
from rig import harness

FROZEN = 4.5                   # seconds: the lease of a partition is over, and another gateway has taken it
BIG = 9007199254740993         # 2^53 + 1


class Chaos:
    """What happens to gateways, and how often."""

    def __init__(self, gateways, seed, frozen=FROZEN):
        self.gateways, self.random, self.frozen = gateways, random.Random(seed), frozen
        self.kills = self.sessions = self.freezes = self.crashes = 0

    def kill(self):
        self.gateways.kill(self.random.randrange(len(self.gateways.places)))
        self.kills += 1

    def end_sessions(self):
        self.gateways.end_sessions()
        self.sessions += 1

    def crash(self):
        """PostgreSQL itself."""
        self.gateways.postgres.kill()
        self.gateways.postgres.start()
        self.crashes += 1

    def freeze(self):
        """It wakes up in the midst of what it did and believes that its partitions are still its own."""
        process = self.random.choice(self.gateways.places).gateway.process
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(self.frozen, 1.3 * self.frozen))
        process.send_signal(signal.SIGCONT)
        self.freezes += 1

    def strike(self):
        """Mostly a kill. One gateway alone is not frozen: nobody would take its place."""
        dice = self.random.random()
        if dice < 0.12:
            self.end_sessions()
        elif dice < 0.16:
            self.crash()
        elif dice < 0.3 and len(self.gateways.places) > 1:
            self.freeze()
        else:
            self.kill()

    def __str__(self):
        return f"{self.kills} kills, {self.sessions} times all sessions, {self.crashes} crashes of PostgreSQL, {self.freezes} freezes"


def killed_rebuild(gateways, chaos, name, seconds, kills):
    """None, or that it does not come to its end: killed again and again, then left alone."""
    build = shops.rebuild(gateways.places[0], name)
    for _ in range(kills):
        time.sleep(chaos.random.uniform(0.05, 0.8))
        chaos.kill()
    return shops.until_settled(gateways.places, name, seconds, build)


def counted(gateways, seed, total=200_000, kills=20, seconds=40, customers=5000, rebuilds=(3, 3), pause=(0.5, 2.0), frozen=FROZEN):
    """(violations, figures); `rebuilds`: how many, and how many kills in each."""
    chaos, places = Chaos(gateways, seed, frozen), gateways.places
    streams = [shops.named("north"), shops.named("south")]
    by_customer, by_region = shops.named("customers"), shops.named("regions")
    for stream in streams:
        rig.create(places[0], stream, shops.PARTITIONS)
    shops.define(places[0], by_customer, streams[:1], shops.BY_CUSTOMER)
    shops.define(places[-1], by_region, streams, shops.BY_REGION)
    projections = {by_customer: (shops.SQL_BY_CUSTOMER, streams[:1]), by_region: (shops.SQL_BY_REGION, streams)}
    all_shops = [shops.Shop(places[::step], stream, total // 2, seconds, customers) for step, stream in zip((1, -1), streams)]
    began, wrong = time.monotonic(), []
    with groups_rig.working(all_shops):
        while (chaos.kills < kills or any(one.is_alive() for one in all_shops)) and not wrong:
            time.sleep(chaos.random.uniform(*pause))
            chaos.strike()
            wrong = [text for one in all_shops for text in one.violations]
    folded = [shops.until_settled(places, name, 120) for name in projections]
    took = time.monotonic() - began
    wrong += [text for text in folded if text] + audit(gateways, "as folded", projections)
    if sum(one.published for one in all_shops) != total:
        wrong.append(f"{sum(one.published for one in all_shops)} of {total} events were published")
    for n in range(rebuilds[0]):
        again = [killed_rebuild(gateways, chaos, name, 180, rebuilds[1]) for name in projections]
        wrong += [text for text in again if text] + audit(gateways, f"rebuild {n + 1}", projections)
    return wrong, {"gateways": len(places), "events": total, "until folded": f"{took:.1f} s", "what happened": chaos,
                   "publishes that were sent again": sum(one.again for one in all_shops),
                   "keys": " ".join(str(len(shops.states(places[0], name))) for name in projections)}


def audit(gateways, title, projections):
    return [text for name, (sql, streams) in projections.items()
            for text in shops.differences(f"{title}, {name}", shops.states(gateways.places[-1], name),
                                          shops.recomputed(gateways.any, sql, streams))]


# --- numbers ----------------------------------------------------------------------------------------------------------------
NUMBERS = {                    # key → (numbers that are added as they are written here, the sum as it must be written)
    "tenths": (["0.1"] * 1000, "100.0"),
    "cents": (["0.10", "0.2", "-0.30"], "0.00"),
    "big": ([str(BIG)] * 3, str(3 * BIG)),
    "bigger": (["123456789012345678901234567890", "1"], "123456789012345678901234567891"),
    "small": (["1", "0.000000000000000000000000000001"], "1.000000000000000000000000000001"),
    "both": (["10000000000000000000", "0.0000000000000000001", "-10000000000000000000"], "0.0000000000000000001"),
    "exponent": (["1e3", "1"], "1001"),
}


def numbers(gateways, _seed=0):
    """(violations, figures): compared with the bytes of the answer."""
    stream, name, place, wire = shops.named("numbers"), shops.named("sums"), gateways.places[0], rig.Wire(gateways.places[-1])
    rig.create(place, stream, shops.PARTITIONS)
    shops.define(place, name, [stream], {"key": "subject", "on": {"*": [{"increment": {"/sum": {"from": "/data"}}},
                                                                         {"set": {"/last": {"from": "/data"}}}]}})
    texts = [f'{{"type":"Added","subject":"{key}","data":{one}}}' for key, (added, _) in NUMBERS.items() for one in added]
    status, headers, answer = wire.request("POST", f"/v1/streams/{stream}/events", f"[{','.join(texts)}]".encode())
    assert status == 201, answer
    wrong = []
    for key, (added, total) in NUMBERS.items():
        status, _, answer = wire.request("GET", shops.path(name, "state", key, at_least=headers["weir-cursor"], wait="10s"))
        if status != 200 or f'{{"sum":{total},"last":{added[-1]}}}' not in answer.decode().replace(" ", ""):
            wrong.append(f"{key}: the sum should be {total}, the answer is {status} {answer[:500]}")
    wire.close()
    return wrong, {"sums": len(NUMBERS), "numbers added": len(texts)}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--gateways", type=int, choices=(1, 2), default=2)
    parse.add_argument("--total", type=int, default=200_000)
    parse.add_argument("--kills", type=int, default=20)
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    found = groups_rig.prove(counted, args.seed, gateways=args.gateways, total=args.total, kills=args.kills)
    sys.exit(rig.show("counted once", *found))


if __name__ == "__main__":
    main()
