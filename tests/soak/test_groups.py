"""`make soak`: what consumer groups promise, at its full size."""
import groups_bloat
import groups_drain
import groups_redrive
import groups_retries
import groups_rig
import pytest
from rig import SEED

each_ordering = pytest.mark.parametrize("ordering", ["none", "key"])


@pytest.mark.parametrize("ordering, key_batch", [("none", 1), ("key", 1), ("key", 5)])
def test_each_event_is_acked_or_dead_whatever_dies(prove, ordering, key_batch):
    prove(groups_rig.prove, groups_drain.bounded, SEED, ordering=ordering, key_batch=key_batch)


@each_ordering
def test_without_failures_no_event_comes_twice(prove, ordering):
    prove(groups_rig.prove, groups_drain.flawless, SEED, ordering=ordering)


@pytest.mark.parametrize("key_batch", [1, 5])
def test_no_event_of_a_key_comes_before_the_one_before_it(prove, key_batch):
    prove(groups_rig.prove, groups_drain.by_key, SEED, key_batch=key_batch)


def test_blocked_keys_do_not_hold_up_others(prove):
    prove(groups_rig.prove, groups_drain.blocked, SEED)


@each_ordering
def test_retries_come_when_they_should_and_the_last_is_a_letter(prove, ordering):
    prove(groups_rig.prove, groups_retries.times, SEED, ordering=ordering)


@each_ordering
def test_an_event_that_makes_consumers_vanish_harms_no_neighbour(prove, ordering):
    prove(groups_rig.prove, groups_retries.poison, SEED, ordering=ordering)


def test_letters_are_redriven_by_filter_and_rate_through_cancel_and_kill(prove):
    prove(groups_rig.prove, groups_redrive.run)


@pytest.mark.parametrize("ordering", ["none", "key"])
def test_an_open_snapshot_neither_swells_nor_slows_a_group(prove, ordering):
    prove(groups_rig.prove, groups_bloat.run, ordering=ordering)
