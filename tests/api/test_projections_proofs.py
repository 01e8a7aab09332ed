"""The proofs of projections of tests/soak in small."""
from decimal import Decimal

import pytest
from proofs import SEED, gateways, proved  # noqa: F401  (and finds tests/soak)

import projections_once
import projections_reads
import projections_rig
import projections_takeover

GATEWAYS = {"WEIR_PROJECTIONS_LEASE": "1s"}


def test_numbers_are_exact(proved):
    proved(projections_once.numbers)


def test_who_has_published_reads_it(proved):
    """The median is for a quiet machine; here others work."""
    proved(projections_reads.own_writes, rounds=15, writers=2, pause=0, median=1)


def test_reads_never_fail_and_never_go_back_while_events_are_folded_anew(proved):
    proved(projections_reads.rebuilt, SEED, events=4000, customers=400, lookers=2)


def test_each_event_is_folded_once_while_gateways_are_killed(proved):
    proved(projections_once.counted, SEED, total=3000, kills=1, seconds=0.7, customers=100, rebuilds=(1, 1),
           pause=(0.2, 0.4), frozen=0.1)


def test_another_gateway_takes_over_within_five_seconds(proved):
    """The better of two rounds: the machine may have stood still in one."""
    proved(projections_takeover.run, rounds=2, kinds=("freeze",), load=400, judge=min)


# --- the checkers themselves --------------------------------------------------------------------------------------------------
GOOD = {"a": (2, {"sum": Decimal("0.20")}), "b": (1, {"sum": 1})}


@pytest.mark.parametrize("found, lines", [
    (GOOD, 0), ({**GOOD, "a": (2, {"sum": Decimal("0.2")})}, 0), ({**GOOD, "a": (2, {"sum": Decimal("0.2000000000000000001")})}, 2),
    ({**GOOD, "b": (2, {"sum": 1})}, 2), ({**GOOD, "c": (1, {})}, 2), ({"a": GOOD["a"]}, 2)])
def test_differences_are_found(found, lines):
    assert len(list(projections_rig.differences("t", found, GOOD))) == lines


@pytest.mark.parametrize("answer, wrong", [
    ((1, 5), False), ((1, 6), False), ((2, 5), False), ((1, 4), True), ((0, 6), True), ((2, 4), True)])
def test_a_read_that_goes_back_is_found(answer, wrong):
    floor = projections_reads.Floor()
    floor.saw("k", 1, 5)
    assert bool(floor.breach(floor.of("k"), "k", *answer)) == wrong


def test_an_etag_of_two_contents_is_found():
    floor = projections_reads.Floor()
    assert [bool(floor.tag('"1"', "k", text)) for text in ("x", "x", "y")] == [False, False, True]
