"""A schema that is not registered yet, checked against what a stream has stored."""
import base64
import json
import time

import harness
import pytest
from test_registry import Registry, at, of_json, record, registry, subject  # noqa: F401  (fixtures)

TOTAL = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


@pytest.fixture
def orders(client, stream):
    """Nine events of one type, every third without a total, among others of another type."""
    client.create(stream, partitions=4)
    for n in range(9):
        data = {"n": n} if n % 3 == 0 else {"total": n}
        client.publish(stream, [{"type": "Placed", "subject": f"k{n}", "id": f"p{n}", "data": data},
                                {"type": "Shipped", "subject": f"k{n}", "data": "x"}])
    return stream


def ask(registry, stream, schema, type_="Placed", status=200, **more):
    body = {**of_json(schema), "stream": stream, **more}
    return registry.call("POST", f"{at(f'{stream}-{type_}')}/dry-run", body, status)


def counts(answer):
    return answer["checked"], answer["refused"], answer["complete"]


def test_events_that_would_be_refused_are_counted_and_shown(registry, orders):
    answer = ask(registry, orders, TOTAL)
    assert counts(answer) == (9, 3, True)
    assert [s["id"] for s in answer["samples"]] == ["p6", "p3", "p0"]     # the newest first
    stored = {e["id"]: e for e in registry.client.read_all(orders)}
    for sample in answer["samples"]:
        event = stored[sample["id"]]
        assert (sample["partition"], sample["offset"]) == (event["partition"], event["offset"])
        assert [(e["pointer"], e["keyword"], e["schema_pointer"]) for e in sample["errors"]] == [("", "required", "/required")]
        assert "total" in sample["errors"][0]["detail"]
    registry.refused("GET", f"{at(orders + '-Placed')}/versions", 40401)   # nothing was stored


def test_only_the_last_events_are_checked(registry, orders):
    assert counts(ask(registry, orders, TOTAL, last=4)) == (4, 1, True)
    assert counts(ask(registry, orders, False, last=1)) == (1, 1, True)
    assert ask(registry, orders, False, last=2)["samples"][0]["errors"][0]["pointer"] == ""
    assert counts(ask(registry, orders, {"type": "string"}, "Shipped", last=None)) == (9, 0, True)
    assert counts(ask(registry, orders, TOTAL, "Never")) == (0, 0, True)


def test_references_are_followed(registry, orders, subject):
    registry.json(subject, {"type": "integer", "maximum": 4})
    schema = {"properties": {"total": {"$ref": "n.json"}}}
    answer = ask(registry, orders, schema, references=[{"name": "n.json", "subject": subject, "version": 1}])
    assert counts(answer) == (9, 3, True)
    assert {s["id"]: s["errors"][0]["pointer"] for s in answer["samples"]} == {n: "/total" for n in ("p5", "p7", "p8")}


def test_the_streams_template_says_which_events_are_of_a_subject(registry, client, stream):
    client.create(stream, subject_template=":.ctx:{type}.{type}")
    client.publish(stream, [{"type": t, "data": {}} for t in ("a", "b", "a", "a.a")])
    for name, count in ((":.ctx:a.a", 2), (":.ctx:b.b", 1), (":.ctx:a.a.a.a", 1), (":.ctx:c.c", 0)):
        said = registry.call("POST", f"{at(name)}/dry-run", {**of_json({}), "stream": stream})
        assert said["checked"] == count, name
    for name in (":.ctx:a.b", "a.a", f"{stream}-a", ":.ctx:."):
        assert "{type}.{type}" in registry.refused("POST", f"{at(name)}/dry-run", 42208, {**of_json({}), "stream": stream})
    client.request("PATCH", f"/v1/streams/{stream}", {"subject_template": "all"}).expect(200)
    assert registry.call("POST", f"{at('all')}/dry-run", {**of_json({}), "stream": stream})["checked"] == 4


def test_what_publishing_would_refuse_is_refused(registry, client, stream):
    """Also what is no JSON at all; data of a serializer have a frame, which counts for nothing here."""
    client.create(stream)
    framed = base64.b64encode(b"\0\0\0\0\7{}").decode()
    client.publish(stream, [{"type": "T", "data": {}}, {"type": "T"}, {"type": "T", "data_base64": "AAEC"},
                            {"type": "T", "data_base64": framed}, {"type": "T", "data": {}, "dataschema": "/registry/schemas/ids/7"}])
    client.publish(stream, b"text", content_type="text/plain", headers={"ce-specversion": "1.0", "ce-type": "T", "ce-id": "1",
                                                                        "ce-source": "/x"})
    answer = ask(registry, stream, {"type": "object"}, "T")
    assert counts(answer) == (6, 3, True)
    assert [sorted(s["errors"][0]) for s in answer["samples"]] == [["detail", "pointer"]] * 3


def test_what_cannot_be_asked(registry, client, gateway, orders):
    path = f"{at(orders + '-Placed')}/dry-run"
    good = {**of_json(TOTAL), "stream": orders}
    for body, code in ((b"x", 400), ({}, 42201), (of_json({}), 400), (good | {"stream": "Bad"}, 400), (good | {"last": 0}, 400),
                       (good | {"last": 10_001}, 400), (good | {"last": 1.5}, 400), (good | {"stream": 1}, 400),
                       (good | {"stream": "not-there"}, 404), (good | {"schema": '{"type":7}'}, 42201),
                       ({"schema": record("a"), "stream": orders}, 42201)):
        registry.refused("POST", path, code, body)
    registry.refused("POST", path, 415, b"a", content_type="text/plain")
    for scope in (f"schema:{orders}-Placed", f"subscribe:{orders}", f"schema:{orders}-Placed subscribe:other"):
        limited = Registry(harness.Client(gateway, harness.mint(scope=scope)))
        limited.refused("POST", path, 403, good)
        limited.client.close()
    enough = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{orders}-Placed subscribe:{orders}")))
    assert enough.call("POST", path, good)["checked"] == 9
    enough.client.close()


def test_many_events_over_pages_and_months(registry, client, gateway, stream):
    """More than a page holds and than a window spans, and a partition whose events lie in three months."""
    client.create(stream, partitions=2)
    client.publish(stream, [{"type": "T", "partitionkey": "k", "data": n} for n in range(900)])
    client.publish(stream, [{"type": "U", "partitionkey": "k"} for _ in range(1000)])
    number = harness.psql(gateway, f"select stream_id from weir.streams where name = '{stream}'")[0]
    part = client.read(stream, limit=1)["events"][0]["partition"]
    where = f"stream_id = {number} and partition = {part}"
    harness.psql(gateway, f"""
        select weir.make_room(now() - interval '1 month'), weir.make_room(now() - interval '2 months');
        update weir.events set recorded = recorded - interval '2 months' where {where} and "offset" <= 300;
        update weir.events set recorded = recorded - interval '1 month' where {where} and "offset" between 301 and 600;
        delete from weir.partition_months where {where};
        insert into weir.partition_months select stream_id, partition, date_trunc('month', recorded at time zone 'UTC'), min("offset")
          from weir.events where {where} group by 1, 2, 3""")
    answer = ask(registry, stream, {"minimum": 250}, "T", last=10_000)
    assert counts(answer) == (900, 250, True)
    assert [s["offset"] for s in answer["samples"]] == [str(n) for n in range(250, 240, -1)]
    assert counts(ask(registry, stream, {"minimum": 250}, "T", last=700)) == (700, 50, True)


SLOW = {"$ref": "#/$defs/0", "$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(30)} | {"30": {}}}


@pytest.fixture
def many(client, stream):
    client.create(stream)
    client.publish(stream, [{"type": "T", "data": n} for n in range(900)])
    return stream


def start(gateway, token, stream):
    """A dry run that takes as long as one may."""
    connection = harness.connect(gateway, 60 * harness.SLOW)
    connection.request("POST", f"/registry{at(stream + '-T')}/dry-run", json.dumps({**of_json(SLOW), "stream": stream, "last": 900}),
                       {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    return connection


def test_a_run_of_which_the_client_has_left_ends(gateway, many):
    """One worker thread: as long as it checks nobody else is served by it."""
    alone = harness.serve(gateway.database_url, {"WEIR_WORKER_THREADS": "1"})
    other = Registry(harness.Client(alone, gateway.token))
    began = time.monotonic()
    answer = ask(other, many, SLOW, "T", last=1)
    one = time.monotonic() - began
    assert counts(answer) == (1, 1, True) and answer["samples"][0]["errors"][0]["detail"]
    leaving = start(alone, gateway.token, many)
    time.sleep(one)
    leaving.close()
    began = time.monotonic()
    assert other.call("GET", "/subjects") is not None
    assert time.monotonic() - began < 10                                  # it would have gone on for 20 s
    other.client.close()
    assert alone.stop() == 0


def test_most_workers_are_left_to_others(registry, gateway, many):
    """Of four threads one."""
    path, body, deadline = f"/registry{at(many + '-T')}/dry-run", {**of_json({}), "stream": many}, time.monotonic() + 60 * harness.SLOW
    while True:
        running = start(gateway, gateway.token, many)
        time.sleep(0.2)
        answer = registry.client.post(path, body)
        if answer.status == 429:
            break
        running.close()                                                   # it had not begun yet
        assert time.monotonic() < deadline
    assert answer.headers["retry-after"] == "1"
    for path in ("/contracts/matrix", "/schemas"):
        registry.refused("GET", path, 429)
    for title in "ab":                                                    # comparing is something else
        registry.json(many + "-T", {"title": title})
    registry.call("GET", "/subjects")
    running.close()
    while registry.client.post(path, body).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.02)
