"""The proof of tests/soak/never_skipped.py in small: two gateways, open transactions, slow commits, eight readers."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "soak"))
import never_skipped  # noqa: E402


def test_readers_of_both_gateways_see_every_offset_in_order():
    """The median is for a busy machine: who is not told but polls takes 500 ms."""
    wrong, figures = never_skipped.run(seconds=8, writers=6, probes=200, hold=(0.3, 0.8), pause=(0.2, 0.8), median=400)
    assert not wrong, (wrong[:20], figures)
