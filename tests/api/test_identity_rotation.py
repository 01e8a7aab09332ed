"""Keys that change under load, and requests that wait for a key. test_identity.py has keys that go away."""
import json
import socket
import threading
import time

import harness
import pytest
from test_identity import by_url, database, eventually, gateway_of, issuer, metric, provider, status_of  # noqa: F401


def test_no_body_is_taken_from_strangers(gateway_of, provider, issuer):
    kid, new = issuer.generate(), issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MIN_REFRESH="100ms")
    size, strangers, fetched = 300000, [], issuer.hits()
    issuer.publish(kid, new, hold=True)
    for token in (issuer.token(new), issuer.token(new, {"kid": "unknown"})):
        peer = socket.create_connection((gateway.host, gateway.port))
        peer.settimeout(60 * harness.SLOW)
        peer.setblocking(False)
        body = json.dumps({"type": "A", "data": "x" * size}).encode()
        head = (f"POST /v1/streams/strangers/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        strangers.append([peer, head + body])
        strangers[-1][1] = strangers[-1][1][peer.send(strangers[-1][1]):]
    eventually(lambda: issuer.hits() > fetched)
    time.sleep(0.3)
    assert metric(gateway, "weir_http_body_bytes") == 0
    provider.ask("answer")
    for (peer, rest), status in zip(strangers, (b"201", b"401"), strict=True):
        peer.settimeout(60 * harness.SLOW)
        peer.sendall(rest)
        assert peer.recv(4096).split()[1] == status
        peer.close()


class Load:
    """Clients that publish with the newest token there is; every answer that is not 201 is kept."""

    def __init__(self, gateway, stream, clients=4):
        self.gateway, self.stream, self.token = gateway, stream, None
        self.wrong, self.done, self.stop = [], [0] * clients, False
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]

    def run(self, n):
        client, i = harness.Client(self.gateway, "", check=False), 0
        while not self.stop:
            i += 1
            answer = client.post(f"/v1/streams/{self.stream}/events", {"type": "A", "id": f"{n}-{i}"}, token=self.token)
            if answer.status != 201:
                self.wrong.append((self.token[:60], answer))
            self.done[n] += 1
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
            new, fetched, done = issuer.generate(["ES256", "PS256", "EdDSA"][n % 3]), issuer.hits(), load.done[:]
            issuer.publish(kid, new, delay=100)
            if announced:
                time.sleep(0.2)
            load.token = issuer.token(new)
            eventually(lambda seen=fetched, before=done: issuer.hits() > seen and
                       all(now > then + 2 for now, then in zip(load.done, before)))
            time.sleep(0.4)                      # the next one may be fetched
            issuer.publish(new)                  # the old one is withdrawn
            kid = new
    assert not load.wrong, load.wrong[:3]
    assert sum(load.done) > 50 and issuer.hits() >= rotations


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
