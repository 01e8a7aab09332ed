"""The dashboards in deploy/grafana agree with the metrics: Prometheus' engine answers each expression from what gateways export."""
import importlib
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import harness
import pytest
import yaml
from sagas import Service, define, start, until

SECOND = {"WEIR_METRICS_GROUPS_PERIOD": "200ms"}         # the second gateway tells of what there is at once
FOLDER = pathlib.Path(harness.ROOT, "deploy/grafana")
STEP, STEPS = 15, 40                                     # seconds between the samples that are made up, and how many
FROM_PROMETHEUS = {"job", "instance"}


def dashboards():
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def asked():
    """(dashboard, panel, target) of every expression."""
    return [(name, panel, target) for name, board in dashboards().items() for panel in board["panels"]
            for target in panel.get("targets", ())]


def samples(page):
    """(metric, {label: value}, number) of each line of /metrics."""
    for name, labels, number in re.findall(r"^(\w+)(?:{(.*)})? (\S+)$", page, re.M):
        yield name, dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)), float(number)


@pytest.fixture(scope="module")
def exported(gateway, second):
    """The samples of two gateways, of which something of every kind has happened: [(metric, labels, number)]."""
    client, other = harness.Client(gateway), harness.Client(second)
    client.create("grafana")
    client.put("/v1/streams/grafana/groups/mail", {"start": "earliest"}).expect(201)
    client.put("/v1/projections/grafana", {"streams": ["grafana"], "key": "subject", "on": {"*": [{"count": "/n"}]}}).expect(201)
    client.publish("grafana", [{"type": "Seen", "subject": "one"}])
    with Service(lambda *_: 200) as service:
        define(client, "grafana", service.step("pay"))
        start(client, "grafana", "one")
        until(client, "grafana", "one", "completed")
    define(client, "grafana-waits", "sign")
    start(client, "grafana-waits", "one")
    wanted = {("weir_group_lag_events", "grafana"), ("weir_projection_lag_events", "grafana"),
              ("weir_saga_instances", "grafana-waits"), ("weir_saga_ended_total", "grafana"),
              ("weir_saga_steps_total", "grafana"), ("weir_target_breaker_state", service.url)}
    deadline = time.monotonic() + 60 * harness.SLOW
    while True:
        found = [(name, {**labels, "job": "weir", "instance": instance}, number)
                 for instance, one in (("a", client), ("b", other))
                 for name, labels, number in samples(one.get("/metrics").expect(200).body.decode())]
        if wanted <= {(name, value) for name, labels, _ in found for value in labels.values()}:
            return found
        assert time.monotonic() < deadline, wanted - {(name, value) for name, labels, _ in found for value in labels.values()}
        time.sleep(0.05)


def plain(expression):
    """As Grafana sends it: with everything chosen."""
    for variable, value in (("$job", "weir"), ("$__rate_interval", "5m"), ("$__range", "5m")):
        expression = expression.replace(variable, value)
    return re.sub(r'=~"\$\w+"', '=~".*"', expression)


def answers(expressions, series):
    """What Prometheus answers to each: [(labels, number)]. promtool compares with nothing, and tells what it got instead."""
    test = {"evaluation_interval": f"{STEP}s", "tests": [{
        "interval": f"{STEP}s", "input_series": series,
        "promql_expr_test": [{"expr": one, "eval_time": f"{STEP * STEPS}s", "exp_samples": [{"labels": "none", "value": 0}]}
                             for one in expressions]}]}
    folder = harness.scratch("grafana-")
    file = os.path.join(folder, "test.yaml")
    with open(file, "w", encoding="utf-8") as f:
        yaml.safe_dump(test, f, width=10 ** 6)
    promtool = shutil.which("promtool", path=f"{harness.ROOT}/deps/bin:{os.environ['PATH']}")
    assert promtool, "promtool is missing: make deps fetches it"
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    got = re.findall(r'expr: "(.*)", time: \w+,\s+exp:.*\n\s+got:(.*)', done.stdout + done.stderr)
    assert [json.loads(f'"{expr}"') for expr, _ in got] == list(expressions), done.stdout[-3000:] + done.stderr[-3000:]
    return [read(text) for _, text in got]


def read(got):
    """Of promtool's list of samples."""
    return [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(number))
            for labels, number in re.findall(r"({[^}]*}) ([^\s,]+)", got)]


def test_every_panel_has_an_answer_with_the_labels_that_its_legend_names(exported):
    # every counter grows, so that there are rates; a gauge is above zero, so that a time that was "never" is one
    series = [{"series": name + "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}",
               "values": f"{number + 1:.17g}+1x{STEPS}"}
              for name, labels, number in exported]
    panels = asked()
    expressions = sorted({plain(target["expr"]) for _, _, target in panels})
    told = dict(zip(expressions, answers(expressions, series)))
    for name, panel, target in panels:
        found = told[plain(target["expr"])]
        assert found, f"{name}, {panel['title']}: no data for {target['expr']}"
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert all(label in labels for labels, _ in found), f"{name}, {panel['title']}: no label {label} in {found[:3]}"


def selectors(expression):
    """(metric, [(label, operator, value)]) of what an expression selects."""
    for name, labels in re.findall(r"\b((?:weir|process)_\w+)({[^}]*})?", expression):
        yield name, re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', labels)


def test_every_label_that_is_asked_for_is_exported_with_such_a_value(exported):
    values = {}
    for name, labels, _ in exported:
        for label, value in labels.items():
            values.setdefault((name, label), set()).add(value)
    for board, panel, target in asked():
        for name, matchers in selectors(target["expr"]):
            assert any(metric == name for metric, _ in values), f"{board}, {panel['title']}: {name} is not exported"
            for label, operator, value in matchers:
                assert (name, label) in values, f"{board}, {panel['title']}: {name} has no label {label}"
                if operator == "=" and not value.startswith("$"):
                    assert value in values[name, label], f"{board}, {panel['title']}: {name} has no {label}={value!r}"
    for name, board in dashboards().items():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((\w+)(?:{.*})?, (\w+)\)", variable["definition"]).groups()
                assert (metric, label) in values, f"{name}: ${variable['name']} asks for {label} of {metric}"


def test_every_variable_that_is_used_is_there():
    built_in = {"__rate_interval", "__range"}
    for name, board in dashboards().items():
        defined = {variable["name"] for variable in board["templating"]["list"]}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(board))) - {"__all"}
        assert used - built_in == defined, f"{name}: {used - built_in ^ defined}"


def test_every_metric_is_shown_somewhere(exported):
    shown = {name for _, _, target in asked() for name, _ in selectors(target["expr"])}
    shown |= {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    told = {re.sub(r"_(bucket|sum|count)$", "", name) if "le" in labels else name for name, labels, _ in exported}
    sums = {f"{base}_{end}" for base in told for end in ("sum", "count")}
    assert told - sums - shown == set()


def units(expression):
    """The units of Grafana that fit what the expression tells."""
    names = [name for name, _ in selectors(expression)]
    counted = re.search(r"\b(rate|increase)\((\w+)", expression)
    if "histogram_quantile" in expression:
        return {"s"} if names[0].endswith("_seconds_bucket") else {"short"}
    if "time()" in expression:
        return {"s"}
    if " / " in expression:
        return {"s"} if "_seconds_total" in names[0] else {"percentunit", "short"}
    if counted and counted[1] == "increase":
        return {"short"}
    if counted:
        ends = (("cpu_seconds_total", {"percentunit"}), ("_bytes_total", {"Bps"}), ("http_requests_total", {"reqps"}),
                ("_events_total", {"eps", "cps"}))
        return next((fit for end, fit in ends if counted[2].endswith(end)), {"eps", "cps"})
    return {"bytes"} if names[0].endswith("_bytes") else {"s"} if names[0].endswith("_seconds") else {"short"}


def test_the_units_fit_and_counters_are_told_by_their_growth(exported):
    counters = {name for name, _, _ in exported if name.endswith(("_total", "_bucket"))}
    for board, panel, target in asked():
        expression, where = target["expr"], f"{board}, {panel['title']}: {target['expr']}"
        assert panel["fieldConfig"]["defaults"]["unit"] in units(expression), where
        for name in {name for name, _ in selectors(expression)} & counters:
            assert re.search(rf"\b(rate|increase)\({name}\b", expression), where
        assert not re.search(r"\[\d+s\]|\[1m\]", expression), f"{where}: shorter than some scrape intervals"


def test_dashboards_are_whole():
    boards = dashboards()
    assert set(boards) == {"weir.json", "weir-groups.json", "weir-sagas.json", "weir-projections.json", "weir-gateway.json"}
    assert len({board["uid"] for board in boards.values()}) == len(boards)
    for name, board in boards.items():
        panels = board["panels"]
        assert name == f"{board['uid']}.json" and "weir" in board["tags"] and board["title"] and board["description"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        for a, b in itertools.combinations([panel["gridPos"] for panel in panels], 2):
            apart = any(p[at] + p[size] <= q[at] for p, q in ((a, b), (b, a)) for at, size in ("xw", "yh"))
            assert apart, f"{name}: panels overlap at {a} and {b}"
        for panel in panels:
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 and (panel["type"] == "row" or panel["title"])


def test_dashboards_are_those_of_their_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written = importlib.import_module("boards").written()
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")} == written, \
        "write them anew: python3 deploy/grafana/boards.py"
