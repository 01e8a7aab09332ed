"""Compatibility is sound: thousands of pairs of schemas, drawn at random, judged by ajv and by our own validator."""
import os
import subprocess

import pytest
from rig import harness

PROGRAM = "build/tests/unit/test_compat_random"
PAIRS = 5000


@pytest.mark.parametrize("seed", [11, 12, 13, 14])
def test_no_document_breaks_where_we_say_compatible(seed):
    subprocess.run(["make", "-s", PROGRAM], cwd=harness.ROOT, check=True)
    env = {**os.environ, "WEIR_COMPAT_PAIRS": str(PAIRS), "WEIR_COMPAT_SEED": str(seed)}
    run = subprocess.run([PROGRAM], cwd=harness.ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)
