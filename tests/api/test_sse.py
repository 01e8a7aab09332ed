"""Server-sent events: framing, resuming, filters, gaps, keep-alives, the token's end."""
import random
import threading
import time

import harness
import pytest


def publish_numbers(client, stream, numbers, **more):
    return client.publish(stream, [{"type": "N", "data": n, **more} for n in numbers])


def data(found):
    return [event["data"] for _, event in found]


def test_the_form_of_the_stream(client, stream, subscribe):
    publish_numbers(client, stream, [1, 2])
    reader = subscribe(stream)
    assert reader.status == 200 and reader.headers["content-type"] == "text/event-stream"
    assert reader.headers["cache-control"] == "no-store" and reader.headers["x-accel-buffering"] == "no"
    assert reader.headers["x-request-id"]
    first = reader.next()
    assert first.lines[0] == "retry: 2000" and len(first.lines) == 2 and first.id and first.data is None
    one, two, done = reader.next(), reader.next(), reader.next()
    for block, number in ((one, 1), (two, 2)):
        assert [line.partition(":")[0] for line in block.lines] == ["id", "data"] and block.json()["data"] == number
        assert not harness.CONTRACT.errors({"$ref": "#/components/schemas/CloudEvent"}, block.json())
    assert done.event == "up-to-date" and done.id == two.id and done.json() == {"cursor": two.id}
    live = publish_numbers(client, stream, [3])
    cursor, event = reader.events(1)[0]
    assert event["data"] == 3 and event["offset"] == live[0]["offset"]
    assert client.read(stream, after=cursor)["events"] == []


def test_up_to_date_comes_once_and_keep_alives_carry_the_position(client, stream, subscribe):
    client.create(stream)
    reader = subscribe(stream)
    assert [b.event for b in reader.up_to_date()] == [None, "up-to-date"]
    alive = reader.until(lambda b: b.comment is not None)
    assert [b.event for b in alive] == [None] and alive[0].comment == "keep-alive" and alive[0].id
    publish_numbers(client, stream, [1])
    later = reader.until(lambda b: b.comment is not None)
    assert [b.event for b in later] == [None] * len(later)
    with_data = [b for b in later if b.data]
    assert [b.json()["data"] for b in with_data] == [1] and later[-1].id == with_data[-1].id


def test_a_reader_resumes_at_every_place(client, stream, subscribe):
    client.create(stream, partitions=3)
    client.publish(stream, [{"type": "N", "subject": str(n % 7), "data": n} for n in range(30)])
    reader = subscribe(stream)
    blocks = reader.up_to_date()
    ids, seen = [b.id for b in blocks], []
    for i, block in enumerate(blocks):
        if block.data and block.event is None:
            seen.append(block.json()["data"])
        if i in (0, 1, 10, 17, 30, 31):
            for options in ({"headers": {"Last-Event-ID": ids[i]}, "after": "latest"}, {"last_event_id": ids[i], "after": "latest"},
                            {"after": ids[i]}):
                again = subscribe(stream, **options)
                rest = [b.json()["data"] for b in again.up_to_date() if b.data and b.event is None]
                assert sorted(seen + rest) == list(range(30))
                again.close()


@pytest.mark.parametrize("after", ["earliest", "latest"])
def test_history_goes_over_into_live_events_without_a_seam(client, gateway, stream, subscribe, after):
    client.create(stream, partitions=2)
    stop, sent = threading.Event(), []

    def publish():
        one, n = harness.Client(gateway), 0
        while not stop.is_set():
            batch = list(range(n, n + 20))
            publish_numbers(one, stream, batch)
            sent.extend(batch)
            n += 20
        one.close()

    writer = threading.Thread(target=publish)
    writer.start()
    try:
        time.sleep(0.3)
        readers = [subscribe(stream, after=after) for _ in range(5)]
        time.sleep(1)
    finally:
        stop.set()
        writer.join()
    publish_numbers(client, stream, [-1])
    for reader in readers:
        blocks = reader.until(lambda b: b.data is not None and b.event is None and b.json()["data"] == -1, 60)
        events = [b.json() for b in blocks if b.data and b.event is None]
        for partition in (0, 1):
            offsets = [int(e["offset"]) for e in events if e["partition"] == partition]
            assert offsets == list(range(offsets[0], offsets[0] + len(offsets))) if offsets else after == "latest"
        if after == "earliest":
            assert sorted(e["data"] for e in events)[1:] == sent


def test_filters_and_partitions(client, stream, subscribe):
    client.create(stream, partitions=4)
    receipts = client.publish(stream, [{"type": f"T{n % 3}", "subject": f"s{n % 8}", "data": n} for n in range(24)])
    mine = receipts[0]["partition"]
    cases = [({"type": "T1"}, lambda n: n % 3 == 1), ({"type": ["T0", "*2"]}, lambda n: n % 3 != 1),
             ({"subject": "s3", "type": "T*"}, lambda n: n % 8 == 3),
             ({"partition": mine}, lambda n: receipts[n]["partition"] == mine)]
    for query, wanted in cases:
        reader = subscribe(stream, **query)
        got = [b.json()["data"] for b in reader.up_to_date() if b.data and b.event is None]
        assert sorted(n for n in got if n >= 0) == [n for n in range(24) if wanted(n)]
        client.publish(stream, [{"type": "Other", "subject": "other", "data": -2}, {"type": "T1", "subject": "s3", "data": -1}])
        if query.get("partition") is None and "T1" in str(query.get("type")):
            assert data(reader.events(1)) == [-1]
        reader.close()


def test_a_resumed_filter_repeats_nothing(client, stream, subscribe):
    publish_numbers(client, stream, range(50))
    reader = subscribe(stream, type="Nothing")
    position = reader.up_to_date()[-1].id
    assert position != subscribe(stream, after="earliest").next().id
    client.publish(stream, {"type": "Nothing", "data": "now"})
    assert data(subscribe(stream, type="*", headers={"Last-Event-ID": position}).events(1)) == ["now"]


def test_data_is_one_line_whatever_was_sent(client, stream, subscribe):
    body = b'{"type":"A","data":{\r\n "text" : "a\\nb",\n "n": 12345678901234567890.10\r}}'
    client.post(harness.events_path(stream), body).expect(201)
    block = subscribe(stream).until(lambda b: b.data is not None)[-1]
    assert len([line for line in block.lines if line.startswith("data:")]) == 1
    assert '"n": 12345678901234567890.10' in block.data and block.json()["data"]["text"] == "a\nb"


def test_a_gap_is_told_and_the_stream_goes_on(client, stream, subscribe):
    client.create(stream)
    publish_numbers(client, stream, [1, 2, 3])
    old = client.read(stream, limit=1)["cursor"]
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": "1s"}).expect(200)
    deadline = time.monotonic() + 60 * harness.SLOW
    while client.get(f"/v1/streams/{stream}").json()["events"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": None}).expect(200)
    publish_numbers(client, stream, [4])
    reader = subscribe(stream, after=old)
    blocks = reader.up_to_date()
    gap = next(b for b in blocks if b.event == "gap")
    assert gap.json()["from"] == old and gap.json()["to"] == gap.id != old
    assert [b.json()["data"] for b in blocks if b.data and b.event is None] == [4]
    assert data(subscribe(stream, after=gap.json()["to"]).events(1)) == [4]


def test_cursors_that_are_no_good_are_refused_before_the_stream_begins(client, stream, subscribe):
    publish_numbers(client, stream, [1])
    cursor = client.read(stream)["cursor"]
    other = f"{stream}.other"
    publish_numbers(client, other, [1])
    subscribe(other, after=cursor).answer.problem(400, "cursor-foreign")
    subscribe(other, headers={"Last-Event-ID": "garbage"}).answer.problem(400, "bad-cursor")
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    client.create(stream)
    subscribe(stream, after=cursor).answer.problem(410, "cursor-unknown")
    subscribe(f"{stream}.none").answer.problem(404, "unknown-stream")


def test_the_stream_ends_exactly_at_the_tokens_end(client, gateway, stream, subscribe):
    client.create(stream)

    def ends(seconds):
        expires = time.time() + seconds
        reader = subscribe(stream, token=harness.mint(f"subscribe:{stream}", exp=expires))
        return harness.late(reader, expires)

    harness.exactly(ends)


def test_a_slow_reader_gets_everything(client, stream, subscribe):
    """More than sockets and the ring hold, so that it falls back to the database."""
    client.create(stream)
    reader = subscribe(stream)
    reader.up_to_date()
    count, big = 60, "x" * 200_000
    for n in range(count):
        client.publish(stream, {"type": "Big", "data": [n, big]})
    found = reader.events(count, 60)
    assert [event["data"][0] for _, event in found] == list(range(count))


def test_many_readers_get_each_event_soon(client, stream, subscribe):
    client.create(stream)
    readers = [subscribe(stream) for _ in range(100)]
    for reader in readers:
        reader.up_to_date()
    for n in range(5):
        publish_numbers(client, stream, [n])
    assert all(data(reader.events(5)) == list(range(5)) for reader in readers)


def test_readers_that_come_and_go_leave_nothing(client, gateway, stream, subscribe):
    client.create(stream)

    def open_streams():
        text = client.get("/metrics").body.decode()
        return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith("weir_http_event_streams "))))

    before = open_streams()
    for _ in range(5):
        readers = [subscribe(stream) for _ in range(20)]
        publish_numbers(client, stream, [random.random()])
        for reader in readers:
            reader.close()
    deadline = time.monotonic() + 60 * harness.SLOW
    while open_streams() > before:
        assert time.monotonic() < deadline, "event streams stay open after their readers left"
        time.sleep(0.1)


def test_deleting_the_stream_ends_its_readers(client, stream, subscribe):
    publish_numbers(client, stream, [1])
    reader = subscribe(stream)
    reader.up_to_date()
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    reader.end()
