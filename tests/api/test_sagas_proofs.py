"""The proofs of sagas of tests/soak in small."""
import concurrent.futures
import copy
import glob
import json
import os
import subprocess
import sys

import pytest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder) for folder in ("soak", "support")]
import groups_rig  # noqa: E402
import harness  # noqa: E402
from proofs import CALM, SEED  # noqa: E402
import sagas_events  # noqa: E402
import sagas_order  # noqa: E402
import sagas_rig  # noqa: E402
import sagas_survive  # noqa: E402
import sagas_targets  # noqa: E402
import sagas_times  # noqa: E402

# Where nothing is killed nothing is lost, also if the machine stands still for a while.
SETTINGS = {**CALM, **sagas_rig.SETTINGS, "WEIR_SAGAS_LEASE": "1m", "WEIR_OUTBOUND_BREAKER_OPEN": "1s", "WEIR_OUTBOUND_CONCURRENCY": "8"}
WAIT = 90

KEY = "sk_live_0123456789+/&=abc"      # as it is sent; and percent-encoded, and in JSON


@pytest.fixture(scope="module")
def gateways():
    directory = harness.scratch("outbound-")
    for name, text in {"key": KEY, "file": json.dumps({"secrets": {"key": {"file": "key", "hosts": ["127.0.0.1"]}}})}.items():
        with open(os.path.join(directory, name), "w", encoding="ascii") as f:
            f.write(text)
    with groups_rig.Gateways({**SETTINGS, "WEIR_OUTBOUND_FILE": os.path.join(directory, "file")}) as both:
        yield both
        assert both.stop() == []


PROOFS = {"steps and compensations of any shape run in order":
        (sagas_order.run, SEED, {"definitions": 5, "instances": 12, "seconds": 0.5, "delay": (0, 0.01), "wait": WAIT}),
        "an answer that comes at once is never missed": (sagas_times.at_once, SEED, {"total": 40, "seconds": 0.5, "kills": 0}),
        "each event starts one":
        (sagas_events.run, SEED, {"total": 150, "seconds": 0.5, "kills": 0, "pause": (0.1, 0.2), "redefine": 2, "wait": WAIT}),
        "a target that is down is left alone and found again": (sagas_targets.breaker, 0, {"open_for": 1.0, "probes": 1, "late": None}),
        "the same start from sixteen clients is one": (sagas_targets.starts, 0, {"rounds": 6})}


def test_what_is_promised_while_nothing_is_killed(gateways):
    """All at once: they wait more than they compute."""
    with concurrent.futures.ThreadPoolExecutor(len(PROOFS)) as pool:
        running = {name: pool.submit(proof, gateways, seed, **sizes) for name, (proof, seed, sizes) in PROOFS.items()}
    found = {name: one.result() for name, one in running.items()}
    assert not any(wrong for wrong, _ in found.values()), (f"seed {SEED}", {name: (wrong[:10], figures) for name, (wrong, figures) in
                                                                             found.items() if wrong})


def test_a_secret_that_services_echo_is_nowhere_to_be_read(gateways):
    """In answers, histories, events, the log, the database. The third step fails for good, so there is an error that tells of its call."""
    place, saga, seen = gateways.places[0], sagas_rig.named("secret"), []
    with sagas_rig.Services(3, echo=True) as services:
        definition = {"steps": [
            {"name": name, "retry": {"max_attempts": 1}, "action": {"http": {
                "method": "POST", "url": f"{url}/{{{{secret.key}}}}?k={{{{secret.key}}}}", "headers": {"X-Key": "Key {{secret.key}}"},
                "body": {"key": "{{secret.key}}", "as": "reject" if name == "c" else "", "before": more}}}}
            for name, url, more in zip("abc", services.urls, ("", "{{steps.a.result}}", ""))]}
        sagas_rig.define(place, saga, definition)
        sagas_rig.ask(place, "POST", sagas_rig.path(saga), {"id": "one", "input": {}})
        assert sagas_rig.until_ended(lambda: gateways.any, saga, WAIT) is None
        assert all(KEY in book["body"] for book in services.told()["books"].values())
    for target in (sagas_rig.path(saga, "one"), sagas_rig.path(saga, "one", "history"), f"/v1/streams/saga.{saga}/events?wait=2s",
                   f"/v1/sagas/{saga}", "/v1/targets"):
        seen.append(json.dumps(sagas_rig.ask(place, "GET", target), default=str))
    seen += [one.gateway.log() for one in gateways.places]
    [dump] = glob.glob(os.path.join(os.path.dirname(harness.PSQL), "pg_dump")) or ["pg_dump"]
    seen.append(subprocess.run([dump, "--data-only", "-n", "weir", gateways.postgres.url], capture_output=True, text=True, check=True).stdout)
    assert "step-failed" in seen[0]
    for text in seen:
        for form in (KEY[:15], "sk_live"):
            assert form not in text, text[max(0, text.index(form) - 300):text.index(form) + 100]


def test_each_saga_ends_and_no_money_is_lost_while_gateways_are_killed(gateways):
    """What a gateway ran that is killed is taken over soon, so leases are short."""
    gateways.settings["WEIR_SAGAS_LEASE"] = "1s"
    assert gateways.stop() == []
    for n in range(len(gateways.places)):
        gateways.replace(n)
    wrong, figures = sagas_survive.run(gateways, SEED, total=150, seconds=1, kills=1, pause=(0.3, 0.6), delay=(0, 0.02), wait=WAIT, frozen=0)
    assert not wrong, (f"seed {SEED}", wrong[:20], figures)


# --- the checker itself -------------------------------------------------------------------------------------------------------
PLAN = sagas_rig.Plan("s", {"steps": [{"name": "a", "compensation": {}}, {"name": "b", "compensation": {}},
                                      {"name": "c", "after": ["a"], "compensation": {}}, {"name": "p", "after": ["b", "c"], "pivot": True}]})


def book(begun, applied, answered, **more):
    return {"begun": begun, "applied": applied, "answered": answered, "ended": answered, "calls": 1, "failed": 0, "repeated": 0,
            "overlaps": 0, "refused": 0, "bodies": 1, "path": "/x", "traces": [f"00-{'1' * 32}-{begun:016x}-01"], **more}


COMPLETED = {f"s/i/{name}/action": book(10 * n, 10 * n + 1, 10 * n + 2) for n, name in enumerate("abcp", 1)}
COMPENSATED = {**{f"s/i/{name}/action": book(10 * n, 10 * n + 1, 10 * n + 2) for n, name in enumerate("abc", 1)},
               **{f"s/i/{name}/compensation": book(10 * n, 10 * n + 1, 10 * n + 2) for n, name in enumerate("bca", 4)}}


def changed(books, key, **more):
    return {**books, key: {**copy.deepcopy(books.get(key) or book(1, 2, 3)), **more}}


@pytest.mark.parametrize("books, state, lines", [
    (COMPLETED, "completed", 0),
    (COMPENSATED, "compensated", 0),
    (COMPLETED, "running", 1),
    (changed(COMPLETED, "s/i/b/action", applied=None), "completed", 1),
    (changed(COMPLETED, "s/i/b/action", begun=11), "completed", 1),                   # before a had answered
    (changed(COMPLETED, "s/i/b/compensation"), "completed", 3),                       # though the pivot was sent
    (changed(COMPENSATED, "s/i/a/compensation", begun=41), "compensated", 2),         # before b's and c's
    (changed(COMPENSATED, "s/i/a/compensation", applied=None), "compensated", 1),
    (changed(COMPENSATED, "s/i/a/action", bodies=2), "compensated", 1),
    (changed(COMPENSATED, "s/i/a/action", calls=2), "compensated", 1),                # with one span
    (changed(COMPENSATED, "s/i/a/action", repeated=1), "compensated", 1),
    (changed(COMPENSATED, "s/i/c/action", applied=None), "compensated", 1),           # known to have failed
    (changed(COMPENSATED, "s/j/a/action"), "compensated", 1),
    ({key: one for key, one in COMPENSATED.items() if "b/comp" not in key}, "compensated", 1),
    ({key: one for key, one in COMPLETED.items() if "p/" not in key}, "completed", 1)])
def test_what_is_wrong_in_the_books_is_found(books, state, lines):
    wrong = sagas_rig.Audit(PLAN, {"books": books}, calm=True).all({"i": state})
    assert len(wrong) == lines, wrong


def test_money_that_is_missing_is_found():
    given = next(sagas_survive.inputs(1, 1)) | {"customer": "c", "merchant": "m", "amount": 100, "fee": 2, "count": 1}
    right = {"c": -100, "m": 98, "fees": 2, "shelf": -1, "parcel": 1}
    assert sagas_survive.money({"i": "completed"}, {"i": given}, right) == []
    assert len(sagas_survive.money({"i": "compensated"}, {"i": given}, right)) == 5
    assert len(sagas_survive.money({"i": "completed"}, {"i": given}, {**right, "m": 97, "transit": 1})) == 2
