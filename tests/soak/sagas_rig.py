"""What the proofs of sagas share: services with books, clients that start instances, and what the books must say of each instance."""
import contextlib
import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter

import groups_rig
import projections_rig
import rig
from rig import harness

SETTINGS = {"WEIR_OUTBOUND_ALLOW_PRIVATE": "true"}
RETRY = {"initial": "50ms", "factor": 2, "max": "1s", "max_attempts": 12, "jitter": 0.5}
ENDS = ("completed", "compensated", "failed")
NUMBERS = itertools.count(1)
ask = projections_rig.ask


def named(what):
    """A name that no other proof uses."""
    return f"soak-{what}.{next(NUMBERS)}"


def prove(proof, *arguments, gateways=2, settings=None, **sizes):
    """(violations, figures) of a proof with so many gateways of its own."""
    with groups_rig.Gateways({**SETTINGS, **(settings or {})}, count=gateways) as own:
        wrong, figures = proof(own, *arguments, **sizes)
        return wrong + own.stop(), figures


# --- services ---------------------------------------------------------------------------------------------------------------
class Services:
    """So many of them, in a process of their own."""

    def __init__(self, count=4, seed=0, **habits):
        argv = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "sagas_services.py"), str(count), str(seed)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.behave(*[habits] * count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def control(self, what, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=120)
        connection.request("POST", f"/_{what}", json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def behave(self, *habits):
        """One for each service: {"delay": (least, most) seconds before and after it is booked, "fates": {fate: probability}}. What was told
        until then."""
        return self.control("habits", habits)

    def told(self):
        return self.control("books")


# --- definitions ------------------------------------------------------------------------------------------------------------
def call(service, path, body):
    return {"http": {"method": "POST", "url": f"{service}/{path}", "body": {"saga": "{{saga.id}}", **body}}}


def step(service, name, body, **more):
    """An action of money and its compensation."""
    return {"name": name, "action": call(service, name, body), "compensation": call(service, f"undo/{name}", {}), "retry": RETRY,
            "timeout": "20s", **more}


def define(place, saga, definition):
    ask(place, "PUT", f"/v1/sagas/{saga}", definition)


class Plan:
    """Of a definition: what comes before what."""

    def __init__(self, saga, definition):
        self.saga, self.after, names = saga, {}, []
        for one in definition["steps"]:
            self.after[one["name"]] = set(one.get("after", names[-1:]))
            names.append(one["name"])
        self.undone = {one["name"] for one in definition["steps"] if "compensation" in one}
        self.pivots = {one["name"] for one in definition["steps"] if one.get("pivot")}
        self.dependants = {name: {other for other in names if name in self.before(other)} for name in names}

    def before(self, name):
        """Transitively."""
        found = set(self.after[name])
        for one in self.after[name]:
            found |= self.before(one)
        return found


# --- instances --------------------------------------------------------------------------------------------------------------
class Starter(threading.Thread):
    """Starts instances over so many seconds, each again until one of the gateways says 200 or 201. Those with an odd number have no id
    but an Idempotency-Key."""

    def __init__(self, places, saga, inputs, seconds, turn=0):
        super().__init__(daemon=True)
        self.wires, self.saga, self.inputs, self.seconds, self.turn = [rig.Wire(place) for place in places], saga, inputs, seconds, turn
        self.started, self.again, self.violations, self.halt = {}, 0, [], threading.Event()   # started: id → input
        self.slowest = 0.0

    def run(self):
        began = time.monotonic()
        for n, (number, given) in enumerate(self.inputs):
            time.sleep(max(0.0, began + self.seconds * n / len(self.inputs) - time.monotonic()))
            own = {} if number % 2 else {"id": f"i{number}"}
            while not self.halt.is_set() and not self.start_one(own, given, f"start-{self.saga}-{number}" if number % 2 else None):
                self.again += 1
                time.sleep(0.03)
        for wire in self.wires:
            wire.close()

    def start_one(self, own, given, key):
        """Whether it is known to be started."""
        wire, began = self.wires[(self.turn + self.again) % len(self.wires)], time.monotonic()
        try:
            status, headers, text = wire.request("POST", f"/v1/sagas/{self.saga}/instances",
                                                 json.dumps({**own, "input": given}).encode(), key=key)
            answer = json.loads(text)
        except rig.BROKEN:
            return False
        self.slowest = max(self.slowest, time.monotonic() - began)
        if status in (200, 201):
            if own.get("id", answer["id"]) != answer["id"] or answer["id"] in self.started:
                self.violations.append(f"{own or key} was started as {answer}")
            self.started[answer["id"]] = given
            return True
        if status not in ((409, 429, 503) if key else (429, 503)) or "retry-after" not in headers:
            self.violations.append(f"start of {own or key}: {status} {text[:500]}")
            self.halt.set()
        return False


def starters(places, saga, inputs, seconds, count=4):
    """They share the inputs out."""
    numbered = list(enumerate(inputs))
    return [Starter(places, saga, numbered[n::count], seconds, n) for n in range(count)]


def path(saga, *more):
    return "/".join(["/v1/sagas", saga, "instances", *more])


def states(place, saga, **query):
    """id → state of all, page by page."""
    found, after = {}, None
    while True:
        pairs = {"limit": 1000, **query, **({"after": after} if after else {})}
        page = ask(place, "GET", path(saga) + "?" + "&".join(f"{k}={v}" for k, v in pairs.items()))
        for item in page["items"]:
            assert item["id"] not in found, f"{item['id']} is on two pages"
            found[item["id"]] = item["state"]
        after = page["next"]
        if not after:
            return found


def unfinished(gateway, saga):
    return int(harness.psql(gateway, f"select count(*) from weir.saga_instances join weir.sagas using (saga_id) "
                                     f"where name = '{saga}' and ended is null")[0])


def until_ended(gateway, saga, seconds):
    """None, or how many are left when the time is over. gateway(): one that lives, as its database is asked."""
    def done():
        with contextlib.suppress(AssertionError):         # PostgreSQL may just have been killed
            return unfinished(gateway(), saga) == 0
        return False

    return None if groups_rig.wait_for(done, seconds, 0.2) else f"{unfinished(gateway(), saga)} instances of {saga} do not end"


def stuck(place, saga, shown=3):
    """Sentences about instances that have not ended: what the API tells of them."""
    left = [one for one, state in states(place, saga).items() if state not in ENDS]
    return [f"{one} does not end: {json.dumps(ask(place, 'GET', path(saga, one)), default=str)[:2000]}" for one in left[:shown]]


# --- what must be true of the books -----------------------------------------------------------------------------------------
class Audit:
    """Sentences about what is wrong, and figures."""

    def __init__(self, plan, told, calm=False):
        self.plan, self.books, self.calm = plan, told["books"], calm      # calm: nothing was killed, frozen or dropped
        self.wrong, self.figures = [], Counter()

    def all(self, found):
        """found: id → state."""
        known = {f"{self.plan.saga}/{one}" for one in found}
        for one, state in found.items():
            self.figures[state] += 1
            self.instance(one, state)
        self.wrong += [f"{key} was called and is no step of any instance" for key in self.books
                       if key.startswith(f"{self.plan.saga}/") and key.rsplit("/", 2)[0] not in known]
        untraced = self.figures["keys that were called without a traceparent"]
        return self.wrong + ([f"{untraced} keys were called without a traceparent"] if untraced else [])

    def say(self, one, text):
        self.wrong.append(f"{self.plan.saga}/{one}: {text}")

    def of(self, one, kind):
        keys = {name: f"{self.plan.saga}/{one}/{name}/{kind}" for name in self.plan.after}
        return {name: self.books[key] for name, key in keys.items() if key in self.books}

    def instance(self, one, state):
        actions, undos = self.of(one, "action"), self.of(one, "compensation")
        self.calls(one, [*actions.values(), *undos.values()])
        self.forwards(one, actions)
        self.backwards(one, actions, undos)
        if state == "completed":
            self.completed(one, actions, undos)
        elif state == "compensated":
            self.compensated(one, actions, undos)
        else:
            self.say(one, f"it is {state}")

    def calls(self, one, books):
        if any(book["bodies"] != 1 for book in books):
            self.say(one, "a call was repeated with another body under its key")
        if len({trace.split("-")[1] for book in books for trace in book["traces"]}) > 1:
            self.say(one, "its calls are of several traces")
        for book in books:
            self.figures["calls"] += book["calls"]
            self.figures["repeats of a call that was answered"] += book["repeated"]
            self.figures["refused, as it came after its compensation"] += book["refused"]
            if self.calm and (book["repeated"] or book["overlaps"]):
                self.say(one, f"{book['path']}: {book['repeated']} calls after its answer, {book['overlaps']} beside another")
            if "-" in book["traces"]:
                self.figures["keys that were called without a traceparent"] += 1
            elif self.calm and len(book["traces"]) != book["calls"]:     # libcurl itself repeats what a kept connection has dropped
                self.say(one, f"{book['path']}: {book['calls']} calls have {len(book['traces'])} spans")

    def forwards(self, one, actions):
        for name, book in actions.items():
            for needed in self.plan.after[name]:
                if needed not in actions or not actions[needed]["answered"] or actions[needed]["answered"] > book["begun"]:
                    self.say(one, f"{name} began before {needed} had succeeded")

    def backwards(self, one, actions, undos):
        for name, book in undos.items():
            if name in self.plan.pivots or self.plan.pivots & set(actions):
                self.say(one, f"{name} was compensated although a pivot was sent")
            for later in self.plan.dependants[name] & set(undos):
                if not undos[later]["answered"] or undos[later]["answered"] > book["begun"]:
                    self.say(one, f"{name} was compensated before {later}, which came after it")
            if self.calm and any(action["ended"] > book["begun"] for action in actions.values()):
                self.say(one, f"{name} was compensated while an action ran")

    def completed(self, one, actions, undos):
        if undos:
            self.say(one, f"it is completed and yet {sorted(undos)} are compensated")
        for name in self.plan.after:
            if name not in actions or not actions[name]["applied"]:
                self.say(one, f"it is completed without {name}")

    def compensated(self, one, actions, undos):
        for name in self.plan.undone - self.plan.pivots:
            done, undo = actions.get(name, {}).get("applied"), undos.get(name)
            if done and not (undo and undo["applied"] and undo["answered"]):
                self.say(one, f"{name} was done and is not compensated")
            if undo and not done:
                self.figures["compensations of what never happened"] += 1
                if self.calm and actions.get(name, {}).get("failed", 0) == 0:
                    self.say(one, f"{name} was compensated, which failed and is known to have failed")
            self.figures["compensations"] += undo is not None
