"""A group that is managed on one gateway while consumers are at work on others."""
import threading
import time

import harness
import pytest


SECOND = {"WEIR_GROUPS_PER_STREAM": "2"}


@pytest.fixture
def beside(gateway, second):
    one = harness.Client(second, gateway.token)
    yield one
    one.close()


def receive(client, path, count=10, **body):
    return client.post(path + "/receive", {"max": count, **body}).expect(200).json()["deliveries"]


def finish(client, path, deliveries, how="ack"):
    ids = [d["delivery_id"] for d in deliveries]
    return client.post(f"{path}/{how}", {"delivery_ids": ids}).expect(200).json() if ids else {"done": [], "stale": []}


def test_a_change_on_one_gateway_holds_on_the_other(client, beside, stream):
    path = f"/v1/streams/{stream}/groups/g"
    client.create(stream)
    client.put(path, {"start": "earliest"}).expect(201)
    client.publish(stream, [{"type": "AB"[i % 2], "data": i} for i in range(20)])
    taken = receive(beside, path, 3)
    assert len(taken) == 3
    client.put(path, {"paused": True}).expect(200)
    assert receive(beside, path) == []
    assert finish(beside, path, taken[:1])["done"]                 # what is out can be finished
    client.put(path, {"types": ["B"]}).expect(200)
    assert {d["event"]["type"] for d in receive(beside, path, 5)} == {"B"}
    client.post(path + "/seek", {"to": "earliest"}).expect(200)
    assert finish(beside, path, taken[1:])["stale"] == [d["delivery_id"] for d in taken[1:]]
    assert [d["event"]["data"] for d in receive(beside, path, 3)] == [1, 3, 5]
    client.request("DELETE", path).expect(204)
    beside.post(path + "/receive", {}).problem(404, "unknown-group")
    beside.post(path + "/ack", {"delivery_ids": [taken[0]["delivery_id"]]}).problem(404, "unknown-group")
    client.put(path, {"start": "earliest"}).expect(201)
    assert len(receive(beside, path, 20)) == 20
    assert finish(beside, path, taken)["done"] == []               # of another incarnation


def test_a_waiting_receive_hears_of_a_change(client, beside, gateway, stream):
    path = f"/v1/streams/{stream}/groups/g"
    client.create(stream)
    client.publish(stream, [{"type": "A"}] * 3)
    client.put(path, {}).expect(201)
    for mover in (client, beside):
        got, waiter = [], harness.Client(gateway)
        thread = threading.Thread(target=lambda: got.extend(receive(waiter, path, 10, wait="60s")))
        began = time.monotonic()
        thread.start()
        time.sleep(0.3)
        mover.post(path + "/seek", {"to": "earliest"}).expect(200)
        thread.join()
        waiter.close()
        assert len(got) == 3 and time.monotonic() - began < harness.WOKEN
        finish(client, path, got)


def test_a_stream_has_so_many_groups_and_no_more(beside, stream):
    beside.create(stream)
    for name in "ab":
        beside.put(f"/v1/streams/{stream}/groups/{name}", {}).expect(201)
    beside.put(f"/v1/streams/{stream}/groups/c", {}).problem(409, "conflict")
    beside.put(f"/v1/streams/{stream}/groups/b", {"paused": True}).expect(200)
    beside.request("DELETE", f"/v1/streams/{stream}/groups/a").expect(204)
    beside.put(f"/v1/streams/{stream}/groups/c", {}).expect(201)


def test_management_and_consumers_of_two_gateways_do_not_keep_each_other_out(client, beside, gateway, second, stream):
    """While all are at work nobody is refused, and what is left in the end is finished once each."""
    path, events = f"/v1/streams/{stream}/groups/g", 400
    client.create(stream, partitions=2)
    client.publish(stream, [{"type": "A", "subject": f"s{i % 50}", "data": i} for i in range(events)])
    client.put(path, {"start": "earliest"}).expect(201)
    stop, sought, failures, done = threading.Event(), threading.Event(), [], []

    def consume(server):
        one = harness.Client(server, gateway.token)
        try:
            while not stop.is_set():
                taken, counts = receive(one, path, 7), sought.is_set()
                ids = set(finish(one, path, taken)["done"])
                done.extend(d["event"]["data"] for d in taken if counts and d["delivery_id"] in ids)
        except AssertionError as error:
            failures.append(error)
        one.close()

    threads = [threading.Thread(target=consume, args=(server,)) for server in (gateway, second) * 2]
    for thread in threads:
        thread.start()
    for n in range(30):
        (client, beside)[n % 2].put(path, {"max_retries": n}).expect(200)
        (client, beside)[n % 2].get(path).expect(200)
        (client, beside)[n % 2].get(path + "/explain").expect(200)
    for n in range(5):
        beside.post(path + "/seek", {"to": "earliest"}).expect(200)
    sought.set()                                                   # what was finished before that comes again
    deadline = time.monotonic() + 60 * harness.SLOW
    while client.get(path).json()["lag"]["events"] and time.monotonic() < deadline:
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    status = client.get(path).json()
    assert (status["lag"]["events"], status["dead"], status["max_retries"]) == (0, 0, 29)
    assert len(done) == len(set(done)) and set(done) <= set(range(events))


KEYED = [{"type": "T", "data": 0, "subject": "s"},
         {"type": "T", "data": 1, "subject": "other", "partitionkey": 's"\\ü'},
         {"type": "T", "data": 2, "subject": "s"},
         {"type": "T", "data": 3, "subject": "third", "partitionkey": 's"\\ü'},
         {"type": "T", "data": 4}, {"type": "T", "data": 5}]


@pytest.mark.parametrize("partitions", [1, 4])
def test_another_gateway_knows_which_keys_are_out(client, beside, stream, partitions):
    """A lease does not name keys: who loads it finds them among the events."""
    path = f"/v1/streams/{stream}/groups/g"
    client.create(stream, partitions=partitions)
    client.put(path, {"start": "earliest"}).expect(201)
    client.publish(stream, KEYED)
    taken = receive(client, path)
    assert sorted(d["event"]["data"] for d in taken) == [0, 1, 4, 5]
    assert receive(beside, path) == []
    finish(client, path, [d for d in taken if d["event"]["data"] == 1])
    third = receive(beside, path)
    assert [d["event"]["data"] for d in third] == [3]
    finish(beside, path, [d for d in taken if d["event"]["data"] == 0])
    assert [d["event"]["data"] for d in receive(client, path)] == [2]


def test_a_group_that_becomes_ordered_orders_what_is_out(client, beside, stream):
    path = f"/v1/streams/{stream}/groups/g"
    client.create(stream)
    client.put(path, {"start": "earliest", "ordering": "none"}).expect(201)
    client.publish(stream, [{"type": "T", "data": i, "subject": "s"} for i in range(3)])
    first = receive(client, path, 1)
    client.put(path, {"ordering": "key"}).expect(200)
    assert receive(client, path) == receive(beside, path) == []
    finish(beside, path, first)
    assert [d["event"]["data"] for d in receive(client, path)] == [1]
