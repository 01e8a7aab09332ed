"""Slow clients: who is slow to send is cut with 408, who takes nothing is cut too; nobody else notices, nothing is kept for them."""
import contextlib
import re
import socket
import time

import harness
import pytest

REQUEST_SECONDS, IDLE_SECONDS = 1 * harness.SLOW, 1 * harness.SLOW
CROWD = 60
GREETING = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"s" * 2000
BIG = "x" * 200_000


@pytest.fixture(scope="module")
def server(gateway):
    one = harness.serve(gateway.database_url, {
        "WEIR_HTTP_REQUEST_TIMEOUT": f"{REQUEST_SECONDS}s", "WEIR_HTTP_IDLE_TIMEOUT": f"{IDLE_SECONDS}s",
        "WEIR_TAIL_RING_BYTES": "1MiB", "WEIR_TAIL_MEMORY": "4MiB", "WEIR_READ_PAGE_BYTES": "1MiB"})
    one.token = gateway.token
    yield one
    assert one.stop() == 0
    harness.remove(one)


@contextlib.contextmanager
def crowd(server, size=CROWD, receive=None):
    """Open connections; `receive` makes the room for what they do not take small."""
    sockets = []
    try:
        for _ in range(size):
            s = socket.socket()
            sockets.append(s)
            if receive:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            s.settimeout(60 * harness.SLOW)
            s.connect((server.host, server.port))
        yield sockets
    finally:
        for s in sockets:
            s.close()


def asked(server, target):
    """By a connection of its own, because this server closes idle ones soon."""
    client = harness.Client(server)
    try:
        return harness.patiently(lambda: client.get(target), IDLE_SECONDS)
    finally:
        client.close()


def write(server, stream, *data):
    """Makes the stream and publishes these, each by a connection of its own."""
    client = harness.Client(server)
    calls = [lambda: client.put(f"/v1/streams/{stream}", {}), *(
        lambda one=one: client.publish(stream, {"type": "A", "data": one}) for one in data)]
    for call in calls:
        harness.patiently(call, IDLE_SECONDS)
        client.close()


def gauge(server, name):
    text = asked(server, "/metrics").expect(200).body.decode()
    return int(re.search(rf"^{name} (\d+)", text, re.M)[1])


def connections(server):
    return gauge(server, "weir_http_connections") - 1     # without that which asks


def within(seconds, holds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def resident(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1]) * 1024


def body_begun(server, stream, framing):
    return (f"POST /v1/streams/{stream}/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {server.token}\r\n{framing}\r\n\r\n").encode()


def slow_ways(server, stream):
    """What is sent at once, and what then comes byte by byte: in the request line, a header, a body, chunks."""
    return [(b"", b"G" * 3000), (GREETING[:40], GREETING[40:]),
            (body_begun(server, stream, "Content-Length: 3000"), b" " * 3000),
            (body_begun(server, stream, "Transfer-Encoding: chunked"), b"1\r\n \r\n" * 500)]


def poke(s, byte):
    """Sends a byte; what came back if the server has cut the connection, else None."""
    try:
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            return s.recv(4096)
        s.settimeout(60)
        s.send(byte)
        s.setblocking(False)
        return s.recv(4096)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def trickle(sockets, rests, began, seconds, between):
    """A byte on every connection every 100 ms, and a call of between(). When each was seen to be cut, and with what answer."""
    cut, at = {}, 0
    while len(cut) < len(sockets) and time.monotonic() - began < seconds:
        for i, s in enumerate(sockets):
            answer = None if i in cut else poke(s, rests[i][at:at + 1])
            if answer is not None:
                cut[i] = (time.monotonic() - began, answer)
        at += 1
        between()
        time.sleep(0.1)
    return cut


def test_who_is_slow_to_send_is_cut_and_slows_nobody(server, stream):
    ways = slow_ways(server, stream)
    client, took = harness.Client(server), []
    write(server, stream)

    def median():
        return sorted(took)[len(took) // 2]

    def ordinary():
        client.close()                           # this server closes idle connections soon
        began = time.monotonic()
        harness.patiently(lambda: client.publish(stream, {"type": "A"}), IDLE_SECONDS)
        took.append(time.monotonic() - began)

    for _ in range(11):
        ordinary()
    usual = median()
    took.clear()
    with crowd(server) as sockets:
        began = time.monotonic()
        for i, s in enumerate(sockets):
            s.sendall(ways[i % len(ways)][0])
        cut = trickle(sockets, [ways[i % len(ways)][1] for i in range(CROWD)], began, 60 * REQUEST_SECONDS, ordinary)
    client.close()
    assert len(cut) == CROWD
    for way in range(len(ways)):
        mine = [seen for i, seen in cut.items() if i % len(ways) == way]
        assert all(seconds > REQUEST_SECONDS * 0.9 for seconds, _ in mine), (way, mine)
        told = [answer for _, answer in mine if answer.startswith(b"HTTP/1.1 408 ") and b"Connection: close" in answer]
        assert len(told) > len(mine) / 2, (way, mine)      # the rest had a byte on its way: a reset overtook the answer
    assert median() < 0.5 * harness.SLOW + 5 * usual, (took, usual)


def test_who_sends_nothing_is_cut(server):
    began = time.monotonic()
    with crowd(server) as sockets:
        for s in sockets:
            assert s.recv(1) == b""
        assert time.monotonic() - began > IDLE_SECONDS * 0.5


def test_event_streams_that_nobody_reads_are_cut_and_cost_nothing(server, stream):
    write(server, stream)
    ask = (f"GET /v1/streams/{stream}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
           f"Authorization: Bearer {server.token}\r\n\r\n").encode()
    with crowd(server, receive=4096) as sockets:
        for s in sockets:
            s.sendall(ask)
        within(60 * harness.SLOW, lambda: connections(server) >= CROWD)
        before = resident(server)
        write(server, stream, *([n, BIG] for n in range(40)))      # 8 MB a reader, 480 MB in all if it were kept for them
        grown = resident(server) - before
        within(60 * harness.SLOW, lambda: connections(server) <= 1)
    assert harness.SLOW > 1 or grown < 96 << 20, f"{grown >> 20} MiB"
    assert len(asked(server, harness.events_path(stream, limit=1)).expect(200).json()["events"]) == 1


def test_pages_that_nobody_takes_are_dropped_with_their_connection(server, stream):
    write(server, stream, *([n, BIG] for n in range(30)))
    ask = (f"GET {harness.events_path(stream, limit=1000)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n\r\n"
           ).encode()
    with crowd(server, size=20, receive=4096) as sockets:
        for s in sockets:
            s.sendall(ask * 5)                           # pipelined: none of the later ones may be worked on meanwhile
        assert all(s.recv(4096).startswith(b"HTTP/1.1 200 ") for s in sockets)
        within(60 * harness.SLOW, lambda: connections(server) == 0)


def test_a_reader_that_is_slow_but_goes_on_gets_everything(server, stream):
    write(server, stream, *([n, BIG] for n in range(3)))
    ask = (f"GET {harness.events_path(stream)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {server.token}\r\n\r\n"
           ).encode()

    def taken():
        """What came, and the longest time in which nothing did."""
        got, silent = b"", 0
        with crowd(server, size=1, receive=8192) as (s,), contextlib.suppress(ConnectionResetError):
            s.sendall(ask)
            began = last = time.monotonic()
            while piece := s.recv(16384):
                got += piece
                time.sleep(IDLE_SECONDS / 30)
                silent, last = max(silent, time.monotonic() - last), time.monotonic()
            assert silent > IDLE_SECONDS * 0.8 or time.monotonic() - began > IDLE_SECONDS    # slower than the timeout as a whole
        return got, max(silent, time.monotonic() - last)

    for _ in range(10):                                  # a machine that stands still is silent for too long
        got, silent = taken()
        if silent < IDLE_SECONDS * 0.8:
            break
    length = int(re.search(rb"Content-Length: (\d+)", got)[1])
    assert length == len(got.partition(b"\r\n\r\n")[2]) > 3 * len(BIG)


def test_unfinished_bodies_are_bounded_all_together(gateway, stream):
    """Three of four fit; while they wait, large requests are refused and small ones are not; then there is room again."""
    server = harness.serve(gateway.database_url, {"WEIR_HTTP_BODY_MEMORY": "4MiB", "WEIR_PUBLISH_REQUEST_BYTES": "2MiB"})
    client = harness.Client(server, gateway.token)
    server.token = gateway.token
    client.create(stream)
    body = b'{"type":"A"}' + b" " * 1_300_000

    def large():
        return client.post(f"/v1/streams/{stream}/events", body)

    try:
        with crowd(server, size=4) as sockets:
            for i, s in enumerate(sockets):      # one after the other: of two that meet at the bound both may be refused
                s.sendall(body_begun(server, stream, f"Content-Length: {len(body)}") + body[:-1])
                held = min(i + 1, 3) * (len(body) - 1)
                within(60 * harness.SLOW, lambda held=held: gauge(server, "weir_http_body_bytes") == held)
            assert large().problem(429, "overloaded") and large().headers["retry-after"]
            client.publish(stream, {"type": "B"})
            answers = []
            for s in sockets:
                s.sendall(body[-1:])
                answers.append(s.recv(4096)[9:12])
            assert answers == [b"201", b"201", b"201", b"429"]
        large().expect(201)
        within(60 * harness.SLOW, lambda: gauge(server, "weir_http_body_bytes") == 0)
        client.close()
        assert server.stop() == 0
        assert len(harness.Client(gateway).read_all(stream)) == 5
    finally:
        harness.remove(server)
