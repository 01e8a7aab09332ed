"""What the proofs of projections share: shops that sell, projections of them, what plain SQL over the log says they should hold."""
import itertools
import json
import random
import threading
import time
import urllib.parse
from decimal import Decimal

import groups_rig
import rig
from rig import harness

PARTITIONS, REGIONS, CAP = 8, 5, 3
NUMBERS = itertools.count(1)

# A key of one partition each: what depends on order is exact too.
BY_CUSTOMER = {"key": "subject", "initial": {"by": "customer"}, "on": {
    "*": [{"count": "/events"}],
    "Sold": [{"increment": {"/sum": {"from": "/data/amount"}}}, {"append": {"/last": {"from": "/data/n"}, "cap": CAP}},
             {"set": {"/latest/region": {"from": "/data/region"}}}],
    "Returned": [{"increment": {"/returned": {"from": "/data/amount"}}}]}}
# A few keys that all partitions of all streams change at once: operations that commute.
BY_REGION = {"key": "/data/region", "on": {
    "*": [{"count": "/events"}, {"min": {"/least": {"from": "/data/amount"}}}, {"max": {"/most": {"from": "/data/amount"}}}],
    "Sold": [{"increment": {"/sum": {"from": "/data/amount"}}}],
    "Returned": [{"count": "/refunds", "if": {"/data/refund": True}}]}}

SQL_BY_CUSTOMER = f"""
    select subject, count(*), jsonb_strip_nulls(jsonb_build_object('by', 'customer', 'events', count(*),
           'sum', sum((data->>'amount')::numeric) filter (where type = 'Sold'),
           'returned', sum((data->>'amount')::numeric) filter (where type = 'Returned'),
           'last', (array_agg((data->>'n')::int order by "offset") filter (where type = 'Sold'))
                   [greatest(1, (count(*) filter (where type = 'Sold'))::int - {CAP - 1}):],
           'latest', (array_agg(json_build_object('region', data->>'region') order by "offset" desc) filter (where type = 'Sold'))[1]))
      from weir.log where stream = any('{{%s}}') group by 1"""
SQL_BY_REGION = """
    select data->>'region', count(*), jsonb_strip_nulls(jsonb_build_object('events', count(*),
           'least', min((data->>'amount')::numeric), 'most', max((data->>'amount')::numeric),
           'sum', sum((data->>'amount')::numeric) filter (where type = 'Sold'),
           'refunds', nullif(count(*) filter (where type = 'Returned' and (data->>'refund')::bool), 0)))
      from weir.log where stream = any('{%s}') group by 1"""


def named(what):
    """A name that no other proof uses."""
    return f"soak-{what}.{next(NUMBERS)}"


# --- what is sold -----------------------------------------------------------------------------------------------------------
def sale(n, customers, shop=""):
    """The nth event as text: its amount has up to six decimals, one in five is a return, one in ten of those has no refund."""
    dice = random.Random(n * 7919 + 13)
    amount = f"{dice.randrange(-50, 5000)}.{dice.randrange(10 ** 6):06d}"[:dice.randrange(6, 12)].rstrip(".")
    kind, refund = ("Returned", f',"refund":{"false" if dice.random() < 0.1 else "true"}') if dice.random() < 0.2 else ("Sold", "")
    return (f'{{"id":"{shop}{n}","type":"{kind}","subject":"c{n % customers}",'
            f'"data":{{"n":{n},"region":"r{dice.randrange(REGIONS)}","amount":{amount}{refund}}}}}')


def sales(numbers, customers, shop=""):
    """The body of a publish request."""
    return f"[{','.join(sale(n, customers, shop) for n in numbers)}]".encode()


def fill(place, stream, total, customers, partitions=PARTITIONS):
    """A stream of so many sales, as fast as it goes."""
    rig.create(place, stream, partitions)
    shop = Shop([place], stream, total, 0, customers, 2000)
    shop.run()
    assert not shop.violations, shop.violations


class Shop(threading.Thread):
    """Publishes all events over so many seconds, each batch again until one of the gateways accepts it."""

    def __init__(self, places, stream, total, seconds, customers, batch=250, first=0):
        super().__init__(daemon=True)
        self.wires, self.stream, self.total, self.seconds = [rig.Wire(place) for place in places], stream, total, seconds
        self.customers, self.batch, self.first = customers, batch, first
        self.published, self.again, self.violations, self.halt = 0, 0, [], threading.Event()

    def body(self, numbers):
        return sales(numbers, self.customers)

    def run(self):
        began = time.monotonic()
        while self.published < self.total and not self.halt.is_set():
            numbers = range(self.published, min(self.published + self.batch, self.total))
            time.sleep(max(0.0, began + self.seconds * self.published / self.total - time.monotonic()))
            try:
                wire = self.wires[self.again % len(self.wires)]
                status, _, text = wire.request("POST", f"/v1/streams/{self.stream}/events", self.body([self.first + n for n in numbers]))
            except rig.BROKEN:
                status, text = 503, b""
            if status in (200, 201):
                self.published += len(numbers)
            elif status in (429, 503):
                self.again += 1
                time.sleep(0.02)
            else:
                self.violations.append(f"publish says {status} {text[:300]}")
                return
        for wire in self.wires:
            wire.close()


# --- projections over HTTP --------------------------------------------------------------------------------------------------
def exact(text):
    return json.loads(text, parse_float=Decimal)


def path(name, *more, **query):
    target = "/".join(["/v1/projections", name, *(urllib.parse.quote(one, safe="") for one in more)])
    return target + ("?" + urllib.parse.urlencode(query) if query else "")


def ask(place, method, target, body=None, seconds=30):
    """JSON with exact numbers. What says 503, or nothing, is asked again: PostgreSQL may just have been killed."""
    deadline, text = time.monotonic() + seconds * harness.SLOW, json.dumps(body).encode() if body is not None else b""
    while True:
        wire = rig.Wire(place)
        try:
            status, _, answer = wire.request(method, target, text)
        except rig.BROKEN as error:
            status, answer = 503, repr(error)
        finally:
            wire.close()
        if status < 300:
            return exact(answer)
        assert status == 503 and time.monotonic() < deadline, (method, target, status, answer[:2000])
        time.sleep(0.1)


def define(place, name, streams, definition, **more):
    return ask(place, "PUT", path(name), {"streams": streams, **definition, **more})


def status_of(place, name):
    return ask(place, "GET", path(name))


def settled(place, name, build=None):
    """All is folded, nothing is being built; with `build`, it is that one or a later one that is read."""
    now = status_of(place, name)
    assert now["state"] not in ("failed", "paused"), now
    return now["lag"]["events"] == 0 and not now.get("rebuild") and (build is None or now["build"] >= build)


def until_settled(places, name, seconds, build=None):
    """None, or what stands in the way when the time is over."""
    turn = itertools.cycle(places)
    if groups_rig.wait_for(lambda: settled(next(turn), name, build), seconds, 0.02):
        return None
    return f"{name} is not done after {seconds} s: {status_of(places[0], name)}"


def rebuild(place, name):
    """Begins; the number that the new build has."""
    before = status_of(place, name)["build"]
    ask(place, "POST", path(name, "rebuild"), {})
    return before + 1


def states(place, name, **query):
    """key → (version, state), page by page."""
    found, after = {}, None
    while True:
        more = {"after": after} if after else {}
        page = ask(place, "GET", path(name, "state", limit=1000, **query, **more))
        for item in page["items"]:
            assert item["key"] not in found, f"{item['key']} comes on two pages"
            found[item["key"]] = (item["version"], item["state"])
        after = page["next"]
        if not after:
            return found


# --- what it should be ------------------------------------------------------------------------------------------------------
def recomputed(gateway, sql, streams):
    rows = (line.split("|", 2) for line in harness.psql(gateway, sql % ",".join(streams)))
    return {key: (int(version), exact(state)) for key, version, state in rows}


def differences(title, found, wanted, shown=5):
    """Sentences; numbers are compared by value, exactly."""
    wrong = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
    if wrong:
        yield f"{title}: {len(wrong)} of {len(wanted)} keys differ"
    for key in wrong[:shown]:
        yield f"{title}: {key} is {found.get(key)} and should be {wanted.get(key)}"


def resident(gateway):
    """Bytes."""
    with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024
