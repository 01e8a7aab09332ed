"""The whole way of an event that cannot be done: it dies, is looked at, repaired, sent back, done or dead again."""
import concurrent.futures
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
    body = {"max": 10, "wait": "5s", "consumer": "c-1", **more}
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
        answer = pool.submit(receive, waiting, billing, wait="20s")
        time.sleep(0.3)
        began = time.monotonic()
        client.post(dlq(billing, dead["id"], "redrive"), {"reason": "a comma"}).expect(200)
        again = answer.result()
        assert time.monotonic() - began < 3 * harness.SLOW                 # told, not found at the next look
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
