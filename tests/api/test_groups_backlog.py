"""A group that is far behind: pages are read ahead while the lane works, and events of all sizes are among them."""
import random

import harness
import pytest

SECOND = {"WEIR_GROUPS_PAGE_BYTES": "64KiB", "WEIR_GROUPS_ANSWER_BYTES": "64KiB"}   # many pages
SIZES = (20, 200, 900, 30_000, 70_000)


@pytest.fixture(params=["pages as usual", "small pages"])
def client(request, gateway):
    other = None if request.param == "pages as usual" else request.getfixturevalue("second")
    one = harness.Client(other or gateway, gateway.token)
    yield one
    one.close()


def data(rng, size):
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyzäöü€", k=size))


def make(client, stream, partitions, runs, name="g", **settings):
    """Events in runs of one size; what each is, by its id."""
    rng, known = random.Random(stream), {}
    client.create(stream, partitions=partitions)
    for run in range(runs):
        size = SIZES[0] if run % 2 else rng.choice(SIZES)
        events = [{"id": f"{run}-{i}", "type": rng.choice(["A", "B"]), "partitionkey": f"k{rng.randrange(7)}", "data": data(rng, size)}
                  for i in range(rng.randint(1, 400 if size < 1000 else 8))]
        known.update((event["id"], event) for event in events)
        client.publish(stream, events)
    path = f"/v1/streams/{stream}/groups/{name}"
    client.put(path, {"start": "earliest", "ordering": "none", **settings}).expect(201)
    return path, known


def receive(client, path, n):
    return client.post(path + "/receive", {"max": n}, timeout=60).expect(200).json()["deliveries"]


def ack(client, path, deliveries):
    answer = client.post(path + "/ack", {"delivery_ids": [one["delivery_id"] for one in deliveries]}).expect(200).json()
    assert not answer["stale"]


def drain(client, path, rng, between=lambda: None):
    """All events, in the order in which they came."""
    events = []
    while got := receive(client, path, rng.choice([1, 7, 100, 1000])):
        events += [one["event"] for one in got]
        assert all(one["attempt"] == 1 for one in got)
        between()
        ack(client, path, got)
    return events


def check(events, known):
    assert len(events) == len(known) and {event["id"] for event in events} == set(known)
    for event in events:
        assert event["data"] == known[event["id"]]["data"] and event["type"] == known[event["id"]]["type"]
    for partition in {event["partition"] for event in events}:
        offsets = [int(event["offset"]) for event in events if event["partition"] == partition]
        assert offsets == sorted(offsets)


def test_events_of_all_sizes_come_once_whole_and_in_order(client, stream):
    path, known = make(client, stream, 3, 24)
    check(drain(client, path, random.Random(1)), known)


def test_what_types_pass_over_is_read_ahead_too(client, stream):
    path, known = make(client, stream, 2, 16, types=["B"])
    check(drain(client, path, random.Random(2)), {key: event for key, event in known.items() if event["type"] == "B"})


def test_a_seek_forgets_what_was_read_ahead(client, stream):
    path, known = make(client, stream, 1, 12)
    first = [one["event"]["id"] for one in receive(client, path, 50)]
    for _ in range(10):
        client.post(path + "/seek", {"to": "earliest"}).expect(200)
        assert [one["event"]["id"] for one in receive(client, path, 50)] == first
    client.post(path + "/seek", {"to": "earliest"}).expect(200)
    check(drain(client, path, random.Random(3)), known)


def test_a_group_and_a_stream_may_go_while_they_are_read_ahead(client, stream):
    path, _ = make(client, stream, 1, 12)
    for _ in range(10):
        assert receive(client, path, 10)
        client.request("DELETE", path).expect(204)
        client.put(path, {"start": "earliest"}).expect(201)
    assert receive(client, path, 10)
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    assert client.post(path + "/receive", {}).status == 404


def test_whoever_reads_ahead_may_lose_its_connection(client, gateway, stream):
    """The lane reads by itself then: nothing is lost, nothing comes twice."""
    path, known = make(client, stream, 2, 8)

    def end_readers():
        harness.psql(gateway, "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'weir'"
                              " and pid <> pg_backend_pid()")

    check(drain(client, path, random.Random(4), end_readers), known)
