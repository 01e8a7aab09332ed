"""The proofs of consumer groups of tests/soak in small."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "soak"))
import groups_bloat  # noqa: E402
import groups_drain  # noqa: E402
import groups_redrive  # noqa: E402
import groups_retries  # noqa: E402

SEED = int.from_bytes(os.urandom(4), "big")


def proved(found):
    wrong, figures = found
    assert not wrong, (f"seed {SEED}", wrong[:20], figures)


def test_each_event_is_acked_or_dead_while_gateways_are_killed():
    proved(groups_drain.bounded(SEED, total=3000, seconds=2, kills=(0.2, 0.6), ordering="key", key_batch=2))


def test_without_failures_no_event_comes_twice():
    proved(groups_drain.flawless(SEED, total=5000, ordering="key"))


def test_no_event_of_a_key_comes_before_the_one_before_it():
    proved(groups_drain.by_key(SEED, total=3000, keys=200, key_batch=3))


def test_blocked_keys_do_not_hold_up_others():
    proved(groups_drain.blocked(SEED, total=2000, keys=100, held=5, rounds=1, bound=4))


@pytest.mark.parametrize("ordering", ["none", "key"])
def test_retries_come_when_they_should_and_the_last_is_a_letter(ordering):
    proved(groups_retries.times(count=40, retries=1, initial=0.1, ordering=ordering))


def test_an_event_that_makes_consumers_vanish_harms_no_neighbour():
    proved(groups_retries.poison(count=300, retries=1))


def test_letters_are_redriven_by_filter_and_rate_through_cancel_and_kill():
    proved(groups_redrive.run(letters=6000, rate=1500))


def test_an_open_snapshot_neither_swells_nor_slows_a_group():
    proved(groups_bloat.run(events=20_000, lease=100, bound=3))
