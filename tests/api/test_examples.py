"""The examples do what they say: they run as a user would run them, against the gateway."""
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time

import harness
import pytest
from harness import ROOT, SLOW

EXAMPLES = os.path.join(ROOT, "examples")
SMALL = {
    "curl": (["sh", "curl/publish.sh"], ["sh", "curl/subscribe.sh"]),
    "python": (["/usr/bin/python3", "python/publish.py"], ["/usr/bin/python3", "python/subscribe.py"]),
    "javascript": (["node", "javascript/publish.mjs"], ["node", "javascript/subscribe.mjs"]),
}
HANDLER = r'''read -r event; total=${event##*\"total\":}; subject=${event##*\"subject\":\"}
[ "$total" != "$event" ] || { echo "no total" >&2; exit 1; }
echo "${subject%%\"*} ${total%%\}*}"'''
WORKERS = {
    "curl": ["sh", "worker/worker.sh", "sh", "-c", HANDLER],
    "python": ["/usr/bin/python3", "worker/worker.py"],
    "javascript": ["node", "worker/worker.mjs"],
}
WHY = {"curl": ("exit", "no total"), "python": ("KeyError", "'total'"), "javascript": ("TypeError", "data has no total")}


def settings(gateway, stream):
    return {**os.environ, "WEIR_URL": gateway.url, "WEIR_TOKEN": gateway.token, "WEIR_STREAM": stream, "WEIR_WAIT": "500ms"}


def run(argv, env, cwd=EXAMPLES, status=0):
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=150 * SLOW, check=False)
    assert done.returncode == status, (argv, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout + done.stderr


@contextlib.contextmanager
def following(argv, env):
    """A program in a process group of its own (sh starts curl), and the lines that it prints."""
    child = subprocess.Popen(argv, cwd=EXAMPLES, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                             process_group=0)
    lines = queue.Queue()
    thread = threading.Thread(target=lambda: [lines.put(line) for line in child.stdout], daemon=True)
    thread.start()
    try:
        yield child, lines
    finally:
        with contextlib.suppress(ProcessLookupError):          # it ended by itself
            os.killpg(child.pid, 9)
        child.wait()
        thread.join()
        child.stdout.close()


def ids(lines, count):
    return [json.loads(lines.get(timeout=60 * SLOW))["id"] for _ in range(count)]


def saved(path, cursor):
    """The subscriber writes the cursor after it has printed the event."""
    for _ in range(3000 * SLOW):
        if os.path.exists(path) and open(path, encoding="ascii").read().strip() == cursor:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} is not {cursor}")


@pytest.mark.parametrize("language", SMALL)
def test_small_examples_publish_and_resume(gateway, client, stream, tmp_path, language):
    publish, subscribe = SMALL[language]
    env, cursor = settings(gateway, stream), str(tmp_path / "cursor")
    client.create(stream)

    def publish_one(n):
        data = json.dumps({"total": 12.5, "text": "größer"})
        receipt = json.loads(run([*publish, "OrderPlaced", "order-7", data, f"e{n}"], env))
        assert receipt["id"] == f"e{n}" and receipt["version"] == n
        return receipt

    first = publish_one(1)
    assert not first["duplicate"] and publish_one(1)["duplicate"]
    with following([*subscribe, cursor], env) as (_, lines):
        assert ids(lines, 1) == ["e1"]
        last = publish_one(2)
        assert ids(lines, 1) == ["e2"]
        saved(cursor, last["cursor"])
    publish_one(3)
    with following([*subscribe, cursor], env) as (_, lines):
        assert ids(lines, 1) == ["e3"]
        publish_one(4)
        assert ids(lines, 1) == ["e4"]
    events = client.read_all(stream)
    assert [event["id"] for event in events] == ["e1", "e2", "e3", "e4"]
    assert all(event["data"] == {"total": 12.5, "text": "größer"} for event in events)


@pytest.mark.parametrize("language", SMALL)
def test_small_examples_say_when_they_are_refused(gateway, stream, language):
    env = {**settings(gateway, stream), "WEIR_TOKEN": "none"}
    done = subprocess.run([*SMALL[language][0], "OrderPlaced", "order-7", "{}"], cwd=EXAMPLES, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=100 * SLOW, check=False)
    assert done.returncode != 0
    assert '"status":401' in (done.stdout + done.stderr).replace(" ", "")


@pytest.mark.parametrize("language", WORKERS)
def test_workers_do_what_can_be_done_and_the_rest_is_dead_letters(gateway, client, stream, language):
    group = f"/v1/streams/{stream}/groups/billing"
    client.create(stream, partitions=2)
    client.put(group, {"start": "earliest", "max_retries": 1, "backoff": {"initial": "100ms"}}).expect(201)
    client.publish(stream, [{"type": "OrderPlaced", "subject": f"order-{n}", "data": {} if n == 50 else {"total": n + 0.5}}
                            for n in range(100)])

    def status():
        return client.get(group).expect(200).json()

    with following(WORKERS[language], settings(gateway, stream)) as (worker, lines):
        done = [lines.get(timeout=60 * SLOW).split() for _ in range(99)]
        deadline = time.monotonic() + 60 * SLOW
        while (status()["lag"]["events"], status()["dead"]) != (0, 1) and time.monotonic() < deadline:
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60 * SLOW) == 0
    assert sorted(done) == sorted([f"order-{n}", f"{n}.5"] for n in range(100) if n != 50)
    [letter] = client.get(f"/v1/streams/{stream}/dlq").expect(200).json()["items"]
    assert letter["event"]["subject"] == "order-50" and [a["attempt"] for a in letter["attempts"]] == [1, 2]
    assert (letter["error"]["type"], letter["error"]["message"].strip()) == WHY[language]
    assert (status()["lag"]["events"], status()["in_flight"]) == (0, 0)


@pytest.mark.parametrize("language", WORKERS)
def test_workers_say_when_they_are_refused(gateway, stream, language):
    done = subprocess.run(WORKERS[language], cwd=EXAMPLES, env={**settings(gateway, stream), "WEIR_TOKEN": "none"}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=100 * SLOW, check=False)
    assert done.returncode != 0 and '"status":401' in done.stderr.replace(" ", "")


def test_agents_race_for_a_turn_and_nobody_s_work_is_lost(gateway, client, stream):
    client.create(stream)
    out = run(["/usr/bin/python3", "turns/turns.py", "3"], settings(gateway, stream))
    assert re.search(r"^turn-\S+: version 3, 30 tokens, 3 committed, [23] conflicted$", out, re.M), out
    committed = [e for e in client.read_all(stream) if e["type"] == "TurnCommitted"]
    conflicts = [e["data"] for e in client.read_all(stream) if e["type"] == "TurnConflicted"]
    [turn] = {e["subject"] for e in committed}
    loaded = client.get(f"/v1/streams/{stream}/subjects/{turn}?snapshot=true").expect(200).json()
    assert loaded["events"] == [] and loaded["snapshot"]["state"] == {
        "version": 3, "notes": [f"{e['data']['agent']} saw {n} notes" for n, e in enumerate(committed)], "tokens": 30}
    assert all(c["turn"] == turn and c["expected"] < c["current"] for c in conflicts)
    done = subprocess.run(["/usr/bin/python3", "turns/turns.py"], cwd=EXAMPLES, env={**settings(gateway, stream), "WEIR_TOKEN": "none"},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100 * SLOW, check=False)
    assert done.returncode != 0 and '"status":401' in done.stderr.replace(" ", "")


def test_dead_letters_are_looked_at_repaired_and_sent_again(gateway, client, stream):
    out = run(["repair/run.sh", stream], settings(gateway, "untouched"))
    assert sorted(re.findall(r"^    charged order-(\d+): ", out, re.M), key=int) == [str(n) for n in range(1, 13)]
    assert "    4 of billing: order-# has no currency\n" in out and '{"matched":4}' in out
    assert re.search(r'^{"was":{"total":"50,00","currency":"EUR"},"is":{"total":50(.00)?,"currency":"EUR"}}$', out, re.M)
    letters = client.get(f"/v1/streams/{stream}/dlq").expect(200).json()["items"]
    assert [letter["state"] for letter in letters] == ["resolved"] * 5
    client.get("/v1/streams/untouched").problem(404, "unknown-stream")


def test_orders_are_read_by_state_and_revenue_by_day(gateway, client):
    out = run(["order-read-model/run.sh"], settings(gateway, "untouched"))
    for status, orders in (("1-placed", "order-6"), ("2-reserved", "order-3"), ("3-packed", "order-5"), ("4-shipped", "order-1 order-2"),
                           ("9-cancelled", "order-4")):
        assert re.search(rf"^    {status} +{orders}$", out, re.M), out
    assert re.search(r"^    2025-03-01 3 orders\n    2025-03-02 3 orders$", out, re.M), out
    assert out.endswith("    order-5 4-shipped\n    order-6 1-placed\n"), out
    answer = client.get("/v1/projections/examples.revenue/state/2025-03-02").expect(200)
    assert b'{"orders":3,"revenue":255.00,"refunded":45.05,"largest":200.00}' in answer.body
    found = client.get("/v1/projections/examples.orders/state?where=/customer=c-1").expect(200).json()["items"]
    assert [item["key"] for item in found] == ["order-1", "order-3", "order-6"]
    client.get("/v1/streams/untouched").problem(404, "unknown-stream")


def test_the_timeline_of_an_incident_is_followed(gateway, client):
    out = run(["/usr/bin/python3", "incident-timeline/run.py"], settings(gateway, "untouched"))
    timeline = out.partition("== The timeline of inc-1\n")[2].partition("==")[0].splitlines()
    assert [line.split()[1] for line in timeline] == ["detector", "diagnosis", "prediction", "resolution", "operator", "operator"]
    assert "    inc-1: closed, checkout is fast again\n" in out and "decided on 'pool' with confidence 0.72" in out
    services = client.get("/v1/projections/examples.services/state").expect(200).json()["items"]
    assert [(item["key"], item["state"].get("open"), item["version"]) for item in services] == [("checkout", 0, 2), ("search", 1, 1)]


def test_orders_are_fulfilled_or_undone_and_the_books_agree(gateway, client):
    out = run(["/usr/bin/python3", "order-fulfilment/run.py", "5"], settings(gateway, "untouched"))
    assert "out of stock, cancelled, 40 refunded\n" in out and "items back on the shelf, pending retry\n" in out
    assert re.search("4. .*: shipping was away, fulfilled at attempt [2-9]\n", out)
    assert "5 orders waited while the warehouse was away: all are fulfilled\n" in out
    assert out.endswith("The books agree: 9 orders, 7 shipped, 320 taken\n")
    instances = client.get("/v1/sagas/order-fulfilment/instances").expect(200).json()["items"]
    assert sorted(item["state"] for item in instances) == ["compensated"] * 2 + ["completed"] * 7
    lost = next(item for item in instances if item["id"].endswith("far"))
    history = client.get(f"/v1/sagas/order-fulfilment/instances/{lost['id']}/history").expect(200).json()["items"]
    undone = [record["step"] for record in history if record["type"] == "StepCompensated"]
    assert undone == ["mark-packed", "pack", "reserve", "accept"]


def test_what_examples_read_does_not_disturb_the_program_in_the_same_shell(gateway):
    env = {**harness.environment({}), **{k: v for k, v in settings(gateway, "s").items() if k.startswith("WEIR_") and k != "WEIR_BIN"}, "WEIR_GROUP": "g"}
    token = run([harness.BINARY, "token", "--data-dir", f"{gateway.directory}/data", "--scope", "admin:*"], env)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", token)


@pytest.fixture(scope="module")
def webhooks(tmp_path_factory):
    """A copy of the example with what its lock file names."""
    copy = tmp_path_factory.mktemp("webhooks") / "github-webhooks"
    shutil.copytree(os.path.join(EXAMPLES, "github-webhooks"), copy, ignore=shutil.ignore_patterns("node_modules"))
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], os.environ, copy)
    return copy


def test_github_webhooks_come_back_byte_for_byte(gateway, client, stream, webhooks):
    env = settings(gateway, stream)
    out = run(["./run.sh"], env, webhooks)
    for line in (r"published 329 events .*: 329 recorded, 0 duplicates", r"published 329 events .*: 0 recorded, 329 duplicates",
                 r"event stream: 329 of 329 events, 329 equal byte for byte, 0 differences; [4-9] connections, 0 gaps",
                 r"JSON pages: 329 of 329 events, 329 equal byte for byte, 0 differences"):
        assert re.search(line, out), (line, out)
    rows = re.findall(r"^(com\.github\.\S+) +(\d+) +(\d+) +(\d+) +\d+$", out, re.M)
    assert len(rows) == 161 and sum(int(row[1]) for row in rows) == 329
    assert all(sent == read == equal for _, sent, read, equal in rows)
    assert client.get(f"/v1/streams/{stream}").expect(200).json()["events"] == 329
    again = run(["./run.sh", gateway.url, gateway.token], env, webhooks)
    assert again.count("0 recorded, 329 duplicates") == 2


def test_github_webhooks_notices_a_single_changed_byte(gateway, stream, webhooks, tmp_path):
    env, copy = settings(gateway, stream), tmp_path / "copy"
    shutil.copytree(webhooks, copy)
    run(["node", "create.js"], env, copy)
    run(["node", "publish.js"], env, copy)
    payloads = copy / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
    text = payloads.read_text(encoding="utf-8")
    payloads.write_text(text.replace("Codertocat/Hello-World/issues/1\"", "Codertocat/Hello-World/issues/2\"", 1), encoding="utf-8")
    for reader in ("subscribe.js", "pages.js"):
        out = run(["node", reader], env, copy, status=1)
        assert "329 of 329 events, 328 equal byte for byte, 1 differences" in out, out
