"""Real identity: tokens that an independent library signs with keys that it publishes over TLS, and keys that change."""
import json
import os
import socket
import sys
import threading
import time

import harness
import pytest

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "identity"))
from provider import Issuer, Provider  # noqa: E402

# What takes minutes and hours in production takes tenths of a second here.
QUICK = {"WEIR_AUTH_JWKS_MIN_AGE": "300ms", "WEIR_AUTH_JWKS_MAX_AGE": "1m", "WEIR_AUTH_JWKS_MIN_REFRESH": "500ms",
         "WEIR_AUTH_JWKS_TIMEOUT": f"{3 * harness.SLOW}s", "WEIR_AUTH_JWKS_START_WAIT": f"{5 * harness.SLOW}s",
         "WEIR_STREAMS_AUTO_CREATE": "true"}


@pytest.fixture(scope="module")
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL for the gateways of these tests, and a key beside the issuers'."""
    running = harness.dev()
    yield running
    assert running.stop() == 0
    harness.remove(running)


@pytest.fixture
def gateway_of(provider, database):
    """gateway_of(records, **settings): a gateway with these issuers in its keys file."""
    started = []

    def start(*records, **settings):
        directory = harness.scratch()
        path = os.path.join(directory, "keys.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"issuers": list(records)}, f)
        started.append(harness.serve(database.database_url, {**QUICK, "WEIR_AUTH_KEYS_FILE": path,
                                                             "WEIR_AUTH_JWKS_CA_FILE": provider.ca, **settings}))
        return started[-1]

    yield start
    for one in started:
        assert one.stop() == 0


NUMBERS = iter(range(10000))


@pytest.fixture
def issuer(provider):
    return Issuer(provider, f"realm-{next(NUMBERS)}", **{"Cache-Control": "max-age=60"})


def by_url(issuer, **more):
    return {"issuer": issuer.iss, "audiences": ["weir", "other"], "jwks_url": issuer.jwks_url, **more}


def status_of(gateway, token, target="/v1/streams?limit=1"):
    client = harness.Client(gateway, token)
    try:
        return client.get(target).status
    finally:
        client.close()


def metric(gateway, name):
    client = harness.Client(gateway, harness.mint())
    for line in client.get("/metrics").expect(200).body.decode().splitlines():
        if line.startswith(f"{name} "):
            client.close()
            return float(line.split()[1])
    raise AssertionError(name)


def eventually(what, seconds=10):
    deadline = time.monotonic() + seconds * harness.SLOW
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_a_withdrawn_key_is_refused_after_the_refresh_even_for_remembered_tokens(gateway_of, issuer):
    issuer.headers = {"Cache-Control": "max-age=0"}
    old, new = issuer.generate(), issuer.generate()
    issuer.publish(old, new)
    gateway = gateway_of(by_url(issuer))
    gone, stays = issuer.token(old), issuer.token(new)
    assert [status_of(gateway, t) for t in (gone, stays, gone, stays)] == [200] * 4
    issuer.publish(new)
    eventually(lambda: status_of(gateway, gone) == 401)
    assert status_of(gateway, stays) == 200
    assert '"removed":1' in gateway.log()


def test_streams_and_long_polls_end_when_their_key_is_withdrawn(gateway_of, issuer):
    issuer.headers = {"Cache-Control": "max-age=0"}
    old, new = issuer.generate(), issuer.generate()
    issuer.publish(old, new)
    for more in ({}, {"WEIR_AUTH_CACHE": "0"}):
        issuer.publish(old, new)
        gateway = gateway_of(by_url(issuer), **more)
        client = harness.Client(gateway, harness.mint())
        client.publish("withdrawn", {"type": "A"})
        gone, stays = (harness.EventStream(gateway, "withdrawn", token=issuer.token(kid), after="latest") for kid in (old, new))
        gone.up_to_date(), stays.up_to_date()
        probe = issuer.token(old)
        issuer.publish(new)
        eventually(lambda gateway=gateway, probe=probe: status_of(gateway, probe) == 401)
        client.publish("withdrawn", {"type": "B"})
        assert [e["type"] for _, e in stays.events(1)] == ["B"]
        blocks = gone.end(10)
        assert [b.event for b in blocks] == ["bye"] and blocks[0].json() == {"reason": "token-revoked"}
        stays.close()
        client.close()


def test_no_body_is_taken_from_strangers(gateway_of, issuer):
    kid, new = issuer.generate(), issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MIN_REFRESH="100ms")
    size, strangers = 300000, []
    issuer.publish(kid, new, delay=1500)
    for token in (issuer.token(new), issuer.token(new, {"kid": "unknown"})):
        peer = socket.create_connection((gateway.host, gateway.port))
        peer.settimeout(20 * harness.SLOW)
        peer.setblocking(False)
        body = json.dumps({"type": "A", "data": "x" * size}).encode()
        head = (f"POST /v1/streams/strangers/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        strangers.append([peer, head + body])
        strangers[-1][1] = strangers[-1][1][peer.send(strangers[-1][1]):]
    time.sleep(0.3)
    assert metric(gateway, "weir_http_body_bytes") == 0
    for (peer, rest), status in zip(strangers, (b"201", b"401"), strict=True):
        peer.settimeout(20 * harness.SLOW)
        peer.sendall(rest)
        assert peer.recv(4096).split()[1] == status
        peer.close()


def test_old_keys_serve_on_while_the_provider_is_away_but_not_for_ever(gateway_of, issuer):
    issuer.headers = {"Cache-Control": "no-store"}
    kid = issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MAX_STALE="3s")
    assert status_of(gateway, issuer.token(kid)) == 200
    issuer.publish(kid, status=503)
    eventually(lambda: metric(gateway, "weir_jwks_failures_total") > 0)
    assert status_of(gateway, issuer.token(kid, sub="bob")) == 200
    fetched = metric(gateway, "weir_jwks_fetched_timestamp_seconds")
    assert time.time() - 30 < fetched <= time.time()
    eventually(lambda: status_of(gateway, issuer.token(kid)) == 401)
    assert harness.Client(gateway, "").get("/readyz").status == 200
    issuer.publish(kid)
    eventually(lambda: status_of(gateway, issuer.token(kid)) == 200)


def test_a_flood_of_unknown_keys_fetches_no_more_than_it_may(gateway_of, issuer):
    kid, unknown = issuer.generate(), issuer.generate()
    issuer.publish(kid)
    pause = 1 if harness.SLOW == 1 else 3                            # longer than a fetch takes
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MIN_REFRESH=f"{pause}s")
    before, began, sent = issuer.hits(), time.monotonic(), [0] * 4
    forged = [issuer.token(unknown, {"kid": f"../{n}"}) for n in range(8)]

    def flood(n):
        client = harness.Client(gateway, check=False, token="")
        while time.monotonic() - began < 2.5 * pause:
            sent[n] += 1
            client.get("/v1/streams", token=forged[sent[n] % 8]).problem(401, "invalid-token")
        client.close()

    threads = [threading.Thread(target=flood, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(sent) > 100 / harness.SLOW and 1 <= issuer.hits() - before <= 1 + (time.monotonic() - began) / pause
    assert metric(gateway, "weir_token_unknown_keys_total") > 100 / harness.SLOW


class Load:
    """Clients that publish with the newest token there is; every answer that is not 201 is kept."""

    def __init__(self, gateway, stream, clients=4):
        self.gateway, self.stream, self.token = gateway, stream, None
        self.wrong, self.done, self.stop = [], 0, False
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]

    def run(self, n):
        client, i = harness.Client(self.gateway, "", check=False), 0
        while not self.stop:
            i += 1
            answer = client.post(f"/v1/streams/{self.stream}/events", {"type": "A", "id": f"{n}-{i}"}, token=self.token)
            if answer.status != 201:
                self.wrong.append((self.token[:60], answer))
            self.done += 1
        client.close()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for t in self.threads:
            t.join()


@pytest.mark.parametrize("announced", [True, False], ids=["published before use", "used at once"])
def test_a_rotation_under_load_refuses_nobody(gateway_of, issuer, announced):
    kid = issuer.generate("RS256")
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MIN_REFRESH="300ms")
    load, rotations = Load(gateway, f"rotation-{issuer.path[1:]}"), 4
    load.token = issuer.token(kid)
    with load:
        for n in range(rotations):
            new, fetched, done = issuer.generate(["ES256", "PS256", "EdDSA"][n % 3]), issuer.hits(), load.done
            issuer.publish(kid, new, delay=100)
            if announced:
                time.sleep(0.2)
            load.token = issuer.token(new)
            eventually(lambda seen=fetched, before=done: issuer.hits() > seen and load.done > before + 12)
            time.sleep(0.4)                      # the next one may be fetched
            issuer.publish(new)                  # the old one is withdrawn
            kid = new
    assert not load.wrong, load.wrong[:3]
    assert load.done > 50 and issuer.hits() >= rotations


def test_a_parked_request_keeps_its_body_and_its_rights_are_checked_after(gateway_of, issuer):
    kid, new = issuer.generate(), issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MIN_REFRESH="100ms")
    issuer.publish(kid, new, delay=300)
    client = harness.Client(gateway, issuer.token(new))
    client.post("/v1/streams/parked.x/events", {"type": "A", "data": "x" * 100000}).expect(201)
    assert len(client.read("parked.x")["events"][0]["data"]) == 100000
    time.sleep(0.2)
    issuer.publish(kid, new, delay=300)
    refused = issuer.token(new, {"kid": "unknown"}, scope="publish:parked.x")
    began = time.monotonic()
    client.post("/v1/streams/parked.x/events", {"type": "B"}, token=refused).problem(401, "invalid-token")
    assert time.monotonic() - began > 0.25
    time.sleep(0.2)
    third = issuer.generate()
    issuer.publish(kid, new, third, delay=300)
    client.post("/v1/streams/parked.x/events", {"type": "C"}, token=issuer.token(third, scope="publish:other")).problem(
        403, "insufficient-scope")
    assert [e["type"] for e in client.read("parked.x")["events"]] == ["A"]
    client.close()


def test_clients_that_leave_while_they_wait_do_no_harm(gateway_of, provider, issuer):
    kid, new = issuer.generate(), issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer))
    issuer.publish(kid, hang=True)
    token = issuer.token(new)
    for _ in range(5):
        head = ["POST /v1/streams/left/events HTTP/1.1", "Host: x", f"Authorization: Bearer {token}",
                "Content-Type: application/json", "Content-Length: 12", "", '{"type":"A"}']
        harness.raw(gateway, "\r\n".join(head).encode(), seconds=0.1)
    issuer.publish(kid, new)
    provider.ask("release")
    eventually(lambda: status_of(gateway, issuer.token(new)) == 200)
    client = harness.Client(gateway, issuer.token(new))
    client.get("/v1/streams/left/events").problem(404, "unknown-stream")
    client.close()


def test_an_issuer_that_cannot_be_used_is_named_at_the_start(gateway_of):
    with pytest.raises(RuntimeError, match="Issuer 1 .*must be https"):
        gateway_of({"issuer": "i", "audience": "w", "jwks_url": "http://id.example/"})
