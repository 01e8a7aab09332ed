"""The route table and the OpenAPI document say the same, in both directions."""
import os
import re

import yaml

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
ROW = re.compile(r'\{ "(\w+)", "([A-Z]+)", "([^"]+)", PERM_(\w+)(?: \| PERM_\w+)*, [^,]+, (?:true|false),\s*handle_\w+,\s*(?:NULL|"([^"]*)") \}')


def table():
    with open(os.path.join(ROOT, "handlers", "routes.c"), encoding="utf-8") as f:
        text = f.read()
    rows = ROW.findall(text)
    assert len(rows) == len(re.findall(r"^    \{ \"", text, re.M)), "a row of routes.c is not understood here"
    return {op: (method, path, perm.lower(), query.split()) for op, method, path, perm, query in rows}


def resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def document():
    with open(os.path.join(ROOT, "openapi", "openapi.yaml"), encoding="utf-8") as f:
        doc = yaml.safe_load(f)
    found = {}
    for path, item in doc["paths"].items():
        for method, op in item.items():
            if method not in ("get", "put", "post", "patch", "delete"):
                continue
            params = [resolve(doc, p) for p in op.get("parameters", []) + item.get("parameters", [])]
            query = [p["name"] + ("*" if p["schema"].get("type") == "array" else "") for p in params if p["in"] == "query"]
            found[op["operationId"]] = (method.upper(), path, op["x-weir-permission"], query)
    return found


def test_every_route_is_documented_and_every_operation_is_routed():
    ours, theirs = table(), document()
    assert sorted(ours) == sorted(theirs)
    for op, (method, path, perm, query) in ours.items():
        assert (method, path, perm, sorted(query)) == (*theirs[op][:3], sorted(theirs[op][3])), op
