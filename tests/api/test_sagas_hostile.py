"""Services that answer with what no service should: each saga ends as it must, tells what came, and no gateway or neighbour is harmed."""
import contextlib
import json
import socket
import threading
import time
from datetime import datetime, timedelta

import harness
import pytest
import sagas

TRIES, TIMEOUT = 2, "20s"        # every service ends what it says by itself
ENDS = ("completed", "compensated", "failed")


def http(status, body=b"", *headers, length=None):
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def ok(body, *headers):
    return http(200, body, "Content-Type: application/json", *headers)


ANY = object()
# name → (bytes of each answer, how the saga ends, its step's result)
ANSWERS = {
    "a character that no text of PostgreSQL holds": (ok(rb'{"a":"\u0000"}'), "completed", {"a": "\0"}),
    "half a surrogate pair": (ok(rb'{"a":"\ud800"}'), "completed", ANY),
    "bytes that are no UTF-8": (http(200, b"\xff\xfe\0\x80", "Content-Type: text/plain"), "completed", ANY),
    "JSON that is none": (ok(b'{"a":'), "completed", '{"a":'),
    "a text": (http(200, b"done", "Content-Type: text/plain"), "completed", "done"),
    "nothing": (http(204), "completed", None),
    "an empty body": (ok(b""), "completed", None),
    "numbers that no double holds": (ok(b'{"n":12345678901234567890123,"e":1e999}'), "completed", ANY),
    "the same member twice": (ok(b'{"a":1,"a":2}'), "completed", ANY),
    "deep nesting": (ok(b"[" * 30000 + b"]" * 30000), "completed", ANY),
    "deep nesting that does not end": (ok(b"[" * 60000), "completed", ANY),
    "more than anybody wants": (ok(b'"' + b"x" * 3_000_000 + b'"'), ANY, ANY),
    "hundreds of interim answers": (b"HTTP/1.1 100 Continue\r\n\r\n" * 300 + ok(b"1"), ANY, ANY),
    "a million bytes of headers": (ok(b"1", *[f"X-{n}: {'y' * 1000}" for n in range(1000)]), ANY, ANY),
    "a compressed body": (ok(b"\x1f\x8b\x08\0\0\0\0\0", "Content-Encoding: gzip"), ANY, ANY),
    "what is no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "compensated", None),
    "nothing at all": (b"", "compensated", None),
    "less than it promises": (ok(b'{"a":1}')[:-3], "compensated", None),
    "a redirect": (http(307, b"", "Location: http://127.0.0.1:1/elsewhere"), "compensated", None),
    "no rights": (http(401, b"{}"), "compensated", None),
    "a status out of all bounds": (http(999, b"{}"), "compensated", None),
    "a pause before time began": (http(429, b"{}", "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"), "compensated", None),
    "a pause of less than nothing": (http(503, b"{}", "Retry-After: -5"), "compensated", None),
    "a pause that is no number": (http(503, b"{}", "Retry-After: soon"), "compensated", None),
    "two lengths": (ok(b'{"a":1}', "Content-Length: 3"), ANY, ANY),
    "a refusal that is no JSON": (http(422, b"<html>\xff", "Content-Type: text/html"), "compensated", None),
}


class Service(threading.Thread):
    """Reads a request, sends these bytes, closes; many at once. What it has got is in `got`."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, self.got, self.socket = answer, [], socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.start()

    def run(self):
        while self.socket.fileno() >= 0:
            with contextlib.suppress(OSError):       # of one that left before it was let in, too
                threading.Thread(target=self.serve, args=self.socket.accept()[:1], daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(100)
            got = b""
            while not whole(got):
                chunk = connection.recv(65536)
                if not chunk:
                    return
                got += chunk
            self.got.append(got)
            answer = self.answer(got) if callable(self.answer) else self.answer
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while connection.recv(65536):    # until the caller has seen the end
                    pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def whole(got):
    head, found, body = got.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return bool(found) and len(body) >= length


@pytest.fixture
def service():
    running = []

    def serve(answer):
        running.append(Service(answer))
        return running[-1]

    yield serve
    for one in running:
        one.close()


def call(service, **more):
    return {"http": {"method": "POST", "url": f"{service}/x", "body": {"id": "{{saga.id}}"}, **more}}


def steps(service, undo, **more):
    return {"steps": [{"name": "only", "action": call(service, **more), "compensation": call(undo), "timeout": TIMEOUT,
                       "retry": {"initial": "10ms", "max": "10ms", "max_attempts": TRIES}}]}


def ended(client, saga, instance, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while True:
        found = client.get(f"/v1/sagas/{saga}/instances/{instance}").expect(200).json()
        if found["state"] in ENDS:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_whatever_services_answer_each_saga_ends(client, stream, service):
    undo = service(ok(b"{}"))
    for n, (answer, _, _) in enumerate(ANSWERS.values()):
        client.put(f"/v1/sagas/{stream}.{n}", steps(service(answer).url, undo.url)).expect(201)
        client.post(f"/v1/sagas/{stream}.{n}/instances", {"id": "one", "input": {}}).expect(201)
    for n, (name, (_, state, result)) in enumerate(ANSWERS.items()):
        found = ended(client, f"{stream}.{n}", "one")
        if state is not ANY:
            assert found["state"] == state, (name, found)
        if result is not ANY and found["state"] == "completed":
            assert found["steps"][0].get("result") == result, (name, found)
        client.get(f"/v1/sagas/{stream}.{n}/instances/one/history").expect(200)


def test_a_pause_of_ages_is_an_hour_and_can_be_cut_short_by_hand(client, stream, service):
    patient = service(http(503, b"{}", "Retry-After: 99999999999999999999"))
    client.put(f"/v1/sagas/{stream}", steps(patient.url, service(ok(b"{}")).url)).expect(201)
    client.post(f"/v1/sagas/{stream}/instances", {"id": "one", "input": {}}).expect(201)
    waiting = sagas.step(sagas.until(client, stream, "one", lambda it: sagas.step(it, "only")["status"] == "ready" and
                                     sagas.step(it, "only")["attempts"] == 1), "only")
    pause = datetime.fromisoformat(waiting["due"]) - datetime.fromisoformat(waiting["begun"])
    assert timedelta(hours=1) <= pause < timedelta(hours=1, minutes=10) and len(patient.got) == 1, waiting
    client.post(f"/v1/sagas/{stream}/instances/one/retry", {"step": "only"}).expect(200)
    assert ended(client, stream, "one")["state"] == "compensated"
    assert len(patient.got) == TRIES


HOSTILE = {"path": "a/b?x=1#y", "host": "@evil.example:1/", "crlf": "a\r\nX-Evil: 1", "braces": "{{saga.name}} {{secret.key}}",
           "quote": '"},"x":{"', "unicode": "ü€\u2028", "percent": "%2e%2e%2f%00", "nul": "a\0b", "list": [1, {"a": "{{input.path}}"}]}
NAMES = ("path", "host", "crlf", "braces", "quote", "unicode", "percent", "nul")


def test_what_the_input_holds_stays_data(client, stream, service):
    """In a path, in a query, in a body; nothing in it is a template, and none of it leads to another path or header."""
    good = service(ok(b'{"echo":"{{input.path}}"}'))
    client.put(f"/v1/sagas/{stream}", {"steps": [
        {"name": f"s{n}", "action": {"http": {"method": "POST", "url": f"{good.url}/p/{{{{input.{name}}}}}/q?v={{{{input.{name}}}}}",
                                              "body": {"all": "{{input}}", "one": f"-{{{{input.{name}}}}}-"}}}}
        for n, name in enumerate(NAMES)]}).expect(201)
    client.post(f"/v1/sagas/{stream}/instances", {"id": "one", "input": HOSTILE}).expect(201)
    assert ended(client, stream, "one")["state"] == "completed"
    assert len(good.got) == len(NAMES)
    for got in good.got:
        head, _, body = got.partition(b"\r\n\r\n")
        request = head.split(b"\r\n")[0].decode()
        assert request.startswith("POST /p/") and request.count("/") == 4 and request.count("?") == 1, request
        assert b"evil: 1" not in head.lower().split(b"\r\n", 1)[1] and json.loads(body)["all"] == HOSTILE, got


def test_what_cannot_be_sent_fails_the_step_and_not_the_gateway(client, stream, service):
    good = service(ok(b"{}"))
    cases = {"crlf": {"headers": {"X-A": "{{input.crlf}}"}}, "missing": {"body": "{{input.nowhere.x}}"},
             "list": {"headers": {"X-A": "{{input.list}}"}}, "dots": {"url": good.url + "/{{input.dots}}/x"},
             "climbs": {"url": good.url + "/p/{{input.climbs}}"}}
    for name, more in cases.items():
        client.put(f"/v1/sagas/{stream}.{name}", steps(good.url, good.url, **more)).expect(201)
        client.post(f"/v1/sagas/{stream}.{name}/instances", {"id": "one", "input": {**HOSTILE, "dots": "..", "climbs": "x/../../admin"}}).expect(201)
        found = ended(client, f"{stream}.{name}", "one")
        assert found["state"] == "compensated", found
    assert good.got == []
