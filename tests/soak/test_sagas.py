"""`make soak`: what sagas promise, at its full size."""
import pytest
import sagas_events
import sagas_order
import sagas_rig
import sagas_survive
import sagas_targets
import sagas_times
from rig import SEED


@pytest.mark.parametrize("calm", [True, False])
def test_each_saga_ends_and_no_money_is_lost_whatever_dies(prove, calm):
    prove(sagas_rig.prove, sagas_survive.run, SEED, calm=calm, settings=sagas_survive.SETTINGS)


def test_steps_and_compensations_of_any_shape_run_in_order(prove):
    prove(sagas_rig.prove, sagas_order.run, SEED)


def test_what_does_not_come_in_time_is_compensated_within_a_second(prove):
    prove(sagas_rig.prove, sagas_times.timeouts, SEED)


def test_an_answer_that_comes_at_once_is_never_missed(prove):
    prove(sagas_rig.prove, sagas_times.at_once, SEED)


def test_each_event_starts_one(prove):
    prove(sagas_rig.prove, sagas_events.run, SEED)


def test_another_gateway_takes_over_within_five_seconds(prove):
    prove(sagas_rig.prove, sagas_times.takeover)


def test_a_target_that_is_down_is_left_alone_and_found_again(prove):
    prove(sagas_rig.prove, sagas_targets.breaker, settings={"WEIR_OUTBOUND_CONCURRENCY": "8"})


def test_the_same_start_from_sixteen_clients_is_one(prove):
    prove(sagas_rig.prove, sagas_targets.starts)
