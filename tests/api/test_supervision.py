"""What supervisors see: `weir healthcheck` (containers), sd_notify (systemd), what `make install` puts where."""
import concurrent.futures
import os
import re
import signal
import socket
import subprocess

import harness
import pytest


def check(gateway, *arguments, **settings):
    return harness.weir("healthcheck", "--port", str(gateway.port), *arguments, **settings)


def test_a_gateway_that_serves_is_healthy(gateway):
    for arguments in ([], ["--address", "0.0.0.0"], ["--address", gateway.host]):
        status, out, errors = check(gateway, *arguments)
        assert status == 0 and out.startswith("200 {") and '"ready"' in out and not errors


def test_the_health_check_asks_by_the_settings_of_the_gateway(gateway):
    status, out, _ = harness.weir("healthcheck", WEIR_HTTP_PORT=str(gateway.port), WEIR_HTTP_ADDRESS="0.0.0.0",
                                  http_proxy="http://127.0.0.1:9", all_proxy="http://127.0.0.1:9")
    assert status == 0 and out.startswith("200 ")


def test_ipv6_is_asked_by_ipv6(gateway):
    six = harness.serve(gateway.database_url, {"WEIR_HTTP_ADDRESS": "::1"})
    try:
        for address in ("::", "::1"):
            assert check(six, "--address", address)[0] == 0
        assert check(six, "--address", "127.0.0.1")[0] == 1
    finally:
        assert six.stop() == 0
        harness.remove(six)


def test_a_gateway_of_tls_is_asked_by_tls(gateway):
    directory = harness.scratch()
    certificate = {"WEIR_TLS_CERTIFICATE": f"{directory}/cert.pem", "WEIR_TLS_KEY": f"{directory}/key.pem"}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=weir.example", "-keyout", certificate["WEIR_TLS_KEY"], "-out", certificate["WEIR_TLS_CERTIFICATE"]],
                   check=True, capture_output=True)
    served = harness.serve(gateway.database_url, certificate)
    try:
        assert served.url.startswith("https://")
        status, out, errors = check(served, **certificate)
        assert status == 0 and out.startswith("200 {"), errors
        assert check(served)[0] == 1
    finally:
        assert served.stop() == 0
        harness.remove(served)


def test_nothing_that_listens_is_not_healthy():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        status, out, errors = harness.weir("healthcheck", "--port", str(s.getsockname()[1]))
    assert status == 1 and not out and errors.startswith("weir: no answer of http://127.0.0.1:")
    assert harness.weir("healthcheck", "--port", "0")[0] == 1


def test_what_does_not_answer_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as s:
        status, _, errors = harness.weir("healthcheck", "--port", str(s.getsockname()[1]))
    assert status == 1 and "imed out" in errors


def test_a_gateway_without_postgresql_is_not_healthy():
    gateway = harness.dev()
    try:
        second = harness.serve(gateway.database_url, {"WEIR_DATABASE_CONNECT_TIMEOUT": "5s"})
        assert check(second)[0] == 0
        assert gateway.stop() == 0
        status, out, _ = check(second, WEIR_DATABASE_URL="postgresql://u:hidden@127.0.0.1/d")
        assert status == 1 and out.startswith("503 ") and "hidden" not in out
        second.kill()
        harness.remove(second)
    finally:
        gateway.kill()
        harness.remove(gateway)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_is_told_when_it_serves_reloads_and_stops(gateway, abstract):
    directory = harness.scratch()
    name = f"\0weir-test-{os.getpid()}" if abstract else os.path.join(directory, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(name)
        s.settimeout(60)
        served = harness.serve(gateway.database_url, {"NOTIFY_SOCKET": name.replace("\0", "@")})
        try:
            assert s.recv(1000).decode().splitlines()[0] == "READY=1"
            assert harness.Client(served).get("/readyz").status == 200
            served.process.send_signal(signal.SIGHUP)
            assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", s.recv(1000).decode())
            assert s.recv(1000) == b"READY=1"
        finally:
            assert served.stop() == 0
            harness.remove(served)
        assert s.recv(1000).decode().splitlines()[0] == "STOPPING=1"


def test_systemd_is_told_that_it_waits_for_postgresql():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(os.path.join(harness.scratch(), "notify"))
        s.settimeout(60)
        env = harness.environment({"NOTIFY_SOCKET": s.getsockname(), "WEIR_AUTH_HS256_SECRET": harness.SECRET,
                                   "WEIR_DATABASE_URL": "postgresql://weir@127.0.0.1:1/weir"})
        waiting = subprocess.Popen([harness.BINARY, "serve", "--port", "0"], env=env, stderr=subprocess.DEVNULL)
        try:
            assert s.recv(1000) == b"STATUS=waiting for PostgreSQL"
        finally:
            waiting.send_signal(signal.SIGTERM)
            assert waiting.wait(60) == 0


@pytest.mark.parametrize("table", ["migrations", "log", "revocations"])
def test_a_start_that_postgresql_holds_up_goes_on_when_it_answers_again(gateway, table):
    """The same at each step of the start: an answer that is late is waited for, as one that cannot come yet."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, concurrent.futures.ThreadPoolExecutor(1) as pool:
        s.bind(os.path.join(harness.scratch(), "notify"))
        s.settimeout(60 * harness.SLOW)
        holder = harness.Holder(gateway, f"lock table weir.{table} in access exclusive mode")
        try:
            started = pool.submit(harness.serve, gateway.database_url,
                                  {"NOTIFY_SOCKET": s.getsockname(), "WEIR_DATABASE_STATEMENT_TIMEOUT": "1s"})
            assert s.recv(1000) == b"STATUS=waiting for PostgreSQL"
        finally:
            holder.release()
        served = started.result()
        while (told := s.recv(1000)) == b"STATUS=waiting for PostgreSQL":    # at each step that is held up
            pass
        assert told.decode().splitlines()[0] == "READY=1"
        assert served.stop() == 0
        harness.remove(served)


@pytest.mark.parametrize("socket_name", ["", "/", "relative", "@", "/" + "x" * 200, "/no/such/socket"])
def test_a_supervisor_that_cannot_be_told_does_no_harm(gateway, socket_name):
    served = harness.serve(gateway.database_url, {"NOTIFY_SOCKET": socket_name})
    assert served.stop() == 0
    harness.remove(served)


def test_make_install_brings_the_program_and_its_unit():
    root = harness.scratch("install-")
    subprocess.run(["make", "-s", "install", f"DESTDIR={root}", "PREFIX=/opt/weir"], cwd=harness.ROOT, check=True, timeout=600)
    program = subprocess.run([f"{root}/opt/weir/bin/weir", "--version"], capture_output=True, text=True, check=True)
    assert program.stdout.startswith("weir ")
    with open(f"{root}/opt/weir/lib/systemd/system/weir.service", encoding="utf-8") as f:
        unit = f.read()
    assert "\nExecStart=/opt/weir/bin/weir serve\n" in unit and "/usr/local" not in unit
    assert re.search(r"^u weir ", open(f"{root}/opt/weir/lib/sysusers.d/weir.conf", encoding="utf-8").read(), re.M)
    assert os.stat(f"{root}/etc/weir/weir.env.example").st_mode & 0o777 == 0o600
