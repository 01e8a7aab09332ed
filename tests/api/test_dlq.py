"""Dead letters, one at a time: list, triage, repair, redrive, discard."""
import concurrent.futures
import time
import urllib.parse

import harness
import letters
import pytest

SQL = harness.psql


def dlq(stream, *rest, **query):
    path = "/".join([f"/v1/streams/{stream}/dlq", *rest])
    return path + ("?" + urllib.parse.urlencode(query, safe="*") if query else "")


def group(client, stream, name="billing"):
    """A consumer group, paused, so that nothing but the test moves its letters; its id."""
    client.put(f"/v1/streams/{stream}/groups/{name}", {"paused": True}).expect(201)
    sid = letters.stream_id(client.gateway, stream)
    return int(SQL(client.gateway, f"select group_id from weir.groups where stream_id = {sid} and name = '{name}'")[0])


def listed(client, stream, **query):
    """All pages: ids, as they come."""
    target, ids = dlq(stream, **query), []
    while target:
        answer = client.get(target).expect(200)
        page, link = answer.json(), answer.headers.get("link")
        ids += [one["id"] for one in page["items"]]
        assert bool(link) == bool(page["next"])
        target = link[1:link.index(">")] if link else None
    return ids


def audited(client, stream, letter, count, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while True:
        answer = client.get(harness.events_path("_audit", subject=dlq(stream, letter), limit=1000))
        found = answer.json()["events"] if answer.status == 200 else []
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count, found
            return found
        time.sleep(0.02)


def redrive(client, stream, letter, reason=None):
    return client.post(dlq(stream, letter, "redrive"), {} if reason is None else {"reason": reason})


def discard(client, stream, letter, reason=None):
    return client.post(dlq(stream, letter, "discard"), {} if reason is None else {"reason": reason})


def repair(client, stream, letter, patch, kind="merge", **query):
    return client.request("PATCH", dlq(stream, letter, **query), patch, content_type=f"application/{kind}-patch+json")


# --- looking ------------------------------------------------------------------------------------------------------------------
def test_a_letter_shows_its_event_and_its_history(client, gateway, stream):
    client.create(stream)
    data = b'{"total" : 1.10, "n":12345678901234567890}'
    one = letters.letter(gateway, stream, 7, data=data, subject="s/1", version=3, source="urn:x", type="OrderPlaced")
    answer = client.get(dlq(stream, one)).expect(200)
    found = answer.json()
    assert data in answer.body
    assert found["id"] == one and found["group"] == "billing" and found["state"] == "parked" and found["reason"] == "max-retries"
    event = found["event"]
    assert (event["id"], event["source"], event["type"], event["subject"], event["version"]) == (
        "e-7", "urn:x", "OrderPlaced", "s/1", 3)
    assert (event["stream"], event["partition"], event["offset"]) == (stream, 0, "7") and "original_event" not in found
    assert found["error"] == {"type": "Timeout", "message": "no answer to call 7"}
    assert [a["attempt"] for a in found["attempts"]] == [1, 2, 3, 4] and found["attempts"][3]["error"] == found["error"]
    assert found["fingerprint"] == letters.fingerprint("billing", "OrderPlaced", "Timeout")
    assert (found["redrives"], found["poison"], found["note"]) == (0, False, None) and found["dead_at"] == found["updated_at"]
    assert client.request("HEAD", dlq(stream, one)).expect(200).body == b""


@pytest.mark.parametrize("form, data, member", [
    (0, None, {}), (1, b"[1,\n 2]", {"data": [1, 2]}), (2, 'a "b"\n'.encode(), {"data": 'a "b"\n'}),
    (3, b"\x00\xff", {"data_base64": "AP8="})])
def test_every_form_of_data_comes_back(client, gateway, stream, form, data, member):
    client.create(stream)
    one = letters.letter(gateway, stream, 1, data_format=form, data=data, error=None, attempts="")
    found = client.get(dlq(stream, one)).expect(200).json()
    assert {k: v for k, v in found["event"].items() if k.startswith("data")} == member
    assert found["error"] is None and found["attempts"] == []


def test_the_list_is_newest_first_and_pages_with_its_filters(client, gateway, stream):
    client.create(stream)
    rows = [{"offset": n, "type": "A.1" if n % 2 else "B%2", "subject": f"s_{n % 3}", "state": n % 4, "reason": ("x", "y z&")[n % 2],
             "group_name": ("g", "h")[n // 12]} for n in range(24)]
    ids = letters.letters(gateway, stream, [dict(row) for row in rows])

    def those(wanted):
        return [one for row, one in reversed(list(zip(rows, ids))) if wanted(row)]

    assert listed(client, stream) == those(lambda r: True) == listed(client, stream, limit=5)
    cases = [
        ({"group": "g"}, lambda r: r["group_name"] == "g"),
        ({"state": "discarded"}, lambda r: r["state"] == 3),
        ({"reason": "y z&"}, lambda r: r["reason"] == "y z&"),
        ({"type": "A*"}, lambda r: r["type"] == "A.1"),
        ({"type": "B%*"}, lambda r: r["type"] == "B%2"),
        ({"type": "A_1"}, lambda r: False),
        ({"subject": "*_1"}, lambda r: r["subject"] == "s_1"),
        ({"type": "*%2", "subject": "s_0", "group": "h"}, lambda r: r["type"] == "B%2" and r["subject"] == "s_0" and
         r["group_name"] == "h"),
        ({"fingerprint": letters.fingerprint("h", "A.1", "Timeout").upper()}, lambda r: r["group_name"] == "h" and
         r["type"] == "A.1"),
    ]
    for query, wanted in cases:
        assert listed(client, stream, limit=2, **query) == those(wanted), query
    middle = client.get(dlq(stream, ids[10])).json()["dead_at"]
    assert listed(client, stream, to=middle) == ids[9::-1] and listed(client, stream, **{"from": middle}) == ids[:9:-1]


def test_a_page_ends_early_when_it_is_full(client, gateway, stream):
    client.create(stream)
    ids = letters.letters(gateway, stream, [{"offset": n} for n in range(30)])
    SQL(gateway, f"update weir.dead_letters set data = convert_to('\"' || repeat('x', 900000) || '\"', 'UTF8') where stream_id = "
                 f"{letters.stream_id(gateway, stream)}")
    answer = client.get(dlq(stream)).expect(200)
    assert 7 <= len(answer.json()["items"]) <= 9 and len(answer.body) < 9 << 20 and answer.json()["next"]
    assert listed(client, stream) == ids[::-1]


@pytest.mark.parametrize("query, part", [
    ("state=dead", "state"), ("fingerprint=12", "fingerprint"), ("from=yesterday", "from"), ("limit=0", "limit"),
    ("after=x", "after"), ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "before"), ("grupp=x", "grupp")])
def test_a_bad_filter_is_refused(client, stream, query, part):
    client.create(stream)
    for path in ("", "summary"):
        assert part in client.get(f"{dlq(stream, *([path] if path else []))}?{query}").problem(400, "bad-parameter")["detail"]


def test_triage_counts_by_fingerprint(client, gateway, stream):
    client.create(stream)
    common = letters.letters(gateway, stream, [{"offset": n, "state": n % 4} for n in range(12)])
    poison = letters.letter(gateway, stream, 20, error_type="Bad", poison=True)
    letters.letters(gateway, stream, [{"offset": 30 + n, "error_type": f"E{n}", "state": 2} for n in range(5)])
    page = client.get(dlq(stream, "summary")).expect(200).json()
    first, by_kind = page["items"][0], {k["error"]["type"]: k for k in page["items"]}
    assert len(by_kind) == 7 and page["next"] is None and first is by_kind["Timeout"]
    assert first["count"] == 12 and set(first["states"].values()) == {3} and not first["poison"]
    assert (first["group"], first["type"], first["error"]["message"]) == ("billing", "T", "no answer to call #")
    assert first["fingerprint"] == letters.fingerprint("billing", "T", "Timeout") and first["sample"] == common[8]
    assert first["first_seen"] == client.get(dlq(stream, common[0])).json()["dead_at"]
    assert first["last_seen"] == client.get(dlq(stream, common[11])).json()["dead_at"]
    assert by_kind["Bad"]["poison"] and by_kind["Bad"]["sample"] == poison
    parked = client.get(dlq(stream, "summary", state="parked", group="billing")).json()["items"]
    assert [(k["error"]["type"], k["count"]) for k in parked] == [("Timeout", 3), ("Bad", 1)]
    seen, target = [], dlq(stream, "summary", limit=2)
    while target:
        answer = client.get(target).expect(200)
        seen += answer.json()["items"]
        target = answer.headers["link"][1:].partition(">")[0] if "link" in answer.headers else None
    assert seen == page["items"]


def test_what_is_not_there_is_said(client, gateway, stream):
    client.create(stream)
    one = letters.letter(gateway, stream, 1)
    for method, rest in [("GET", ()), ("PATCH", ()), ("POST", ("redrive",)), ("POST", ("discard",))]:
        options = {"body": {}, "content_type": "application/merge-patch+json" if method == "PATCH" else "application/json"}
        options = options if method != "GET" else {}
        for name in (letters.uuid7(1), "x", one[:-1], one + "0"):
            client.request(method, dlq(stream, name, *rest), **options).problem(404, "unknown-letter")
        client.request(method, dlq(f"{stream}.x", one, *rest), **options).problem(404, "unknown-stream")
        for scope in ("subscribe:*", "manage:*", f"dlq:{stream}.x"):
            client.request(method, dlq(stream, one, *rest), token=harness.mint(scope), **options).problem(403, "insufficient-scope")
    for rest in ((), ("summary",)):
        client.get(dlq(f"{stream}.x", *rest)).problem(404, "unknown-stream")
        client.get(dlq(stream, *rest), token=harness.mint("subscribe:*")).problem(403, "insufficient-scope")
    client.get(dlq(stream), token=harness.mint(f"dlq:{stream}")).expect(200)


def test_letters_of_another_stream_are_out_of_reach(client, gateway, stream):
    client.create(stream)
    client.create(f"{stream}.other")
    one = letters.letter(gateway, stream, 1)
    client.get(dlq(f"{stream}.other", one)).problem(404, "unknown-letter")
    discard(client, f"{stream}.other", one).problem(404, "unknown-letter")
    assert client.get(dlq(stream, one)).json()["state"] == "parked"


# --- redrive, discard -----------------------------------------------------------------------------------------------------------
def test_a_redriven_letter_is_a_retry_of_its_own_group(client, gateway, stream):
    client.create(stream)
    gid, other = group(client, stream), group(client, stream, "other")
    one = letters.letter(gateway, stream, 7, key=99, redrives=2, poison=True)
    found = redrive(client, stream, one, "fixed in 2.1").expect(200).json()
    assert (found["state"], found["redrives"], found["note"], found["poison"]) == ("redriven", 3, "fixed in 2.1", False)
    assert found["updated_at"] > found["dead_at"] and client.get(dlq(stream, one)).json() == found
    sid = letters.stream_id(gateway, stream)
    assert SQL(gateway, f"""select group_id, partition, "offset", round, letter_id, failures, key, not_before <= now(), single, history
                              from weir.retries where stream_id = {sid}""") == [f"{gid}|0|7|3|{one}|0|99|t|f|"]
    assert SQL(gateway, f"select group_id, max(seq) from weir.group_states where stream_id = {sid} group by 1 order by 2") == [
        f"{other}|1", f"{gid}|2"]                # claimed, and that of no other group
    event = audited(client, stream, one, 1)[0]
    assert event["type"] == "DeadLetterRedriven" and event["data"]["operation"] == "redriveDeadLetter"
    assert event["data"]["changes"] == {"before": {"state": "parked"}, "after": {"state": "redriven", "redrives": 3},
                                        "group": "billing", "reason": "fixed in 2.1"}
    assert "is redriven" in redrive(client, stream, one).problem(409, "conflict")["detail"]
    assert "is redriven" in discard(client, stream, one).problem(409, "conflict")["detail"]
    assert SQL(gateway, f"select count(*) from weir.retries where stream_id = {sid}") == ["1"]


def test_a_letter_of_a_deleted_group_can_only_be_discarded(client, gateway, stream):
    client.create(stream)
    one = letters.letter(gateway, stream, 7)
    assert "billing was deleted" in redrive(client, stream, one).problem(409, "conflict")["detail"]
    assert client.get(dlq(stream, one)).json()["state"] == "parked"
    found = discard(client, stream, one, "a test order").expect(200).json()
    assert (found["state"], found["note"], found["redrives"]) == ("discarded", "a test order", 0)
    event = audited(client, stream, one, 1)[0]
    assert event["type"] == "DeadLetterDiscarded" and event["data"]["changes"]["reason"] == "a test order"
    assert "is discarded" in discard(client, stream, one).problem(409, "conflict")["detail"]


def test_a_reason_may_be_left_out_and_is_bounded(client, gateway, stream):
    client.create(stream)
    one, two = letters.letters(gateway, stream, [{"offset": 1}, {"offset": 2}])
    client.post(dlq(stream, one, "discard"), {"reason": "x" * 501}).problem(400, "bad-body", "/reason")
    client.post(dlq(stream, one, "discard"), {"why": ""}).problem(400, "bad-body", "/why")
    client.post(dlq(stream, one, "discard"), b"{").problem(400, "bad-json")
    client.post(dlq(stream, one, "discard"), b"{}", content_type="text/plain").problem(415, "unsupported-media-type")
    assert client.request("POST", dlq(stream, one, "discard")).expect(200).json()["note"] is None
    assert discard(client, stream, two, "").expect(200).json()["note"] == ""


def test_of_many_who_move_one_letter_one_does(client, gateway, stream):
    client.create(stream)
    group(client, stream)
    ids = letters.letters(gateway, stream, [{"offset": n} for n in range(6)])

    def both(one):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            mine = [harness.Client(gateway) for _ in range(4)]
            tries = list(pool.map(lambda c, fn: fn(c, stream, one).status, mine, (redrive, discard) * 2))
            for c in mine:
                c.close()
        return tries

    for one in ids:
        assert sorted(both(one)) == [200, 409, 409, 409]
        audited(client, stream, one, 1)
    sid = letters.stream_id(gateway, stream)
    redriven = int(SQL(gateway, f"select count(*) from weir.dead_letters where stream_id = {sid} and state = 1")[0])
    assert SQL(gateway, f"select count(*) from weir.retries where stream_id = {sid}") == [str(redriven)]


def test_redrives_into_one_group_wait_for_each_other(client, gateway, stream):
    client.create(stream)
    gid = group(client, stream)
    ids = letters.letters(gateway, stream, [{"offset": n} for n in range(24)])
    clients = [harness.Client(gateway) for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda k: [redrive(clients[k], stream, one).status for one in ids[k::4]], range(4))
        assert [status for part in done for status in part] == [200] * 24
    for one in clients:
        one.close()
    sid = letters.stream_id(gateway, stream)
    assert SQL(gateway, f"select count(*) from weir.retries where stream_id = {sid} and group_id = {gid}") == ["24"]
    assert SQL(gateway, f"select max(seq) from weir.group_states where stream_id = {sid} and group_id = {gid}") == ["25"]


# --- repair ---------------------------------------------------------------------------------------------------------------------
DATA = b'{ "total":"59,80",  "n":12345678901234567890, "items":[1.10, 2] }'


def test_repair_touches_only_what_it_names_and_keeps_the_first_original(client, gateway, stream):
    client.create(stream)
    one = letters.letter(gateway, stream, 7, data=DATA)
    answer = repair(client, stream, one, {"total": "59.80"}).expect(200)
    mended = DATA.replace(b"59,80", b"59.80")
    assert mended in answer.body and DATA in answer.body
    found = answer.json()
    assert found["state"] == "parked" and found["event"]["data"]["total"] == "59.80"
    assert found["original_event"] == {**found["event"], "data": {**found["event"]["data"], "total": "59,80"}}
    assert found["updated_at"] > found["dead_at"]
    patch = [{"op": "test", "path": "/total", "value": "59.80"}, {"op": "replace", "path": "/items/0", "value": 7},
             {"op": "remove", "path": "/n"}]
    again = repair(client, stream, one, patch, "json").expect(200).json()
    assert again["event"]["data"] == {"total": "59.80", "items": [7, 2]} and again["original_event"] == found["original_event"]
    first, second = audited(client, stream, one, 2)
    assert first["type"] == second["type"] == "DeadLetterRepaired"
    assert first["data"]["changes"] == {"before": {"data_bytes": len(DATA)}, "after": {"data_bytes": len(DATA)},
                                        "patch_type": "application/merge-patch+json", "patch": {"total": "59.80"}}
    assert second["data"]["changes"]["patch"] == patch and second["data"]["changes"]["patch_type"] == "application/json-patch+json"


def test_what_changes_nothing_is_no_repair(client, gateway, stream):
    client.create(stream)
    one = letters.letter(gateway, stream, 7, data=DATA)
    before = client.get(dlq(stream, one)).json()
    assert repair(client, stream, one, {}).expect(200).json() == before
    assert repair(client, stream, one, [], "json").expect(200).json() == before
    repair(client, stream, one, {"a": 1}).expect(200)
    audited(client, stream, one, 1)


def test_a_repair_that_is_only_tried_leaves_no_trace(client, gateway, stream):
    client.create(stream)
    one = letters.letter(gateway, stream, 7, data=DATA)
    before = client.get(dlq(stream, one)).json()
    tried = repair(client, stream, one, {"total": 1}, dry_run="true").expect(200).json()
    assert tried["event"]["data"]["total"] == 1 and tried["original_event"]["data"]["total"] == "59,80"
    repair(client, stream, one, [{"op": "remove", "path": "/none"}], "json", dry_run="true").problem(422, "patch-failed", "/0/path")
    assert client.get(dlq(stream, one)).json() == before
    repair(client, stream, one, {"total": 2}, dry_run="false").expect(200)
    assert audited(client, stream, one, 1)[0]["data"]["changes"]["patch"] == {"total": 2}
    repair(client, stream, one, {}, dry_run="perhaps").problem(400, "bad-parameter")


def test_a_patch_that_does_not_fit_changes_nothing(client, gateway, stream):
    client.create(stream)
    one = letters.letter(gateway, stream, 7, data=DATA)
    before = client.get(dlq(stream, one)).json()
    wrong = [{"op": "remove", "path": "/n"}, {"op": "test", "path": "/total", "value": 1}]
    repair(client, stream, one, wrong, "json").problem(409, "patch-test-failed", "/1")
    repair(client, stream, one, [{"op": "remove", "path": "/none"}], "json").problem(422, "patch-failed", "/0/path")
    repair(client, stream, one, [{"op": "cut", "path": ""}], "json").problem(400, "bad-body", "/0/op")
    repair(client, stream, one, {"op": "test"}, "json").problem(400, "bad-body")
    repair(client, stream, one, b'{"a":').problem(400, "bad-json")
    repair(client, stream, one, b"").problem(400, "bad-json")
    repair(client, stream, one, b'{"a":' + b"[" * 80 + b"]" * 80 + b"}").problem(400, "bad-json")
    repair(client, stream, one, {"a": "x" * (1 << 20)}).problem(413, "event-too-large")
    repair(client, stream, one, {"a": "x" * (1 << 21)}).problem(413, "body-too-large")
    deep = b'[{"op":"add","path":"/items/0","value":' + b"[" * 63 + b"]" * 63 + b"}]"
    assert "deeper than 64" in repair(client, stream, one, deep, "json").problem(413, "event-too-large", "/0")["detail"]
    double = [{"op": "add", "path": "/a", "value": "x" * 600_000}, {"op": "copy", "from": "/a", "path": "/b"}]
    assert "more than 1048576 bytes" in repair(client, stream, one, double, "json").problem(413, "event-too-large", "/1")["detail"]
    client.request("PATCH", dlq(stream, one), {"a": 1}).problem(415, "unsupported-media-type")
    client.request("PATCH", dlq(stream, one), b"{}", content_type=None).problem(415, "unsupported-media-type")
    assert client.get(dlq(stream, one)).json() == before
    client.request("PATCH", dlq(stream, one), {"a": 1}, content_type="Application/Merge-Patch+JSON; charset=utf-8").expect(200)
    audited(client, stream, one, 1)


def test_only_parked_letters_with_json_data_are_repaired(client, gateway, stream):
    client.create(stream)
    for n, state in enumerate(("redriven", "resolved", "discarded"), 1):
        one = letters.letter(gateway, stream, n, state=n)
        assert f"is {state}" in repair(client, stream, one, {"a": 1}).problem(409, "conflict")["detail"]
    for form, data in ((0, None), (2, b"{}"), (3, b"{}")):
        one = letters.letter(gateway, stream, 10 + form, data_format=form, data=data)
        assert "not JSON" in repair(client, stream, one, {"a": 1}).problem(422, "patch-failed")["detail"]


def test_a_patch_that_no_record_can_hold_is_told_by_its_size(client, gateway, stream):
    client.create(stream)
    large, deep = letters.letters(gateway, stream, [{"offset": 1}, {"offset": 2}])
    repair(client, stream, large, {"a": "x" * (300 << 10)}).expect(200)
    repair(client, stream, deep, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}").expect(200)
    for one in (large, deep):
        changes = audited(client, stream, one, 1)[0]["data"]["changes"]
        assert "patch" not in changes and changes["after"]["data_bytes"] > changes["before"]["data_bytes"] == 8
