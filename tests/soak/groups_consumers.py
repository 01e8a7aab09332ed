"""Consumers as they are: they fail, forget, come late, ask twice. And what must be true of all that they were told."""
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

import groups_rig
from groups_rig import Given, harness


@dataclass
class Habits:
    """How often: of deliveries, nacked and rejected; of leases, the others."""
    nack: float = 0.0
    reject: float = 0.0
    vanish: float = 0.0        # the consumer is gone, with its lease
    half: float = 0.0          # it is gone after it has acked half of it
    late: float = 0.0          # acks come after the deadline
    extend: float = 0.0        # acks come after the deadline, which was extended in time
    again: float = 0.0         # the same ack is sent twice, and a nack after it
    poison: int = 0            # every nth event of a key is always nacked; 0: none
    deadline: float = 30.0     # seconds
    sizes: tuple = (1, 10, 100, 500, 1000)
    pause: float = 0.0         # seconds of work on a lease, on average
    blocked: int = 0           # events of so many first keys are nacked, and nothing else of theirs can go out


class Consumer(threading.Thread):
    def __init__(self, calls, habits, seed):
        super().__init__(daemon=True)
        self.calls, self.habits, self.name = calls, habits, calls.name
        self.random = random.Random(f"{seed}/{calls.name}")
        self.given, self.said, self.halt, self.later = [], [], threading.Event(), []
        self.receives = self.lives = self.vanished = self.twice = 0
        self.violations = calls.violations

    def run(self):
        habits = self.habits
        while not self.halt.is_set():
            self.due()
            deliveries, sent, came = self.calls.receive(max=self.random.choice(habits.sizes), wait="200ms",
                                                        ack_deadline=f"{round(1000 * habits.deadline)}ms")
            if not deliveries:
                continue
            self.receives += 1
            self.given += [Given(sent, came, (self.name, self.receives), index, one) for index, one in enumerate(deliveries)]
            self.work(deliveries, time.monotonic() + habits.deadline)
            if habits.pause:
                time.sleep(self.random.uniform(0, 2 * habits.pause))
        for _, lease in self.later:
            self.finish(lease)
        self.calls.close()

    def due(self):
        now, waiting, self.later = time.monotonic(), self.later, []
        for at, lease in waiting:
            if at <= now:
                self.finish(lease)
            else:
                self.later.append((at, lease))

    def work(self, deliveries, deadline):
        habits, dice = self.habits, self.random.random()
        for kind in ("vanish", "half", "late", "extend"):
            if (dice := dice - getattr(habits, kind)) < 0:
                getattr(self, kind)(deliveries, deadline)
                return
        self.finish(deliveries)

    def vanish(self, _deliveries, _deadline):
        self.calls.close()
        self.vanished += 1

    def half(self, deliveries, deadline):
        self.finish(deliveries[:len(deliveries) // 2])
        self.vanish(deliveries, deadline)

    def late(self, deliveries, deadline):
        self.later.append((deadline + self.random.uniform(0.1, 1), deliveries))

    def extend(self, deliveries, deadline):
        by = 2 * self.habits.deadline
        self.say("extend", deliveries, by=f"{round(1000 * by)}ms")
        self.later.append((deadline + by / 4, deliveries))

    def say(self, what, deliveries, **more):
        if deliveries:
            self.said += self.calls.say(what, deliveries, self.halt, **more)

    def fails(self, one):
        poison = self.habits.poison
        return self.random.random() < self.habits.nack or (poison and one.n % poison == poison - 1) or self.blocks(one)

    def blocks(self, one):
        return self.habits.blocked and int(one.key[1:]) < self.habits.blocked

    def finish(self, deliveries):
        ack, nack, reject = [], [], []
        for one in deliveries:
            (reject if self.random.random() < self.habits.reject else nack if self.fails(one) else ack).append(one)
        error = {"type": "Unlucky", "message": f"consumer {self.name} could not do it"}
        self.say("nack", nack, error=error)
        self.say("reject", reject, error=error)
        self.say("ack", ack)
        if self.random.random() < self.habits.again:
            self.twice += 1
            self.say("ack", ack)
            self.say("nack", ack)


# --- what must be true ------------------------------------------------------------------------------------------------------
class Ledger:
    """All that consumers were given and told, by event."""

    def __init__(self, consumers):
        self.violations = [text for one in consumers for text in one.violations]
        self.given, self.acks, self.failed = defaultdict(list), defaultdict(list), defaultdict(list)
        for one in consumers:
            for given in one.given:
                self.given[given.delivery.place].append(given)
            for said in one.said:
                (self.acks if said.what == "ack" else self.failed)[said.place].append(said)

    def deliveries(self):
        return sum(map(len, self.given.values()))

    def counted(self):
        """What the answers were."""
        found = defaultdict(int)
        for table in (self.acks, self.failed):
            for said in (one for found in table.values() for one in found):
                found[f"{said.what} {said.result}"] += 1
        return " ".join(f"{what}:{n}" for what, n in sorted(found.items()))

    def exactly_one(self, places, dead):
        """Acked, or in the DLQ; no answer contradicts it."""
        for place in places:
            results = {said.result for said in self.acks[place]}
            first = min((said.sent for said in self.acks[place] if said.result != "stale"), default=None)
            if place in dead and "done" in results:
                yield f"{place} was acked and is in the DLQ: {dead[place]}"
            if place not in dead and not results & {"done", "unsure"}:
                yield f"{place} is lost: {len(self.given[place])} deliveries, {self.failed[place]}"
            if first is not None and place not in dead:
                for said in self.failed[place]:
                    if said.what != "extend" and said.result == "done" and "done" in results and said.sent > max(
                            one.answered for one in self.acks[place] if one.result == "done"):
                        yield f"{place}: {said.what} counted after it was acked"
        for place in dead:
            if place not in places:
                yield f"{place} is in the DLQ and was never published"

    def bounded(self, retries, dead, returns=False):
        """No event is tried more often than was asked for. With `returns`, some deliveries do not count."""
        for place, all_given in self.given.items():
            attempts = sorted(given.delivery.attempt for given in all_given)
            if attempts[0] < 1 or attempts[-1] > retries + 1:
                yield f"{place}: attempts {attempts} with {retries} retries"
            if not returns and len(set(attempts)) != len(attempts):
                yield f"{place}: an attempt was handed out twice: {attempts}"
        for place, letter in dead.items():
            if letter.reason == "max-retries" and letter.attempts != retries + 1 or letter.attempts > retries + 1:
                yield f"{place}: {letter} with {retries} retries"

    def ended(self, place, dead):
        """When it was finished or dead, at the earliest."""
        acks = [said.sent for said in self.acks[place] if said.result != "stale"]
        if place in dead:
            acks.append(dead[place].at - groups_rig.DEATH_SLACK * harness.SLOW)
        return min(acks, default=float("inf"))

    def in_order(self, dead):
        """No event of a key comes before all before it are finished or dead; in one answer they may come together, in order."""
        by_key = defaultdict(list)
        for place, all_given in self.given.items():
            by_key[place[0], all_given[0].delivery.key].append(place)
        for places in by_key.values():
            before, latest = [], float("-inf")
            for place in sorted(places):
                for given in self.given[place]:
                    if latest > given.came:
                        yield from (f"{place} came at {given.came:.3f}, attempt {given.delivery.attempt}; {one} ended at {end:.3f}"
                                    for one, end in before if end > given.came and not self.together(one, given))
                before.append((place, self.ended(place, dead)))
                latest = max(latest, before[-1][1])

    def together(self, place, given):
        return any(one.receive == given.receive and one.index < given.index for one in self.given[place])

    def attempts_told(self):
        found = defaultdict(int)
        for all_given in self.given.values():
            found[len(all_given)] += 1
        return " ".join(f"{n}x:{count}" for n, count in sorted(found.items()))
