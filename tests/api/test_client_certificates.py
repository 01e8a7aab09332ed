"""Client certificates: who shows one of our authorities is let in, whom the keys file lists has rights, and nobody else has any."""
import json
import os
import socket
import ssl
import time

import harness
import pki
import pytest

DENIED = (OSError, ssl.SSLError, harness.http.client.HTTPException)
CLIENTS = [{"subject": "CN=billing,O=Example", "scope": "publish:billing.* subscribe:billing.*"},
           {"dns": "stock.internal", "scope": "subscribe:*"},
           {"uri": "spiffe://example/ledger", "scope": "admin:ledger"}]


@pytest.fixture(scope="module")
def authorities():
    directory = harness.scratch("pki-")
    return pki.Authority(directory, "ours"), pki.Authority(directory, "foreign")


@pytest.fixture(scope="module")
def certificates(authorities):
    ours, foreign = authorities
    return {
        "none": None,
        "subject": ours.sign("subject", "/O=Example/CN=billing"),
        "dns": ours.sign("dns", "/CN=somebody", "DNS:other.internal,DNS:Stock.Internal"),
        "uri": ours.sign("uri", "/CN=somebody", "URI:spiffe://example/ledger"),
        "nobody": ours.sign("nobody", "/CN=nobody", "DNS:nobody.internal"),
        "almost": ours.sign("almost", "/O=Example/CN=billing2", "DNS:stock.internal.evil,URI:spiffe://example/ledger/x"),
        "turned": ours.sign("turned", "/CN=billing/O=Example"),
        "common-name": ours.sign("common-name", "/CN=stock.internal"),
        "expired": ours.sign("expired", "/O=Example/CN=billing", begins=-7200, ends=-3600),
        "early": ours.sign("early", "/O=Example/CN=billing", begins=3600, ends=7200),
        "server": ours.sign("server-usage", "/O=Example/CN=billing", usage="serverAuth"),
        "foreign": foreign.sign("subject", "/O=Example/CN=billing"),
    }


class Rig:
    """A gateway with a list of clients, an authority file and a keys file that tests may change."""

    def __init__(self, gateway, authorities, certificates, mode, name):
        self.ours, self.foreign = authorities
        self.certificates, self.directory = certificates, harness.scratch("mtls-")
        self.keys, self.ca = (os.path.join(self.directory, n) for n in ("keys.json", "ca.pem"))
        self.write(CLIENTS, self.ours)
        server = self.ours.server(name)
        self.gateway = harness.serve(gateway.database_url, {
            "WEIR_TLS_CERTIFICATE": server.certificate, "WEIR_TLS_KEY": server.key, "WEIR_TLS_CLIENT_CA": self.ca,
            "WEIR_TLS_CLIENT_AUTH": mode, "WEIR_AUTH_KEYS_FILE": self.keys}, self.ours.client())
        self.token = self.gateway.token = gateway.token

    def write(self, clients, *authorities):
        with open(self.keys, "w", encoding="utf-8") as f:
            json.dump({"clients": clients}, f)
        with open(self.ca, "w", encoding="utf-8") as f:
            f.write("".join(a.text() for a in authorities))

    def reload(self, line="the files of TLS were read again"):
        before = self.gateway.log().count(line)
        os.kill(self.gateway.pid, harness.signal.SIGHUP)
        deadline = time.monotonic() + 60 * harness.SLOW
        while self.gateway.log().count(line) == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def context(self, name):
        return self.ours.client(self.certificates[name] if isinstance(name, str) else name)

    def client(self, name, token=""):
        return harness.Client(self.gateway, token, context=self.context(name))

    def status(self, name, method="GET", target="/v1/streams", body=None, token=""):
        """The status; 0: the connection was refused."""
        client = self.client(name, token)
        try:
            return client.request(method, target, body).status
        except DENIED:
            return 0
        finally:
            client.close()

    def stop(self):
        assert self.gateway.stop() == 0
        harness.remove(self.gateway)


@pytest.fixture(scope="module", params=["optional", "required"])
def rig(request, gateway, authorities, certificates):
    one = Rig(gateway, authorities, certificates, request.param, f"server-{request.param}")
    one.required = request.param == "required"
    yield one
    one.stop()


@pytest.fixture
def own(gateway, authorities, certificates, request):
    one = Rig(gateway, authorities, certificates, "optional", f"server-{request.node.name[:40]}")
    yield one
    one.stop()


EVENT = {"type": "A"}


@pytest.mark.parametrize("name, refused", [("none", None), ("expired", True), ("early", True), ("foreign", True), ("server", True),
                                           ("nobody", False), ("almost", False), ("turned", False), ("common-name", False)])
def test_whom_nobody_vouches_for_or_knows_has_no_rights(rig, name, refused):
    refused = rig.required if refused is None else refused
    assert rig.status(name) == (0 if refused else 401)
    assert rig.status(name, token=rig.token) == (0 if refused else 200)      # a token does not mend the connection
    assert rig.status(name, target="/healthz") == (0 if refused else 200)


def test_who_is_listed_by_subject_dns_name_or_uri_may_what_stands_there(rig, gateway, stream):
    admin = harness.Client(gateway)
    billing, ledger = f"billing.{stream}-{rig.required}".lower(), "ledger"
    admin.create(billing)
    admin.post(harness.events_path(ledger), EVENT).expect(201)
    path = harness.events_path
    matrix = {"subject": {("POST", billing): 201, ("GET", billing): 200, ("POST", ledger): 403, ("GET", ledger): 403},
              "dns": {("POST", billing): 403, ("GET", billing): 200, ("POST", ledger): 403, ("GET", ledger): 200},
              "uri": {("POST", billing): 403, ("GET", billing): 403, ("POST", ledger): 201, ("GET", ledger): 200}}
    for name, rows in matrix.items():
        client = rig.client(name)
        for (method, target), status in rows.items():
            client.request(method, path(target), EVENT if method == "POST" else None).expect(status)
        client.close()


def test_a_token_wins_over_the_certificate(rig):
    assert rig.status("subject", target="/v1/streams/ledger/events") == 403
    assert rig.status("subject", target="/v1/streams/ledger/events", token=rig.token) == 200
    assert rig.status("subject", token=harness.mint(ttl=-3600)) == 401       # also when it is no good


def test_refusals_are_counted_and_told_by_an_alert(rig):
    def count():
        text = rig.client("subject", rig.token).get("/metrics").body.decode()
        return int(text.split("\nweir_tls_client_certificates_refused_total ")[1].split()[0])

    before = count()
    for name in ("foreign", "expired", "none") if rig.required else ("foreign", "expired"):
        connection = socket.create_connection((rig.gateway.host, rig.gateway.port), 60 * harness.SLOW)
        with pytest.raises(ssl.SSLError, match="(?i)alert"):     # in TLS 1.3 the client learns it when it reads
            rig.context(name).wrap_socket(connection, server_hostname=rig.gateway.host).recv(1)
        connection.close()
    assert count() == before + 2 + rig.required


def test_a_reload_takes_rights_and_authorities_away_from_open_connections_too(own, stream, gateway):
    name = f"billing.{stream}"
    harness.Client(gateway).create(name)
    client, other = own.client("subject"), own.client("dns")
    client.post(harness.events_path(name), EVENT).expect(201)
    other.get(harness.events_path(name)).expect(200)
    kept = client.connection
    readers = [harness.EventStream(own.gateway, name, token="", context=own.context(c)) for c in ("subject", "dns")]
    for reader in readers:
        reader.up_to_date()

    own.write([{**CLIENTS[0], "scope": "subscribe:billing.*"}], own.ours)    # less for one, nothing for the other
    own.reload()
    client.post(harness.events_path(name), EVENT).expect(403)
    client.get(harness.events_path(name)).expect(200)
    other.get(harness.events_path(name)).expect(401)
    assert client.connection is kept
    assert readers[1].end()[-1].event == "bye"

    own.write(CLIENTS, own.foreign)                                          # another authority
    own.reload()
    answer = client.get(harness.events_path(name)).expect(401)
    assert "not accepted any more" in answer.json()["detail"]
    assert readers[0].end()[-1].event == "bye"
    assert own.status("subject") == 0 and own.status("foreign") in (200, 403)

    with open(own.keys, "w", encoding="utf-8") as f:
        f.write('{"clients":[{"subject":"CN=x","scope":"publish"}]}')
    own.reload("those read before stay in force")
    assert own.status("foreign", target=harness.events_path(name)) == 200
    for reader in readers:
        reader.close()


def test_connection_and_stream_end_with_the_certificate(own, stream, gateway):
    name = f"billing.{stream}"
    harness.Client(gateway).create(name)

    def ends(seconds):
        began = time.monotonic()
        short = own.ours.sign("short", "/O=Example/CN=billing", ends=seconds)
        client = own.client(short)
        try:
            answer = client.get(harness.events_path(name))
            with harness.EventStream(own.gateway, name, token="", context=own.context(short)) as reader:
                if time.monotonic() - began > seconds - 1.5:        # certificates know whole seconds
                    return False
                reader.up_to_date()
                assert reader.end(seconds + 30)[-1].event == "bye"
        except DENIED:
            assert time.monotonic() - began > seconds - 1.5
            return False
        answer.expect(200)
        assert seconds - 3 < time.monotonic() - began < seconds + 25
        time.sleep(1.1)
        answer = client.get(harness.events_path(name)).expect(401)
        assert answer.json()["detail"].startswith("The client certificate has expired")
        assert own.status(short) == 0
        client.close()
        return True

    harness.in_time(ends, 5)


BROKEN_LISTS = [
    ({}, "clients is not an array"),
    ([7], "it is not an object"),
    ([{"subject": "CN=a"}], "it has scope and one of"),
    ([{"scope": "publish:*"}], "it has scope and one of"),
    ([{"dns": "a", "uri": "b", "scope": "publish:*"}], "it has scope and one of"),
    ([{"dns": "a", "scope": "publish:*", "more": 1}], "it has scope and one of"),
    ([{"dns": "", "scope": "publish:*"}], "it has scope and one of"),
    ([{"subject": "billing", "scope": "publish:*"}], "distinguished name"),
    ([{"dns": "a", "scope": "pubish:*"}], "scope is a list"),
    ([{"dns": "a", "scope": "publish:* openid"}], "scope is a list"),
    ([{"dns": "a", "scope": "publish:*  subscribe:*"}], "scope is a list"),
    ([{"dns": "a", "scope": "publish:"}], "scope is a list"),
    ([{"dns": "a", "scope": "publish:*"}, {"dns": "A", "scope": "publish:*"}], "another entry has this name"),
]


def test_a_list_that_says_something_else_is_refused(own):
    for clients, sentence in BROKEN_LISTS:
        own.write(clients, own.ours)
        own.reload("those read before stay in force")
        last = [line for line in own.gateway.log().splitlines() if "stay in force" in line][-1]
        assert sentence in json.loads(last)["why"]
