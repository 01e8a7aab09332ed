"""What the services have in common: they answer calls, each idempotency key once, and work on events, each event once."""
import http.server
import json
import os
import re
import threading
import urllib.error
import urllib.request

WEIR, TOKEN = os.environ.get("WEIR_URL", "http://127.0.0.1:8080"), os.environ.get("WEIR_TOKEN", "")


def weir(method, path, body=None, expect=(200, 201)):
    """A call to Weir: the answer's JSON, or an error that says what it answered."""
    request = urllib.request.Request(WEIR + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as e:
        status, text = e.code, e.read()
    if status not in expect:
        raise RuntimeError(f"{method} {path}: {status} {text.decode()}")
    return json.loads(text) if text else None


def publish(stream, kind, subject, data, event_id):
    """The id makes it once, however often it is tried."""
    weir("POST", f"/v1/streams/{stream}/events", {"id": event_id, "type": kind, "subject": subject, "data": data})


class Refused(Exception):
    """A business failure: answered with 422, so the saga does not try again but turns back."""


class Service:
    """`routes`: method and pattern of the path -> the name of a function of (order id, body, idempotency key)."""
    routes = {}

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = {}           # by idempotency key: a call that comes again gets the first answer, and nothing is done twice
        self.down, self.turned_away = False, 0

    def answer(self, key, method, path, body):
        for (wanted, pattern), name in self.routes.items():
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                break
        else:
            return 404, {"error": "no such thing here"}
        with self.lock:
            if key not in self.answers:
                try:
                    self.answers[key] = 200, getattr(self, name)(match[1], body, key)
                except Refused as why:
                    self.answers[key] = 422, {"error": str(why)}
            return self.answers[key]

    def start(self):
        """On a free port; returns its URL."""
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version, wbufsize = "HTTP/1.1", 65536      # an answer is sent at once, not in two parts

            def call(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if service.down:
                    service.turned_away += 1
                    status, answer = 503, {"error": "down"}
                else:
                    status, answer = service.answer(self.headers["Idempotency-Key"], self.command, self.path,
                                                    json.loads(body) if body else None)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_PUT = do_DELETE = call

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"


class Worker:
    """Works on the events of a stream as a consumer group: what is not acknowledged comes again."""
    stream = group = ""
    types = []

    def __init__(self):
        weir("PUT", f"/v1/streams/{self.stream}/groups/{self.group}", {"start": "earliest", "types": self.types})
        self.thread = None

    def work(self, event):
        raise NotImplementedError

    def run(self):
        path = f"/v1/streams/{self.stream}/groups/{self.group}"
        while not self.stopped:
            for delivery in weir("POST", path + "/receive", {"max": 100, "wait": "1s"})["deliveries"]:
                self.work(delivery["event"])
                weir("POST", path + "/ack", {"delivery_ids": [delivery["delivery_id"]]})

    def start(self):
        self.stopped = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped = True
        self.thread.join()
