"""The proofs of consumer groups of tests/soak in small."""
import pytest
from proofs import SEED, gateways, proved  # noqa: F401  (and finds tests/soak)

import groups_bloat
import groups_consumers
import groups_drain
import groups_redrive
import groups_retries
from groups_rig import Dead, Delivery, Given, Said

GATEWAYS = {"WEIR_JOBS_BATCH": "50"}


def test_each_event_is_acked_or_dead_while_gateways_are_killed(proved):
    """More rejects than at full size: of so few deliveries none might be, and then nothing would be dead."""
    proved(groups_drain.bounded, SEED, total=1500, seconds=1, kills=(0.2, 0.4), ordering="key", key_batch=2, deadline=1.0, reject=0.02)


def test_without_failures_no_event_comes_twice(proved):
    proved(groups_drain.flawless, SEED, total=3000, ordering="key")


def test_no_event_of_a_key_comes_before_the_one_before_it(proved):
    proved(groups_drain.by_key, SEED, total=1500, keys=100, key_batch=3)


def test_blocked_keys_do_not_hold_up_others(proved):
    proved(groups_drain.blocked, SEED, total=1000, keys=100, held=5, rounds=1, bound=4)


def test_retries_come_when_they_should_and_the_last_is_a_letter(proved):
    """How late one may be is for a quiet machine."""
    proved(groups_retries.times, count=40, retries=1, initial=0.1, ordering="key", slack=20, patient=True)


def test_an_event_that_makes_consumers_vanish_harms_no_neighbour(proved):
    proved(groups_retries.poison, count=100, retries=1)


def test_letters_are_redriven_by_filter_and_rate_through_cancel_and_kill(proved):
    proved(groups_redrive.run, letters=1800, rate=250, second_rate=200)


def test_an_open_snapshot_neither_swells_nor_slows_a_group(proved):
    proved(groups_bloat.run, events=10_000, lease=100, bound=3)


# --- the checkers themselves --------------------------------------------------------------------------------------------------
class Told:
    """What a consumer recorded: (when, receive, offset, attempt) of deliveries, (when, what, offset, result) of answers."""

    def __init__(self, given, said):
        def delivery(offset, attempt=1):
            return Delivery(f"d{offset}.{attempt}", attempt, (0, offset), "k", offset, "")

        self.violations = []
        self.given = [Given(at, at, receive, i, delivery(offset, n)) for i, (at, receive, offset, n) in enumerate(given)]
        self.said = [Said(at, at, what, (0, offset), result, delivery(offset)) for at, what, offset, result in said]


DEAD = {(0, 1): Dead("max-retries", 1.5, 2, 0)}
GOOD = ([(1, "a", 1, 1), (3, "b", 2, 1)], [(2, "ack", 1, "done"), (4, "ack", 2, "done")])
CASES = {
    "all is well": (GOOD, {}, []),
    "acked and dead": (GOOD, DEAD, ["exactly_one"]),
    "one lost": ((GOOD[0], GOOD[1][:1]), {}, ["exactly_one"]),
    "an answer got lost": ((GOOD[0], [GOOD[1][0], (4, "ack", 2, "unsure")]), {}, []),
    "a nack counts after the ack": ((GOOD[0], [*GOOD[1], (5, "nack", 2, "done")]), {}, ["exactly_one"]),
    "the same attempt twice": (([*GOOD[0], (3.5, "c", 2, 1)], GOOD[1]), {}, ["bounded"]),
    "an attempt too many": (([*GOOD[0], (3.5, "c", 2, 3)], GOOD[1]), {}, ["bounded"]),
    "the next one too early": (([GOOD[0][0], (1.5, "b", 2, 1)], GOOD[1]), {}, ["in_order"]),
    "both in one answer": (([GOOD[0][0], (1, "a", 2, 1)], GOOD[1]), {}, []),
    "both in one answer, reversed": (([(1, "a", 2, 1), GOOD[0][0]], GOOD[1]), {}, ["in_order"]),
    "the next one after a death": ((GOOD[0], GOOD[1][1:]), DEAD, []),
    "the next one before the death": (([GOOD[0][0], (1.2, "b", 2, 1)], GOOD[1][1:]), DEAD, ["in_order"]),
    "one after the next too early": (([*GOOD[0], (3.5, "c", 3, 1)], [(4, "ack", 1, "done"), (3.1, "ack", 2, "done"),
                                                                     (5, "ack", 3, "done")]), {}, ["in_order"]),
    "a letter with too few attempts": ((GOOD[0], GOOD[1][1:]), {(0, 1): Dead("max-retries", 1.5, 1, 0)}, ["bounded"]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_ledger_finds(case):
    (given, said), dead, wanted = CASES[case]
    ledger = groups_consumers.Ledger([Told(given, said)])
    places = {(0, offset) for _, _, offset, _ in given}
    found = {"exactly_one": list(ledger.exactly_one(places, dead)), "bounded": list(ledger.bounded(1, dead)),
             "in_order": list(ledger.in_order(dead))}
    assert [name for name, wrong in found.items() if wrong] == wanted, found
