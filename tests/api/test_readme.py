"""The tour of the README works when pasted."""
import os
import re
import subprocess

import harness


def tour(gateway):
    """Its shell blocks as one script; only what depends on where the gateway runs is replaced."""
    with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    section = text.partition("## Five minutes with curl")[2].partition("\n## ")[0]
    script = "\necho ----\n".join(re.findall(r"```sh\n(.*?)```", section, re.S))
    script = script.replace("http://127.0.0.1:8080", f"http://{gateway.host}:{gateway.port}")
    return script.replace("build/weir token", f"{harness.BINARY} token --data-dir {gateway.directory}/data")


def test_the_tour_works_when_pasted():
    gateway = harness.dev()
    try:
        script = re.sub(r"^(timeout 5 .*)$", r"\1 || [ $? = 124 ]", tour(gateway), flags=re.M)
        done = subprocess.run(["bash", "-euo", "pipefail"], input=script, env=harness.environment({}), cwd=harness.ROOT,
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        steps = [step.strip() for step in done.stdout.split("----\n")]
        assert len(steps) == 8, done.stdout
        assert '"duplicate":false' in steps[1] and '"duplicate":true' in steps[2]
        winner, loser = steps[3].splitlines()
        assert '"version":2' in winner and '"code":"version-conflict"' in loser and '"current_version":2' in loser
        assert "OrderPlaced" in steps[4] and '"data":{"total":19.90}' in steps[4]
        assert steps[5].count('"stream":"orders"') == 2
        assert '"up_to_date":true' in steps[6] and "event: up-to-date" in steps[6] and steps[6].count("\ndata: {\"specversion\"") == 2
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", steps[7])
    finally:
        assert gateway.stop() == 0
        harness.remove(gateway)
