"""Weir behind nginx, by the configuration of docs/reverse-proxy.md: publish, long-poll and event streams go through; smuggled requests
reach nobody else's connection."""
import collections
import concurrent.futures
import os
import re
import signal
import socket
import subprocess
import threading
import time

import harness
import hostile_cases as cases
import hostile_lines as lines
import pytest

# Around the documented part: where files go, and less patience with half a request than by default.
FRAME = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_header_timeout 1s;
    client_body_timeout 1s;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {documented}
}}
"""
CASES = cases.FRAMING + cases.CODINGS + cases.CHUNKS + lines.HOSTS + lines.TARGETS + lines.LINES + lines.HEADERS


def documented(gateway, port):
    with open(os.path.join(harness.ROOT, "docs", "reverse-proxy.md"), encoding="utf-8") as f:
        text = re.search(r"```nginx\n(.*?)```", f.read(), re.S)[1]
    assert "server 127.0.0.1:8080;" in text and "listen 80;" in text
    return (text.replace("server 127.0.0.1:8080;", f"server 127.0.0.1:{gateway.port};")
            .replace("listen 80;", f"listen 127.0.0.1:{port};"))


class Proxied:
    """Stands for the gateway in harness.Client and harness.EventStream, but leads to nginx."""

    def __init__(self, gateway):
        self.host, self.token, self.context = "127.0.0.1", gateway.token, None
        self.directory = harness.scratch("nginx-")
        for _ in range(10):                              # somebody else may take the port before nginx does
            if self._start(gateway):
                return
        with open(os.path.join(self.directory, "error.log"), encoding="utf-8") as f:
            raise AssertionError(f"nginx does not start: {f.read()[-2000:]}")

    def _start(self, gateway):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        path, pid = (os.path.join(self.directory, name) for name in ("nginx.conf", "nginx.pid"))
        with open(path, "w", encoding="ascii") as f:
            f.write(FRAME.format(directory=self.directory, documented=documented(gateway, self.port)))
        self.process = subprocess.Popen(["nginx", "-p", self.directory, "-c", path], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60 * harness.SLOW
        while not os.path.exists(pid):                   # written once it listens
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, "nginx does not start"
            time.sleep(0.02)
        return True

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60 * harness.SLOW)


@pytest.fixture(scope="module")
def nginx(gateway):
    one = Proxied(gateway)
    yield one
    one.stop()


@pytest.fixture
def proxied(nginx):
    one = harness.Client(nginx)
    yield one
    one.close()


def test_publish_read_and_problems_go_through(proxied, client, stream):
    proxied.create(stream)
    big = "x" * 900_000
    for n in range(10):
        proxied.publish(stream, {"type": "A", "data": [n, big]})
    assert [e["data"][0] for e in client.read_all(stream)] == list(range(10))
    assert [e["data"][1] for e in proxied.read_all(stream, limit=10)] == [big] * 10
    proxied.get("/v1/streams/none").problem(404, "unknown-stream")
    proxied.get("/v1/streams", token="").problem(401, "unauthenticated")
    assert proxied.request("HEAD", f"/v1/streams/{stream}").status == 200


def test_connections_to_weir_are_kept_open(proxied, client, stream):
    def accepted():
        return int(re.search(r"^weir_http_connections (\d+)", client.get("/metrics").body.decode(), re.M)[1])

    before = accepted()
    for _ in range(100):
        proxied.get("/healthz").expect(200)
    assert accepted() - before <= 3


def test_a_long_poll_answers_as_soon_as_there_is_something(proxied, client, stream):
    client.create(stream)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(proxied.read, stream, after="earliest", wait="60s")
        time.sleep(0.3)
        began = time.monotonic()
        client.publish(stream, {"type": "A"})
        assert len(waiting.result()["events"]) == 1
    assert time.monotonic() - began < harness.WOKEN


def test_event_streams_are_not_buffered_and_end_with_their_reader(nginx, proxied, client, subscribe, stream):
    proxied.create(stream)
    reader = subscribe(stream, gateway=nginx)
    assert reader.status == 200 and reader.headers["content-type"] == "text/event-stream"
    reader.up_to_date()
    for n in range(5):
        began = time.monotonic()
        client.publish(stream, {"type": "A", "data": n})
        assert reader.events(1)[0][1]["data"] == n
        assert time.monotonic() - began < harness.WOKEN
    reader.until(lambda block: block.comment is not None)        # the keep-alive comes through by itself
    reader.close()

    def open_streams():
        return int(re.search(r"^weir_http_event_streams (\d+)", client.get("/metrics").body.decode(), re.M)[1])

    deadline = time.monotonic() + 60 * harness.SLOW
    while open_streams() > 0:
        assert time.monotonic() < deadline, "Weir still serves a reader that nginx has lost"
        time.sleep(0.1)


# --- smuggling ------------------------------------------------------------------------------------------------------------
class Victims:
    """Honest clients of the same nginx, whose requests share its connections to Weir: each must get its own answers."""

    def __init__(self, nginx, count=4):
        self.nginx, self.done, self.wrong, self.answered = nginx, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self, i):
        client, n = harness.Client(self.nginx), 0
        while not self.done.is_set():
            mine = f"victim-{i}-{n}"
            answer = client.get("/nothing", headers={"X-Request-Id": mine})
            if answer.status != 404 or answer.headers["x-request-id"] != mine or answer.json()["request_id"] != mine:
                self.wrong.append(answer)
            n += 1
        self.answered += n
        client.close()

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


def attempt(nginx, number, case):
    data = (case.data + cases.FOLLOW).replace(b"/hostile/", b"/proxied/")
    got, cut = b"", False
    with socket.create_connection((nginx.host, nginx.port), 60 * harness.SLOW) as s:
        try:
            s.sendall(data.replace(b"~TOKEN~", nginx.token.encode()).replace(b"~~~~", b"%04d" % number))
            while piece := s.recv(65536):
                got += piece
        except (BrokenPipeError, ConnectionResetError):
            cut = True                                   # what was on its way back may be lost
    return len(re.findall(rb"HTTP/1\.1 201 ", got)), cut


def test_what_is_smuggled_through_nginx_reaches_nobody_else(nginx, gateway):
    client = harness.Client(gateway)
    client.create("proxied")
    victims = Victims(nginx)
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            created = list(pool.map(lambda item: attempt(nginx, *item), enumerate(CASES)))
    finally:
        victims.end()
    found = collections.Counter(e["data"] for e in client.read_all("proxied", limit=1000))
    client.close()
    assert not victims.wrong and victims.answered > 100
    assert max(found.values()) == 1
    per_case = collections.Counter(int(data[:4]) for data in found)
    unlike = [(CASES[i].name, n, per_case[i]) for i, (n, cut) in enumerate(created)
              if n > per_case[i] or (n < per_case[i] and not cut)]
    assert not unlike, "what was recorded is not what its sender was told"
    assert sum(n for n, _ in created) > 100
