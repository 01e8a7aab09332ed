"""From publish to subscriber: events at a steady rate, and when each arrives on an event stream. Times are from the moment an
event was due, not from when it could be sent: a gateway that falls behind does not hide it."""
import collections
import gc
import multiprocessing
import re
import select
import socket
import time

from load import FIELDS, Run

CONNECTIONS = 32
AT = re.compile(rb'"at":"(\d{19})"')
SEAM = re.compile(rb"\r\n[0-9a-f]+\r\n")         # of two chunks: it may fall amid an event, whose lines end in \n alone


def connect(address, head):
    one = socket.create_connection(address, 30)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.sendall(head)
    return one


def subscriber(address, target, token, total, ready, answer):
    """Tells nanoseconds from due to read, event by event."""
    gc.disable()
    wire = connect(address, (f"GET {target}?after=latest HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer {token}\r\n"
                             "Accept: text/event-stream\r\n\r\n").encode())
    rest, took = b"", []
    while b"event: up-to-date" not in rest:
        rest += wire.recv(65536)
    rest = b""
    ready.set()
    while len(took) < total and (chunk := wire.recv(1 << 18)):
        now = time.monotonic_ns()
        rest = SEAM.sub(b"", rest + chunk)
        whole = rest.rfind(b"\n\n") + 2          # 1: no block is whole yet
        if whole > 1:
            took += [now - int(at) for at in AT.findall(rest, 0, whole)]
            rest = rest[whole:]
    answer.send(took)


def publish(address, target, token, rate, total):
    """(events per second that were reached, refusals)"""
    gc.disable()
    before, _, after = FIELDS.encode().partition(b"{")
    body = b"{" + before + b'{"at":"%019d",' + after + b"}"
    head = (f"POST {target} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body % 0)}\r\n\r\n").encode()
    wires = {one: b"" for one in (connect(address, b"") for _ in range(CONNECTIONS))}
    idle, sent, done, refused, period = collections.deque(wires), 0, 0, 0, 1_000_000_000 // rate
    begin = time.monotonic_ns() + 10_000_000
    while done < total:
        due, now = begin + sent * period, time.monotonic_ns()
        if sent < total and idle and due <= now:
            idle.popleft().sendall(head + body % due)
            sent += 1
            continue
        wait = (due - now) / 1e9 if sent < total and idle else 10
        for one in select.select(list(wires), [], [], wait)[0]:
            wires[one] += one.recv(65536)
            if wires[one].endswith(b"}"):        # a receipt, whole
                refused += not wires[one].startswith(b"HTTP/1.1 201")
                wires[one] = b""
                idle.append(one)
                done += 1
    for one in wires:
        one.close()
    return total / ((time.monotonic_ns() - begin) / 1e9), refused


def measure(gateway, stream, token, rate, seconds):
    total, target, address = rate * seconds, f"/v1/streams/{stream}/events", (gateway.host, gateway.port)
    context = multiprocessing.get_context("fork")
    ready, (ours, theirs) = context.Event(), context.Pipe(False)
    reader = context.Process(target=subscriber, args=(address, target, token, total, ready, theirs), daemon=True)
    reader.start()
    assert ready.wait(30), "the event stream did not begin"
    reached, refused = publish(address, target, token, rate, total)
    took = sorted(ours.recv()) if ours.poll(30) else []
    reader.kill()
    reader.join()
    assert len(took) == total, f"{refused} of {total} events were refused, {len(took)} came"
    return Run(reached, took[total // 2] / 1e6, took[total * 99 // 100] / 1e6, total, refused)
