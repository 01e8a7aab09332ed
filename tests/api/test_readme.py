"""The tours of the README and of the guides work when pasted, one after the other against one gateway."""
import json
import os
import re
import subprocess

import harness
import pytest

EXCERPTS = {"bash": "worker.sh", "python": "worker.py", "js": "worker.mjs"}     # language of a block: where it stands


@pytest.fixture(scope="module")
def fresh():
    gateway = harness.dev()
    yield gateway
    assert gateway.stop() == 0
    harness.remove(gateway)


def page(name):
    with open(os.path.join(harness.ROOT, name), encoding="utf-8") as f:
        return f.read()


UP_TO_DATE = """
up_to_date() {
    local line told=
    exec 9< <(exec "$@"); local pid=$!
    while IFS= read -r -u 9 line; do
        printf '%s\\n' "$line"
        [ "$line" = "event: up-to-date" ] && told=1
        [ -z "$line" ] && [ -n "$told" ] && break
    done
    kill $pid
    exec 9<&-
}
"""


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def paste(gateway, text):
    """What each of its shell blocks prints; only what depends on where the gateway runs is replaced, and how long an event stream is
    shown: until it has told all that there is."""
    script = "\necho ----\n".join(blocks(text, "sh"))
    script = script.replace("http://127.0.0.1:8080", gateway.url)
    script = script.replace("build/weir token", f"{harness.BINARY} token --data-dir {gateway.directory}/data")
    script = script.replace("build/weir schema", f"{harness.BINARY} schema")
    script = re.sub(r"^timeout \d (.*)$", r"up_to_date timeout 60 \1", script, flags=re.M)
    done = subprocess.run(["bash", "-euo", "pipefail"], input=UP_TO_DATE + script, env=harness.environment({}), cwd=harness.ROOT,
                          capture_output=True, text=True, timeout=120 * harness.SLOW, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [step.strip() for step in done.stdout.split("----\n")]


def values(step):
    """The JSON values that a step printed, one after the other."""
    found, decoder = [], json.JSONDecoder()
    while step:
        value, end = decoder.raw_decode(step)
        found.append(value)
        step = step[end:].lstrip()
    return found


def test_the_tour_works_when_pasted(fresh):
    steps = paste(fresh, page("README.md").partition("## Five minutes with curl")[2].partition("\n## ")[0])
    assert len(steps) == 12, steps
    assert '"duplicate":false' in steps[1] and '"duplicate":true' in steps[2]
    winner, loser = steps[3].splitlines()
    assert '"version":2' in winner and '"code":"version-conflict"' in loser and '"current_version":2' in loser
    assert "OrderPlaced" in steps[4] and '"data":{"total":19.90}' in steps[4]
    assert steps[5].count('"stream":"orders"') == 2
    assert '"up_to_date":true' in steps[6] and "event: up-to-date" in steps[6] and steps[6].count("\ndata: {\"specversion\"") == 2
    group, received, rejected, letters = values(steps[7])
    assert group["name"] == "billing" and [d["event"]["id"] for d in received["deliveries"]] == ["place-1"]
    assert rejected["done"] == [received["deliveries"][0]["delivery_id"]] and not rejected["stale"]
    assert [(letter["state"], letter["reason"], letter["error"]["type"]) for letter in letters["items"]] == \
        [("parked", "rejected", "NoAddress")]
    registered, stream, packed, refused = values(steps[8])
    assert registered["id"] and stream["schema_validation"] == "enforce" and packed["offset"]
    assert (refused["code"], [e["pointer"] for e in refused["errors"]]) == ("schema-violation", ["/data/boxes"])
    defined, state, paid = values(steps[9])
    assert defined["name"] == "orders" and (state["key"], state["version"]) == ("order-1", 2)
    assert state["state"] == {"status": "paid", "total": 19.90, "by": "a"} and [item["key"] for item in paid["items"]] == ["order-1"]
    assert values(steps[10]) == [{"name": "checkout", "version": 1}, {"id": "order-9", "saga": "checkout", "state": "running"}, {"id": "order-9"}]
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", steps[11])


def test_the_guide_of_consumer_groups_works_when_pasted(fresh):
    steps = [None, *map(values, paste(fresh, page("docs/consumer-groups.md"))[1:])]
    create, receive, ack, nack, look, seek, pause = steps[1:]
    assert create[1]["name"] == "billing"
    first, second = receive[0]["deliveries"]
    assert (first["event"]["type"], second["event"]["subject"], second["attempt"]) == ("OrderPlaced", "order-2", 1)
    assert [(len(answer["done"]), len(answer["stale"])) for answer in ack] == [(1, 0), (0, 1)]
    assert nack[0]["done"] == [second["delivery_id"]]
    assert sorted(nack[1:]) == [[1, "order-1", "OrderPaid"], [2, "order-2", "OrderPlaced"]]
    assert look[0]["lag"]["events"] == look[0]["in_flight"] == 2 and look[0]["retrying"] == look[0]["dead"] == 0
    assert seek[:2] == [{"name": "billing"}] * 2 and seek[2]["events"] == 3
    assert [step.get("paused") for step in (pause[0], pause[2])] == [True, False] and "paused" in json.dumps(pause[1])


def test_the_guide_of_dead_letters_works_when_pasted(fresh):
    steps = [None, *map(values, paste(fresh, page("docs/dead-letters.md"))[1:])]
    make, summary, one, parked, merged, patched, tried, redriven, many, jobs, discarded, auto, told = steps[1:]
    assert [value["done"] for value in make[-3:]] == [value["done"] for value in make[-3:] if len(value["done"]) == 1]
    assert sorted((kind["count"], kind["error"]["type"]) for kind in summary) == [(1, "ValueError"), (2, "KeyError")]
    assert one[0]["event"]["subject"] == "p-1" and one[0]["attempts"][0]["consumer"] == "ledger-7"
    assert [letter[1] for letter in parked] == ["p-3", "p-2", "p-1"]
    assert merged == [[{"amount": 12.5, "currency": "EUR"}, {"amount": "12,50", "currency": "EUR"}]]
    assert patched == [{"amount": 12.5, "currency": "EUR", "note": "was a text"}]
    assert tried == [{"amount": 13, "currency": "EUR", "note": "was a text"}]
    assert redriven[0]["state"] == "redriven" and redriven[-1] == {"state": "resolved", "redrives": 1}
    assert many == [{"matched": 2, "failing_schema": 0}]
    assert jobs[:2] == [{"state": state, "matched": 2, "done": 1, "failed": 0} for state in ("running", "cancelled")]
    assert jobs[2] == {"state": "done", "matched": 1, "done": 1, "failed": 0}
    assert discarded[1] == {"state": "discarded", "note": "test account"} and discarded[2]["matched"] == 1
    assert auto == [{"name": "ledger", "dlq_retry": {"after": "15m", "rounds": 3}}]
    assert ["DeadLettered", "p-1", "rejected"] in told
    assert {"DeadLetterRepaired", "DeadLetterRedriven", "DeadLetterDiscarded"} <= {value[0] for value in told}


def test_the_guide_of_projections_works_when_pasted(fresh):
    _, make, one, mine, found, watch, other, right, failed, skipped = paste(fresh, page("docs/projections.md"))
    assert values(make) == [3, {"name": "sales", "state": "running", "build": 1}]
    assert values(one) == [{"key": "s-1", "version": 2, "status": "paid", "events": 2}]
    assert values(mine) == [["s-2", "paid", 2]]
    assert values(found) == [[["s-1", 2], ["s-2", 2]], None]
    assert '"key":"s-1"' in watch and "s-2" not in watch and "event: up-to-date" in watch
    defined, sums, now = other.splitlines()
    assert json.loads(defined) == {"name": "sales", "key": "/data/day"}
    assert sums == '"state":{"revenue":59.90,"orders":2}'
    assert json.loads(now) == {"build": 2, "state": "running", "lag": 0}
    assert values(right) == [{"checked": 1, "drift": [], "order_dependent": []}]
    offset, error = values(failed)
    assert error == {"stream": "sales", "partition": error["partition"], "offset": offset, "type": "OrderPlaced"}
    assert values(skipped) == [{"state": "running", "error": None}, "paused", "running", 204]


def test_the_guide_of_sagas_works_when_pasted(fresh):
    _, defined, ran, approved, refused, looked, ended = paste(fresh, page("docs/sagas.md"))
    assert values(defined) == [{"name": "packing"}, {"name": "fulfilment", "version": 1, "steps": ["pack", "release", "announce"]}]
    assert values(ran)[0]["state"] in ("running", "waiting") and values(ran)[1] == "f-1"
    stream, one, it = values(approved)
    assert (stream, one) == ({"stream": "packing"}, "f-1")
    assert [(step["name"], step["status"]) for step in it["steps"]] == [(name, "succeeded") for name in ("pack", "release", "announce")]
    *_, state, types = values(refused)
    assert state == ["compensated", "succeeded"] and types == ["PackingRequested", "OrderPacked", "UnpackRequested"]
    found, records, left = values(looked)
    assert found == [{"id": "f-2", "state": "compensated"}] and records[0] == "SagaStarted" and records[-1] == "SagaCompensated"
    assert set(left.values()) == {0}
    dry, *audit, deleted = values(ended)
    assert dry == {"matched": 0, "retried": 0, "ids": [], "refused": [], "more": False}
    assert audit == [["SagaDecided", "reject"]] and deleted == 204


def test_the_guide_of_the_schema_registry_works_when_pasted(fresh):
    steps = paste(fresh, page("docs/schema-registry.md"))
    _, register, refused, optional, level, back, delete, checked, gate = steps
    assert values(register) == [{"id": True}] * 2 + [[1]]
    code, message, verdict = refused.split("\n", 2)
    assert code == "40901" and "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL at '/required/1'" in message
    assert 'counterexample: {"total":0}' in json.loads(verdict)["messages"]
    named = {"subject": "orders-OrderPlaced"}
    assert values(optional) == [{"id": True}, {**named, "version": 2, "schemaType": "JSON"}, {**named, "version": 1}]
    assert values(level) == [{"compatibility": "FULL"}, {"compatibilityLevel": "FULL"}, {"compatibilityLevel": "BACKWARD"}]
    assert values(back) == [{"error_code": 40901}, {"version": 3}]
    assert values(delete) == [1, [2, 3], 1, 3]
    stream, recorded, *refused = values(checked)
    assert stream["schema_validation"] == "enforce" and recorded == {"duplicate": False}
    assert refused[::2] == ["schema-violation"] * 2 and [e[0]["pointer"] for e in refused[1::2]] == ["/data/total", "/type"]
    unchanged, new, total, breaks, *found, new_too, end, status = gate.splitlines()
    assert [line.split()[0] for line in (unchanged, new, breaks, new_too)] == ["unchanged", "new", "breaks", "new"]
    assert (total, end, status) == ("2 schemas: 1 unchanged 1 new", "2 schemas: 1 new 1 breaks", "status 1")
    assert 'counterexample: {"total":0}' in found[1] and "/required/1" in found[0]


def test_the_guide_of_contracts_works_when_pasted(fresh):
    _, promise, keep, broken, look, dry_run = paste(fresh, page("docs/schema-contracts.md"))
    assert values(promise) == [{"consumer": "billing", "enforced": True},
                               [{"consumer": "billing", "enforced": True, "subjects": ["parcels-Sent"]}]]
    assert values(keep) == [{"registered": True}]
    level, code, message = broken.splitlines()
    assert code == "40902" and 'consumer "billing"' in message and 'counterexample: {"total":"' in message
    shipping, row = values(look)
    assert shipping == ["shipping", 1]
    assert row == {"version": 1, "contracts": [{"consumer": c, "compatible": True} for c in ("billing", "shipping")]}
    [result] = values(dry_run)
    assert [result[k] for k in ("checked", "refused", "complete")] == [3, 1, True]
    assert [(e["pointer"], e["keyword"]) for e in result["errors"]] == [("/total", "type")]


def test_the_guide_of_event_sourcing_works_when_pasted(fresh):
    _, first, decide, late, look, snapshots = paste(fresh, page("docs/event-sourcing.md"))
    assert [receipt["version"] for receipt in values(first)] == [1, 2]
    assert values(decide) == [{"version": 2, "up_to_date": True, "events": [[1, "CartOpened"], [2, "ItemAdded"]]}, {"version": 3}]
    assert values(late) == [{"code": "version-conflict", "current_version": 3}, {"version": 4}]
    events, etag, status, unknown = look.splitlines()
    assert json.loads(events) == {"version": 4, "events": [[3, "ItemAdded"], [4, "CartClosed"]]}
    assert (etag.strip().lower(), status) == ('etag: "4"', "304")
    assert json.loads(unknown) == {"code": "unknown-subject", "current_version": 0}
    stored, loaded, refused = values(snapshots)
    state = {"items": {"MUG": 2, "PEN": 1}, "open": True}
    assert stored["version"] == 3 and loaded == {"snapshot": {"version": 3, "state": state}, "events": [[4, "CartClosed"]], "version": 4}
    assert refused == {"code": "snapshot-version", "current_version": 4}


def test_the_workers_that_the_guide_shows_are_those_of_the_examples():
    text = page("docs/consumer-groups.md")
    for language, name in EXCERPTS.items():
        [block] = blocks(text, language)
        assert block in page(f"examples/worker/{name}"), name
