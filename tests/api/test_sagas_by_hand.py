"""What is done to instances of sagas by hand: signals, approvals, cancel, retry, skip, of one and of many, and what the audit log tells."""
import harness
import pytest
from sagas import Service, act, define, history, instance, path, start, step, until

AUDIT = "_audit"


@pytest.fixture
def service(gateway):
    with Service() as one:
        yield one


def audited(client, saga, one):
    """(type, actor, changes) of what was done to the instance."""
    answer = client.get(harness.events_path(AUDIT, wait="2s", subject=path(saga, "instances", one), limit=1000))
    events = answer.json()["events"] if answer.status == 200 else []           # it is made with its first record
    return [(e["type"], e["data"]["actor"]["sub"], e["data"]["changes"]) for e in events]


def until_audited(client, saga, one, count):
    for _ in range(50):
        if len(found := audited(client, saga, one)) >= count:
            return found
    raise AssertionError(found)


# --- signals and approvals --------------------------------------------------------------------------------------------------
def test_a_signal_gives_its_step_a_result(client, stream):
    define(client, stream, "one", "two")
    start(client, stream, "i")
    until(client, stream, "i", "waiting")
    it = act(client, stream, "i", "signal", "one", result={"n": 12345678901234567890}).expect(200).json()
    assert step(it, "one")["status"] == "succeeded" and step(it, "one")["result"] == {"n": 12345678901234567890}
    act(client, stream, "i", "signal", "two").expect(200)
    assert step(until(client, stream, "i", "completed"), "two")["result"] is None


def test_a_signal_that_comes_before_its_step_is_kept(client, stream):
    define(client, stream, "one", "two")
    start(client, stream, "i")
    act(client, stream, "i", "signal", "two", result=2).expect(200)
    assert step(instance(client, stream, "i"), "two")["status"] == "pending"
    act(client, stream, "i", "signal", "one", result=1).expect(200)
    assert [one["result"] for one in until(client, stream, "i", "completed")["steps"]] == [1, 2]


def test_the_same_signal_again_is_well_and_another_one_is_not(client, stream):
    define(client, stream, "one", "two")
    start(client, stream, "i")
    for _ in range(2):
        act(client, stream, "i", "signal", "one", result=1).expect(200)
        act(client, stream, "i", "signal", "two", result=2).expect(200)
    act(client, stream, "i", "signal", "two", result=3).problem(409, "conflict")


def test_an_approval_lets_it_go_on_and_a_rejection_back(client, stream, service):
    define(client, stream, service.step("reserve"), {"name": "release", "approval": {}}, service.step("ship"))
    for one, decision, end in (("yes", "approve", "completed"), ("no", "reject", "compensated"), ("early", "approve", "completed")):
        start(client, stream, one)
        if one != "early":
            until(client, stream, one, "waiting")
        act(client, stream, one, "approve", "release", decision=decision, comment="looked").expect(200)
        until(client, stream, one, end)
        act(client, stream, one, "approve", "release", decision=decision, comment="looked").expect(200)
    methods = [(method, where) for method, where, _, body in service.calls]
    assert methods.count(("DELETE", "/reserve")) == 1 and methods.count(("POST", "/ship")) == 2
    assert step(instance(client, stream, "no"), "reserve")["compensation"]["status"] == "succeeded"
    assert step(instance(client, stream, "no"), "ship")["status"] in ("pending", "skipped")


def test_what_a_step_does_not_take_is_refused(client, stream):
    define(client, stream, "one", {"name": "two", "approval": {}})
    start(client, stream, "i")
    act(client, stream, "i", "approve", "one", decision="approve").problem(409, "conflict")
    act(client, stream, "i", "signal", "two").problem(409, "conflict")
    act(client, stream, "i", "signal", "three").problem(404, "unknown-step")
    act(client, stream, "j", "signal", "one").problem(404, "unknown-instance")
    act(client, f"{stream}.none", "i", "signal", "one").problem(404, "unknown-saga")
    act(client, stream, "i", "approve", "two").problem(400, "bad-body", "/decision")
    act(client, stream, "i", "approve", "two", decision="maybe").problem(400, "bad-body", "/decision")
    act(client, stream, "i", "approve", "two", decision="approve", comment="x" * 501).problem(400, "bad-body", "/comment")
    act(client, stream, "i", "signal", "one", value=1).problem(400, "bad-body", "/value")
    act(client, stream, "i", "cancel", reason=5).problem(400, "bad-body", "/reason")
    act(client, stream, "i", "cancel", reason="a\0b").problem(400, "bad-body", "/reason")
    act(client, stream, "i", "retry", steps=[]).problem(400, "bad-body", "/steps")
    client.post(path(stream, "instances", "i", "signal", "one"), b"{").problem(400, "bad-json")
    client.post(path(stream, "instances", "i", "signal", "one"), b"[1]").problem(400, "bad-body")
    assert instance(client, stream, "i")["transitions"] == 1


# --- cancel -----------------------------------------------------------------------------------------------------------------
def test_cancel_undoes_what_was_done(client, stream, service):
    define(client, stream, service.step("a"), service.step("b"), "wait")
    start(client, stream, "i")
    until(client, stream, "i", "waiting")
    act(client, stream, "i", "cancel", reason="the customer called").expect(200)
    it = until(client, stream, "i", "compensated")
    assert [(m, where) for m, where, _, _ in service.calls] == [("POST", "/a"), ("POST", "/b"), ("DELETE", "/b"), ("DELETE", "/a")]
    assert "the customer called" in str(it["cause"]) or "the customer called" in str(history(client, stream, "i"))
    assert act(client, stream, "i", "cancel").problem(409, "conflict")["detail"]


def test_after_the_pivot_there_is_no_way_back(client, stream, service):
    define(client, stream, service.step("a"), service.step("b", pivot=True), "wait")
    start(client, stream, "i")
    assert until(client, stream, "i", "waiting")["pivot_sent"]
    act(client, stream, "i", "cancel").problem(409, "conflict")
    act(client, stream, "i", "signal", "wait").expect(200)
    until(client, stream, "i", "completed")


# --- retry and skip ---------------------------------------------------------------------------------------------------------
def test_a_paused_step_is_retried_under_the_same_key(client, stream, service):
    service.answer = lambda *_: 500
    define(client, stream, service.step("a"), "wait", on_exhausted="pause")
    start(client, stream, "i")
    it = until(client, stream, "i", "paused")
    failed = step(it, "a")
    assert failed["status"] == "failed" and failed["attempts"] == 2 and failed["error"] and failed["answer"]["status"] == 500, failed
    assert failed["request"]["url"].endswith("/a") and it["cause"]
    service.answer = lambda *_: (200, {"ok": True}, {})
    act(client, stream, "i", "retry", step="wait").problem(409, "conflict")
    act(client, stream, "i", "retry", step="a", comment="it is back").expect(200)
    it = until(client, stream, "i", "waiting")
    assert step(it, "a")["result"] == {"ok": True} and it["cause"] is None
    assert {headers["idempotency-key"] for _, _, headers, _ in service.calls} == {f"{stream}/i/a/action"}


def test_a_paused_step_may_be_skipped(client, stream, service):
    service.answer = lambda _, where, *__: 500 if where == "/a" else 200
    define(client, stream, service.step("a"), service.step("b"), on_exhausted="pause")
    start(client, stream, "i")
    until(client, stream, "i", "paused")
    act(client, stream, "i", "skip", comment="done by hand").expect(200)
    it = until(client, stream, "i", "completed")
    assert step(it, "a")["status"] in ("skipped", "succeeded") and step(it, "a")["result"] is None
    act(client, stream, "i", "skip").problem(409, "conflict")
    act(client, stream, "i", "retry").problem(409, "conflict")


def test_a_compensation_that_is_skipped_leaves_the_instance_failed(client, stream, service):
    service.answer = lambda method, *_: 500 if method == "DELETE" else 200
    define(client, stream, service.step("a"), "wait")
    start(client, stream, "i")
    until(client, stream, "i", "waiting")
    act(client, stream, "i", "cancel").expect(200)
    it = until(client, stream, "i", "paused")
    assert step(it, "a")["compensation"]["status"] == "failed"
    act(client, stream, "i", "skip", step="a").expect(200)
    until(client, stream, "i", "failed")
    assert [one["id"] for one in client.get(path(stream, "instances", state="failed")).json()["items"]] == ["i"]


# --- many -------------------------------------------------------------------------------------------------------------------
def test_many_are_retried_by_a_filter(client, stream, service):
    service.answer = lambda *_: 404                                            # which opens no breaker
    define(client, stream, {**service.step("a"), "action": service.http("/a/{{saga.id}}")}, on_exhausted="pause")
    for n in range(5):
        start(client, stream, f"i-{n}")
    for n in range(5):
        until(client, stream, f"i-{n}", "paused")
    target, every = path(stream, "retry"), [f"i-{n}" for n in (4, 3, 2, 1, 0)]
    dry = client.post(target, {"filter": {"step": "a", "error": "404"}, "dry_run": True}).expect(200).json()
    assert dry == {"matched": 5, "retried": 0, "ids": every, "refused": [], "more": False}
    assert client.post(target, {"filter": {"step": "b"}}).expect(200).json()["matched"] == 0
    service.answer = lambda *_: 200
    some = client.post(target, {"filter": {"state": "paused"}, "limit": 2, "comment": "back"}).expect(200).json()
    assert some == {"matched": 2, "retried": 2, "ids": every[:2], "refused": [], "more": True}
    rest = client.post(target, {"filter": {"to": instance(client, stream, "i-2")["created"]}}).expect(200).json()
    assert rest["ids"] == every[3:] and not rest["more"]
    for n in (0, 1, 3, 4):
        until(client, stream, f"i-{n}", "completed")
    assert instance(client, stream, "i-2")["state"] == "paused"
    for wrong, pointer in (({"filter": {"state": "failed"}}, "/filter/state"), ({"filter": {"from": "x"}}, "/filter/from"),
                           ({"filter": {}, "limit": 1001}, "/limit"), ({"filter": {"colour": 1}}, "/filter/colour"), ({}, "/filter")):
        client.post(target, wrong).problem(400, "bad-body", pointer)
    client.post(path(f"{stream}.none", "retry"), {"filter": {}}).problem(404, "unknown-saga")


# --- audit ------------------------------------------------------------------------------------------------------------------
def test_every_act_is_audited_once_and_what_was_refused_is_not(client, stream, service):
    service.answer = lambda *_: 500
    define(client, stream, service.step("a"), {"name": "ok", "approval": {}}, "wait", on_exhausted="pause")
    start(client, stream, "i")
    until(client, stream, "i", "paused")
    token = harness.mint(f"saga:{stream}", sub="olga")
    for what, names, body in (("retry", (), {"comment": "again"}), ("skip", ("",), {"step": "a"}), ("approve", ("ok",), {"decision": "approve"}),
                              ("approve", ("ok",), {"decision": "approve"}), ("signal", ("wait",), {"result": 1}), ("cancel", (), {})):
        if what == "skip":
            until(client, stream, "i", "paused")
        client.post(path(stream, "instances", "i", what, *[n for n in names if n]), body, token=token)
    found = until_audited(client, stream, "i", 4)
    assert [kind for kind, _, _ in found] == ["SagaInstanceRetried", "SagaStepSkipped", "SagaDecided", "SagaSignalled"]
    assert {who for _, who, _ in found} == {"olga"}
    assert found[0][2]["before"] == {"state": "paused"} and found[0][2]["comment"] == "again"
    assert found[1][2]["step"] == "a" and found[2][2]["decision"] == "approve" and found[3][2]["step"] == "wait"
    events = client.read_all(AUDIT, subject=path(stream))
    assert [e["type"] for e in events] == ["SagaCreated"] and events[0]["data"]["changes"]["version"] == 1
