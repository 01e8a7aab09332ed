"""Events are checked against their schemas when they are published: schema_validation, dataschema, subject_template."""
import base64
import struct
import threading
import time

import harness
import pytest
from test_registry import Registry, record

ORDER = {"type": "object", "required": ["total"],
         "properties": {"total": {"type": "number", "minimum": 0}, "note": {"type": "string"}}}
STRICT = {**ORDER, "required": ["total", "note"]}


SECOND = {"WEIR_REGISTRY_CACHE_SCHEMAS": "4"}


@pytest.fixture
def registry(client):
    return Registry(client)


def define(client, registry, stream, mode="enforce", schema=ORDER, **settings):
    client.create(stream, schema_validation=mode, **settings)
    return registry.json(f"{stream}-T", schema) if schema else 0


def publish(client, stream, events, **options):
    return client.post(harness.events_path(stream), events, **options)


def violations(answer):
    return [(e["pointer"], e.get("keyword")) for e in answer.problem(422, "schema-violation")["errors"]]


def event(data=None, **more):
    return {"type": "T", **({} if data is None else {"data": data}), **more}


def test_what_conforms_is_recorded_and_what_does_not_is_pointed_at(client, registry, stream):
    define(client, registry, stream)
    publish(client, stream, event({"total": 1})).expect(201)
    assert violations(publish(client, stream, event({"total": "1"}))) == [("/data/total", "type")]
    assert violations(publish(client, stream, event({"note": 1}))) == [("/data/note", "type"), ("/data", "required")]
    assert violations(publish(client, stream, event())) == [("/data", None)]
    assert violations(publish(client, stream, [event({"total": 1}), event({"total": -1})])) == [("/1/data/total", "minimum")]
    assert [e["data"] for e in client.read_all(stream)] == [{"total": 1}]


def test_in_binary_mode_the_body_is_what_is_pointed_into(client, registry, stream):
    define(client, registry, stream)
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "T"}
    answer = client.request("POST", harness.events_path(stream), {"total": "x"}, headers=headers)
    assert violations(answer) == [("/total", "type")]
    answer = client.request("POST", harness.events_path(stream), {"total": 1}, headers={**headers, "ce-type": "Other"})
    assert violations(answer) == [("", None)]
    client.request("POST", harness.events_path(stream), {"total": 1}, headers=headers).expect(201)


def test_a_request_tells_of_twenty_findings_at_most(client, registry, stream):
    define(client, registry, stream)
    answer = publish(client, stream, [event({"total": str(i)}) for i in range(30)])
    assert violations(answer) == [(f"/{i}/data/total", "type") for i in range(20)]
    assert "30 of 30 events" in answer.json()["detail"]


def test_a_type_without_a_schema_is_refused_unless_the_stream_allows_it(client, registry, stream):
    define(client, registry, stream)
    other = {"type": "Other", "data": 1}
    assert violations(publish(client, stream, other)) == [("/type", None)]
    client.request("PATCH", f"/v1/streams/{stream}", {"allow_unknown_types": True},
                   content_type="application/merge-patch+json").expect(200)
    publish(client, stream, other).expect(201)
    publish(client, stream, {"type": "Other", "datacontenttype": "image/gif", "data_base64": "AAAAAAEC"}).expect(201)
    assert violations(publish(client, stream, event({}))) == [("/data", "required")]


def test_warn_records_and_marks(client, registry, stream):
    define(client, registry, stream, "warn")
    publish(client, stream, [event({"total": 1}, schemaerror="a lie"), event({"total": "1", "note": 2}), event({}, foo=1),
                            {"type": "Other", "data": "a\x01b"}]).expect(201)
    good, two, one, other = client.read_all(stream)
    assert "schemaerror" not in good
    assert two["schemaerror"].startswith("/total: ") and two["schemaerror"].endswith(" (and 1 more)")
    assert one["foo"] == 1 and one["schemaerror"] and "no schema" in other["schemaerror"]


def test_off_looks_at_nothing(client, registry, stream):
    define(client, registry, stream, "off")
    publish(client, stream, event({"total": "1"})).expect(201)


def test_the_latest_version_counts_at_once_or_the_one_that_dataschema_names(client, registry, stream):
    first = define(client, registry, stream)
    publish(client, stream, event({"total": 1})).expect(201)
    registry.call("PUT", f"/config/{stream}-T", {"compatibility": "NONE"})
    second = registry.json(f"{stream}-T", STRICT)
    assert violations(publish(client, stream, event({"total": 1}))) == [("/data", "required")]
    publish(client, stream, event({"total": 1}, dataschema=f"/registry/schemas/ids/{first}")).expect(201)
    publish(client, stream, event({"total": 1, "note": ""}, dataschema=f"/registry/schemas/ids/{second}")).expect(201)
    assert violations(publish(client, stream, event({"total": 1}, dataschema="https://example.org/other"))) == [
        ("/data", "required")]
    registry.call("DELETE", f"/subjects/{stream}-T/versions/2")
    publish(client, stream, event({"total": 1})).expect(201)


def test_dataschema_names_a_version_of_the_events_subject_only(client, registry, stream):
    define(client, registry, stream)
    anything = registry.json(f"{stream}-scratch", {"title": stream})
    for number in (anything, 2**31 - 1):
        answer = publish(client, stream, event({"total": "x"}, dataschema=f"/registry/schemas/ids/{number}"))
        assert violations(answer) == [("/dataschema", None)]


def test_a_template_chooses_the_subject(client, registry, stream):
    define(client, registry, stream, schema=None, subject_template="all-{type}-of-{stream}!")
    registry.json(f"all-T-of-{stream}!", ORDER)
    publish(client, stream, event({"total": 1})).expect(201)
    assert violations(publish(client, stream, event({}))) == [("/data", "required")]
    for bad in ("{typ}", "{stream", "a}"):
        client.put(f"/v1/streams/{stream}", {"subject_template": bad}).problem(400, "bad-body", "/subject_template")


def test_what_was_recorded_is_answered_again_under_another_schema(client, registry, stream):
    """A retry is not judged anew: by its id, or by its Idempotency-Key."""
    define(client, registry, stream)
    key = {"Idempotency-Key": f"key-{stream}"}
    keyed = publish(client, stream, event({"total": 1}), headers=key).expect(201)
    publish(client, stream, event({"total": 2}, id="a")).expect(201)
    registry.call("PUT", f"/config/{stream}-T", {"compatibility": "NONE"})
    registry.json(f"{stream}-T", STRICT)
    again = publish(client, stream, event({"total": 1}), headers=key).expect(201)
    assert again.json() == keyed.json() and again.headers["idempotency-replayed"] == "true"
    assert publish(client, stream, event({"total": 2}, id="a")).expect(200).json()["duplicate"]
    assert violations(publish(client, stream, [event({"total": 2}, id="a"), event({"total": 3}, id="b")])) == [
        ("/0/data", "required"), ("/1/data", "required")]
    assert violations(publish(client, stream, event({"total": 9}), headers={"Idempotency-Key": "new"})) == [("/data", "required")]
    assert [e["data"]["total"] for e in client.read_all(stream)] == [1, 2]


def frame(number, datum):
    return {"data_base64": base64.b64encode(b"\0" + struct.pack(">I", number) + datum).decode()}


def test_avro_comes_in_the_wire_format_or_with_its_dataschema(client, registry, stream):
    client.create(stream, schema_validation="enforce")
    number = registry.register(f"{stream}-T", record("a", "b"))
    avro = {"type": "T", "datacontenttype": "application/avro"}
    datum = b"\x02x\x04yz"
    publish(client, stream, {**avro, **frame(number, datum)}).expect(201)
    bare = {"data_base64": base64.b64encode(datum).decode(), "dataschema": f"/registry/schemas/ids/{number}"}
    publish(client, stream, {**avro, **bare}).expect(201)
    publish(client, stream, {**avro, **frame(number, datum), "dataschema": "https://example.org/order.avsc"}).expect(201)
    assert violations(publish(client, stream, {**avro, **frame(number, datum[:-1])})) == [("/data/b", "avro")]
    assert violations(publish(client, stream, {**avro, **frame(number, datum + b"\0")})) == [("/data", "avro")]
    assert violations(publish(client, stream, {**avro, **frame(number + 100000, datum)})) == [("/data", None)]
    assert violations(publish(client, stream, event({"a": "x", "b": "yz"}))) == [("/data", None)]


def test_json_may_come_in_the_wire_format_too(client, registry, stream):
    number = define(client, registry, stream)
    publish(client, stream, event(**frame(number, b'{"total":1}'))).expect(201)
    assert violations(publish(client, stream, event(**frame(number, b'{"total":"1"}')))) == [("/data/total", "type")]
    assert violations(publish(client, stream, event(**frame(number, b'{"total":')))) == [("/data", None)]
    assert violations(publish(client, stream, event(data_base64="AQID"))) == [("/data", None)]


def test_references_are_followed_and_nothing_is_fetched(client, registry, stream):
    client.create(stream, schema_validation="enforce")
    registry.json(f"{stream}-money", {"$id": "money.json", "type": "number"})
    registry.json(f"{stream}-T", {"properties": {"total": {"$ref": "money.json"}}},
                  references=[{"name": "money.json", "subject": f"{stream}-money", "version": 1}])
    publish(client, stream, event({"total": 1})).expect(201)
    assert violations(publish(client, stream, event({"total": ""}))) == [("/data/total", "type")]


def test_another_gateway_knows_within_a_second(client, registry, gateway, second, stream):
    define(client, registry, stream)
    beside, took = harness.Client(second, gateway.token), []
    registry.call("PUT", f"/config/{stream}-T", {"compatibility": "NONE"})

    def knows(schema, status):
        registry.json(f"{stream}-T", schema)
        began = time.monotonic()
        while publish(beside, stream, event({"total": 1})).status != status:
            assert time.monotonic() < began + 60 * harness.SLOW
        took.append(time.monotonic() - began)

    while len(took) < 10 and min(took, default=9) >= 1 * harness.SLOW:         # a machine that stands still takes longer
        knows({**ORDER, "title": f"in force again {len(took)}"}, 201)
        took.pop()
        knows({**STRICT, "title": str(len(took))}, 422)
    assert min(took) < 1 * harness.SLOW, took
    beside.close()


def test_what_is_checked_is_counted(client, registry, gateway, stream):
    def counted():
        text = client.request("GET", "/metrics").expect(200).body.decode()
        return [int(float(line.split()[1])) for line in text.splitlines()
                if line.startswith(("weir_schema_checked_events_total ", "weir_schema_violations_total "))]

    define(client, registry, stream)
    checked, wrong = counted()
    publish(client, stream, [event({"total": 1}), event({})]).problem(422, "schema-violation")
    assert counted() == [checked + 2, wrong + 1]


def buried(client, stream, data):
    """A dead letter of each."""
    path = f"/v1/streams/{stream}"
    client.put(path + "/groups/g", {"start": "earliest", "ordering": "none"}).expect(201)
    client.publish(stream, [event(d) for d in data])
    taken = client.post(path + "/groups/g/receive", {"max": 100, "wait": "20s"}).expect(200).json()["deliveries"]
    client.post(path + "/groups/g/reject", {"delivery_ids": [d["delivery_id"] for d in taken],
                                            "error": {"type": "Bad", "message": "no"}}).expect(200)
    return [letter["id"] for letter in reversed(client.get(path + "/dlq").expect(200).json()["items"])]


def test_a_repair_must_conform_and_a_dry_run_says_what_does_not(client, registry, stream):
    define(client, registry, stream, "off")
    path = f"/v1/streams/{stream}"
    first, second, third = buried(client, stream, [{"total": "1"}, {"total": 2}, {}])

    def patch(letter, body, query=""):
        return client.request("PATCH", f"{path}/dlq/{letter}{query}", body, content_type="application/merge-patch+json")

    def dry(call="redrive", **more):
        return client.post(f"{path}/dlq/{call}", {"filter": {}, "dry_run": True, **more}).expect(200).json()

    assert dry() == {"matched": 3, "failing_schema": 0}
    client.request("PATCH", path, {"schema_validation": "enforce"}, content_type="application/merge-patch+json").expect(200)
    assert dry() == {"matched": 3, "failing_schema": 2} == dry("discard")
    assert dry(limit=2) == {"matched": 2, "failing_schema": 1}
    assert violations(patch(first, {"total": -1})) == [("/total", "minimum")]
    assert "original_event" not in client.get(f"{path}/dlq/{first}").expect(200).json()
    assert violations(patch(first, {"total": -1}, "?dry_run=true")) == [("/total", "minimum")]
    patch(first, {"total": 1}).expect(200)
    assert violations(patch(third, {"note": "x"})) == [("", "required")]
    patch(third, {"total": 3}).expect(200)
    patch(second, {"note": "ok"}).expect(200)
    assert dry() == {"matched": 3, "failing_schema": 0}


def test_what_is_registered_counts_for_the_next_publish_whoever_else_publishes(gateway, client, registry, stream):
    """Versions that take turns, of which each event fits one, while others publish what fits both."""
    kinds = [{"properties": {"kind": {"const": kind}}} for kind in "ab"]
    define(client, registry, stream, schema=kinds[0])
    registry.call("PUT", f"/config/{stream}-T", {"compatibility": "NONE"})
    stop, wrong = threading.Event(), []

    def others():
        one = harness.Client(gateway)
        while not stop.is_set():
            answer = publish(one, stream, [event({"other": i}) for i in range(20)])
            if answer.status != 201:
                wrong.append(answer)
        one.close()

    threads = [threading.Thread(target=others) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(1, 30):
        registry.json(f"{stream}-T", {**kinds[i % 2], "title": str(i)})
        publish(client, stream, event({"kind": "ab"[i % 2]})).expect(201)
        assert violations(publish(client, stream, event({"kind": "ba"[i % 2]}))) == [("/data/kind", "const")]
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def counter(client, name):
    text = client.request("GET", "/metrics").expect(200).body.decode()
    [value] = [line.split()[1] for line in text.splitlines() if line.startswith(name + " ")]
    return int(float(value))


def test_types_without_a_schema_push_no_schema_out_of_memory(client, registry, gateway, second, stream):
    define(client, registry, stream, allow_unknown_types=True)
    beside, loads = harness.Client(second, gateway.token), "weir_schema_loads_total"
    for _ in range(3):
        publish(beside, stream, event({"total": 1})).expect(201)
    before = counter(beside, loads)
    publish(beside, stream, [{"type": f"unknown-{i}"} for i in range(50)]).expect(201)
    assert counter(beside, loads) == before + 50
    publish(beside, stream, event({"total": 1})).expect(201)
    assert counter(beside, loads) == before + 50
    beside.close()
