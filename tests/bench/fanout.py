"""One stream, thousands of subscribers: Weir, nginx with nchan and a bare epoll program, all with one client (fanout_client.c).
Each delivers as many bytes an event as Weir does."""
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import tempfile
import time
import typing

import cpu
import load
from load import harness

STREAM, RATES = "orders.fanout", {1000: 10, 10000: 1}      # subscribers → events per second
IDLE = 10000                                               # subscribers when their memory is measured
NCHAN = """
        location = /pub { nchan_publisher; nchan_channel_id orders; nchan_message_buffer_length 16; nchan_message_timeout 1m; }
        location = /sub { nchan_subscriber eventsource; nchan_channel_id orders; nchan_subscriber_first_message newest; }
"""


@dataclasses.dataclass
class Fanout:
    first: float               # milliseconds from sending an event to its first, to its last subscriber: medians
    last: float
    last_p99: float
    cpu_us: float              # of the server, per delivery
    bytes: float               # of one delivery
    errors: int = 0


@dataclasses.dataclass
class Memory:
    default: float             # KiB per idle subscriber
    small: float               # with http.connection_memory=4KiB


@dataclasses.dataclass
class Server:
    port: int
    subscribe: bytes           # whole requests
    publish: typing.Callable   # of so much text
    cpu: typing.Callable
    text: int = 300            # bytes


def request(method, target, *headers, body=b""):
    lines = [f"{method} {target} HTTP/1.1", "Host: bench", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """fanout_client, whose subscribers are all there. `go` publishes and waits for its end."""

    def __init__(self, server, subscribers, events, rate):
        self.directory = tempfile.TemporaryDirectory(prefix="fanout-")
        paths = []
        for name, text in (("subscribe", server.subscribe), ("publish", server.publish(server.text))):
            paths.append(os.path.join(self.directory.name, name))
            with open(paths[-1], "wb") as f:
                f.write(text)
        self.child = subprocess.Popen([os.path.join(load.PROGRAMS, "fanout_client"), *map(str, (server.port, subscribers, events, rate)),
                                       *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self):
        assert self.child.stdout.readline() == "ready\n", "not all could subscribe"

    def go(self):
        self.child.stdin.close()
        line = self.child.stdout.readline()
        assert self.child.wait(60) == 0, "the client of the fan-out has failed"
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.child.stdout.close()
        self.directory.cleanup()


def measure(server, subscribers, events, rate):
    with Client(server, subscribers, events, rate) as client:
        client.ready()
        before = server.cpu()
        found = client.go()
        used = server.cpu() - before
    time.sleep(subscribers / 10000)                        # until the server has taken note that all have left
    last, deliveries = sorted(found["last"]), subscribers * events
    return Fanout(statistics.median(found["first"]) / 1e3, statistics.median(last) / 1e3, last[len(last) * 99 // 100] / 1e3,
                  used * 1e6 / deliveries, found["bytes"] / deliveries, found["refused"])


# --- servers --------------------------------------------------------------------------------------------------------------
def weir(gateway, token):
    target, auth = f"/v1/streams/{STREAM}/events", f"Authorization: Bearer {token}"

    def publish(text):
        body = json.dumps({"type": load.TYPE, "data": {"text": "x" * text, "end": "~"}}).encode()
        return request("POST", target, auth, "Content-Type: application/json", body=body)

    return Server(gateway.port, request("GET", target + "?after=latest", auth, "Accept: text/event-stream"), publish,
                  lambda: cpu.own(gateway.pid))


def plain(port, subscribe, publish, used):
    return Server(port, request("GET", subscribe, "Accept: text/event-stream"),
                  lambda text: request("POST", publish, "Content-Type: text/plain", body=b"x" * text + b"~"), used)


@contextlib.contextmanager
def nchan():
    module = f"load_module {load.NCHAN};"
    with load.nginx(NCHAN, module) as (child, port):
        yield plain(port, "/sub", "/pub", lambda: cpu.tree(child.pid))


@contextlib.contextmanager
def floor():
    child = subprocess.Popen([os.path.join(load.PROGRAMS, "fanout_floor")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield plain(int(child.stdout.readline()), "/", "/", lambda: cpu.own(child.pid))
    finally:
        child.stdin.close()                                # it ends
        child.wait(20)
        child.stdout.close()


@contextlib.contextmanager
def servers(gateway, token):
    """name → Server, of equal deliveries"""
    with nchan() as nginx, floor() as bare:
        ours = weir(gateway, token)
        wanted = round(measure(ours, 1, 1, 1).bytes)
        for other in (nginx, bare):
            other.text += wanted - round(measure(other, 1, 1, 1).bytes)
        yield {"Weir": ours, "nchan": nginx, "bare epoll": bare}


class Measurement:
    def __init__(self, server, subscribers):
        self.server, self.subscribers, self.rate, self.least = server, subscribers, RATES[subscribers], 1

    def measure(self, seconds):
        return measure(self.server, self.subscribers, self.rate * seconds, self.rate)


def measurements(table):
    return {f"fan-out to {n:,}, {name}": Measurement(server, n) for n in RATES for name, server in table.items()}


# --- memory ---------------------------------------------------------------------------------------------------------------
def kib_per_subscriber(database_url, token, settings):
    """Of a gateway of its own, which nothing else has used."""
    gateway = harness.serve(database_url, settings)
    try:
        time.sleep(0.5)
        before = cpu.resident(gateway.pid)
        with Client(weir(gateway, token), IDLE, 0, 1) as client:
            client.ready()
            return (cpu.resident(gateway.pid) - before) / IDLE / 1024
    finally:
        gateway.stop()
        harness.remove(gateway)


def memory(gateway, token):
    return Memory(kib_per_subscriber(gateway.database_url, token, {}),
                  kib_per_subscriber(gateway.database_url, token, {"WEIR_HTTP_CONNECTION_MEMORY": "4KiB"}))
