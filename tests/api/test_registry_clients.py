"""The clients that people already use, unchanged, against the registry: each program of tests/registry prints a line for what works."""
import os
import subprocess

import harness
import pytest

FOLDER = os.path.join(harness.ROOT, "tests", "registry")
CLIENTS = {"kafkajs": (["node", "kafkajs.mjs"], 10), "confluent": (["node", "confluent.mjs"], 10),
           "python": (["/usr/bin/python3", "python_client.py"], 9)}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_schema_registries_works_unchanged(gateway, name):
    argv, steps = CLIENTS[name]
    prefix = f"{name}.{os.getpid()}."
    env = {**harness.environment({}), "PYTHONPATH": os.path.join(FOLDER, "python"), "PYTHONDONTWRITEBYTECODE": "1",
           "REGISTRY_URL": f"{gateway.url}/registry", "REGISTRY_TOKEN": gateway.token, "REGISTRY_PREFIX": prefix}
    done = subprocess.run(argv, cwd=FOLDER, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * harness.SLOW, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == steps and all(line.startswith("ok - ") for line in lines), done.stdout + done.stderr


def test_a_token_for_some_subjects_is_enough_for_a_client(gateway):
    argv, steps = CLIENTS["kafkajs"]
    prefix = f"own.{os.getpid()}."
    env = {**harness.environment({}), "REGISTRY_URL": f"{gateway.url}/registry", "REGISTRY_PREFIX": prefix,
           "REGISTRY_TOKEN": harness.mint(f"schema:{prefix}*")}
    done = subprocess.run(argv, cwd=FOLDER, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * harness.SLOW, check=False)
    assert done.returncode == 0 and done.stdout.count("ok - ") == steps, done.stdout + done.stderr
