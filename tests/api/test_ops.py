"""Operations: health, readiness, metrics, version, the contract and its pages, the command line."""
import json
import os
import re
import signal
import time
import urllib.parse

import harness
import pytest


def metrics(client):
    """{name with labels: value} of the Prometheus text."""
    text = client.get("/metrics").expect(200).body.decode()
    return {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


def test_health_readiness_version_root(client):
    assert client.get("/healthz").expect(200).json() == {"status": "ok"}
    ready = client.get("/readyz").expect(200).json()
    assert ready["status"] == "ready" and "migrations" in {c["name"] for c in ready["checks"]}
    assert all(c["ok"] for c in ready["checks"])
    version = client.get("/version").expect(200).json()
    assert version["name"] == "weir" and re.match(r"\d+\.\d+\.\d+", version["version"])
    root = client.get("/").expect(200).json()
    for path in root["links"].values():
        assert client.get(path).status == 200


def test_metrics_are_prometheus_text_and_count(stream):
    gateway = harness.dev()                      # of its own: others publish by themselves too, for sagas and letters
    try:
        count(harness.Client(gateway), gateway, stream)
    finally:
        assert gateway.stop() == 0
        harness.remove(gateway)


def count(client, gateway, stream):
    answer = client.get("/metrics").expect(200)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    typed = set()
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            typed.add(line.split()[2])
        elif not line.startswith("#"):
            name = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line)[0]
            assert re.sub(r"_(bucket|sum|count)$", "", name) in typed or name in typed, line
            float(line.rsplit(" ", 1)[1])
    client.create(stream)
    while harness.psql(gateway, "select count(*) from weir.outbox") != ["0"]:
        time.sleep(0.02)                         # what is told of streams is published too
    before = metrics(client)
    client.publish(stream, [{"type": "A"}] * 7)
    client.publish(stream, {"type": "A", "id": "1"})
    client.post(harness.events_path(stream), {"type": "A", "id": "1"}).expect(200)
    after = metrics(client)
    assert after["weir_published_events_total"] - before["weir_published_events_total"] == 8
    assert after["weir_duplicate_events_total"] - before["weir_duplicate_events_total"] == 1
    counted = {k: v for k, v in after.items() if k.startswith("weir_http_requests_total") and "publishEvents" in k}
    assert any('201' in k for k in counted) and sum(counted.values()) >= 3


def test_metrics_need_admin_unless_public(client, gateway):
    client.get("/metrics", token="").expect(401)
    client.get("/metrics", token=harness.mint("admin:orders subscribe:*")).problem(403, "insufficient-scope")
    other = harness.serve(gateway.database_url, {"WEIR_METRICS_PUBLIC": "true"})
    try:
        harness.Client(other, "").get("/metrics", token="").expect(200)
    finally:
        assert other.stop() == 0
        harness.remove(other)


def test_the_contract_is_served(client):
    with open(f"{harness.ROOT}/openapi/openapi.yaml", "rb") as f:
        yaml_bytes = f.read()
    yaml = client.get("/openapi.yaml").expect(200)
    assert yaml.body == yaml_bytes and yaml.headers["content-type"].startswith("application/yaml")
    document = client.get("/openapi.json").expect(200)
    assert document.json() == json.loads(json.dumps(harness.CONTRACT.document))
    client.get("/openapi.json", headers={"If-None-Match": document.headers["etag"]}).expect(304)


def test_the_routes_are_those_of_the_contract(client):
    """Each operation of the document is answered by itself: its id shows in the metrics."""
    operations = harness.CONTRACT.operations()
    for method, path, _ in operations.values():
        target = re.sub(r"\{stream\}", "routes.probe", path)
        target = target.replace("{asset}", "none").replace("{code}", "not-found")
        answer = client.request(method, target, {} if method in ("PUT", "PATCH") else {"type": "A"} if method == "POST" else None)
        assert answer.status not in (405, 500), (method, path, answer)
    seen = set(re.findall(r'weir_http_requests_total\{operation="(\w+)"', client.get("/metrics").body.decode()))
    assert set(operations) <= seen


def test_docs_work_offline(client):
    page = client.get("/docs").expect(200)
    assert page.headers["content-type"].startswith("text/html")
    linked = re.findall(r'(?:src|href)="([^"#]+)"', page.body.decode())
    assert linked
    for path in linked:
        assert not re.match(r"(https?:)?//", path), f"{path} is not ours"
        client.get(urllib.parse.urljoin("/docs", path)).expect(200)
    client.get("/docs/nothing").problem(404, "not-found")


@pytest.mark.parametrize("code", sorted(harness.CONTRACT.codes))
def test_each_problem_is_explained(client, code):
    page = client.get(f"/problems/{code}", headers={"Accept": "text/html"}).expect(200)
    assert code in page.body.decode()
    explained = client.get(f"/problems/{code}", headers={"Accept": "application/json"}).expect(200).json()
    assert explained["status"] == harness.CONTRACT.codes[code] and explained["explanation"]


def test_unknown_problems(client):
    client.get("/problems/no-such-problem").problem(404, "not-found")


def test_without_postgresql_it_says_so_and_recovers(stream):
    """The private cluster is killed: 503, never a wrong 2xx, then all is well again by itself."""
    gateway = harness.dev()
    client = harness.Client(gateway)
    try:
        client.publish(stream, {"type": "A", "data": 1})
        postmaster = int(open(f"{gateway.directory}/data/pg/postmaster.pid", encoding="utf-8").readline())
        os.kill(postmaster, signal.SIGKILL)
        deadline, accepted, refused = time.monotonic() + 60 * harness.SLOW, 0, 0
        while accepted < 5:
            assert time.monotonic() < deadline, "it does not recover"
            answer = client.post(harness.events_path(stream), {"type": "A", "data": 2})
            assert answer.status in (201, 503), answer
            if answer.status == 201:
                accepted += 1
            else:
                refused += 1
                assert int(answer.headers["retry-after"]) >= 1
                time.sleep(0.1)
        assert client.get("/healthz").status == 200
        wait_ready(client)
        assert len([e for e in client.read_all(stream) if e["data"] == 2]) >= accepted
    finally:
        assert gateway.stop() == 0
        harness.remove(gateway)


def wait_ready(client):
    deadline = time.monotonic() + 60 * harness.SLOW
    while client.get("/readyz").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_command_line(gateway):
    status, out, _ = harness.weir("--version")
    assert status == 0 and re.fullmatch(r"weir \d+\.\d+\.\d+\S*", out.strip())
    status, out, _ = harness.weir("--help")
    assert status == 0 and all(word in out for word in ("serve", "dev", "migrate", "token", "check-config", "http.port"))
    status, out, _ = harness.weir("check-config", WEIR_DATABASE_URL="postgresql://u:hidden@h/d")
    assert status == 0 and "http.port = 8080" in out and "hidden" not in out
    for arguments, settings in ((["fly"], {}), (["serve", "--nonsense", "1"], {}), (["check-config"], {"WEIR_NONSENSE": "1"}),
                                (["check-config"], {"WEIR_HTTP_PORT": "99999"}), (["check-config", "--http-port", "x"], {})):
        status, _, errors = harness.weir(*arguments, **settings)
        assert status != 0 and errors.count("\n") <= 2 and errors
    status, out, errors = harness.weir("migrate", "--database-url", gateway.database_url)
    assert status == 0 and "up to date" in out, errors
