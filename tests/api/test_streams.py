"""Streams: create, replace, patch, list, delete."""
import re

import harness
import pytest

DEFAULTS = {"partitions": 1, "retention": "forever", "dedup_window": "7d", "schema_validation": "off",
            "subject_template": "{stream}-{type}", "allow_unknown_types": False, "subject_reads": True, "description": "",
            "labels": {}}
OTHERS = {"partitions": 3, "retention": "7d", "dedup_window": "12h", "schema_validation": "warn",
          "subject_template": "{type}", "allow_unknown_types": True, "subject_reads": False,
          "description": "Bestellungen, auch für Übersee", "labels": {"team": "orders", "tier": "1"}}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def settings(stream):
    return {name: stream[name] for name in DEFAULTS}


def test_a_stream_is_created_with_defaults(client, stream):
    answer = client.put(f"/v1/streams/{stream}", {}).expect(201)
    made = answer.json()
    assert settings(made) == DEFAULTS and made["name"] == stream
    assert made["partition_status"] == [{"partition": 0, "earliest": "1", "head": "0"}]
    assert (made["events"], made["bytes"], made["last_event_time"]) == (0, 0, None)
    assert TIME.fullmatch(made["created"]) and made["created"] == made["updated"]
    assert answer.headers["location"] == f"/v1/streams/{stream}"
    assert client.get(f"/v1/streams/{stream}").expect(200).json() == made


def test_a_second_put_replaces_all_settings(client, stream):
    assert settings(client.create(stream, **OTHERS)) == OTHERS
    again = client.put(f"/v1/streams/{stream}", OTHERS).expect(200).json()
    assert settings(again) == OTHERS and len(again["partition_status"]) == 3
    replaced = client.put(f"/v1/streams/{stream}", {"partitions": 3}).expect(200).json()
    assert settings(replaced) == {**DEFAULTS, "partitions": 3}


def test_the_number_of_partitions_is_fixed(client, stream):
    client.create(stream, partitions=2)
    client.put(f"/v1/streams/{stream}", {"partitions": 4}).problem(409, "partitions-fixed")
    assert client.put(f"/v1/streams/{stream}", {}).expect(200).json()["partitions"] == 2
    client.request("PATCH", f"/v1/streams/{stream}", {"partitions": 1}).problem(409, "partitions-fixed")
    client.request("PATCH", f"/v1/streams/{stream}", {"partitions": 2}).expect(200)


def test_patch_changes_what_it_names_and_null_resets(client, stream):
    client.create(stream, **OTHERS)

    def patch(body, content_type="application/merge-patch+json"):
        return settings(client.request("PATCH", f"/v1/streams/{stream}", body, content_type=content_type).expect(200).json())

    assert patch({}) == OTHERS
    assert patch({"description": "new", "retention": "30d"}) == {**OTHERS, "description": "new", "retention": "30d"}
    assert patch({"retention": None, "description": None, "labels": None}, "application/json") == {
        **OTHERS, "description": "", "retention": "forever", "labels": {}}
    got = client.get(f"/v1/streams/{stream}").json()
    assert got["updated"] > got["created"]
    client.request("PATCH", f"/v1/streams/{stream}.none", {}).problem(404, "unknown-stream")


def test_figures_follow_what_is_published(client, stream):
    client.create(stream, partitions=2)
    receipts = client.publish(stream, [{"type": "A", "subject": f"s{i}", "data": i} for i in range(20)])
    got = client.get(f"/v1/streams/{stream}").json()
    heads = {str(p["partition"]): int(p["head"]) for p in got["partition_status"]}
    assert got["events"] == 20 == sum(heads.values()) and got["bytes"] > 0 and TIME.fullmatch(got["last_event_time"])
    for partition in (0, 1):
        assert heads[str(partition)] == max(int(r["offset"]) for r in receipts if r["partition"] == partition)
    assert {p["earliest"] for p in got["partition_status"]} == {"1"}


@pytest.mark.parametrize("body, pointer", [
    ({"partitions": 0}, "/partitions"), ({"partitions": 65}, "/partitions"), ({"partitions": "2"}, "/partitions"),
    ({"partitions": 1.5}, "/partitions"), ({"retention": "7"}, "/retention"), ({"retention": 7}, "/retention"),
    ({"retention": "-1d"}, "/retention"), ({"dedup_window": "31d"}, "/dedup_window"),
    ({"dedup_window": "forever"}, "/dedup_window"), ({"schema_validation": "on"}, "/schema_validation"),
    ({"labels": {"a": 1}}, "/labels"), ({"labels": []}, "/labels"), ({"description": 1}, "/description"),
    ({"partition": 2}, "/partition"), ({"allow_unknown_types": "yes"}, "/allow_unknown_types"),
])
def test_a_wrong_setting_is_pointed_at(client, stream, body, pointer):
    problem = client.put(f"/v1/streams/{stream}", body).problem(400, "bad-body")
    assert problem["errors"][0]["pointer"].startswith(pointer)
    client.get(f"/v1/streams/{stream}").problem(404, "unknown-stream")


@pytest.mark.parametrize("body, code", [
    (b"{", "bad-json"), (b"[]", "bad-body"), (b"1", "bad-body"), (b'{"partitions":1,"partitions":2}', None),
    (b'{"description":"\xff"}', "bad-json"), (b"{} {}", "bad-json"),
])
def test_a_body_that_is_no_object_is_refused(client, stream, body, code):
    answer = client.put(f"/v1/streams/{stream}", body).expect(400)
    assert answer.json()["code"] == (code or answer.json()["code"])
    client.get(f"/v1/streams/{stream}").problem(404, "unknown-stream")


@pytest.mark.parametrize("name", ["Orders", "-a", ".a", "a%2Fb", "a%20b", "%C3%BC", "a" * 121, "a%00"])
def test_a_bad_name_is_refused(client, name):
    code = client.put(f"/v1/streams/{name}", {}).expect(400).json()["code"]
    assert code == ("bad-request" if "%00" in name else "bad-name")


@pytest.mark.parametrize("name", ["a" * 120, "0", "a.b-c_d", "9..", "a%2Db"])
def test_every_good_name_works(client, name):
    client.put(f"/v1/streams/{name}", {}).expect(201)
    client.publish(name, {"type": "A"})
    client.request("DELETE", f"/v1/streams/{name}").expect(204)


@pytest.mark.parametrize("name", ["_internal", "saga.orders", "orders.dlq"])
def test_names_of_weir_are_not_written_by_others(client, name):
    client.put(f"/v1/streams/{name}", {}).problem(403, "reserved-name")
    client.post(f"/v1/streams/{name}/events", {"type": "A"}).problem(403, "reserved-name")
    client.request("DELETE", f"/v1/streams/{name}").problem(403, "reserved-name")


def test_lists_page_in_the_order_of_names(client, gateway):
    names = [f"list-{letter}" for letter in "abcde"]
    for name in names:
        client.create(name)
    reader = harness.Client(gateway, harness.mint("subscribe:list-*"))
    page = reader.get("/v1/streams?limit=2").expect(200)
    found = []
    while True:
        found += [item["name"] for item in page.json()["items"]]
        if page.json()["next"] is None:
            break
        target = re.fullmatch(r'<([^>]+)>; rel="next"', page.headers["link"])[1]
        assert f"after={page.json()['next']}" in target
        page = reader.get(target).expect(200)
    assert found == names and "link" not in page.headers
    assert [i["name"] for i in reader.get("/v1/streams?after=list-c").json()["items"]] == ["list-d", "list-e"]
    for query in ("limit=0", "limit=1001", "limit=x", "nonsense=1"):
        reader.get(f"/v1/streams?{query}").problem(400, "bad-parameter")


def test_a_deleted_stream_is_gone_and_its_name_is_free(client, stream):
    client.create(stream, partitions=2)
    client.publish(stream, [{"type": "A", "id": "same", "subject": "s"}, {"type": "A"}])
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    client.get(f"/v1/streams/{stream}").problem(404, "unknown-stream")
    client.get(f"/v1/streams/{stream}/events").problem(404, "unknown-stream")
    client.request("DELETE", f"/v1/streams/{stream}").problem(404, "unknown-stream")
    assert client.create(stream)["events"] == 0
    receipt = client.publish(stream, {"type": "A", "id": "same", "subject": "s"})
    assert (receipt["offset"], receipt["version"], receipt["duplicate"]) == ("1", 1, False)


def test_publishing_creates_the_stream_in_development(client, stream):
    assert client.publish(stream, {"type": "A"})["offset"] == "1"
    assert client.get(f"/v1/streams/{stream}").expect(200).json()["partitions"] == 1
