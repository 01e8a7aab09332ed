"""A hundred thousand dead letters: a third of them, by filter, is redriven at a set rate, cancelled half way; a second job takes
the rest and goes on after both gateways were killed with -9. The counts add up, and each redriven event comes to its group.

    groups_redrive.py [--letters 100000]
"""
import argparse
import statistics
import sys
import time
from collections import defaultdict

import groups_rig
import rig
from rig import harness

GROUP, TYPES = "workers", ("Third", "Other", "Another")
ENDED = ("done", "cancelled", "failed")
STATES = """
    select type, state, count(*) from weir.dead_letters join weir.streams s using (stream_id)
     where s.name = '{stream}' and group_name = '{group}' group by 1, 2"""
PARKED, REDRIVEN, RESOLVED = 0, 1, 2


def kill_both(gateways):
    """Nobody is left before the first one comes back."""
    for place in gateways.places:
        place.gateway.kill()
    for n in range(len(gateways.places)):
        gateways.kill(n)


def bury(place, stream, total):
    """All events go to the DLQ; seconds of each batch. What is redriven then may fail, as a lease may be lost in a kill."""
    settings = {"ordering": "none", "max_retrying": 10 * total, "ack_deadline": "3s", "backoff": {"initial": "100ms"}}
    groups_rig.fill(place, stream, total, 8, types=TYPES)
    groups_rig.define(place, stream, GROUP, **settings, max_retries=0)
    calls, left, took = groups_rig.Calls([place], stream, GROUP, "gravedigger"), total, []
    while left:
        got, _, _ = calls.receive(max=1000, wait="1s")
        if got:
            began = time.monotonic()
            said = calls.say("reject", got, error={"type": "Broken", "message": "order 4711"})
            took.append(time.monotonic() - began)
            left -= sum(one.result == "done" for one in said)
        assert not calls.violations, calls.violations
    calls.close()
    groups_rig.define(place, stream, GROUP, **settings, max_retries=5)
    return took


def states(gateway, stream):
    """(type, state) → letters"""
    found = defaultdict(int)
    for line in harness.psql(gateway, STATES.format(stream=stream, group=GROUP)):
        kind, state, n = line.split("|")
        found[kind, int(state)] = int(n)
    return found


class Job:
    def __init__(self, place, stream, rate=None):
        self.place, self.rate = place, rate
        body = {"filter": {"group": GROUP, "type": TYPES[0]}, "reason": "repaired", **({"rate_per_second": rate} if rate else {})}
        self.dry = groups_rig.ask(place, "POST", f"/v1/streams/{stream}/dlq/redrive", {**body, "dry_run": True}, (200,))
        self.began = time.monotonic()
        self.now = groups_rig.ask(place, "POST", f"/v1/streams/{stream}/dlq/redrive", body, (202,))
        self.path = f"/v1/jobs/{self.now['id']}"

    def look(self):
        self.now = groups_rig.ask(self.place, "GET", self.path)
        return self.now

    def until(self, enough, seconds, wrong):
        """Looks until it has ended or `enough` letters are done; how long it took since it was made."""
        def there():
            done, elapsed = self.look()["done"], time.monotonic() - self.began
            if self.rate and done > self.rate * elapsed + max(500, self.rate) * harness.SLOW:
                wrong.append(f"{done} letters in {elapsed:.2f} s at {self.rate} a second")
            return done >= enough or self.now["state"] in ENDED

        if not groups_rig.wait_for(there, seconds, 0.05):
            wrong.append(f"after {seconds} s: {self.now}")
        return time.monotonic() - self.began


class Workers:
    """Ack what was redriven; how often each event came."""

    def __init__(self, places, stream, count):
        self.came, self.acked, self.again, self.violations = defaultdict(int), set(), 0, []
        self.threads = [groups_rig.Each(groups_rig.Calls(places, stream, GROUP, f"worker-{i}", i), self.work) for i in range(count)]

    def work(self, calls):
        got, _, _ = calls.receive(max=500, wait="500ms")
        for one in got or ():
            self.came[one.n] += 1
            self.again += one.attempt != 1
        if got:
            self.acked.update(said.delivery.n for said in calls.say("ack", got) if said.result != "stale")
        self.violations += calls.violations
        calls.violations.clear()
        return True


def cut_short(gateways, stream, third, rate, wrong):
    """The first job, cancelled; what it has done."""
    place = gateways.places[0]
    job = Job(place, stream, rate)
    if (job.dry["matched"], job.now["matched"]) != (third, third):
        wrong.append(f"{third} letters match; the dry run says {job.dry}, the job {job.now}")
    took = job.until(third // 4, 4 * third / rate + 30, wrong)
    groups_rig.ask(place, "DELETE", job.path, expect=(200, 202, 204))
    groups_rig.wait_for(lambda: job.look()["state"] in ENDED, 10)
    time.sleep(1)                                  # a step that was under way
    done, found = job.look()["done"], states(gateways.any, stream)
    if job.now["state"] != "cancelled" or not 0 < done < third or job.now["failed"]:
        wrong.append(f"cancelled on its way: {job.now}")
    if found[TYPES[0], REDRIVEN] + found[TYPES[0], RESOLVED] != done:
        wrong.append(f"the job says {done}, the letters are {dict(found)}")
    return done, took


def run(gateways, letters=99_999, rate=4000, workers=3, second_rate=None):
    """(violations, figures)"""
    wrong, third, stream = [], letters // 3, groups_rig.stream_of("redrive")
    place = gateways.places[0]
    buried = bury(place, stream, letters)
    found, third_of = states(gateways.any, stream), max(len(buried) // 3, 1)
    if statistics.median(buried[-third_of:]) > 4 * statistics.median(buried[:third_of]) + 0.2 * harness.SLOW:
        wrong.append(rig.Slow(f"burials take longer the more letters there are: {buried}"))
    if dict(found) != {(kind, PARKED): third for kind in TYPES}:
        wrong.append(f"{letters} events were rejected, the letters are {dict(found)}")
    crew = Workers(gateways.places, stream, workers)
    with groups_rig.working(crew.threads):
        first, took = cut_short(gateways, stream, third, rate, wrong)
        if crew.again:
            wrong.append(f"{crew.again} deliveries did not begin with attempt 1")
        second = Job(gateways.places[1], stream, second_rate)
        if second.now["matched"] != third - first:
            wrong.append(f"{third - first} letters are left to match: {second.now}")
        second.until((third - first) // 4, 60, wrong)
        at_kill = second.now["done"]
        kill_both(gateways)
        again = second.until(third, 120, wrong)
        groups_rig.wait_for(lambda: states(gateways.any, stream)[TYPES[0], RESOLVED] == third, 60)
    found = states(gateways.any, stream)
    if (second.now["state"], second.now["done"], second.now["failed"]) != ("done", third - first, 0):
        wrong.append(f"the second job: {second.now}, the first had {first} of {third}")
    if dict(found) != {(TYPES[0], RESOLVED): third, (TYPES[1], PARKED): third, (TYPES[2], PARKED): third}:
        wrong.append(f"at the end the letters are {dict(found)}")
    if crew.acked != set(range(0, 3 * third, 3)) or set(crew.came) != crew.acked:
        wrong.append(f"{len(crew.acked)} of {third} redriven events were acked, {len(crew.came)} came")
    if not at_kill < third - first:
        wrong.append("the second job had ended before the kill: nothing was proved")
    wrong += crew.violations
    return wrong, {
        "letters": f"{letters}, buried in {sum(buried):.1f} s, a batch in {1000 * statistics.median(buried):.0f} ms",
        "matched by the filter": third,
        f"first job, {rate} a second": f"cancelled at {first} after {took:.1f} s ({first / took:.0f} a second)",
        "second job": f"killed at {at_kill}, all {second.now['done']} after {again:.1f} s",
        "deliveries of redriven events": f"{sum(crew.came.values())} of {len(crew.came)}, {crew.again} again",
        "letters at the end": " ".join(f"{kind}/{state}:{n}" for (kind, state), n in sorted(found.items())),
    }


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--letters", type=int, default=99_999)
    sys.exit(rig.show("redrive", *groups_rig.prove(run, parse.parse_args().letters)))


if __name__ == "__main__":
    main()
