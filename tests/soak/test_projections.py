"""`make soak`: what projections promise, at its full size."""
import groups_rig
import projections_once
import projections_reads
import projections_takeover
import projections_verify
import pytest
from rig import SEED


@pytest.mark.parametrize("gateways", [1, 2])
def test_each_event_is_folded_once_whatever_dies(prove, gateways):
    prove(groups_rig.prove, projections_once.counted, SEED, gateways=gateways)


def test_numbers_are_exact(prove):
    prove(groups_rig.prove, projections_once.numbers)


@pytest.mark.parametrize("writers", [1, 8])
def test_who_has_published_reads_it(prove, writers):
    prove(groups_rig.prove, projections_reads.own_writes, writers=writers)


def test_reads_never_fail_and_never_go_back_while_a_million_events_are_folded_anew(prove):
    prove(groups_rig.prove, projections_reads.rebuilt, SEED)


def test_another_gateway_takes_over_within_five_seconds(prove):
    prove(groups_rig.prove, projections_takeover.run)


def test_verify_finds_what_was_changed_and_nothing_else(prove):
    prove(groups_rig.prove, projections_verify.drift)


def test_what_cannot_be_folded_is_one_letter_whatever_dies(prove):
    prove(groups_rig.prove, projections_verify.letters, SEED)
