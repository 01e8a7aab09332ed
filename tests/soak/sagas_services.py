"""The services that sagas call, with books of money: they delay, fail and drop connections as they are told. All in one process with one
loop, so that what happens is in one order, whichever service it happens in.

    sagas_services.py COUNT SEED      prints their ports as JSON; ends when its standard input does

An action moves money by {"from", "to", "amount"}, once for its Idempotency-Key; a compensation moves back what the action of its key has
moved, and an action that comes after its compensation is refused. {"as": …} in the body says what else becomes of it (OUTCOMES).
"""
import asyncio
import collections
import json
import random
import sys
import time

# What may happen to a call, each with its probability in the habits of a service: (before it is booked?, what is said).
FATES = {
    "unavailable": (True, (503, {})), "error": (True, (500, {})), "busy": (True, (429, {"Retry-After": "0"})), "early": (True, (425, {})),
    "accepted": (True, (202, {"Retry-After": "0"})), "drop": (True, None),
    "late error": (False, (500, {})), "late drop": (False, None), "cut": (False, "cut"),
}
OUTCOMES = {"reject": 422, "conflict": 409, "broken": 500}     # and "half": booked, and yet 500
REASONS = {200: "OK", 202: "Accepted"}


class Book:
    """Of one idempotency key. Moments are ticks of one counter; None: not yet."""

    def __init__(self, service, path, body, moment):
        self.service, self.path, self.body, self.begun, self.begun_at = service, path, body, moment, time.time()
        self.applied = self.answered = self.answered_at = self.ended = self.result = None
        self.calls = self.failed = self.repeated = self.overlaps = self.refused = 0
        self.empty = False                       # a compensation of what never happened
        self.open = set()                        # connections that wait for an answer
        self.traces, self.ids, self.bodies = set(), set(), {body}

    def told(self):
        found = {name: value for name, value in vars(self).items() if name not in ("open", "bodies")}
        return {**found, "traces": sorted(self.traces), "ids": sorted(self.ids), "bodies": len(self.bodies)}


class Books:
    def __init__(self, count, seed):
        self.random, self.moment = random.Random(seed), 0
        self.books, self.balances = {}, collections.Counter()
        self.habits = [{} for _ in range(count)]
        self.calls, self.statuses, self.at = [0] * count, collections.Counter(), [[] for _ in range(count)]

    def tick(self):
        self.moment += 1
        return self.moment

    def begin(self, service, path, headers, body, connection):
        moment, key = self.tick(), headers.get("idempotency-key", "")
        book = self.books.get(key)
        if not book:
            book = self.books[key] = Book(service, path, body, moment)
        self.calls[service] += 1
        self.at[service].append(time.time())
        book.calls += 1
        book.repeated += book.answered is not None
        book.overlaps += bool(book.open)
        book.open.add(connection)
        book.bodies.add(body)
        book.traces.add(headers.get("traceparent", "-"))
        book.ids.add(headers.get("webhook-id", "-"))
        return key, book

    def fate(self, service):
        dice = self.random.random()
        for name, share in self.habits[service].get("fates", {}).items():
            dice -= share
            if dice < 0:
                return FATES[name]
        return None

    def delay(self, service):
        return self.random.uniform(*self.habits[service].get("delay", (0, 0)))

    def apply(self, key, book):
        """(status, body): what an honest service does."""
        body = json.loads(book.body or "{}")
        instance, _, kind = key.rpartition("/")
        other = self.books.get(f"{instance}/{'action' if kind == 'compensation' else 'compensation'}")
        if kind == "action" and other and other.applied:
            book.refused += 1
            return 409, {"code": "undone"}
        if not book.applied and kind == "action" and body.get("as") in OUTCOMES:
            return OUTCOMES[body["as"]], {"code": body["as"]}
        if not book.applied:
            self.book(book, body, kind, other)
        return (500 if body.get("as") == "half" and kind == "action" else 200), book.result

    def book(self, book, body, kind, other):
        book.applied = self.tick()
        book.result = {"receipt": f"receipt-{book.applied}", "left": body.get("of", 0) - body.get("amount", 0)}
        book.empty = kind == "compensation" and not (other and other.applied)
        if book.empty:
            return
        moved = json.loads(other.body) if kind == "compensation" else body
        sign = -1 if kind == "compensation" else 1
        self.balances[moved.get("from", "")] -= sign * moved.get("amount", 0)
        self.balances[moved.get("to", "")] += sign * moved.get("amount", 0)

    def told(self):
        return {"books": {key: book.told() for key, book in self.books.items()}, "balances": self.balances, "calls": self.calls,
                "statuses": self.statuses, "at": self.at}


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request after the other."""

    def __init__(self, books, service):
        self.books, self.service, self.rest, self.busy, self.transport = books, service, b"", None, None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _error):
        if self.busy:
            self.busy.open.discard(self)         # what was begun goes on: the caller is gone, the service is not

    def data_received(self, data):
        self.rest += data
        head, found, body = self.rest.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if len(body) < length:
            return
        self.rest = body[length:]
        _, path, _ = lines[0].split(" ", 2)
        body = body[:length].decode()
        if path.startswith("/_"):
            self.answer(200, self.control(path, json.loads(body or "null")))
        else:
            asyncio.get_running_loop().create_task(self.call(path, headers, body))

    def control(self, path, body):
        if path == "/_habits":
            self.books.habits = body
        if path == "/_forget":
            fresh = Books(len(self.books.habits), self.books.random.random())
            vars(self.books).update({**vars(fresh), "habits": self.books.habits})
        return self.books.told() if path in ("/_books", "/_habits") else {}

    def answer(self, status, body, headers=(), cut=False):
        text = json.dumps(body).encode()
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**dict(headers), "Content-Length": len(text)}.items())
        whole = f"HTTP/1.1 {status} {REASONS.get(status, 'No')}\r\nContent-Type: application/json\r\n{lines}\r\n".encode() + text
        self.books.statuses["cut" if cut else status] += 1
        self.transport.write(whole[:-len(text) // 2] if cut else whole)
        if cut:
            self.transport.close()

    async def call(self, path, headers, body):
        key, book = self.books.begin(self.service, path, headers, body, self)
        self.busy, fate = book, self.books.fate(self.service)
        before, what = fate or (False, "")
        await asyncio.sleep(self.books.delay(self.service))
        status, result = (200, {}) if before else self.books.apply(key, book)
        if self.books.habits[self.service].get("echo"):      # as many do who explain what they do not like
            result = {**result, "you": f"{path} {headers} {body}", "sent": json.loads(body or "null")}
        await asyncio.sleep(self.books.delay(self.service))
        book.open.discard(self)
        book.ended, self.busy = self.books.tick(), None
        book.failed += fate is not None or status >= 500
        if what is None:
            self.books.statuses["dropped"] += 1
            self.transport.abort()
        elif not self.transport.is_closing():
            if status == 200 and not fate:
                book.answered, book.answered_at = book.answered or self.books.tick(), book.answered_at or time.time()
            status, more = what if isinstance(what, tuple) else (status, {})
            self.answer(status, result, more, what == "cut")


async def main(count, seed):
    loop, books = asyncio.get_running_loop(), Books(count, seed)
    servers = [await loop.create_server(lambda n=n: Connection(books, n), "127.0.0.1", 0, backlog=1024) for n in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
