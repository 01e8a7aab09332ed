"""What the proofs of consumer groups share: streams that are filled quickly, the calls of a consumer, what SQL says of a group."""
import contextlib
import itertools
import json
import threading
import time
from collections import defaultdict, namedtuple

import rig
from rig import harness
from servers import Bench

FILL = 5000                    # events of one publish request
DEATH_SLACK = 0.05             # seconds that two clocks of one machine, and a lane's idea of PostgreSQL's, may differ

Delivery = namedtuple("Delivery", "id attempt place key n deadline")
Given = namedtuple("Given", "sent came receive index delivery")        # when the receive was sent and answered
Said = namedtuple("Said", "sent answered what place result delivery")  # result: done, stale, unsure


def delivery_of(one):
    event = one["event"]
    return Delivery(one["delivery_id"], one["attempt"], (event["partition"], int(event["offset"])),
                    event.get("partitionkey", event.get("subject")), event["data"]["n"], one["deadline"])


# --- gateways ------------------------------------------------------------------------------------------------------------
class Gateways(Bench):
    """Two (or so many) on one PostgreSQL of their own, and their kills."""

    def __init__(self, settings=None, count=2):
        super().__init__()
        self.settings, self.kills = {"WEIR_DATABASE_STATEMENT_TIMEOUT": "30s", **(settings or {})}, 0
        self.postgres.start()
        self.places = [rig.Place(self.serve(**self.settings)) for _ in range(count)]

    @property
    def any(self):
        return self.places[0].gateway

    def kill(self, n):
        """-9, and another one in its place."""
        gateway = self.places[n].gateway
        gateway.kill()
        assert not harness.SANITIZER.search(gateway.log()), gateway.log()[-8000:]
        self.replace(n)
        self.kills += 1

    def replace(self, n):
        self.places[n].moved(self.serve(**self.settings))

    def end_sessions(self):
        """All sessions of both gateways end, wherever they are just now."""
        harness.psql(self.any, "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'weir%'")

    def stop(self):
        """What is wrong with their ends."""
        return [f"a gateway ended with {status}" for place in self.places if (status := place.gateway.stop())]


def prove(proof, *arguments, gateways=2, **sizes):
    """(violations, figures) of a proof with so many gateways of its own."""
    with Gateways(count=gateways) as own:
        wrong, figures = proof(own, *arguments, **sizes)
        return wrong + own.stop(), figures


NUMBERS = itertools.count(1)


def stream_of(name):
    """One that no other proof uses."""
    return f"soak.{name}.{next(NUMBERS)}"


# --- a stream and its groups ------------------------------------------------------------------------------------------------
def ask(place, method, target, body=None, expect=(200, 201, 202, 204)):
    """JSON, by a connection of its own."""
    wire = rig.Wire(place)
    status, _, text = wire.request(method, target, json.dumps(body).encode() if body is not None else b"")
    wire.close()
    assert status in expect, (method, target, status, text[:2000])
    return json.loads(text) if text else None


def fill(place, stream, total, partitions=8, keys=0, types=("Filled",), key="subject"):
    """A stream of events 0, 1, 2 …, with keys and types by turns. Batches, each recorded before the next."""
    rig.create(place, stream, partitions)
    wire = rig.Wire(place)
    for begin in range(0, total, FILL):
        status, _, answer = wire.request("POST", f"/v1/streams/{stream}/events",
                                         events(range(begin, min(begin + FILL, total)), keys, types, key), 120)
        assert status == 201, answer[:1000]
    wire.close()


def events(numbers, keys=0, types=("Filled",), key="subject", ids=False):
    """The body of a publish request. key: subject, or partitionkey, which costs less as it has no version."""
    def text(n):
        named = (f'"{key}":"k{n % keys}",' if keys else "") + (f'"id":"{n}",' if ids else "")
        return f'{{"type":"{types[n % len(types)]}",{named}"data":{{"n":{n}}}}}'

    return f"[{','.join(map(text, numbers))}]".encode()


def group_path(stream, group):
    return f"/v1/streams/{stream}/groups/{group}"


def define(place, stream, group, **settings):
    ask(place, "PUT", group_path(stream, group), {"start": "earliest", **settings})


class Calls:
    """What one consumer asks, of one gateway after another when one does not answer."""

    def __init__(self, places, stream, group, name, turn=0):
        self.wires, self.path, self.name, self.turn = [rig.Wire(place) for place in places], group_path(stream, group), name, turn
        self.statuses, self.broken, self.violations = defaultdict(int), 0, []
        self.slowest = 0.0

    def ask(self, what, body, timeout=30):
        """(the answer, whether it may have happened without one)"""
        began = time.monotonic()
        try:
            wire = self.wires[self.turn % len(self.wires)]
            status, headers, text = wire.request("POST", f"{self.path}/{what}", json.dumps(body).encode(), timeout)
            answer = json.loads(text)
        except rig.BROKEN:
            self.broken += 1
            self.turn += 1
            time.sleep(0.02)
            return None, True
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.statuses[status] += 1
        if status == 200:
            return answer, False
        if status not in (429, 503) or "retry-after" not in headers or not answer.get("code"):
            self.violations.append(f"{self.name}: {what} says {status} {answer}")
        time.sleep(0.05)
        return None, answer.get("code") not in rig.NOTHING_RECORDED

    def receive(self, **body):
        """[Delivery], when it was sent and answered; None: not answered."""
        sent = time.time()
        answer, _ = self.ask("receive", {"consumer": self.name, **body})
        return (None if answer is None else [delivery_of(one) for one in answer["deliveries"]]), sent, time.time()

    def say(self, what, deliveries, halt=None, **more):
        """ack, nack, reject or extend, until it is answered: [Said]. Nobody knows what `stale` means of a call that was repeated."""
        by_id, unsure, sent = {one.id: one for one in deliveries}, False, time.time()
        while True:
            answer, may_have = self.ask(what, {"delivery_ids": list(by_id), **more})
            if answer is not None:
                break
            unsure = unsure or may_have
            if self.violations or (halt and halt.is_set()):
                answer = {"done": [], "stale": list(by_id)}
                unsure = True
                break
        if sorted(answer["done"] + answer["stale"]) != sorted(by_id):
            self.violations.append(f"{self.name}: {what} of {len(by_id)} deliveries tells of {len(answer['done'])} done and "
                                   f"{len(answer['stale'])} stale, or of others")
            return []
        now = time.time()
        return [Said(sent, now, what, by_id[one].place, "unsure" if unsure and result == "stale" else result, by_id[one])
                for result in ("done", "stale") for one in answer[result]]

    def close(self):
        for wire in self.wires:
            wire.close()


# --- what SQL says ----------------------------------------------------------------------------------------------------------
OF_GROUP = """(select stream_id, group_id from weir.groups g join weir.streams s using (stream_id)
               where s.name = '{stream}' and not s.deleted and g.name = '{group}') one"""
KEPT = """
    select coalesce((select sum(open) from weir.leases where (stream_id, group_id) = (one.stream_id, one.group_id)), 0),
           (select count(*) from weir.retries where (stream_id, group_id) = (one.stream_id, one.group_id)),
           coalesce((select sum(n) from weir.skips where (stream_id, group_id) = (one.stream_id, one.group_id)), 0),
           (select array_to_string(next, ',') from weir.group_states where (stream_id, group_id) = (one.stream_id, one.group_id)
             order by seq desc limit 1),
           (select string_agg(head::text, ',' order by partition) from weir.partitions p where p.stream_id = one.stream_id)
      from """ + OF_GROUP
DEAD = """
    select partition, "offset", reason, extract(epoch from dead_at), jsonb_array_length(('[' || attempts || ']')::jsonb), state
      from weir.dead_letters join weir.streams s using (stream_id)
     where s.name = '{stream}' and not s.deleted and group_name = '{group}'"""

Kept = namedtuple("Kept", "leased retrying skipped next heads")
Dead = namedtuple("Dead", "reason at attempts state")


def kept(gateway, stream, group):
    """What the group remembers just now."""
    leased, retrying, skipped, positions, heads = harness.psql(gateway, KEPT.format(stream=stream, group=group))[0].split("|")
    return Kept(int(leased), int(retrying), int(skipped), *([int(n) for n in text.split(",")] for text in (positions, heads)))


def drained(found):
    """Everything is finished one way or the other."""
    return not (found.leased or found.retrying or found.skipped) and all(n == head + 1 for n, head in zip(found.next, found.heads))


def dead_letters(gateway, stream, group):
    """place → Dead"""
    rows = (line.split("|") for line in harness.psql(gateway, DEAD.format(stream=stream, group=group)))
    return {(int(p), int(o)): Dead(reason, float(at), int(attempts), int(state)) for p, o, reason, at, attempts, state in rows}


def wait_for(condition, seconds, pause=0.1):
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds * harness.SLOW
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


@contextlib.contextmanager
def working(threads):
    """Started; ended and joined whatever happens."""
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for one in threads:
            one.halt.set()
        for one in threads:
            one.join(120)


class Each(threading.Thread):
    """Calls `work(calls)` again and again until it is told to end, or `work` says that it is over."""

    def __init__(self, calls, work):
        super().__init__(daemon=True)
        self.calls, self.work, self.halt = calls, work, threading.Event()

    def run(self):
        while not self.halt.is_set() and self.work(self.calls):
            pass
        self.calls.close()
