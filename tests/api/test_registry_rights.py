"""The schema registry: who may do and see what."""
import json

import harness
from test_registry import NUMBERS, Registry, at, of_json, registry, subject  # noqa: F401  (fixtures)


def test_importing_needs_admin_and_cannot_use_up_the_ids_of_all(registry, gateway, subject):
    own = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{subject}*")))
    for path in (f"/mode/{subject}", f"/mode/{subject}?force=true"):
        own.refused("PUT", path, 403, {"mode": "import"})
    assert own.call("PUT", f"/mode/{subject}", {"mode": "READONLY"}) == {"mode": "READONLY"}
    assert registry.call("PUT", f"/mode/{subject}", {"mode": "IMPORT"}) == {"mode": "IMPORT"}
    greatest = own.json(subject + ".other", {"title": subject})
    for number in (2**31 - 2, greatest + 1_000_002):
        message = own.refused("POST", at(subject) + "/versions", 42205, {**of_json({"title": "far"}), "id": number})
        assert f"{number} is more than 1000000 above {greatest + 1}" in message
    assert own.json(subject, {"title": "near"}, id=greatest + 1000) == greatest + 1000
    assert own.json(subject + ".other", {"title": subject, "description": "next"}) == greatest + 1001
    own.client.close()
    manager = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{subject}* admin:{subject}.x")))
    assert manager.call("PUT", f"/mode/{subject}.x", {"mode": "IMPORT"}) == {"mode": "IMPORT"}
    manager.client.close()


def test_rights_are_those_of_each_subject(registry, gateway, subject):
    number = registry.json(subject, {"title": subject})
    registry.json(subject + ".secret", {"title": subject + ".secret"})
    secret = registry.call("GET", at(subject + ".secret") + "/versions/1")["id"]
    reader = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{subject} publish:*")))
    assert reader.call("GET", "/subjects") == [subject]
    assert [r["subject"] for r in reader.call("GET", "/schemas")] == [subject]
    assert reader.call("GET", f"/schemas/ids/{number}")["schemaType"] == "JSON"
    reader.refused("GET", f"/schemas/ids/{secret}", 40403)
    for method, path in (("GET", at(subject + ".secret") + "/versions"), ("GET", at("never-was") + "/versions"), ("GET", "/config"),
                         ("PUT", "/mode"), ("GET", "/config/:.:"), ("GET", f"/subjects/:.:{subject}.secret/versions"),
                         ("POST", at(subject + ".secret") + "/versions")):
        reader.refused(method, path, 403, {} if method in ("PUT", "POST") else None)
    named = of_json({}, references=[{"name": "a", "subject": subject + ".secret", "version": 1}])
    reader.refused("POST", at(subject) + "/versions", 403, named)
    reader.client.close()


def test_a_reference_without_a_context_is_of_the_context_of_the_schema_and_so_are_the_rights(registry, gateway, subject):
    """It is neither a way into another context, nor refused for a subject that is not meant."""
    there, base = f":.refs:{subject}.top", f"{subject}.base"
    registry.json(f":.refs:{base}", {"title": "of the context"})
    registry.json(base, {"title": "of the default one"})
    body = of_json({"$ref": "b"}, references=[{"name": "b", "subject": base, "version": 1}])
    reads = {"reads": [{"subject": there, **body}]}
    outside = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{there} schema:{base}")))
    for method, path in (("POST", at(there) + "/versions"), ("POST", at(there)), ("POST", f"/compatibility{at(there)}/versions")):
        outside.refused(method, path, 40401 if path == at(there) else 403, body)
    outside.refused("PUT", f"/contracts/{subject}.out", 403, reads)
    outside.client.close()
    inside = Registry(harness.Client(gateway, harness.mint(scope=f"schema::.refs:{subject}*")))
    number = inside.call("POST", at(there) + "/versions", body)["id"]
    assert inside.call("POST", at(there), body)["id"] == number
    assert inside.call("GET", f"{at(':.refs:' + base)}/versions/1/referencedby") == [number]
    inside.call("PUT", f"/contracts/{subject}.in", reads, 201)
    named = of_json({"$ref": "b"}, references=[{"name": "b", "subject": f":.:{base}", "version": 1}])
    inside.refused("POST", at(there) + "/versions", 403, named)
    inside.client.close()


def test_contexts_are_shown_to_who_may_see_a_subject_in_them(registry, gateway, subject):
    contexts = [f".shown-{c}-{next(NUMBERS)}" for c in "ab"]
    for context in contexts:
        registry.json(f":{context}:{subject}", {})
    all_of_them = registry.call("GET", "/contexts")
    assert all_of_them == sorted(set(all_of_them)) and all_of_them[0] == "." and set(contexts) < set(all_of_them)
    assert registry.call("GET", "/contexts?offset=1&limit=1") == all_of_them[1:2]
    for scope, seen in ((f"schema::{contexts[1]}:*", [".", contexts[1]]), (f"schema:{subject}", ["."]), ("publish:*", ["."])):
        limited = Registry(harness.Client(gateway, harness.mint(scope=scope)))
        assert limited.call("GET", "/contexts") == seen
        limited.client.close()


def test_schemas_are_listed_as_far_as_they_may_be_seen_from_anywhere_to_anywhere(registry, gateway, subject):
    """Over subjects that are hidden, and more versions than are read at once."""
    names = [f":.listed:{subject}.{n}" for n in "abcd"]
    hidden = names[1]
    registry.call("PUT", "/config/:.listed:", {"compatibility": "NONE"})
    for name, count in zip(names, (2, 3, 23, 1)):
        for n in range(count):
            registry.json(name, {"title": f"{n}"})
    registry.call("DELETE", at(names[2]) + "/versions/23")
    registry.call("DELETE", at(names[3]))
    scope = " ".join(f"schema:{name}" for name in names if name != hidden)
    limited = Registry(harness.Client(gateway, harness.mint(scope=scope)))

    def listed(query=""):
        return [(r["subject"], r["version"]) for r in limited.call("GET", f"/schemas?subjectPrefix=:.listed:{subject}{query}")]

    first, third = ([(names[k], n + 1) for n in range(count)] for k, count in ((0, 2), (2, 23)))
    assert listed() == first + third[:22]
    assert listed("&deleted=true") == first + third + [(names[3], 1)]
    assert listed("&latestOnly=true") == [first[1], third[21]]
    assert listed("&latestOnly=true&deleted=true") == [first[1], third[22], (names[3], 1)]
    assert listed("&latestOnly=true&offset=1") == [third[21]]
    for offset in (0, 1, 2, 3, 21, 22, 23, 24, 25):
        for limit in (0, 1, 2, 20, 22, 23):
            assert listed(f"&offset={offset}&limit={limit}") == (first + third[:22])[offset:offset + limit]
    assert [r["schema"] for r in limited.call("GET", f"/schemas?subjectPrefix={names[0]}")] == ['{"title": "0"}', '{"title": "1"}']
    limited.client.close()


def test_a_schema_is_found_by_its_id_among_many_that_are_hidden(registry, gateway, subject):
    number = [registry.json(f"{subject}.{n:03}", {"title": subject}) for n in range(103)][0]
    last = f"{subject}.102"
    limited = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{last}")))
    assert json.loads(limited.call("GET", f"/schemas/ids/{number}")["schema"]) == {"title": subject}
    assert limited.call("GET", f"/schemas/ids/{number}/versions") == [{"subject": last, "version": 1}]
    assert registry.call("GET", f"/schemas/ids/{number}/subjects?offset=99&limit=2") == [f"{subject}.099", f"{subject}.100"]
    limited.client.close()
    nobody = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{subject}")))
    nobody.refused("GET", f"/schemas/ids/{number}", 40403)
    nobody.client.close()
