"""Holds an answer of the gateway against openapi/openapi.yaml: every API test calls Checker.check on every answer."""
import gzip
import json
import pathlib
import sys
import urllib.parse

import jsonschema
from jsonschema.exceptions import best_match

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "openapi"))
from assets import load_yaml  # noqa: E402  (the same reading of YAML as the gateway's own JSON)

METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
PROBLEM = "application/problem+json"
LIST_ENDS = 100  # of a long list, so many items at each end are looked at: the schema library is slow


def media_type(value):
    return value.split(";")[0].strip().lower()


def is_json(media):
    return media == "application/json" or media.endswith("+json")


def _refuse(constant):
    raise ValueError(f"{constant} is not JSON")


def _thin(value):
    if isinstance(value, list) and len(value) > 2 * LIST_ENDS:
        return value[:LIST_ENDS] + value[-LIST_ENDS:]
    if isinstance(value, dict):
        return {name: _thin(member) if name in ("events", "items") else member for name, member in value.items()}
    return value


class Checker:
    def __init__(self, path=ROOT / "openapi" / "openapi.yaml"):
        self.document = load_yaml(path)
        self.codes = {}         # code of a problem: its status
        self._validators = {}
        for example in self._examples(self.document):
            self.codes[example["code"]] = example["status"]

    def _examples(self, node):
        if isinstance(node, dict):
            if {"code", "status", "title", "type"} <= node.keys() and isinstance(node["code"], str):
                yield node
            node = node.values()
        elif not isinstance(node, list):
            return
        for child in node:
            yield from self._examples(child)

    def resolve(self, node):
        """The node itself, or what its $ref names; siblings of the $ref are not looked at."""
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def operations(self):
        """{operation id: (METHOD, path, operation)}, for comparison with the route table."""
        return {item[method]["operationId"]: (method.upper(), path, item[method])
                for path, item in self.document["paths"].items() for method in METHODS if method in item}

    def find(self, raw_path):
        """(template, path item) of a raw path, or (None, {})."""
        segments = [urllib.parse.unquote(s) for s in raw_path.split("?")[0].split("/")]
        fits = []
        for template, item in self.document["paths"].items():
            pattern = template.split("/")
            same = (p == s or (p.startswith("{") and s) for p, s in zip(pattern, segments))
            if len(pattern) == len(segments) and all(same):
                fits.append(([p.startswith("{") for p in pattern], template, item))
        return min(fits)[1:] if fits else (None, {})

    def errors(self, schema, value):
        """What is wrong with a value, as sentences."""
        if id(schema) not in self._validators:
            whole = {"allOf": [schema], "components": self.document["components"]}
            self._validators[id(schema)] = jsonschema.Draft202012Validator(whole)
        found = map(best_match, ([e] for e in self._validators[id(schema)].iter_errors(value)))
        return [f"/{'/'.join(map(str, e.absolute_path))}: {e.message[:600]}" for e in found]

    def check(self, method, raw_path, status, headers, body, op_id=None):
        """AssertionError unless the document foresees this answer. headers: a mapping or pairs; body: bytes or None."""
        pairs = headers.items() if hasattr(headers, "items") else headers
        headers = {name.lower(): value for name, value in pairs}
        where = f"{method} {raw_path} → {status}"
        template, item = self.find(raw_path)
        if op_id is not None:
            assert op_id in self.operations(), f"{where}: the document has no operation {op_id}"
            verb, template, operation = self.operations()[op_id]
            item = self.document["paths"][template]
            assert method in (verb, "HEAD" if verb == "GET" else verb), f"{where}: {op_id} is a {verb}"
        else:
            verb = "get" if method == "HEAD" and "head" not in item else method.lower()
            operation = item.get(verb) if verb in METHODS else None
        if method == "OPTIONS" and operation is None and status == 204:
            return
        registry = raw_path.split("?")[0].startswith("/registry/")
        everywhere = self.document["x-weir-everywhere-registry" if registry else "x-weir-everywhere"]
        responses = operation["responses"] if operation else everywhere
        known = ", ".join(responses)
        assert str(status) in responses, f"{where}: the document has {known} only: {(body or b'')[:300]!r}"
        response = self.resolve(responses[str(status)])
        self._check_headers(where, response, headers)
        if status == 405:
            missing = {m.upper() for m in METHODS if m in item} - {m.strip() for m in headers["allow"].split(",")}
            assert not missing, f"{where}: Allow lacks {missing}"
        if method != "HEAD":
            packed = headers.get("content-encoding") == "gzip" and body
            self._check_body(where, status, response, headers, gzip.decompress(body) if packed else body or b"")

    def _check_headers(self, where, response, headers):
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            value = headers.get(name.lower())
            assert value is not None or not header.get("required"), f"{where}: the header {name} is missing"
            if value is not None:
                wrong = self.errors(header["schema"], value)
                assert not wrong, f"{where}: header {name}: {value!r}: {wrong[0]}"

    def _check_body(self, where, status, response, headers, body):
        content = response.get("content")
        if not content:
            assert not body, f"{where}: no body is foreseen, there is {body[:300]!r}"
            return
        sent = headers.get("content-type", "")
        if response.get("x-weir-body") == "optional" and media_type(sent) not in content:
            return
        assert media_type(sent) in content, f"{where}: content type {sent!r}; the document has {', '.join(content)}"
        media = content[media_type(sent)]
        if media_type(sent) == "text/event-stream":
            assert sent == "text/event-stream", f"{where}: content type {sent!r} is not exactly text/event-stream"
        elif "x-weir-line" in media:
            for line in _thin(body.splitlines()):
                self._check_json(where, media["x-weir-line"], line)
        elif is_json(media_type(sent)):
            value = self._check_json(where, media["schema"], body)
            if media_type(sent) == PROBLEM:
                self._check_problem(where, status, headers, value)

    def _check_json(self, where, schema, text):
        try:
            value = json.loads(text.decode("utf-8"), parse_constant=_refuse)
        except ValueError as e:
            raise AssertionError(f"{where}: the body is not JSON: {e}: {text[:300]!r}") from e
        wrong = self.errors(schema, _thin(value))
        assert not wrong, "\n  ".join([f"{where}: the body is not what the document says:", *wrong, repr(text[:600])])
        return value

    def _check_problem(self, where, status, headers, problem):
        code = problem["code"]
        assert problem["status"] == status, f"{where}: the problem says status {problem['status']}"
        assert self.codes.get(code) == status, f"{where}: {code} is a {self.codes.get(code)}"
        assert problem["type"] == f"/problems/{code}", f"{where}: {code} has the type {problem['type']}"
        if "retry_after" in problem:
            retry = headers.get("retry-after")
            assert retry == str(problem["retry_after"]), f"{where}: Retry-After is {retry}, not as retry_after"
        if "request_id" in problem and "x-request-id" in headers:
            assert headers["x-request-id"] == problem["request_id"], f"{where}: request_id differs from X-Request-Id"
