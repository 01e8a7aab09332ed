"""How fast payloads are checked against a schema: GitHub's webhooks, by the engine of the gateway and by ajv in Node, one thread each;
and what publishing costs more when each event is checked."""
import dataclasses
import itertools
import json
import os

import load
from load import BATCH, Measurement, Run, harness

MODULES = os.path.join(harness.ROOT, "tests", "registry", "node_modules")
OURS, AJV, AJV_OBJECTS = "validate, Weir, 1", "validate, ajv, 1", "validate, ajv without JSON.parse, 1"
CONFORM = 276                  # of 329, as ajv says
PLAIN, CHECKED = "orders.plain", "orders.checked"
ENFORCED, ENFORCED_BATCHES = "enforced publish, 64", f"enforced publish, batches of {BATCH}, 64"
PAIRS, PAIR_SECONDS = 8, 2
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
    """A stream that is checked and one that is not. What does not conform is refused: otherwise the figures are of nothing."""
    client = harness.Client(gateway)
    client.create(PLAIN)
    client.create(CHECKED, schema_validation="enforce")
    client.post(f"/registry/subjects/{CHECKED}-{load.TYPE}/versions", {"schemaType": "JSON", "schema": json.dumps(ORDER)}).expect(200)
    client.publish(CHECKED, {"type": load.TYPE, "data": json.loads(load.DATA)})
    client.post(harness.events_path(CHECKED), {"type": load.TYPE, "data": {}}).problem(422, "schema-violation")
    client.close()


@dataclasses.dataclass
class Pair:
    """Publishing to the one stream right after the other: what slows the machine down slows both."""
    ratio: float               # of the rates, checked / plain
    checked: float             # per second
    plain: float
    checked_us: float          # CPU of the gateway
    plain_us: float
    errors: int


class Pairs:
    """Measured `least` times, in whatever rounds there are; every other pair begins with the other stream."""

    def __init__(self, gateway, publish):
        self.gateway, self.publish, self.least, self.turns = gateway, publish, PAIRS, itertools.cycle((1, -1))

    def measure(self, _seconds):
        runs = {}
        for stream in (PLAIN, CHECKED)[::next(self.turns)]:
            url = f"{self.gateway.url}/v1/streams/{stream}/events"
            one = Measurement(64, lambda s, url=url: self.publish(url, s), **load.gateway_cpu(self.gateway))
            runs[stream] = one.measure(PAIR_SECONDS)
        checked, plain = runs[CHECKED], runs[PLAIN]
        return Pair(checked.per_second / plain.per_second, checked.per_second, plain.per_second, checked.server_us, plain.server_us,
                    checked.errors + plain.errors)


def publishing(gateway, token):
    return {ENFORCED: Pairs(gateway, lambda url, s: load.wrk(url, 64, s, "event", load.FIELDS, token)),
            ENFORCED_BATCHES: Pairs(gateway, lambda url, s: load.wrk_batches(url, 64, s, token))}


def measurements(gateway, token):
    create(gateway)
    octokit = os.path.join(MODULES, "@octokit")
    ours = [os.path.join(load.PROGRAMS, "validate"), os.path.join(octokit, "webhooks-schemas", "schema.json"),
            os.path.join(octokit, "webhooks-examples", "api.github.com", "index.json")]
    ajv = ["node", os.path.join(load.HERE, "validate.mjs")]
    return {OURS: Measurement(1, lambda s: checked(ours, s)), AJV: Measurement(1, lambda s: checked([*ajv, "bytes"], s)),
            AJV_OBJECTS: Measurement(1, lambda s: checked([*ajv, "objects"], s)), **publishing(gateway, token)}
