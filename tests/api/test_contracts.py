"""Contracts of consumers: put, shown, compared with what producers write, and kept where they are enforced."""
import json
import threading
import urllib.parse

import harness
import pytest
from test_registry import Registry, at, of_json, record, registry, subject  # noqa: F401  (fixtures)
from test_registry_shared import told

TOTAL = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"], "additionalProperties": False}
WIDER = TOTAL | {"properties": {"total": {"type": "number"}, "note": {"type": "string"}}}
TEXT = TOTAL | {"properties": {"total": {"type": "string"}}}
READS_TOTAL = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


def reads(subject, schema, **more):
    return {"subject": subject, **of_json(schema), **more}


def put(registry, consumer, *what, enforced=False):
    answer = registry.client.put(f"/registry/contracts/{consumer}", {"reads": list(what), "enforced": enforced})
    assert answer.status in (200, 201), answer
    return answer.json()


def refused(registry, consumer, code, *what, enforced=False, **options):
    return registry.refused("PUT", f"/contracts/{consumer}", code, {"reads": list(what), "enforced": enforced}, **options)


def free(registry, subject):
    registry.call("PUT", f"/config/{urllib.parse.quote(subject, safe='')}", {"compatibility": "NONE"})


def matrix(registry, **query):
    """All rows, page by page."""
    rows = []
    while True:
        page = registry.call("GET", "/contracts/matrix?" + urllib.parse.urlencode(query))
        rows += page["rows"]
        if "next" not in page:
            return rows
        query["after"] = page["next"]


def test_a_contract_is_put_shown_listed_changed_and_deleted(registry, subject):
    consumer = f"{subject}.billing"
    registry.json(subject, TOTAL)
    body = {"reads": [reads(subject + ".later", READS_TOTAL), {"subject": subject, "schema": 1}], "enforced": True}
    made = registry.call("PUT", f"/contracts/{consumer}", body, 201)
    assert made == {"consumer": consumer, "enforced": True, "reads": [
        {"subject": subject, "version": 1, "schemaType": "JSON", "schema": json.dumps(TOTAL)},
        {"subject": subject + ".later", "schemaType": "JSON", "schema": json.dumps(READS_TOTAL)}]}
    assert registry.call("GET", f"/contracts/{consumer}") == made
    assert registry.call("PUT", f"/contracts/{consumer}", made)["enforced"] is True    # what was shown can be put
    listed = {"consumer": consumer, "enforced": True, "subjects": [subject, subject + ".later"]}
    assert listed in registry.call("GET", "/contracts")
    names = [c["consumer"] for c in registry.call("GET", "/contracts?offset=0&limit=-1")]
    assert names == sorted(names) and consumer in names
    assert [c["consumer"] for c in registry.call("GET", f"/contracts?offset={names.index(consumer)}&limit=1")] == [consumer]
    changed = put(registry, consumer, {"subject": subject, "schema": -1})
    assert changed["enforced"] is False and [r["version"] for r in changed["reads"]] == [1]
    assert registry.call("DELETE", f"/contracts/{consumer}") == changed
    for method in ("GET", "DELETE"):
        registry.refused(method, f"/contracts/{consumer}", 40410)


def test_a_contract_keeps_its_schemas_whatever_becomes_of_the_versions(registry, subject):
    base, consumer = subject + ".base", subject + ".reader"
    registry.json(base, {"type": "number"})
    refs = [{"name": "n.json", "subject": base, "version": 1}]
    schema = TOTAL | {"properties": {"total": {"$ref": "n.json"}}}
    registry.json(subject, schema, references=refs)
    made = put(registry, consumer, {"subject": subject, "schema": 1})
    assert made["reads"][0]["references"] == refs
    registry.gone(subject)
    registry.gone(base)
    assert registry.call("GET", f"/contracts/{consumer}") == made
    registry.json(subject, TEXT)
    assert [c["compatible"] for c in matrix(registry, subject=subject)[0]["contracts"]] == [False]


@pytest.mark.parametrize("body, code", [
    (b"", 400), (b"[]", 400), (b'{"reads":', 400), ({}, 400), ({"reads": []}, 400), ({"reads": {}}, 400), ({"reads": [1]}, 400),
    ({"reads": [{"subject": "s"}]}, 400), ({"reads": [{"schema": "{}"}]}, 400), ({"reads": [{"subject": "s", "schema": 0}]}, 400),
    ({"reads": [{"subject": "s", "schema": 1.5}]}, 400), ({"reads": [{"subject": "s", "schema": {}}]}, 400),
    ({"reads": [{"subject": "s", "schema": 1, "schemaType": "JSON"}]}, 400), ({"reads": [{"subject": 1, "schema": "{}"}]}, 400),
    ({"reads": [{"subject": ":.ctx:", "schema": "{}"}]}, 400), ({"reads": [{"subject": "s", "schema": "{}"}], "enforced": 1}, 400),
    ({"consumer": "another", "reads": [{"subject": "s", "schema": '"string"'}]}, 400),
    ({"reads": [{"subject": "s", "schema": '"string"'}, {"subject": ":.:s", "schema": '"int"'}]}, 400),
    ({"reads": [{"subject": "not-there", "schema": 1}]}, 40401), ({"reads": [{"subject": "", "schema": "{}"}]}, 42208),
    ({"reads": [{"subject": "s", "schema": "{}"}]}, 42201), ({"reads": [{"subject": "s", "schema": "x", "schemaType": "X"}]}, 42201),
    ({"reads": [{"subject": f"s{n}", "schema": '"string"'} for n in range(101)]}, 42205),
    ({"reads": [reads(f"s{n}", {"title": "x" * 300_000}) for n in range(4)]}, 42209),
])
def test_a_bad_contract_is_refused_with_its_code(registry, body, code):
    registry.refused("PUT", "/contracts/bad", code, body)
    registry.refused("GET", "/contracts/bad", 40410)


def test_names_of_consumers_are_those_of_groups(registry):
    for name in ("Billing", "a%20b", "_own", "x" * 121, "matrix", "saga.x"):
        registry.refused("PUT", f"/contracts/{name}", 400,
                         {"reads": [{"subject": "s", "schema": '"string"'}]})


def test_a_fault_says_which_read_it_is_about(registry, subject):
    registry.json(subject, TOTAL)
    message = refused(registry, "where", 40402, {"subject": subject, "schema": 1}, {"subject": subject, "schema": 9})
    assert message.startswith("/reads/1: ")


def test_an_enforced_contract_refuses_the_version_that_breaks_it(registry, subject):
    free(registry, subject)
    registry.json(subject, TOTAL)
    put(registry, subject + ".lax", reads(subject, READS_TOTAL))
    registry.json(subject, TEXT)                                          # nobody enforces it
    registry.json(subject, TOTAL | {"title": "again"})
    put(registry, subject + ".strict", reads(subject, READS_TOTAL), enforced=True)
    message = registry.refused("POST", f"{at(subject)}/versions", 40902, of_json(TEXT | {"title": "2"}))
    assert f'consumer "{subject}.strict"' in message and "/properties/total" in message and "counterexample: {" in message
    assert registry.call("GET", f"{at(subject)}/versions") == [1, 2, 3]
    check = f"/compatibility{at(subject)}/versions"
    assert registry.call("POST", check + "?verbose=true", of_json(TEXT)) == {"is_compatible": False, "messages": [message]}
    assert registry.call("POST", check, of_json(WIDER)) == registry.call("POST", check + "/2", of_json(TEXT)) == {"is_compatible": True}
    registry.json(subject, WIDER)                                         # it reads what it knows, and lets the rest be
    assert "strict" in registry.refused("POST", f"{at(subject)}/rollback", 40902, {"version": 2})
    registry.call("POST", f"{at(subject)}/rollback", {"version": 2, "force": True})
    registry.call("PUT", f"/mode/{subject}?force=true", {"mode": "IMPORT"})
    registry.refused("POST", f"{at(subject)}/versions", 40902, of_json(TEXT | {"title": "2"}, id=1_000_000, version=100))
    registry.call("DELETE", f"/mode/{subject}")
    registry.call("DELETE", f"/contracts/{subject}.strict")
    registry.json(subject, TEXT | {"title": "3"})


def test_an_enforced_contract_is_refused_when_the_latest_version_breaks_it(registry, subject):
    free(registry, subject)
    registry.json(subject, TEXT)
    message = refused(registry, subject + ".r", 40902, reads(subject, READS_TOTAL), enforced=True)
    assert f'Version 1 of subject "{subject}"' in message
    registry.refused("GET", f"/contracts/{subject}.r", 40410)
    put(registry, subject + ".r", reads(subject, READS_TOTAL))
    refused(registry, subject + ".r", 40902, reads(subject, READS_TOTAL), enforced=True)
    assert registry.call("GET", f"/contracts/{subject}.r")["enforced"] is False
    registry.json(subject, TOTAL)
    assert put(registry, subject + ".r", reads(subject, READS_TOTAL), enforced=True)["enforced"] is True


def test_a_contract_may_be_there_before_its_subject(registry, subject):
    put(registry, subject + ".first", reads(subject, READS_TOTAL), enforced=True)
    assert subject not in registry.call("GET", "/subjects")
    registry.refused("POST", f"{at(subject)}/versions", 40902, of_json(TEXT))
    registry.refused("POST", f"{at(subject)}/versions", 40902, {"schema": record("total")})
    registry.refused("GET", f"{at(subject)}/versions", 40401)
    assert matrix(registry, subject=subject) == []
    registry.json(subject, TOTAL)


def test_avro_contracts_follow_the_rules_of_avro(registry, subject):
    free(registry, subject)
    put(registry, subject + ".a", {"subject": subject, "schema": record("a")}, enforced=True)
    registry.register(subject, record("a", "b"))                          # more than it reads
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in registry.refused("POST", f"{at(subject)}/versions", 40902, {"schema": record("b")})


def test_the_matrix_tells_for_each_version_who_can_read_it_and_why_not(registry, subject):
    free(registry, subject)
    for schema in (TOTAL, TEXT, WIDER):
        registry.json(subject, schema)
    put(registry, subject + ".a", reads(subject, READS_TOTAL), enforced=True)
    put(registry, subject + ".b", {"subject": subject, "schema": 2})
    registry.call("DELETE", f"{at(subject)}/versions/1")
    rows = matrix(registry, subject=subject)
    assert [r["version"] for r in rows] == [3, 2] and {r["subject"] for r in rows} == {subject}
    told_of = [[(c["consumer"], c["enforced"], c["compatible"]) for c in r["contracts"]] for r in rows]
    assert told_of == [[(subject + ".a", True, True), (subject + ".b", False, False)],
                       [(subject + ".a", True, False), (subject + ".b", False, True)]]
    why = rows[1]["contracts"][0]["findings"][0]
    assert why["rule"] and "/properties/total" in why["producer_pointer"] and "/properties/total" in why["consumer_pointer"]
    assert why["detail"] and isinstance(why["counterexample"]["total"], str)
    assert [r["version"] for r in matrix(registry, subject=subject, latestOnly="True")] == [3]


def test_the_matrix_goes_on_page_by_page(registry, subject):
    context = ":.paged:"
    names = [f"{context}{subject}.{n}" for n in range(3)]
    for name in names:
        free(registry, name)
        for schema in (TOTAL, WIDER, TEXT):
            registry.json(name, schema)
    registry.json(f"{context}{subject}.unread", TOTAL)
    put(registry, subject + ".p", *(reads(name, READS_TOTAL) for name in names))
    wanted = [(name, version) for name in names for version in (3, 2, 1)]
    for limit in (1, 2, 9, 1000):
        rows = [r for r in matrix(registry, limit=limit) if r["subject"].startswith(context)]
        assert [(r["subject"], r["version"]) for r in rows] == wanted
    latest = [r for r in matrix(registry, limit=1, latestOnly="true") if r["subject"].startswith(context)]
    assert [(r["subject"], r["version"]) for r in latest] == [(name, 3) for name in names]
    assert [r["version"] for r in matrix(registry, subject=names[1], limit=1)] == [3, 2, 1]
    for query in ("limit=0", "limit=1001", "limit=x", "after=x", "after=0.x", "after=1.%0A", "after=99999999999.x"):
        registry.refused("GET", "/contracts/matrix?" + query, 400)
    assert matrix(registry, subject=f"{context}{subject}.unread") == [] == matrix(registry, subject="never-was")


def test_rights_are_those_of_the_subjects(registry, gateway, subject):
    secret = subject + ".secret"
    registry.json(subject, TOTAL)
    registry.json(secret, TOTAL)
    own = Registry(harness.Client(gateway, harness.mint(scope=f"schema:{subject}")))
    put(registry, subject + ".both", reads(subject, READS_TOTAL), reads(secret, READS_TOTAL))
    put(registry, subject + ".hidden", reads(secret, READS_TOTAL))
    assert [r["subject"] for r in own.call("GET", f"/contracts/{subject}.both")["reads"]] == [subject]
    assert own.call("GET", "/contracts") == [{"consumer": subject + ".both", "enforced": False, "subjects": [subject]}]
    for method in ("GET", "DELETE"):
        own.refused(method, f"/contracts/{subject}.hidden", 40410)
    own.refused("DELETE", f"/contracts/{subject}.both", 403)
    for name in ("both", "hidden"):
        refused(own, f"{subject}.{name}", 403, reads(subject, TOTAL))
    refused(own, subject + ".mine", 403, reads(secret, TOTAL))
    refused(own, subject + ".mine", 403, reads(subject, {}, references=[{"name": "a", "subject": secret, "version": 1}]))
    assert {r["subject"] for r in matrix(own)} == {subject}
    own.refused("GET", f"/contracts/matrix?subject={secret}", 403)
    put(own, subject + ".mine", reads(subject, TOTAL))
    own.client.close()
    nobody = Registry(harness.Client(gateway, harness.mint(scope="publish:*")))
    for path in ("/contracts", "/contracts/matrix", "/contracts/x"):
        nobody.refused("GET", path, 403)
    nobody.client.close()


def test_every_change_is_told_once(registry, subject):
    consumer, first = subject.replace("_", "-") + ".told", reads(subject, READS_TOTAL)
    registry.json(subject, TOTAL)
    for _ in range(3):
        put(registry, consumer, first, enforced=True)                     # twice there is nothing new
    put(registry, consumer, {"subject": subject, "schema": 1})
    registry.call("DELETE", f"/contracts/{consumer}")
    registry.refused("DELETE", f"/contracts/{consumer}", 40410)
    events = told(registry.client, consumer, 3)
    named = {"consumer": consumer, "enforced": False, "reads": [{"subject": subject, "version": 1}]}
    assert [(e["type"], e["data"]) for e in events] == [
        ("ContractCreated", {"consumer": consumer, "enforced": True, "reads": [first]}), ("ContractChanged", named),
        ("ContractDeleted", named)]
    assert {e["source"] for e in events} == {"/registry/contracts"}
    records = told(registry.client, f"/registry/contracts/{consumer}", 3, "_audit")
    assert [e["type"] for e in records] == ["ContractCreated", "ContractChanged", "ContractDeleted"]
    assert records[0]["data"]["operation"] == "putContract"


def test_limits_of_contracts(gateway, subject):
    small = harness.serve(gateway.database_url, {"WEIR_REGISTRY_CONTRACT_READERS": "2", "WEIR_REGISTRY_CONTRACT_READS": "1"})
    registry = Registry(harness.Client(small, gateway.token))
    for name in ("a", "b", "b"):
        put(registry, f"{subject}.{name}", reads(subject, {"title": name}))
    refused(registry, subject + ".c", 42205, reads(subject, {}))
    refused(registry, subject + ".a", 42205, reads(subject, {}), reads(subject + "2", {}))
    put(registry, subject + ".a", reads(subject, {"title": "changed"}))
    registry.client.close()
    assert small.stop() == 0
    roomy = Registry(harness.Client(gateway))
    large = {"properties": {f"p{n}": {"type": "object", "properties": {"a": {"maximum": n}}} for n in range(2000)}}
    for name in ("l1", "l2", "l3"):
        put(roomy, f"{subject}.{name}", reads(subject + ".large", large), enforced=True)
    full = harness.serve(gateway.database_url, {"WEIR_REGISTRY_CONTRACTS": "1", "WEIR_REGISTRY_CHECK_TIME": "1ms"})
    registry = Registry(harness.Client(full, gateway.token))
    assert "check_time" in registry.refused("POST", f"{at(subject + '.large')}/versions", 42209, of_json(large))
    roomy.json(subject + ".large", large)
    roomy.client.close()
    refused(registry, subject + ".d", 42205, reads(subject + ".d", {}))
    registry.client.close()
    assert full.stop() == 0


def test_of_a_contract_and_the_version_that_breaks_it_at_once_one_is_refused(gateway, second, subject):
    """On two gateways, over subjects that are not there yet and those that are."""
    one, other = (Registry(harness.Client(g, gateway.token)) for g in (gateway, second))
    outcomes = set()
    for n in range(24):
        name, consumer, said = f"{subject}.{n}", f"{subject}.c{n}", {}
        if n % 2:
            free(one, name)
            one.json(name, TOTAL)

        def promise(said=said, name=name, consumer=consumer):
            body = {"reads": [reads(name, READS_TOTAL)], "enforced": True}
            said["put"] = other.client.put(f"/registry/contracts/{consumer}", body).status

        thread = threading.Thread(target=promise)
        thread.start()
        said["post"] = one.client.post(f"/registry{at(name)}/versions", of_json(TEXT)).status
        thread.join()
        assert (said["put"], said["post"]) in ((201, 409), (409, 200)), said
        outcomes.add(said["put"])
        if said["put"] == 201:
            one.json(name, WIDER)
    assert outcomes
    one.client.close()
    other.client.close()
