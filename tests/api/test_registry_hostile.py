"""Schemas that are made to hang, blow up or fetch something: refused or taken in bounded time and memory, and nothing is fetched."""
import json
import os
import socket
import time

import harness
import pytest

MIB = 1 << 20
DRAFT = "https://json-schema.org/draft/2020-12/schema"
SECONDS = 10                   # for one answer, on a busy machine
GROWTH = 400 * MIB             # of the gateway's memory by all of this file
TAKEN, REFUSED, EITHER = (200,), (413, 422), (200, 409, 413, 422)


def nested(depth, wrap, core):
    for _ in range(depth):
        core = wrap(core)
    return core


def deep(depth, before, after):
    """As text: Python's own JSON would recurse."""
    return before * depth + "{}" + after * depth


def doubling(keyword, levels=40):
    """Every definition names the next one twice: 2^40 ways through it."""
    definitions = {f"d{n}": {keyword: [{"$ref": f"#/definitions/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/definitions/d0", "definitions": {**definitions, f"d{levels}": {"type": "string", "minLength": 3}}}


def avro(fields, name="R"):
    return {"type": "record", "name": name, "fields": fields}


# name → type, schema (text, or what is dumped), what may be answered
SCHEMAS = {
    "a schema that contains itself": ("JSON", {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False}, TAKEN),
    "a $ref to itself": ("JSON", {"$ref": "#"}, REFUSED),
    "a loop of three $refs": ("JSON", {"$ref": "#/definitions/a", "definitions": {
        "a": {"$ref": "#/definitions/b"}, "b": {"allOf": [{"$ref": "#/definitions/c"}]}, "c": {"$ref": "#/definitions/a"}}}, REFUSED),
    "a $dynamicRef to itself": ("JSON", {"$schema": DRAFT, "$dynamicAnchor": "a", "$dynamicRef": "#a"}, EITHER),
    "a $ref that leads nowhere": ("JSON", {"$ref": "#/definitions/none"}, REFUSED),
    "allOf that doubles": ("JSON", doubling("allOf"), EITHER),
    "anyOf that doubles": ("JSON", doubling("anyOf"), EITHER),
    "oneOf that doubles": ("JSON", doubling("oneOf"), EITHER),
    "not within not": ("JSON", nested(100, lambda s: {"not": s}, {"type": "string"}), EITHER),
    "a regular expression that backtracks": ("JSON", {"type": "string", "pattern": "^(a+)+$"}, EITHER),
    "a regular expression that multiplies": ("JSON", {"pattern": "((a{1000}){1000}){1000}"}, REFUSED),
    "a regular expression of many groups": ("JSON", {"pattern": "(" * 5000 + ")" * 5000}, EITHER),
    "a regular expression that is open": ("JSON", {"pattern": "(" * 9000}, REFUSED),
    "many regular expressions": ("JSON", {"patternProperties": {f"^x{n}(a|b)*$": {} for n in range(20000)}}, EITHER),
    "10,000 levels": ("JSON", deep(10000, '{"not":', "}"), REFUSED),
    "1,000,000 levels": ("JSON", deep(1000000, '{"not":', "}"), REFUSED),
    "10 MB of description": ("JSON", {"description": "x" * (10 << 20)}, REFUSED),
    "10 MB of properties": ("JSON", {"properties": {f"{n:x<64}": {"type": "string"} for n in range(100000)}}, REFUSED),
    "30,000 properties": ("JSON", {"properties": {f"p{n}": {"type": "string"} for n in range(30000)}}, EITHER),
    "100,000 values in an enum": ("JSON", {"enum": list(range(100000))}, EITHER),
    "numbers beyond all bounds": ("JSON", '{"maximum":1e999999999,"multipleOf":1e-999999999,"minLength":1e308,"const":-1e-400}', EITHER),
    "a name twice": ("JSON", '{"type":"string","type":"number"}', REFUSED),
    "no JSON": ("JSON", '{"type":', REFUSED),
    "half a surrogate": ("JSON", '{"title":"\\ud800"}', REFUSED),
    "a keyword of a wrong type": ("JSON", {"properties": 7}, REFUSED),
    "a metaschema of its own": ("JSON", {"$schema": "http://127.0.0.1:9/own"}, REFUSED),
    "Avro: a record that contains itself": ("AVRO", avro([{"name": "next", "type": ["null", "R"], "default": None}]), TAKEN),
    "Avro: an array that contains itself": ("AVRO", '{"type":"array","items":"array"}', REFUSED),
    "Avro: 10,000 levels": ("AVRO", '{"type":"array","items":' * 10000 + '"int"' + "}" * 10000, REFUSED),
    "Avro: 20,000 fields": ("AVRO", avro([{"name": f"f{n}", "type": "int"} for n in range(20000)]), EITHER),
    "Avro: 50,000 symbols": ("AVRO", {"type": "enum", "name": "E", "symbols": [f"S{n}" for n in range(50000)]}, EITHER),
    "Avro: 10 MB of doc": ("AVRO", {**avro([]), "doc": "x" * (10 << 20)}, REFUSED),
    "Avro: a name of 1 MB": ("AVRO", avro([], "N" * MIB), EITHER),
    "Avro: a type that nobody knows": ("AVRO", avro([{"name": "a", "type": "Nobody"}]), REFUSED),
    "Avro: two types of one name": ("AVRO", avro([{"name": "a", "type": avro([])}, {"name": "b", "type": avro([])}]), REFUSED),
}


def resident(gateway):
    with open(f"/proc/{gateway.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.fixture(scope="module", autouse=True)
def memory_is_bounded(gateway):
    before = resident(gateway)
    yield
    assert resident(gateway) - before < GROWTH * harness.SLOW


def ask(client, target, kind, schema, wanted, **more):
    body = json.dumps({"schemaType": kind, "schema": schema if isinstance(schema, str) else json.dumps(schema), **more}).encode()
    begin = time.monotonic()
    answer = client.post(target, body, content_type="application/vnd.schemaregistry.v1+json", timeout=60)
    took = time.monotonic() - begin
    assert answer.status in wanted, answer
    assert took < SECONDS * harness.SLOW, f"{took:.1f} s"
    if answer.status != 200:
        error = answer.json()
        assert set(error) == {"error_code", "message"} and str(error["error_code"]).startswith(str(answer.status)), answer
        assert 0 < len(error["message"]) < 8192
    return answer


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_hostile_schema_is_answered_in_bounded_time(client, stream, name):
    kind, schema, wanted = SCHEMAS[name]
    answer = ask(client, f"/registry/subjects/{stream}/versions", kind, schema, wanted)
    if answer.status == 200:
        ask(client, f"/registry/subjects/{stream}", kind, schema, TAKEN)
    client.get("/healthz").expect(200)


PAIRS = {
    "allOf": (doubling("allOf"), doubling("allOf", 41)),
    "anyOf": (doubling("anyOf"), doubling("anyOf", 41)),
    "oneOf": (doubling("oneOf"), doubling("oneOf", 41)),
    "recursion": ({"properties": {"a": {"$ref": "#"}}, "additionalProperties": False},
                  {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "additionalProperties": False}),
    "many branches": ({"anyOf": [{"const": f"old{n}"} for n in range(2000)]}, {"anyOf": [{"const": f"new{n}"} for n in range(2000)]}),
    "many properties": ({"properties": {f"p{n}": {"type": "string"} for n in range(10000)}, "additionalProperties": False},
                        {"properties": {f"q{n}": {"type": "string"} for n in range(10000)}, "additionalProperties": False}),
    "many symbols": ({"enum": [f"a{n}" for n in range(20000)]}, {"enum": [f"b{n}" for n in range(20000)]}),
    "regular expressions": ({"pattern": "^(a+)+$", "minLength": 30}, {"pattern": "^(a|a)+$", "minLength": 31}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_comparing_hostile_schemas_ends(client, stream, name):
    old, new = PAIRS[name]
    client.put(f"/registry/config/{stream}", {"compatibility": "FULL_TRANSITIVE"}).expect(200)
    if ask(client, f"/registry/subjects/{stream}/versions", "JSON", old, EITHER).status == 200:
        ask(client, f"/registry/compatibility/subjects/{stream}/versions/latest?verbose=true", "JSON", new, EITHER)
        ask(client, f"/registry/subjects/{stream}/versions", "JSON", new, EITHER)


def test_nothing_is_ever_fetched(client, stream):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        uri = f"http://127.0.0.1:{trap.getsockname()[1]}/schema.json"
        for schema in ({"$ref": uri}, {"$id": uri, "$ref": "other.json"}, {"$schema": uri, "type": "object"}, {"$ref": "file:///etc/passwd"},
                       {"$schema": DRAFT, "$dynamicRef": uri}, {"properties": {"a": {"$ref": f"{uri}#/definitions/a"}}}):
            ask(client, f"/registry/subjects/{stream}/versions", "JSON", schema, REFUSED)
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_references_that_are_not_there_or_too_many_are_refused(client, stream):
    for references in ([{"name": "a", "subject": stream, "version": 1}], [{"name": "a", "subject": "nowhere", "version": 2147483648}],
                       [{"name": f"r{n}", "subject": "nowhere", "version": 1} for n in range(20000)], [{"name": "a"}], [7]):
        ask(client, f"/registry/subjects/{stream}/versions", "JSON", {"type": "object"}, (400, 404, 413, 422), references=references)
