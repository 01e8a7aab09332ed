"""The verdicts that our JSON Schema engine is held against (tests/unit/test_webhook_payloads.c) are those of an independent validator."""
import os
import subprocess

import harness

FOLDER = os.path.join(harness.ROOT, "tests", "registry")


def test_the_verdicts_on_the_payloads_of_github_are_those_of_ajv():
    done = subprocess.run(["node", "judge.mjs"], cwd=FOLDER, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120 * harness.SLOW, check=False)
    assert done.returncode == 0, done.stderr
    with open(os.path.join(FOLDER, "verdicts.txt"), encoding="ascii") as f:
        assert done.stdout == f.read()
    first = [line.split()[2] for line in done.stdout.splitlines()]
    assert (first.count("yes"), first.count("no")) == (276, 53)
