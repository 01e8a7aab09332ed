"""What is checked when events are published, where it is much: large bodies, many events, schemas that take work."""
import harness
import pytest
from test_validation import ORDER, define, event, publish, registry, violations  # noqa: F401


def test_a_check_that_takes_too_much_work_is_a_violation(client, registry, stream):
    """Each level is tried in two ways, of which neither fits."""
    value = "not an array"
    for _ in range(40):
        value = [value]
    define(client, registry, stream, schema={"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]}})
    answer = publish(client, stream, event(value))
    assert violations(answer) == [("/data", None)] and "more steps" in answer.json()["detail"]
    publish(client, stream, event([])).expect(201)


def test_a_large_body_is_checked_as_well(client, registry, stream):
    define(client, registry, stream)
    events = [event({"total": i, "note": "n" * 500}) for i in range(2000)]
    publish(client, stream, events).expect(201)
    events[1999]["data"]["note"] = 1
    assert violations(publish(client, stream, events)) == [("/1999/data/note", "type")]
    assert len(client.read_all(stream)) == 2000


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_types_may_take_turns_in_a_large_request(client, registry, stream, mode):
    names = ["T" * n for n in range(1, 40)]
    define(client, registry, stream, mode, subject_template="{type}-" * 20 + "{stream}", allow_unknown_types=True, schema=None)
    registry.json("T-" * 20 + stream, ORDER)
    events = [{"type": names[i % len(names)], "data": {"total": 1}} for i in range(10000)]
    client.post(harness.events_path(stream), events, timeout=60).expect(201)


def test_all_events_of_a_request_share_a_budget(client, registry, stream):
    """What is too much for the event loop is done on a worker; what is too much there does not conform."""
    value = "not an array"
    for _ in range(16):
        value = [value]
    define(client, registry, stream, schema={"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, True]}})
    publish(client, stream, [event(value) for _ in range(20)]).expect(201)
    registry.call("PUT", f"/config/{stream}-T", {"compatibility": "NONE"})
    registry.json(f"{stream}-T", {"items": {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]}, "type": "array"})
    found = publish(client, stream, [event(value) for _ in range(2000)]).problem(422, "schema-violation")
    assert "2000 of 2000 events" in found["detail"] and len(found["errors"]) == 20
