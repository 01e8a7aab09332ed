"""What the API tests stand on: gateways as processes, an HTTP client, an SSE reader, tokens, psql.

Everything speaks to the real program over real sockets. WEIR_BIN names another binary, for example build/asan/weir.
"""
import atexit
import base64
import glob
import hashlib
import hmac
import http.client
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(ROOT, os.environ.get("WEIR_BIN", "build/weir"))
# The program itself: what PATH finds on Debian is a script that looks for it, which takes longer than most queries.
PSQL = max(glob.glob("/usr/lib/postgresql/*/bin/psql"), key=lambda path: int(path.split("/")[4]), default="psql")
SECRET = "a secret of the tests, of at least thirty-two bytes"
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:")
SLOW = 4 if "san/" in BINARY or "cover/" in BINARY else 1      # sanitized programs get more time
WOKEN = 25 * min(SLOW, 2)      # seconds: who is not woken waits for 60; and a machine may stand still for a while
# A machine that stands still for a moment is no outage.
CALM = {"WEIR_COMMIT_WAIT": "30s", "WEIR_DATABASE_CONNECT_TIMEOUT": "20s"}

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clusters  # noqa: E402
from openapi import Checker  # noqa: E402  (tests/support/openapi.py)

CONTRACT = Checker(os.path.join(ROOT, "openapi", "openapi.yaml"))


# --- tokens ---------------------------------------------------------------------------------------------------------------
def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint(scope="admin:*", ttl=3600, secret=SECRET, header=None, **claims):
    """A JWT signed with HS256. Claims given as None are left out."""
    now = time.time()
    body = {"sub": "tester", "iat": int(now), "exp": now + ttl, "scope": scope, **claims}
    parts = [{"alg": "HS256", "typ": "JWT", **(header or {})}, {k: v for k, v in body.items() if v is not None}]
    signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{base64url(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


# --- processes ------------------------------------------------------------------------------------------------------------
def environment(settings):
    """Ours without what would reach the gateway or libpq by accident, and these settings."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith(("WEIR_", "PG"))}, **settings}


STARTED, SCRATCH = [], []


@atexit.register
def leave_nothing():
    """What a test that failed has left: processes by their id, directories."""
    for gateway in STARTED:
        gateway.kill()
    for path in SCRATCH:
        shutil.rmtree(path, ignore_errors=True)


def scratch(prefix="gateway-"):
    """A directory that a gateway which has dropped root can write too."""
    path = tempfile.mkdtemp(prefix=prefix)
    os.chmod(path, 0o777)
    SCRATCH.append(path)
    return path


class Gateway:
    """A running `weir`. `dev` brings its own PostgreSQL, `serve` uses that of another gateway."""

    def __init__(self, arguments, settings=None, directory=None, context=None, port=0):
        self.directory = directory or scratch()
        self.ready_file = os.path.join(self.directory, f"ready-{time.monotonic_ns()}")
        self.log_path = self.ready_file + ".log"
        env = environment({"WEIR_AUTH_HS256_SECRET": SECRET, "WEIR_HTTP_ACCESS_LOG": "false", **CALM, **(settings or {})})
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([BINARY, *arguments, "--port", str(port), "--ready-file", self.ready_file], env=env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory)
        STARTED.append(self)
        try:
            ready = self._wait_ready(60 * SLOW)
        except BaseException:
            self.kill()
            raise
        self.terminated, self.context = False, context
        self.url, self.token, self.pid, self.database_url = (ready.get(k) for k in ("url", "token", "pid", "database_url"))
        parts = urllib.parse.urlsplit(self.url)
        self.host, self.port = parts.hostname, parts.port

    def _wait_ready(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"weir ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                with open(self.ready_file, encoding="utf-8") as f:
                    return json.load(f)
            except (FileNotFoundError, ValueError):
                time.sleep(0.02)
        raise RuntimeError(f"weir is not ready after {seconds} s:\n{self.log()[-3000:]}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def terminate(self):
        """SIGTERM, once: a second one would end it at once."""
        if not self.terminated and self.process.poll() is None:
            self.terminated = True
            self.process.send_signal(signal.SIGTERM)

    def stop(self, seconds=60):
        """SIGTERM; the exit status. A sanitizer's report in the log is a failure."""
        self.terminate()
        try:
            status = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        log = self.log()
        found = SANITIZER.search(log)
        assert not found, log[found.start() - 200 if found.start() > 200 else 0:][:8000]
        return status


def dev(settings=None, directory=None, context=None, port=0):
    """In a directory that is not given it finds a cluster that was made before, if run.py has made one."""
    data = os.path.join(directory or scratch(), "data")
    if not directory:
        clusters.copied("dev", data)
    return Gateway(["dev", "--data-dir", data], settings, os.path.dirname(data), context, port)


def serve(database_url, settings=None, context=None):
    """context: an ssl.SSLContext of clients, for a gateway that speaks TLS."""
    return Gateway(["serve", "--database-url", database_url], settings, context=context)


def connect(gateway, timeout, context=None):
    """An HTTP connection, by TLS if the gateway (or the caller) has a context for it."""
    context = context or gateway.context
    if context:
        return http.client.HTTPSConnection(gateway.host, gateway.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(gateway.host, gateway.port, timeout=timeout)


def remove(gateway):
    shutil.rmtree(gateway.directory, ignore_errors=True)


def weir(*arguments, **settings):
    """Runs a command of the program to its end: (status, stdout, stderr)."""
    done = subprocess.run([BINARY, *arguments], env=environment(settings), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60 * SLOW, check=False)
    return done.returncode, done.stdout, done.stderr


def psql(gateway, sql):
    """Rows of text, without headings, from the gateway's database."""
    done = subprocess.run([PSQL, "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", gateway.database_url, "-c", sql],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def in_time(attempt, first=1):
    """attempt(seconds): does what must be done within so many seconds and says whether it was in time. The slower the machine, the
    longer it gets."""
    for seconds in (first, 4 * first, 16 * first, 64 * first):
        if attempt(seconds):
            return
    raise AssertionError("the machine stands still")


def patiently(call, seconds):
    """Again where the machine stood still for so long that a gateway which waits no longer than these seconds had to cut it."""
    while True:
        began = time.monotonic()
        try:
            return call()
        except (OSError, http.client.HTTPException):
            if time.monotonic() - began < seconds * 0.9:
                raise


class Holder:
    """A psql session that holds locks until it is released."""

    def __init__(self, gateway, sql):
        self.process = subprocess.Popen([PSQL, "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", gateway.database_url],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(f"begin;\n{sql};\nselect 'held';\n")
        self.process.stdin.flush()
        while (line := self.process.stdout.readline()) != "held\n":
            assert line, "psql ended"

    def release(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


# --- HTTP -----------------------------------------------------------------------------------------------------------------
class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {}
        for name, value in headers:
            self.headers[name.lower()] = f"{self.headers[name.lower()]}, {value}" if name.lower() in self.headers else value

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.decode().splitlines()]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:2000]!r}>"

    def expect(self, status):
        assert self.status == status, self
        return self

    def problem(self, status, code, pointer=None):
        """It is this problem, in the form of RFC 9457, and tells nothing that it should not."""
        assert self.status == status, self
        assert self.headers["content-type"] == "application/problem+json", self
        body = self.json()
        assert body["code"] == code and body["status"] == status, self
        assert body["type"] == f"/problems/{code}" and body["title"], self
        assert body.get("instance", "/").startswith("/"), self
        assert not re.search(r"(?i)\bselect \b|\binsert into\b|postgres(ql)?://|sqlstate", self.body.decode()), self
        if pointer is not None:
            assert [e["pointer"] for e in body["errors"]] == [pointer], self
        return body


class Client:
    """One kept-alive connection. Each answer is held against the OpenAPI document."""

    def __init__(self, gateway, token=None, check=True, context=None):
        self.gateway, self.check, self.context = gateway, check, context
        self.token = gateway.token if token is None else token
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def request(self, method, target, body=None, headers=None, token=None, timeout=100, content_type="application/json"):
        """body: bytes as they are, anything else as JSON. token "": none."""
        token = self.token if token is None else token
        all_headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            if not isinstance(body, (bytes, bytearray)):
                body = json.dumps(body).encode()
            if content_type:
                all_headers["Content-Type"] = content_type
        all_headers.update(headers or {})
        answer = self._send(method, target, body, all_headers, timeout * SLOW)
        if self.check:
            CONTRACT.check(method, target, answer.status, answer.headers, answer.body)
        return answer

    def _send(self, method, target, body, headers, timeout):
        if not self.connection:
            self.connection = connect(self.gateway, timeout, self.context)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sock.settimeout(timeout)
        try:
            try:
                self.connection.request(method, target, body, headers)
            except (BrokenPipeError, ConnectionResetError):
                pass                             # refused before all was sent: the answer is there
            response = self.connection.getresponse()
            answer = Answer(response.status, response.getheaders(), response.read())
        except BaseException:
            self.close()
            raise
        if self.connection.sock is None or response.will_close:
            self.close()
        return answer

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def post(self, target, body, **options):
        return self.request("POST", target, body, **options)

    def put(self, target, body, **options):
        return self.request("PUT", target, body, **options)

    # The calls that nearly every test makes.
    def create(self, stream, **settings):
        return self.put(f"/v1/streams/{stream}", settings).expect(201).json()

    def publish(self, stream, events, **options):
        """One event or a list, recorded; its receipt or receipts."""
        return self.post(f"/v1/streams/{stream}/events", events, **options).expect(201).json()

    def read(self, stream, **query):
        return self.get(events_path(stream, **query)).expect(200).json()

    def read_all(self, stream, **query):
        """Page by page to the end: every event."""
        events = []
        while True:
            page = self.read(stream, **query)
            events += page["events"]
            query["after"] = page["cursor"]
            query.pop("from_time", None)
            if page["up_to_date"]:
                return events


def late(reader, expires):
    """Seconds by which an event stream ended later than it should have; infinite: the machine was slower than the whole time it had."""
    if reader.status != 200:
        return float("inf")
    reader.last = reader.end(60)[-1]
    return time.time() - (time.monotonic() - reader.ended_at) - expires


def exactly(end, seconds=2.5):
    """end(seconds) opens a stream that is to end in so many seconds, and returns how late() it did. What the machine adds, it does not
    add each time; the time stays half a keep-alive from one."""
    found = []
    while len(found) < 6 and not (found and min(found) < 0.4 * SLOW):
        found.append(end(seconds + 2 * len(found)))
        assert found[-1] >= -0.05, found
    assert min(found) < 0.4 * SLOW, found


def events_path(stream, **query):
    """Of one stream, or of a list of names and patterns."""
    many = isinstance(stream, (list, tuple))
    pairs = [("stream", one) for one in stream] if many else []
    pairs += [(k, v) for k, vs in query.items() for v in (vs if isinstance(vs, (list, tuple)) else [vs])]
    path = "/v1/events" if many else f"/v1/streams/{stream}/events"
    return path + ("?" + urllib.parse.urlencode(pairs, safe="*") if pairs else "")


def raw(gateway, data, seconds=10, shut=False, until=None):
    """Sends bytes as they are; everything that comes back until the server closes or falls silent, or up to what is waited for."""
    with socket.create_connection((gateway.host, gateway.port), seconds) as s:
        s.sendall(data)
        if shut:
            s.shutdown(socket.SHUT_WR)
        s.settimeout(seconds)
        got = b""
        try:
            while not (until and until in got) and (chunk := s.recv(65536)):
                got += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return got


# --- server-sent events -----------------------------------------------------------------------------------------------------
class Block:
    """A block of an event stream: event (None: no such field), id, data (text), comment, and when it came."""

    def __init__(self, lines):
        self.at = time.monotonic()
        self.lines, self.event, self.id, self.comment, self.retry, data = lines, None, None, None, None, []
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            else:
                setattr(self, {"": "comment"}.get(name, name), value)
        self.data = "\n".join(data) if data else None

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"<{self.lines}>"


class EventStream:
    """Reads an event stream in a thread of its own. `blocks` yields Block; None is its end."""

    def __init__(self, gateway, stream, token=None, headers=None, context=None, path=None, **query):
        self.blocks, self.ended_at = queue.Queue(), None
        self.connection = connect(gateway, 60 * SLOW, context)
        token = gateway.token if token is None else token                # "": none, as a browser that has a ticket
        self.connection.request("GET", path or events_path(stream, **query), headers={
            "Accept": "text/event-stream", **({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})})
        self.socket = self.connection.sock
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.headers = {k.lower(): v for k, v in self.response.getheaders()}
        if self.status != 200:
            self.answer = Answer(self.status, self.response.getheaders(), self.response.read())
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        lines = []
        try:
            while line := self.response.readline():
                text = line.decode().rstrip("\n")
                if text:
                    lines.append(text)
                elif lines:
                    self.blocks.put(Block(lines))
                    lines = []
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass
        self.ended_at = time.monotonic()
        self.blocks.put(None)

    def next(self, seconds=30):
        try:
            return self.blocks.get(timeout=seconds * SLOW)
        except queue.Empty:
            raise AssertionError(f"no block within {seconds} s") from None

    def until(self, wanted, seconds=30):
        """Blocks up to and with the first for which wanted(block) holds."""
        got, deadline = [], time.monotonic() + seconds * SLOW
        while True:
            block = self.next(max(0.01, (deadline - time.monotonic()) / SLOW))
            assert block, f"the stream ended after {got[-5:]}"
            got.append(block)
            if wanted(block):
                return got

    def events(self, count, seconds=30):
        """The next `count` events; other blocks are passed over. Each is (cursor, event)."""
        found = []
        while len(found) < count:
            block = self.until(lambda b: b.data is not None and b.event is None, seconds)[-1]
            found.append((block.id, block.json()))
        return found

    def up_to_date(self, seconds=30):
        return self.until(lambda b: b.event == "up-to-date", seconds)

    def end(self, seconds=30):
        """What still comes until the server ends the stream."""
        got = []
        while block := self.next(seconds):
            got.append(block)
        return got

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(10)
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
