"""The schema registry on two gateways at once, over restarts, and as it is told: _schemas and _audit."""
import http.client
import json
import threading
import time

import harness
import pytest
from test_registry import NUMBERS, Registry, at, of_json
from test_registry_hostile import PAIRS

LIMITS = {"WEIR_REGISTRY_VERSIONS": "3", "WEIR_REGISTRY_SCHEMA_BYTES": "2000", "WEIR_REGISTRY_REFERENCES": "1",
          "WEIR_REGISTRY_SUBJECTS": "4", "WEIR_REGISTRY_CHECK_TIME": "1ms"}


@pytest.fixture
def both(gateway, second):
    clients = harness.Client(gateway), harness.Client(second, gateway.token)
    yield [Registry(c) for c in clients]
    for one in clients:
        one.close()


def told(client, subject, count, stream="_schemas", **more):
    """Events of a subject, once there are so many."""
    deadline = time.monotonic() + 60 * harness.SLOW
    while True:
        answer = client.get(harness.events_path(stream, subject=subject, limit=1000, **more))
        events = answer.json()["events"] if answer.status == 200 else []
        if len(events) >= count or time.monotonic() > deadline:
            return events
        time.sleep(0.05)


def test_what_many_register_at_once_has_one_id_and_numbers_without_gaps(gateway, second):
    """Eight clients on two gateways, the same contents in different order, each into its own subject and into a shared one."""
    contents, found, shared = [{"title": f"content {n}"} for n in range(6)], [], "shared-subject"
    Registry(harness.Client(gateway)).call("PUT", "/config/" + shared, {"compatibility": "NONE"})

    def work(n):
        registry = Registry(harness.Client(second if n % 2 else gateway, gateway.token))
        for k in range(len(contents)):
            schema = contents[(k + n) % len(contents)]
            found.append((schema["title"], registry.json(f"own-{n}-{k}", schema)))
            found.append((schema["title"], registry.json(shared, schema)))
        registry.client.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 96
    assert len(set(found)) == len(contents) == len({number for _, number in found})
    registry = Registry(harness.Client(gateway))
    assert registry.call("GET", at(shared) + "/versions") == list(range(1, len(contents) + 1))
    ids = harness.psql(gateway, "select schema_id from weir.schemas where schema like '%content _\"}' order by 1")
    assert len(ids) == len(contents)
    assert len(told(registry.client, shared, len(contents) + 1)) == len(contents) + 1


def test_deleting_and_referring_at_once_leaves_no_reference_to_nothing(both):
    for n in range(12):
        base, top = f"race-base-{n}", f"race-top-{n}"
        both[0].json(base, {"title": base})
        both[0].call("DELETE", at(base))
        both[0].json(base, {"title": base})
        statuses = {}

        def refer(top=top, base=base, statuses=statuses):
            body = of_json({"$ref": "b.json"}, references=[{"name": "b.json", "subject": base, "version": 2}])
            statuses["refer"] = both[1].client.post(f"/registry{at(top)}/versions", body).status

        thread = threading.Thread(target=refer)
        thread.start()
        statuses["delete"] = both[0].client.request("DELETE", f"/registry{at(base)}/versions/2").status
        thread.join()
        assert (statuses["refer"], statuses["delete"]) in ((200, 422), (422, 200)), statuses


def test_what_is_changed_on_one_gateway_holds_on_the_other(both):
    number = both[0].json("across", {"title": "across"})
    assert both[1].call("GET", f"/schemas/ids/{number}")["schemaType"] == "JSON"
    both[1].call("PUT", "/mode/across", {"mode": "READONLY"})
    both[0].refused("DELETE", at("across"), 42205)
    both[1].call("DELETE", "/mode/across")
    both[0].gone("across")
    both[1].refused("GET", f"/schemas/ids/{number}", 40403)


def test_what_was_answered_before_a_gateway_was_killed_is_there_once_and_was_told_once(gateway):
    """Four clients register and set levels on a gateway that is killed; another one has all that they know of."""
    victim = harness.serve(gateway.database_url, {})
    known, enough = {}, threading.Event()

    def work(n):
        registry = Registry(harness.Client(victim, gateway.token))
        for k in range(1000):
            try:
                known[f"killed-{n}-{k}"] = registry.json(f"killed-{n}-{k}", {"title": f"killed {k}"})
                registry.call("PUT", f"/config/killed-{n}-{k}", {"compatibility": "FULL"})
            except (OSError, http.client.HTTPException):
                break
            if len(known) > 40:
                enough.set()
        registry.client.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(100 * harness.SLOW)
    victim.kill()
    for thread in threads:
        thread.join()
    registry = Registry(harness.Client(gateway))
    for subject, number in known.items():
        assert registry.call("GET", at(subject) + "/versions/1")["id"] == number
    subjects = registry.call("GET", "/subjects?subjectPrefix=killed-")
    assert len(known) <= len(subjects) <= len(known) + len(threads)
    assert len(set(known.values())) == len({subject.rpartition("-")[2] for subject in known})
    registry.json("wakes-the-outbox", {"title": "last"})
    events = told(registry.client, "killed-*", len(subjects), type="SchemaRegistered")
    assert sorted(e["subject"] for e in events) == subjects
    registry.client.close()


def test_every_change_is_an_event_and_an_audit_record_in_order(both):
    registry, subject = both[0], "told/of"
    number = registry.json(subject, {"title": "told"}, metadata={"properties": {"a": "b"}})
    registry.json(subject, {"title": "told"}, metadata={"properties": {"a": "b"}})     # nothing new, nothing to tell
    registry.call("PUT", "/config/told%2Fof", {"compatibility": "NONE"})
    registry.call("PUT", "/mode/told%2Fof", {"mode": "READONLY"})
    registry.refused("DELETE", at(subject), 42205)
    registry.call("DELETE", "/mode/told%2Fof")
    registry.call("POST", at(subject) + "/rollback", {"version": 1})
    registry.call("DELETE", at(subject) + "/versions/2")
    registry.call("DELETE", at(subject) + "/versions/2?permanent=true")
    registry.call("DELETE", at(subject))
    registry.call("DELETE", at(subject) + "?permanent=true")
    events = told(registry.client, subject, 9)
    row = {"subject": subject, "id": number, "schemaType": "JSON", "metadata": {"properties": {"a": "b"}},
           "schema": json.dumps({"title": "told"})}
    assert [(e["type"], e["data"]) for e in events] == [
        ("SchemaRegistered", row | {"version": 1}),
        ("ConfigChanged", {"subject": subject, "compatibility": "NONE"}),
        ("ModeChanged", {"subject": subject, "mode": "READONLY"}),
        ("ModeChanged", {"subject": subject, "mode": None}),
        ("SchemaRegistered", row | {"version": 2}),
        ("SchemaDeleted", {"subject": subject, "versions": [2], "permanent": False}),
        ("SchemaDeleted", {"subject": subject, "versions": [2], "permanent": True}),
        ("SubjectDeleted", {"subject": subject, "versions": [1], "permanent": False}),
        ("SubjectDeleted", {"subject": subject, "versions": [1], "permanent": True})]
    assert {e["source"] for e in events} == {"/registry/subjects"}
    records = told(registry.client, "/registry/subjects/told%2Fof*", 6, "_audit")
    assert [e["type"] for e in records] == ["SchemaRegistered", "SchemaRolledBack", "SchemaDeleted", "SchemaDeleted", "SubjectDeleted",
                                            "SubjectDeleted"]
    assert records[0]["data"]["operation"] == "registerSchema" and records[0]["data"]["actor"]["sub"]


@pytest.mark.parametrize("metadata", [
    b'{"a":"\\u0000"}', b'{"a":"\\ud800"}', b'{"a":1,"a":2}', b'{"a":1e999999}', b'{"a":' + b"[" * 120 + b"]" * 120 + b"}", b'{"":""}'])
def test_whatever_is_taken_can_be_told(both, metadata):
    registry, subject = both[0], f"odd-{next(NUMBERS)}"
    body = b'{"schemaType":"JSON","schema":"{}","metadata":' + metadata + b"}"
    status = registry.client.post(f"/registry{at(subject)}/versions", body).status
    assert status in (200, 400)
    if status == 200:
        [event] = told(registry.client, subject, 1)
        assert event["type"] == "SchemaRegistered" and "metadata" in event["data"]
        assert registry.call("GET", at(subject) + "/versions/1")["metadata"] == event["data"]["metadata"]


def test_a_schema_that_is_all_quotes_can_be_told(both):
    """Each comes as four characters: one schema within a JSON text, within the JSON of an event."""
    both[0].json("quotes", {"title": '"' * 400_000})
    [event] = told(both[0].client, "quotes", 1)
    assert len(json.loads(event["data"]["schema"])["title"]) == 400_000


def test_it_is_there_after_a_restart_and_keeps_its_limits(gateway):
    small = harness.serve(gateway.database_url, LIMITS)
    registry = Registry(harness.Client(small, gateway.token))
    roomy = Registry(harness.Client(gateway))
    ids = [roomy.json("kept", {"title": "kept 0"})] + [registry.json("kept", {"title": f"kept {n}"}) for n in (1, 2)]
    one_more = of_json({"title": "one more"})
    registry.refused("POST", at("kept") + "/versions", 42205, one_more)
    registry.call("DELETE", at("kept") + "/versions/1")
    registry.refused("POST", at("kept") + "/versions", 42205, one_more)
    registry.call("DELETE", at("kept") + "/versions/1?permanent=true")
    registry.json("kept", {"title": "one more"})
    registry.refused("POST", at("kept") + "/versions", 42209, of_json({"title": "x" * 2000}))
    refs = [{"name": f"{n}.json", "subject": "kept", "version": n} for n in (2, 3)]
    registry.refused("POST", at("kept") + "/versions", 42209, of_json({"$ref": "2.json"}, references=refs))
    roomy.json("one", {"$ref": "2.json"}, references=refs[:1])
    named = [{"name": "o.json", "subject": "one", "version": 1}]
    registry.refused("POST", at("kept") + "/versions", 42209, of_json({"$ref": "o.json"}, references=named))
    registry.refused("POST", at("a-new-one") + "/versions", 42205, of_json({"title": "5"}))    # the others have more by now
    for level in ("NONE", "FULL_TRANSITIVE"):
        roomy.call("PUT", "/config/many", {"compatibility": level})
        for n in range(2) if level == "NONE" else ():
            roomy.json("many", {"title": f"many {n}", "default": list(range(100_000))})
    path = f"/compatibility{at('many')}/versions"
    message = registry.refused("POST", path, 42209, of_json({}))
    assert "registry.check_time" in message and "version 2" in message
    assert roomy.call("POST", path, of_json({})) == {"is_compatible": True}
    assert registry.call("POST", path + "/2", of_json({})) == {"is_compatible": True}
    registry.client.close()
    roomy.client.close()
    assert small.stop() == 0
    small = harness.serve(gateway.database_url, LIMITS)
    registry = Registry(harness.Client(small, gateway.token))
    assert registry.call("GET", at("kept") + "/versions") == [2, 3, 4]
    assert registry.call("GET", at("kept") + "/versions/2")["id"] == ids[1]
    assert registry.json("kept", {"title": "kept 2"}) == ids[2]
    registry.client.close()
    assert small.stop() == 0


def test_comparing_leaves_workers_to_others(gateway):
    """Of two threads one. What is there already is registered all the same, and what there is nothing to compare with."""
    small = harness.serve(gateway.database_url, {"WEIR_WORKER_THREADS": "2"})
    registry = Registry(harness.Client(small, gateway.token))
    known, (old, new) = of_json({"title": "known"}), PAIRS["oneOf"]
    registry.call("PUT", "/config/compared-slowly", {"compatibility": "FULL"})
    registry.json("compared-slowly", old)
    registry.call("POST", at("compared") + "/versions", known)
    deadline, n = time.monotonic() + 100 * harness.SLOW, 0
    while True:
        n += 1
        other = of_json({"title": f"other {n}"})
        contract = {"reads": [{"subject": "compared", **known}], "enforced": True}
        calls = [("POST", f"{at('compared')}/versions", other, 429), ("POST", f"/compatibility{at('compared')}/versions", other, 429),
                 ("PUT", f"/contracts/comparing-{n}", contract, 429), ("POST", f"{at('compared')}/versions", known, 200),
                 ("POST", f"{at(f'alone-{n}')}/versions", other, 200), ("GET", "/schemas", None, 200)]
        busy = harness.connect(small, 60 * harness.SLOW)
        busy.request("POST", f"/registry/compatibility{at('compared-slowly')}/versions", json.dumps(of_json(new)),
                     {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"})
        time.sleep(0.1)
        answers = [registry.client.request(method, "/registry" + path, body) for method, path, body, _ in calls]
        busy.getresponse().read()
        busy.close()
        if [a.status for a in answers] == [status for *_, status in calls]:
            break
        assert time.monotonic() < deadline, answers
    assert answers[0].headers["retry-after"] == "1" and answers[0].json()["error_code"] == 429
    registry = Registry(harness.Client(small, gateway.token))       # the comparison may have outlived an idle connection
    registry.call(*calls[0][:3])
    registry.client.close()
    assert small.stop() == 0
