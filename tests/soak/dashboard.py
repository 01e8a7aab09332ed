"""A live tail of the dashboard under 1,000 events a second in a real browser: whether it freezes, whether its memory grows, and whether it
shows every event once although the gateway is killed and started again on the way.

    dashboard.py [--seconds 300]
"""
import argparse
import json
import os
import subprocess
import sys
import time

import rig
from rig import harness

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dashboard_tail.mjs")
MIB = 1 << 20
GROWTH, NODES = 8 * MIB, 500          # above what was there when the tail was full for the first time
FROZEN, CLICK = 1000, 1500            # ms: no frame, no answer to a click for so long
SMOOTH = 0.99                         # this part of the frames comes within SMOOTH_MS
SMOOTH_MS = 200


def watch(gateway, seconds, figures):
    """Runs the browser beside the gateway, which is killed once half of the time has gone; both, and what the browser said."""
    env = {**os.environ, "WEIR_URL": gateway.url, "WEIR_TOKEN": harness.mint(ttl=8 * 3600), "WEIR_SECONDS": str(seconds),
           "WEIR_FIGURES": figures, "WEIR_WAIT": str(30000 * harness.SLOW), "NO_COLOR": "1"}
    with open(figures + ".log", "w+", encoding="utf-8") as log:
        browser = subprocess.Popen(["node", SCRIPT], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            time.sleep(seconds / 2)
            gateway.kill()
            gateway = harness.Gateway(["dev", "--data-dir", os.path.join(gateway.directory, "data")], directory=gateway.directory,
                                      port=gateway.port)
            status = browser.wait(seconds + 300)
        finally:
            browser.kill()
            browser.wait()
        log.seek(0)
        return gateway, status, log.read()


def judge(got):
    """(violations, figures)"""
    first, last = got["samples"][0], got["samples"][-1]
    heaps = [sample["heap"] for sample in got["samples"]]
    late = max(heaps[len(heaps) // 2:]) - first["heap"]
    smooth, clicks = rig.quantile(got["gaps"], SMOOTH), max(got["clicks"])
    wrong = []
    if late > GROWTH:
        wrong.append(f"the heap grew by {late / MIB:.1f} MiB")
    if last["nodes"] > first["nodes"] + NODES or last["listeners"] > first["listeners"] + NODES:
        wrong.append(f"nodes or listeners stay: {first}, {last}")
    if got["gaps"][-1] > FROZEN * harness.SLOW or smooth > SMOOTH_MS * harness.SLOW:
        wrong.append(f"frames: the longest gap {got['gaps'][-1]:.0f} ms, {SMOOTH:.0%} within {smooth:.0f} ms")
    if clicks > CLICK * harness.SLOW:
        wrong.append(f"a click took {clicks:.0f} ms")
    if got["wanted"] not in got["shown"]:
        wrong.append(f"not each event once: wanted {got['wanted']}, shown {got['shown']}")
    if got["sent"] < 0.8 * 1000 * got["seconds"]:
        wrong.append(f"only {got['sent'] / got['seconds']:.0f} events a second were published")
    if got["rows"] > 100:
        wrong.append(f"{got['rows']} rows are in the document")
    return wrong, {
        "events": f"{got['sent']:,} in {got['seconds']:.0f} s, all shown: {got['wanted'] in got['shown']}",
        "heap after collection, MiB": " ".join(f"{heap / MIB:.1f}" for heap in heaps),
        "nodes in the document": f"{first['nodes']} to {last['nodes']}",
        "frames": f"{len(got['gaps'])}, half of them within {rig.quantile(got['gaps'], 0.5):.0f} ms, "
                  f"{SMOOTH:.0%} within {smooth:.0f} ms, the longest gap {got['gaps'][-1]:.0f} ms",
        "slowest click, ms": f"{clicks:.0f}",
    }


def run(seconds=300):
    gateway = harness.dev()
    figures = os.path.join(harness.scratch("figures-"), "figures.json")
    try:
        client = harness.Client(gateway, harness.mint())
        client.create("flood", partitions=4)
        client.close()
        gateway, status, said = watch(gateway, seconds, figures)
        if status or not os.path.exists(figures):
            return [f"the browser's part ended with {status}: {said[-4000:]}"], {}
        with open(figures, encoding="utf-8") as f:
            return judge(json.load(f))
    finally:
        gateway.kill()
        harness.remove(gateway)


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--seconds", type=int, default=300)
    sys.exit(rig.show("dashboard", *run(parse.parse_args().seconds)))


if __name__ == "__main__":
    main()
