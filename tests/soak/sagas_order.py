"""Order: sagas of random shape (branches, joins, pivots) against services that delay and fail. A step does not begin before those that it
needs, compensations run in reverse, a pivot is never compensated nor what came before it. What is paused is skipped by hand.

    sagas_order.py [--definitions 40] [--instances 40] [--seed N]
"""
import argparse
import os
import random
import sys
import threading
import time

import groups_rig
import rig
import sagas_rig as sagas
import sagas_survive

STEPS = 9


def shapes(dice, url, count):
    """So many. Whatever the dice say, in the first some step needs a pivot, and the second has none."""
    found = []
    while len(found) < count:
        body = definition(dice, url)
        plan = sagas.Plan("", body)
        if found[1:] or (not plan.pivots if found else beyond(plan)):
            found.append(body)
    return found


def beyond(plan):
    """The steps that need a pivot."""
    return sorted(name for name in plan.after if plan.pivots & plan.before(name))


def definition(dice, url):
    """Each step needs some of those before it."""
    count, steps = dice.randint(2, STEPS), []
    pivot = dice.randrange(count) if dice.random() < 0.4 else None
    for n in range(count):
        needs = [f"s{m}" for m in range(n) if dice.random() < 1.6 / (n + 1)]
        one = sagas.step(url, f"s{n}", {"as": f"{{{{input.as.s{n}}}}}", "amount": 1, "from": "a", "to": "b"}, after=needs)
        if n == pivot:
            one["pivot"] = True
        if dice.random() < 0.2 or n == pivot:
            del one["compensation"]
        steps.append(one)
    return {"steps": steps}


def given(dice, plan, instances):
    """The inputs of so many: in the first a step fails, after the pivot if one can; in some of the others a step or two."""
    failing = (beyond(plan) or sorted(plan.after))[:1]
    for _ in range(instances):
        yield {"as": {name: "reject" if name in failing else "" for name in plan.after}}
        failing = dice.sample(sorted(plan.after), min(len(plan.after), dice.choice((0, 1, 1, 1, 2))))


class Operator(threading.Thread):
    """Skips each failed step of each instance that is paused, and asks its history for one that ended."""

    def __init__(self, place, names):
        super().__init__(daemon=True)
        self.place, self.names, self.halt, self.skipped, self.violations = place, names, threading.Event(), {}, []

    def run(self):
        while not self.halt.is_set():
            for saga in self.names:
                for one in sagas.states(self.place, saga, state="paused"):
                    self.skip(saga, one)
            time.sleep(0.1)

    def skip(self, saga, one):
        failed = [step["name"] for step in sagas.ask(self.place, "GET", sagas.path(saga, one))["steps"] if step["status"] == "failed"]
        if not failed:
            self.violations.append(f"{saga}/{one} is paused, and no step of it has failed")
        for name in failed:
            wire = rig.Wire(self.place)
            status, _, text = wire.request("POST", sagas.path(saga, one, "skip"), f'{{"step":"{name}"}}'.encode())
            wire.close()
            if status not in (200, 409):
                self.violations.append(f"skip of {saga}/{one}/{name}: {status} {text[:300]}")
            self.skipped.setdefault((saga, one), set()).add(name)


def ended(plan, saga, found, inputs, skipped, actions):
    """How each must end: with a pivot that was sent it is completed, by hand where a step fails; else it is compensated where one does."""
    for one, state in found.items():
        fails = {name for name, how in inputs[one]["as"].items() if how}
        sent = any(f"{saga}/{one}/{name}/action" in actions for name in plan.pivots)
        wanted = "completed" if sent or not fails else "compensated"
        if state != wanted:
            yield f"{saga}/{one} is {state} and should be {wanted}: {sorted(fails)} fail"
        if skipped.get((saga, one)) and not sent:
            yield f"{saga}/{one} was paused, and no pivot was sent"


class Skipping(sagas.Audit):
    """Where steps were skipped by hand they have not succeeded."""

    def __init__(self, plan, told, skipped, calm):
        super().__init__(plan, told, calm)
        self.skipped = skipped

    def instance(self, one, state):
        skipped, after = self.skipped.get((self.plan.saga, one), set()), self.plan.after
        self.plan.after = {name: needs - skipped for name, needs in after.items() if name not in skipped}
        super().instance(one, state)
        self.plan.after = after


def run(gateways, seed, definitions=40, instances=40, seconds=20, delay=(0, 0.03), wait=120):
    """(violations, figures)"""
    dice, places, plans, crew = random.Random(seed), gateways.places, [], []
    with sagas.Services(1, seed, delay=delay, fates=sagas_survive.KNOWN) as services:
        for body in shapes(dice, services.urls[0], definitions):
            saga = sagas.named("shape")
            sagas.define(places[0], saga, body)
            plans.append(sagas.Plan(saga, body))
            crew.append(sagas.Starter(places, saga, list(enumerate(given(dice, plans[-1], instances))), seconds))
        operator = Operator(places[-1], [plan.saga for plan in plans])
        with groups_rig.working([operator]):
            with groups_rig.working(crew):
                while any(one.is_alive() for one in crew):
                    time.sleep(0.1)
            left = [text for plan in plans if (text := sagas.until_ended(lambda: gateways.any, plan.saga, wait))]
        told = services.told()
    wrong = left + operator.violations + [text for one in crew for text in one.violations]
    figures = {"definitions": definitions, "skipped by hand": sum(map(len, operator.skipped.values()))}
    for plan, starter in zip(plans, crew):
        found, audit = sagas.states(places[0], plan.saga), Skipping(plan, told, operator.skipped, calm=True)
        wrong += audit.all(found)
        wrong += ended(plan, plan.saga, found, starter.started, operator.skipped, told["books"])
        for name, n in audit.figures.items():
            figures[name] = figures.get(name, 0) + n
    if not figures.get("compensated") or not operator.skipped:
        wrong.append("nothing was compensated, or nothing paused: this proves nothing")
    return wrong, figures


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--definitions", type=int, default=40)
    parse.add_argument("--instances", type=int, default=40)
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    sys.exit(rig.show("order", *sagas.prove(run, args.seed, definitions=args.definitions, instances=args.instances)))


if __name__ == "__main__":
    main()
