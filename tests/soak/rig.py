"""What the long tests share: publishers that never give up, readers that resume, and the ledger that holds both against SQL."""
import contextlib
import http.client
import json
import os
import random
import socket
import sys
import threading
import time
import urllib.parse
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402

PARTITIONS = 4
SEED = int(os.environ.get("SOAK_SEED", int.from_bytes(os.urandom(4), "big")))
NOTHING_RECORDED = {"database-unavailable", "database-full", "overloaded", "shutting-down", "out-of-memory"}
BROKEN = (OSError, http.client.HTTPException, ValueError)


class Slow(str):
    """A violation that tells of time alone: a busy machine may have made it."""


class Place:
    """Where a gateway listens just now; a restart moves it."""

    def __init__(self, gateway):
        self.token = harness.mint(ttl=8 * 3600)
        self.moved(gateway)

    def moved(self, gateway):
        self.gateway = gateway
        self.address = (gateway.host, gateway.port)


class Wire:
    """A kept-alive connection over a bare socket: one request, one answer, and an OSError for anything else."""

    def __init__(self, place):
        self.place, self.socket, self.rest = place, None, b""
        self.cut_midway = False        # the last failure came after the first byte of an answer

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.rest = None, b""

    def request(self, method, target, body=b"", timeout=30, content_type="application/json", key=None):
        """(status, headers, body)"""
        self.cut_midway = begun = False
        named = f"Idempotency-Key: {key}\r\n" if key else ""
        try:
            if not self.socket:
                self.socket = socket.create_connection(self.place.address, timeout)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.settimeout(timeout)
            self.socket.sendall(f"{method} {target} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer {self.place.token}\r\n"
                                f"Content-Type: {content_type}\r\n{named}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            self._more()
            begun = True
            head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
            answer = int(head[0].split()[1]), headers, self._exactly(int(headers["content-length"]))
            if headers.get("connection", "").lower() == "close":
                self.close()
            return answer
        except BaseException:
            self.cut_midway = begun
            self.close()
            raise

    def _more(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the answer was cut")
        self.rest += chunk

    def _until(self, mark):
        while mark not in self.rest:
            self._more()
        found, _, self.rest = self.rest.partition(mark)
        return found

    def _exactly(self, n):
        while len(self.rest) < n:
            self._more()
        found, self.rest = self.rest[:n], self.rest[n:]
        return found


class Publisher(threading.Thread):
    """Publishes numbered events. A request whose events have ids, or that has an Idempotency-Key, is sent again until it is answered
    2xx, optimistic lock included; one with neither is sent once, and what may have become of it is remembered."""

    def __init__(self, place, stream, number, seed, pause=0.0, subjects=3):
        super().__init__(daemon=True)
        self.place, self.stream, self.number, self.pause, self.subjects = place, stream, number, pause, subjects
        self.random = random.Random(f"{seed}/{number}")
        self.wire = Wire(place)
        self.halt = threading.Event()
        self.next = 0
        self.version = defaultdict(int)    # of each subject; None: not known
        self.acked = {}                # n: receipt
        self.refused, self.unknown = set(), set()
        self.acked_sent_at = 0.0       # when the request was sent that was last answered 2xx
        self.acked_at = []
        self.requests = self.retries = self.keyed = self.replayed = 0
        self.statuses = defaultdict(int)
        self.slowest = 0.0
        self.violations = []

    def event(self, with_id, again):
        n, event = self.next, {"type": "Soaked", "data": {"w": self.number, "n": self.next}}
        self.next += 1
        if with_id:
            event["id"] = f"{self.number}-{n}"
        if self.random.random() < 0.3:
            subject = event["subject"] = f"s{self.number}.{self.random.randrange(self.subjects)}"
            if self.version[subject] is not None:
                if again and self.random.random() < 0.5:
                    event["expectedversion"] = self.version[subject]
                self.version[subject] += 1
        return event

    def run(self):
        while not self.halt.is_set():
            kind, key = self.random.random(), None
            if kind < 0.4:
                key = f"{self.number}-{self.next}"
                self.keyed += 1
            with_id = 0.3 < kind < 0.8           # so some have both
            events = [self.event(with_id, with_id or key) for _ in range(1 if self.random.random() < 0.6 else self.random.randint(2, 6))]
            self.publish(events, with_id or key, key)
            if self.pause:
                time.sleep(self.random.uniform(0, 2 * self.pause))
        self.wire.close()

    def publish(self, events, again, key):
        body = json.dumps(events if len(events) > 1 else events[0]).encode()
        numbers = [event["data"]["n"] for event in events]
        self.requests += 1
        began = time.monotonic()
        code = self.attempt(body, numbers, key)
        while code and again:
            self.retries += 1
            time.sleep(0.05)
            if time.monotonic() - began > 120:
                self.violations.append(f"publisher {self.number}: {numbers} not accepted within 120 s ({code})")
                return
            code = self.attempt(body, numbers, key)
        for event in events:
            if "subject" in event:
                self.version[event["subject"]] = None if code else self.acked[event["data"]["n"]][3]
        if code:
            (self.refused if code in NOTHING_RECORDED else self.unknown).update(numbers)
        elif again and self.random.random() < 0.03:
            first = [self.acked[n] for n in numbers]
            if not self.attempt(body, numbers, key) and [self.acked[n] for n in numbers] != first:
                self.violations.append(f"publisher {self.number}: a repeat of {numbers} got another receipt")

    def attempt(self, body, numbers, key):
        """None, or why it is not known to be recorded."""
        impatient = self.random.random() < 0.01      # now and then a client that asks again while its first request runs
        sent = time.monotonic()
        try:
            status, headers, answer = self.wire.request("POST", f"/v1/streams/{self.stream}/events", body,
                                                        0.02 if impatient else 40, key=key)
            answer = json.loads(answer)
        except BROKEN as error:
            self.statuses[type(error).__name__] += 1
            return "cut"
        self.statuses[status] += 1
        self.slowest = max(self.slowest, time.monotonic() - sent)
        if status in (200, 201):
            receipts = answer if isinstance(answer, list) else [answer]
            for n, receipt in zip(numbers, receipts, strict=True):
                self.acked[n] = (receipt["partition"], int(receipt["offset"]), receipt["id"], receipt.get("version"))
            self.acked_sent_at = sent
            self.replayed += "idempotency-replayed" in headers
            self.acked_at.append(time.monotonic())
            return None
        if status not in ((409, 429, 503) if key else (429, 503)) or "retry-after" not in headers or not answer.get("code"):
            self.violations.append(f"publisher {self.number}: {status} {headers} {answer}")
        return answer.get("code", "?")


class Reader(threading.Thread):
    """Reads from the beginning and resumes at its last cursor whatever happens. Each partition must come as 1, 2, 3 …"""

    def __init__(self, place, stream, name, only=None):
        super().__init__(daemon=True, name=name)
        self.place, self.stream, self.only = place, stream, only
        self.cursor, self.halt, self.violations, self.reconnects = None, threading.Event(), [], 0
        self.seen = [[] for _ in range(PARTITIONS)]
        self.connection = None

    def take(self, event):
        ids = self.seen[event["partition"]]
        if int(event["offset"]) != len(ids) + 1:
            self.wrong(f"offset {event['offset']} of partition {event['partition']} came after {len(ids)}")
        ids.append(event["id"])

    def wrong(self, text):
        self.violations.append(f"{self.name}: {text}")
        self.halt.set()

    def query(self, **more):
        if self.only is not None:
            more["partition"] = self.only
        return harness.events_path(self.stream, **more)

    def run(self):
        while not self.halt.is_set():
            try:
                self.connection = http.client.HTTPConnection(*self.place.address, timeout=40)
                self.connected()
            except (*BROKEN, AttributeError):       # http.client forgets its socket when another thread shuts it
                self.reconnects += 1
                time.sleep(0.05)
            finally:
                self.connection.close()

    def ask(self, target, **headers):
        self.connection.request("GET", target, headers={"Authorization": f"Bearer {self.place.token}", **headers})
        answer = self.connection.getresponse()
        if answer.status not in (200, 503):
            self.wrong(f"{answer.status} {answer.read()[:300]}")
        if answer.status != 200:
            raise ConnectionError("no answer now")
        return answer

    def stop(self):
        self.halt.set()
        try:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass
        self.join(60)
        if self.is_alive():
            self.violations.append(f"{self.name} does not end")


class Poller(Reader):
    def connected(self):
        while not self.halt.is_set():
            page = json.loads(self.ask(self.query(after=self.cursor or "earliest", wait="2s", limit=1000)).read())
            for event in page["events"]:
                self.take(event)
            self.cursor = page["cursor"]


class Listener(Reader):
    """Server-sent events; only what came whole counts, as EventSource does."""

    def connected(self):
        resume = {"Last-Event-ID": self.cursor} if self.cursor else {}
        answer = self.ask(self.query(after="earliest"), Accept="text/event-stream", **resume)
        block = {}
        while not self.halt.is_set():
            line = answer.readline()
            if not line:
                raise ConnectionError("the stream ended")
            name, _, value = line.decode().rstrip("\n").partition(":")
            if line != b"\n":
                block[name] = value.removeprefix(" ")
                continue
            if block.get("event") == "gap":
                self.wrong(f"a gap: {block}")
            if "data" in block and "event" not in block:
                self.take(json.loads(block["data"]))
            self.cursor = block.get("id", self.cursor)
            block = {}


@contextlib.contextmanager
def at_work(*threads):
    """Started, and told to end whatever happens."""
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for one in threads:
            one.halt.set()


class Log:
    """What PostgreSQL holds of a stream, read by plain SQL."""

    def __init__(self, gateway, stream):
        self.heads = [int(head) for head in harness.psql(
            gateway, "select head from weir.partitions join weir.streams using (stream_id) "
                     f"where name = '{stream}' and not deleted order by partition")]
        self.rows = [[] for _ in self.heads]
        for line in harness.psql(gateway, f"""
                select partition, "offset", id, coalesce(subject, ''), coalesce(version, 0), data->>'w', data->>'n'
                  from weir.log where stream = '{stream}' order by 1, 2"""):
            partition, offset, event_id, subject, version, writer, n = line.split("|")
            self.rows[int(partition)].append((int(offset), event_id, subject, int(version), int(writer), int(n)))
        self.ids_known = int(harness.psql(gateway, "select count(*) from weir.dedup join weir.streams using (stream_id) "
                                                   f"where name = '{stream}'")[0])
        self.subjects = dict(line.split("|") for line in harness.psql(
            gateway, f"select subject, version from weir.subjects join weir.streams using (stream_id) where name = '{stream}'"))

    def ids(self):
        return [[row[1] for row in rows] for rows in self.rows]


def read_all(place, stream):
    """The ids by partition, over HTTP, page by page."""
    wire, found, cursor = Wire(place), [[] for _ in range(PARTITIONS)], "earliest"
    while True:
        status, _, body = wire.request("GET", harness.events_path(stream, after=cursor, limit=5000))
        assert status == 200, body
        page = json.loads(body)
        for event in page["events"]:
            found[event["partition"]].append(event["id"])
        cursor = page["cursor"]
        if page["up_to_date"]:
            wire.close()
            return found


def audit(log, publishers, readers, pages):
    """Everything that was promised, held against what is there. A list of sentences: empty is good."""
    wrong = [text for one in (*publishers, *readers) for text in one.violations]
    place, versions, last, with_id = {}, defaultdict(list), defaultdict(lambda: -1), 0
    acked = {(one.number, n): receipt for one in publishers for n, receipt in one.acked.items()}
    unknown = {(one.number, n) for one in publishers for n in one.unknown}
    for partition, rows in enumerate(log.rows):
        if [row[0] for row in rows] != list(range(1, log.heads[partition] + 1)):
            wrong.append(f"partition {partition}: the offsets are not 1..{log.heads[partition]}")
        for offset, event_id, subject, version, writer, n in rows:
            key = (writer, n)
            with_id += event_id == f"{writer}-{n}"
            if key in place:
                wrong.append(f"{key} is there twice: {place[key]} and {(partition, offset)}")
            place[key] = (partition, offset)
            if subject:
                versions[subject].append((partition, offset, version))
            if key in acked:
                if acked[key] != (partition, offset, event_id, version or None):
                    wrong.append(f"{key} is {(partition, offset, event_id, version)}; its receipt said {acked[key]}")
                if last[partition, writer] > n:
                    wrong.append(f"partition {partition}: {key} came after {last[partition, writer]}")
                last[partition, writer] = n
            elif key not in unknown:
                wrong.append(f"{key} is there although it was refused or never sent")
    wrong += [f"{key} was acknowledged as {receipt} and is lost" for key, receipt in acked.items() if key not in place]
    for subject, found in versions.items():
        if len({p for p, _, _ in found}) != 1 or [v for _, _, v in found] != list(range(1, len(found) + 1)):
            wrong.append(f"subject {subject}: {found[:20]}")
        if log.subjects.get(subject) != str(len(found)):
            wrong.append(f"subject {subject} has {len(found)} events, its row says {log.subjects.get(subject)}")
    if log.ids_known != with_id:
        wrong.append(f"{with_id} events have a client's id, {log.ids_known} ids are remembered")
    ids = log.ids()
    if pages != ids:
        wrong.append("HTTP does not tell what SQL tells")
    for reader in readers:
        wanted = ids if reader.only is None else [one if p == reader.only else [] for p, one in enumerate(ids)]
        if reader.seen != wanted:
            wrong.append(f"{reader.name} saw {[len(s) for s in reader.seen]} of {[len(s) for s in wanted]}, or others")
    return wrong


def settle(publishers, readers, gateway, stream, seconds=60):
    """Ends the publishers, lets the readers reach the heads, ends them; what is then in the log."""
    for one in publishers:
        one.halt.set()
    for one in publishers:
        one.join(180)
    log = Log(gateway, stream)
    deadline = time.monotonic() + seconds
    for reader in readers:
        heads = [head if reader.only in (None, p) else 0 for p, head in enumerate(log.heads)]
        while [len(s) for s in reader.seen] != heads and time.monotonic() < deadline and not reader.halt.is_set():
            time.sleep(0.02)
    for reader in readers:
        reader.stop()
    return log


def silences(publishers, times):
    """The longest time without a 2xx after each of these times, up to the next one."""
    acks = sorted(at for one in publishers for at in one.acked_at)
    ends = [*times[1:], float("inf")]
    return [max((b - a for a, b in zip(near, near[1:])), default=0.0)
            for near in ([begin, *(at for at in acks if begin < at < end)] for begin, end in zip(times, ends))]


def create(place, stream, partitions=PARTITIONS):
    wire = Wire(place)
    status, _, body = wire.request("PUT", f"/v1/streams/{stream}", json.dumps({"partitions": partitions}).encode())
    assert status == 201, body
    wire.close()


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def show(title, wrong, figures):
    """Prints what was found; the exit status of a script."""
    for name, value in figures.items():
        print(f"  {name:34} {value}", flush=True)
    for text in wrong[:50]:
        print(f"  VIOLATION {text}", flush=True)
    print(f"{'ok' if not wrong else 'not ok'} - {title}: {len(wrong)} violations", flush=True)
    return 1 if wrong else 0
