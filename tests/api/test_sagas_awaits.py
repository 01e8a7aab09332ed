"""Sagas and events: awaits, what steps publish, starts by events, the stream of a saga's history, what comes early."""
import time

import harness
from sagas import act, define, history, instance, path, start, step, until


def awaits(stream, types=("Paid",), where="{{input.order}}", **more):
    return {"await": {"stream": stream, "types": list(types), "match": {"/data/order": where}, **more}}


def tells(stream, **event):
    return {"publish": {"stream": stream, "event": {"subject": "{{saga.id}}", **event}}}


def pay(client, stream, *orders, kind="Paid"):
    client.publish(stream, [{"type": kind, "data": {"order": order, "by": "card"}} for order in orders])


def undone(stream):
    return tells(stream, type="Undone")


def types_of(client, stream, subject):
    return [one["type"] for one in client.read_all(stream) if one.get("subject") == subject]


def test_an_await_takes_the_event_of_its_value_and_has_it_as_its_result(client, stream):
    client.create(stream, partitions=3)
    define(client, stream, {"name": "paid", "action": awaits(stream), "timeout": "1m"},
           {"name": "tell", "action": tells(stream, type="Told", data={"by": "{{steps.paid.result.data.by}}"})})
    pay(client, stream, "o-1")                                                 # before it waits
    for n in (1, 2):
        start(client, stream, f"i-{n}", input={"order": f"o-{n}"})
    assert until(client, stream, "i-1", "waiting")["state"] == "waiting"
    pay(client, stream, "o-2")
    pay(client, stream, "o-3")
    done = until(client, stream, "i-2", "completed")
    assert step(done, "paid")["result"]["data"] == {"order": "o-2", "by": "card"}
    told = next(one for one in client.read_all(stream) if one["type"] == "Told")
    assert (told["subject"], told["data"], told["id"]) == ("i-2", {"by": "card"}, f"{stream}/i-2/tell/action")
    assert step(done, "tell")["result"]["offset"] == told["offset"]
    assert instance(client, stream, "i-1")["state"] == "waiting"
    pay(client, stream, "o-1")
    until(client, stream, "i-1", "completed")


def test_an_event_that_comes_at_once_is_never_missed(client, stream):
    """What a step publishes is itself what it waits for."""
    client.create(stream, partitions=2)
    asks = {**tells(stream, type="Asked", data={"order": "{{saga.id}}"}), **awaits(stream, ["Asked"], "{{saga.id}}")}
    define(client, stream, {"name": "one", "action": asks}, {"name": "two", "action": awaits(stream, ["Next"], "{{saga.id}}")})
    ids = [f"i-{n}" for n in range(40)]
    for one in ids:
        start(client, stream, one, input={})
    for one in ids:                                                            # as soon as the second step waits
        until(client, stream, one, lambda it: step(it, "two")["status"] == "waiting")
        pay(client, stream, one, kind="Next")
    for one in ids:
        until(client, stream, one, "completed")


def test_an_event_that_is_published_after_the_start_was_answered_is_seen(client, stream):
    client.create(stream)
    define(client, stream, {"name": "paid", "action": awaits(stream)})
    for n in range(20):
        start(client, stream, f"i-{n}", input={"order": n})
        pay(client, stream, n)
    for n in range(20):
        until(client, stream, f"i-{n}", "completed")


def test_an_event_serves_an_instance_once(client, stream):
    client.create(stream)
    define(client, stream, {"name": "a", "after": [], "action": awaits(stream)}, {"name": "b", "after": [], "action": awaits(stream)})
    for n in (7, 8):
        start(client, stream, f"i-{n}", input={"order": n})
    for n in (7, 8):                                                           # once 8's is taken 7's has been looked at
        pay(client, stream, n)
        until(client, stream, f"i-{n}", lambda it: step(it, "a")["status"] == "succeeded")
    assert step(instance(client, stream, "i-7"), "b")["status"] == "waiting"
    pay(client, stream, 7)
    until(client, stream, "i-7", "completed")


def test_a_failure_type_and_a_timeout_compensate(client, stream):
    client.create(stream)
    told = {"name": "told", "action": tells(stream, type="Done"), "compensation": undone(stream)}
    for one, timeout in (("refused", "1h"), ("late", "700ms")):
        define(client, f"{stream}.{one}", told, {"name": "paid", "action": awaits(stream, failure_types=["Refused"]), "timeout": timeout})
        start(client, f"{stream}.{one}", one, input={"order": one})
    until(client, f"{stream}.refused", "refused", lambda it: step(it, "paid")["status"] == "waiting")     # not before `told` is through
    pay(client, stream, "refused", kind="Refused")
    for one in ("refused", "late"):
        until(client, f"{stream}.{one}", one, "compensated")
        assert types_of(client, stream, one) == ["Done", "Undone"]
    records = {one["type"]: harness_time(one["at"]) for one in history(client, f"{stream}.late", "late")}
    assert records["SagaCompensating"] - records["SagaStarted"] >= 0.7, records


def test_an_event_and_the_timeout_of_its_await_meet_and_one_of_them_counts(client, stream):
    """What was acknowledged in time is seen; what comes later may still be, and then it is not timed out as well."""
    client.create(stream, partitions=2)
    define(client, stream, {"name": "paid", "action": awaits(stream), "timeout": "600ms"})
    due, acknowledged = [], []
    for n in range(40):
        start(client, stream, f"i-{n}", input={"order": n})
        due.append(time.monotonic() + 0.6)
    for n in range(40):                                                        # each within 20 ms of its deadline, as far as the machine is in time
        time.sleep(max(0, due[n] + (n % 9 - 4) * 0.005 - time.monotonic()))
        pay(client, stream, n)
        acknowledged.append(time.time())
    for n in range(40):
        done = until(client, stream, f"i-{n}", lambda it: it["state"] in ("completed", "compensated"))
        records = [one for one in history(client, stream, f"i-{n}") if one["type"] in ("StepWaiting", "StepSucceeded", "StepFailed")]
        assert [one["type"] for one in records] in (["StepWaiting", "StepSucceeded"], ["StepWaiting", "StepFailed"]), records
        assert (done["state"] == "completed") == (records[1]["type"] == "StepSucceeded")
        if acknowledged[n] < harness_time(records[0]["data"]["until"]):
            assert done["state"] == "completed", (n, done)


def harness_time(text):
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_command_whose_answer_is_a_failure_is_published_again(client, stream):
    """Each time another event, under the same idempotency key; by an operator's retry too."""
    client.create(stream)
    unpack = {**tells(stream, type="UnpackRequested"),
              "await": {"stream": stream, "types": ["Unpacked"], "failure_types": ["UnpackFailed"], "match": {"/subject": "{{saga.id}}"}}}
    define(client, stream, {"name": "pack", "action": tells(stream, type="Packed"), "compensation": unpack, "timeout": "1m",
                            "retry": {"initial": "20ms", "max_attempts": 2}}, {"name": "ok", "approval": {}})
    start(client, stream, "i", input={})
    act(client, stream, "i", "approve", "ok", decision="reject").expect(200)
    key = f"{stream}/i/pack/compensation"

    def asked(times):
        deadline = time.monotonic() + 60 * harness.SLOW
        while len(found := [one for one in client.read_all(stream) if one["type"] == "UnpackRequested"]) < times:
            assert time.monotonic() < deadline, instance(client, stream, "i")
            time.sleep(0.02)
        assert [one["id"] for one in found] == [key, f"{key}/2", f"{key}/3"][:times] and {one["idempotencykey"] for one in found} == {key}

    for times, answer, state in (1, "UnpackFailed", None), (2, "UnpackFailed", "paused"), (3, "Unpacked", "compensated"):
        asked(times)
        client.publish(stream, [{"type": answer, "subject": "i"}])
        if state:
            until(client, stream, "i", state)
        if state == "paused":
            act(client, stream, "i", "retry").expect(200)


def test_what_cannot_be_published_is_a_business_failure(client, stream):
    client.create(stream, schema_validation="enforce")
    define(client, stream, {"name": "tell", "action": tells(stream, type="NoSchema")})
    start(client, stream, "i", input={})
    failed = until(client, stream, "i", "compensated")
    assert step(failed, "tell")["error"]["type"] == "schema-violation", failed


def test_events_start_instances_once_each(client, stream):
    client.create(stream, partitions=2)
    orders = {"stream": stream, "types": ["Order*"]}
    client.publish(stream, [{"type": "OrderOld"}])
    define(client, stream, "a", start_on=orders)
    client.publish(stream, [{"type": "OrderPlaced", "data": {"n": 1}}, {"type": "Other"}])
    items = until_items(client, stream, 1)
    assert instance(client, stream, items[0]["id"])["input"] == {"n": 1}
    define(client, stream, "a", start_on={**orders, "id": "{{event.subject}}", "input": {"of": "{{event.subject}}"}})
    client.publish(stream, [{"type": "OrderPlaced", "subject": "order-7"}] * 2)
    until_items(client, stream, 2)
    assert instance(client, stream, "order-7")["input"] == {"of": "order-7"}
    define(client, f"{stream}.other", "a", start_on=orders)
    define(client, stream, "a")                                                # nothing starts it any more
    client.publish(stream, [{"type": "OrderPlaced", "subject": "order-8"}])
    until_items(client, f"{stream}.other", 1)                                  # the event was looked at
    assert len(until_items(client, stream, 2)) == 2


def until_items(client, saga, n, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while len(items := client.get(path(saga, "instances")).expect(200).json()["items"]) != n:
        assert time.monotonic() < deadline, items
        time.sleep(0.02)
    return items


def test_the_history_is_a_stream_that_weir_alone_writes(client, stream):
    define(client, stream, "a", "b")
    start(client, stream, "i", input={})
    for name in "ab":
        act(client, stream, "i", "signal", name, result=1).expect(200)
    until(client, stream, "i", "completed")
    told, wanted = [], [one["type"] for one in history(client, stream, "i")]
    deadline = time.monotonic() + 60 * harness.SLOW
    while [one["type"] for one in told] != wanted:
        assert time.monotonic() < deadline, (told, wanted)
        time.sleep(0.05)
        answer = client.get(harness.events_path(f"saga.{stream}"))
        told = answer.json()["events"] if answer.status == 200 else []
    assert {one["subject"] for one in told} == {"i"} and wanted[0] == "SagaStarted" and wanted[-1] == "SagaCompleted"
    client.post(f"/v1/streams/saga.{stream}/events", {"type": "SagaStarted"}).problem(403, "reserved-name")


def test_what_comes_before_its_step_is_kept(client, stream):
    define(client, stream, "first", {"name": "ok", "approval": {}}, "last")
    start(client, stream, "i", input={})
    act(client, stream, "i", "approve", "ok", decision="approve", comment="fine").expect(200)
    act(client, stream, "i", "signal", "last", result={"n": 1}).expect(200)
    assert instance(client, stream, "i")["state"] == "waiting"
    act(client, stream, "i", "signal", "first", result=None).expect(200)
    assert step(until(client, stream, "i", "completed"), "last")["result"] == {"n": 1}


def test_a_gateway_that_was_down_at_the_deadline_tells_what_came_in_time_from_what_did_not():
    settings = {"WEIR_OUTBOUND_ALLOW_PRIVATE": "true"}
    gateway = harness.dev(settings)
    try:
        client = harness.Client(gateway)
        client.create("orders", partitions=2)
        for seconds in (1, 3, 9, 27):                                          # as slow as the machine is
            saga, end = f"orders-{seconds}s", time.monotonic() + seconds
            define(client, saga, {"name": "paid", "action": awaits("orders"), "timeout": f"{seconds}s"})
            for n in range(6):
                start(client, saga, f"i-{n}", input={"order": f"{saga} {n}"})
            pay(client, "orders", *(f"{saga} {n}" for n in range(0, 6, 2)))
            gateway.kill()
            if time.monotonic() < end:
                break
            gateway = harness.dev(settings, directory=gateway.directory)
            client = harness.Client(gateway)
        assert time.monotonic() < end
        time.sleep(seconds + 0.2)
        again = harness.dev(settings, directory=gateway.directory)
        try:
            client = harness.Client(again)
            states = [until(client, saga, f"i-{n}", lambda it: it["ended"])["state"] for n in range(6)]
            assert states == ["completed", "compensated"] * 3
        finally:
            again.stop()
    finally:
        harness.remove(gateway)
