"""`make soak`: the optimistic lock of subjects, at its full size."""
import pytest
import rig
from groups_rig import Gateways
from rig import harness
from subjects import Race

STREAM = "race"


def race(seconds, writers=32, subjects=10, **settings):
    """(violations, figures); the writers on two gateways."""
    with Gateways(settings) as gateways:
        rig.create(gateways.places[0], STREAM)
        running = [place.gateway for place in gateways.places]
        for gateway in running:
            gateway.token = harness.mint()
        one = Race(running, STREAM, writers, subjects, seconds, check=False).run()
        client = harness.Client(running[0], check=False)
        wrong, figures = one.judge(client)
        client.close()
        return wrong + gateways.stop(), figures


@pytest.mark.parametrize("settings", [{}, {"WEIR_COMMIT_BATCH_EVENTS": "3"}], ids=["default", "tight"])
def test_of_32_writers_each_wins_on_what_it_has_seen(prove, settings):
    prove(race, 60, **settings)
