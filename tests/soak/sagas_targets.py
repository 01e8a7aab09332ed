"""Targets and starts: with a target that is down, calls stop after five failures, one probe goes out every 30 seconds, other targets are
not touched, no attempts are burnt meanwhile, and two successes close its breaker. The same start from sixteen clients at once is one.

    sagas_targets.py [breaker starts] [--seed N]
"""
import argparse
import json
import os
import sys
import threading
import time

import groups_rig
import rig
import sagas_rig as sagas
from rig import harness

FAILURES, OPEN, SUCCESSES = 5, 30.0, 2
CLIENTS = 16


def breaker(gateways, _seed=0, instances=30, open_for=OPEN, probes=2, in_flight=8, late=2):
    """(violations, figures); the gateways keep a breaker open for `open_for` seconds, and have `in_flight` calls at most under way. What is
    in time is at most `late` seconds late; None: the machine may stand still, so that calls are counted and not timed."""
    places, broken, sound, wrong = gateways.places, sagas.named("broken"), sagas.named("sound"), []
    slack = harness.SLOW * (60 if late is None else late)
    with sagas.Services(2) as services:
        services.behave({"fates": {"error": 1}}, {})
        retry = {**sagas.RETRY, "initial": "20ms", "max": "100ms", "max_attempts": 1000}
        for saga, url in zip((broken, sound), services.urls):
            sagas.define(places[0], saga, {"steps": [{**sagas.step(url, "only", {}), "retry": retry}]})
        began = time.time()
        start(places, broken, instances)
        if not groups_rig.wait_for(lambda: is_open(places[0], services.urls[0]), 30):
            wrong.append("the breaker does not open")
        sooner = time.monotonic()
        start(places, sound, instances)
        if (text := sagas.until_ended(lambda: gateways.any, sound, 5 + slack)):
            wrong.append(f"another target is held up: {text}")
        sooner = time.monotonic() - sooner
        time.sleep(max(0.0, services.told()["at"][0][FAILURES - 1] + (probes + 0.5) * open_for - time.time()))
        attempts = attempts_of(places[0], broken)
        if not groups_rig.wait_for(lambda: len(services.told()["at"][0]) >= attempts, 5):
            wrong.append(f"{attempts} attempts were counted of fewer calls")
        calls, up = services.behave({}, {})["at"][0], time.time()
        wrong += counted(calls, up, len(places) * (FAILURES + in_flight - 1), open_for)
        if late is not None:
            wrong += probed(calls, probes, open_for, slack)
        left = sagas.until_ended(lambda: gateways.any, broken, 3 * open_for + 10 + slack)
        took = time.time() - up
        after = services.told()["at"][0][len(calls):]
        states = set(sagas.states(places[0], broken).values())
    wrong += [left] * bool(left)
    if states != {"completed"}:
        wrong.append(f"the instances are {states} after the recovery")
    if len(after) != instances or took > 2 * open_for + 5 + slack:
        wrong.append(f"{len(after)} calls and {took:.1f} s after the target was up")
    return wrong, {"calls while it was down": len(calls), "seconds of them": " ".join(f"{one - began:.1f}" for one in calls),
                   "another target meanwhile": f"{instances} instances in {sooner:.2f} s", "recovered after": f"{took:.1f} s"}


def is_open(place, url):
    return any(one["name"] == url and one["state"] != "closed" for one in sagas.ask(place, "GET", "/v1/targets?limit=1000")["items"])


def start(places, saga, instances):
    for n in range(instances):
        sagas.ask(places[n % len(places)], "POST", sagas.path(saga), {"id": f"i{n}", "input": {}})


def attempts_of(place, saga):
    return sum(step["attempts"] for one in sagas.states(place, saga) for step in sagas.ask(place, "GET", sagas.path(saga, one))["steps"])


def counted(calls, up, most, open_for):
    """Sentences: more than `most` and the probes have been made of what was down until `up`."""
    if not FAILURES <= len(calls) <= most + (up - calls[0]) / open_for + 1:
        yield f"{len(calls)} calls in {up - calls[0]:.1f} s"


def probed(calls, probes, open_for, slack):
    """Sentences about when calls came after the breaker had opened."""
    first = next((n for n in range(FAILURES, len(calls)) if calls[n] - calls[n - 1] > open_for / 2), len(calls))
    if len(calls) - first != probes:
        yield f"{len(calls) - first} calls instead of {probes} probes"
    for before, after in zip(calls[first - 1:], calls[first:]):
        if not open_for - 0.2 <= after - before <= open_for + slack:
            yield f"a probe came after {after - before:.1f} s"


# --- starts -----------------------------------------------------------------------------------------------------------------
def starts(gateways, _seed=0, rounds=50):
    """(violations, figures): by turns with an id, with an Idempotency-Key, with both."""
    places, saga, wrong = gateways.places, sagas.named("once"), []
    with sagas.Services(1) as services:
        sagas.define(places[0], saga, {"steps": [sagas.step(services.urls[0], "only", {"n": "{{input.n}}"})]})
        for n in range(rounds):
            wrong += at_once(places, saga, n)
        left = sagas.until_ended(lambda: gateways.any, saga, 30)
        calls = services.told()["calls"][0]
    found = sagas.states(places[0], saga)
    if len(found) != rounds or calls != rounds or set(found.values()) != {"completed"}:
        wrong.append(f"{rounds} starts made {len(found)} instances and {calls} calls: {set(found.values())}")
    return wrong + [left] * bool(left), {"rounds": rounds, "clients": CLIENTS}


def at_once(places, saga, n):
    """Sentences about sixteen clients that start the same, each until it is answered 2xx."""
    body = {"input": {"n": n}, **({"id": f"i{n}"} if n % 3 != 1 else {})}
    key, barrier, answers, wrong = f"key-{saga}-{n}" if n % 3 else None, threading.Barrier(CLIENTS), [], []

    def client(i):
        wire = rig.Wire(places[i % len(places)])
        barrier.wait()
        for _ in range(200):
            status, headers, text = wire.request("POST", sagas.path(saga), json.dumps(body).encode(), key=key)
            if status in (200, 201):
                answers.append((status, json.loads(text)["id"]))
                break
            if status != 409 or not key or "retry-after" not in headers:
                wrong.append(f"start {n}: {status} {text[:300]}")
                break
            time.sleep(0.02)
        wire.close()

    threads = [threading.Thread(target=client, args=(i,)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len({one for _, one in answers}) != 1 or len(answers) != CLIENTS:
        wrong.append(f"start {n}: {answers}")
    if not key and [status for status, _ in answers].count(201) != 1:
        wrong.append(f"start {n}: {[status for status, _ in answers]}")
    return wrong


PROOFS = {"breaker": breaker, "starts": starts}


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("names", nargs="*", default=list(PROOFS))
    parse.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parse.parse_args()
    print(f"seed {args.seed}", flush=True)
    sys.exit(max(rig.show(name, *sagas.prove(PROOFS[name], args.seed, settings={"WEIR_OUTBOUND_CONCURRENCY": "8"}))
                 for name in args.names))


if __name__ == "__main__":
    main()
