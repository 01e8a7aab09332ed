"""Sagas: definitions, starts, lists, one instance, its history; who may do what."""
import concurrent.futures
import json
import time

import harness
import pytest
from sagas import Service, act, define, history, instance, path, start, step, until


@pytest.fixture(scope="module")
def service(gateway):
    with Service() as one:
        yield one


# --- definitions ------------------------------------------------------------------------------------------------------------
def test_a_definition_comes_back_with_its_defaults(client, stream, service):
    made = client.put(path(stream), {"steps": [service.step("reserve"), {"name": "release", "approval": {}, "timeout": "1d"}]})
    assert made.status == 201 and made.headers["location"] == path(stream), made
    made = made.json()
    assert (made["name"], made["version"], made["newest"], made["on_exhausted"]) == (stream, 1, 1, "compensate")
    assert made["steps"][0]["retry"] == {"initial": "10ms", "factor": 2, "max": "50ms", "max_attempts": 2, "jitter": 0.2}
    assert made["steps"][0]["timeout"] == "30s" and made["steps"][0]["pivot"] is False
    assert [one["after"] for one in made["steps"]] == [[], ["reserve"]]
    assert made["instances"] == {"running": 0, "waiting": 0, "paused": 0, "compensating": 0}
    assert client.get(path(stream)).expect(200).json() == made


def test_another_definition_is_a_new_version_and_the_same_changes_nothing(client, stream):
    first = define(client, stream, "a")
    assert define(client, stream, "a")["version"] == 1
    assert define(client, stream, "a", "b")["version"] == 2
    assert client.put(path(stream), {"steps": [{"name": "a", "signal": {}}]}).expect(200).json()["version"] == 3
    old = client.get(path(stream, version=1)).expect(200).json()
    assert (old["version"], old["newest"], old["steps"]) == (1, 3, first["steps"])
    client.get(path(stream, version=4)).problem(404, "unknown-saga")
    client.get(path(stream, version=0)).problem(400, "bad-parameter")


STEP = {"name": "a", "signal": {}}
CALL = {"http": {"method": "POST", "url": "https://a.example/b"}}
BAD = {       # name: definition, status, code, pointer
    "no steps": ({}, 400, "bad-body", None),
    "an empty list of steps": ({"steps": []}, None, None, "/steps"),
    "a step without a name": ({"steps": [{"signal": {}}]}, 400, "bad-body", None),
    "a step that does nothing": ({"steps": [{"name": "a"}]}, None, None, "/steps/0"),
    "a step that does two things": ({"steps": [{**STEP, "approval": {}}]}, None, None, "/steps/0"),
    "a member that there is not": ({"steps": [{**STEP, "colour": "red"}]}, 400, "bad-body", "/steps/0/colour"),
    "a duration without a unit": ({"steps": [{**STEP, "timeout": "5"}]}, 400, "bad-body", "/steps/0/timeout"),
    "two steps of one name": ({"steps": [STEP, STEP]}, 422, "bad-definition", "/steps/1/name"),
    "an unknown step": ({"steps": [{**STEP, "after": ["b"]}]}, 422, "bad-definition", "/steps/0/after"),
    "a cycle": ({"steps": [{**STEP, "after": ["b"]}, {"name": "b", "signal": {}, "after": ["a"]}]}, 422, "bad-definition", None),
    "a bad template": ({"steps": [{"name": "a", "action": {"http": {**CALL["http"], "body": "{{inptu.x}}"}}}]}, 422,
                       "bad-definition", "/steps/0/action/http/body"),
    "the result of a later step": ({"steps": [{"name": "a", "action": {"http": {**CALL["http"], "body": "{{steps.b.result}}"}}},
                                              {"name": "b", "signal": {}}]}, 422, "bad-definition", "/steps/0/action/http/body"),
    "a host from a template": ({"steps": [{"name": "a", "action": {"http": {"method": "GET", "url": "https://{{input.h}}/"}}}]}, 422,
                               "bad-definition", "/steps/0/action/http/url"),
    "a line break in a header": ({"steps": [{"name": "a", "action": {"http": {**CALL["http"], "headers": {"X-A": "b\r\nc"}}}}]},
                                 None, None, "/steps/0/action/http/headers"),
    "too many attempts": ({"steps": [{**STEP, "retry": {"max_attempts": 0}}]}, 400, "bad-body", "/steps/0/retry/max_attempts"),
    "another word": ({"steps": [STEP], "on_exhausted": "ignore"}, 400, "bad-body", "/on_exhausted"),
    "too many steps": ({"steps": [{"name": f"s{n}", "signal": {}} for n in range(65)]}, None, None, "/steps"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_definition_that_cannot_be_is_refused_and_says_where(client, case):
    body, status, code, pointer = BAD[case]
    answer = client.put(path("refused"), body)
    problem = answer.problem(status or answer.status, code or answer.json()["code"])
    assert (answer.status, problem["code"]) in ((400, "bad-body"), (422, "bad-definition")), problem
    assert problem["errors"][0]["pointer"].startswith(pointer or ""), problem
    client.get(path("refused")).problem(404, "unknown-saga")


def test_bodies_and_names_that_make_no_sense_are_refused(client, stream):
    good = {"steps": [STEP]}
    client.put(path("Upper"), good).problem(400, "bad-name")
    client.put(path("n" * 116), good).problem(400, "bad-name")
    client.put(path("saga.x"), good).problem(403, "reserved-name")
    client.put(path("x.dlq"), good).problem(403, "reserved-name")
    client.put(path(stream), b"{").problem(400, "bad-json")
    client.put(path(stream), b"[]").problem(400, "bad-body")
    client.put(path(stream), b"{}", content_type="text/plain").problem(415, "unsupported-media-type")
    client.put(path(stream), json.dumps({"steps": [STEP], "description": "x" * 300_000}).encode()).problem(413, "body-too-large")


def test_streams_must_exist_and_be_the_callers_to_use(gateway, second, client, stream):
    publish = {"name": "tell", "action": {"publish": {"stream": f"{stream}.p", "event": {"type": "T"}}}}
    wait = {"name": "hear", "action": {"await": {"stream": f"{stream}.s", "types": ["T"], "match": {"/subject": "{{saga.id}}"}}}}
    body = {"steps": [publish, wait]}
    client.put(path(stream), body, token=harness.mint(f"saga:{stream} publish:*")).problem(403, "insufficient-scope")
    elsewhere = harness.Client(second, gateway.token)                          # one that creates no streams by itself
    problem = elsewhere.put(path(stream), body).problem(404, "unknown-stream")
    elsewhere.close()
    assert f"{stream}." in problem["detail"], problem
    problem = client.put(path(stream), body).problem(404, "unknown-stream")    # one that creates what is published to
    assert f"{stream}.s" in problem["detail"], problem
    client.create(f"{stream}.s")
    client.put(path(stream), body).expect(201)
    assert client.get(f"/v1/streams/{stream}.p").expect(200)
    rights = f"saga:{stream} publish:{stream}.p subscribe:{stream}.s"
    client.put(path(stream), body, token=harness.mint(rights)).expect(200)
    for part in ("publish", "subscribe"):
        lacking = " ".join(right for right in rights.split() if not right.startswith(part))
        assert part in client.put(path(stream), body, token=harness.mint(lacking)).problem(403, "insufficient-scope")["detail"]
        lacking = client.put(path(stream), {**body, "steps": [{**publish, "action": {"publish": {"stream": "not-there", "event": {"type": "T"}}}}]},
                             token=harness.mint(lacking))
        assert lacking.problem(403, "insufficient-scope")
    publish["action"]["publish"]["stream"] = f"{stream}.dlq"
    client.put(path(stream), body).problem(422, "bad-definition", "/steps/0/action/publish/stream")


def test_what_is_shown_may_be_larger_than_what_is_published(gateway, client, stream, service):
    call = service.http("/large", body={"text": "x" * 150_000})
    for name in (stream, f"{stream}.b"):
        define(client, name, {"name": "call", "action": call, "retry": {"max_attempts": 1}}, on_exhausted="pause")
    service.answer = lambda *_: 404
    start(client, stream, "one", input={"text": "y" * 200_000})
    until(client, stream, "one", "paused")
    service.answer = lambda *_: 200
    small = harness.serve(gateway.database_url, {"WEIR_PUBLISH_REQUEST_BYTES": "64KiB", "WEIR_PUBLISH_EVENT_BYTES": "32KiB"})
    reader = harness.Client(small, gateway.token)
    both = reader.get("/v1/sagas", token=harness.mint(f"saga:{stream}*")).expect(200).json()["items"]
    assert [one["name"] for one in both] == [stream, f"{stream}.b"]
    assert both[0]["steps"] == reader.get(path(stream)).expect(200).json()["steps"]
    assert len(reader.get(path(stream, "instances", step="call")).expect(200).json()["items"]) == 1
    assert history(reader, stream, "one")[0]["type"] == "SagaStarted"
    assert act(reader, stream, "one", "skip", step="call").expect(200).json()["state"] == "completed"
    reader.close()
    assert small.stop() == 0
    harness.remove(small)


def test_sagas_are_listed_by_name_and_only_the_callers(client, stream):
    names = [f"{stream}.{letter}" for letter in "abc"]
    for name in reversed(names):
        define(client, name, "one")
    token = harness.mint(f"saga:{names[0]} saga:{names[2]}")
    first = client.get("/v1/sagas?limit=1", token=token).expect(200)
    assert [one["name"] for one in first.json()["items"]] == names[:1] and first.json()["next"] == names[0]
    assert first.headers["link"] == f'</v1/sagas?limit=1&after={names[0]}>; rel="next"'
    rest = client.get(f"/v1/sagas?limit=1&after={names[0]}", token=token).expect(200).json()
    assert [one["name"] for one in rest["items"]] == names[2:] and rest["next"] is None
    assert client.get("/v1/sagas", token=harness.mint("saga:nothing")).expect(200).json() == {"items": [], "next": None}


def test_who_may_not_see_a_saga_learns_nothing_of_it(client, stream):
    define(client, stream, "one")
    start(client, stream, "i-1")
    other = harness.mint(f"saga:{stream}.other publish:* subscribe:* manage:*")
    for target in (path(stream), path(f"{stream}.none"), path(stream, "instances"), path(stream, "instances", "i-1"),
                   path(stream, "instances", "i-1", "history")):
        client.get(target, token=other).problem(403, "insufficient-scope")
    for target in (path(stream, "instances"), path(stream, "retry"), *(path(stream, "instances", "i-1", one) for one in
                   ("cancel", "retry", "skip", "signal/one", "approve/one"))):
        client.post(target.replace("%2F", "/"), {}, token=other).problem(403, "insufficient-scope")
    client.request("DELETE", path(stream), token=other).problem(403, "insufficient-scope")
    client.get("/v1/targets", token=harness.mint("saga:*")).problem(403, "insufficient-scope")


def test_a_saga_is_deleted_only_when_all_has_ended(client, stream):
    define(client, stream, "one")
    start(client, stream, "i-1")
    client.request("DELETE", path(stream)).problem(409, "conflict")
    act(client, stream, "i-1", "signal", "one").expect(200)
    until(client, stream, "i-1", "completed")
    client.request("DELETE", path(stream)).expect(204)
    client.get(path(stream)).problem(404, "unknown-saga")
    client.get(path(stream, "instances", "i-1")).problem(404, "unknown-saga")
    client.request("DELETE", path(stream)).problem(404, "unknown-saga")
    assert define(client, stream, "two")["version"] == 1                       # another incarnation: nothing is left of the first
    client.get(path(stream, "instances", "i-1")).problem(404, "unknown-instance")


# --- starts -----------------------------------------------------------------------------------------------------------------
def test_the_same_id_and_input_is_the_same_instance(client, stream):
    define(client, stream, "one")
    target, body = path(stream, "instances"), {"id": "order-1", "input": {"total": 12345678901234567890.10}}
    first = client.post(target, body).expect(201)
    assert first.json()["id"] == "order-1" and first.headers["location"] == path(stream, "instances", "order-1")
    again = client.post(target, json.dumps(body, indent=3).encode()).expect(200)
    assert again.json() == {"id": "order-1", "saga": stream, "state": again.json()["state"]}
    client.post(target, {**body, "input": {"total": 2}}).problem(409, "conflict")
    assert len(client.get(target).json()["items"]) == 1


def test_an_input_keeps_every_digit(client, stream):
    define(client, stream, "one")
    text = b'{"id":"i","input":{"n":12345678901234567890.10,"z":1,"a":[1e400]}}'
    client.post(path(stream, "instances"), text).expect(201)
    assert b'"input":{"n":12345678901234567890.10,"z":1,"a":[1e400]}' in client.get(path(stream, "instances", "i")).body


def test_an_idempotency_key_stands_for_one_instance_of_the_caller(client, stream):
    define(client, stream, "one")
    target, key = path(stream, "instances"), {"Idempotency-Key": '"start-1"'}
    first = client.post(target, {"input": 1}, headers=key).expect(201).json()["id"]
    assert client.post(target, {"input": 1}, headers={"Idempotency-Key": "start-1"}).expect(200).json()["id"] == first
    client.post(target, {"input": 2}, headers=key).problem(422, "idempotency-key-reused")
    assert client.post(target, {"input": 1}, headers=key, token=harness.mint(sub="other")).expect(201).json()["id"] != first
    define(client, f"{stream}.b", "one")
    client.post(path(f"{stream}.b", "instances"), {"input": 2}, headers=key).expect(201)
    client.post(target, {"input": 1}, headers={"Idempotency-Key": '"'}).problem(400, "bad-request")
    assert client.post(target, {}).expect(201).json()["id"] != client.post(target, {}).expect(201).json()["id"]


def test_sixteen_clients_at_once_start_one_instance(gateway, client, stream):
    define(client, stream, "one")

    def go(n):
        one = harness.Client(gateway)
        key = {"Idempotency-Key": "the-same"} if n % 2 else None
        answers = [one.post(path(stream, "instances"), {"input": 7, **({} if key else {"id": "same"})}, headers=key) for _ in range(3)]
        one.close()
        return [(answer.status, bool(key), answer.json()["id"]) for answer in answers]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = [one for some in pool.map(go, range(16)) for one in some]
    assert {status for status, _, _ in answers} == {200, 201}
    for keyed in (False, True):
        assert len({one for _, by_key, one in answers if by_key == keyed}) == 1
        assert len([status for status, by_key, _ in answers if by_key == keyed and status == 201]) == 1
    assert len(client.get(path(stream, "instances")).json()["items"]) == 2


def test_a_start_that_makes_no_sense_is_refused(client, stream):
    target = path(stream, "instances")
    client.post(target, {}).problem(404, "unknown-saga")
    define(client, stream, "one")
    for wrong in ("", "a/b", "a b", "ä", "x" * 121, ".", "..", 7, "a\n"):
        client.post(target, {"id": wrong}).problem(400, "bad-body", "/id")
    client.post(target, {"colour": 1}).problem(400, "bad-body", "/colour")
    client.post(target, b'{"input":1,"input":2}').problem(400, "bad-body", "/input")
    client.post(target, b'{"input":{"a":1,"a":2}}').problem(400, "bad-json")
    client.post(target, b'[]').problem(400, "bad-body")
    client.post(target, b'{"input":').problem(400, "bad-json")
    client.post(target, b"{}", content_type="text/plain").problem(415, "unsupported-media-type")
    client.post(target, {"input": "x" * 300_000}).problem(413, "body-too-large")
    assert client.get(target).expect(200).json() == {"items": [], "next": None}
    odd = "!\"#$%&'()*+,-:;<=>?@[]^_`{|}~"
    made = client.post(target, {"id": odd, "input": "y" * 200_000}).expect(201)  # a large body is read on a worker
    assert client.get(made.headers["location"]).expect(200).json()["id"] == odd
    client.post(target, None).expect(201)


# --- looking ----------------------------------------------------------------------------------------------------------------
def test_an_instance_shows_what_each_step_did(client, stream, service):
    service.answer = lambda method, *_: (201, {"id": "r-1"}, {}) if method == "POST" else 200
    define(client, stream, service.step("reserve"), {"name": "paid", "signal": {}, "timeout": "1h"})
    one = start(client, stream, "o-1", input={"n": 1})
    it = until(client, stream, one, "waiting")
    assert (it["id"], it["saga"], it["version"], it["cause"], it["input"]) == ("o-1", stream, 1, None, {"n": 1})
    done = step(it, "reserve")
    assert (done["kind"], done["status"], done["attempts"], done["result"]) == ("http", "succeeded", 1, {"id": "r-1"})
    assert done["request"]["url"] == f"{service.url}/reserve" and done["target"] == service.url and not done["unknown"]
    assert done["begun"] <= done["ended"] and done["compensation"]["status"] == "pending"
    open_one = step(it, "paid")
    assert (open_one["kind"], open_one["status"], open_one["compensation"]) == ("signal", "waiting", None) and open_one["due"]
    act(client, stream, one, "signal", "paid", result={"by": "card"}).expect(200)
    it = until(client, stream, one, "completed")
    assert step(it, "paid")["result"] == {"by": "card"} and it["ended"] and it["deadline"] is None
    client.get(path(stream, "instances", "none")).problem(404, "unknown-instance")
    client.get(path(f"{stream}.none", "instances", "none")).problem(404, "unknown-saga")


def test_an_instance_keeps_the_version_it_began_with(client, stream):
    define(client, stream, "one")
    start(client, stream, "old")
    define(client, stream, "one", "two")
    start(client, stream, "new")
    for one, names, version in (("old", ["one"], 1), ("new", ["one", "two"], 2)):
        it = instance(client, stream, one)
        assert ([s["name"] for s in it["steps"]], it["version"]) == (names, version)
    act(client, stream, "old", "signal", "two").problem(404, "unknown-step")


def test_history_tells_all_in_order_and_is_a_stream_too(client, stream):
    define(client, stream, "one")
    start(client, stream, "o-1", input={"n": 1})
    act(client, stream, "o-1", "signal", "one", result=5).expect(200)
    until(client, stream, "o-1", "completed")
    records = history(client, stream, "o-1")
    assert [one["type"] for one in records][0] == "SagaStarted" and records[-1]["type"] == "SagaCompleted"
    assert "StepSucceeded" in [one["type"] for one in records if one["step"] == "one"]
    pages, after = [], None
    while after != "":
        page = client.get(path(stream, "instances", "o-1", "history", limit=1, **({"after": after} if after else {}))).json()
        pages += page["items"]
        after = page["next"] or ""
    assert pages == records
    client.get(path(stream, "instances", "o-1", "history", after="x")).problem(400, "bad-parameter")
    client.get(path(stream, "instances", "o-2", "history")).problem(404, "unknown-instance")
    events, deadline = [], time.monotonic() + 60 * harness.SLOW
    while len(events) < len(records) and time.monotonic() < deadline:
        answer = client.get(harness.events_path(f"saga.{stream}", subject="o-1"))
        events = answer.json()["events"] if answer.status == 200 else []
        time.sleep(0.02)
    assert [(e["type"], e["subject"]) for e in events] == [(r["type"], "o-1") for r in records]
    assert client.post(f"/v1/streams/saga.{stream}/events", {"type": "T"}).problem(403, "reserved-name")


def test_instances_are_found_by_what_they_are(client, stream, service):
    service.answer = lambda method, where, *_: (422, {"why": "none left"}, {}) if where == "/pack" else 200
    define(client, stream, service.step("pack"))
    define(client, stream, "one", service.step("pack"))
    for n in range(4):
        start(client, stream, f"i-{n}")
    act(client, stream, "i-3", "signal", "one").expect(200)
    until(client, stream, "i-3", "compensated")
    for n in range(3):
        until(client, stream, f"i-{n}", "waiting")

    def found(**query):
        return [one["id"] for one in client.get(path(stream, "instances", **query)).expect(200).json()["items"]]

    assert found() == ["i-3", "i-2", "i-1", "i-0"] and found(state="waiting") == ["i-2", "i-1", "i-0"]
    assert client.get(path(stream)).json()["instances"] == {"running": 0, "waiting": 3, "paused": 0, "compensating": 0}
    assert found(state="running") == found(state="failed") == []
    assert found(state="compensated") == ["i-3"] == found(step="pack") == found(error="none left") == found(error="*left*", step="pack")
    assert found(step="one") == found(step="nothing") == found(version=1) == found(error="some left") == []
    times = [instance(client, stream, f"i-{n}")["created"] for n in range(4)]
    assert found(**{"from": times[1], "to": times[3]}) == ["i-2", "i-1"]
    page = client.get(path(stream, "instances", state="waiting", limit=2)).expect(200)
    assert [one["id"] for one in page.json()["items"]] == ["i-2", "i-1"] and 'rel="next"' in page.headers["link"]
    rest = client.get(path(stream, "instances", state="waiting", limit=2, after=page.json()["next"])).expect(200).json()
    assert [one["id"] for one in rest["items"]] == ["i-0"] and rest["next"] is None
    for wrong in ({"state": "sleeping"}, {"from": "today"}, {"limit": 0}, {"after": "x"}, {"version": "one"}, {"colour": "red"},
                  {"from": times[3], "to": times[1]}):
        client.get(path(stream, "instances", **wrong)).problem(400, "bad-parameter")
    client.get(path(f"{stream}.none", "instances")).problem(404, "unknown-saga")
