"""The schema registry: what clients of Confluent's protocol see, code by code."""
import base64
import itertools
import json
import urllib.parse

import harness
import pytest

REGISTRY = "application/vnd.schemaregistry.v1+json"
NUMBERS = itertools.count(1)


class Registry:
    """Calls below /registry; each error is told by its code."""

    def __init__(self, client):
        self.client = client

    def call(self, method, path, body=None, status=200, **options):
        options.setdefault("content_type", REGISTRY)
        answer = self.client.request(method, "/registry" + path, body, **options).expect(status)
        assert answer.headers["content-type"] == REGISTRY, answer
        return answer.json()

    def refused(self, method, path, code, body=None, **options):
        said = self.call(method, path, body, int(str(code)[:3]), **options)
        assert said["error_code"] == code and said["message"] and len(said) == 2, said
        return said["message"]

    def register(self, subject, schema, **more):
        return self.call("POST", f"{at(subject)}/versions", {"schema": schema, **more})["id"]

    def json(self, subject, schema, **more):
        return self.register(subject, json.dumps(schema), schemaType="JSON", **more)

    def gone(self, subject):
        """For good."""
        self.call("DELETE", at(subject))
        return self.call("DELETE", at(subject) + "?permanent=true")


def at(subject):
    return f"/subjects/{urllib.parse.quote(subject, safe='')}"


def record(*fields, name="Order"):
    return json.dumps({"type": "record", "name": name, "fields": [{"name": f, "type": "string"} for f in fields]},
                      separators=(",", ":"))


def of_json(schema, **more):
    return {"schema": json.dumps(schema), "schemaType": "JSON", **more}


@pytest.fixture
def registry(client):
    return Registry(client)


@pytest.fixture
def subject(request):
    """A name that no other test uses."""
    return f"{request.node.name.partition('[')[0].removeprefix('test_')[:60]}.{next(NUMBERS)}"


def test_what_a_client_asks_first(registry):
    assert registry.call("GET", "") == registry.call("GET", "/") == {}
    assert registry.call("GET", "/schemas/types") == ["JSON", "AVRO"]
    assert registry.call("GET", "/contexts?offset=0&limit=-1")[0] == "."
    assert registry.call("GET", "/associations/resources/-/orders?resourceType=topic&associationType=value") == []


def test_a_schema_is_registered_once_and_found_by_id_version_and_content(registry, subject):
    schema = '{"type": "record", "name": "O", "fields": [{"name":"a", "type":"string"}]}'
    compact = '{"type":"record","name":"O","fields":[{"name":"a","type":"string"}]}'
    number = registry.register(subject, schema)
    assert registry.register(subject, compact) == number
    whole = {"subject": subject, "version": 1, "id": number, "schema": compact}
    for version in ("1", "latest", "-1"):
        assert registry.call("GET", f"{at(subject)}/versions/{version}") == whole
    assert registry.call("POST", at(subject) + "?normalize=False&deleted=True", {"schema": schema}) == whole
    assert registry.call("GET", f"/schemas/ids/{number}?subject={subject}&fetchMaxId=false") == {"schema": compact}
    assert registry.call("GET", f"/schemas/ids/{number}/schema") == json.loads(compact)
    assert registry.call("GET", f"{at(subject)}/versions/1/schema") == json.loads(compact)
    assert registry.call("GET", f"{at(subject)}/versions") == [1]


def test_one_content_has_one_id_in_all_subjects(registry, subject):
    first, second = subject + "/a b", subject + "-value"
    number = registry.json(first, {"title": subject})
    assert registry.json(second, {"title": subject}) == number
    assert registry.json(second, {"title": subject, "description": "2"}, metadata={"properties": {"a": "b"}}) != number
    assert registry.call("GET", f"/schemas/ids/{number}/subjects") == [second, first]
    assert registry.call("GET", f"/schemas/ids/{number}/versions") == [{"subject": second, "version": 1},
                                                                       {"subject": first, "version": 1}]
    assert set(registry.call("GET", f"/subjects?subjectPrefix={subject}")) == {first, second}
    assert registry.call("GET", f"/subjects?subjectPrefix={subject}&offset=1&limit=1") == [first]
    rows = registry.call("GET", f"/schemas?subjectPrefix={subject}&latestOnly=true")
    assert [(r["subject"], r["version"]) for r in rows] == [(second, 2), (first, 1)]


def test_white_space_is_no_content_and_normalized_order_is_none_either(registry, subject):
    number = registry.register(subject, '{"type":"object","title":"x"}', schemaType="JSON")
    assert registry.register(subject, '{ "type":"object",\n"title":"x" }', schemaType="json") == number
    body = {"schema": '{"title":"x","type":"object"}', "schemaType": "JSON"}
    registry.refused("POST", at(subject), 40403, body)
    one = registry.call("POST", at(subject + "n") + "/versions?normalize=TRUE", body)
    other = registry.call("POST", at(subject + "n") + "/versions?normalize=true", of_json({"type": "object", "title": "x"}))
    assert one == other


def test_metadata_and_rules_come_back_as_they_came(registry, subject):
    more = {"metadata": {"properties": {"owner": "team", "n": 1.50}}, "ruleSet": {"domainRules": [{"name": "r"}]}}
    number = registry.json(subject, {"type": "object"}, unknown=[1], **more)
    assert number != registry.json(subject + "2", {"type": "object"})
    assert registry.call("GET", f"/schemas/ids/{number}") == {**of_json({"type": "object"}), **more}
    assert registry.call("POST", at(subject), of_json({"type": "object"}, **more))["id"] == number
    registry.refused("POST", at(subject), 40403, of_json({"type": "object"}))


def test_the_latest_version_with_some_metadata_is_found(registry, subject):
    for n, owner in enumerate(("a b", "a b", "c"), 1):
        metadata = {"properties": {"owner": owner, "n": str(n), "number": 1}}
        registry.json(subject, {"type": "object", "title": str(n)}, metadata=metadata)
    path = at(subject) + "/metadata?deleted=false"
    assert registry.call("GET", path + "&&key=owner&value=a%20b")["version"] == 2
    assert registry.call("GET", path + "&key=owner&value=a+b&key=n&value=1")["version"] == 1
    assert registry.call("GET", path + "&key=n&key=owner&value=3&value=c")["metadata"]["properties"]["n"] == "3"
    for query in ("&key=owner&value=a", "&key=number&value=1", "&key=owner&value=c&key=n&value=1", "&key=other&value="):
        registry.refused("GET", path + query, 40403)
    registry.call("DELETE", at(subject) + "/versions/3")
    registry.refused("GET", path + "&key=owner&value=c", 40403)
    assert registry.call("GET", at(subject) + "/metadata?key=owner&value=c&deleted=True")["version"] == 3
    registry.refused("GET", at(subject) + "/metadata?key=owner", 400)
    registry.refused("GET", at(subject) + "/metadata?" + "key&value&" * 33, 400)
    registry.refused("GET", at(subject + "x") + "/metadata?key=owner&value=c", 40401)


def test_an_id_is_asked_for_with_a_subject(registry, subject):
    """As Confluent's: one of another context has to have it; a plain one is where a consumer reads, whoever registered."""
    there, other = f":.asked:{subject}", f"{subject}-2"
    number = registry.json(there, {"title": subject})
    path = f"/schemas/ids/{number}"
    for asked in ("", f"?subject={there}", "?subject=:.asked:", f"?subject={subject}", "?subject=no-such"):
        assert registry.call("GET", path + asked)["schemaType"] == "JSON"
    for asked in (f":.asked:{other}", ":.nowhere:", f":.nowhere:{subject}"):
        for more in ("", "/schema", "/subjects", "/versions"):
            registry.refused("GET", f"{path}{more}?subject={asked}", 40403)
    registry.refused("GET", path + "?subject=%0A", 42208)
    here = registry.json(subject, {"title": other})
    assert registry.json(other, {"title": other}) == here
    assert registry.call("GET", f"/schemas/ids/{here}/subjects?offset=0&limit=-1") == [subject, other]
    assert registry.call("GET", f"/schemas/ids/{here}/subjects?subject={other}") == [other]
    assert registry.call("GET", f"/schemas/ids/{here}/versions?subject={subject}") == [{"subject": subject, "version": 1}]
    assert registry.call("GET", f"/schemas/ids/{here}/versions?subject={subject}x") == []


@pytest.mark.parametrize("method, path, code", [
    ("GET", "/subjects/{s}x/versions", 40401), ("POST", "/subjects/{s}x", 40401), ("DELETE", "/subjects/{s}x", 40401),
    ("GET", "/subjects/{s}x/versions/1", 40401), ("DELETE", "/subjects/{s}x/versions/1", 40401),
    ("GET", "/subjects/{s}/versions/7", 40402), ("DELETE", "/subjects/{s}/versions/7", 40402),
    ("GET", "/subjects/{s}/versions/7/referencedby", 40402), ("POST", "/compatibility/subjects/{s}/versions/7", 40402),
    ("POST", "/compatibility/subjects/{s}x/versions/7", 40402),
    ("GET", "/schemas/ids/999999", 40403), ("GET", "/schemas/ids/x", 40403), ("GET", "/schemas/ids/99999999999999999999", 40403),
    ("GET", "/config/{s}", 40408), ("GET", "/mode/{s}", 40409), ("DELETE", "/config/{s}", 40401),
    ("DELETE", "/subjects/{s}?permanent=true", 40405), ("DELETE", "/subjects/{s}/versions/1?permanent=true", 40407),
    ("GET", "/subjects/{s}/versions/0", 42202), ("GET", "/subjects/{s}/versions/-2", 42202),
    ("GET", "/subjects/{s}/versions/2147483648", 42202), ("GET", "/subjects/{s}/versions/first", 42202),
    ("GET", "/subjects/%0A/versions", 42208), ("GET", "/subjects/:.ctx:/versions", 42208),
    ("GET", "/subjects/" + "x" * 501 + "/versions", 42208), ("GET", "/subjects/%00/versions", 400), ("GET", "/nothing", 404),
    ("PATCH", "/config", 405), ("GET", "/subjects?limit=x", 400),
])
def test_what_is_not_there_or_malformed(registry, subject, method, path, code):
    registry.json(subject, {"type": "object"})
    body = of_json({"type": "string"}) if method == "POST" else None
    registry.refused(method, path.replace("{s}", subject), code, body)


@pytest.mark.parametrize("body, code", [
    (b"", 400), (b"[]", 400), (b'{"schema":', 400), ({"schema": 1}, 400), ({"schema": "{}", "references": {}}, 400),
    (b"[" * 5000, 400), ({"schema": "{}", "metadata": 1}, 400), ({"schema": "\0", "schemaType": "JSON"}, 400),
    ({"schema": "{}", "version": 1.5}, 400),
    ({}, 42201), ({"schema": ""}, 42201), ({"schema": "no"}, 42201), ({"schema": "{}"}, 42201), ({"schema": "\"nix\""}, 42201),
    ({"schema": '{"type":7}', "schemaType": "JSON"}, 42201), ({"schema": "{", "schemaType": "JSON"}, 42201),
    ({"schema": '{"$ref":"#/nowhere"}', "schemaType": "JSON"}, 42201),
    ({"schema": '{"$ref":"http://127.0.0.1:1/x"}', "schemaType": "JSON"}, 42201),
    ({"schema": "syntax", "schemaType": "PROTOBUF"}, 42201), ({"schema": "{}", "schemaType": "JSON", "references": [{}]}, 42201),
    ({"schema": "{}", "schemaType": "JSON", "references": [{"name": "a", "subject": "not there", "version": 1}]}, 42201),
    ({"schema": "{}", "schemaType": "JSON", "id": 7}, 42205),
    ({"schema": json.dumps({"title": "x" * (1 << 20)}), "schemaType": "JSON"}, 42209),
])
def test_a_bad_body_is_refused_with_its_code_everywhere(registry, subject, body, code):
    registry.json(subject, {"type": "object"})
    registry.refused("POST", at(subject) + "/versions", code, body)
    if code not in (42205,):
        registry.refused("POST", at(subject), code, body)
        registry.refused("POST", f"/compatibility{at(subject)}/versions/latest", code, body)
    assert registry.call("GET", at(subject) + "/versions") == [1]


MANY_PARTS = {
    "numbers": ("JSON", '{"default":[' + "0," * 500000 + "0]}"), "arrays": ("JSON", '{"default":[' + "[]," * 340000 + "[]]}"),
    "properties": ("JSON", '{"properties":{' + ",".join(f'"{n}":{{}}' for n in range(90000)) + "}}"),
    "attributes": ("AVRO", '{"type":"int","a":[' + "0," * 500000 + "0]}"), "unions": ("AVRO", "[" + "[]," * 340000 + "[]]")}


@pytest.mark.parametrize("name", MANY_PARTS)
def test_a_schema_of_very_many_parts_is_taken_or_refused_but_not_for_later(registry, subject, name):
    """There is nothing to try again: never 503."""
    body = dict(zip(("schemaType", "schema"), MANY_PARTS[name]))
    answer = registry.client.post(f"/registry{at(subject)}/versions", body)
    assert answer.status in (200, 422), answer
    if answer.status == 200:
        assert registry.call("POST", at(subject), body)["version"] == 1
        answer = registry.client.post(f"/registry/compatibility{at(subject)}/versions", body)
        assert answer.status == 200 and answer.json()["is_compatible"] or answer.json()["error_code"] == 42209
    else:
        assert answer.json()["error_code"] in (42201, 42209)


def test_more_references_than_there_can_be_are_too_many(registry, subject):
    references = b"[" + b"{}," * 300000 + b"{}]"
    registry.refused("POST", at(subject) + "/versions", 42209, b'{"schema":"{}","references":' + references + b"}")


def test_what_does_not_fit_into_a_request_is_no_request(registry):
    for path in ("/subjects/" + "x" * 20_000, "/subjects?" + "key=a&" * 600, "/schemas/ids/1?" + "&" * 9_000):
        assert registry.client.request("GET", "/registry" + path).status in (400, 404, 414, 431), path


def test_media_types(registry, client, subject):
    for sent in ("application/json", "application/octet-stream", "application/vnd.schemaregistry+json; charset=utf-8", None):
        registry.call("POST", at(subject) + "/versions", of_json({"type": "object"}), content_type=sent)
    registry.refused("POST", at(subject) + "/versions", 415, b"a=b", content_type="application/x-www-form-urlencoded")
    registry.refused("PUT", "/config/" + subject, 415, b"a=b", content_type="text/plain")
    plain = client.get("/registry/subjects", headers={"Accept": "application/json"}).expect(200)
    assert plain.headers["content-type"] == "application/json"


def test_deletion_is_soft_first_and_then_for_good(registry, subject):
    schema = {"type": "object", "title": subject}
    first, second = registry.json(subject, schema), registry.json(subject, schema | {"description": "2"})
    registry.call("PUT", "/config/" + subject, {"compatibility": "full"})
    assert registry.call("DELETE", at(subject) + "/versions/1") == 1
    registry.refused("DELETE", at(subject) + "/versions/1", 40406)
    assert registry.call("GET", at(subject) + "/versions") == [2]
    assert registry.call("GET", at(subject) + "/versions?deleted=True") == [1, 2]
    assert registry.call("GET", at(subject) + "/versions?deletedOnly=true") == [1]
    assert registry.call("GET", at(subject) + "/versions?deleted=False&deleted_only=True&offset=0&limit=-1") == [1]
    registry.refused("GET", at(subject) + "/versions/1", 40402)
    assert registry.call("GET", at(subject) + "/versions/1?deleted=true")["id"] == first
    assert registry.call("GET", f"/schemas/ids/{first}")["schemaType"] == "JSON"
    assert registry.call("GET", f"/schemas/ids/{first}/subjects") == []
    assert registry.call("GET", f"/schemas/ids/{first}/subjects?deleted=TRUE") == [subject]

    assert registry.json(subject, schema) == first                       # a new version, the same id
    assert registry.call("GET", at(subject) + "/versions/latest")["version"] == 3
    assert registry.call("DELETE", at(subject) + "/versions/1?permanent=true") == 1
    registry.refused("DELETE", at(subject) + "/versions/1?permanent=true", 40402)

    assert registry.call("DELETE", at(subject)) == [2, 3]
    registry.refused("DELETE", at(subject), 40404)
    registry.refused("GET", at(subject) + "/versions", 40401)
    registry.refused("POST", at(subject), 40401, of_json(schema))
    registry.refused("GET", "/config/" + subject, 40408)
    assert subject not in registry.call("GET", "/subjects")
    assert subject in registry.call("GET", "/subjects?deleted=true") and subject in registry.call("GET", "/subjects?deletedOnly=True")
    assert registry.call("GET", f"/subjects?deleted=False&deleted_only=True&offset=0&limit=-1&subject={subject}") == [subject]
    assert registry.call("GET", f"/subjects?deleted=False&deleted_only=False&subject={subject}") == []
    assert registry.call("DELETE", at(subject) + "?permanent=true") == [2, 3]
    registry.refused("DELETE", at(subject) + "?permanent=true", 40401)
    registry.refused("GET", f"/schemas/ids/{second}", 40403)


def test_references_are_resolved_and_keep_what_they_name(registry, subject):
    base, other, top = f"{subject}-base", f"{subject}-other", f"{subject}-top"
    registry.register(base, record("a", name="Base"))
    registry.register(other, json.dumps({"type": "record", "name": "Mid", "fields": [{"name": "b", "type": "Base"}]}),
                      references=[{"name": "Base", "subject": base, "version": -1}])
    whole = json.dumps({"type": "record", "name": "Top", "fields": [{"name": "m", "type": "Mid"}]}, separators=(",", ":"))
    refs = [{"name": "Mid", "subject": other, "version": 1}]
    number = registry.register(top, whole, references=refs)
    assert registry.call("GET", at(top) + "/versions/1")["references"] == refs
    assert registry.call("GET", at(other) + "/versions/1")["references"][0]["version"] == 1
    assert registry.call("GET", at(other) + "/versions/1/referencedby") == [number]
    registry.refused("POST", at(top), 42201, {"schema": whole})           # without them it is no schema
    for path in ("", "/versions/1"):
        registry.refused("DELETE", at(other) + path, 42206)
    registry.call("DELETE", at(top))
    registry.call("DELETE", at(other))
    registry.refused("DELETE", at(other) + "?permanent=true", 42206)      # what is deleted softly refers to it still
    registry.call("DELETE", at(top) + "?permanent=true")
    registry.call("DELETE", at(other) + "?permanent=true")
    registry.gone(base)


def test_what_was_deleted_softly_is_looked_up_with_its_references(registry, subject):
    base, top = f"{subject}-base", f"{subject}-top"
    registry.json(base, {"title": "1"})
    for version in (1, -1):
        body = of_json({"$ref": "b"}, references=[{"name": "b", "subject": base, "version": version}])
        registry.call("POST", at(top) + "/versions", body)
        registry.call("DELETE", at(top))
        registry.call("DELETE", at(base))
        found = registry.call("POST", at(top) + "?deleted=true", body)
        assert found["references"][0]["version"] == 1
        registry.refused("POST", at(top) + "/versions", 42201, body)      # a new one refers to what is there
        registry.call("DELETE", at(top) + "?permanent=true")
        registry.call("DELETE", at(base) + "?permanent=true")
        registry.json(base, {"title": "1"})


def test_levels_are_of_all_of_a_subject_and_fall_back(registry, subject):
    path = "/config/" + subject
    assert registry.call("GET", "/config") == {"compatibilityLevel": "BACKWARD"}
    assert registry.call("GET", path + "?defaultToGlobal=True") == {"compatibilityLevel": "BACKWARD"}
    assert registry.call("PUT", path, {"compatibility": "none", "more": 1}) == {"compatibility": "NONE"}
    assert registry.call("GET", path) == {"compatibilityLevel": "NONE"}
    for body in ({"compatibility": "SIDEWARD"}, {}, {"compatibility": None}):
        registry.refused("PUT", path, 42203, body)
    registry.refused("PUT", path, 400, {"compatibility": 3})
    registry.call("PUT", path, {"compatibility": "NONE", "compatibilityPolicy": "strict"})
    for policy in ("LENIENT", ""):
        assert "compatibilityPolicy" in registry.refused("PUT", path, 42203, {"compatibility": "FULL", "compatibilityPolicy": policy})
    assert registry.call("GET", path) == {"compatibilityLevel": "NONE"}
    assert registry.call("PUT", "/config", {"compatibility": "FULL_TRANSITIVE"}) == {"compatibility": "FULL_TRANSITIVE"}
    try:
        assert registry.call("DELETE", path) == {"compatibilityLevel": "NONE"}
        assert registry.call("GET", path + "?defaultToGlobal=true") == {"compatibilityLevel": "FULL_TRANSITIVE"}
    finally:
        assert registry.call("DELETE", "/config") == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert registry.call("GET", "/config") == {"compatibilityLevel": "BACKWARD"}


def test_modes(registry, subject):
    path, schema = "/mode/" + subject, of_json({"type": "object"})
    assert registry.call("GET", path + "?defaultToGlobal=true") == {"mode": "READWRITE"}
    registry.refused("PUT", path, 42204, {"mode": "READ"})
    assert registry.call("PUT", path, {"mode": "readonly"}) == {"mode": "READONLY"}
    registry.refused("POST", at(subject) + "/versions", 42205, schema)
    assert registry.call("DELETE", path) == {"mode": "READONLY"}
    registry.refused("DELETE", path, 40401)
    number = registry.json(subject, {"type": "object"})
    registry.refused("PUT", path, 42205, {"mode": "IMPORT"})
    assert registry.call("PUT", path + "?force=True", {"mode": "IMPORT"}) == {"mode": "IMPORT"}
    registry.refused("POST", at(subject) + "/versions", 42205, of_json({"type": "array"}))
    fresh = {**of_json({"title": subject}), "id": number + 1000, "version": 9}
    assert registry.call("POST", at(subject) + "/versions", fresh) == {"id": number + 1000}
    assert registry.call("GET", at(subject) + "/versions") == [1, 9]
    registry.refused("POST", at(subject) + "/versions", 42207, {**fresh, "id": number + 1001})
    registry.refused("POST", at(subject) + "/versions", 42205, {**of_json({"title": "other"}), "id": number + 1000, "version": 10})
    registry.refused("POST", at(subject) + "/versions", 42205, {**of_json({"title": "other"}), "id": number + 2000, "version": 9})
    registry.call("DELETE", path)
    assert registry.json(subject + "x", {"title": subject + "x"}) > number + 1000   # ids go on above


def test_a_context_is_a_registry_of_its_own(registry, subject):
    there = f":.elsewhere:{subject}"
    here, other = registry.json(subject, {"title": subject}), registry.json(there, {"title": subject})
    assert here != other
    assert registry.call("GET", at(there) + "/versions/1")["subject"] == there
    assert registry.call("GET", f"/schemas/ids/{other}/subjects") == [there]
    assert registry.call("GET", f":.:{subject}".join(["/subjects/", "/versions"])) == [1]
    assert ".elsewhere" in registry.call("GET", "/contexts")
    assert registry.call("GET", f"/subjects?subjectPrefix=:.elsewhere:{subject}") == [there]
    registry.call("PUT", "/config/:.elsewhere:", {"compatibility": "FORWARD"})
    assert registry.call("GET", f"/config/{there}?defaultToGlobal=true") == {"compatibilityLevel": "FORWARD"}
    assert registry.call("GET", f"/config/{subject}?defaultToGlobal=true") == {"compatibilityLevel": "BACKWARD"}


def test_what_does_not_fit_is_refused_with_rule_places_and_a_document(registry, subject):
    registry.json(subject, {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False})
    narrower = of_json({"type": "object", "properties": {"n": {"type": "string"}}, "additionalProperties": False})
    message = registry.refused("POST", at(subject) + "/versions", 40901, narrower)
    begin = f'Schema being registered is incompatible with an earlier schema for subject "{subject}": TYPE_CHANGED at '
    assert message.startswith(begin + "'/properties/n/type' ('/properties/n' in version 1): "), message
    assert "counterexample: " in message and "{oldSchemaVersion: 1}, {compatibility: 'BACKWARD'}]" in message
    path = f"/compatibility{at(subject)}/versions"
    assert registry.call("POST", path + "/latest", narrower) == {"is_compatible": False}
    said = registry.call("POST", path + "?verbose=True", narrower)
    assert said["is_compatible"] is False and any(m.startswith("counterexample: ") for m in said["messages"])
    wider = of_json({"type": "object", "properties": {"n": {"type": "number"}}, "additionalProperties": False})
    assert registry.call("POST", path + "/1?verbose=true", wider) == {"is_compatible": True, "messages": []}
    registry.call("PUT", "/config/" + subject, {"compatibility": "NONE"})
    assert registry.call("POST", path, narrower) == {"is_compatible": True}
    assert registry.call("POST", f"/compatibility{at(subject + 'x')}/versions/latest", narrower) == {"is_compatible": True}
    assert "SCHEMA_TYPE_CHANGED" not in json.dumps(said)
    registry.call("DELETE", "/config/" + subject)
    assert "SCHEMA_TYPE_CHANGED" in registry.refused("POST", at(subject) + "/versions", 40901, {"schema": record("a")})


def test_a_refusal_of_many_findings_is_bounded(registry, subject):
    many = {f"{n}{'x' * 300}": {"type": "string"} for n in range(40)}
    registry.json(subject, {"type": "object", "properties": many, "additionalProperties": False})
    narrower = of_json({"type": "object", "properties": {name: {"type": "null"} for name in many}, "additionalProperties": False})
    message = registry.refused("POST", at(subject) + "/versions", 40901, narrower)
    assert ", {left out: " in message and message.endswith("{compatibility: 'BACKWARD'}, {left out: 37}]") or len(message) < 6000, message
    said = registry.call("POST", f"/compatibility{at(subject)}/versions?verbose=true", narrower)
    assert len([m for m in said["messages"] if m.startswith("{errorType:")]) == 20


def test_transitive_levels_ask_all_versions(registry, subject):
    registry.call("PUT", "/config/" + subject, {"compatibility": "NONE"})
    for fields in (["a"], ["a", "b"], ["b"]):
        registry.register(subject, record(*fields))
    only_b = {"schema": record("b", "c").replace('"name":"c","type":"string"', '"name":"c","type":"string","default":""')}
    registry.call("PUT", "/config/" + subject, {"compatibility": "BACKWARD"})
    assert registry.call("POST", f"/compatibility{at(subject)}/versions", only_b)["is_compatible"] is True
    registry.call("PUT", "/config/" + subject, {"compatibility": "BACKWARD_TRANSITIVE"})
    assert registry.call("POST", f"/compatibility{at(subject)}/versions", only_b)["is_compatible"] is False


def test_an_old_version_comes_again_as_a_new_one(registry, client, subject):
    registry.call("PUT", "/config/" + subject, {"compatibility": "NONE"})
    first = registry.json(subject, {"type": "object"})
    registry.json(subject, {"type": "string"})
    assert registry.call("POST", at(subject) + "/rollback", {"version": 1}) == {"id": first, "version": 3}
    registry.json(subject, {"type": "string"})
    registry.call("PUT", "/config/" + subject, {"compatibility": "BACKWARD"})
    registry.call("DELETE", at(subject) + "/versions/3")
    registry.refused("POST", at(subject) + "/rollback", 40901, {"version": 1})
    token = harness.mint(scope=f"schema:{subject}")
    registry.refused("POST", at(subject) + "/rollback", 403, {"version": 1, "force": True}, token=token)
    assert registry.call("POST", at(subject) + "/rollback", {"version": 1, "force": True}) == {"id": first, "version": 4}
    for body, code in (({"version": 77}, 40402), ({"version": 3}, 40402), ({}, 42202), (b"x", 400)):
        registry.refused("POST", at(subject) + "/rollback", code, body)


def test_a_path_may_be_spelled_with_percent_signs(registry, subject):
    def ask(path, **more):
        answer = registry.client.get(path, **more)
        return answer.status, answer.headers["content-type"], answer.json()["error_code"]

    assert ask(f"/%72egistry{at(subject)}/versions") == (404, REGISTRY, 40401)
    assert ask("/%72egistry/subjects?unknown=1&limit=x") == (400, REGISTRY, 400)
    basic = {"Authorization": "Basic " + base64.b64encode(f":{registry.client.token}".encode()).decode()}
    assert ask(f"/registr%79{at(subject)}/versions", token="", headers=basic) == (404, REGISTRY, 40401)


def test_a_token_comes_as_a_password_too(registry, gateway, subject):
    registry.json(subject, {"type": "object"})

    def basic(text):
        return {"token": "", "headers": {"Authorization": "basic " + base64.b64encode(text.encode()).decode()}}

    assert registry.call("GET", at(subject) + "/versions", **basic(f"anybody:{gateway.token}")) == [1]
    assert registry.call("GET", at(subject) + "/versions", **basic(f":{gateway.token}")) == [1]
    for text in ("anybody:wrong", "no colon", "anybody:", f"{gateway.token}:"):
        registry.refused("GET", at(subject) + "/versions", 401, **basic(text))
    registry.refused("GET", "/subjects", 401, token="", headers={"Authorization": "Basic !"})
    registry.refused("GET", "/subjects", 401, token="")
    registry.client.get("/v1/streams", **basic(f"anybody:{gateway.token}")).problem(401, "unauthenticated")
