"""The dashboard in a real browser: each file tests/browser/test_*.mjs against a gateway with a PostgreSQL of its own.

A browser test asks for what a browser cannot do over a control channel on loopback: POST /<act> with JSON, see Control.
"""
import glob
import gzip
import http.server
import json
import os
import random
import re
import socket
import subprocess
import threading

import harness
import pytest

FOLDER = os.path.join(harness.ROOT, "tests", "browser")
FILES = sorted(os.path.basename(path) for path in glob.glob(os.path.join(FOLDER, "test_*.mjs")))
SETTINGS = {"WEIR_OUTBOUND_ALLOW_PRIVATE": "true", "WEIR_JOBS_POLL": "50ms", "WEIR_HTTP_KEEPALIVE": "1s",
            "WEIR_OUTBOUND_BREAKER_OPEN": "1s", "WEIR_METRICS_GROUPS_PERIOD": "500ms"}
SECONDS = 400 * harness.SLOW   # of a file; WAIT: of one condition
WAIT = 45 * harness.SLOW


def lasting_port():
    """A free port for a gateway that is to come back at its address: none that the system gives to others meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    while True:
        port = random.randrange(10000 if first > 20000 else 1024, first)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Rig:
    """A gateway that can be killed and started again at the same address."""

    def __init__(self):
        self.gateway = harness.dev(SETTINGS, port=lasting_port())
        self.url, self.directory = self.gateway.url, self.gateway.directory

    def token(self, scope="admin:*", ttl=3600, **claims):
        return {"token": harness.mint(scope, ttl, **claims)}

    def stop(self, kill=True):
        """kill: as kill -9. Else it drains, and says bye to its readers."""
        if kill:
            self.gateway.kill()
        else:
            assert self.gateway.stop() == 0
        return {}

    def start(self):
        self.gateway = harness.Gateway(["dev", "--data-dir", os.path.join(self.directory, "data")],
                                       SETTINGS, self.directory, port=self.gateway.port)
        assert self.gateway.url == self.url
        return {}

    def restart(self, kill=True):
        self.stop(kill)
        return self.start()

    def sql(self, text):
        return {"rows": harness.psql(self.gateway, text)}

    def revoke(self, sub):
        """The tokens of this subject that were made so far are not accepted any more."""
        client = harness.Client(self.gateway, harness.mint())
        client.post("/v1/revocations", {"sub": sub}).expect(201)
        client.close()
        return {}

    def log(self):
        return {"text": self.gateway.log()}

    def end(self):
        status = self.gateway.stop()
        harness.remove(self.gateway)
        assert status == 0


class Control(http.server.BaseHTTPRequestHandler):
    """POST /token {"scope", "ttl", …claims}, /stop, /start, /restart {"kill"}, /sql {"text"}, /revoke {"sub"}, /log."""

    def do_POST(self):
        more = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        try:
            status, answer = 200, getattr(self.server.rig, self.path.strip("/"))(**more)
        except Exception as e:                           # the browser test tells what failed
            status, answer = 500, {"error": repr(e)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.end()


@pytest.fixture
def control(rig):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Control)
    server.rig = rig
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", FILES)
def test_in_a_browser(rig, control, name):
    env = {**os.environ, "WEIR_URL": rig.url, "WEIR_TOKEN": harness.mint(), "WEIR_CONTROL": control,
           "WEIR_WAIT": str(1000 * WAIT), "NO_COLOR": "1"}
    done = subprocess.run(["node", "--test", "--test-reporter=spec", os.path.join(FOLDER, name)], env=env, cwd=FOLDER,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    assert re.search(r"^ℹ pass [1-9]", done.stdout, re.M), done.stdout


# --- what is served ---------------------------------------------------------------------------------------------------------
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
MOST = 150 * 1000


def test_the_page_and_its_files_are_small_and_bound_to_their_origin(client):
    page = client.get("/ui", headers={"Accept-Encoding": "gzip"}, token="").expect(200)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    text = gzip.decompress(page.body).decode() if "content-encoding" in page.headers else page.body.decode()
    files = re.findall(r'(?:href|src)="(ui/[\w.]+)"', text)
    assert sorted(files) == ["ui/app.css", "ui/app.js", "ui/favicon.svg"]
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", text)
    total = len(page.body)
    for name in files:
        answer = client.get(f"/{name}", headers={"Accept-Encoding": "gzip"}, token="").expect(200)
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        total += len(answer.body)
        again = client.get(f"/{name}", headers={"If-None-Match": answer.headers["etag"], "Accept-Encoding": "gzip"}, token="")
        assert again.status == 304
    assert page.headers["content-security-policy"] == CSP
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert total < MOST, f"{total} bytes compressed"
    assert "preact" in client.get("/ui/licences.txt", token="").expect(200).body.decode()
    client.get("/ui/none.js", token="").problem(404, "not-found")
    assert client.get("/ui/", token="").expect(308).headers["location"] == "../ui"


def test_the_bundle_keeps_out_what_the_policy_forbids(client):
    """Found here by name, with a sentence, before a browser stumbles over it."""
    script = client.get("/ui/app.js", token="").expect(200).body.decode()
    for word in ("localStorage", "sessionStorage", "document.cookie", "eval(", "new Function", "document.write", "insertAdjacentHTML"):
        assert word not in script, word
    assert not re.search(r"https?://(?!www\.w3\.org/|[\w.-]+\.example\b)", script), "an address of elsewhere"
