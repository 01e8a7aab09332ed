"""Publish: content types, defaults, bytes, deduplication, optimistic lock, atomicity, limits, errors."""
import base64
import concurrent.futures
import json
import time
import uuid

import harness
import pytest

MIB = 1 << 20
OWN = ("stream", "partition", "offset", "recordedtime", "version")
STRUCTURED = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "A"}


def events(stream):
    return f"/v1/streams/{stream}/events"


def test_defaults_are_filled_in(client, stream):
    receipt = client.publish(stream, {"type": "OrderPlaced"})
    assert receipt == {"id": receipt["id"], "stream": stream, "partition": 0, "offset": "1", "cursor": receipt["cursor"],
                       "duplicate": False}
    assert uuid.UUID(receipt["id"]).version == 7
    event = client.read(stream)["events"][0]
    assert event["source"] == f"/v1/streams/{stream}" and event["specversion"] == "1.0" and event["id"] == receipt["id"]
    assert abs(int(event["time"][17:19]) - int(event["recordedtime"][17:19])) in (0, 1, 59)
    assert "data" not in event and "subject" not in event and "version" not in event


def test_every_attribute_comes_back(client, stream):
    sent = {"specversion": "1.0", "id": "ä-1", "source": "urn:shop:1", "type": "OrderPlaced", "subject": "order/1",
            "time": "2026-03-02T09:15:00.123456Z", "datacontenttype": "application/json", "dataschema": "https://x.example/s",
            "correlationid": "c", "causationid": "b", "partitionkey": "order/1", "myextension": "x", "flag": True, "count": 7,
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "data": {"total": "59.80"}}
    receipt = client.publish(stream, sent, content_type="application/cloudevents+json; charset=utf-8")
    event = client.read(stream)["events"][0]
    assert {k: v for k, v in event.items() if k not in OWN} == sent
    assert event["offset"] == "1" and event["version"] == 1 == receipt["version"]


@pytest.mark.parametrize("content_type, body, count", [
    ("application/cloudevents+json", STRUCTURED, None),
    ("application/cloudevents-batch+json", [STRUCTURED, {**STRUCTURED, "id": "2"}], 2),
    ("application/json", {"type": "A"}, None),
    ("application/json; charset=utf-8", [{"type": "A"}], 1),
    ("Application/JSON", [{"type": "A"}, {"type": "B"}], 2),
    ("application/x-ndjson", b'{"type":"A"}\n{"type":"B","data":{"a":1}}\n', 2),
    ("application/x-ndjson", b'{"type":"A"}\r\n{"type":"B"}', 2),
])
def test_content_types(client, stream, content_type, body, count):
    answer = client.post(events(stream), body, content_type=content_type).expect(201)
    receipts = answer.json()
    assert isinstance(receipts, dict) if count is None else len(receipts) == count
    page = client.read(stream)
    assert len(page["events"]) == (count or 1)
    assert client.read(stream, after=answer.headers["weir-cursor"]) == {
        "events": [], "cursor": page["cursor"], "up_to_date": True}


@pytest.mark.parametrize("content_type, body, form, value", [
    ("application/json", b'{"a": 1.10}', "data", {"a": 1.10}),
    ("application/vnd.shop+json", b"[1]", "data", [1]),
    ("text/plain; charset=utf-8", "zwölf\n\"zitiert\"".encode(), "data", "zwölf\n\"zitiert\""),
    ("application/pdf", b"%PDF\x00\xff", "data_base64", base64.b64encode(b"%PDF\x00\xff").decode()),
    ("application/octet-stream", b"", None, None),
])
def test_binary_mode(client, stream, content_type, body, form, value):
    headers = {"ce-specversion": "1.0", "CE-Type": "LabelPrinted", "ce-id": "l%C3%A4bel%20%251", "ce-source": "/shipping",
               "ce-subject": "s", "ce-time": "2026-03-02T09:40:00Z", "ce-myext": "x"}
    receipt = client.publish(stream, body, headers=headers, content_type=content_type)
    assert receipt["id"] == "läbel %1" and receipt["version"] == 1
    event = client.read(stream)["events"][0]
    assert event["type"] == "LabelPrinted" and event["source"] == "/shipping" and event["myext"] == "x"
    assert event["datacontenttype"] == content_type and event["time"].startswith("2026-03-02T09:40:00")
    if form:
        assert event[form] == value
    else:
        assert "data" not in event and event.get("data_base64", "") == ""


@pytest.mark.parametrize("headers, body, status", [
    ({"ce-specversion": "0.3", "ce-type": "A"}, b"1", 400), ({"ce-specversion": "1.0"}, b"1", 400),
    ({"ce-specversion": "1.0", "ce-type": ""}, b"1", 400), ({"ce-specversion": "1.0", "ce-type": "%zz"}, b"1", 400),
    ({"ce-specversion": "1.0", "ce-type": "A", "ce-time": "yesterday"}, b"1", 400),
    ({"ce-specversion": "1.0", "ce-type": "A", "ce-bad_name": "x"}, b"1", 400),
    ({"ce-specversion": "1.0", "ce-type": "A"}, b"{", 400),
])
def test_binary_mode_refuses(client, stream, headers, body, status):
    client.create(stream)
    client.post(events(stream), body, headers=headers).expect(status)
    assert client.read(stream)["events"] == []


def test_data_keeps_its_very_bytes(client, stream):
    texts = [b'{ "b" : 1,  "a":2, "a":3 }', b"12345678901234567890123456789.10", b"1e400", b"-0", b'"\\u0000\\ud83d\\ude00/\\/"',
             b'[\n  1,\t2\r\n]', b"null", b"false", b'""', '"ü\U0001f600"'.encode(), b'{"deep":' + b"[" * 50 + b"]" * 50 + b"}"]
    body = b"[" + b",".join(b'{"type":"A","data":' + text + b"}" for text in texts) + b"]"
    client.post(events(stream), body).expect(201)
    page = client.get(events(stream)).expect(200)
    for text in texts:
        assert b'"data":' + text + b"}" in page.body
    line = client.get(events(stream), headers={"Accept": "application/x-ndjson"}).expect(200).body.split(b"\n")
    assert len([one for one in line if one]) == len(texts)
    assert b'"data":[   1,\t2  ]' in line[5]


def test_base64_and_text_data_come_back(client, stream):
    binary = base64.b64encode(bytes(range(256))).decode()
    client.publish(stream, [{"type": "A", "datacontenttype": "image/png", "data_base64": binary},
                            {"type": "A", "datacontenttype": "text/csv", "data": "a;b\n"}])
    one, two = client.read(stream)["events"]
    assert one["data_base64"] == binary and two["data"] == "a;b\n"


def test_what_was_read_can_be_forwarded(client, stream):
    client.publish(stream, {"type": "A", "subject": "s", "data": {"x": 1}, "ext": "e"})
    event = client.read(stream)["events"][0]
    other = f"{stream}.copy"
    client.publish(other, [{"type": "Z"}, {**event, "offset": "77", "version": 9, "partition": 5}])
    copy = client.read(other)["events"][1]
    assert {k: v for k, v in copy.items() if k not in OWN} == {k: v for k, v in event.items() if k not in OWN}
    assert (copy["stream"], copy["offset"], copy["version"], copy["partition"]) == (other, "2", 1, 0)


def test_the_subject_decides_the_partition_and_its_versions_count(client, stream):
    client.create(stream, partitions=8)
    receipts = client.publish(stream, [{"type": "A", "subject": f"s{i % 20}"} for i in range(100)])
    homes = {}
    for i, receipt in enumerate(receipts):
        assert receipt["version"] == i // 20 + 1
        assert homes.setdefault(i % 20, receipt["partition"]) == receipt["partition"]
    assert len(set(homes.values())) > 3
    for partition in range(8):
        offsets = [int(r["offset"]) for r in receipts if r["partition"] == partition]
        assert offsets == list(range(1, len(offsets) + 1))


def test_a_partition_key_decides_and_a_subject_does_not_move(client, stream):
    client.create(stream, partitions=16)
    keyed = client.publish(stream, [{"type": "A", "partitionkey": "k", "subject": f"s{i}"} for i in range(10)])
    assert len({r["partition"] for r in keyed}) == 1
    keys = [{"type": "A", "partitionkey": f"k{i}"} for i in range(20)]
    away = next(i for i, r in enumerate(client.publish(stream, keys)) if r["partition"] != keyed[0]["partition"])
    before = len(client.read_all(stream))
    moving = [{"type": "B"}, {"type": "A", "subject": "s0", "partitionkey": f"k{away}"}]
    client.post(events(stream), moving).problem(409, "subject-moved")
    assert len(client.read_all(stream)) == before


# --- deduplication ---------------------------------------------------------------------------------------------------------
def test_a_repeated_event_gets_its_first_receipt(client, stream):
    event = {"type": "A", "id": "1", "source": "/s", "subject": "x", "data": {"n": 1}}
    first = client.publish(stream, event)
    again = client.post(events(stream), {**event, "time": "2020-01-01T00:00:00Z", "traceparent":
                                         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}).expect(200)
    assert again.json() == {**first, "duplicate": True}
    assert len(client.read(stream)["events"]) == 1
    mixed = client.post(events(stream), [event, {**event, "id": "2"}, {**event, "id": "2"}]).expect(201).json()
    assert [r["duplicate"] for r in mixed] == [True, False, True]
    assert [r["offset"] for r in mixed] == ["1", "2", "2"] and [r["version"] for r in mixed] == [1, 2, 2]
    all_known = client.post(events(stream), [event, event]).expect(200).json()
    assert [r["duplicate"] for r in all_known] == [True, True]
    assert client.publish(stream, {**event, "source": "/other"})["duplicate"] is False


@pytest.mark.parametrize("change", [{"type": "B"}, {"subject": "y"}, {"data": {"n": 2}}, {"data": {"n": 1.0}}, {"ext": "z"},
                                    {"datacontenttype": "application/x+json"}, {"dataschema": "urn:s"}, {"partitionkey": "x"}])
def test_an_id_with_other_content_is_refused(client, stream, change):
    event = {"type": "A", "id": "1", "subject": "x", "data": {"n": 1}, "ext": "e"}
    client.publish(stream, event)
    client.post(events(stream), [{"type": "New"}, {**event, **change}]).problem(409, "id-reused")
    assert len(client.read(stream)["events"]) == 1
    twice = [{**event, "id": "2"}, {**event, **change, "id": "2"}]
    client.post(events(stream), twice).problem(409, "id-reused")
    assert len(client.read(stream)["events"]) == 1


def test_the_default_source_and_the_spelled_out_one_are_the_same(client, stream):
    client.publish(stream, {"type": "A", "id": "1"})
    spelled = {"type": "A", "id": "1", "source": f"/v1/streams/{stream}"}
    assert client.post(events(stream), spelled).expect(200).json()["duplicate"] is True


def test_ids_are_forgotten_after_the_window(client, stream):
    client.create(stream, dedup_window="1s")
    first = client.publish(stream, {"type": "A", "id": "1"})
    time.sleep(1.3)
    assert client.publish(stream, {"type": "B", "id": "1"})["offset"] > first["offset"]


# --- optimistic lock -----------------------------------------------------------------------------------------------------
def conflict(answer, version):
    assert answer.problem(412, "version-conflict")["current_version"] == version


def test_expected_versions(client, stream):
    def event(expected, **more):
        return {"type": "A", "subject": "s", "expectedversion": expected, **more}

    conflict(client.post(events(stream), event(1)), 0)
    first = client.publish(stream, event(0, id="first"))
    assert first["version"] == 1
    conflict(client.post(events(stream), event(0)), 1)
    assert [r["version"] for r in client.publish(stream, [event(1), event(2)])] == [2, 3]
    conflict(client.post(events(stream), [{"type": "A"}, event(3), event(3)]), 4)
    assert client.post(events(stream), event(0, id="first")).expect(200).json() == {**first, "duplicate": True}
    got = client.read(stream)["events"]
    assert [e["version"] for e in got] == [1, 2, 3] and all("expectedversion" not in e for e in got)


def test_if_match_and_if_none_match(client, stream):
    event = {"type": "A", "subject": "s"}

    def publish(body, **headers):
        return client.post(events(stream), body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    conflict(publish(event, If_Match='"1"'), 0)
    publish([event, event], If_None_Match="*").expect(201)
    conflict(publish(event, If_None_Match="*"), 2)
    conflict(publish(event, If_Match='"1"'), 2)
    assert publish([event, event], If_Match='"2"').expect(201).json()[1]["version"] == 4
    for headers in ({"If_Match": "2"}, {"If_Match": '"x"'}, {"If_Match": 'W/4'}, {"If_Match": 'W/"x"'}, {"If_None_Match": '"4"'},
                    {"If_Match": '"4"', "If_None_Match": "*"}):
        assert publish(event, **headers).status == 400
    for body in ({"type": "A"}, [event, {"type": "A", "subject": "t"}], [event, {"type": "A"}]):
        assert publish(body, If_Match='"4"').status == 400
    assert len(client.read(stream)["events"]) == 4


@pytest.mark.parametrize("event", [{"type": "A", "expectedversion": 0}, {"type": "A", "subject": "s", "expectedversion": -1},
                                   {"type": "A", "subject": "s", "expectedversion": "0"},
                                   {"type": "A", "subject": "s", "expectedversion": 1.5}])
def test_an_expected_version_must_make_sense(client, stream, event):
    client.create(stream)
    client.post(events(stream), [event]).problem(400, "bad-event", "/0/expectedversion")


def test_one_of_many_racing_writers_wins(client, gateway, stream):
    client.create(stream, partitions=2)

    def attempt(_):
        one = harness.Client(gateway)
        try:
            return one.post(events(stream), {"type": "A", "subject": "s", "expectedversion": 0}).status
        finally:
            one.close()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(attempt, range(16)))
    assert statuses == [201] + [412] * 15


# --- refusals -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("event, pointer", [
    ({}, "/type"), ({"type": ""}, "/type"), ({"type": 1}, "/type"), ({"type": None}, "/type"),
    ({"type": "A", "subject": ""}, "/subject"), ({"type": "A", "id": ""}, "/id"), ({"type": "A", "id": 5}, "/id"),
    ({"type": "A", "source": ""}, "/source"), ({"type": "A", "specversion": "0.3"}, "/specversion"),
    ({"type": "A", "time": "2026-02-30T00:00:00Z"}, "/time"), ({"type": "A", "time": 5}, "/time"),
    ({"type": "A", "aggregateId": "x"}, "/aggregateId"), ({"type": "A", "my_ext": "x"}, "/my_ext"),
    ({"type": "A", "ext": {"a": 1}}, "/ext"), ({"type": "A", "ext": 1.5}, "/ext"), ({"type": "A", "ext": 2 ** 31}, "/ext"),
    ({"type": "A", "data": 1, "data_base64": "AA=="}, None), ({"type": "A", "data_base64": "A"}, "/data_base64"),
    ({"type": "A", "partitionkey": ""}, "/partitionkey"), (5, ""), ([], None),
])
def test_a_bad_event_is_pointed_at(client, stream, event, pointer):
    client.create(stream)
    body = [{"type": "Fine"}, event]
    got = client.post(events(stream), body).problem(400, "bad-event")
    if pointer is not None:
        assert got["errors"][0]["pointer"] == f"/1{pointer}"
    assert client.read(stream)["events"] == []


@pytest.mark.parametrize("content_type", ["application/cloudevents+json", "application/cloudevents-batch+json"])
@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type"])
def test_structured_mode_wants_what_cloudevents_wants(client, stream, content_type, missing):
    event = {k: v for k, v in STRUCTURED.items() if k != missing}
    batch = "batch" in content_type
    client.create(stream)
    client.post(events(stream), [event] if batch else event, content_type=content_type).problem(
        400, "bad-event", f"{'/0' if batch else ''}/{missing}")


@pytest.mark.parametrize("content_type, body, code", [
    ("application/json", b"[]", "bad-event"), ("application/json", b"", None), ("application/x-ndjson", b"", None),
    ("application/json", b"{", "bad-json"), ("application/json", b'{"type":"A"} x', "bad-json"),
    ("application/json", b'{"type":"A","type":"B"}', "bad-event"), ("application/json", b'\xef\xbb\xbf{"type":"A"}', "bad-json"),
    ("application/json", b'{"type":"\xff"}', "bad-json"), ("application/json", b'{"type":"A","data":"\\ud800"}', "bad-json"),
    ("application/json", b'{"type":"A","data":01}', "bad-json"), ("application/json", b'{"type":"A","data":NaN}', "bad-json"),
    ("application/json", b'{"type":"A","data":' + b"[" * 65 + b"]" * 65 + b"}", "bad-json"),
    ("application/x-ndjson", b'{"type":"A"}\n{"type"', "bad-json"), ("application/x-ndjson", b'{"type":"A"}\n5\n', "bad-event"),
    ("application/cloudevents+json", b"[]", "bad-event"), ("application/cloudevents-batch+json", b"{}", "bad-event"),
    ("application/cloudevents-batch+json", b"[]", "bad-event"),
])
def test_bad_json_records_nothing(client, stream, content_type, body, code):
    client.create(stream)
    answer = client.post(events(stream), body, content_type=content_type).expect(400)
    assert code is None or answer.json()["code"] == code, answer
    assert client.read(stream)["events"] == []


@pytest.mark.parametrize("headers, content_type", [
    ({}, "text/plain"), ({}, "application/xml"), ({}, ""), ({"Content-Encoding": "gzip"}, "application/json"),
    ({"ce-specversion": "1.0", "ce-type": "A"}, "application/cloudevents+avro"),
])
def test_unsupported_media_types(client, stream, headers, content_type):
    client.post(events(stream), b"{}", headers=headers, content_type=content_type).problem(415, "unsupported-media-type")


def test_limits(client, stream):
    def event(n):
        return b'{"type":"A","data":"' + b"x" * n + b'"}'

    fits = MIB - len(event(0))
    client.post(events(stream), event(fits)).expect(201)
    client.post(events(stream), event(fits + 1)).problem(413, "event-too-large")
    client.post(events(stream), b"[" + event(10) + b"," + event(fits + 1) + b"]").problem(413, "event-too-large", "/1")
    many = b"[" + b",".join([b'{"type":"A"}'] * 10001) + b"]"
    client.post(events(stream), many).problem(413, "too-many-events")
    client.post(events(stream), b"[" + b",".join([event(900_000)] * 20) + b"]").problem(413, "body-too-large")
    assert len(client.read(stream)["events"]) == 1
    receipts = client.post(events(stream), b"[" + b",".join([b'{"type":"B"}'] * 10000) + b"]").expect(201).json()
    assert [int(r["offset"]) for r in receipts] == list(range(2, 10002))


def test_a_request_is_recorded_whole_and_in_order(client, stream):
    client.create(stream, partitions=4)
    sent = [{"type": "A", "partitionkey": str(i % 7), "data": i} for i in range(3000)]
    receipts = client.publish(stream, sent)
    got = client.read_all(stream, limit=1000)
    assert sorted(e["data"] for e in got) == list(range(3000))
    for partition in range(4):
        mine = [e for e in got if e["partition"] == partition]
        assert [int(e["offset"]) for e in mine] == list(range(1, len(mine) + 1))
        assert [e["data"] for e in mine] == sorted(e["data"] for e in mine)
        times = [e["recordedtime"] for e in mine]
        assert times == sorted(times)
    assert {(r["partition"], r["offset"]) for r in receipts} == {(e["partition"], e["offset"]) for e in got}


def test_the_trace_of_the_request_is_stored(client, stream):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.publish(stream, [{"type": "A"}, {"type": "A", "traceparent": trace.replace("b7", "a7")}],
                   headers={"traceparent": trace})
    client.publish(stream, {"type": "A"}, headers={"traceparent": "nonsense"})
    one, two, three = client.read(stream)["events"]
    assert one["traceparent"] == trace and two["traceparent"] == trace.replace("b7", "a7") and "traceparent" not in three


def test_chunked_bodies_are_taken(client, stream):
    body = json.dumps([{"type": "A", "data": i} for i in range(100)]).encode()
    chunks = (body[i:i + 50] for i in range(0, len(body), 50))
    client.create(stream)
    client.connection.request("POST", events(stream), chunks, encode_chunked=True, headers={
        "Authorization": f"Bearer {client.token}", "Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    response = client.connection.getresponse()
    assert response.status == 201 and len(json.loads(response.read())) == 100
