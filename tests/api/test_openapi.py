"""The document by itself: rules that each operation, answer and example keeps, and whether the checker bites."""
import gzip
import json
import pathlib
import re
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from openapi import PROBLEM, Checker, is_json  # noqa: E402

CHECKER = Checker()
DOCUMENT = CHECKER.document
OPERATIONS = CHECKER.operations()
PERMISSIONS = {"none", "authenticated", "any", "publish", "subscribe", "dlq", "schema", "projection", "saga", "manage", "admin"}
REGISTRY = "application/vnd.schemaregistry.v1+json"
EVERY = pytest.mark.parametrize("name", OPERATIONS)


def responses():
    """(name for messages, status, response) of every response, operations and components alike."""
    for op_id, (_, _, operation) in OPERATIONS.items():
        for status, response in operation["responses"].items():
            yield f"{op_id} {status}", int(status), CHECKER.resolve(response)
    for where in ("x-weir-everywhere", "x-weir-everywhere-registry"):
        for status, response in DOCUMENT[where].items():
            yield f"{where} {status}", int(status), CHECKER.resolve(response)


def examples(media):
    if "example" in media:
        yield "example", media["example"]
    for name, example in media.get("examples", {}).items():
        yield name, CHECKER.resolve(example)["value"]


def nodes(node):
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


@EVERY
def test_an_operation_says_who_may_call_it(name):
    operation = OPERATIONS[name][2]
    security = operation.get("security", DOCUMENT["security"])
    assert operation["x-weir-permission"] in PERMISSIONS
    assert security == ([] if operation["x-weir-permission"] == "none" else [{"bearerAuth": []}, {"clientCertificate": []}])
    assert ("401" in operation["responses"]) == bool(security)
    assert ("403" in operation["responses"]) == bool(security)


@EVERY
def test_an_operation_is_named_and_its_path_arguments_declared(name):
    _, path, operation = OPERATIONS[name]
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name)
    assert operation["summary"] and operation["tags"]
    parameters = DOCUMENT["paths"][path].get("parameters", []) + operation.get("parameters", [])
    parameters = [CHECKER.resolve(p) for p in parameters]
    assert sorted(re.findall(r"{(\w+)}", path)) == sorted(p["name"] for p in parameters if p["in"] == "path")
    assert all(p["description"] and p["schema"] for p in parameters)


def test_operation_ids_are_unique():
    verbs = ("get", "put", "post", "patch", "delete")
    assert len(OPERATIONS) == sum(verb in item for item in DOCUMENT["paths"].values() for verb in verbs)


def test_every_response_is_described_and_carries_the_request_id():
    for name, _, response in responses():
        assert response["description"], name
        assert "X-Request-Id" in response["headers"], name


def test_every_error_is_a_problem_of_its_own_status():
    for name, status, response in responses():
        if status < 400:
            assert PROBLEM not in response.get("content", {}), name
            continue
        if REGISTRY in response["content"]:
            assert response["content"][REGISTRY]["schema"] == {"$ref": "#/components/schemas/RegistryError"}, name
            continue
        assert PROBLEM in response["content"], name
        for code, problem in examples(response["content"][PROBLEM]):
            assert (problem["code"], problem["status"], problem["type"]) == (code, status, f"/problems/{code}"), name


def test_every_json_body_has_examples_that_are_valid():
    bodies = [(name, response.get("content", {})) for name, _, response in responses()]
    bodies += [(name, o["requestBody"]["content"]) for name, (_, _, o) in OPERATIONS.items() if "requestBody" in o]
    for name, content in bodies:
        for media_type, media in content.items():
            found = list(examples(media))
            assert found, f"{name} {media_type} has no example"
            for example, value in found if is_json(media_type) else ():
                assert not CHECKER.errors(media["schema"], value), f"{name} {media_type} {example}"
            if media_type.endswith("ndjson"):
                line = media.get("x-weir-line", {"$ref": "#/components/schemas/EventInput"})
                lines = [json.loads(text) for _, value in found for text in value.splitlines()]
                assert not [error for value in lines for error in CHECKER.errors(line, value)], name


def test_every_example_of_a_parameter_or_header_is_valid():
    for node in nodes(DOCUMENT):
        if isinstance(node, dict) and "schema" in node and "example" in node and "description" in node:
            assert not CHECKER.errors(node["schema"], node["example"]), node


def test_every_object_says_what_else_it_may_hold():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for node in nodes(schema):
            if isinstance(node, dict) and node.get("type") == "object":
                assert "additionalProperties" in node, name


def test_no_sentence_is_cut_at_a_comma():
    """In a flow mapping what follows an unquoted comma is a member of its own."""
    for node in nodes(DOCUMENT):
        if isinstance(node, dict):
            assert not [name for name, value in node.items() if value is None and " " in name]


def test_every_reference_leads_somewhere():
    for node in nodes(DOCUMENT):
        if isinstance(node, dict) and "$ref" in node:
            assert CHECKER.resolve(node), node["$ref"]


def test_the_codes_are_those_of_the_page_of_problems():
    listed = re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", (ROOT / "docs" / "problems.md").read_text(), re.MULTILINE)
    codes = DOCUMENT["components"]["schemas"]["ProblemCode"]["enum"]
    assert sorted(codes) == sorted(code for _, code in listed)
    assert {code: int(status) for status, code in listed} == CHECKER.codes


def test_a_reader_of_yaml_1_1_sees_the_same():
    assert yaml.safe_load((ROOT / "openapi" / "openapi.yaml").read_text()) == DOCUMENT


def test_the_version_is_that_of_the_build():
    assert f"VERSION ?= {DOCUMENT['info']['version']}\n" in (ROOT / "Makefile").read_text()


HEADERS = {"X-Request-Id": "r-1", "Content-Type": "application/json"}
SSE = dict(HEADERS, **{"Content-Type": "text/event-stream"})
FAULT = dict(HEADERS, **{"Content-Type": PROBLEM})
EVENTS = "/v1/streams/orders/events"
PUBLISH = OPERATIONS["publishEvents"][2]["responses"]
READ = OPERATIONS["readEvents"][2]["responses"]
RECEIPT = PUBLISH["201"]["content"]["application/json"]["examples"]["one"]["value"]
PAGE = READ["200"]["content"]["application/json"]["example"]
EVENT = PAGE["events"][0]
LINE = READ["200"]["content"]["application/x-ndjson"]["example"]
CURSOR = {"Weir-Cursor": RECEIPT["cursor"]}


def problem(code, **more):
    return dict(CHECKER.resolve(DOCUMENT["components"]["examples"][code])["value"], request_id="r-1", **more)


def page(**more):
    return PAGE | {"events": [EVENT | more]}


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


GOOD = [
    ("GET", "/healthz", 200, HEADERS, {"status": "ok"}),
    ("HEAD", "/healthz", 200, HEADERS, None),
    ("POST", EVENTS, 201, HEADERS | CURSOR, RECEIPT),
    ("POST", EVENTS + "?x=1", 201, HEADERS | CURSOR, [RECEIPT] * 300),
    ("GET", EVENTS, 200, HEADERS, PAGE),
    ("GET", EVENTS, 200, SSE, "retry: 2000\n"),
    ("GET", EVENTS, 200, HEADERS | {"Content-Type": "application/x-ndjson"}, LINE),
    ("DELETE", "/v1/streams/orders", 204, {"x-request-id": "r-1"}, None),
    ("GET", EVENTS, 410, FAULT, problem("cursor-expired")),
    ("GET", EVENTS, 503, FAULT | {"Retry-After": "1"}, problem("database-unavailable")),
    ("GET", "/nowhere", 404, FAULT, problem("not-found")),
    ("GET", EVENTS, 431, {"Content-Type": "text/html"}, "<html>"),
    ("OPTIONS", EVENTS, 204, {}, None),
]
BAD = {
    "an undocumented status": ("GET", "/healthz", 418, HEADERS, {"status": "ok"}),
    "success of no operation": ("GET", "/nowhere", 200, HEADERS, {}),
    "an undocumented content type": ("GET", "/healthz", 200, HEADERS | {"Content-Type": "text/html"}, "ok"),
    "no content type": ("GET", "/healthz", 200, {"X-Request-Id": "r-1"}, {"status": "ok"}),
    "no request id": ("GET", "/healthz", 200, {"Content-Type": "application/json"}, {"status": "ok"}),
    "no cursor": ("POST", EVENTS, 201, HEADERS, RECEIPT),
    "a malformed header": ("POST", EVENTS, 201, HEADERS | {"Weir-Cursor": "a b"}, RECEIPT),
    "a missing member": ("POST", EVENTS, 201, HEADERS | CURSOR, without(RECEIPT, "offset")),
    "a further member": ("POST", EVENTS, 201, HEADERS | CURSOR, RECEIPT | {"source": "x"}),
    "an offset that is a number": ("POST", EVENTS, 201, HEADERS | CURSOR, RECEIPT | {"offset": 7}),
    "a fault in the last of many": ("POST", EVENTS, 201, HEADERS | CURSOR, [RECEIPT] * 300 + [without(RECEIPT, "id")]),
    "an event with a lock": ("GET", EVENTS, 200, HEADERS, page(expectedversion=1)),
    "an event with two payloads": ("GET", EVENTS, 200, HEADERS, page(data_base64="")),
    "an extension that is an object": ("GET", EVENTS, 200, HEADERS, page(region={})),
    "a time without microseconds": ("GET", EVENTS, 200, HEADERS, page(recordedtime="2026-03-02T09:15:00Z")),
    "a bad line": ("GET", EVENTS, 200, HEADERS | {"Content-Type": "application/x-ndjson"}, LINE + "{}\n"),
    "a stream with a charset": ("GET", EVENTS, 200, SSE | {"Content-Type": "text/event-stream; charset=utf-8"}, ""),
    "what is not JSON": ("GET", "/healthz", 200, HEADERS, "{"),
    "a body where none is": ("DELETE", "/v1/streams/orders", 204, HEADERS, {}),
    "an error that is no problem": ("GET", EVENTS, 404, HEADERS, {"error": "no"}),
    "a code of another status": ("GET", EVENTS, 404, FAULT, problem("not-found") | {"code": "internal"}),
    "another status inside": ("GET", EVENTS, 404, FAULT, problem("unknown-stream") | {"status": 400}),
    "another type inside": ("GET", EVENTS, 404, FAULT, problem("unknown-stream") | {"type": "/problems/not-found"}),
    "another request id inside": ("GET", EVENTS, 404, FAULT, problem("unknown-stream") | {"request_id": "r-2"}),
    "no word of when to retry": ("GET", EVENTS, 503, FAULT, problem("database-unavailable")),
    "two words of when to retry": ("GET", EVENTS, 503, FAULT | {"Retry-After": "5"}, problem("database-unavailable")),
    "an expired cursor and no way on": ("GET", EVENTS, 410, FAULT, without(problem("cursor-expired"), "earliest")),
    "a conflict and no version": ("POST", EVENTS, 412, FAULT, without(problem("version-conflict"), "current_version")),
    "a 401 without a challenge": ("GET", EVENTS, 401, FAULT, problem("unauthenticated")),
    "an Allow that lacks a method": ("PUT", EVENTS, 405, FAULT | {"Allow": "GET"}, {
        "type": "/problems/method-not-allowed", "title": "The path has no such method", "status": 405,
        "code": "method-not-allowed", "request_id": "r-1"}),
}


def encoded(answer):
    *head, body = answer
    return *head, body.encode() if isinstance(body, str) else body if body is None else json.dumps(body).encode()


@pytest.mark.parametrize("answer", GOOD, ids=lambda a: f"{a[0]} {a[1]} {a[2]}")
def test_the_checker_passes_what_the_document_foresees(answer):
    CHECKER.check(*encoded(answer))


def test_the_checker_unpacks_what_came_packed():
    headers = HEADERS | {"Content-Encoding": "gzip"}
    CHECKER.check("GET", "/healthz", 200, headers, gzip.compress(b'{"status":"ok"}'))
    with pytest.raises(AssertionError):
        CHECKER.check("GET", "/healthz", 200, headers, gzip.compress(b'{"status":"no"}'))


@pytest.mark.parametrize("what", BAD)
def test_the_checker_refuses(what):
    with pytest.raises(AssertionError):
        CHECKER.check(*encoded(BAD[what]))


def test_the_checker_takes_an_operation_by_name():
    CHECKER.check(*encoded(GOOD[0]), op_id="getHealth")
    with pytest.raises(AssertionError):
        CHECKER.check(*encoded(GOOD[0]), op_id="putStream")
    with pytest.raises(AssertionError):
        CHECKER.check(*encoded(GOOD[0]), op_id="noSuchOperation")
