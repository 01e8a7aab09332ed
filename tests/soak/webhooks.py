"""Real GitHub webhooks (examples/github-webhooks) replayed over and over into one gateway that is killed and started again
between the rounds: every payload comes back byte for byte, and what a killed gateway acknowledged is a duplicate for the next.

    webhooks.py [--rounds 10]
"""
import argparse
import os
import re
import subprocess
import sys
import time

import rig
from rig import harness

EXAMPLE = os.path.join(harness.ROOT, "examples", "github-webhooks")
EVENTS = 329
PUBLISHED = re.compile(rf"^published {EVENTS} events .*: (\d+) recorded, (\d+) duplicates$", re.M)
READ = re.compile(rf"^(event stream|JSON pages): {EVENTS} of {EVENTS} events, {EVENTS} equal byte for byte, 0 differences", re.M)


def node(arguments, gateway, stream):
    """(exit status, what it printed) of a command in the example's folder."""
    env = {**os.environ, "WEIR_URL": gateway.url, "WEIR_TOKEN": gateway.token, "WEIR_STREAM": stream}
    done = subprocess.run(arguments, cwd=EXAMPLE, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=150 * harness.SLOW, check=False)
    return done.returncode, done.stdout + done.stderr


def replay(gateway, stream, recorded):
    """Sentences about what is wrong with a run of the example; `recorded`: how many events are new to the stream."""
    status, out = node(["./run.sh"], gateway, stream)
    counts = [tuple(map(int, found)) for found in PUBLISHED.findall(out)]
    readers = READ.findall(out)
    if status == 0 and counts == [(recorded, EVENTS - recorded), (0, EVENTS)] and sorted(readers) == ["JSON pages", "event stream"]:
        return []
    return [f"{stream}: status {status}, published {counts}, read by {readers}: {out[-1500:]}"]


def run(rounds=10):
    """(violations, figures)"""
    gateway, wrong, began = harness.dev(), [], time.monotonic()
    for n in range(rounds):
        wrong += replay(gateway, f"soak.webhooks.{n}", EVENTS)
        gateway.kill()
        gateway = harness.dev(directory=gateway.directory)
        wrong += replay(gateway, f"soak.webhooks.{n}", 0)
    took = time.monotonic() - began
    stored, distinct = (int(text) for text in harness.psql(
        gateway, "select count(*) || ' ' || count(distinct (stream, source, id)) from weir.log "
                 "where stream like 'soak.webhooks.%'")[0].split())
    if (stored, distinct) != (rounds * EVENTS, rounds * EVENTS):
        wrong.append(f"{rounds * EVENTS} events were recorded; {stored} are stored, {distinct} of them different")
    if status := gateway.stop():
        wrong.append(f"the last gateway ended with {status}")
    harness.remove(gateway)
    return wrong, {
        "seconds": f"{took:.1f}",
        "rounds, each on a new stream": rounds,
        "gateways killed": rounds,
        "events sent": 4 * rounds * EVENTS,
        "recorded / answered as duplicates": f"{stored} / {4 * rounds * EVENTS - stored}",
        "compared byte for byte": f"{4 * rounds * EVENTS} by event stream and pages",
    }


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--rounds", type=int, default=10)
    sys.exit(rig.show("webhooks", *run(parse.parse_args().rounds)))


if __name__ == "__main__":
    main()
