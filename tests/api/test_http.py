"""HTTP itself: methods, headers, framing, request ids, hostile requests."""
import concurrent.futures
import http.client
import random
import re
import socket

import harness
import pytest


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/", "/v1/streams/", "/v1/streams/a/b", "//v1/streams", "/v1//streams",
                                  "/v1/streams/a/events/", "/V1/streams", "/v1/streams/../streams", "/v1/streams/a/events/x/y"])
def test_unknown_paths(client, path):
    answer = client.get(path)
    assert answer.json()["code"] in ("not-found", "bad-name"), answer
    assert answer.status == (404 if answer.json()["code"] == "not-found" else 400)


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/v1/streams", "GET HEAD"), ("POST", "/v1/streams/a", "GET HEAD PUT PATCH DELETE"),
    ("PUT", "/v1/streams/a/events", "GET HEAD POST"), ("PATCH", "/healthz", "GET HEAD"), ("POST", "/version", "GET HEAD"),
    ("DELETE", "/", "GET HEAD"),
])
def test_wrong_methods_tell_the_right_ones(client, method, path, allowed):
    answer = client.request(method, path)
    answer.problem(405, "method-not-allowed")
    got = {m.strip() for m in answer.headers["allow"].split(",")}
    assert got - {"OPTIONS"} == set(allowed.split())


def test_options_tells_the_methods_and_cors_is_off(client, stream):
    answer = client.request("OPTIONS", f"/v1/streams/{stream}/events", token="")
    assert answer.status in (200, 204) and "POST" in answer.headers["allow"]
    preflight = client.request("OPTIONS", f"/v1/streams/{stream}/events", token="", headers={
        "Origin": "https://app.example", "Access-Control-Request-Method": "GET"})
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": "https://app.example"}).headers


def test_cors_for_the_origins_of_the_configuration(gateway, stream):
    other = harness.serve(gateway.database_url, {"WEIR_HTTP_CORS_ORIGINS": "https://app.example https://b.example"})
    try:
        client = harness.Client(other, gateway.token)
        ask = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "authorization,content-type"}
        answer = client.request("OPTIONS", f"/v1/streams/{stream}/events", token="", headers=ask)
        assert answer.status in (200, 204) and answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()
        real = client.get("/v1/streams", headers={"Origin": "https://b.example"}).expect(200)
        assert real.headers["access-control-allow-origin"] == "https://b.example"
        assert "weir-cursor" in real.headers["access-control-expose-headers"].lower() and "Origin" in real.headers["vary"]
        for operation, (method, path, _) in harness.CONTRACT.operations().items():     # whatever else there is
            asked = ask | {"Access-Control-Request-Method": method}
            answer = client.request("OPTIONS", re.sub(r"{\w+}", "a", path), token="", headers=asked)
            assert answer.status == 204 and answer.headers["access-control-allow-origin"] == asked["Origin"], (operation, answer)
            assert method in answer.headers["access-control-allow-methods"].split(", "), (operation, answer)
        for origin in ("https://evil.example", "https://app.example.evil", "null"):
            headers = client.get("/v1/streams", headers={"Origin": origin}).headers
            assert "access-control-allow-origin" not in headers
    finally:
        assert other.stop() == 0
        harness.remove(other)


def test_request_ids(client):
    def asked(value):
        return client.get("/healthz", headers={"X-Request-Id": value}).headers["x-request-id"]

    assert asked("checkout-88/1") == "checkout-88/1" and asked("x" * 128) == "x" * 128
    own = {asked("x" * 129), asked("a b"), client.get("/healthz").headers["x-request-id"]}
    assert len(own) == 3 and not own & {"x" * 129, "a b"}
    problem = client.get("/nothing", headers={"X-Request-Id": "mine"})
    assert problem.headers["x-request-id"] == "mine" == problem.json()["request_id"]


def test_bodies_where_there_should_be_none_and_too_large_ones(client, stream):
    client.put(f"/v1/streams/{stream}", b" " * (1 << 21)).problem(413, "body-too-large")
    client.get("/healthz").expect(200)
    client.put(f"/v1/streams/{stream}", {}, content_type="text/plain").problem(415, "unsupported-media-type")
    client.put(f"/v1/streams/{stream}", {}).expect(201)


def test_not_acceptable(client, stream):
    client.create(stream)
    client.get(f"/v1/streams/{stream}/events", headers={"Accept": "text/html"}).problem(406, "not-acceptable")


def test_limits_of_target_and_headers(client):
    assert client.get("/v1/streams?after=" + "a" * 20000).status in (414, 431)
    assert client.get("/healthz", headers={"X-Long": "a" * 40000}).status == 431


def test_one_connection_serves_many_requests(client, stream):
    client.create(stream)
    client.publish(stream, {"type": "A"})
    port = client.connection.sock.getsockname()[1]
    for _ in range(20):
        client.publish(stream, {"type": "A"})
        client.get(f"/v1/streams/{stream}/events?limit=1").expect(200)
        client.get("/v1/streams/none").problem(404, "unknown-stream")
    assert client.connection.sock.getsockname()[1] == port


def test_events_of_one_connection_keep_their_order(client, gateway, stream):
    client.create(stream)

    def publish(writer):
        one = harness.Client(gateway)
        for n in range(40):
            one.publish(stream, {"type": "A", "data": [writer, n]})
        one.close()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(publish, range(8)))
    got = [e["data"] for e in client.read_all(stream, limit=1000)]
    assert len(got) == 320
    for writer in range(8):
        assert [n for w, n in got if w == writer] == list(range(40))


def test_pipelined_requests_are_answered_in_order(gateway):
    request = b"GET /version HTTP/1.1\r\nHost: x\r\nX-Request-Id: %d\r\n%s\r\n"
    got = harness.raw(gateway, b"".join(request % (i, b"Connection: close\r\n" if i == 9 else b"") for i in range(10)))
    assert re.findall(rb"(?i)x-request-id: (\d+)", got) == [b"%d" % i for i in range(10)]


HOST = b"Host: x\r\n"
POST = b"POST /v1/streams/hostile/events HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"


@pytest.mark.parametrize("request_bytes", [
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"Host: y\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"Bad Name: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\x01b\r\n\r\n",
    b"GET /healthz%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /healthz%zz HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http://evil/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    b"CONNECT x:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: identity\r\n\r\nabc",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 1x\r\n\r\na",
    POST + b"Content-Length : 2\r\n\r\n{}",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /healthz\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
])
def test_hostile_framing_is_refused_and_the_connection_closed(gateway, request_bytes):
    follow = b"GET /version HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n"
    got = harness.raw(gateway, request_bytes + follow, seconds=3, shut=True)
    assert b"smuggled" not in got, got
    assert got == b"" or re.match(rb"HTTP/1\.[01] [45]\d\d ", got), got


def test_the_server_lives_on_after_random_bytes(client, gateway):
    rng = random.Random(7)
    seed = POST + b"Authorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}"
    for _ in range(150):
        data = bytearray(seed)
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with socket.create_connection((gateway.host, gateway.port), 60) as s:
            s.sendall(data[:rng.randrange(1, len(data))])
    client.get("/healthz").expect(200)


def told_late(s):
    """The id of the 408 that comes, which is a problem like any other."""
    with s.makefile("rb") as answer:
        assert answer.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        headers = http.client.parse_headers(answer)
        body = answer.read()
    assert headers["Connection"] == "close" and int(headers["Content-Length"]) == len(body) and headers["Date"]
    late = harness.Answer(408, headers.items(), body)
    harness.CONTRACT.check("GET", "/healthz", 408, late.headers, body)
    assert late.problem(408, "request-timeout")["request_id"] == headers["X-Request-Id"]
    return headers["X-Request-Id"]


def test_a_slow_request_times_out(gateway):
    other = harness.serve(gateway.database_url, {"WEIR_HTTP_REQUEST_TIMEOUT": "500ms"})
    try:
        with socket.create_connection((other.host, other.port), 60) as s:
            s.sendall(b"GET /healthz HT")
            s.settimeout(60)
            made = told_late(s)
        with socket.create_connection((other.host, other.port), 60) as s:
            s.sendall(POST + b"X-Request-Id: mi\"ne\r\nContent-Length: 100\r\nAuthorization: Bearer " + gateway.token.encode() +
                      b"\r\n\r\n{")
            s.settimeout(60)
            assert told_late(s) == 'mi"ne' != made
    finally:
        assert other.stop() == 0
        harness.remove(other)
