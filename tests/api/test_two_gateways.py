"""Two gateways on one database: no state in the process that another would need."""
import statistics
import threading
import time

import harness
import pytest

SECOND = {"WEIR_TAIL_POLL": "30s"}         # what it hears sooner it has been told


@pytest.fixture
def clients(gateway, second):
    pair = harness.Client(gateway), harness.Client(second, gateway.token)
    yield pair
    for one in pair:
        one.close()


def test_tokens_cursors_and_streams_hold_on_both(clients, stream):
    first, second = clients
    first.create(stream, partitions=4)
    receipts = first.publish(stream, [{"type": "A", "subject": f"s{i}", "data": i} for i in range(10)])
    cursor = first.read(stream, limit=5)["cursor"]
    assert len(second.read(stream, after=cursor)["events"]) == 5
    again = second.post(harness.events_path(stream), {"type": "A", "subject": "s0", "data": 0, "expectedversion": 0})
    again.problem(412, "version-conflict")
    assert second.publish(stream, {"type": "A", "subject": "s0"})["version"] == 2
    assert second.publish(stream, {"type": "A", "subject": "s1"})["partition"] == receipts[1]["partition"]


def test_a_stream_changed_on_one_is_changed_on_the_other(clients, stream):
    first, second = clients
    first.create(stream)
    second.publish(stream, {"type": "A", "id": "1"})
    first.request("DELETE", f"/v1/streams/{stream}").expect(204)
    first.create(stream, partitions=3)
    receipts = second.publish(stream, [{"type": "A", "subject": f"s{i}"} for i in range(30)])
    assert len({r["partition"] for r in receipts}) == 3
    assert len(first.read_all(stream)) == 30 == len(second.read_all(stream))


def test_an_id_is_known_on_both(clients, stream):
    first, second = clients
    event = {"type": "A", "id": "once", "data": 1}
    receipt = first.publish(stream, event)
    assert second.post(harness.events_path(stream), event).expect(200).json() == {**receipt, "duplicate": True}


def test_the_same_events_sent_to_both_are_recorded_once(clients, stream):
    first, _ = clients
    first.create(stream, partitions=2)
    batches = [[{"type": "A", "id": f"{n}-{i}", "data": i} for i in range(10)] for n in range(30)]
    statuses = []

    def send(client):
        for batch in batches:
            statuses.append(client.post(harness.events_path(stream), batch).status)

    threads = [threading.Thread(target=send, args=(one,)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 60 and set(statuses) <= {200, 201}
    assert sorted(e["id"] for e in first.read_all(stream, limit=1000)) == sorted(e["id"] for b in batches for e in b)


def test_subscribers_of_the_other_gateway_hear_at_once(clients, second, gateway, stream, subscribe):
    first, _ = clients
    first.create(stream)
    reader = subscribe(stream, gateway=second, token=gateway.token)
    reader.up_to_date()
    delays = []
    for n in range(30):
        sent = time.monotonic()
        first.publish(stream, {"type": "A", "data": n})
        block = reader.until(lambda b: b.data is not None and b.event is None)[-1]
        assert block.json()["data"] == n
        delays.append(block.at - sent)
        time.sleep(0.02)
    assert statistics.median(delays) < 5 * harness.SLOW, delays


def test_a_long_poll_on_the_other_gateway_wakes(clients, stream):
    first, second = clients
    first.create(stream)
    timer = threading.Timer(0.5, lambda: first.publish(stream, {"type": "A"}))
    timer.start()
    began = time.monotonic()
    assert len(second.read(stream, wait="60s")["events"]) == 1
    timer.join()
    assert time.monotonic() - began < harness.WOKEN


def test_both_publish_and_readers_of_both_see_the_same(clients, second, gateway, stream, subscribe):
    first, _ = clients
    first.create(stream, partitions=3)
    readers = [subscribe(stream), subscribe(stream, gateway=second, token=gateway.token)]

    def send(client, name):
        for n in range(60):
            client.publish(stream, [{"type": "A", "data": [name, n]}, {"type": "A", "data": [name, n]}])

    threads = [threading.Thread(target=send, args=(one, i)) for i, one in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    per_reader = []
    for reader in readers:
        events = [event for _, event in reader.events(240, 60)]
        for partition in range(3):
            offsets = [int(e["offset"]) for e in events if e["partition"] == partition]
            assert offsets == list(range(1, len(offsets) + 1))
        per_reader.append({(e["partition"], e["offset"]): e["data"] for e in events})
    assert per_reader[0] == per_reader[1]
