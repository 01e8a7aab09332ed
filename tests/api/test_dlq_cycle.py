"""The whole way of an event that cannot be done: it dies, is looked at, repaired, sent back, done or dead again."""
import concurrent.futures
import random
import threading
import time

import harness
import pytest

ERROR = {"type": "DecimalError", "message": "'59,80' is no decimal", "stack": "at total()", "context": {"line": 7}}
QUICK = {"initial": "1ms", "factor": 1, "max": "1ms", "jitter": 0}


def path(stream, *rest):
    return "/".join([f"/v1/streams/{stream}/groups/billing", *rest])


def dlq(stream, *rest):
    return "/".join([f"/v1/streams/{stream}/dlq", *rest])


@pytest.fixture
def billing(client, stream):
    """A stream with a group that retries at once, twice."""
    client.create(stream)
    client.put(path(stream), {"start": "earliest", "max_retries": 2, "backoff": QUICK}).expect(201)
    return stream


def receive(client, stream, **more):
    body = {"max": 10, "wait": "60s", "consumer": "c-1", **more}
    return client.post(path(stream, "receive"), body).expect(200).json()["deliveries"]


def finish(client, stream, how, deliveries, **more):
    ids = [d["delivery_id"] for d in deliveries]
    assert client.post(path(stream, how), {"delivery_ids": ids, **more}).expect(200).json() == {"done": ids, "stale": []}


def fail(client, stream, **more):
    """Until the one event that is there is dead: its letter."""
    for _ in range(3):
        one = receive(client, stream)
        assert len(one) == 1
        finish(client, stream, "nack", one, **{"error": ERROR, **more})
    return letter(client, stream)


def letter(client, stream):
    items = client.get(dlq(stream) + "?state=parked").expect(200).json()["items"]
    assert len(items) == 1
    return items[0]


def test_an_event_that_fails_is_repaired_and_done(client, gateway, billing):
    receipt = client.publish(billing, {"type": "OrderPlaced", "subject": "o-1", "data": {"total": "59,80"}})
    dead = fail(client, billing)
    assert (dead["reason"], dead["error"], dead["redrives"], dead["poison"]) == ("max-retries", ERROR, 0, False)
    assert [a["attempt"] for a in dead["attempts"]] == [1, 2, 3] and all(a["consumer"] == "c-1" for a in dead["attempts"])
    assert all(a["error"] == ERROR for a in dead["attempts"])
    assert sorted(a["at"] for a in dead["attempts"]) == [a["at"] for a in dead["attempts"]]
    recorded = client.read(billing)["events"][0]
    assert dead["event"] == recorded and recorded["id"] == receipt["id"]
    one = client.request("PATCH", dlq(billing, dead["id"]), {"total": "59.80"}, content_type="application/merge-patch+json")
    assert one.expect(200).json()["original_event"] == recorded
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = harness.Client(gateway)
        answer = pool.submit(receive, waiting, billing)
        time.sleep(0.3)
        began = time.monotonic()
        client.post(dlq(billing, dead["id"], "redrive"), {"reason": "a comma"}).expect(200)
        again = answer.result()
        assert time.monotonic() - began < harness.WOKEN                 # told, not found at the next look
        waiting.close()
    assert [d["attempt"] for d in again] == [1]
    assert again[0]["event"] == {**recorded, "data": {"total": "59.80"}}
    finish(client, billing, "ack", again)
    done = client.get(dlq(billing, dead["id"])).expect(200).json()
    assert (done["state"], done["redrives"], done["note"]) == ("resolved", 1, "a comma")
    assert len(done["attempts"]) == 3 and not receive(client, billing, wait="0s")


def test_what_dies_again_is_the_same_letter_and_poison_if_of_the_same(client, billing):
    client.publish(billing, {"type": "OrderPlaced", "subject": "o-1", "data": 1})
    dead = fail(client, billing)
    for redrives, error, poison in ((1, ERROR, True), (2, {"type": "Other", "message": "else"}, False)):
        client.post(dlq(billing, dead["id"], "redrive"), {}).expect(200)
        again = fail(client, billing, error=error)
        assert again["id"] == dead["id"] and (again["redrives"], again["poison"]) == (redrives, poison)
        assert [a["attempt"] for a in again["attempts"]] == [1, 2, 3] * (redrives + 1)
        assert again["dead_at"] > dead["dead_at"] and (again["fingerprint"] == dead["fingerprint"]) == poison
    summary = client.get(dlq(billing, "summary")).expect(200).json()["items"]
    assert [(k["error"]["type"], k["count"], k["poison"], k["sample"]) for k in summary] == [("Other", 1, False, dead["id"])]
    assert summary[0]["first_seen"] < dead["dead_at"] < summary[0]["last_seen"] == again["dead_at"]


def test_a_redriven_letter_goes_before_what_waits_of_its_key_and_holds_it(client, billing):
    client.publish(billing, [{"type": "T", "subject": "k", "data": n} for n in range(3)])
    finish(client, billing, "reject", receive(client, billing, max=1), error=ERROR)
    dead = letter(client, billing)
    assert dead["reason"] == "rejected" and dead["event"]["data"] == 0
    client.post(dlq(billing, dead["id"], "redrive"), {}).expect(200)
    order = []
    for _ in range(3):
        now = receive(client, billing)
        order += [d["event"]["data"] for d in now]
        assert len(now) == 1
        finish(client, billing, "ack", now)
    assert order == [0, 1, 2]


def test_a_discarded_letter_never_comes_back(client, billing):
    client.publish(billing, {"type": "T", "subject": "k", "data": 0})
    finish(client, billing, "reject", receive(client, billing), error=ERROR)
    dead = letter(client, billing)
    client.post(dlq(billing, dead["id"], "discard"), {"reason": "a test"}).expect(200)
    assert not receive(client, billing, wait="0s")


def test_redriven_letters_of_a_group_that_seeks_or_goes_wait_again(client, billing):
    client.publish(billing, {"type": "T", "subject": "k", "data": 0})
    finish(client, billing, "reject", receive(client, billing), error=ERROR)
    dead = letter(client, billing)
    client.post(dlq(billing, dead["id"], "redrive"), {}).expect(200)
    client.post(path(billing, "seek"), {"to": "latest"}).expect(200)
    assert letter(client, billing)["redrives"] == 1 and not receive(client, billing, wait="0s")
    client.post(dlq(billing, dead["id"], "redrive"), {}).expect(200)
    client.request("DELETE", path(billing)).expect(204)
    assert letter(client, billing)["redrives"] == 2
    client.post(dlq(billing, dead["id"], "redrive"), {}).problem(409, "conflict")
    client.put(path(billing), {}).expect(201)
    client.post(dlq(billing, dead["id"], "redrive"), {}).expect(200)
    again = receive(client, billing)
    assert [d["event"]["data"] for d in again] == [0]
    finish(client, billing, "ack", again)
    assert client.get(dlq(billing, dead["id"])).expect(200).json()["state"] == "resolved"


class Crowd:
    """Consumers that fail at random and people who redrive at once whatever dies, on several gateways, until so many are done."""

    def __init__(self, gateways, stream, wanted):
        self.stream, self.wanted, self.done, self.redriven = stream, wanted, [], 0
        self.lock, self.stop, self.gateways = threading.Lock(), threading.Event(), gateways
        self.token = gateways[0].token

    def consume(self, gateway, seed):
        me, chance = harness.Client(gateway, self.token), random.Random(seed)
        while not self.stop.is_set():
            for one in receive(me, self.stream, max=7, wait="200ms"):
                how = chance.choice(["ack", "ack", "nack", "reject"])
                finish(me, self.stream, how, [one])
                with self.lock:
                    self.done += [one["event"]["data"]] if how == "ack" else []
        me.close()

    def redrive(self, gateway):
        me = harness.Client(gateway, self.token)
        while not self.stop.wait(0.02):
            for one in me.get(dlq(self.stream) + "?state=parked&limit=20").expect(200).json()["items"]:
                answer = me.post(dlq(self.stream, one["id"], "redrive"), {})
                with self.lock:
                    self.redriven += answer.status == 200
                if answer.status != 200:
                    answer.problem(409, "conflict")                        # the other one was faster
        me.close()

    def run(self, seconds):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(self.consume, one, seed) for seed, one in enumerate(self.gateways * 2)]
            jobs += [pool.submit(self.redrive, one) for one in self.gateways]
            deadline = time.monotonic() + seconds * harness.SLOW
            while len(self.done) < self.wanted and time.monotonic() < deadline and not any(job.done() for job in jobs):
                time.sleep(0.05)
            self.stop.set()
            for job in jobs:
                job.result()


def test_whatever_dies_and_is_redriven_by_two_gateways_is_done_once(client, gateway, stream):
    count, other = 120, harness.serve(gateway.database_url)
    client.create(stream, partitions=3)
    client.put(path(stream), {"start": "earliest", "max_retries": 1, "backoff": QUICK}).expect(201)
    client.publish(stream, [{"type": "T", "subject": f"k{n % 15}", "data": n} for n in range(count)])
    crowd = Crowd([gateway, other], stream, count)
    try:
        crowd.run(120)
        assert not receive(client, stream, wait="0s")
        assert sorted(crowd.done) == list(range(count)) and crowd.redriven > 10
        found = harness.psql(gateway, f"""select state, sum(redrives) from weir.dead_letters join weir.streams s using (stream_id)
                                           where s.name = '{stream}' group by 1""")
        assert found == [f"2|{crowd.redriven}"]
    finally:
        assert other.stop() == 0
        harness.remove(other)
