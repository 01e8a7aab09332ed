"""How fast payloads are checked against a schema: GitHub's webhooks, by the engine of the gateway and by ajv in Node, one thread each;
and what publishing costs more when each event is checked."""
import json
import os

import load
from load import BATCH, Measurement, Run, harness

MODULES = os.path.join(harness.ROOT, "tests", "registry", "node_modules")
OURS, AJV, AJV_OBJECTS = "validate, Weir, 1", "validate, ajv, 1", "validate, ajv without JSON.parse, 1"
CONFORM = 276                  # of 329, as ajv says
STREAM = "orders.checked"
ENFORCED, ENFORCED_BATCHES = "enforced publish, 64", f"enforced publish, batches of {BATCH}, 64"
# Of load.DATA: every member has a type, and a bound where it would have one.
LINE = {"type": "object", "required": ["sku", "count", "price"], "additionalProperties": False,
        "properties": {"sku": {"type": "string", "pattern": "^[A-Z]-[0-9A-Z-]+$"}, "count": {"type": "integer", "minimum": 1},
                       "price": {"type": "number", "minimum": 0}}}
ORDER = {"type": "object", "required": ["order", "customer", "currency", "total", "lines"], "additionalProperties": False,
         "properties": {"order": {"type": "string", "minLength": 36, "maxLength": 36}, "customer": {"type": "integer"},
                        "currency": {"enum": ["EUR", "USD", "GBP"]}, "total": {"type": "number", "minimum": 0},
                        "lines": {"type": "array", "minItems": 1, "maxItems": 100, "items": LINE},
                        "note": {"type": "string", "maxLength": 1000}}}


def checked(argv, seconds):
    found = json.loads(load.output([*argv, str(seconds)], timeout=seconds + 120).strip().splitlines()[-1])
    return Run(found["count"] / found["seconds"], found["p50"], found["p99"], found["count"], int(found["conform"] != CONFORM))


def create(gateway):
    """The stream that is checked. What does not conform is refused: otherwise the figures are of nothing."""
    client = harness.Client(gateway)
    client.create(STREAM, schema_validation="enforce")
    client.post(f"/registry/subjects/{STREAM}-{load.TYPE}/versions", {"schemaType": "JSON", "schema": json.dumps(ORDER)}).expect(200)
    client.publish(STREAM, {"type": load.TYPE, "data": json.loads(load.DATA)})
    client.post(harness.events_path(STREAM), {"type": load.TYPE, "data": {}}).problem(422, "schema-violation")
    client.close()


def publishing(gateway, token):
    url, used = f"{gateway.url}/v1/streams/{STREAM}/events", load.gateway_cpu(gateway)

    def event(s):
        return load.wrk(url, 64, s, "event", load.FIELDS, token)

    return {ENFORCED: Measurement(64, event, **used),
            ENFORCED_BATCHES: Measurement(64, lambda s: load.wrk_batches(url, 64, s, token), **used)}


def measurements(gateway, token):
    create(gateway)
    octokit = os.path.join(MODULES, "@octokit")
    ours = [os.path.join(load.PROGRAMS, "validate"), os.path.join(octokit, "webhooks-schemas", "schema.json"),
            os.path.join(octokit, "webhooks-examples", "api.github.com", "index.json")]
    ajv = ["node", os.path.join(load.HERE, "validate.mjs")]
    return {OURS: Measurement(1, lambda s: checked(ours, s)), AJV: Measurement(1, lambda s: checked([*ajv, "bytes"], s)),
            AJV_OBJECTS: Measurement(1, lambda s: checked([*ajv, "objects"], s)), **publishing(gateway, token)}
