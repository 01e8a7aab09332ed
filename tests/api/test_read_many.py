"""Several streams read together: names, patterns, one cursor, streams that come and go."""
import concurrent.futures
import random
import threading
import time

import harness
import pytest

BATCH, NDJSON = "application/cloudevents-batch+json", "application/x-ndjson"


@pytest.fixture
def names(stream):
    """Three names that one pattern matches: the pattern is the last."""
    return [f"{stream}.a", f"{stream}.b", f"{stream}.c"], f"{stream}.*"


def fill(client, streams, count=30, partitions=2):
    """Events numbered through, turn by turn into each stream."""
    for name in streams:
        client.create(name, partitions=partitions)
    for i in range(count):
        client.publish(streams[i % len(streams)], {"type": "Odd" if i % 2 else "Even", "subject": f"s{i % 5}", "data": i})


def data(events):
    return [e["data"] for e in events]


def key(event):
    return event["stream"], event["partition"]


def assert_in_order(events):
    """Each partition's offsets go up one by one, from 1."""
    last = {}
    for event in events:
        assert int(event["offset"]) == last.get(key(event), 0) + 1, event
        last[key(event)] = int(event["offset"])


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while not condition():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.05)


def expire(client, stream):
    """Until retention has removed all events of a stream that keeps them for a second."""
    wait_for(lambda: client.get(f"/v1/streams/{stream}").json()["events"] == 0)
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": "forever"}).expect(200)


def create_unnoticed(gateway, name):
    """Behind the gateways' backs: also what Weir alone creates."""
    harness.psql(gateway, f"with s as (insert into weir.streams (stream_id, name, partitions, dedup_window, created, updated)"
                          f" values ({random.getrandbits(62)}, '{name}', 1, 604800000000, now(), now()) returning stream_id)"
                          f" insert into weir.partitions (stream_id, partition, recorded) select stream_id, 0, now() from s")


# --- pages -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", [1, 4, 100])
def test_pages_follow_each_other_over_all_streams(client, names, limit):
    streams, pattern = names
    fill(client, streams)
    events = client.read_all([streams[0], pattern], limit=limit)
    assert sorted(data(events)) == list(range(30)) and {e["stream"] for e in events} == set(streams)
    assert_in_order(events)
    if limit == 100:
        assert [e["recordedtime"] for e in events] == sorted(e["recordedtime"] for e in events)


def test_a_name_and_a_pattern_of_one_stream_are_one(client, names):
    streams, pattern = names
    fill(client, streams, 6)
    assert sorted(data(client.read([streams[0], streams[0], pattern, pattern])["events"])) == list(range(6))
    assert sorted(data(client.read([streams[2]])["events"])) == [2, 5]


def test_a_busy_stream_does_not_starve_the_others(client, names):
    streams, _ = names
    for name in streams:
        client.create(name)
    client.publish(streams[0], [{"type": "A"} for _ in range(3000)])
    for name in streams[1:]:
        client.publish(name, [{"type": "A"} for _ in range(5)])
    got = [e["stream"] for e in client.read(streams, limit=30)["events"]]
    assert len(got) == 30 and all(got.count(name) == 5 for name in streams[1:])


def test_latest_from_time_and_filters(client, names):
    streams, pattern = names
    fill(client, streams, 12)
    end = client.read([pattern], after="latest")
    assert end["events"] == [] and end["up_to_date"]
    time.sleep(0.01)
    client.publish(streams[1], {"type": "New", "data": 100})
    after = client.read([pattern], after=end["cursor"])["events"]
    assert data(after) == [100]
    assert data(client.read([pattern], from_time=after[0]["recordedtime"])["events"]) == [100]
    assert len(client.read([pattern], from_time="2020-01-01T00:00:00Z")["events"]) == 13
    assert sorted(data(client.read_all([pattern], type="Odd", subject="s*", limit=2))) == [1, 3, 5, 7, 9, 11]


@pytest.mark.parametrize("accept", [BATCH, NDJSON])
def test_other_forms_bring_the_cursor_in_a_header(client, names, accept):
    streams, pattern = names
    fill(client, streams, 5)
    answer = client.get(harness.events_path([pattern]), headers={"Accept": accept}).expect(200)
    whole = client.read([pattern])
    assert answer.headers["content-type"] == accept and answer.headers["weir-cursor"] == whole["cursor"]
    assert (answer.json() if accept == BATCH else answer.lines()) == whole["events"]


def test_parameters_that_are_wrong(client, names):
    streams, _ = names
    client.create(streams[0])
    for query, code in (("", "bad-parameter"), ("stream=", "bad-name"), ("stream=Upper", "bad-name"), ("stream=a%2Fb", "bad-name"),
                        ("stream=.*", "bad-name"), ("stream=x&partition=0", "bad-parameter"),
                        (f"stream={streams[0]}&after=nonsense", "bad-cursor"),
                        (f"stream={streams[0]}&after=earliest&from_time=2026-01-01T00:00:00Z", "bad-parameter")):
        client.get(f"/v1/events?{query}").problem(400, code)
    client.get(harness.events_path([streams[0]]), headers={"Accept": "text/html"}).problem(406, "not-acceptable")


# --- what may be read --------------------------------------------------------------------------------------------------------
def test_rights_of_each_stream_decide(client, names):
    streams, pattern = names
    fill(client, streams, 6)
    token = harness.mint(f"subscribe:{streams[0]} subscribe:{streams[1]} publish:*")
    assert sorted(data(client.get(harness.events_path([pattern]), token=token).expect(200).json()["events"])) == [0, 1, 3, 4]
    client.get(harness.events_path([pattern, streams[2]]), token=token).problem(403, "insufficient-scope")
    client.get(harness.events_path([f"{streams[2]}.none"]), token=token).problem(403, "insufficient-scope")
    client.get(harness.events_path([pattern]), token=harness.mint("publish:*")).problem(403, "insufficient-scope")
    client.get(harness.events_path([streams[0], f"{streams[0]}.none"])).problem(404, "unknown-stream")
    everything = client.read([pattern])["cursor"]
    assert client.get(harness.events_path([pattern], after=everything), token=token).expect(200).json()["events"] == []


def test_a_pattern_leaves_out_what_is_weirs_own_unless_it_says_so(client, gateway, stream):
    ours = {f"{stream}.x": "plain", f"_{stream}": "inner", f"saga.{stream}": "saga", f"{stream}.x.dlq": "letters"}
    for name in ours:
        create_unnoticed(gateway, name)

    def covered(*patterns):
        cursors = {name: client.read([name])["cursor"] for name in ours}
        return {ours[name] for name in ours       # a cursor is foreign where its stream is not selected
                if client.get(harness.events_path(list(patterns), after=cursors[name])).status == 200}

    assert covered(f"*{stream}*") == {"plain"}
    assert covered(f"_*{stream}*") == {"inner"}
    assert covered(f"saga.*{stream}*") == {"saga"}
    assert covered(f"*{stream}*.dlq") == {"letters"}
    assert covered(f"*{stream}*", f"saga.{stream}*", f"_{stream}") == {"plain", "saga", "inner"}


def test_256_partitions_and_no_more(client, stream):
    for i in range(4):
        client.create(f"{stream}.{i}", partitions=64)
    receipts = client.publish(f"{stream}.1", [{"type": "A", "subject": f"s{i}", "data": i} for i in range(300)])
    assert len({r["partition"] for r in receipts}) > 55
    page = client.read([f"{stream}.*"], limit=1000)
    while not page["up_to_date"]:
        more = client.read([f"{stream}.*"], limit=1000, after=page["cursor"])
        page = {**more, "events": page["events"] + more["events"]}
    assert sorted(data(page["events"])) == list(range(300)) and len(page["cursor"]) <= 2048
    assert_in_order(page["events"])
    client.create(f"{stream}.4")
    for after in ("earliest", page["cursor"]):
        problem = client.get(harness.events_path([f"{stream}.*"], after=after)).problem(400, "too-many-partitions")
        assert "257" in problem["detail"]


def test_256_streams_of_one_partition(client, gateway, stream):
    """Made in the database at once. The highest offsets a cursor of so many must still tell."""
    high = 2**27 - 1
    harness.psql(gateway, f"with s as (insert into weir.streams (stream_id, name, partitions, dedup_window, created, updated)"
                          f" select (random() * 9e18)::bigint, '{stream}.' || i, 1, 1, now(), now() from generate_series(1, 256) i"
                          f" returning stream_id) insert into weir.partitions (stream_id, partition, head, earliest, recorded)"
                          f" select stream_id, 0, {high}, {high} + 1, now() from s")
    named = [f"{stream}.{i}" for i in range(1, 21)]
    page = client.read([f"{stream}.*"], after="latest")
    assert page["events"] == [] and page["up_to_date"] and len(page["cursor"]) <= 2048
    assert client.read([f"{stream}.*"], after=page["cursor"])["cursor"] == page["cursor"]
    client.get(harness.events_path([f"{stream}.1*"], after=page["cursor"])).problem(400, "cursor-foreign")
    assert client.read([*named, f"{stream}.*"], after=page["cursor"])["events"] == []
    harness.psql(gateway, f"update weir.partitions set head = {2**50}, earliest = {2**50} + 1 where stream_id in"
                          f" (select stream_id from weir.streams where name like '{stream}.%')")
    client.get(harness.events_path([f"{stream}.*"], after="latest")).problem(400, "too-many-partitions")
    client.get(harness.events_path([f"{stream}.*"], after="latest"), headers={"Accept": "text/event-stream"}) \
        .problem(400, "too-many-partitions")


# --- cursors -------------------------------------------------------------------------------------------------------------------
def test_cursors_belong_to_their_streams(client, names):
    streams, pattern = names
    fill(client, streams, 9)
    a, b, c = streams
    of_two = client.read([a, b])["cursor"]
    single = client.read(a)["cursor"]
    receipt = client.publish(a, {"type": "A", "data": 9})["cursor"]
    for cursor in (single, receipt):
        client.get(harness.events_path([a], after=cursor)).problem(400, "cursor-foreign")
    client.get(harness.events_path(a, after=of_two)).problem(400, "cursor-foreign")
    client.get(harness.events_path([a, c], after=of_two)).problem(400, "cursor-foreign")
    client.get(harness.events_path([a], after=of_two)).problem(400, "cursor-foreign")
    for selection in ([a, b], [b, a], [pattern], [a, b, c]):      # what it does not know comes from its beginning
        wanted = [9] + ([2, 5, 8] if len(selection) != 2 else [])
        assert sorted(data(client.read(selection, after=of_two)["events"])) == sorted(wanted)
    for at in range(0, len(of_two), 3):
        altered = of_two[:at] + ("A" if of_two[at] != "A" else "B") + of_two[at + 1:]
        client.get(harness.events_path([a, b], after=altered)).problem(400, "bad-cursor")


def test_streams_that_were_deleted(client, names):
    streams, pattern = names
    fill(client, streams, 9)
    by_pattern, by_name = client.read([pattern])["cursor"], client.read(streams)["cursor"]
    client.request("DELETE", f"/v1/streams/{streams[1]}").expect(204)
    assert client.read([pattern], after=by_pattern)["events"] == []
    client.get(harness.events_path(streams, after=by_name)).problem(404, "unknown-stream")
    client.create(streams[1])
    client.publish(streams[1], {"type": "A", "data": 100})
    assert data(client.read([pattern], after=by_pattern)["events"]) == [100]
    client.get(harness.events_path(streams, after=by_name)).problem(410, "cursor-unknown")


def test_a_stream_that_comes_between_two_calls_is_read_from_its_beginning(client, names):
    streams, pattern = names
    empty = client.read([pattern], after="latest")
    assert empty["events"] == [] and empty["up_to_date"]
    fill(client, streams[:1], 3)
    page = client.read([pattern], after=empty["cursor"])
    assert data(page["events"]) == [0, 1, 2]
    client.publish(streams[1], [{"type": "A", "data": n} for n in (10, 11)])
    assert data(client.read([pattern], after=page["cursor"])["events"]) == [10, 11]


def test_what_retention_removed_is_told_and_only_that_is_moved(client, names, subscribe):
    streams, pattern = names
    for name in streams[:2]:
        client.create(name, retention="1s" if name == streams[0] else "forever")
    old = client.read([pattern])["cursor"]
    for i in range(10):
        client.publish(streams[i % 2], {"type": "A", "data": i})
    expire(client, streams[0])
    client.publish(streams[0], {"type": "A", "data": 100})
    problem = client.get(harness.events_path([pattern], after=old)).problem(410, "cursor-expired")
    assert data(client.read([pattern], after=problem["earliest"])["events"]) == [1, 3, 5, 7, 9, 100]
    blocks = subscribe([pattern], after=old).up_to_date()
    gap = next(b for b in blocks if b.event == "gap")
    assert gap.json() == {"from": old, "to": problem["earliest"]} and gap.id == problem["earliest"]
    assert sorted(b.json()["data"] for b in blocks if b.data and b.event is None) == [1, 3, 5, 7, 9, 100]


# --- long-poll -------------------------------------------------------------------------------------------------------------------
def test_a_long_poll_wakes_on_any_of_them(client, gateway, names):
    streams, pattern = names
    fill(client, streams, 3)
    cursor = client.read([pattern])["cursor"]
    for n, name in enumerate(streams):
        one = harness.Client(gateway)
        timer = threading.Timer(0.3, lambda name=name, n=n, one=one: one.publish(name, {"type": "A", "data": 100 + n}))
        timer.start()
        began, page = time.monotonic(), client.read([pattern, streams[0]], after=cursor, wait="60s")
        timer.join()
        one.close()
        assert data(page["events"]) == [100 + n] and page["up_to_date"]
        assert time.monotonic() - began < harness.WOKEN
        cursor = page["cursor"]
    began = time.monotonic()
    assert client.read([pattern], after=cursor, wait="300ms")["events"] == []
    assert 0.25 < time.monotonic() - began < harness.WOKEN


def test_a_long_poll_wakes_on_a_stream_that_comes(client, gateway, names):
    streams, pattern = names
    one, end = harness.Client(gateway), client.read([pattern], after="latest")["cursor"]
    timer = threading.Timer(0.3, lambda: (one.create(f"{streams[0]}x"), one.publish(f"{streams[0]}x", {"type": "A", "data": 1})))
    timer.start()
    began, page = time.monotonic(), client.read([pattern], after=end, wait="60s")
    timer.join()
    one.close()
    assert data(page["events"]) == [1] and time.monotonic() - began < harness.WOKEN


def test_filters_and_what_memory_cannot_give_exactly(client, gateway, names):
    """Line breaks in data come back as they were sent, which only the database can do."""
    streams, pattern = names
    fill(client, streams, 3)
    cursor, one = client.read([pattern])["cursor"], harness.Client(gateway)

    def publish():
        one.publish(streams[0], [{"type": "Noise"} for _ in range(50)])
        one.post(harness.events_path(streams[1]), b'{"type":"Signal","data":{\n"n": 1}}').expect(201)

    timer = threading.Timer(0.3, publish)
    timer.start()
    answer = client.get(harness.events_path([pattern], after=cursor, wait="60s", type="Sig*")).expect(200)
    timer.join()
    one.close()
    assert b'"data":{\n"n": 1}' in answer.body and len(answer.json()["events"]) == 1
    assert client.read([pattern], after=answer.json()["cursor"], type="Signal")["events"] == []


def test_deleting_a_stream_ends_the_wait_where_it_was_named(client, gateway, names):
    streams, pattern = names
    fill(client, streams, 3)

    def later(wait_on, stream, wait):
        one = harness.Client(gateway)
        cursor = one.read(wait_on)["cursor"]
        timer = threading.Timer(0.3, lambda: harness.Client(gateway).request("DELETE", f"/v1/streams/{stream}").expect(204))
        timer.start()
        answer = one.get(harness.events_path(wait_on, after=cursor, wait=wait))
        timer.join()
        one.close()
        return answer

    later([streams[0], streams[1]], streams[0], "60s").problem(404, "unknown-stream")
    assert later([pattern, streams[2]], streams[1], "2s").expect(200).json()["events"] == []


# --- event streams ---------------------------------------------------------------------------------------------------------------
def test_the_form_of_the_stream_and_live_events_of_all(client, names, subscribe):
    streams, pattern = names
    fill(client, streams, 6)
    reader = subscribe([pattern])
    blocks = reader.up_to_date()
    assert blocks[0].lines[0] == "retry: 2000" and blocks[0].id and all(b.id for b in blocks)
    assert sorted(b.json()["data"] for b in blocks if b.data and b.event is None) == list(range(6))
    assert blocks[-1].json() == {"cursor": blocks[-1].id} and blocks[-1].id == blocks[-2].id
    for n, name in enumerate(streams):
        client.publish(name, {"type": "A", "data": 100 + n})
        cursor, event = reader.events(1)[0]
        assert event["data"] == 100 + n and event["stream"] == name
        assert client.read([pattern], after=cursor)["events"] == []
    alive = reader.until(lambda b: b.comment is not None)[-1]
    assert alive.comment == "keep-alive" and alive.id == cursor


def test_streams_that_come_join_and_those_that_go_are_left_out(client, names, subscribe):
    streams, pattern = names
    fill(client, streams, 3)
    reader, named = subscribe([pattern], after="latest"), subscribe([streams[0], pattern], after="latest")
    for one in (reader, named):
        one.up_to_date()
    for n in range(3):
        began = time.monotonic()
        client.publish(f"{streams[0]}.{n}", [{"type": "A", "data": [n, i]} for i in range(3)])
        for one in (reader, named):
            assert data(e for _, e in one.events(3)) == [[n, i] for i in range(3)]
        assert time.monotonic() - began < harness.WOKEN
    client.request("DELETE", f"/v1/streams/{streams[1]}").expect(204)
    client.publish(streams[1], {"type": "A", "data": "anew"})      # another incarnation, from its beginning
    assert data(e for _, e in reader.events(1)) == ["anew"] == data(e for _, e in named.events(1))
    client.request("DELETE", f"/v1/streams/{streams[0]}").expect(204)
    last = named.end()[-1]
    assert last.event == "deleted" and last.id
    client.publish(streams[2], {"type": "A", "data": "on"})
    cursor, event = reader.events(1)[0]
    assert event["data"] == "on" and client.read([pattern], after=cursor)["events"] == []


def test_a_stream_that_comes_without_a_notification_is_found(client, gateway, names, subscribe):
    streams, pattern = names
    fill(client, streams[:1], 1)
    reader = subscribe([pattern], after="latest")
    reader.up_to_date()
    time.sleep(1.2)
    create_unnoticed(gateway, streams[1])
    client.publish(streams[1], {"type": "A", "data": 1})
    assert data(e for _, e in reader.events(1)) == [1]


def test_too_many_partitions_amid_a_stream_end_it_with_a_word(client, names, subscribe):
    streams, pattern = names
    for name in streams:
        client.create(name, partitions=64)
    reader = subscribe([pattern])
    reader.up_to_date()
    client.create(f"{streams[0]}.more", partitions=64)
    client.create(f"{streams[0]}.one")
    last = reader.end()[-1]
    assert last.event == "bye" and last.json() == {"reason": "too-many-partitions"} and last.id


def test_it_ends_with_the_token_and_not_before(client, names, subscribe):
    streams, pattern = names
    fill(client, streams, 3)

    def ends(seconds):
        expires = time.time() + seconds
        reader = subscribe([pattern], token=harness.mint(f"subscribe:{pattern}", exp=expires))
        late = harness.late(reader, expires)
        assert reader.status == 401 or reader.last.json() == {"reason": "token-expired"}
        return late

    harness.exactly(ends)


def test_slow_readers_get_everything(client, names, subscribe):
    """More than sockets and rings hold."""
    streams, pattern = names
    fill(client, streams, 3)
    reader = subscribe([pattern], after="latest")
    reader.up_to_date()
    big = "x" * 200_000
    for n in range(60):
        client.publish(streams[n % 3], {"type": "Big", "subject": "s", "data": [n, big]})
    got = [event for _, event in reader.events(60, 60)]
    assert sorted(e["data"][0] for e in got) == list(range(60))
    for name in streams:
        assert [e["data"][0] for e in got if e["stream"] == name] == [n for n in range(60) if streams[n % 3] == name]


# --- nothing is lost, nothing comes twice ------------------------------------------------------------------------------------------
def publish_at_random(gateway, streams, stop, sent, seed):
    one, rng = harness.Client(gateway, check=False), random.Random(seed)
    while not stop.is_set():
        name = rng.choice(streams)
        receipts = one.publish(name, [{"type": "A", "subject": f"s{rng.randrange(9)}"} for _ in range(rng.randint(1, 8))])
        sent.update((name, r["partition"], int(r["offset"])) for r in receipts)
    one.close()


def place(event):
    return (*key(event), int(event["offset"]))


@pytest.mark.parametrize("seed", range(2))
def test_a_reader_that_resumes_anywhere_loses_and_repeats_nothing(gateway, client, stream, subscribe, seed):
    """Five streams of three partitions, one of which comes later; pages, long-polls and event streams in turn, from any event."""
    streams, pattern, rng = [f"{stream}.{i}" for i in range(5)], f"{stream}.*", random.Random(seed)
    for name in streams[:4]:
        client.create(name, partitions=3)
    stop, sent = threading.Event(), set()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(publish_at_random, gateway, streams[:4], stop, sent, seed * 10 + i) for i in range(2)]
        cursor, seen, deadline, done = "earliest", [], time.monotonic() + 1.5, False
        try:
            while not done:
                if time.monotonic() > deadline and len(sent) > 100 and not stop.is_set():
                    client.create(streams[4], partitions=3)
                    client.publish(streams[4], {"type": "Last", "subject": "s"})
                    sent.add((streams[4], client.read(streams[4])["events"][0]["partition"], 1))
                    stop.set()
                    assert all(w.result(60) is None for w in writers)
                if rng.random() < 0.4:
                    reader = subscribe([pattern], after=cursor)
                    for _ in range(rng.randint(1, 40)):
                        block = reader.next()
                        cursor = block.id
                        if stop.is_set() and block.comment:
                            break
                        if block.data and block.event is None:
                            seen.append(block.json())
                    reader.close()
                else:
                    page = client.read([pattern], after=cursor, limit=rng.choice([1, 7, 100]), wait=rng.choice(["0s", "200ms"]))
                    seen += page["events"]
                    cursor = page["cursor"]
                    done = stop.is_set() and page["up_to_date"] and not page["events"]
        finally:
            stop.set()
    assert_in_order(seen)
    assert {place(e) for e in seen} == sent and len(seen) == len(sent) > 100


def test_two_gateways_and_the_drain(gateway, client, names, subscribe):
    streams, pattern = names
    fill(client, streams, 6)
    other = harness.serve(gateway.database_url)
    reader = subscribe([pattern], gateway=other, token=gateway.token)
    reader.up_to_date()
    client.publish(streams[1], {"type": "A", "data": 100})
    cursor, event = reader.events(1)[0]
    assert event["data"] == 100 and client.read([pattern], after=cursor)["events"] == []
    client.publish(f"{streams[0]}.new", {"type": "A", "data": 101})      # made on the other gateway
    assert data(e for _, e in reader.events(1)) == [101]
    got = {}

    def poll():
        one = harness.Client(other, gateway.token)
        got["answer"] = one.get(harness.events_path([pattern], after="latest", wait="50s"))
        got["at"] = time.monotonic()

    thread = threading.Thread(target=poll)
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    other.terminate()
    last = reader.end()[-1]
    assert last.event == "bye" and last.json() == {"reason": "shutdown"} and last.id
    thread.join()
    assert got["answer"].status in (200, 503) and got["at"] - began < harness.WOKEN
    assert other.stop() == 0
    harness.remove(other)
