"""`make soak`: five minutes of a live tail in a browser."""
import dashboard


def test_a_live_tail_of_a_thousand_events_a_second_neither_freezes_nor_grows(prove):
    prove(dashboard.run)
