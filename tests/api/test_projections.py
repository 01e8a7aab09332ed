"""Projections: what they make of events, and how they are defined, paused, resumed, rebuilt, deleted."""
import threading
import time

import harness
import pytest
from projections import define, path, record, spelled, state, value

PLACED = {"OrderPlaced": [{"set": {"/total": {"from": "/data/total"}}}]}


def until(client, name, wanted, seconds=60):
    """The projection, once wanted(it)."""
    deadline = time.monotonic() + seconds * harness.SLOW
    while not wanted(now := client.get(path(name)).expect(200).json()):
        assert time.monotonic() < deadline, now
        time.sleep(0.02)
    return now


def test_events_become_states_by_subject(client, stream):
    client.create(stream, partitions=4)
    made = define(client, stream, initial={"status": "new"}, on={**PLACED, "Order*": [{"count": "/events"}]})
    assert (made["name"], made["streams"], made["state"], made["build"], made["error"]) == (stream, [stream], "running", 1, None)
    cursor = record(client, stream, ("OrderPlaced", "o-1", {"total": "7.50"}), ("OrderPlaced", "o-2", {"total": "1"}),
                    ("OrderPaid", "o-1", {}), ("Other", "o-3", {}))
    answer = state(client, stream, "o-1", cursor).expect(200)
    assert answer.json() == {"key": "o-1", "state": {"status": "new", "total": "7.50", "events": 2}, "version": 2,
                             "position": answer.json()["position"]}
    assert value(client, stream, "o-2") == {"status": "new", "total": "1", "events": 1}
    state(client, stream, "o-3").problem(404, "unknown-key")
    assert answer.headers["etag"].startswith("W/")                             # the position beside the state moves on
    again = state(client, stream, "o-1", answer.json()["position"], headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304 and not again.body and again.headers["etag"] == answer.headers["etag"]
    record(client, stream, ("OrderPaid", "o-1", {}))
    newer = state(client, stream, "o-1", headers={"If-None-Match": answer.headers["etag"]}).expect(200)
    assert newer.json()["version"] == 3 and newer.headers["etag"] != answer.headers["etag"]
    status = client.get(path(stream)).expect(200).json()
    assert status["lag"]["events"] == 0 and sum(int(p["position"]) for p in status["partitions"]) == 5
    assert [p["position"] for p in status["partitions"]] == [p["head"] for p in status["partitions"]]


V = {"from": "/data/v"}
OPERATIONS = {       # operations: the data of the events, the state with every number as the text that it is
    "set": ([{"set": {"/a/b": V, "/n": 1.50}}], [{"v": {"x": 12345678901234567890}}],
            {"a": {"b": {"x": "12345678901234567890"}}, "n": "1.5"}),
    "set-default": ([{"set": {"/a": {"from": "/data/w", "default": "none"}}}], [{"v": 1}], {"a": "none"}),
    "merge": ([{"merge": {"/a": V}}], [{"v": {"x": 1, "y": {"z": 2}}}, {"v": {"x": None, "y": {"w": 3}}}],
              {"a": {"y": {"z": "2", "w": "3"}}}),
    "remove": ([{"set": {"/a": V}}, {"remove": "/a"}, {"remove": "/nothing"}, {"set": {"/b": V}}], [{"v": 1}], {"b": "1"}),
    "increment": ([{"increment": {"/sum": V}}], [{"v": 9007199254740993}, {"v": 0.1}, {"v": 0.20}, {"v": -1}],
                  {"sum": "9007199254740992.3"}),
    "count": ([{"count": "/deep/n"}], [{}] * 3, {"deep": {"n": "3"}}),
    "min": ([{"min": {"/least": V}}], [{"v": 3}, {"v": -1.5}, {"v": 2}], {"least": "-1.5"}),
    "max": ([{"max": {"/most": V}}], [{"v": "2026-01-01"}, {"v": "2026-03-01"}, {"v": "2025-12-31"}], {"most": "2026-03-01"}),
    "append": ([{"append": {"/last": V, "cap": 2}}], [{"v": n} for n in range(4)], {"last": ["2", "3"]}),
    "if": ([{"if": {"/data/v": 1}, "count": "/ones"}, {"if": {"/data/w": None}, "count": "/never"}, {"count": "/all"}],
           [{"v": 1}, {"v": 2}, {"v": 1.0}], {"ones": "2", "all": "3"}),
    "delete": ([{"if": {"/data/v": 0}, "delete": True}, {"count": "/n"}], [{"v": 1}, {"v": 1}, {"v": 0}, {"v": 1}], {"n": "1"}),
}


def test_every_operation_does_what_it_says(client, stream):
    client.create(stream)
    define(client, stream, on={kind: operations for kind, (operations, _, _) in OPERATIONS.items()})
    record(client, stream, *[(kind, kind, data) for kind, (_, events, _) in OPERATIONS.items() for data in events])
    for kind, (_, _, expected) in OPERATIONS.items():
        assert spelled(state(client, stream, kind)) == expected, kind
    assert state(client, stream, "delete").json()["version"] == 1
    record(client, stream, ("delete", "delete", {"v": 0}))
    state(client, stream, "delete").problem(404, "unknown-key")


def test_a_tenth_a_thousand_times_is_a_hundred(client, stream):
    client.create(stream, partitions=4)
    define(client, stream, key="/data/day", on={"Paid": [{"increment": {"/revenue": {"from": "/data/amount"}}}]})
    cursor = record(client, stream, *[("Paid", f"o-{n}", {"day": "monday", "amount": 0.1}) for n in range(1000)])
    assert spelled(state(client, stream, "monday", cursor)) == {"revenue": "100.0"}


def test_several_streams_feed_one_state(client, stream):
    orders, refunds = f"{stream}.a", f"{stream}.b"
    client.create(orders, partitions=2)
    client.create(refunds)
    define(client, stream, streams=[orders, refunds], key="/data/customer",
           on={"Paid": [{"count": "/paid"}], "Refunded": [{"count": "/refunded"}]})
    first = record(client, orders, ("Paid", "o-1", {"customer": "c/1 ä"}))
    second = record(client, refunds, ("Refunded", "o-1", {"customer": "c/1 ä"}))
    state(client, stream, "c/1 ä", first).expect(200)
    assert value(client, stream, "c/1 ä", second)["refunded"] == 1
    answer = state(client, stream, "c/1 ä").json()
    assert answer["state"] == {"paid": 1, "refunded": 1}
    assert state(client, stream, "c/1 ä", answer["position"]).json() == answer


def test_where_it_starts_is_the_callers_choice(client, stream):
    client.create(stream)
    record(client, stream, ("A", "k", {}))
    time.sleep(0.01)
    record(client, stream, ("A", "k", {}))
    second = client.read_all(stream)[1]["recordedtime"]
    for name, start, before in (("e", "earliest", 2), ("t", {"time": second}, 1), ("l", "latest", None)):
        define(client, f"{stream}.{name}", streams=[stream], start=start, on={"A": [{"count": "/n"}]})
        answer = state(client, f"{stream}.{name}", "k")
        assert (answer.json()["state"]["n"] if answer.status == 200 else None) == before, name
    record(client, stream, ("A", "k", {}))
    for name, count in (("e", 3), ("t", 2), ("l", 1)):
        assert value(client, f"{stream}.{name}", "k") == {"n": count}, name


BAD_BODIES = [       # what is wrong, status, code, pointer
    ({"key": 1}, 400, "bad-body", "/key"),
    ({"streams": []}, 400, "bad-body", "/streams"),
    ({"on": []}, 400, "bad-body", "/on"),
    ({"on_error": "ignore"}, 400, "bad-body", "/on_error"),
    ({"start": {"time": "soon"}}, 400, "bad-body", "/start/time"),
    ({"start": {"time": "2999-01-01T00:00:00Z"}}, 400, "bad-body", "/start/time"),
    ({"colour": "red"}, 400, "bad-body", "/colour"),
    ({"key": "data/x"}, 422, "bad-definition", "/key"),
    ({"on": {"A": [{"sett": {"/a": 1}}]}}, 422, "bad-definition", None),
    ({"on": {"A": [{"set": {"a": 1}}]}}, 422, "bad-definition", None),
    ({"on": {"A": [{"increment": {"/a": "x"}}]}}, 422, "bad-definition", None),
    ({"on": {"A": [{"append": {"/a": 1, "cap": 0}}]}}, 422, "bad-definition", None),
    ({"on": {"A": [{"count": "/a", "remove": "/b"}]}}, 422, "bad-definition", None),
    ({"on": {"A": {}}}, 422, "bad-definition", "/on/A"),
    ({"indexes": ["status"]}, 422, "bad-definition", "/indexes/0"),
    ({"snapshot_every": 10, "key": "/data/x"}, 422, "bad-definition", "/snapshot_every"),
]


@pytest.fixture(scope="module")
def plain(gateway):
    """The name of a stream that stays empty."""
    one = harness.Client(gateway)
    one.create("projections.plain")
    one.close()
    return "projections.plain"


@pytest.mark.parametrize("case", BAD_BODIES, ids=str)
def test_a_definition_that_cannot_be_is_refused_and_says_where(client, plain, case):
    wrong, status, code, pointer = case
    body = {"streams": [plain], "key": "subject", "on": {"A": [{"count": "/n"}]}, **wrong}
    problem = client.put(path("refused"), body).problem(status, code)
    assert problem["errors"][0]["pointer"].startswith(pointer or "/on/A/0"), problem
    client.get(path("refused")).problem(404, "unknown-projection")


def test_requests_that_make_no_sense_are_refused(client, stream):
    body = {"streams": [stream], "key": "subject", "on": PLACED}
    client.put(path(stream), body).problem(404, "unknown-stream")
    client.create(stream)
    client.put(path("Upper"), body).problem(400, "bad-name")
    client.put(path("saga.mine"), body).problem(403, "reserved-name")
    client.put(path(stream), b"{", content_type="application/json").problem(400, "bad-json")
    client.put(path(stream), body, content_type="text/plain").problem(415, "unsupported-media-type")
    for method, more in (("GET", ()), ("DELETE", ()), ("POST", ("pause",)), ("POST", ("resume",)), ("POST", ("rebuild",)),
                         ("GET", ("state",)), ("GET", ("state", "k")), ("GET", ("changes",))):
        client.request(method, path(stream, *more)).problem(404, "unknown-projection")
    define(client, stream, on=PLACED)
    client.post(path(stream, "rebuild"), {"from": "yesterday"}).problem(400, "bad-body", "/from")
    client.post(path(stream, "resume"), {"skip": {"stream": stream, "partition": 0, "offset": "x"}}).problem(
        400, "bad-body", "/skip/offset")
    client.post(path(stream, "resume"), {"skip": {"stream": stream, "partition": 0, "offset": "1"}}).problem(409, "conflict")
    for query in ({"at_least": "~"}, {"at_least": "x~0123abcd"}):
        client.get(path(stream, "state", "k", **query)).problem(400, "bad-cursor")
    client.create(f"{stream}.x")
    foreign = record(client, f"{stream}.x", ("A", "k", {}))
    client.get(path(stream, "state", "k", at_least=foreign)).problem(400, "cursor-foreign")
    for query in ({"wait": "61s"}, {"wait": "soon"}, {"where": "x"}):
        client.get(path(stream, "state", **({"at_least": "latest"} | query))).problem(400, "bad-parameter")


def test_who_may_see_a_projection_is_a_matter_of_its_name(client, stream):
    mine, theirs = f"{stream}.mine", f"{stream}.theirs"
    for name in (mine, theirs):
        client.create(name)
        define(client, name, on=PLACED)
    record(client, mine, ("OrderPlaced", "o-1", {"total": 1}))
    token = harness.mint(f"projection:{mine} subscribe:{mine}")
    assert state(client, mine, "o-1", token=token).expect(200).json()["state"] == {"total": 1}
    for method, more in (("GET", ()), ("GET", ("state",)), ("GET", ("changes",)), ("POST", ("pause",)), ("DELETE", ())):
        client.request(method, path(theirs, *more), token=token).problem(403, "insufficient-scope")
        client.request(method, path("nowhere", *more), token=token).problem(403, "insufficient-scope")
    listed = client.get("/v1/projections?limit=100", token=token).expect(200).json()
    assert [item["name"] for item in listed["items"]] == [mine] and listed["next"] is None
    for unread in (theirs, "nowhere"):                                         # no word of whether it exists
        client.put(path(mine), {"streams": [mine, unread], "key": "subject", "on": PLACED}, token=token).problem(
            403, "insufficient-scope")
    body = {"streams": [mine], "key": "subject", "on": PLACED, "description": "mine"}
    assert client.put(path(mine), body, token=token).expect(200).json()["description"] == "mine"


def test_the_list_of_projections_pages(client, stream):
    client.create(stream)
    names = [f"{stream}.{n}" for n in range(3)]
    for name in names:
        define(client, name, streams=[stream], on=PLACED)
    token = harness.mint(f"projection:{stream}.*")
    first = client.get("/v1/projections?limit=2", token=token).expect(200)
    assert [item["name"] for item in first.json()["items"]] == names[:2] and 'rel="next"' in first.headers["link"]
    last = client.get(first.headers["link"].partition("<")[2].partition(">")[0], token=token).expect(200)
    assert [item["name"] for item in last.json()["items"]] == names[2:] and "link" not in last.headers
    client.get("/v1/projections?limit=101", token=token).problem(400, "bad-parameter")


def test_a_projection_that_is_paused_stands_still_and_goes_on(client, stream):
    client.create(stream)
    define(client, stream, on={"A": [{"count": "/n"}]})
    record(client, stream, ("A", "k", {}))
    assert value(client, stream, "k") == {"n": 1}
    for _ in range(2):
        assert client.request("POST", path(stream, "pause")).expect(200).json()["state"] == "paused"
    cursor = record(client, stream, ("A", "k", {}))
    stopped = state(client, stream, "k", cursor).problem(409, "projection-stopped")
    assert "paused" in stopped["detail"]
    assert client.get(path(stream, "state", "k", at_least=stopped["position"])).expect(200).json()["state"] == {"n": 1}
    resumed = client.request("POST", path(stream, "resume")).expect(200).json()
    assert not resumed["paused"] and value(client, stream, "k", cursor) == {"n": 2}
    body = {"streams": [stream], "key": "subject", "on": {"A": [{"count": "/n"}]}, "paused": True}
    assert client.put(path(stream), body).expect(200).json()["state"] == "paused"
    assert client.put(path(stream), body | {"paused": False}).expect(200).json()["build"] == 1


def test_an_event_that_cannot_be_folded_stops_it_until_it_is_passed_over(client, stream):
    client.create(stream)
    define(client, stream, on={"Paid": [{"increment": {"/sum": {"from": "/data/amount"}}}]})
    cursor = record(client, stream, ("Paid", "k", {"amount": 1}), ("Paid", "k", {"amount": "two"}), ("Paid", "k", {"amount": 3}))
    state(client, stream, "k", cursor).problem(409, "projection-stopped")
    error = until(client, stream, lambda p: p["state"] == "failed")["error"]
    assert (error["stream"], error["partition"], error["offset"], error["type"]) == (stream, 0, "2", "Paid")
    assert error["id"] == client.read_all(stream)[1]["id"] and error["detail"]
    assert client.get(path(stream, "state", "k")).expect(200).json()["state"] == {"sum": 1}
    client.post(path(stream, "resume"), {}).expect(200)
    until(client, stream, lambda p: p["state"] == "failed")                    # it has tried again
    client.post(path(stream, "resume"), {"skip": {"stream": stream, "partition": 0, "offset": "3"}}).problem(409, "conflict")
    client.post(path(stream, "resume"), {"skip": {k: error[k] for k in ("stream", "partition", "offset")}}).expect(200)
    assert value(client, stream, "k", cursor) == {"sum": 4}
    before = client.get(path(stream)).expect(200).json()["build"]
    client.request("POST", path(stream, "rebuild")).expect(202)
    assert until(client, stream, lambda p: p["build"] > before)["error"] is None
    assert value(client, stream, "k") == {"sum": 4}


def test_another_definition_is_built_beside_the_old_one_and_takes_its_place(client, stream):
    client.create(stream, partitions=2)
    define(client, stream, on={"A": [{"count": "/n"}]})
    record(client, stream, *[("A", f"k-{n % 5}", {"v": n}) for n in range(100)])
    old = state(client, stream, "k-1").expect(200)
    assert old.json()["state"] == {"n": 20}
    body = {"streams": [stream], "key": "subject", "on": {"A": [{"increment": {"/sum": {"from": "/data/v"}}}]}}
    seen, stop = [], threading.Event()

    def read():
        reader = harness.Client(client.gateway)
        while not stop.is_set():
            seen.append(reader.get(path(stream, "state", "k-1")).expect(200).json()["state"])
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    client.put(path(stream), body).expect(200)
    now = until(client, stream, lambda p: p["rebuild"] is None and p["build"] == 2)
    stop.set()
    thread.join()
    assert now["state"] == "running" and now["on"] == body["on"]
    new = state(client, stream, "k-1", headers={"If-None-Match": old.headers["etag"]}).expect(200)
    assert new.json()["state"] == {"sum": sum(range(1, 100, 5))}
    flips = [a for a, b in zip(seen, seen[1:]) if a != b]
    assert flips in ([], [{"n": 20}]) and all(s in ({"n": 20}, new.json()["state"]) for s in seen)
    client.put(path(stream), body | {"description": "the sum"}).expect(200)     # folds the same: no new build
    assert client.get(path(stream)).expect(200).json()["build"] == 2


def test_a_rebuild_may_begin_later_than_the_definition(client, stream):
    client.create(stream)
    define(client, stream, on={"A": [{"count": "/n"}]})
    record(client, stream, ("A", "k", {}), ("A", "k", {}))
    assert value(client, stream, "k") == {"n": 2}
    client.post(path(stream, "rebuild"), {"from": {"time": "2999-01-01T00:00:00Z"}}).problem(400, "bad-body", "/from/time")
    building = client.post(path(stream, "rebuild"), {"from": "latest"}).expect(202).json()
    assert building["rebuild"] is None or building["rebuild"]["build"] == 2
    until(client, stream, lambda p: p["build"] == 2)
    state(client, stream, "k").problem(404, "unknown-key")
    record(client, stream, ("A", "k", {}))
    assert value(client, stream, "k") == {"n": 1}


def test_states_become_snapshots_of_their_subjects(client, stream):
    client.create(stream)
    define(client, stream, on={"A": [{"count": "/n"}]}, snapshot_every=3)
    snapshot = f"/v1/streams/{stream}/subjects/k/snapshot"
    for n in range(1, 8):
        assert value(client, stream, "k", record(client, stream, ("A", "k", {}))) == {"n": n}
        taken = client.get(snapshot)
        assert (taken.json()["version"], taken.json()["state"]) == (n - n % 3, {"n": n - n % 3}) if n > 2 else taken.status == 404


def test_a_projection_that_is_deleted_is_gone_and_begins_anew_when_it_is_made_again(client, stream):
    client.create(stream)
    define(client, stream, on={"A": [{"count": "/n"}]})
    record(client, stream, ("A", "k", {}))
    old = state(client, stream, "k").expect(200)
    assert old.json()["state"] == {"n": 1}
    client.request("DELETE", path(stream)).expect(204)
    client.request("DELETE", path(stream)).problem(404, "unknown-projection")
    client.get(path(stream, "state", "k")).problem(404, "unknown-projection")
    define(client, stream, on={"A": [{"count": "/m"}]})
    assert state(client, stream, "k", headers={"If-None-Match": old.headers["etag"]}).expect(200).json()["state"] == {"m": 1}


def test_changes_of_projections_are_audited(client, stream):
    client.create(stream)
    define(client, stream, on=PLACED)
    client.request("POST", path(stream, "resume")).expect(200)                   # nothing is changed by it
    client.request("POST", path(stream, "pause")).expect(200)
    client.request("POST", path(stream, "pause")).expect(200)
    client.request("POST", path(stream, "resume")).expect(200)
    client.request("DELETE", path(stream)).expect(204)
    wanted = ["ProjectionCreated", "ProjectionPaused", "ProjectionResumed", "ProjectionDeleted"]
    deadline, found = time.monotonic() + 60 * harness.SLOW, []
    while [e["type"] for e in found] != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
        found = client.read_all("_audit", subject=path(stream))
    assert found[0]["data"]["changes"]["after"]["streams"] == [stream]
