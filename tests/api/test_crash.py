"""The proofs of tests/soak in small: kill -9, lost commits, PostgreSQL that hangs, is away, comes late or is full."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "soak"))
import lost_commits  # noqa: E402
import nothing_lost  # noqa: E402
import outages  # noqa: E402

SEED = int.from_bytes(os.urandom(4), "big")
SMALL = {"frozen": {"seconds": 5, "publishers": 4}, "away": {"seconds": 4, "publishers": 4}, "absent": {"seconds": 1},
         "full": {"megabytes": 120}, "drained": {"rounds": 2}, "cornered": {}, "stalled": {"rounds": 1, "seconds": 5}}


def test_kill_9_of_gateway_and_postgresql_loses_nothing():
    wrong, figures = nothing_lost.run(["kill_gateway", "kill_postgres", "end_sessions", "kill_both"], publishers=6,
                                      calm=(0.1, 0.6), seed=SEED)
    assert not wrong and figures["events acknowledged"] > 100, (wrong[:20], figures)


def test_sessions_that_end_at_every_moment_lose_and_repeat_nothing():
    wrong, figures = nothing_lost.run(["end_sessions", "end_backend"] * 15, publishers=12, pause=0.002, calm=(0.02, 0.15), seed=SEED)
    assert not wrong, (wrong[:20], figures)


@pytest.mark.parametrize("scenario", [lost_commits.overtaken, lost_commits.confirmed])
def test_a_lost_commit_is_found_out(scenario):
    wrong, figures = scenario()
    assert not wrong, (wrong, figures)


@pytest.mark.parametrize("name", SMALL)
def test_outage(name):
    try:
        wrong, figures = outages.SCENARIOS[name](SEED, **SMALL[name])
    except outages.Skipped as why:
        pytest.skip(str(why))
    assert not wrong, (f"seed {SEED}", wrong[:20], figures)
