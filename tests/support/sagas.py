"""What the tests of sagas have in common."""
import http.server
import json
import threading
import time
import urllib.parse

import harness


def path(saga, *more, **query):
    """Of a saga, and what is below it: path("orders", "instances", id, "cancel")."""
    target = "/v1/sagas/" + "/".join(urllib.parse.quote(part, safe="") for part in (saga, *more))
    return target + ("?" + urllib.parse.urlencode(query) if query else "")


def define(client, saga, *steps, **definition):
    """A new saga, or a new version; names alone are steps that wait for a signal."""
    steps = [{"name": one, "signal": {}} if isinstance(one, str) else one for one in steps]
    answer = client.put(path(saga), {"steps": steps, **definition})
    assert answer.status in (200, 201), answer
    return answer.json()


def start(client, saga, *identity, **body):
    """The id of a new instance: start(client, saga, "order-1", input={…})."""
    if identity:
        body["id"] = identity[0]
    return client.post(path(saga, "instances"), body).expect(201).json()["id"]


def instance(client, saga, one):
    return client.get(path(saga, "instances", one)).expect(200).json()


def until(client, saga, one, state, seconds=60):
    """The instance, once it is in this state, or once state(it)."""
    fits = state if callable(state) else lambda it: it["state"] == state
    deadline = time.monotonic() + seconds * harness.SLOW
    while not fits(now := instance(client, saga, one)):
        assert time.monotonic() < deadline, now
        time.sleep(0.02)
    return now


def act(client, saga, one, what, *step, **body):
    return client.post(path(saga, "instances", one, what, *step), body)


def step(it, name):
    return next(one for one in it["steps"] if one["name"] == name)


def history(client, saga, one):
    return client.get(path(saga, "instances", one, "history", limit=1000)).expect(200).json()["items"]


class Service(http.server.ThreadingHTTPServer):
    """Answers with what answer(method, path, headers, body) returns: a status, or (status, JSON, headers). `calls` has
    what came: (method, path, headers, body); `raw` their bodies, `at` when, in seconds."""
    daemon_threads, request_queue_size = True, 128

    def __init__(self, answer=lambda *_: 200):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.calls, self.raw, self.at = answer, [], [], []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def http(self, where, method="POST", **more):
        return {"http": {"method": method, "url": self.url + where, **more}}

    def step(self, name, **more):
        """Calls /<name>, and DELETE of the same to undo it. Attempts follow quickly."""
        return {"name": name, "action": self.http(f"/{name}", body={"saga": "{{saga.id}}"}),
                "compensation": self.http(f"/{name}", "DELETE"), "retry": {"initial": "10ms", "max": "50ms", "max_attempts": 2}, **more}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_any(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = (self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(raw) if raw else None)
        self.server.at.append(time.monotonic())
        self.server.raw.append(raw)
        self.server.calls.append(call)
        got = self.server.answer(*call)
        status, body, headers = got if isinstance(got, tuple) else (got, None, {})
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any
