"""Publishers and readers at work while gateway and PostgreSQL are killed again and again: nothing acknowledged is lost,
nothing is there twice, no reader misses or repeats an event.

    nothing_lost.py [--kills 20] [--publishers 16] [--seed N]
"""
import argparse
import os
import random
import signal
import sys
import time

import rig
from rig import harness

STREAM = "soak.nothing-lost"
FREEZE_SECONDS = 7          # longer than the lane waits for an answer


class Crashes:
    """`weir dev` on one data directory, and the ways to hurt it."""

    def __init__(self, settings):
        self.settings = {"WEIR_COMMIT_WAIT": "5s", **(settings or {})}
        self.gateway = harness.dev(settings)
        self.data = os.path.join(self.gateway.directory, "data")
        self.place = rig.Place(self.gateway)

    def ask(self, sql):
        """What psql says once PostgreSQL is there: it may still come up after the blow before."""
        deadline = time.monotonic() + 60 * harness.SLOW
        while True:
            try:
                return harness.psql(self.gateway, sql)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def postmaster(self):
        self.ask("select 1")
        with open(os.path.join(self.data, "pg", "postmaster.pid"), encoding="ascii") as f:
            return int(f.readline())

    def lanes(self):
        return [int(pid) for pid in self.ask("select pid from pg_stat_activity where application_name like 'weir-lane-%'")]

    def restart(self):
        assert not harness.SANITIZER.search(self.gateway.log()), self.gateway.log()[-8000:]
        self.gateway = harness.dev(self.settings, self.gateway.directory)
        self.place.moved(self.gateway)

    def kill_gateway(self):
        self.gateway.kill()
        self.restart()

    def kill_postgres(self):
        os.kill(self.postmaster(), signal.SIGKILL)

    def kill_both(self):
        os.kill(self.postmaster(), signal.SIGKILL)
        self.kill_gateway()

    def kill_backend(self):
        """PostgreSQL ends all its sessions and recovers."""
        for pid in self.lanes():
            os.kill(pid, signal.SIGKILL)

    def end_backend(self):
        """PostgreSQL survives this one; only the lane's session ends."""
        for pid in self.lanes():
            self.ask(f"select pg_terminate_backend({pid})")

    def end_sessions(self):
        """Readers, LISTEN, lanes: all lose their connection."""
        self.ask("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'weir%'")

    def freeze_backend(self):
        """The lane gives its session up; what the session still does later must not count twice."""
        pids = self.lanes()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(FREEZE_SECONDS)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


WAYS = ["kill_gateway", "kill_postgres", "end_backend", "kill_both", "kill_backend", "end_sessions", "freeze_backend"]
FULL = [way for way, n in zip(WAYS, (6, 4, 3, 2, 2, 2, 1), strict=True) for _ in range(n)]


def recovered(publishers, since, seconds=60):
    """Whether a request that was sent after `since` was answered 2xx in time."""
    while time.monotonic() - since < seconds * harness.SLOW:
        if max(one.acked_sent_at for one in publishers) > since:
            return True
        time.sleep(0.005)
    return False


def run(ways, publishers=16, pause=0.01, calm=(0.3, 3.0), seed=None, settings=None):
    """(violations, figures)"""
    seed = seed if seed is not None else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}", flush=True)
    crashes = Crashes(settings)
    try:
        return suffer(crashes, ways, publishers, pause, calm, seed)
    finally:
        crashes.gateway.kill()


def hurt(crashes, ways, calm, rng, writers):
    """Kills in turn; [(way, when)] and what went wrong."""
    outages, began = [], time.monotonic()
    for way in ways:
        time.sleep(rng.uniform(*calm))
        at = time.monotonic()
        getattr(crashes, way)()
        outages.append((way, at))
        print(f"  {at - began:6.1f} s {way}", flush=True)
        if not recovered(writers, at):
            return outages, [f"nothing was accepted any more after {way}"]
    time.sleep(rng.uniform(*calm))
    return outages, []


def suffer(crashes, ways, publishers, pause, calm, seed):
    rng, began = random.Random(seed), time.monotonic()
    rig.create(crashes.place, STREAM)
    writers = [rig.Publisher(crashes.place, STREAM, i, seed, pause) for i in range(publishers)]
    readers = [kind(crashes.place, STREAM, f"{kind.__name__} {i}") for kind in (rig.Poller, rig.Listener) for i in range(2)]
    rng.shuffle(ways := list(ways))
    with rig.at_work(*writers, *readers):
        outages, wrong = hurt(crashes, ways, calm, rng, writers)
        log = rig.settle(writers, readers, crashes.gateway, STREAM)
    took = time.monotonic() - began
    wrong += rig.audit(log, writers, readers, rig.read_all(crashes.place, STREAM))
    status = crashes.gateway.stop()
    if status:
        wrong.append(f"the last gateway ended with {status}")
    if wrong:
        print(f"  what is left of it: {crashes.gateway.directory}", flush=True)
    else:
        harness.remove(crashes.gateway)
    return wrong, figures(seed, took, ways, outages, writers, readers, log)


def figures(seed, took, ways, outages, writers, readers, log):
    statuses = {}
    for one in writers:
        for status, n in one.statuses.items():
            statuses[status] = statuses.get(status, 0) + n
    gaps = list(zip(outages, rig.silences(writers, [at for _, at in outages])))
    return {
        "seed": seed,
        "seconds": f"{took:.1f}",
        "kills": len(outages),
        **{f"  {way}: longest silence": " ".join(f"{gap:.2f}" for (w, _), gap in gaps if w == way) + " s"
           for way in sorted(set(ways))},
        "requests / sent again": f"{sum(one.requests for one in writers)} / {sum(one.retries for one in writers)}",
        "answers": " ".join(f"{k}:{v}" for k, v in sorted(statuses.items(), key=str)),
        "requests by key / replayed": f"{sum(one.keyed for one in writers)} / {sum(one.replayed for one in writers)}",
        "events acknowledged": sum(len(one.acked) for one in writers),
        "refused (and not there)": sum(len(one.refused) for one in writers),
        "without id, key and answer": sum(len(one.unknown) for one in writers),
        "  of these recorded": sum(log.heads) - sum(len(one.acked) for one in writers),
        "events in the log": f"{sum(log.heads)} {log.heads}",
        "slowest answer": f"{max(one.slowest for one in writers):.2f} s",
        "reconnects of the readers": [one.reconnects for one in readers],
    }


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--kills", type=int, default=len(FULL))
    parse.add_argument("--publishers", type=int, default=16)
    parse.add_argument("--seed", type=int)
    args = parse.parse_args()
    ways = (FULL * (args.kills // len(FULL) + 1))[:args.kills] if args.kills >= len(FULL) else WAYS[:args.kills]
    sys.exit(rig.show("nothing lost", *run(ways, args.publishers, seed=args.seed)))


if __name__ == "__main__":
    main()
