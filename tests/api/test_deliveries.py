"""Deliveries of a consumer group: receive, ack, nack, reject, extend, and what becomes of what is not finished."""
import threading
import time

import harness
import pytest


class Group:
    def __init__(self, client, stream, name="g", **settings):
        self.client, self.path = client, f"/v1/streams/{stream}/groups/{name}"
        client.put(self.path, {"start": "earliest", **settings}).expect(201)

    def receive(self, **body):
        answer = self.client.post(f"{self.path}/receive", body, timeout=100).expect(200).json()
        self.lost = answer.get("lost")
        return answer["deliveries"]

    def call(self, what, deliveries, **body):
        ids = [d["delivery_id"] for d in deliveries]
        answer = self.client.post(f"{self.path}/{what}", {"delivery_ids": ids, **body}).expect(200).json()
        assert sorted(answer["done"] + answer["stale"]) == sorted(ids)
        return len(answer["done"])

    def ack(self, deliveries):
        return self.call("ack", deliveries)

    def nack(self, deliveries, **body):
        return self.call("nack", deliveries, **body)

    def state(self):
        return self.client.get(self.path).expect(200).json()


@pytest.fixture
def group(client, stream):
    def make(events=0, partitions=1, key=None, **settings):
        client.create(stream, partitions=partitions)
        if events:
            client.publish(stream, [{"type": "A", "data": i, **({"subject": key(i)} if key else {})} for i in range(events)])
        return Group(client, stream, **settings)

    return make


def data(deliveries):
    return [d["event"]["data"] for d in deliveries]


NOW = {"backoff": {"initial": "0s", "jitter": 0}}
ERROR = {"type": "Broken", "message": "order 17 has no customer"}


def test_each_event_is_handed_out_once_and_in_order(group):
    g = group(250)
    seen = []
    while (batch := g.receive(max=100)):
        assert all(d["attempt"] == 1 for d in batch)
        assert g.ack(batch) == len(batch)
        seen += data(batch)
    assert seen == list(range(250))
    state = g.state()
    assert (state["in_flight"], state["retrying"], state["lag"]) == (0, 0, {"events": 0, "seconds": 0})


def test_without_a_body_ten_are_given(group):
    g = group(30)
    assert len(g.client.request("POST", f"{g.path}/receive").expect(200).json()["deliveries"]) == 10
    assert data(g.receive()) == list(range(10, 20))


def test_an_event_comes_as_a_reader_sees_it(group, client, stream):
    g = group(1)
    assert g.receive()[0]["event"] == client.read(stream)["events"][0]


def test_data_keep_their_bytes(client, stream):
    client.create(stream)
    body = b'{"type":"A","partitionkey":"k","data":{"n": 1.10,  "b":12345678901234567890}}'
    client.post(harness.events_path(stream), body).expect(201)
    g = Group(client, stream)
    assert b'"data":{"n": 1.10,  "b":12345678901234567890}' in client.post(f"{g.path}/receive", {}).expect(200).body


def test_what_is_not_acked_is_not_handed_out_to_another(group):
    g = group(20)
    first, second = g.receive(max=10), g.receive(max=10)
    assert data(first) == list(range(10)) and data(second) == list(range(10, 20)) and g.receive() == []
    assert g.state()["in_flight"] == 20 and g.state()["lag"]["events"] == 20
    assert g.ack(first[3:]) == 7 and g.state()["in_flight"] == 13


def test_an_ack_counts_once(group):
    g = group(3)
    batch = g.receive()
    assert g.ack(batch[:1]) == 1 and g.ack(batch) == 2 and g.ack(batch) == 0


def test_a_nacked_event_comes_again_after_its_backoff(group):
    g = group(2, backoff={"initial": "1s", "jitter": 0})
    batch = g.receive()
    began = time.monotonic()
    assert g.nack(batch[:1], error=ERROR) == 1 and g.ack(batch[1:]) == 1
    again = g.receive()
    if not again:
        assert g.state()["retrying"] == 1
        again = g.receive(wait="60s")
    assert time.monotonic() - began > 0.9
    assert data(again) == [0] and again[0]["attempt"] == 2 and again[0]["delivery_id"] != batch[0]["delivery_id"]


def test_a_nack_may_say_when(group):
    g = group(1)
    began = time.monotonic()
    g.nack(g.receive(), delay="1500ms")
    assert g.receive(wait="60s")[0]["attempt"] == 2 and time.monotonic() - began > 1.4


def test_after_the_retries_it_is_dead_with_its_history(group, client, stream):
    g = group(1, max_retries=2, **NOW)
    for attempt in (1, 2, 3):
        batch = g.receive(consumer=f"w{attempt}", wait="60s")
        assert batch[0]["attempt"] == attempt
        assert g.nack(batch, error={**ERROR, "stack": "at 1", "context": {"try": attempt}}) == 1
    assert g.receive() == []
    letter, = client.get(f"/v1/streams/{stream}/dlq").expect(200).json()["items"]
    assert (letter["group"], letter["reason"], letter["state"], letter["event"]["data"]) == ("g", "max-retries", "parked", 0)
    assert letter["error"] == {**ERROR, "stack": "at 1", "context": {"try": 3}}
    assert [(a["attempt"], a["consumer"], a["error"]["context"]) for a in letter["attempts"]] == [
        (n, f"w{n}", {"try": n}) for n in (1, 2, 3)]
    assert g.state()["dead"] == 1


def test_a_rejected_event_is_dead_at_once(group, client, stream):
    g = group(3)
    batch = g.receive()
    assert g.call("reject", batch[1:2], error=ERROR) == 1 and g.ack(batch) == 2
    letter, = client.get(f"/v1/streams/{stream}/dlq").expect(200).json()["items"]
    assert letter["reason"] == "rejected" and letter["event"]["data"] == 1 and len(letter["attempts"]) == 1


def test_a_dead_letter_is_told_as_an_event(group, client, stream):
    g = group(1)
    g.call("reject", g.receive(), error=ERROR)
    deadline = time.monotonic() + 60 * harness.SLOW
    while (answer := client.get(f"/v1/streams/{stream}.dlq/events?wait=20s")).status == 404 and time.monotonic() < deadline:
        time.sleep(0.1)                                            # its stream is made with the first one
    event, = answer.expect(200).json()["events"]
    assert event["type"] == "DeadLettered" and event["data"]["group"] == "g" and event["data"]["event"]["data"] == 0


def test_a_redriven_letter_goes_to_its_group_and_is_resolved_by_its_ack(group, client, stream):
    g = group(2, max_retries=0)
    g.nack(g.receive(max=1), error=ERROR)
    g.ack(g.receive(max=1))
    letter, = client.get(f"/v1/streams/{stream}/dlq").json()["items"]
    here = f"/v1/streams/{stream}/dlq/{letter['id']}"
    client.request("PATCH", here, b'{"fixed":true}', content_type="application/merge-patch+json").expect(200)
    client.post(f"{here}/redrive", {}).expect(200)
    again, = g.receive(wait="60s")
    assert again["attempt"] == 1 and again["event"]["data"] == {"fixed": True} and again["event"]["id"] == letter["event"]["id"]
    assert g.ack([again]) == 1
    assert client.get(here).json()["state"] == "resolved"


def test_a_letter_that_dies_again_is_the_same_and_poison(group, client, stream):
    g = group(1, max_retries=0)
    g.nack(g.receive(), error=ERROR)
    letter, = client.get(f"/v1/streams/{stream}/dlq").json()["items"]
    here = f"/v1/streams/{stream}/dlq/{letter['id']}"
    client.post(f"{here}/redrive", {}).expect(200)
    g.nack(g.receive(wait="60s"), error={**ERROR, "message": "order 18 has no customer"})
    again = client.get(here).json()
    assert (again["state"], again["redrives"], again["poison"], len(again["attempts"])) == ("parked", 1, True, 2)
    assert len(client.get(f"/v1/streams/{stream}/dlq").json()["items"]) == 1


def test_a_deadline_that_passes_counts_and_the_rest_goes_out_singly(group, client, stream):
    g = group(3, ordering="none", ack_deadline="1s", max_retries=1, **NOW)
    batch = g.receive(max=3)
    assert g.ack(batch[:1]) == 1
    singles = [g.receive(max=10, wait="60s", ack_deadline=deadline) for deadline in ("10m", "1s")]
    assert [data(s) for s in singles] == [[1], [2]] and all(s[0]["attempt"] == 2 for s in singles)
    assert g.ack(singles[0]) == 1
    deadline = time.monotonic() + 60 * harness.SLOW
    while time.monotonic() < deadline and not (items := client.get(f"/v1/streams/{stream}/dlq").json()["items"]):
        time.sleep(0.1)                                            # nobody asks: the gateway sees it by itself
    assert items[0]["event"]["data"] == 2 and [a["error"]["type"] for a in items[0]["attempts"]] == ["deadline-exceeded"] * 2


def test_a_late_ack_counts_while_nobody_else_has_finished(group):
    g = group(2, ordering="none", ack_deadline="1s", backoff={"initial": "1s", "jitter": 0})
    batch = g.receive()
    time.sleep(1.2)
    assert g.nack(batch[:1]) == 0                                  # late nacks are stale
    assert g.ack(batch[:1]) == 1                                   # it waited for its retry
    running = g.receive(wait="60s", ack_deadline="10m")
    assert data(running) == [1]
    assert g.ack(batch[1:]) == 1                                   # while another delivery runs
    assert g.ack(running) == 0 and g.receive() == []


def test_extend_moves_a_deadline_of_its_own(group):
    g = group(2, ordering="none", ack_deadline="10m", **NOW)
    batch = g.receive()
    assert g.call("extend", batch[1:], by="1s") == 1 and g.call("extend", batch[:1], by="5m") == 1
    again = g.receive(wait="60s")
    assert data(again) == [1] and again[0]["attempt"] == 2
    assert g.ack(again) == 1 and g.receive(wait="1s") == [] and g.ack(batch[:1]) == 1 and g.call("extend", batch[:1], by="1s") == 0


def test_extend_is_in_time_or_stale(group):
    g = group(64, ordering="none", **NOW)

    def extended(seconds):
        began = time.monotonic()
        batch = g.receive(max=1, ack_deadline=f"{seconds}s")
        done = g.call("extend", batch, by="10m")
        if not done:
            assert time.monotonic() - began > seconds - 0.1
            return False
        time.sleep(max(0, began + seconds + 0.5 - time.monotonic()))
        return g.ack(batch) == 1 and g.state()["retrying"] == 0

    harness.in_time(extended)


def test_a_receive_may_set_its_own_deadline(group):
    g = group(1, **NOW)
    g.receive(ack_deadline="1s")
    assert g.receive(wait="60s")[0]["attempt"] == 2


def test_one_event_of_a_key_at_a_time(group):
    g = group(9, key=lambda i: f"k{i % 3}")
    first = g.receive(max=100)
    assert data(first) == [0, 1, 2] and g.receive() == []
    assert g.state()["blocked_keys"] == 3
    g.ack(first[1:2])
    assert data(g.receive()) == [4]
    g.ack(first)
    assert data(g.receive()) == [3, 5]


def test_a_key_that_waits_blocks_itself_alone_and_its_death_frees_it(group):
    g = group(6, key=lambda i: f"k{i % 2}", max_retries=1)

    def waits(seconds):
        g.client.post(f"{g.path}/seek", {"to": "earliest"}).expect(200)
        first = g.receive()
        began = time.monotonic()
        g.nack(first[:1], delay=f"{seconds}s")
        g.ack(first[1:])
        other = g.receive()
        g.ack(other)
        last = g.receive(max=1)
        if time.monotonic() - began > seconds:
            return False
        assert (data(first), data(other), data(last)) == ([0, 1], [1 + 2], [5])
        again = g.receive(wait="60s")
        assert data(again) == [0]
        g.nack(again)                                              # dead
        assert data(g.receive(wait="60s")) == [2]
        return True

    harness.in_time(waits)


def test_a_partitionkey_is_the_key(client, stream):
    client.create(stream)
    client.publish(stream, [{"type": "A", "subject": f"s{i}", "partitionkey": "same \"\\u00e9\"", "data": i} for i in range(3)])
    assert data(Group(client, stream).receive()) == [0]


def test_several_events_of_a_key_in_one_answer(group):
    g = group(6, key=lambda i: "k", key_batch=3, **NOW)
    batch = g.receive()
    assert data(batch) == [0, 1, 2] and g.receive() == []
    g.ack(batch[:1])
    assert g.nack(batch[1:2]) == 1                                 # the later one goes back uncounted
    again = g.receive(wait="60s")
    assert [(d["event"]["data"], d["attempt"]) for d in again] == [(1, 2), (2, 1), (3, 1)]


def test_only_the_types_of_the_group_come(client, stream):
    client.create(stream)
    client.publish(stream, [{"type": t, "data": t} for t in ("OrderPlaced", "OrderPaid", "Note", "OrderPlaced")])
    g = Group(client, stream, types=["OrderPl*", "Note"])
    assert data(g.receive()) == ["OrderPlaced", "Note", "OrderPlaced"]
    assert Group(client, stream, "none", types=["Other"]).receive() == []


def test_types_far_behind_are_found_by_one_call(client, stream):
    client.create(stream, partitions=2)
    for _ in range(5):
        client.publish(stream, [{"type": "Noise"}] * 10000)
    client.publish(stream, {"type": "Signal", "data": 1})
    g = Group(client, stream, types=["Signal"])
    assert data(g.receive()) == [1] and g.receive() == []


def test_a_cap_on_what_is_out(group):
    g = group(10, ordering="none", max_in_flight=4)
    first = g.receive(max=10)
    assert len(first) == 4 and g.receive() == []
    g.ack(first[:2])
    assert len(g.receive(max=10)) == 2


def test_a_cap_on_what_waits_for_retries(group):
    g = group(10, ordering="none", max_retrying=2, backoff={"initial": "1m"})
    g.nack(g.receive(max=2))
    assert g.receive() == []


def test_a_cap_on_what_is_skipped(group):
    g = group(20, key=lambda i: "k" if i < 15 else f"o{i}", max_skipped=5)
    first = g.receive()
    assert data(first) == [0] and g.receive() == []                # the others stand beyond the bound
    for expected in range(1, 10):
        g.ack(first)
        first = g.receive(max=1)
        assert data(first) == [expected]


def test_a_paused_group_gives_nothing_and_takes_acks(group, client):
    g = group(3)
    batch = g.receive(max=1)
    client.put(g.path, {"paused": True}).expect(200)
    assert g.receive() == [] and g.ack(batch) == 1
    client.put(g.path, {"paused": False}).expect(200)
    assert data(g.receive()) == [1, 2]


def test_a_waiting_receive_gets_the_event_at_once(group, client, stream):
    g = group()
    took = []

    def publish():
        time.sleep(0.5)
        took.append(time.monotonic())
        client2.publish(stream, {"type": "A", "data": "new"})

    client2 = harness.Client(client.gateway)
    other = threading.Thread(target=publish)
    other.start()
    batch = g.receive(wait="60s")
    woken = time.monotonic()
    other.join()
    client2.close()
    assert data(batch) == ["new"] and woken - took[0] < harness.WOKEN


def test_a_wait_ends_with_nothing(group):
    g = group()
    began = time.monotonic()
    assert g.receive(wait="1s") == [] and time.monotonic() - began > 0.9


def test_an_ack_elsewhere_wakes_who_waits_for_the_key(group, gateway):
    g = group(2, key=lambda i: "k")
    first = g.receive()
    other = harness.Client(gateway)
    timer = threading.Timer(0.5, lambda: other.post(f"{g.path}/ack", {"delivery_ids": [first[0]["delivery_id"]]}))
    began = time.monotonic()
    timer.start()
    assert data(g.receive(wait="60s")) == [1] and time.monotonic() - began < harness.WOKEN
    timer.join()
    other.close()


def test_what_a_client_that_left_was_given_goes_back(group, client, gateway, stream):
    g = group()
    one = harness.Client(gateway)
    with pytest.raises(Exception):
        one.post(f"{g.path}/receive", {"wait": "60s"}, timeout=0.5)
    one.close()
    time.sleep(0.3)
    client.publish(stream, {"type": "A", "data": 1})
    again = g.receive(wait="60s")
    assert data(again) == [1] and again[0]["attempt"] == 1


def test_a_seek_makes_what_is_out_stale(group, client):
    g = group(4)
    batch = g.receive(max=2)
    client.post(f"{g.path}/seek", {"to": "earliest"}).expect(200)
    assert g.ack(batch) == 0
    assert data(g.receive(max=10)) == [0, 1, 2, 3]
    client.post(f"{g.path}/seek", {"to": "latest"}).expect(200)
    assert g.receive() == [] and g.state()["in_flight"] == 0


def test_a_deleted_group_and_stream_are_unknown(group, client, stream):
    g = group(2)
    batch = g.receive(max=1)
    client.request("DELETE", g.path).expect(204)
    client.post(f"{g.path}/receive", {}).problem(404, "unknown-group")
    client.post(f"{g.path}/ack", {"delivery_ids": [batch[0]["delivery_id"]]}).problem(404, "unknown-group")
    again = Group(client, stream)
    assert again.ack(batch) == 0 and len(again.receive()) == 2     # another incarnation
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    client.post(f"{g.path}/receive", {}).problem(404, "unknown-stream")
    client.create(stream)
    client.post(f"{g.path}/receive", {}).problem(404, "unknown-group")


def test_what_retention_took_is_said_once(client, stream):
    client.create(stream)
    client.publish(stream, [{"type": "A", "data": i} for i in range(5)])
    g = Group(client, stream)
    first = g.receive(max=2)
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": "1s"}).expect(200)
    deadline = time.monotonic() + 60 * harness.SLOW
    while client.get(f"/v1/streams/{stream}").json()["events"] and time.monotonic() < deadline:
        time.sleep(0.2)
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": None}).expect(200)
    client.publish(stream, {"type": "A", "data": "new"})
    client.put(g.path, {}).expect(200)                             # what was read ahead is forgotten
    batch = g.receive(max=10)
    assert data(batch) == ["new"] and sorted(g.lost) == ["from", "to"]
    assert g.ack(first) == 0 and g.receive() == [] and g.lost is None
    client.publish(stream, {"type": "A", "data": "newer"})
    assert data(g.receive()) == ["newer"] and g.lost is None


BAD = [
    ("receive", {"max": 0}, "/max"), ("receive", {"max": 1001}, "/max"), ("receive", {"wait": "61s"}, "/wait"),
    ("receive", {"wait": 5}, "/wait"), ("receive", {"ack_deadline": "0s"}, "/ack_deadline"), ("receive", {"x": 1}, "/x"),
    ("ack", {}, "/delivery_ids"), ("ack", {"delivery_ids": []}, "/delivery_ids"), ("ack", {"delivery_ids": "x"}, "/delivery_ids"),
    ("ack", {"delivery_ids": [1]}, "/delivery_ids/0"), ("ack", {"delivery_ids": ["AAAA", "!"]}, "/delivery_ids/0"),
    ("ack", {"delivery_ids": ["ij4BgYCAAQEAAQ"], "delay": "1s"}, "/delay"),
    ("nack", {"delivery_ids": ["ij4BgYCAAQEAAQ"], "delay": "8d"}, "/delay"),
    ("nack", {"delivery_ids": ["ij4BgYCAAQEAAQ"], "error": "x"}, "/error"),
    ("nack", {"delivery_ids": ["ij4BgYCAAQEAAQ"], "error": {"type": "A"}}, "/error/message"),
    ("nack", {"delivery_ids": ["ij4BgYCAAQEAAQ"], "error": {"type": "A", "message": 1}}, "/error/message"),
    ("reject", {"delivery_ids": ["ij4BgYCAAQEAAQ"], "error": {"type": "A", "message": "m", "context": []}}, "/error/context"),
    ("extend", {"delivery_ids": ["ij4BgYCAAQEAAQ"]}, "/by"), ("extend", {"delivery_ids": ["ij4BgYCAAQEAAQ"], "by": "13h"}, "/by"),
]


@pytest.mark.parametrize("call, body, pointer", BAD)
def test_bad_input_is_told_where_and_why(group, call, body, pointer):
    g = group()
    problem = g.client.post(f"{g.path}/{call}", body).problem(400, "bad-body")
    assert problem["errors"][0]["pointer"] == pointer


def test_a_body_that_is_not_json_is_refused(group):
    g = group()
    g.client.post(f"{g.path}/ack", b'{"delivery_ids":[}').problem(400, "bad-json")
    g.client.post(f"{g.path}/ack", b"{}", content_type="text/plain").problem(415, "unsupported-media-type")


def test_ids_of_elsewhere_are_stale(group, client):
    g = group(1)
    other = Group(client, g.path.split("/")[3], "other")
    assert other.ack(g.receive()) == 0
    assert g.call("ack", [{"delivery_id": "ij4BgYCAAQEAAQ"}]) == 0


def test_an_error_is_cut(group, client, stream):
    g = group(1)
    g.call("reject", g.receive(), error={"type": "T" * 300, "message": "é" * 20000, "stack": "s" * 40000, "context": {"a": "b" * 40000}})
    letter, = client.get(f"/v1/streams/{stream}/dlq").json()["items"]
    assert len(letter["error"]["type"]) == 200 and letter["error"]["truncated"] is True and "context" not in letter["error"]
    assert len(str(letter["error"]).encode()) < 17000 and letter["error"]["message"].startswith("éé")


def test_rights(group, stream):
    g = group(1)
    for call in ("receive", "ack", "nack", "reject", "extend"):
        body = {} if call == "receive" else {"delivery_ids": ["ij4BgYCAAQEAAQ"], **({"by": "1s"} if call == "extend" else {})}
        g.client.post(f"{g.path}/{call}", body, token=harness.mint(f"publish:{stream} manage:{stream}")).problem(403, "insufficient-scope")
        g.client.post(f"{g.path}/{call}", body, token=harness.mint(f"subscribe:{stream}")).expect(200)


def test_large_answers_end_early_and_nothing_is_lost(client, stream):
    client.create(stream)
    for i in range(12):
        client.publish(stream, {"type": "A", "data": f"{i:02}" + "x" * 1000000})
    g = Group(client, stream, ordering="none", **NOW)
    first = g.receive(max=100)
    assert 1 <= len(first) < 12
    second = g.receive(max=100)
    assert [d[:2] for d in data(first + second)] == [f"{i:02}" for i in range(12)]
    g.nack(first + second)
    again = []
    while len(again) < 12:
        again += (more := g.receive(max=100, wait="60s"))
        assert more
    assert sorted(d[:2] for d in data(again)) == [f"{i:02}" for i in range(12)] and all(d["attempt"] == 2 for d in again)
