"""Ten thousand event streams are held while events go to a hundred of them, and then slow clients come beside: what the events take on
their way, and what a stream costs in memory. Readers and slow clients are processes of their own, each in one epoll loop.

    crowd.py readers|slow <JSON>      how this file runs itself
"""
import json
import os
import re
import selectors
import socket
import ssl
import subprocess
import sys
import threading
import time

STREAMS, PER_SECOND = 10, 2000                   # the hundred read ten streams
STAMP = re.compile(rb'"data":(\d+)')
HEAD = "GET /v1/streams/{}/events?after=latest HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n"


def percentile(sorted_values, part):
    return sorted_values[min(len(sorted_values) - 1, int(part * len(sorted_values)))] if sorted_values else None


# --- the readers' process ---------------------------------------------------------------------------------------------------
class Readers:
    """Answers lines of stdin: `open` when all are open, `measure` with the latencies (µs) since the last time."""

    def __init__(self, o):
        self.selector, self.latencies, self.open, self.lost = selectors.DefaultSelector(), [], 0, 0
        self.context = ssl.create_default_context(cafile=o["ca"]) if o["ca"] else None
        for n in range(o["readers"]):
            stream = f"busy-{n % STREAMS}" if n < o["busy"] else "quiet"
            self._connect(o, HEAD.format(stream, o["token"]).encode())
            if n % 50 == 0:
                self.turn(0)
        while self.open + self.lost < o["readers"]:
            self.turn(1)
        self.selector.register(sys.stdin, selectors.EVENT_READ)

    def _connect(self, o, request):
        s = socket.create_connection((o["host"], o["port"]), 60)
        if self.context:
            s = self.context.wrap_socket(s, server_hostname=o["host"])
        s.sendall(request)
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, [b"", False])

    def _take(self, s, state):
        while True:
            try:
                got = s.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                got = b""
            if not got:
                self.lost += 1
                self.selector.unregister(s)
                s.close()
                return
            now = time.monotonic_ns() // 1000
            if not state[1]:
                state[0] += got
                if b"up-to-date" in state[0]:
                    state[:] = b"", True
                    self.open += 1
                continue
            text = state[0] + got
            cut = text.rfind(b"\n\n") + 1                     # what is behind it may go on
            state[0] = text[cut:]
            self.latencies += [now - int(at) for at in STAMP.findall(text, 0, cut)]

    def turn(self, seconds):
        """False: the other end wants no more."""
        for key, _ in self.selector.select(seconds):
            if key.fileobj is not sys.stdin:
                self._take(key.fileobj, key.data)
                continue
            if not sys.stdin.readline():
                return False
            values, self.latencies = sorted(self.latencies), []
            say({"open": self.open, "lost": self.lost, "n": len(values),
                 "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": percentile(values, 1)})
        return True


def say(value):
    print(json.dumps(value), flush=True)


def readers(o):
    r = Readers(o)
    say({"open": r.open, "lost": r.lost})
    while r.turn(1):
        pass


# --- the slow clients' process ------------------------------------------------------------------------------------------------
def slow(o):
    """A byte of a header (by TLS: of the first handshake message) at a time; who is cut comes again. Ends with its stdin."""
    http, hello = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    request, sockets, cut = (hello if o["tls"] else http) + b"x" * 100_000, {}, 0
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        while len(sockets) < o["slow"]:
            s = socket.create_connection((o["host"], o["port"]), 60)
            s.setblocking(False)
            sockets[s] = 0
        for s, sent in list(sockets.items()):
            try:
                s.send(request[sent:sent + 1])
                s.recv(1000)                                  # an answer or the end: it is over
                raise ConnectionError
            except BlockingIOError:
                sockets[s] = sent + 1
            except OSError:
                cut += 1
                s.close()
                del sockets[s]
        ended.wait(0.3)
    say({"cut": cut})


# --- the proof --------------------------------------------------------------------------------------------------------------
class Child:
    def __init__(self, role, options):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), role, json.dumps(options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def ask(self):
        self.process.stdin.write("measure\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        rest, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return rest


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024


class Publisher(threading.Thread):
    """PER_SECOND events each second, in arrays of ten, each with the time at which it was sent."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.stopping, self.seconds, self.sent = client, False, [], 0

    def run(self):
        began, n = time.monotonic(), 0
        while not self.stopping:
            time.sleep(max(0, began + n * 10 / PER_SECOND - time.monotonic()))
            at = time.monotonic()
            self.client.publish(f"busy-{n % STREAMS}", [{"type": "A", "data": int(at * 1e6)}] * 10)
            self.seconds.append(time.monotonic() - at)
            self.sent += 10
            n += 1

    def take(self):
        values, self.seconds = sorted(self.seconds), []
        return percentile(values, 0.99) * 1e6


def phase(reader, publisher, seconds):
    reader.ask()
    publisher.take()
    sent = publisher.sent
    time.sleep(seconds)
    rate = (publisher.sent - sent) / seconds
    return {**reader.ask(), "publish_p99": round(publisher.take()), "published_per_s": round(rate)}


def run(harness, gateway, count=10_000, busy=100, flood=1_000, seconds=15, ca=""):
    """(what is wrong, figures). Latencies in µs, from before the publish request to the reader."""
    client = harness.Client(gateway, check=False)
    for stream in ["quiet", *(f"busy-{n}" for n in range(STREAMS))]:
        client.create(stream)
    place = {"host": gateway.host, "port": gateway.port}
    before = resident(gateway.pid)
    reader = Child("readers", {**place, "readers": count, "busy": busy, "token": gateway.token, "ca": ca})
    opened = reader.answer()
    held = resident(gateway.pid) - before
    publisher = Publisher(client)
    publisher.start()
    time.sleep(3)
    calm = phase(reader, publisher, seconds)
    slow_ones = Child("slow", {**place, "slow": flood, "tls": bool(ca)})
    time.sleep(3)
    flooded = phase(reader, publisher, seconds)
    cut = json.loads(slow_ones.end())["cut"]
    publisher.stopping = True
    publisher.join(60)
    reader.end()
    figures = {"subscribers": opened["open"], "bytes a subscriber": held // count, "calm": calm, "beside slow clients": flooded,
               "slow clients cut": cut}
    wrong = []
    if opened["lost"] or flooded["lost"]:
        wrong.append(f"{flooded['lost']} streams ended")
    for name, got in (("calm", calm), ("flooded", flooded)):
        if got["published_per_s"] < 0.8 * PER_SECOND or got["n"] < 0.9 * got["published_per_s"] * seconds * busy / STREAMS:
            wrong.append(f"{name}: too few events: {got}")
    for what in ("p99", "publish_p99"):
        if flooded[what] > 3 * calm[what] + 50_000:
            wrong.append(f"slow clients slow the others: {what} {calm[what]} → {flooded[what]} µs")
    if not cut:
        wrong.append("no slow client was cut")
    return wrong, figures


if __name__ == "__main__":
    {"readers": readers, "slow": slow}[sys.argv[1]](json.loads(sys.argv[2]))
