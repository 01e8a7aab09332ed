"""Changes of projections as an event stream."""
import random
import threading
import time

import harness
from projections import define, path, record, state, told, watch

COUNT = {"A": [{"count": "/n"}], "Gone": [{"delete": True}]}


def changes(stream, count, seconds=30):
    """At least so many changes, as the last of each key: {key: (state, version)}; and the id to go on from."""
    found, last, n = {}, None, 0
    while n < count or last is None:
        block = stream.until(lambda b: b.data is not None and b.event is None, seconds)[-1]
        for key, value, version in told([block]):
            found[key] = (value, version)
        last, n = block.id, n + 1
    return found, last


def test_states_come_as_they_change(gateway, client, stream):
    client.create(stream, partitions=2)
    define(client, stream, on=COUNT)
    record(client, stream, ("A", "old", {}))
    state(client, stream, "old").expect(200)
    with watch(gateway, stream) as feed:
        assert feed.status == 200 and feed.headers["content-type"] == "text/event-stream"
        assert feed.headers["x-accel-buffering"] == "no" and feed.headers["cache-control"] == "no-store"
        first = feed.next()
        assert first.retry == "2000" and first.id and first.data is None
        assert not told(feed.up_to_date())
        record(client, stream, ("A", "k", {}))
        assert changes(feed, 1)[0] == {"k": ({"n": 1}, 1)}
        record(client, stream, ("A", "k", {}), ("A", "l", {}))
        found, last = changes(feed, 2)
        assert found == {"k": ({"n": 2}, 2), "l": ({"n": 1}, 1)}
        record(client, stream, ("Gone", "k", {}))
        assert changes(feed, 1)[0] == {"k": (None, 0)}
        assert feed.until(lambda b: b.comment == "keep-alive")[-1].id
    with watch(gateway, stream, headers={"Last-Event-ID": last}) as again:       # nothing is missed
        assert changes(again, 1)[0] == {"k": (None, 0)}
        assert not told(again.up_to_date())
    with watch(gateway, stream, after=first.id, prefix="l") as some:
        assert told(some.up_to_date()) == [("l", {"n": 1}, 1)]


def test_from_the_beginning_all_states_come_and_then_the_changes(gateway, client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    record(client, stream, *[("A", f"k-{n:04}", {}) for n in range(1200)])
    state(client, stream, "k-1199").expect(200)
    with watch(gateway, stream, after="earliest") as feed:
        blocks = feed.up_to_date()
        assert told(blocks) == [(f"k-{n:04}", {"n": 1}, 1) for n in range(1200)]
        assert not [b for b in blocks if b.id and b.data and b.event is None]    # no position before all is told
        record(client, stream, ("A", "k-0007", {}))
        assert changes(feed, 1)[0] == {"k-0007": ({"n": 2}, 2)}
    page = client.get(path(stream, "state", limit=1)).expect(200).json()
    with watch(gateway, stream, after=page["position"]) as feed:
        assert not told(feed.up_to_date())


def test_who_reads_another_build_than_before_is_told(gateway, client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    record(client, stream, ("A", "k", {}))
    state(client, stream, "k").expect(200)
    with watch(gateway, stream) as feed, watch(gateway, stream, after="earliest") as whole:
        before = feed.up_to_date()[-1].id
        assert told(whole.up_to_date()) == [("k", {"n": 1}, 1)]
        client.put(path(stream), {"streams": [stream], "key": "subject", "on": {"A": [{"count": "/m"}]}}).expect(200)
        gap = feed.until(lambda b: b.event == "gap")[-1]
        assert gap.json() == {"from": before, "to": gap.id} and gap.id != before
        assert whole.until(lambda b: b.event == "gap")[-1].id is None
        assert told(whole.up_to_date()) == [("k", {"m": 1}, 1)]
        record(client, stream, ("A", "k", {}))
        assert changes(feed, 1)[0] == changes(whole, 1)[0] == {"k": ({"m": 2}, 2)}
    with watch(gateway, stream, headers={"Last-Event-ID": before}) as late:
        assert late.until(lambda b: b.event == "gap")[-1].json()["from"] == before
        assert not told(late.up_to_date())


def test_who_comes_back_after_the_streams_have_changed_is_told(gateway, client, stream):
    more = f"{stream}.more"
    client.create(stream)
    client.create(more)
    define(client, stream, on=COUNT)

    def come_back(last):
        """As an EventSource does; the place to come back to later."""
        with watch(gateway, stream, headers={"Last-Event-ID": last}) as feed:
            blocks = feed.up_to_date()
        gaps = [b for b in blocks if b.event == "gap"]
        assert [g.json() for g in gaps] == [{"from": last, "to": gaps[0].id}]
        assert blocks.index(gaps[0]) == [b.id is not None for b in blocks].index(True)   # no position before it is told
        return blocks[-1].id

    with watch(gateway, stream) as feed:
        one = feed.up_to_date()[-1].id
    client.put(path(stream), {"streams": [stream, more], "key": "subject", "on": COUNT}).expect(200)
    deadline = time.monotonic() + 60 * harness.SLOW
    while client.get(path(stream)).expect(200).json()["build"] == 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    both = come_back(one)
    client.request("DELETE", f"/v1/streams/{more}").expect(204)                          # of the same build
    come_back(both)


def test_changes_that_are_forgotten_are_a_gap(gateway, client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    with watch(gateway, stream) as feed:
        first = feed.up_to_date()[-1].id
    record(client, stream, ("A", "k", {}))
    state(client, stream, "k").expect(200)
    harness.psql(gateway, f"""with p as (select projection_id from weir.projections where name = '{stream}'),
                                   d as (delete from weir.projection_changes where projection_id in (table p))
                              update weir.projection_parts set kept = position where projection_id in (table p)""")
    with watch(gateway, stream, after=first) as feed:
        assert feed.until(lambda b: b.event == "gap")[-1].json()["from"] == first
        record(client, stream, ("A", "k", {}))
        assert changes(feed, 1)[0] == {"k": ({"n": 2}, 2)}


def test_the_stream_of_changes_ends_with_its_token_or_its_projection(gateway, client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    with watch(gateway, stream) as feed:
        feed.up_to_date()
        client.request("DELETE", path(stream)).expect(204)
        last = feed.end()[-1]
        assert last.event == "deleted" and last.json() == {"code": "unknown-projection"}
    define(client, stream, on=COUNT)
    for ttl in (2, 8, 32):                       # as long as the machine needs to open it
        with watch(gateway, stream, harness.mint(f"projection:{stream}", ttl=ttl)) as short:
            if short.status == 200:
                assert short.end(ttl + 30)[-1].json() == {"reason": "token-expired"}
                return
            short.answer.problem(401, "invalid-token")
    raise AssertionError("no stream is opened in time")


def test_the_stream_of_changes_ends_when_its_token_is_revoked(gateway, client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    record(client, stream, *[("A", f"k-{n}", {}) for n in range(1200)])
    state(client, stream, "k-1199").expect(200)
    with watch(gateway, stream, harness.mint(f"projection:{stream}", jti=stream), after="earliest") as feed:
        feed.events(1)
        client.post("/v1/revocations", {"jti": stream}).expect(201)
        blocks = feed.end()
        assert blocks[-1].event == "bye" and blocks[-1].json() == {"reason": "token-revoked"}
        keys = [key for key, _, _ in told(blocks)]                               # whole blocks, and in order
        assert keys == sorted(f"k-{n}" for n in range(1200))[1:len(keys) + 1]


def test_a_ticket_opens_the_changes_and_nothing_else(gateway, client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    token = harness.mint(f"projection:{stream}")
    url = path(stream, "changes", prefix="k")
    ticket = client.post("/v1/tickets", {"url": url}, token=token).expect(201).json()["ticket"]
    with harness.EventStream(gateway, None, "", path=f"{url}&ticket={ticket}") as feed:
        feed.up_to_date()
        record(client, stream, ("A", "k", {}))
        assert changes(feed, 1)[0] == {"k": ({"n": 1}, 1)}
    client.get(f"{path(stream, 'changes')}?ticket={ticket}", token="").problem(401, "invalid-token")
    client.post("/v1/tickets", {"url": url}, token=harness.mint("projection:other")).problem(403, "insufficient-scope")


def test_a_reader_that_comes_and_goes_ends_with_the_states_that_there_are(gateway, client, stream):
    client.create(stream, partitions=4)
    define(client, stream, on=COUNT)
    chance, publisher, last, known = random.Random(7), harness.Client(gateway), None, {}

    def publish():
        for _ in range(40):
            record(publisher, stream, *[("A" if chance.random() < 0.9 else "Gone", f"k-{chance.randrange(30)}", {}) for _ in range(25)])

    thread = threading.Thread(target=publish)
    thread.start()
    while True:
        done = not thread.is_alive()
        if done:
            state(client, stream, "-")
        with watch(gateway, stream, headers={"Last-Event-ID": last} if last else {}, after="latest" if last else "earliest") as feed:
            blocks = feed.up_to_date() + ([] if done else [feed.next() for _ in range(chance.randrange(3))])
        assert not [b for b in blocks if b.event == "gap"]
        for key, value, version in told(blocks):
            known[key] = (value, version)
        last = ([b.id for b in blocks if b.id] or [last])[-1]
        if done:
            break
    thread.join()
    publisher.close()
    items = client.get(path(stream, "state")).expect(200).json()["items"]
    assert {key: v for key, v in known.items() if v != (None, 0)} == {i["key"]: (i["state"], i["version"]) for i in items}


def test_changes_that_come_fast_are_told_as_the_last_one(gateway, client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    with watch(gateway, stream) as feed:
        feed.up_to_date()
        began = time.monotonic()
        for _ in range(20):
            record(client, stream, *[("A", "k", {})] * 50)
        seen = []
        while not seen or seen[-1] != 1000:
            seen.append(changes(feed, 1)[0]["k"][1])
        assert seen == sorted(set(seen)) and len(seen) <= 3 + 10 * (time.monotonic() - began + 1)


def test_a_call_that_is_no_event_stream_is_refused(client, stream):
    client.create(stream)
    define(client, stream, on=COUNT)
    client.get(path(stream, "changes"), headers={"Accept": "application/json"}).problem(406, "not-acceptable")
    for query in ({"after": "x"}, {"after": "x~00000000"}):
        client.get(path(stream, "changes", **query), headers={"Accept": "text/event-stream"}).problem(400, "bad-cursor")


def test_what_a_redriven_letter_changes_is_told_although_the_position_stays(gateway, client, stream):
    client.create(stream)
    define(client, stream, on={"A": [{"increment": {"/n": {"from": "/data/n"}}}]}, on_error="dlq")
    record(client, stream, ("A", "k", {"n": 1}), ("A", "k", {"n": "x"}), ("A", "l", {"n": "y"}), ("A", "m", {"n": 3}))
    state(client, stream, "m").expect(200)
    dlq = f"/v1/streams/{stream}/dlq"
    l, k = (f"{dlq}/{e['id']}" for e in client.get(dlq).expect(200).json()["items"])
    with watch(gateway, stream) as feed:
        first = feed.next().id
        assert not told(feed.up_to_date())
        for letter, key, found in ((k, "k", {"n": 6}), (l, "l", {"n": 5})):
            client.request("PATCH", letter, {"n": 5}, content_type="application/merge-patch+json").expect(200)
            client.post(f"{letter}/redrive", {}).expect(200)
            assert changes(feed, 1)[0] == {key: (found, 2 if key == "k" else 1)}
    with watch(gateway, stream, headers={"Last-Event-ID": first}) as again:
        assert told(again.up_to_date()) == [("k", {"n": 6}, 2), ("l", {"n": 5}, 1)]
        record(client, stream, ("A", "m", {"n": 1}))
        assert changes(again, 1)[0] == {"m": ({"n": 4}, 2)}
        assert not [b for b in again.until(lambda b: b.comment == "keep-alive") if b.data]
