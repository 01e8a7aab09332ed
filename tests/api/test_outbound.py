"""Outbound calls as services and operators see them: signatures, secrets, the guard, TLS, slots, breakers."""
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time

import harness
import pki
import pytest
from sagas import Service, act, define, history, instance, start, step, until

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "outbound")
SIGNING = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="]
SECRET = 'sk/live "4711"'
ONCE = {"retry": {"max_attempts": 1}}
OPEN_S = 1.0


class Outside:
    """A gateway of its own that may call private addresses only where outbound.file says so, and services."""

    def __init__(self):
        self.directory = harness.scratch()
        self.service, self.other, self.forbidden = Service(), Service(), Service()
        self.authority = pki.Authority(self.directory, "authority")
        pair = self.authority.sign("server", "/CN=localhost", "DNS:localhost", usage="serverAuth")
        self.tls = Service()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self.tls.socket = context.wrap_socket(self.tls.socket, server_side=True, do_handshake_on_connect=False)
        self.tls_port = self.tls.server_port
        self.file = os.path.join(self.directory, "outbound.json")
        self.write("key", SECRET)
        self.write("second", SIGNING[1] + "\n")
        self.say({})
        self.gateway = harness.dev({
            "WEIR_SAGAS_LEASE": "1m",                          # calls are made once, also where the machine stands still
            "WEIR_OUTBOUND_FILE": self.file, "WEIR_OUTBOUND_ALLOW_PRIVATE": "false", "SIGN": SIGNING[0],
            "WEIR_OUTBOUND_CA_FILE": self.authority.certificate, "WEIR_OUTBOUND_BREAKER_OPEN": f"{int(OPEN_S * 1000)}ms",
            "http_proxy": self.forbidden.url, "https_proxy": self.forbidden.url})
        self.client = harness.Client(self.gateway)

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as f:
            f.write(text)

    def say(self, more):
        private = {"allow_private": True}
        self.write("outbound.json", json.dumps({
            "targets": {self.service.url: {**private, "signing_secret": [{"env": "SIGN"}, {"file": "second"}], **more},
                        self.other.url: private, f"https://localhost:{self.tls_port}": private,
                        f"https://127.0.0.1:{self.tls_port}": private},
            "secrets": {"key": {"file": "key", "hosts": [self.service.url]}}}))

    def stop(self):
        self.client.close()
        assert self.gateway.stop() == 0
        harness.remove(self.gateway)
        for one in (self.service, self.other, self.forbidden, self.tls):
            one.shutdown()
            one.server_close()


@pytest.fixture(scope="module")
def outside():
    one = Outside()
    yield one
    one.stop()


@pytest.fixture
def service(outside):
    for kept in (outside.service.calls, outside.service.raw, outside.service.at):
        kept.clear()
    yield outside.service
    outside.service.answer = lambda *_: 200


def one_call(outside, saga, http, **more):
    """Runs a saga of this call alone; the instance when it has ended."""
    define(outside.client, saga, {"name": "call", "action": http, **ONCE, **more})
    start(outside.client, saga, "one", input={"id": "o/1"})
    return until(outside.client, saga, "one", lambda it: it["state"] in ("completed", "compensated", "failed", "paused"))


def error_of(outside, saga):
    return next(one for one in history(outside.client, saga, "one") if one["type"] == "StepFailed")


def verify_by_python(secret, headers, body):
    sys.path.insert(0, os.path.join(PLACE, "python"))
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError  # pylint: disable=import-outside-toplevel,import-error
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def verify_by_node(checks):
    lines = "".join(json.dumps(dict(zip(("secret", "headers", "body"), one))) + "\n" for one in checks)
    done = subprocess.run(["node", os.path.join(PLACE, "verify.mjs")], input=lines, capture_output=True, text=True, timeout=60,
                          check=True)
    return [line == "true" for line in done.stdout.split()]


def test_receivers_verify_signatures_with_their_own_libraries(outside, service, stream):
    done = one_call(outside, stream, service.http("/reserve?a=b", body={"text": "ü\n", "n": 1.10, "id": "{{input.id}}"}))
    assert done["state"] == "completed", done
    (_, _, headers, _), raw = service.calls[0], service.raw[0].decode()
    assert headers["webhook-id"] == headers["idempotency-key"] == f"{stream}/one/call/action"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    checks = [(SIGNING[0], headers, raw), (SIGNING[1], headers, raw), (SIGNING[0], headers, raw + " "),
              (SIGNING[0], {**headers, "webhook-id": "other"}, raw), ("whsec_" + "A" * 32, headers, raw)]
    assert [verify_by_python(*one) for one in checks] == [True, True, False, False, False]
    assert verify_by_node(checks) == [True, True, False, False, False]


def test_a_secret_reaches_its_host_and_nobody_else(outside, service, stream):
    service.answer = lambda method, path, headers, body: (200, {"you": headers["authorization"], "sent": json.dumps(body)}, {})
    call = service.http("/pay", headers={"Authorization": "Bearer {{secret.key}}"}, body={"key": "{{secret.key}}"})
    done = one_call(outside, stream, call)
    assert done["state"] == "completed", done
    assert service.calls[0][2]["authorization"] == f"Bearer {SECRET}" and service.calls[0][3] == {"key": SECRET}
    outside.other.calls.clear()
    call = outside.other.http("/", headers={"X-Key": "{{secret.key}}"})
    define(outside.client, stream + ".other", {"name": "call", "action": call})
    start(outside.client, stream + ".other", "one")
    refused = until(outside.client, stream + ".other", "one", lambda it: "is not configured for" in json.dumps(it))
    assert step(refused, "call")["attempts"] == 0 and not outside.other.calls
    act(outside.client, stream + ".other", "one", "cancel").expect(200)
    shown = json.dumps([done, refused, history(outside.client, stream, "one"), history(outside.client, stream + ".other", "one"),
                        outside.client.get("/v1/targets").expect(200).json()]) + outside.gateway.log()
    for form in (SECRET, json.dumps(SECRET)[1:-1], json.dumps(json.dumps(SECRET))[1:-1], SIGNING[0], SIGNING[0][6:]):
        assert form not in shown


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]"])
def test_the_guard_lets_no_private_address_pass(outside, stream, host):
    outside.forbidden.calls.clear()
    done = one_call(outside, stream, {"http": {"method": "GET", "url": f"http://{host}:{outside.forbidden.server_port}/"}})
    assert done["state"] == "compensated" and not outside.forbidden.calls
    assert "blocked" in json.dumps(step(done, "call")), done


def test_a_redirect_to_a_private_address_is_not_followed(outside, service, stream):
    outside.forbidden.calls.clear()
    service.answer = lambda *_: (302, None, {"Location": outside.forbidden.url + "/"})
    assert one_call(outside, stream, service.http("/"))["state"] == "compensated"
    assert not outside.forbidden.calls and len(service.calls) == 1


def test_certificates_are_verified(outside, stream):
    good = one_call(outside, stream, {"http": {"method": "GET", "url": f"https://localhost:{outside.tls_port}/"}})
    assert good["state"] == "completed", good
    named = len(outside.tls.calls)
    bad = one_call(outside, stream + ".name", {"http": {"method": "GET", "url": f"https://127.0.0.1:{outside.tls_port}/"}})
    assert bad["state"] == "compensated" and '"tls"' in json.dumps(step(bad, "call")), bad
    assert len(outside.tls.calls) == named


def test_no_more_calls_run_at_once_than_the_target_has_slots(outside, service, stream):
    running, most, lock, together = [0], [0], threading.Lock(), threading.Barrier(3, timeout=25)

    def answer(*_):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait()                          # three do run at once
        time.sleep(0.05)                         # a fourth one would come now
        with lock:
            running[0] -= 1
        return 200

    service.answer = answer
    outside.say({"concurrency": 3})
    os.kill(outside.gateway.process.pid, signal.SIGHUP)
    until_target(outside, service, concurrency=3)
    define(outside.client, stream, {"name": "call", "action": service.http("/"), **ONCE})
    for n in range(12):
        start(outside.client, stream, f"i{n}")
    for n in range(12):
        until(outside.client, stream, f"i{n}", "completed")
    assert most[0] == 3 and len(service.calls) == 12


def until_target(outside, service, **wanted):
    deadline = time.monotonic() + 60 * harness.SLOW
    while True:
        found = [one for one in outside.client.get("/v1/targets").expect(200).json()["items"] if one["name"] == service.url]
        if found and all(found[0][k] == v for k, v in wanted.items()):
            return found[0]
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_a_breaker_stops_calls_and_burns_no_attempts(outside, stream):
    down = outside.other
    down.calls.clear()
    down.at.clear()
    down.answer = lambda *_: 500
    retry = {"initial": "10ms", "max": "10ms", "max_attempts": 1000}
    try:
        define(outside.client, stream, {"name": "call", "action": down.http("/"), "retry": retry})
        start(outside.client, stream, "one")
        shown = until_target(outside, down, state="open")
        assert shown["opened"] and shown["retry_at"] and shown["failures"] >= 5
        assert one_call(outside, stream + ".up", outside.service.http("/"))["state"] == "completed"
        waiting = until(outside.client, stream, "one", lambda it: len(down.calls) > 5)
        assert waiting["state"] == "running", waiting
        down.answer = lambda *_: 200
        done = until(outside.client, stream, "one", "completed")
        assert step(done, "call")["attempts"] == len(down.calls) >= 7, (done, down.at)
        assert all(probe - before >= OPEN_S for before, probe in zip(down.at[4:-1], down.at[5:])), down.at
        assert until_target(outside, down, state="half-open", successes=1)
        assert one_call(outside, stream + ".again", down.http("/"))["state"] == "completed"
        assert until_target(outside, down, state="closed", failures=0)["retry_at"] is None
    finally:
        down.answer = lambda *_: 200


def test_a_file_that_cannot_be_used_stays_out_and_says_why(outside):
    good = open(outside.file, encoding="utf-8").read()
    outside.write("outbound.json", '{"targets":{"https://a.example/path":{}}}')
    os.kill(outside.gateway.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + 60 * harness.SLOW
    while "what was read before stays in force" not in outside.gateway.log():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    until_target(outside, outside.service, signed=True)
    with pytest.raises(RuntimeError, match="more than scheme, host and port"):
        harness.serve(outside.gateway.database_url, {"WEIR_OUTBOUND_FILE": outside.file})
    status, _, said = harness.weir("check-config", WEIR_OUTBOUND_FILE=outside.file)
    assert status == 1 and f"{outside.file} (outbound.file): /targets/https:~1~1a.example~1path: it is more than" in said
    outside.write("outbound.json", good)
    status, shown, said = harness.weir("check-config", WEIR_OUTBOUND_FILE=outside.file, SIGN=SIGNING[0])
    assert status == 0 and not said and not any(secret in shown for secret in (SECRET, *SIGNING))
    for secret in ("key", "second"):                           # the file is there, and a secret is not, or is none
        os.rename(os.path.join(outside.directory, secret), os.path.join(outside.directory, "away"))
        status, shown, said = harness.weir("check-config", WEIR_OUTBOUND_FILE=outside.file, SIGN=SIGNING[0])
        os.rename(os.path.join(outside.directory, "away"), os.path.join(outside.directory, secret))
        assert status == 1 and "/file: the file cannot be read: No such file or directory." in said, said
    status, shown, said = harness.weir("check-config", WEIR_OUTBOUND_FILE=outside.file, SIGN=SECRET)
    assert status == 1 and "/signing_secret/0: what it names is not whsec_" in said and SECRET not in shown + said
