"""Time: an awaited event that does not come compensates at the configured time, also when all gateways were down at that moment; one that
comes at once, or just before all gateways die, is never missed; what ran on a gateway that dies goes on elsewhere within five seconds.

    sagas_times.py [timeouts at-once takeover] [--seed N]
"""
import argparse
import itertools
import json
import os
import random
import signal
import sys
import threading
import time

import groups_rig
import rig
import sagas_rig as sagas
from rig import harness

LATE, EARLY = 1.0, 0.05        # seconds after and before the configured time
TAKEN_OVER = {"kill": 5.0, "freeze": 5.0, "stop": 1.5}


def awaiting(stream, kind, timeout):
    return {"await": {"stream": stream, "types": [kind], "match": {"/data/id": "{{saga.id}}"}}}, {"timeout": f"{timeout}s"}


def publish(places, stream, kind, *instances):
    """An event for each, in one request, until it is accepted; when it was."""
    body, n = json.dumps([{"id": f"{kind}-{one}", "type": kind, "data": {"id": one}} for one in instances]).encode(), 0
    while True:
        wire = rig.Wire(places[n % len(places)])
        try:
            status, _, text = wire.request("POST", f"/v1/streams/{stream}/events", body)
        except rig.BROKEN:
            status, text = 503, b""
        finally:
            wire.close()
        if status in (200, 201):
            return time.time()
        assert status in (429, 503), text
        n += 1
        time.sleep(0.02)


# --- timeouts ---------------------------------------------------------------------------------------------------------------
class Answers(threading.Thread):
    """Publishes the answers of half of the instances, each at its own time."""

    def __init__(self, places, stream, due):
        super().__init__(daemon=True)
        self.places, self.stream, self.due, self.halt, self.given = places, stream, sorted(due), threading.Event(), {}

    def run(self):
        for at, group in itertools.groupby(self.due, key=lambda one: one[0]):
            time.sleep(max(0.0, at - time.time()))
            if self.halt.is_set():
                return
            ids = [instance for _, instance in group]
            self.given.update(dict.fromkeys(ids, publish(self.places, self.stream, "Answered", *ids)))


def timeouts(gateways, seed, total=400, timeout=15, spread=10.0, down=(12.0, 20.0)):
    """(violations, figures): instances begin over `spread` seconds; all gateways are dead from down[0] to down[1] seconds."""
    places, saga, stream = gateways.places, sagas.named("patient"), sagas.named("answers")
    rig.create(places[0], stream, 4)
    with sagas.Services(1) as services:
        action, more = awaiting(stream, "Answered", timeout)
        sagas.define(places[0], saga, {"steps": [
            sagas.step(services.urls[0], "open", {}), {"name": "answer", "action": action, **more}]})
        began, crew = time.time(), sagas.starters(places, saga, [{}] * total, spread)
        with groups_rig.working(crew):
            while any(one.is_alive() for one in crew):
                time.sleep(0.02)
        opened = {key.split("/")[1]: book["answered_at"] for key, book in services.told()["books"].items() if key.endswith("/action")}
        down_at = max(began + down[0], time.time() + 0.3)        # a busy machine starts them later
        answers = Answers(places, stream, due(random.Random(seed), opened, timeout, down_at))
        with groups_rig.working([answers]):
            time.sleep(max(0.0, down_at - time.time()))
            for place in places:
                place.gateway.kill()
            time.sleep(max(0.0, down_at + down[1] - down[0] - time.time()))
            for n in range(len(places)):
                gateways.replace(n)
            up = time.time()
            left = sagas.until_ended(lambda: gateways.any, saga, timeout + 20)
            answers.join(30)
        books = services.told()["books"]
    undone = {key.split("/")[1]: book["begun_at"] for key, book in books.items() if key.endswith("/compensation")}
    found, deadlines = sagas.states(places[0], saga), {one: at + timeout for one, at in opened.items()}
    wrong = [left] * bool(left) + [text for one, state in found.items()
                                   for text in judged(one, state, deadlines[one], answers.given.get(one), undone.get(one), up)]
    late = [undone[one] - max(deadlines[one], up if down_at - LATE < deadlines[one] else 0) for one in undone]
    over = sum(down_at < at < up for one, at in deadlines.items() if one in undone)
    wrong += [f"one was compensated {seconds:.2f} s late" for seconds in late if seconds > LATE * harness.SLOW]
    sudden = sum(deadlines[one] > down_at and down_at - 1 < at < down_at for one, at in answers.given.items())
    if not over or not sudden or len(found) != total or len(undone) == total:
        wrong.append(f"{len(undone)} of {len(found)} were compensated, {over} while all was down: this proves nothing")
    return wrong, {"instances": total, "compensated": len(late), "whose time came while all gateways were dead": over,
                   "answered within a second before they died": sudden,
                   "answered": len(answers.given), "seconds late": f"median {rig.quantile(late or [0], 0.5):.2f}, most {max(late or [0]):.2f}"}


def due(dice, opened, timeout, down):
    """(when, instance) of those that are answered: some while nobody listens, some just before all gateways die, some too late."""
    found = []
    for one, at in opened.items():
        kind = dice.random()
        if kind < 0.3:
            found.append((at + dice.uniform(EARLY, timeout + 1), one))
        elif kind < 0.5:
            found.append((down - 0.1, one))
    return found


def judged(one, state, deadline, given, undone, up):
    """Sentences."""
    if given and given < deadline - EARLY and state != "completed":
        yield f"{one} is {state}, although its answer was recorded {deadline - given:.2f} s before its time"
    if state == "completed" and not (given and given < max(deadline, up) + LATE * harness.SLOW):
        yield f"{one} is completed and was not answered in time"
    if state == "compensated" and undone < deadline - EARLY:
        yield f"{one} was compensated {deadline - undone:.2f} s before its time"


# --- at once ----------------------------------------------------------------------------------------------------------------
class Echo(rig.Listener):
    """Answers each event as soon as it comes."""

    def __init__(self, places, asked, replies):
        super().__init__(places[0], asked, "echo")
        self.places, self.replies, self.lock, self.answered = places, replies, threading.Lock(), set()

    def take(self, event):
        if event["id"] not in self.answered:
            self.answered.add(event["id"])
            publish(self.places, self.replies, "Replied", event["data"]["id"])


def at_once(gateways, seed, total=1000, seconds=15, kills=5):
    """(violations, figures): what is asked by an event is answered by one at once, while gateways die. Nothing is missed, so that nothing
    is compensated."""
    dice, places, saga = random.Random(seed), gateways.places, sagas.named("asking")
    asked, replies = sagas.named("asked"), sagas.named("replies")
    for stream in (asked, replies):
        rig.create(places[0], stream, 4)
    with sagas.Services(1) as services:
        action, more = awaiting(replies, "Replied", 120)
        event = {"type": "Asked", "subject": "{{saga.id}}", "data": {"id": "{{saga.id}}", "n": "{{input.n}}"}}
        definition = {"steps": [sagas.step(services.urls[0], "open", {}),
                                {"name": "ask", "action": {"publish": {"stream": asked, "event": event}, **action}, **more},
                                sagas.step(services.urls[0], "close", {"reply": "{{steps.ask.result}}"})]}
        sagas.define(places[0], saga, definition)
        echo, crew, killed = Echo(places, asked, replies), sagas.starters(places, saga, [{"n": n} for n in range(total)], seconds), 0
        with groups_rig.working(crew):
            echo.start()
            while any(one.is_alive() for one in crew) or killed < kills:
                time.sleep(dice.uniform(1, 3) if kills else 0.05)
                if killed < kills:
                    gateways.kill(dice.randrange(len(places)))
                    killed += 1
            left = sagas.until_ended(lambda: gateways.any, saga, 60)
        echo.stop()
        books = services.told()
    found = sagas.states(places[0], saga)
    wrong = [left] * bool(left) + echo.violations + [text for one in crew for text in one.violations]
    wrong += sagas.stuck(places[0], saga) if left else []
    plan = sagas.Plan(saga, {"steps": [definition["steps"][0], {**definition["steps"][2], "after": ["open"]}]})
    wrong += sagas.Audit(plan, books).all(found)
    wrong += [f"{one} is {state}" for one, state in found.items() if state != "completed"]
    wrong += events_once(gateways, asked, total)
    return wrong, {"instances": len(found), "kills": killed, "answered": len(echo.answered)}


def events_once(gateways, stream, total):
    """One event of each instance, whatever was killed."""
    rows = harness.psql(gateways.any, f"select count(*), count(distinct subject) from weir.log where stream = '{stream}'")
    return [] if rows == [f"{total}|{total}"] else [f"{rows[0]} events and subjects were published of {total} instances"]


# --- takeover ---------------------------------------------------------------------------------------------------------------
def takeover(gateways, _seed=0, rounds=6, kinds=("kill", "freeze", "stop"), instances=20, delay=0.3):
    """(violations, figures): the gateway that runs the attempts is struck in the middle of them."""
    places, saga, took, wrong = gateways.places, sagas.named("taken"), {kind: [] for kind in kinds}, []
    with sagas.Services(1, delay=(delay, delay)) as services:
        url = services.urls[0]
        definition = {"steps": [sagas.step(url, name, {}) for name in ("one", "two", "three")]}
        sagas.define(places[0], saga, definition)
        for n in range(rounds):
            kind, victim = kinds[n // 2 % len(kinds)], n % 2
            seconds = struck(gateways, saga, kind, victim, [f"r{n}-{i}" for i in range(instances)], delay)
            took[kind].append(seconds)
            if seconds > TAKEN_OVER[kind] * harness.SLOW:
                wrong.append(f"{seconds:.1f} s after a {kind} until all went on")
        found, books = sagas.states(places[0], saga), services.told()
    wrong += sagas.Audit(sagas.Plan(saga, definition), books).all(found)
    wrong += [f"{one} is {state}" for one, state in found.items() if state != "completed"]
    return wrong, {f"seconds after a {kind}": " ".join(f"{seconds:.2f}" for seconds in all_of) for kind, all_of in took.items()}


def struck(gateways, saga, kind, victim, ids, delay):
    """Seconds from what happens to the victim until the other one has gone on with all that it ran, less what the steps take."""
    place, other = gateways.places[victim], gateways.places[1 - victim]
    for one in ids:
        sagas.ask(place, "POST", sagas.path(saga), {"id": one, "input": {}})
    time.sleep(delay)                            # in the first or the second step
    began, gateway = time.monotonic(), place.gateway
    if kind == "freeze":
        gateway.process.send_signal(signal.SIGSTOP)
    elif kind == "kill":
        gateway.kill()
    else:
        assert gateway.stop() == 0, gateway.log()[-3000:]
        began = time.monotonic()
    done = groups_rig.wait_for(lambda: sagas.unfinished(gateways.any, saga) == 0, 60, 0.05)
    took = time.monotonic() - began - 6 * delay
    if kind == "freeze":
        gateway.process.send_signal(signal.SIGCONT)
    else:
        gateways.replace(victim)
    assert done, sagas.stuck(other, saga)
    return max(took, 0.0)


PROOFS = {"timeouts": timeouts, "at-once": at_once, "takeover": takeover}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("names", nargs="*", default=list(PROOFS))
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    sys.exit(max(rig.show(name, *sagas.prove(PROOFS[name], args.seed)) for name in args.names))


if __name__ == "__main__":
    main()
