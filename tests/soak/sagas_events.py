"""Events start sagas, each one exactly one, and the sagas publish, while gateways are killed and the saga is defined anew.

    sagas_events.py [--total 10000] [--kills 8] [--seed N]
"""
import argparse
import json
import os
import random
import sys
import time
from collections import Counter

import groups_rig
import projections_rig
import rig
import sagas_rig as sagas
from rig import harness


class Orders(projections_rig.Shop):
    def body(self, numbers):
        return json.dumps([{"id": f"order-{n}", "type": "Placed" if n % 4 else "Looked", "subject": f"customer-{n % 97}", "data": {"n": n}}
                           for n in numbers]).encode()


def definition(url, orders, done, version):
    return {"description": f"version {version}", "start_on": {"stream": orders, "types": ["Placed"], "input": {"n": "{{event.data.n}}"}},
            "steps": [sagas.step(url, "pack", {"n": "{{input.n}}"}),
                      {"name": "tell", "action": {"publish": {"stream": done, "event": {
                          "type": "Packed", "subject": "{{saga.id}}", "data": {"n": "{{input.n}}", "was": "{{steps.pack.result.receipt}}"}}}}}]}


def run(gateways, seed, total=10_000, seconds=20, kills=8, pause=(0.5, 2.5), redefine=5, wait=120):
    """(violations, figures): three events in four start one."""
    dice, places, saga, killed, version = random.Random(seed), gateways.places, sagas.named("packing"), 0, 1
    orders, done = sagas.named("orders"), sagas.named("packed")
    for stream in (orders, done):
        rig.create(places[0], stream, 4)
    wanted = {n for n in range(total) if n % 4}
    with sagas.Services(1, seed, delay=(0, 0.02)) as services:
        sagas.define(places[0], saga, definition(services.urls[0], orders, done, version))
        shop, began = Orders(places, orders, total, seconds, 0, batch=50), time.monotonic()
        with groups_rig.working([shop]):
            while shop.is_alive() or killed < kills:
                time.sleep(dice.uniform(*pause))
                if killed < kills:
                    gateways.kill(dice.randrange(len(places)))
                    killed += 1
                if version <= redefine:
                    version += 1
                    sagas.define(places[0], saga, definition(services.urls[0], orders, done, version))
        groups_rig.wait_for(lambda: counted(gateways, saga) >= len(wanted), wait)
        left = sagas.until_ended(lambda: gateways.any, saga, wait)
        took, told = time.monotonic() - began, services.told()
    found = sagas.states(places[-1], saga)
    wrong = shop.violations + [left] * bool(left) + (sagas.stuck(places[0], saga) if left else [])
    wrong += [f"{one} is {state}" for one, state in found.items() if state != "completed"]
    wrong += each_once("were packed", [json.loads(book["body"])["n"] for book in told["books"].values()], wanted)
    rows = harness.psql(gateways.any, f"select data->>'n' from weir.log where stream = '{done}'")
    wrong += each_once("were told", map(int, rows), wanted)
    wrong += sagas.Audit(sagas.Plan(saga, {"steps": definition("", orders, done, 1)["steps"][:1]}), told).all(found)
    return wrong, {"events": total, "instances": len(found), "kills, versions": f"{killed}, {version}", "seconds": f"{took:.1f}"}


def counted(gateways, saga):
    return int(harness.psql(gateways.any, "select count(*) from weir.saga_instances join weir.sagas using (saga_id) "
                                          f"where name = '{saga}'")[0])


def each_once(what, numbers, wanted):
    """Sentences."""
    found = Counter(numbers)
    wrong = sorted(n for n in found.keys() | wanted if found[n] != (n in wanted))
    return [f"{len(wrong)} of {len(wanted)} orders {what} not at all, or twice: {[(n, found[n]) for n in wrong[:10]]}"] if wrong else []


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--total", type=int, default=10_000)
    parse.add_argument("--kills", type=int, default=8)
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    sys.exit(rig.show("by events", *sagas.prove(run, args.seed, total=args.total, kills=args.kills)))


if __name__ == "__main__":
    main()
