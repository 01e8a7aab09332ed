"""How fast payloads are checked against a schema: GitHub's webhooks, by the engine of the gateway and by ajv in Node. One thread each."""
import json
import os

import load
from load import Measurement, Run

MODULES = os.path.join(load.harness.ROOT, "tests", "registry", "node_modules")
OURS, AJV, AJV_OBJECTS = "validate, Weir, 1", "validate, ajv, 1", "validate, ajv without JSON.parse, 1"
CONFORM = 276                  # of 329, as ajv says


def checked(argv, seconds):
    found = json.loads(load.output([*argv, str(seconds)], timeout=seconds + 120).strip().splitlines()[-1])
    return Run(found["count"] / found["seconds"], found["p50"], found["p99"], found["count"], int(found["conform"] != CONFORM))


def measurements():
    octokit = os.path.join(MODULES, "@octokit")
    ours = [os.path.join(load.PROGRAMS, "validate"), os.path.join(octokit, "webhooks-schemas", "schema.json"),
            os.path.join(octokit, "webhooks-examples", "api.github.com", "index.json")]
    ajv = ["node", os.path.join(load.HERE, "validate.mjs")]
    return {OURS: Measurement(1, lambda s: checked(ours, s)), AJV: Measurement(1, lambda s: checked([*ajv, "bytes"], s)),
            AJV_OBJECTS: Measurement(1, lambda s: checked([*ajv, "objects"], s))}
