"""Hostile requests over raw sockets: none is taken for something else, and the server serves on."""
import collections
import concurrent.futures
import re
import socket
import struct
import time

import harness
import hostile_cases as cases
import hostile_lines as lines
import pytest

CASES = (cases.FRAMING + cases.CODINGS + cases.CHUNKS + lines.HOSTS + lines.TARGETS + lines.LINES + lines.HEADERS)
STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")
AT_ONCE = 16
REQUEST_SECONDS = 1 * harness.SLOW


@pytest.fixture(scope="module")
def server(gateway):
    """A second gateway on the same database, which waits for nobody for long."""
    one = harness.serve(gateway.database_url, {"WEIR_HTTP_REQUEST_TIMEOUT": f"{REQUEST_SECONDS}s"})
    one.token = gateway.token
    client = harness.Client(gateway)
    client.create(cases.STREAM)
    client.close()
    yield one
    assert one.stop() == 0
    harness.remove(one)


def connect(server, seconds=60):
    s = socket.create_connection((server.host, server.port), seconds * harness.SLOW)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def take(s):
    """All that comes until the server ends the connection."""
    got = b""
    try:
        while piece := s.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def statuses(got):
    return " ".join(status.decode() for status in STATUS.findall(got)) or "-"


def filled(server, number, data):
    return data.replace(b"~TOKEN~", server.token.encode()).replace(b"~~~~", b"%04d" % number)


def recorded(gateway):
    """The data of all events, after what was on its way has been committed: one lane takes them in order."""
    client = harness.Client(gateway)
    client.publish(cases.STREAM, {"type": "Sync"})
    found = [e["data"] for e in client.read_all(cases.STREAM, limit=1000, type="T")]
    client.close()
    return found


def at_once(call, items):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, items))


# --- the table ------------------------------------------------------------------------------------------------------------
def attempt(server, number, case):
    """What came back; then the server must serve somebody else."""
    with connect(server) as s:
        try:
            s.sendall(filled(server, number, case.data + (cases.FOLLOW if case.follow else b"")))
        except (BrokenPipeError, ConnectionResetError):
            pass
        got = take(s)
    with connect(server) as s:
        s.sendall(lines.get(headers=cases.CLOSE))
        assert statuses(take(s)) == "200", f"the server does not serve on after {case.name}"
    return got


@pytest.fixture(scope="module")
def outcomes(server, gateway):
    """Every case once, many at a time: name → (what came back, the events recorded)."""
    got = at_once(lambda item: attempt(server, *item), enumerate(CASES))
    events = collections.defaultdict(str)
    for data in sorted(recorded(gateway)):
        events[int(data[:4])] += data[4:]
    return {case.name: (got[i], events[i]) for i, case in enumerate(CASES)}


def test_the_cases_have_names_of_their_own():
    assert len({case.name for case in CASES}) == len(CASES) > 350


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_hostile_request_means_nothing_else(outcomes, gateway, case):
    got, events = outcomes[case.name]
    assert statuses(got) in case.answers.split("|"), got[:2000]
    assert events in case.recorded.split("|")
    assert gateway.token.encode() not in got


# --- the network's whims, for a gateway that has patience -------------------------------------------------------------------
def test_a_pair_of_requests_may_be_split_at_every_byte(server, gateway):
    pair = cases.chunks(cases.CHUNKED) + cases.FOLLOW
    cuts = range(1, len(filled(gateway, 0, pair)), harness.SLOW)

    def split(cut):
        data = filled(gateway, cut, pair)
        with connect(gateway) as s:
            s.sendall(data[:cut])
            time.sleep(0.004)
            s.sendall(data[cut:])
            return statuses(take(s))

    before = collections.Counter(recorded(gateway))
    assert set(at_once(split, cuts)) == {"201 201"}
    new = collections.Counter(recorded(gateway)) - before
    assert new == collections.Counter(f"{cut:04d}{which}" for cut in cuts for which in "ab")


def test_a_request_may_come_byte_by_byte(server, gateway):
    with connect(gateway) as s:
        for byte in filled(gateway, 9999, cases.chunks(cases.CHUNKED) + lines.get(headers=cases.CLOSE)):
            s.send(bytes([byte]))
            time.sleep(0.0005)
        assert statuses(take(s)) == "201 200"


def test_many_pipelined_requests_are_answered_in_order(server):
    request = b"GET /version HTTP/1.1\r\nHost: x\r\nX-Request-Id: %d\r\n\r\n"
    data = b"".join(request % i for i in range(300)) + lines.get(headers=cases.CLOSE)
    with connect(server) as s:
        s.sendall(data)
        ids = re.findall(rb"(?i)x-request-id: (\d+)\r", take(s))
    assert ids[:300] == [b"%d" % i for i in range(300)]


RESET = struct.pack("ii", 1, 0)
PAIR = b'[{"type":"T","data":"%04d%c"},{"type":"T","data":"%04d%c"}]'


@pytest.mark.parametrize("how", ["reset", "closed"])
def test_a_request_dropped_at_each_byte_is_whole_or_nothing(server, gateway, how):
    first, second = (b"c", b"d") if how == "reset" else (b"e", b"f")

    def data(cut):
        body = PAIR % (cut, first, cut, second)
        return filled(server, 0, cases.post(b"Content-Length: %d\r\n" % len(body), body))

    def drop(cut):
        with connect(server) as s:
            s.sendall(data(cut)[:cut])
            if cut % 2:
                time.sleep(0.003)
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    whole = len(data(0))
    at_once(drop, range(0, whole, harness.SLOW))
    at_once(drop, [whole] * 20)
    kinds = {first.decode(), second.decode()}
    found = collections.Counter(d for d in recorded(gateway) if d[4] in kinds)
    assert all(int(d[:4]) == whole for d in found), "a request that was not whole has been recorded"
    assert found[f"{whole:04d}{first.decode()}"] == found[f"{whole:04d}{second.decode()}"] <= 20
    assert harness.Client(server).get("/healthz").status == 200


def test_a_client_that_half_closes_is_recorded_once_at_most(server, gateway):
    def half(number):
        with connect(server) as s:
            s.sendall(filled(server, number, cases.post().replace(b"a\"}", b"h\"}")))
            s.shutdown(socket.SHUT_WR)
            return statuses(take(s))

    answers = at_once(half, range(40))
    found = collections.Counter(d for d in recorded(gateway) if d[4] == "h")
    assert set(answers) <= {"201", "-"} and max(found.values(), default=0) <= 1
    assert all(found[f"{i:04d}h"] == 1 for i, status in enumerate(answers) if status == "201")


def test_an_expectation_is_answered_before_the_body_is_sent(server, gateway):
    with connect(gateway) as s:
        s.sendall(filled(gateway, 9998, cases.post(cases.CL + b"Expect: 100-continue\r\n" + cases.CLOSE, b"")))
        assert s.recv(65536).startswith(b"HTTP/1.1 100 ")
        s.sendall(filled(gateway, 9998, cases.BODY))
        assert statuses(take(s)) == "201"
    refused = cases.post(b"Content-Length: 99999999\r\nExpect: 100-continue\r\n", b"")
    with connect(server) as s:
        s.sendall(filled(server, 9998, refused))
        assert statuses(take(s)) == "413"
