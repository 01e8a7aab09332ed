"""Validation on publish with what others wrote: GitHub's webhooks beside ajv's verdicts, and what real serializers encode."""
import base64
import json
import os
import random
import subprocess

import harness
from test_registry import Registry
from test_validation import publish, violations

FOLDER = os.path.join(harness.ROOT, "tests", "registry")
SEED = random.randrange(2**32)
# what payloads.mjs changes, and where a payload that conformed is wrong then; None: at the payload or below it
CHANGES = [None, "/data", "/data/sender/login", None, "/data/repository/id"]


def payloads():
    """(name, number, the payload and its changes as ajv was given them: None where one does not apply)."""
    script = ("import { changes, payloads } from './payloads.mjs'; for (const { name, number, payload } of payloads) console.log("
              "JSON.stringify([name, number, changes.map(c => c(structuredClone(payload)) || null)]))")
    done = subprocess.run(["node", "--input-type=module", "-e", script], cwd=FOLDER, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120 * harness.SLOW, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def schema():
    with open(os.path.join(FOLDER, "node_modules/@octokit/webhooks-schemas/schema.json"), encoding="utf-8") as f:
        return json.load(f)


def test_payloads_of_github_are_recorded_or_refused_as_ajv_judges_them(gateway, client, stream):
    registry, plain = Registry(client), harness.Client(gateway, check=False)
    client.create(stream, schema_validation="enforce", subject_template="{stream}")
    registry.json(stream, schema())
    with open(os.path.join(FOLDER, "verdicts.txt"), encoding="ascii") as f:
        verdicts = {tuple(line.split()[:2]): line.split()[2:] for line in f}
    recorded, pointed = [0, 0], 0
    for name, number, versions in payloads():
        said = verdicts[name, str(number)]
        answer = publish(plain, stream, {"type": name, "data": versions[0]})
        assert answer.status == (201 if said[0] == "yes" else 422), (name, number, answer)
        recorded[said[0] == "yes"] += 1
        for verdict, payload, pointer in list(zip(said, versions, CHANGES))[1 + number % 4::4] if said[0] == "yes" else ():
            if verdict != "no":
                continue
            found = violations(publish(plain, stream, {"type": name, "data": payload}))
            if pointer:
                assert pointer in [p for p, _ in found], (name, number, found)
                pointed += 1
    plain.close()
    assert recorded == [53, 276] and pointed > 100
    assert client.get(f"/v1/streams/{stream}").expect(200).json()["events"] == 276


def test_what_confluents_serializers_write_conforms_and_nothing_of_it_may_be_missing(gateway, client, stream):
    client.create(stream, schema_validation="enforce")
    env = {**harness.environment({}), "PYTHONPATH": os.path.join(FOLDER, "python"), "PYTHONDONTWRITEBYTECODE": "1",
           "REGISTRY_URL": f"{gateway.url}/registry", "REGISTRY_TOKEN": gateway.token, "REGISTRY_PREFIX": f"{stream}-",
           "ENCODE_SEED": str(SEED), "ENCODE_EACH": "150"}
    done = subprocess.run(["/usr/bin/python3", "encode.py"], cwd=FOLDER, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60 * harness.SLOW, check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(events) == 300
    for event in events:
        event["datacontenttype"] = "application/octet-stream"
    publish(client, stream, events).expect(201)
    assert [e["data_base64"] for e in client.read_all(stream)] == [e["data_base64"] for e in events]
    for event in events[:150:3]:
        whole = base64.b64decode(event["data_base64"])
        for wrong in (whole[:-1], whole + b"\0"):
            answer = publish(client, stream, {**event, "data_base64": base64.b64encode(wrong).decode()})
            assert {k for _, k in violations(answer)} == {"avro"}, (SEED, event)
