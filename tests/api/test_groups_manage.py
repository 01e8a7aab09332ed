"""Consumer groups as those who run them see them: define, list, move, delete."""
import datetime
import re
import time

import harness
import pytest

DEFAULTS = {"paused": False, "ordering": "key", "ack_deadline": "30s", "max_retries": 3,
            "backoff": {"initial": "1s", "factor": 2, "max": "5m", "jitter": 0.2}, "max_in_flight": 1000, "max_retrying": 10000,
            "max_skipped": 10000, "key_batch": 1, "types": [], "dlq_retry": None}
OTHERS = {"paused": True, "ordering": "none", "ack_deadline": "12h", "max_retries": 0,
          "backoff": {"initial": "0s", "factor": 1.5, "max": "7d", "jitter": 0}, "max_in_flight": 1, "max_retrying": 1000000,
          "max_skipped": 1, "key_batch": 1000, "types": ["OrderPlaced", "*\"ü%_\\"], "dlq_retry": {"after": "15m", "rounds": 3}}


def path(stream, group="g", call=""):
    return f"/v1/streams/{stream}/groups/{group}{call}"


def settings(group):
    return {name: group[name] for name in DEFAULTS}


def state(gateway, stream, group="g"):
    """What the newest state of the group says: (how many states are kept, seq, generation, next)."""
    rows = harness.psql(gateway, f"""select count(*) over (), seq, generation, array_to_string(next, ' ') from weir.group_states
        join weir.groups g using (stream_id, group_id) join weir.streams s using (stream_id)
        where s.name = '{stream}' and g.name = '{group}' order by seq desc limit 1""")
    kept, seq, generation, offsets = rows[0].split("|")
    return int(kept), int(seq), int(generation), [int(n) for n in offsets.split()]


def test_a_group_is_created_with_defaults(client, gateway, stream):
    client.create(stream, partitions=2)
    client.publish(stream, [{"type": "A", "subject": f"s{i}"} for i in range(20)])
    answer = client.put(path(stream), {}).expect(201)
    made = answer.json()
    assert settings(made) == DEFAULTS and (made["name"], made["stream"]) == ("g", stream) and made["created"] == made["updated"]
    assert answer.headers["location"] == path(stream)
    heads = [int(p["head"]) + 1 for p in client.get(f"/v1/streams/{stream}").json()["partition_status"]]
    assert state(gateway, stream) == (1, 1, 1, heads)
    assert client.get(f"/v1/streams/{stream}/groups").expect(200).json() == {"items": [made], "next": None}
    assert settings(client.request("PUT", path(stream, "bare")).expect(201).json()) == DEFAULTS


def test_a_second_put_replaces_all_settings_and_moves_nothing(client, gateway, stream):
    client.create(stream)
    client.publish(stream, [{"type": "A"}] * 3)
    made = client.put(path(stream), {**OTHERS, "start": "earliest"}).expect(201).json()
    assert settings(made) == OTHERS and state(gateway, stream) == (1, 1, 1, [1])
    again = client.put(path(stream), {**OTHERS, "start": "latest"}).expect(200).json()
    assert settings(again) == OTHERS and again["created"] == made["created"] and again["updated"] > made["updated"]
    assert settings(client.put(path(stream), {"backoff": {"max": "10m"}, "dlq_retry": None}).expect(200).json()) == {
        **DEFAULTS, "backoff": {**DEFAULTS["backoff"], "max": "10m"}}
    assert state(gateway, stream) == (3, 3, 1, [1])                # each change makes the gateways look anew
    for _ in range(10):
        client.put(path(stream), {}).expect(200)
    assert state(gateway, stream) == (8, 13, 1, [1])


@pytest.mark.parametrize("body, pointer", [
    ({"ordering": "keys"}, "/ordering"), ({"paused": 1}, "/paused"), ({"ack_deadline": "999ms"}, "/ack_deadline"),
    ({"ack_deadline": "13h"}, "/ack_deadline"), ({"ack_deadline": 30}, "/ack_deadline"), ({"max_retries": -1}, "/max_retries"),
    ({"max_retries": 1001}, "/max_retries"), ({"backoff": []}, "/backoff"), ({"backoff": {"first": "1s"}}, "/backoff/first"),
    ({"backoff": {"factor": 0.9}}, "/backoff/factor"), ({"backoff": {"factor": 101}}, "/backoff/factor"),
    ({"backoff": {"jitter": 1.1}}, "/backoff/jitter"), ({"backoff": {"jitter": "0"}}, "/backoff/jitter"),
    ({"backoff": {"initial": "10m"}}, "/backoff/max"), ({"backoff": {"initial": "2s", "max": "1s"}}, "/backoff/max"),
    ({"backoff": {"initial": "25h", "max": "7d"}}, "/backoff/initial"), ({"backoff": {"max": "8d"}}, "/backoff/max"),
    ({"max_in_flight": 0}, "/max_in_flight"), ({"max_in_flight": 100001}, "/max_in_flight"), ({"max_retrying": 0}, "/max_retrying"),
    ({"max_skipped": 1000001}, "/max_skipped"), ({"key_batch": 1001}, "/key_batch"), ({"types": "A"}, "/types"),
    ({"types": ["A"] * 65}, "/types"), ({"types": ["A", ""]}, "/types/1"), ({"types": ["x" * 256]}, "/types/0"),
    ({"dlq_retry": {"after": "1m"}}, "/dlq_retry/rounds"), ({"dlq_retry": {"after": "0s", "rounds": 1}}, "/dlq_retry/after"),
    ({"dlq_retry": {"after": "1m", "rounds": 101}}, "/dlq_retry/rounds"), ({"start": 1}, "/start"), ({"start": ""}, "/start"),
    ({"start": {"time": "soon"}}, "/start/time"), ({"start": {}}, "/start/time"), ({"name": "g"}, "/name"),
])
def test_a_wrong_setting_is_pointed_at(client, stream, body, pointer):
    client.create(stream)
    client.put(path(stream), body).problem(400, "bad-body", pointer)
    assert client.get(f"/v1/streams/{stream}/groups").json()["items"] == []


@pytest.mark.parametrize("name", ["Billing", "-a", "a%2Fb", "%C3%BC", "a" * 121])
def test_a_bad_name_is_refused(client, stream, name):
    client.create(stream)
    client.put(path(stream, name), {}).problem(400, "bad-name")


@pytest.mark.parametrize("name", ["_g", "saga.g", "g.dlq"])
def test_names_of_weir_are_not_given(client, stream, name):
    client.create(stream)
    client.put(path(stream, name), {}).problem(403, "reserved-name")


def test_what_is_not_there_is_not_found(client, stream):
    client.get(f"/v1/streams/{stream}/groups").problem(404, "unknown-stream")
    for method, target, body in (("PUT", path(stream), {}), ("DELETE", path(stream), None),
                                 ("POST", path(stream, call="/seek"), {"to": "latest"})):
        client.request(method, target, body).problem(404, "unknown-stream")
    client.create(stream)
    for method, target, body in (("DELETE", path(stream), None), ("POST", path(stream, call="/seek"), {"to": "latest"}),
                                 ("DELETE", path(stream, "%C3%BC%00".replace("%00", "%20")), None)):
        client.request(method, target, body).problem(404, "unknown-group")


def test_lists_page_in_the_order_of_names(client, stream):
    client.create(stream)
    names = [f"g-{letter}" for letter in "abcde"]
    for name in reversed(names):
        client.put(path(stream, name), {}).expect(201)
    found, target = [], f"/v1/streams/{stream}/groups?limit=2"
    while target:
        page = client.get(target).expect(200)
        found += [item["name"] for item in page.json()["items"]]
        link = page.headers.get("link")
        assert bool(link) == bool(page.json()["next"])
        target = re.fullmatch(r'<([^>]+)>; rel="next"', link)[1] if link else None
    assert found == names
    for query in ("limit=0", "limit=1001", "after=a&after=b", "nonsense=1"):
        client.get(f"/v1/streams/{stream}/groups?{query}").problem(400, "bad-parameter")


def test_rights_are_those_of_the_stream(client, gateway, stream):
    client.create(stream)
    client.put(path(stream), {}).expect(201)
    changes = (("PUT", path(stream), {}), ("POST", path(stream, call="/seek"), {"to": "latest"}), ("DELETE", path(stream), None))
    for scope in (f"subscribe:{stream} publish:{stream} dlq:{stream}", "manage:other", ""):
        token = harness.mint(scope)
        for method, target, body in changes:
            client.request(method, target, body, token=token).problem(403, "insufficient-scope")
    client.get(f"/v1/streams/{stream}/groups", token=harness.mint("manage:other")).problem(403, "insufficient-scope")
    client.get(f"/v1/streams/{stream}/groups", token=harness.mint(f"subscribe:{stream}")).expect(200)
    for method, target, body in changes:
        assert client.request(method, target, body, token=harness.mint(f"manage:{stream}")).status in (200, 204)


def positions_after(cursor, client, stream, partitions):
    """What a reader would get next in each partition after a cursor, from 1."""
    found = [int(p["head"]) + 1 for p in client.get(f"/v1/streams/{stream}").json()["partition_status"]]
    for event in client.read_all(stream, after=cursor):
        found[event["partition"]] = min(found[event["partition"]], int(event["offset"]))
    assert len(found) == partitions
    return found


def test_a_group_begins_and_is_moved_where_readers_would_be(client, gateway, stream):
    client.create(stream, partitions=3)
    client.publish(stream, [{"type": "A", "subject": f"s{i}"} for i in range(30)])
    cursor = client.read(stream, limit=7)["cursor"]
    time.sleep(0.02)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    time.sleep(0.02)
    client.publish(stream, [{"type": "B", "subject": f"s{i}"} for i in range(30)])
    first = {}
    for event in client.read_all(stream, from_time=now.replace("+00:00", "Z")):
        first.setdefault(event["partition"], int(event["offset"]))
    expected = {"earliest": [1, 1, 1], "latest": positions_after("latest", client, stream, 3),
                cursor: positions_after(cursor, client, stream, 3)}
    cases = [*expected.items(), ({"time": now}, [first[p] for p in range(3)])]
    for n, (to, offsets) in enumerate(cases):
        client.put(path(stream, f"g{n}"), {"start": to}).expect(201)
        assert state(gateway, stream, f"g{n}") == (1, 1, 1, offsets), to
    for n, (to, offsets) in enumerate(cases):
        assert client.post(path(stream, "g0", "/seek"), {"to": to}).expect(200).json()["name"] == "g0"
        assert state(gateway, stream, "g0")[1:] == (n + 2, n + 2, offsets), to


def test_a_cursor_that_does_not_fit_is_refused(client, gateway, stream):
    other = f"{stream}.other"
    for name in (stream, other):
        client.create(name, partitions=2)
    foreign, receipt = client.read(other)["cursor"], client.publish(stream, {"type": "A"})["cursor"]
    client.put(path(stream), {}).expect(201)
    for cursor, code in ((foreign, "cursor-foreign"), (receipt, "cursor-partial"), ("nonsense", "bad-cursor")):
        client.put(path(stream, "new"), {"start": cursor}).problem(400, code, "/start")
        client.put(path(stream), {"start": cursor}).problem(400, code, "/start")
        client.post(path(stream, call="/seek"), {"to": cursor}).problem(400, code, "/to")
    for body, pointer in (({}, "/to"), ({"to": 5}, "/to"), ({"to": None}, "/to"), ({"to": {"time": 5}}, "/to/time"),
                          ({"to": {"time": "2026"}}, "/to/time"), ({"to": {}}, "/to/time"), ({"to": "latest", "x": 1}, "/x")):
        client.post(path(stream, call="/seek"), body).problem(400, "bad-body", pointer)
    assert state(gateway, stream)[1:3] == (1, 1)


def test_a_cursor_of_what_is_gone_is_told(client, gateway, stream):
    client.create(stream)
    client.publish(stream, [{"type": "A"}] * 10)
    old = client.read(stream, limit=3)["cursor"]
    client.put(path(stream, "made-of-it"), {"start": old}).expect(201)
    harness.psql(gateway, f"update weir.partitions p set earliest = 6 from weir.streams s where s.stream_id = p.stream_id and "
                          f"s.name = '{stream}'")
    for answer in (client.put(path(stream), {"start": old}), client.post(path(stream, "made-of-it", "/seek"), {"to": old})):
        problem = answer.problem(410, "cursor-expired")
        assert [e["offset"] for e in client.read(stream, after=problem["earliest"])["events"]] == ["6", "7", "8", "9", "10"]
    client.put(path(stream, "made-of-it"), {"start": old}).expect(200)       # it has begun there
    client.post(path(stream, "made-of-it", "/seek"), {"to": "earliest"}).expect(200)
    assert state(gateway, stream, "made-of-it")[3] == [6]
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    client.create(stream)
    client.put(path(stream), {"start": old}).problem(410, "cursor-unknown")
    client.put(path(stream), {}).expect(201)
    client.post(path(stream, call="/seek"), {"to": old}).problem(410, "cursor-unknown")


def remembered(gateway, stream_id):
    """How many rows are left of a stream's groups, by table."""
    tables = ("groups", "group_states", "leases", "retries", "skips")
    counts = ", ".join(f"(select count(*) from weir.{table} where stream_id = {stream_id})" for table in tables)
    return [int(n) for n in harness.psql(gateway, f"select {counts}")[0].split("|")]


def remember(gateway, stream):
    """A lease, a retry, a skip and two letters, one of them redriven; the stream's id."""
    harness.psql(gateway, f"""do $$ declare s bigint; g bigint; begin
        select stream_id, group_id into s, g from weir.groups join weir.streams using (stream_id) where weir.streams.name = '{stream}';
        insert into weir.leases (stream_id, group_id, lease_id, began, deadline, consumer, items, keys, done, extended, open)
            values (s, g, 7, now(), now(), '', '', '', '', '', 1);
        insert into weir.retries values (s, g, 0, 2, 0, null, 1, 0, now(), false, '');
        insert into weir.skips values (s, g, 1, 0, 1, '', '');
        insert into weir.dead_letters (stream_id, letter_id, group_name, partition, "offset", key, state, reason, error_type,
                                       error_masked, fingerprint, attempts, dead_at, updated_at, recorded, id, type, attributes, data_format)
            select s, gen_random_uuid(), 'g', 0, o, 0, o - 1, 'rejected', '', '', gen_random_uuid(), '', now(), now(), now(), o, 'A', '', 0
              from generate_series(1, 2) o;
        end $$""")
    return harness.psql(gateway, f"select stream_id from weir.streams where name = '{stream}'")[0]


def letters(gateway, stream_id):
    return harness.psql(gateway, f"select state from weir.dead_letters where stream_id = {stream_id} order by \"offset\"")


def test_a_move_forgets_all_but_dead_letters(client, gateway, stream):
    client.create(stream)
    client.put(path(stream), {}).expect(201)
    stream_id = remember(gateway, stream)
    client.post(path(stream, call="/seek"), {"to": "earliest"}).expect(200)
    assert remembered(gateway, stream_id) == [1, 2, 0, 0, 0] and letters(gateway, stream_id) == ["0", "0"]
    assert harness.psql(gateway, f"select max(lease_floor) from weir.group_states where stream_id = {stream_id}") == ["8"]


def test_a_deleted_group_is_gone_and_its_name_is_free(client, gateway, stream):
    client.create(stream)
    client.put(path(stream), {}).expect(201)
    stream_id = remember(gateway, stream)
    client.request("DELETE", path(stream)).expect(204)
    assert remembered(gateway, stream_id) == [0, 0, 0, 0, 0] and letters(gateway, stream_id) == ["0", "0"]
    client.request("DELETE", path(stream)).problem(404, "unknown-group")
    assert settings(client.put(path(stream), {}).expect(201).json()) == DEFAULTS


def test_groups_go_with_their_stream(client, gateway, stream):
    client.create(stream)
    client.put(path(stream), {}).expect(201)
    stream_id = remember(gateway, stream)
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    assert remembered(gateway, stream_id)[:2] == [0, 0]            # at once, so that no lane goes on
    client.create(stream)
    assert client.get(f"/v1/streams/{stream}/groups").json()["items"] == []
    deadline = time.monotonic() + 60 * harness.SLOW
    while remembered(gateway, stream_id) != [0] * 5 or letters(gateway, stream_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_change_leaves_one_event(client, gateway, stream):
    client.create(stream, partitions=2)
    client.put(path(stream), {"start": "earliest"}).expect(201)
    client.put(path(stream), {"paused": True}).expect(200)
    client.post(path(stream, call="/seek"), {"to": "latest"}).expect(200)
    client.put(path(stream), {"ordering": "no"}).problem(400, "bad-body")
    client.request("DELETE", path(stream)).expect(204)
    deadline, events = time.monotonic() + 60 * harness.SLOW, []
    while len(events) < 4 and time.monotonic() < deadline:
        answer = client.get(harness.events_path("_audit", subject=path(stream)))
        events = answer.json()["events"] if answer.status == 200 else []
    assert [e["type"] for e in events] == ["GroupCreated", "GroupChanged", "GroupSought", "GroupDeleted"]
    created, changed, sought, deleted = (e["data"]["changes"] for e in events)
    assert created == {"after": DEFAULTS} and changed == {"before": DEFAULTS, "after": {**DEFAULTS, "paused": True}}
    assert sought == {"after": {"next": ["1", "1"]}} and deleted == {"before": {**DEFAULTS, "paused": True}}
    assert {e["source"] for e in events} == {f"/v1/streams/{stream}/groups"}


def test_a_group_is_sought_to_a_time_to_the_microsecond(client, gateway, stream):
    client.create(stream, partitions=2)
    for i in range(8):
        client.publish(stream, {"type": "A", "subject": f"s{i}"})
    client.put(path(stream), {}).expect(201)
    events = client.read_all(stream)
    heads = [max([int(e["offset"]) for e in events if e["partition"] == p], default=0) for p in range(2)]
    for chosen in events[::3]:
        at = datetime.datetime.fromisoformat(chosen["recordedtime"].replace("Z", "+00:00"))
        for time_of, among in ((at, lambda e: e["recordedtime"] >= chosen["recordedtime"]),
                               (at + datetime.timedelta(microseconds=1), lambda e: e["recordedtime"] > chosen["recordedtime"])):
            expected = [min([int(e["offset"]) for e in events if e["partition"] == p and among(e)], default=heads[p] + 1) for p in range(2)]
            text = time_of.astimezone(datetime.timezone(datetime.timedelta(hours=2))).isoformat(timespec="microseconds")
            client.post(path(stream, call="/seek"), {"to": {"time": text}}).expect(200)
            assert state(gateway, stream)[3] == expected, text
    for text, expected in (("2001-01-01T00:00:00Z", [1, 1]), ("2100-01-01T00:00:00Z", [heads[0] + 1, heads[1] + 1])):
        client.post(path(stream, call="/seek"), {"to": {"time": text}}).expect(200)
        assert state(gateway, stream)[3] == expected, text
    got = client.post(path(stream, call="/receive"), {}).expect(200).json()
    assert got["deliveries"] == []
    client.post(path(stream, call="/seek"), {"to": {"time": events[0]["recordedtime"]}}).expect(200)
    got = client.post(path(stream, call="/receive"), {"max": 100, "wait": "20s"}).expect(200).json()
    assert {d["event"]["id"] for d in got["deliveries"]} == {e["id"] for e in events if e["recordedtime"] >= events[0]["recordedtime"]}
