"""What /metrics tells of sagas."""
import re
import time

import harness
from sagas import Service, act, define, start, until


def test_sagas_are_counted_by_state_and_step(client, stream):
    with Service(lambda *call: 422 if call[1] == "/pay" and call[3] == {"saga": "bad"} else 200) as service:
        define(client, stream, service.step("reserve"), service.step("pay"), "sign")
        for one in ("good", "bad", "by-hand"):
            start(client, stream, one)
        until(client, stream, "bad", "compensated")
        for one in ("good", "by-hand"):
            until(client, stream, one, "waiting")
        act(client, stream, "good", "signal", "sign").expect(200)
        act(client, stream, "by-hand", "cancel").expect(200)
        until(client, stream, "by-hand", "compensated")
    expected = {
        "started_total{}": 3, "compensating_total{}": 2, "paused_total{}": 0, 'ended_total{state="completed"}': 1,
        'ended_total{state="compensated"}': 2, 'ended_total{state="failed"}': 0, "seconds_count{}": 3,
        'steps_total{step="reserve",kind="action",outcome="succeeded"}': 3,
        'steps_total{step="pay",kind="action",outcome="failed"}': 1,
        'steps_total{step="pay",kind="compensation",outcome="succeeded"}': 1,
        'steps_total{step="sign",kind="action",outcome="succeeded"}': 1,
        'steps_total{step="sign",kind="action",outcome="skipped"}': 1,
    }
    deadline = time.monotonic() + 60 * harness.SLOW
    while (found := told(client, stream)) != {**found, **expected}:   # counted as soon as it is committed, seen a little earlier
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    assert 0 < found['step_seconds_total{step="reserve",kind="action"}'] < 60


def told(client, saga):
    page = client.get("/metrics").expect(200).body.decode()
    lines = re.findall(rf'^weir_saga_(\w+){{saga="{re.escape(saga)}",?(.*)}} (\S+)$', page, re.M)
    return {f"{name}{{{labels}}}": float(value) for name, labels, value in lines}
