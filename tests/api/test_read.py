"""Read in pages: order, filters, cursors, representations, the loss contract."""
import datetime
import threading
import time

import harness
import pytest

BATCH, NDJSON = "application/cloudevents-batch+json", "application/x-ndjson"


def fill(client, stream, count=20, partitions=3, **more):
    client.create(stream, partitions=partitions, **more)
    return client.publish(stream, [{"type": "Odd" if i % 2 else "Even", "subject": f"order-{i % 5}", "data": i}
                                   for i in range(count)])


def numbers(page):
    return sorted(e["data"] for e in page["events"])


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_pages_follow_each_other_without_gap_or_repeat(client, stream):
    fill(client, stream, 100)
    seen, cursor, pages = [], "earliest", 0
    while True:
        page = client.read(stream, after=cursor, limit=7)
        seen += [(e["partition"], int(e["offset"]), e["data"]) for e in page["events"]]
        cursor, pages = page["cursor"], pages + 1
        if page["up_to_date"]:
            break
        assert len(page["events"]) == 7
    assert sorted(n for _, _, n in seen) == list(range(100)) and pages >= 15
    for partition in range(3):
        offsets = [offset for p, offset, _ in seen if p == partition]
        assert offsets == list(range(1, len(offsets) + 1))
    empty = client.read(stream, after=cursor)
    assert empty["events"] == [] and empty["up_to_date"] is True
    client.publish(stream, {"type": "Late", "data": -1})
    assert numbers(client.read(stream, after=empty["cursor"])) == [-1]


def test_latest_is_the_end_and_earliest_the_beginning(client, stream):
    fill(client, stream, 5)
    end = client.read(stream, after="latest")
    assert end["events"] == [] and end["up_to_date"]
    client.publish(stream, {"type": "New", "data": 100})
    assert numbers(client.read(stream, after=end["cursor"])) == [100]
    assert len(client.read(stream, after="earliest")["events"]) == 6 == len(client.read(stream)["events"])


def test_an_empty_stream_gives_a_cursor_that_works(client, stream):
    client.create(stream, partitions=2)
    cursor = client.read(stream)["cursor"]
    client.publish(stream, {"type": "A", "data": 1})
    assert numbers(client.read(stream, after=cursor)) == [1]


@pytest.mark.parametrize("query, wanted", [
    ({"type": "Odd"}, lambda i: i % 2 == 1), ({"type": "O*"}, lambda i: i % 2 == 1), ({"type": "*"}, lambda i: True),
    ({"type": ["Odd", "Even"]}, lambda i: True), ({"type": "odd"}, lambda i: False), ({"type": "*d*"}, lambda i: i % 2 == 1),
    ({"subject": "order-1"}, lambda i: i % 5 == 1), ({"subject": ["order-1", "*-2"]}, lambda i: i % 5 in (1, 2)),
    ({"subject": "order"}, lambda i: False), ({"type": "Even", "subject": "*-4"}, lambda i: i % 2 == 0 and i % 5 == 4),
    ({"type": "E*n", "limit": 3}, lambda i: i % 2 == 0), ({"type": "Nothing*"}, lambda i: False),
])
def test_filters(client, stream, query, wanted):
    fill(client, stream, 40)
    assert sorted(e["data"] for e in client.read_all(stream, **query)) == [i for i in range(40) if wanted(i)]


def test_a_filter_that_passes_everything_over_moves_the_cursor(client, stream):
    fill(client, stream, 30)
    page = client.read(stream, type="Nothing")
    assert page["events"] == [] and page["up_to_date"]
    assert client.read(stream, after=page["cursor"])["events"] == []


def test_a_scan_that_ends_early_says_so_and_goes_on(client, gateway, stream):
    client.create(stream)
    client.publish(stream, [{"type": "Noise"}] * 250 + [{"type": "Signal", "data": 1}])
    other = harness.serve(gateway.database_url, {"WEIR_READ_SCAN_EVENTS": "100"})
    try:
        reader = harness.Client(other, client.token)
        first = reader.read(stream, type="Signal")
        assert first["events"] == [] and first["up_to_date"] is False
        assert numbers({"events": reader.read_all(stream, type="Signal")}) == [1]
    finally:
        assert other.stop() == 0
        harness.remove(other)


def test_large_events_end_a_page_early(client, stream):
    client.create(stream)
    for i in range(3):
        client.publish(stream, [{"type": "A", "data": [i, "x" * 900_000]} for _ in range(5)])
    page = client.read(stream)
    assert 1 <= len(page["events"]) < 15 and page["up_to_date"] is False
    assert len(client.read_all(stream)) == 15


def test_one_partition_alone(client, stream):
    receipts = fill(client, stream, 60)
    for partition in range(3):
        got = client.read_all(stream, partition=partition, limit=9)
        assert [e["offset"] for e in got] == [r["offset"] for r in receipts if r["partition"] == partition]
    for bad in ("3", "-1", "x", "", "1.0"):
        client.get(harness.events_path(stream, partition=bad)).problem(400, "bad-parameter")


def test_from_time_begins_at_a_time(client, stream):
    before = now()
    fill(client, stream, 10)
    time.sleep(0.05)
    between = now()
    time.sleep(0.05)
    client.publish(stream, [{"type": "Late", "data": 100 + i} for i in range(5)])
    assert numbers(client.read(stream, from_time=between)) == [100, 101, 102, 103, 104]
    assert len(client.read(stream, from_time=before)["events"]) == 15
    recorded = next(e for e in client.read(stream)["events"] if e["data"] == 100)["recordedtime"]
    assert 100 in numbers(client.read(stream, from_time=recorded))
    assert client.read(stream, from_time="2999-01-01T00:00:00Z")["events"] == []
    assert len(client.read(stream, from_time="1999-01-01T00:00:00+02:00")["events"]) == 15
    for bad in ("yesterday", "2026-01-01", "2026-13-01T00:00:00Z", ""):
        client.get(harness.events_path(stream, from_time=bad)).problem(400, "bad-parameter")
    client.get(harness.events_path(stream, from_time=between, after="earliest")).problem(400, "bad-parameter")


@pytest.mark.parametrize("accept, form", [
    (None, "json"), ("*/*", "json"), ("application/json", "json"), ("application/*", "json"), (BATCH, BATCH), (NDJSON, NDJSON),
    (f"{NDJSON};q=0.5, {BATCH}", BATCH), (f"text/html, {NDJSON};q=0.1", NDJSON), (f"application/json;q=0, {NDJSON}", NDJSON),
])
def test_representations(client, stream, accept, form):
    fill(client, stream, 4)
    answer = client.get(harness.events_path(stream), headers={"Accept": accept} if accept else {}).expect(200)
    whole = client.read(stream)
    if form == "json":
        assert answer.headers["content-type"] == "application/json" and answer.json() == whole
        return
    assert answer.headers["content-type"] == form and answer.headers["weir-cursor"] == whole["cursor"]
    assert (answer.json() if form == BATCH else answer.lines()) == whole["events"]


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0"])
def test_an_unknown_representation_is_not_acceptable(client, stream, accept):
    client.create(stream)
    client.get(harness.events_path(stream), headers={"Accept": accept}).problem(406, "not-acceptable")


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=-1", "limit=1e3", "limit=", "wait=61s", "wait=5", "wait=-1s",
                                   "nonsense=1", "Type=A", "after=earliest&after=latest", "limit=1&limit=2"])
def test_wrong_parameters(client, stream, query):
    client.create(stream)
    client.get(f"{harness.events_path(stream)}?{query}").problem(400, "bad-parameter")


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "latest!", "a" * 3000, "Earliest", "%00"])
def test_a_malformed_cursor(client, stream, cursor):
    client.create(stream)
    code = client.get(f"{harness.events_path(stream)}?after={cursor}").expect(400).json()["code"]
    assert code == ("bad-parameter" if cursor == "%00" else "bad-cursor")


def test_every_altered_cursor_is_refused(client, stream):
    fill(client, stream, 5)
    cursor = client.read(stream)["cursor"]
    for at in range(len(cursor)):
        altered = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1:]
        client.get(harness.events_path(stream, after=altered)).problem(400, "bad-cursor")
    client.get(harness.events_path(stream, after=cursor[:-1])).problem(400, "bad-cursor")


def test_cursors_of_other_streams_and_of_one_partition(client, stream):
    receipts = fill(client, stream, 5)
    one = f"{stream}.one"
    single = client.publish(one, [{"type": "A", "data": 1}, {"type": "A", "data": 2}])
    client.get(harness.events_path(stream, after=client.read(one)["cursor"])).problem(400, "cursor-foreign")
    client.get(harness.events_path(stream, after=receipts[0]["cursor"])).problem(400, "cursor-partial")
    assert numbers(client.read(one, after=single[0]["cursor"])) == [2]


def test_a_receipts_cursor_reads_on_in_its_partition(client, stream):
    receipts = fill(client, stream, 30)
    mine = [r for r in receipts if r["partition"] == receipts[0]["partition"]]
    answer = client.get(harness.events_path(stream, after=mine[0]["cursor"], partition=mine[0]["partition"]))
    if answer.status == 200:
        assert [e["offset"] for e in answer.json()["events"]] == [r["offset"] for r in mine[1:]]
    else:
        answer.problem(400, "cursor-partial")


def test_a_cursor_of_a_deleted_incarnation_is_unknown(client, stream):
    fill(client, stream, 5)
    cursor = client.read(stream)["cursor"]
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    fill(client, stream, 50)
    client.get(harness.events_path(stream, after=cursor)).problem(410, "cursor-unknown")


def test_what_retention_removed_is_told(client, stream):
    client.create(stream, partitions=2, retention="1s")
    old = client.read(stream)["cursor"]
    client.publish(stream, [{"type": "A", "subject": f"s{i}", "data": i} for i in range(40)])

    def earliest():
        return [int(p["earliest"]) - 1 == int(p["head"]) for p in client.get(f"/v1/streams/{stream}").json()["partition_status"]]

    deadline = time.monotonic() + 60 * harness.SLOW
    while not all(earliest()):
        assert time.monotonic() < deadline, "retention removes nothing"
        time.sleep(0.1)
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": "forever"}).expect(200)
    client.publish(stream, {"type": "New", "data": 100})
    problem = client.get(harness.events_path(stream, after=old)).problem(410, "cursor-expired")
    assert numbers(client.read(stream, after=problem["earliest"])) == [100] == numbers(client.read(stream))
    figures = client.get(f"/v1/streams/{stream}").json()
    assert figures["events"] == 1


def test_heads_in_the_middle_of_publishing_show_no_gap(client, gateway, stream):
    """Readers that poll while others publish see every partition grow without a hole."""
    client.create(stream, partitions=4)
    stop = threading.Event()

    def publish():
        one = harness.Client(gateway)
        while not stop.is_set():
            one.publish(stream, [{"type": "A"} for _ in range(5)])
        one.close()

    writers = [threading.Thread(target=publish) for _ in range(4)]
    for writer in writers:
        writer.start()
    cursor, seen = "earliest", {}
    deadline = time.monotonic() + 2
    while not stop.is_set() or not page["up_to_date"]:
        page = client.read(stream, after=cursor, limit=50)
        cursor = page["cursor"]
        for event in page["events"]:
            assert int(event["offset"]) == seen.get(event["partition"], 0) + 1
            seen[event["partition"]] = int(event["offset"])
        if time.monotonic() >= deadline and sum(seen.values()) > 50:
            stop.set()
    for writer in writers:
        writer.join()


def test_head_tells_what_get_would(client, stream):
    fill(client, stream, 3)
    got = client.request("HEAD", harness.events_path(stream)).expect(200)
    assert got.body == b"" and got.headers["content-type"] == "application/json"
    client.request("HEAD", harness.events_path(f"{stream}.none")).expect(404)
