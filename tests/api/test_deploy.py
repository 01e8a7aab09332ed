"""What stands in deploy/ and the Dockerfile agrees with the program: metrics, settings, packages, time to drain."""
import os
import re
import shutil
import subprocess

import harness
import pytest
import yaml

RESERVED = {"up"}                    # of Prometheus itself


def text(path):
    with open(f"{harness.ROOT}/{path}", encoding="utf-8") as f:
        return f.read()


def seconds(value):
    return int(re.fullmatch(r"(\d+)s?", str(value))[1])


@pytest.fixture(scope="module")
def metrics(gateway):
    """{name: type} of all that /metrics tells."""
    answer = harness.Client(gateway).get("/metrics").expect(200).body.decode()
    return dict(re.findall(r"^# TYPE (\S+) (\w+)$", answer, re.M))


@pytest.fixture(scope="module")
def defaults():
    """{setting: default}"""
    status, out, _ = harness.weir("check-config", "--markdown")
    assert status == 0
    return dict(re.findall(r"^\| `([a-z0-9_.]+)` \| `WEIR_\w+` \| `?([^`|]*?)`? \|", out, re.M))


def names_in(expression):
    """The metrics that a PromQL expression asks for, with the suffix of a histogram's series."""
    bare = re.sub(r'"[^"]*"|\$\w+|\[[^\]]*\]', "", expression)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)|\{[^}]*\}", "", bare)
    return set(re.findall(r"\b(?:weir|process)_\w+\b|\bup\b", bare))


def assert_known(expression, metrics):
    names = names_in(expression)
    assert names, f"no metric in {expression!r}"
    for name in names - RESERVED:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert metrics.get(name) in ("counter", "gauge") or metrics.get(base) == "histogram" != name, f"{name} of {expression!r}"
        if metrics.get(name) == "counter":
            assert re.search(rf"(rate|increase|changes)\({name}\b", expression), f"{name} is a counter: {expression!r}"


def test_every_alert_asks_for_metrics_that_exist(metrics):
    rules = [rule for group in yaml.safe_load(text("deploy/prometheus/alerts.yaml"))["groups"] for rule in group["rules"]]
    assert len(rules) > 8 and len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert_known(rule["expr"], metrics)
        assert rule["labels"]["severity"] in ("critical", "warning", "info") and rule["annotations"]["summary"]


def test_prometheus_takes_the_rules_and_they_say_what_they_should():
    promtool = shutil.which("promtool", path=f"{harness.ROOT}/deps/bin:{os.environ['PATH']}")
    assert promtool, "promtool is missing: make deps fetches it"
    for arguments in (("check", "rules", "deploy/prometheus/alerts.yaml"), ("test", "rules", "tests/api/alerts.yaml")):
        done = subprocess.run([promtool, *arguments], cwd=harness.ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    tested = set(re.findall(r"alertname: (\w+)", text("tests/api/alerts.yaml")))
    assert {"WeirDlqDepth", "WeirGroupLag"} < tested <= set(re.findall(r"alert: (\w+)", text("deploy/prometheus/alerts.yaml")))


def test_every_alert_and_every_metric_is_explained(metrics):
    operations = text("docs/operations.md")
    for rule in re.findall(r"alert: (\w+)", text("deploy/prometheus/alerts.yaml")):
        assert f"`{rule}`" in operations, f"docs/operations.md does not explain the alert {rule}"
    for name, kind in metrics.items():
        assert re.search(rf"^\| `{name}` \| {kind} \| \S", operations, re.M), f"docs/operations.md lacks | `{name}` | {kind} | … |"
    for name in re.findall(r"^\| `((?:weir|process)_\w+)` \|", operations, re.M):
        assert name in metrics, f"docs/operations.md explains {name}, which is not there"


def test_every_setting_that_is_named_exists(defaults):
    variables = {"WEIR_" + name.upper().replace(".", "_") for name in defaults}
    ours = {"WEIR_CONFIG", "WEIR_VERSION", "WEIR_PORT"}            # the file; of compose.yaml itself
    for path in ("Dockerfile", "deploy/compose.yaml", "deploy/weir.service", "deploy/weir.env.example", "docs/operations.md",
                 "deploy/helm/weir/templates/deployment.yaml", "deploy/helm/weir/values.yaml", "README.md"):
        for name in set(re.findall(r"\bWEIR_[A-Z0-9_]+\b", text(path))) - ours:
            assert name in variables, f"{path}: {name}"
    groups = {name.partition(".")[0] for name in defaults if "." in name}
    for path in ("docs/operations.md", "deploy/weir.service", "deploy/compose.yaml", "deploy/helm/weir/values.yaml"):
        for name in re.findall(r"(?<![\w./-])([a-z]+\.[a-z_0-9]+)\b(?![\w./({-])", text(path)):
            if name.partition(".")[0] in groups and not name.endswith((".json", ".md", ".log")):
                assert name in defaults, f"{path}: {name}"


def test_supervisors_wait_longer_than_a_drain(defaults):
    drain = seconds(defaults["http.drain_timeout"])
    compose = yaml.safe_load(text("deploy/compose.yaml"))
    values = yaml.safe_load(text("deploy/helm/weir/values.yaml"))
    assert seconds(compose["services"]["weir"]["stop_grace_period"]) > drain
    assert seconds(re.search(r"^TimeoutStopSec=(\S+)$", text("deploy/weir.service"), re.M)[1]) > drain
    assert values["terminationGracePeriodSeconds"] > drain + values["preStopSleepSeconds"]


def test_compose_has_no_secret_and_opens_nothing():
    services = yaml.safe_load(text("deploy/compose.yaml"))["services"]
    weir, postgres = services["weir"], services["postgres"]
    for value in (postgres["environment"]["POSTGRES_PASSWORD"], weir["environment"]["WEIR_AUTH_HS256_SECRET"]):
        assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value)
    assert "${POSTGRES_PASSWORD:?" in weir["environment"]["WEIR_DATABASE_URL"]
    assert all(port.startswith("127.0.0.1:") for port in weir["ports"]) and "ports" not in postgres
    assert weir["read_only"] and weir["cap_drop"] == ["ALL"] and "no-new-privileges:true" in weir["security_opt"]
    assert weir["depends_on"]["postgres"]["condition"] == "service_healthy" and postgres["healthcheck"]["test"]


def test_the_image_is_built_with_what_the_build_needs():
    """Each -dev package of deploy/deps.sh that the program needs is in the Dockerfile as well."""
    packages = re.search(r'^packages="(.*?)"', text("deploy/deps.sh"), re.M | re.S)[1].split()
    image = text("Dockerfile")
    for package in packages:
        if package.endswith("-dev") and package != "libcmocka-dev":
            assert re.search(rf"(?<!\S){package}(?!\S)", image), f"the Dockerfile lacks {package}"
    assert "libmicrohttpd-dev" in image
    folders = re.search(r"find ((?:\w+ )+)-name", text("Makefile"))[1].split()
    ignored = text(".dockerignore")
    assert all(f"\n!{folder}\n" in ignored for folder in [*folders, "migrations", "openapi"])


def test_the_image_runs_as_nobody_in_particular():
    image = text("Dockerfile").splitlines()
    last = image[max(i for i, line in enumerate(image) if line.startswith("FROM ")):]
    assert last[0] == "FROM scratch"
    for line in ("USER 65532:65532", "ENV WEIR_HTTP_ADDRESS=0.0.0.0", "EXPOSE 8080", "STOPSIGNAL SIGTERM",
                 'ENTRYPOINT ["weir"]', 'CMD ["serve"]'):
        assert line in last
    assert "runAsUser: 65532" in text("deploy/helm/weir/templates/deployment.yaml")


def test_shell_scripts_are_sound():
    for path in ("deploy/deps.sh", "deploy/image-root.sh"):
        subprocess.run(["sh", "-n", f"{harness.ROOT}/{path}"], check=True)
