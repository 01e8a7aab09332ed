"""Event sourcing: subjects read by version, loaded from snapshots, guarded by the optimistic lock."""
import json
import re
import time

import harness
import pytest
from subjects import Race, path, whole

NUMBERS = [f"order-{n}" for n in range(3)]
ODD = ["a/b", "..", "ü 100%", "*", "x?y=1&z#w", "\U0001f600", "a" * 1024, 'quo"te\\']
STATE = '{ "b": 1.10,\t"a":[9007199254740993, 1e400, -0],\n"b":"\\u0000\\ud83d\\ude00" }'     # no reader of JSON leaves it as it is


def publish(client, stream, subject, count, **more):
    return client.publish(stream, [{"type": "T", "subject": subject, "data": {"n": n}, **more} for n in range(count)])


def snapshot(client, stream, subject, version, state="{}"):
    return client.put(path(stream, subject, "/snapshot"), f'{{"version": {version}, "state": {state}}}'.encode())


def versions(events):
    return [event["version"] for event in events]


def test_a_subject_is_read_by_version(client, stream):
    client.create(stream, partitions=3)
    for _ in range(4):
        client.publish(stream, [{"type": "T", "subject": s, "data": 1} for s in NUMBERS])
    for subject in NUMBERS:
        answer = client.get(path(stream, subject, "/events")).expect(200)
        page = answer.json()
        assert versions(page["events"]) == [1, 2, 3, 4] and {e["subject"] for e in page["events"]} == {subject}
        assert (page["version"], page["up_to_date"], answer.headers["etag"]) == (4, True, '"4"') and "link" not in answer.headers
        page = client.get(path(stream, subject, "/events", from_version=3)).expect(200).json()
        assert versions(page["events"]) == [3, 4]
        page = client.get(path(stream, subject, "/events", from_version=5)).expect(200).json()
        assert (page["events"], page["version"], page["up_to_date"]) == ([], 4, True)
    gone = client.get(path(stream, "order-0", "/events", from_version=6)).problem(410, "version-gone")
    assert gone["current_version"] == 4 and "earliest_version" not in gone
    loaded = client.get(path(stream, "order-0")).expect(200).json()
    assert loaded["snapshot"] is None and versions(loaded["events"]) == [1, 2, 3, 4] and loaded["version"] == 4


def test_pages_of_a_subject_lead_to_the_next(client, stream):
    client.create(stream)
    publish(client, stream, "a", 10)
    answer = client.get(path(stream, "a", "/events", limit=4)).expect(200)
    assert not answer.json()["up_to_date"] and answer.headers["etag"] == '"10"'
    assert answer.headers["link"] == f'</v1/streams/{stream}/subjects/a/events?from_version=5&limit=4>; rel="next"'
    assert versions(whole(client, stream, "a", limit=3)) == list(range(1, 11))
    answer = client.get(path(stream, "a", limit=7)).expect(200)
    assert versions(answer.json()["events"]) == list(range(1, 8)) and not answer.json()["up_to_date"]
    rest = client.get(re.match("<(.*)>", answer.headers["link"])[1]).expect(200).json()
    assert versions(rest["events"]) == [8, 9, 10] and rest["up_to_date"]


@pytest.mark.parametrize("subject", ODD, ids=range(len(ODD)))
def test_subjects_may_hold_any_characters(client, stream, subject):
    client.create(stream)
    client.publish(stream, [{"type": "T", "subject": s} for s in (subject, "a", subject)])
    assert versions(whole(client, stream, subject, limit=1)) == [1, 2]
    snapshot(client, stream, subject, 1).expect(201)
    loaded = client.get(path(stream, subject, snapshot="true")).expect(200).json()
    assert loaded["snapshot"]["version"] == 1 and [e["subject"] for e in loaded["events"]] == [subject]
    assert client.request("HEAD", path(stream, subject)).expect(200).headers["etag"] == '"2"'


def test_bare_events_come_as_a_batch_or_as_lines(client, stream):
    client.create(stream)
    client.publish(stream, b'{"type":"T","subject":"a","data":{"n":\n1.10}}')
    client.publish(stream, {"type": "T", "subject": "a"})
    answer = client.get(path(stream, "a", "/events"), headers={"Accept": "application/cloudevents-batch+json"}).expect(200)
    assert versions(answer.json()) == [1, 2] and b'{"n":\n1.10}' in answer.body and answer.headers["etag"] == '"2"'
    answer = client.get(path(stream, "a", "/events", limit=1), headers={"Accept": "application/x-ndjson"}).expect(200)
    assert versions(answer.lines()) == [1] and b'{"n": 1.10}' in answer.body and "from_version=2" in answer.headers["link"]
    client.get(path(stream, "a", "/events"), headers={"Accept": "text/event-stream"}).problem(406, "not-acceptable")


def test_the_version_alone_is_asked_for_with_head(client, stream):
    client.create(stream)
    assert client.request("HEAD", path(stream, "a")).expect(404).body == b""
    publish(client, stream, "a", 3)
    answer = client.request("HEAD", path(stream, "a")).expect(200)
    assert answer.headers["etag"] == '"3"' and "content-length" not in answer.headers
    assert client.request("HEAD", path(stream, "a"), headers={"If-None-Match": '"3"'}).status == 304
    assert client.request("HEAD", path(stream, "a", "/events")).expect(200).headers["etag"] == '"3"'


@pytest.mark.parametrize("rest", ["", "/events"])
def test_nothing_is_read_again_that_is_known(client, stream, rest):
    client.create(stream)
    publish(client, stream, "a", 2)
    for known in ('"2"', 'W/"2"', '"7", "2"', "*"):
        answer = client.get(path(stream, "a", rest), headers={"If-None-Match": known}).expect(304)
        assert answer.headers["etag"] == '"2"' and not answer.body
    for other in ('"1"', '"22"', "2", '""'):
        client.get(path(stream, "a", rest), headers={"If-None-Match": other}).expect(200)


def test_the_etag_of_what_was_loaded_guards_what_is_published(client, stream):
    client.create(stream)
    publish(client, stream, "a", 2)
    event, target = {"type": "T", "subject": "a", "data": "x" * 20000}, path(stream, "a")
    tag = client.get(target).headers["etag"]
    client.publish(stream, event, headers={"If-Match": tag})
    packed = client.get(target, headers={"Accept-Encoding": "gzip"}).expect(200)
    assert packed.headers["content-encoding"] == "gzip" and packed.headers["etag"] == 'W/"3"'
    client.publish(stream, event, headers={"If-Match": packed.headers["etag"]})
    refused = client.post(f"/v1/streams/{stream}/events", event, headers={"If-Match": tag}).problem(412, "version-conflict")
    assert refused["current_version"] == 4


def test_an_unknown_subject_has_version_0(client, stream):
    client.get(path(stream, "a")).problem(404, "unknown-stream")
    client.create(stream)
    for rest in ("", "/events", "/snapshot"):
        assert client.get(path(stream, "a", rest)).problem(404, "unknown-subject")["current_version"] == 0
    client.request("DELETE", path(stream, "a", "/snapshot")).problem(404, "unknown-subject")
    snapshot(client, stream, "a", 1).problem(404, "unknown-subject")
    for query in ("from_version=0", "from_version=x", "limit=0", "limit=10001", "since=1"):
        client.get(path(stream, "a", "/events") + "?" + query).problem(400, "bad-parameter")
    client.get(path(stream, "a", snapshot="maybe")).problem(400, "bad-parameter")
    client.post(path(stream, "a"), {}).problem(405, "method-not-allowed")


def test_a_snapshot_comes_back_byte_for_byte(client, stream):
    client.create(stream)
    publish(client, stream, "a", 5)
    client.get(path(stream, "a", "/snapshot")).problem(404, "unknown-snapshot")
    stored = snapshot(client, stream, "a", 3, f" {STATE} ").expect(201).json()
    answer = client.get(path(stream, "a", "/snapshot")).expect(200)
    assert f'"state":{STATE},'.encode() in answer.body and answer.json()["version"] == 3
    assert answer.json()["updated"] == stored["updated"]
    tag = answer.headers["etag"]
    client.get(path(stream, "a", "/snapshot"), headers={"If-None-Match": tag}).expect(304)
    loaded = client.get(path(stream, "a", snapshot="true")).expect(200)
    assert f'"state":{STATE},'.encode() in loaded.body and loaded.headers["etag"] == '"5"'
    assert versions(loaded.json()["events"]) == [4, 5]
    assert client.get(path(stream, "a")).expect(200).json()["snapshot"] is None
    snapshot(client, stream, "a", 3, '"another"').expect(200)                    # the code that folds was mended
    assert client.get(path(stream, "a", "/snapshot")).expect(200).headers["etag"] != tag
    for state in ("null", "0", "[]", '""'):
        snapshot(client, stream, "a", 5, state).expect(200)
        assert f'"state":{state},'.encode() in client.get(path(stream, "a", "/snapshot")).body
    assert client.get(path(stream, "a", snapshot="true")).json()["events"] == []


def test_a_snapshot_is_of_a_version_that_was_and_the_latest_wins(client, stream):
    client.create(stream)
    publish(client, stream, "a", 5)
    assert snapshot(client, stream, "a", 6).problem(409, "snapshot-version")["current_version"] == 5
    snapshot(client, stream, "a", 4).expect(201)
    for older in (1, 3):
        assert "version 4" in snapshot(client, stream, "a", older).problem(409, "snapshot-version")["detail"]
    snapshot(client, stream, "a", 5).expect(200)
    client.request("DELETE", path(stream, "a", "/snapshot")).expect(204)
    client.request("DELETE", path(stream, "a", "/snapshot")).problem(404, "unknown-snapshot")
    assert client.get(path(stream, "a", snapshot="true")).expect(200).json()["snapshot"] is None
    snapshot(client, stream, "a", 1).expect(201)


@pytest.mark.parametrize("body, code, pointer", [
    ("", "bad-json", None), ("[]", "bad-json", None), ('{"version":1,"state":{}', "bad-json", None),
    ('{"version":1,"state":nul}', "bad-json", None), ('{"version":1,"state":1} 2', "bad-json", None),
    ('{"version":1,"state":' + "[" * 70 + "]" * 70 + "}", "bad-json", None),
    ("{}", "bad-body", "/version"), ('{"version":1}', "bad-body", "/state"), ('{"state":1}', "bad-body", "/version"),
    ('{"version":0,"state":1}', "bad-body", "/version"), ('{"version":1.5,"state":1}', "bad-body", "/version"),
    ('{"version":"1","state":1}', "bad-body", "/version"), ('{"version":9223372036854775808,"state":1}', "bad-body", "/version"),
    ('{"version":1,"state":1,"state":1}', "bad-body", "/state"), ('{"version":1,"version":1,"state":1}', "bad-body", "/version"),
    ('{"version":1,"state":1,"more":1}', "bad-body", None)])
def test_what_is_no_snapshot_is_refused(client, stream, body, code, pointer):
    client.create(stream)
    publish(client, stream, "a", 1)
    client.put(path(stream, "a", "/snapshot"), body.encode()).problem(400, code, pointer)
    client.get(path(stream, "a", "/snapshot")).problem(404, "unknown-snapshot")


def test_a_state_has_a_bound(client, stream):
    client.create(stream)
    publish(client, stream, "a", 1)
    fits = json.dumps("x" * ((1 << 20) - 2))
    snapshot(client, stream, "a", 1, fits).expect(201)
    assert client.get(path(stream, "a", "/snapshot")).expect(200).json()["state"] == json.loads(fits)
    snapshot(client, stream, "a", 1, json.dumps("x" * (1 << 20))).problem(413, "body-too-large")
    client.put(path(stream, "a", "/snapshot"), b"{}", content_type="text/plain").problem(415, "unsupported-media-type")


def expire(client, stream, keep):
    """Retention removes what there is, but for subject `keep`, of which an event is published later."""
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": "1s"}).expect(200)
    deadline = time.monotonic() + 60 * harness.SLOW
    while client.get(f"/v1/streams/{stream}").json()["events"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": "forever"}).expect(200)
    client.publish(stream, {"type": "T", "subject": keep})


def test_what_retention_has_removed_is_told(client, stream):
    client.create(stream)
    for subject in ("bare", "held", "kept", "left"):
        publish(client, stream, subject, 3)
    snapshot(client, stream, "held", 3, '{"n":3}').expect(201)
    snapshot(client, stream, "kept", 3, '{"n":3}').expect(201)
    snapshot(client, stream, "left", 2, '{"n":2}').expect(201)
    expire(client, stream, "kept")
    # An event that is left: from it on, or from a snapshot that has what is gone.
    for rest in ("", "/events"):
        gone = client.get(path(stream, "kept", rest)).problem(410, "version-gone")
        assert (gone["earliest_version"], gone["current_version"]) == (4, 4)
    assert versions(client.get(path(stream, "kept", "/events", from_version=4)).expect(200).json()["events"]) == [4]
    loaded = client.get(path(stream, "kept", snapshot="true")).expect(200).json()
    assert loaded["snapshot"]["state"] == {"n": 3} and versions(loaded["events"]) == [4]
    # No event is left: the snapshot holds the subject, and versions go on.
    assert client.request("HEAD", path(stream, "held")).expect(200).headers["etag"] == '"3"'
    loaded = client.get(path(stream, "held", snapshot="true")).expect(200).json()
    assert (loaded["snapshot"]["state"], loaded["events"], loaded["version"], loaded["up_to_date"]) == ({"n": 3}, [], 3, True)
    gone = client.get(path(stream, "held", "/events")).problem(410, "version-gone")
    assert (gone["earliest_version"], gone["current_version"]) == (4, 3)
    client.post(f"/v1/streams/{stream}/events", {"type": "T", "subject": "held", "expectedversion": 0}).problem(412, "version-conflict")
    # A snapshot that does not have all that is gone is no beginning.
    gone = client.get(path(stream, "left", snapshot="true")).problem(410, "version-gone")
    assert (gone["earliest_version"], gone["current_version"]) == (4, 3)
    # Neither event nor snapshot: the subject is forgotten.
    client.get(path(stream, "bare")).problem(404, "unknown-subject")
    client.request("DELETE", path(stream, "held", "/snapshot")).expect(204)
    client.get(path(stream, "held")).problem(404, "unknown-subject")
    assert publish(client, stream, "held", 1)[0]["version"] == 1


def test_events_that_the_index_lacks_are_found(client, stream):
    client.create(stream, subject_reads=False)
    publish(client, stream, "a", 3)
    publish(client, stream, "b", 2)
    assert versions(whole(client, stream, "a", limit=2)) == [1, 2, 3]
    client.request("PATCH", f"/v1/streams/{stream}", {"subject_reads": True}).expect(200)
    publish(client, stream, "a", 3)
    client.request("PATCH", f"/v1/streams/{stream}", {"subject_reads": False}).expect(200)
    publish(client, stream, "a", 2)
    assert versions(whole(client, stream, "a")) == list(range(1, 9))
    assert versions(whole(client, stream, "a", from_version=5)) == [5, 6, 7, 8]
    snapshot(client, stream, "a", 6).expect(201)
    assert versions(client.get(path(stream, "a", snapshot="true")).expect(200).json()["events"]) == [7, 8]


def test_reading_needs_subscribe_and_snapshots_publish(gateway, client, stream):
    client.create(stream)
    publish(client, stream, "a", 1)
    reader, writer, other = (harness.Client(gateway, harness.mint(scope)) for scope in (
        f"subscribe:{stream}", f"publish:{stream}", "admin:other"))
    snapshot(writer, stream, "a", 1).expect(201)
    snapshot(reader, stream, "a", 1).problem(403, "insufficient-scope")
    reader.request("DELETE", path(stream, "a", "/snapshot")).problem(403, "insufficient-scope")
    for rest in ("", "/events", "/snapshot"):
        reader.get(path(stream, "a", rest)).expect(200)
        for refused in (writer, other):
            refused.get(path(stream, "a", rest)).problem(403, "insufficient-scope")
    snapshot(other, stream, "a", 1).problem(403, "insufficient-scope")
    resource = f"/v1/streams/{stream}"
    deadline = time.monotonic() + 60 * harness.SLOW
    while (audit := client.get(path("_audit", resource))).status == 404 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert audit.expect(200).json()["events"][0]["type"] == "StreamCreated"
    snapshot(client, "_audit", resource, 1).problem(403, "reserved-name")
    client.request("DELETE", path("_audit", resource, "/snapshot")).problem(403, "reserved-name")
    for one in (reader, writer, other):
        one.close()


def test_a_stream_made_anew_has_none_of_the_old_subjects(client, stream, second):
    client.create(stream)
    elsewhere = harness.Client(second)
    publish(client, stream, "a", 2)
    snapshot(client, stream, "a", 2).expect(201)
    assert elsewhere.get(path(stream, "a", snapshot="true")).expect(200).json()["snapshot"]
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    elsewhere.get(path(stream, "a")).problem(404, "unknown-stream")
    client.create(stream)
    elsewhere.get(path(stream, "a")).problem(404, "unknown-subject")
    publish(client, stream, "a", 1)
    loaded = elsewhere.get(path(stream, "a", snapshot="true")).expect(200).json()
    assert loaded["snapshot"] is None and versions(loaded["events"]) == [1]
    elsewhere.close()


def test_of_writers_that_race_each_wins_on_what_it_has_seen(gateway, client, stream, second):
    client.create(stream, partitions=4)
    race = Race([gateway, second], stream, writers=32, subjects=10, seconds=2, check=False, enough=(50, 10, 1)).run()
    wrong, figures = race.judge(client)
    assert not wrong, wrong[:5]
    assert figures["won"] >= 50 and figures["lost"] >= 10 and figures["snapshots"], figures
