"""`make soak`: each proof at its full size."""
import lost_commits
import never_skipped
import nothing_lost
import outages
import pytest
from rig import SEED

# The rings hold next to nothing and a transaction takes three events: readers fall behind and catch up all the time.
TIGHT = {"WEIR_TAIL_RING_EVENTS": "16", "WEIR_COMMIT_BATCH_EVENTS": "3", "WEIR_TAIL_IDLE": "1s", "WEIR_STREAMS_CACHE": "16"}
each_setting = pytest.mark.parametrize("settings", [{}, TIGHT], ids=["default", "tight"])


@each_setting
def test_nothing_is_lost_in_twenty_crashes(prove, settings):
    prove(nothing_lost.run, nothing_lost.FULL, seed=SEED, settings=settings)


def test_sessions_that_end_at_every_moment_lose_and_repeat_nothing(prove):
    prove(nothing_lost.run, ["end_sessions", "end_backend"] * 50, pause=0.002, calm=(0.02, 0.15), seed=SEED)


@each_setting
def test_nothing_is_ever_skipped(prove, settings):
    prove(never_skipped.run, seed=SEED, settings=settings)


def test_a_lost_commit_is_found_out(prove):
    prove(lost_commits.run)


@pytest.mark.parametrize("name", outages.SCENARIOS)
def test_outage(prove, name):
    try:
        prove(outages.SCENARIOS[name], SEED)
    except outages.Skipped as why:
        pytest.skip(str(why))
