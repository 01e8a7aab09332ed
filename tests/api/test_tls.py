"""TLS: what works over plain HTTP works over it, files are read again while it runs, and nobody can hold it up with half a handshake."""
import json
import os
import shutil
import signal
import socket
import ssl
import threading
import time

import harness
import pki
import pytest

TIMEOUT = 1                                      # http.request_timeout here, in seconds


@pytest.fixture(scope="module")
def authority():
    directory = harness.scratch("pki-")
    return pki.Authority(directory, "authority")


@pytest.fixture(scope="module")
def pair(authority):
    return authority.server()


def settings(pair, **more):
    return {"WEIR_TLS_CERTIFICATE": pair.certificate, "WEIR_TLS_KEY": pair.key, **more}


@pytest.fixture
def start(gateway, authority, pair):
    """start(SETTING=…) serves TLS on the shared database until the test ends; it must end well."""
    started = []

    def begin(files=pair, **more):
        started.append(harness.serve(gateway.database_url, settings(files, **more), authority.client()))
        started[-1].token = gateway.token
        return started[-1]

    yield begin
    for one in started:
        assert one.stop() == 0
        harness.remove(one)


@pytest.fixture(scope="module")
def secure(gateway, authority, pair):
    one = harness.serve(gateway.database_url, settings(pair, WEIR_HTTP_KEEPALIVE="1s", WEIR_COMMIT_WAIT="30s"), authority.client())
    one.token = gateway.token
    yield one
    assert one.stop() == 0
    harness.remove(one)


def until(wanted, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def metric(gateway, name):
    text = harness.Client(gateway).get("/metrics").expect(200).body.decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def tls_socket(gateway, context=None):
    raw = socket.create_connection((gateway.host, gateway.port), 60 * harness.SLOW)
    return (context or gateway.context).wrap_socket(raw, server_hostname=gateway.host)


def received(connection):
    """All until the end, however it comes."""
    got = b""
    try:
        while chunk := connection.recv(65536):
            got += chunk
    except (OSError, ssl.SSLError):
        pass
    return got


# --- the protocol -----------------------------------------------------------------------------------------------------------
def test_publish_read_long_poll_and_event_streams_work_by_tls_1_3(secure, stream, subscribe):
    assert secure.url.startswith("https://127.0.0.1:")
    client = harness.Client(secure)
    client.create(stream)
    assert client.connection.sock.version() == "TLSv1.3" and client.connection.sock.selected_alpn_protocol() == "http/1.1"
    first = client.publish(stream, {"type": "A", "data": 1})
    assert [e["id"] for e in client.read(stream)["events"]] == [first["id"]]
    reader = subscribe(stream, gateway=secure)
    reader.up_to_date()
    waited = {}
    poll = threading.Thread(target=lambda: waited.update(harness.Client(secure).read(stream, after=first["cursor"], wait="60s")))
    poll.start()
    time.sleep(0.3)
    second = client.publish(stream, {"type": "B"})
    assert reader.events(1)[0][1]["id"] == second["id"]
    poll.join()
    assert [e["id"] for e in waited["events"]] == [second["id"]]
    reader.until(lambda b: b.comment is not None)            # a keep-alive, seconds later


def test_large_bodies_pass_both_ways(secure, stream):
    client = harness.Client(secure)
    client.create(stream)
    events = [{"type": "A", "data": f"{n:02}" + "x" * 1_000_000} for n in range(15)]
    client.publish(stream, events, timeout=60)
    assert [e["data"] for e in client.read_all(stream)] == [e["data"] for e in events]


def test_two_hundred_event_streams_at_once(secure, stream, subscribe):
    client = harness.Client(secure)
    client.create(stream)
    readers = [subscribe(stream, gateway=secure) for _ in range(200)]
    for reader in readers:
        reader.up_to_date(60)
    sent = client.publish(stream, [{"type": "A"} for _ in range(5)])
    for reader in readers:
        assert [event["id"] for _, event in reader.events(5, 60)] == [receipt["id"] for receipt in sent]


def test_older_versions_are_refused_unless_they_are_allowed(secure, start, authority):
    old = authority.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):
        tls_socket(secure, old)
    with tls_socket(start(WEIR_TLS_MIN_VERSION="1.2"), old) as connection:
        assert connection.version() == "TLSv1.2"


@pytest.mark.parametrize("data", [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\0" * 600,
                                  b"\x15\x03\x03\x00\x02\x02\x28"], ids=["http", "too-long", "zeros", "alert"])
def test_what_is_no_tls_gets_no_http_answer(secure, data):
    with socket.create_connection((secure.host, secure.port), 60 * harness.SLOW) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass                                 # cut before all was sent
        assert b"HTTP" not in received(connection)
    harness.Client(secure).get("/healthz").expect(200)


def client_records(gateway, request):
    """A TLS connection by hand: (socket, a function that decrypts, the records of the request)."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = gateway.context.wrap_bio(incoming, outgoing, server_hostname=gateway.host)
    raw = socket.create_connection((gateway.host, gateway.port), 60 * harness.SLOW)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))
    raw.sendall(outgoing.read())
    tls.write(request)

    def answer():
        while True:
            try:
                return tls.read(65536)
            except ssl.SSLWantReadError:
                got = raw.recv(65536)
                incoming.write(got) if got else incoming.write_eof()
            except ssl.SSLError:
                return b""                       # refused, or cut without a word
    return raw, answer, outgoing.read()


def test_records_that_come_in_pieces_are_put_together(secure):
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for cut in (1, 4, 5, 6, 20):
        raw, answer, records = client_records(secure, request)
        with raw:
            raw.sendall(records[:cut])
            time.sleep(0.02)
            raw.sendall(records[cut:])
            assert answer().startswith(b"HTTP/1.1 200 ")


def test_a_connection_that_is_dropped_within_a_record_harms_nobody(secure):
    for cut in range(1, 40, 3):
        raw, _, records = client_records(secure, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.sendall(records[:cut])
        raw.close()
    raw, answer, records = client_records(secure, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    with raw:                                    # a record that was changed on its way
        raw.sendall(records[:-1] + bytes([records[-1] ^ 1]))
        assert answer() == b""
    harness.Client(secure).get("/healthz").expect(200)


# --- slow and idle clients -----------------------------------------------------------------------------------------------------
def test_handshakes_that_never_finish_are_cut_while_others_are_served(start):
    slow = start(WEIR_HTTP_REQUEST_TIMEOUT=f"{TIMEOUT}s")
    idle = harness.Client(slow)
    idle.get("/healthz").expect(200)
    kept = idle.connection
    hello, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        slow.context.wrap_bio(hello, outgoing, server_hostname="x").do_handshake()
    first = outgoing.read()
    half = [socket.create_connection((slow.host, slow.port), 60 * harness.SLOW) for _ in range(60)]
    for n, connection in enumerate(half):
        connection.sendall((b"", first[:100], first)[n % 3])
    began = time.monotonic()
    while time.monotonic() - began < 2 * TIMEOUT:
        harness.patiently(lambda: harness.Client(slow).get("/healthz").expect(200), TIMEOUT)
    for connection in half:
        received(connection)                     # to its end
        connection.close()
    assert time.monotonic() - began < 60 * harness.SLOW
    assert harness.patiently(lambda: metric(slow, "weir_tls_handshakes_failed_total"), TIMEOUT) >= 60
    idle.get("/healthz").expect(200)             # idleness is no slowness: the same connection
    assert idle.connection is kept


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_handshakes_that_wait_cost_nothing_and_go_on_when_bytes_come(secure):
    pending = []
    for n in range(60):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = secure.context.wrap_bio(incoming, outgoing, server_hostname=secure.host)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        raw = socket.create_connection((secure.host, secure.port), 60 * harness.SLOW)
        raw.sendall(hello[:n * 4])
        pending.append((raw, tls, incoming, outgoing, hello[n * 4:]))
    time.sleep(0.2)
    before = cpu_seconds(secure.pid)
    time.sleep(1.5)
    assert cpu_seconds(secure.pid) - before < 0.2 * harness.SLOW
    for raw, tls, incoming, outgoing, rest in pending:
        raw.sendall(rest)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        tls.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw.sendall(outgoing.read())
        while got := raw.recv(65536):
            incoming.write(got)
        assert tls.read(100).startswith(b"HTTP/1.1 200 ")
        raw.close()


def test_a_request_that_is_late_is_told_so_within_tls(start):
    slow = start(WEIR_HTTP_REQUEST_TIMEOUT=f"{TIMEOUT}s")
    with tls_socket(slow) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x")
        assert received(connection).startswith(b"HTTP/1.1 408 ")


def test_sigterm_ends_streams_with_bye_and_half_handshakes_do_not_hold_it_up(start, stream, subscribe):
    other = start(WEIR_HTTP_DRAIN_TIMEOUT="100s")
    client = harness.Client(other)
    client.create(stream)
    readers = [subscribe(stream, gateway=other) for _ in range(20)]
    positions = [reader.up_to_date()[-1].id for reader in readers]
    half = [socket.create_connection((other.host, other.port), 60) for _ in range(10)]
    client.get("/healthz").expect(200)
    began = time.monotonic()
    other.terminate()
    for reader, position in zip(readers, positions):
        last = reader.end()[-1]
        assert last.event == "bye" and last.id == position
    assert other.stop() == 0
    assert time.monotonic() - began < 60
    for connection in half:
        connection.close()


# --- reload -----------------------------------------------------------------------------------------------------------------
def in_place(directory, pair):
    """The pair's files under names that stay."""
    fixed = pki.Pair(os.path.join(directory, "live"))
    for source, target in ((pair.certificate, fixed.certificate), (pair.key, fixed.key)):
        shutil.copy(source, target + ".new")
        os.replace(target + ".new", target)
    return fixed


def shown(gateway):
    """The certificate that a new connection is shown."""
    with tls_socket(gateway) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True))


def reload(gateway, line):
    before = gateway.log().count(line)
    os.kill(gateway.pid, signal.SIGHUP)
    until(lambda: gateway.log().count(line) > before)


READ = "the files of TLS were read again"
BROKEN = "those read before stay in force"


def test_new_files_are_taken_under_load_without_one_failed_request(start, authority, pair):
    directory = harness.scratch("live-")
    pairs = [pair, authority.server("second")]
    live = start(in_place(directory, pair))
    done, failed, stop = [], [], threading.Event()

    def load(keep):
        client = harness.Client(live, check=False)
        while not stop.is_set():
            try:
                client.get("/healthz").expect(200)
                done.append(keep)
            except (OSError, AssertionError, harness.http.client.HTTPException) as error:
                failed.append(error)
            if not keep:
                client.close()

    threads = [threading.Thread(target=load, args=(n % 2 == 0,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for n in range(1, 9):
        in_place(directory, pairs[n % 2])
        reload(live, READ)
        assert shown(live).strip() == pairs[n % 2].text().strip()
    until(lambda: failed or len(done) > 100 and {True, False} == set(done))
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed


def test_broken_files_are_told_in_the_log_and_change_nothing(start, authority, pair):
    directory = harness.scratch("live-")
    live = start(in_place(directory, pair))
    fixed = pki.Pair(os.path.join(directory, "live"))
    other = authority.server("third")
    for certificate, key in ((other.certificate, pair.key), ("/dev/null", pair.key), (pair.certificate, "/dev/null")):
        shutil.copy(certificate, fixed.certificate)
        shutil.copy(key, fixed.key)
        reload(live, BROKEN)
        assert shown(live).strip() == pair.text().strip()
    os.remove(fixed.certificate)
    reload(live, BROKEN)
    assert "PRIVATE KEY-----\\n" not in live.log()
    in_place(directory, other)
    reload(live, READ)
    assert shown(live).strip() == other.text().strip()


def test_sighup_without_tls_ends_nothing(gateway):
    os.kill(gateway.pid, signal.SIGHUP)
    time.sleep(0.3)
    harness.Client(gateway).get("/healthz").expect(200)


@pytest.mark.parametrize("broken, sentence", [
    ({"WEIR_TLS_CERTIFICATE": "/nowhere.pem"}, r"tls\.certificate: cannot read /nowhere\.pem: No such file or directory"),
    ({"WEIR_TLS_KEY": ""}, r"tls\.certificate needs tls\.key"),
    ({"WEIR_TLS_KEY": "/dev/null"}, r"tls\.key: /dev/null holds no private key"),
    ({"WEIR_TLS_CERTIFICATE": "/dev/null"}, r"tls\.certificate: /dev/null holds no certificate"),
    ({"WEIR_TLS_CLIENT_AUTH": "required"}, r"tls\.client_auth needs tls\.client_ca"),
    ({"WEIR_TLS_CLIENT_CA": "/dev/null"}, r"tls\.client_ca is of no use"),
    ({"WEIR_TLS_CLIENT_CA": "/dev/null", "WEIR_TLS_CLIENT_AUTH": "optional"}, r"tls\.client_ca: /dev/null holds no certificate"),
])
def test_it_does_not_start_with_files_that_it_cannot_use(gateway, pair, broken, sentence):
    with pytest.raises(RuntimeError, match=sentence):
        harness.serve(gateway.database_url, settings(pair, **broken))


def test_a_key_of_another_certificate_is_refused_and_an_expired_certificate_warned_of(gateway, start, authority, pair):
    other = authority.server("other", begins=-7200, ends=-3600)
    with pytest.raises(RuntimeError, match="is not the key of the first certificate"):
        harness.serve(gateway.database_url, settings(pair, WEIR_TLS_KEY=other.key))
    expired = start(other)
    assert "the certificate has expired" in expired.log()
    with pytest.raises(ssl.SSLCertVerificationError):
        tls_socket(expired)


# --- bounds -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tls", [False, True])
def test_an_address_has_so_many_connections_and_no_more(gateway, start, tls):
    bound = {"WEIR_HTTP_ADDRESS_CONNECTIONS": "5", "WEIR_HTTP_LOOPS": "3"}
    other = start(**bound) if tls else harness.serve(gateway.database_url, bound)
    other.token = gateway.token
    for _ in range(2):                           # what has been closed counts no more, from soon after
        clients = [harness.Client(other) for _ in range(5)]
        for client in clients:
            until(lambda client=client: let_in(client))
        for _ in range(10):
            with pytest.raises((OSError, harness.http.client.HTTPException)):
                harness.Client(other).get("/healthz")
        assert clients[0].get("/metrics").expect(200).body.count(b"weir_http_address_refused_total 0\n") == 0
        for client in clients:
            client.close()
        until(lambda: not harness.raw(other, b"", 0.2) and metric_of_one(other) == 1)
    if not tls:
        assert other.stop() == 0
        harness.remove(other)


def let_in(client):
    try:
        return client.get("/healthz").expect(200)
    except (OSError, harness.http.client.HTTPException):
        return None


def metric_of_one(gateway):
    try:
        return metric(gateway, "weir_http_connections")
    except (OSError, harness.http.client.HTTPException):
        return None


def test_a_connection_ends_after_so_many_requests(gateway):
    other = harness.serve(gateway.database_url, {"WEIR_HTTP_CONNECTION_REQUESTS": "3"})
    client = harness.Client(other)
    ends = [client.get("/healthz").expect(200).headers.get("connection", "").lower() for _ in range(7)]
    assert ends == ["", "", "close", "", "", "close", ""]
    client.close()
    assert other.stop() == 0
    harness.remove(other)


def test_beyond_all_connections_the_next_one_waits_and_is_served_when_one_goes(gateway):
    other = harness.serve(gateway.database_url, {"WEIR_HTTP_CONNECTIONS": "8", "WEIR_HTTP_LOOPS": "1"})
    clients = [harness.Client(other) for _ in range(8)]
    for client in clients:
        client.get("/healthz").expect(200)
    with socket.create_connection((other.host, other.port), 60 * harness.SLOW) as waiting:
        waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.settimeout(0.5)
        with pytest.raises(TimeoutError):
            waiting.recv(100)
        clients[0].get("/healthz").expect(200)   # those inside are served on
        clients[1].close()
        waiting.settimeout(100 * harness.SLOW)
        began = time.monotonic()
        assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began < harness.WOKEN
    for client in clients:
        client.close()
    assert other.stop() == 0
    harness.remove(other)


def test_too_few_descriptors_are_told_at_start(gateway):
    other = harness.serve(gateway.database_url, {"WEIR_HTTP_CONNECTIONS": "1000000"})
    assert "fewer files may be open (ulimit -n) than http.connections needs" in other.log()
    assert json.loads(next(line for line in other.log().splitlines() if "fewer files" in line))["needed"] > 1_000_000
    assert other.stop() == 0
    harness.remove(other)
