"""Sagas that ask by an event and wait for the answer, while gateways are killed with -9: every answer is found, every question asked once."""
import threading
import time

import harness
from sagas import define, instance, path, start, step

SAGAS = 2000
ANSWERED = 0.9                   # of them; the others are to time out
TIMEOUT = 60
KILL_EVERY = 3


class Answers(threading.Thread):
    """Answers questions as they come: an agent that reads with a group would do the same. Goes to whichever gateway lives."""

    def __init__(self, gateways):
        super().__init__(daemon=True)
        self.gateways, self.cursor, self.stop, self.asked = gateways, "earliest", False, []

    def page(self, client):
        answer = client.get(harness.events_path("questions", after=self.cursor, wait="1s", limit=500, type="Asked"), timeout=10).expect(200)
        events = answer.json()["events"]
        replies = [{"id": f"re-{one['id']}", "type": "Answered", "data": {"to": one["subject"]}} for one in events
                   if int(one["subject"].removeprefix("i-")) < SAGAS * ANSWERED]
        if replies:
            done = client.post(harness.events_path("answers"), replies, timeout=10)
            assert done.status in (200, 201), done
        self.asked += [one["subject"] for one in events]
        self.cursor = answer.json()["cursor"]

    def run(self):
        while not self.stop:
            client = harness.Client(self.gateways[int(time.monotonic()) % 2])
            try:
                for _ in range(20):
                    self.page(client)
            except (OSError, AssertionError, harness.http.client.HTTPException):
                time.sleep(0.1)
            finally:
                client.close()


def retried(gateways, call, seconds=30):
    """call(client), against one gateway or the other until it is answered."""
    deadline = time.monotonic() + seconds
    while True:
        client = harness.Client(gateways[int(time.monotonic() * 10) % 2])
        try:
            return call(client)
        except (OSError, AssertionError, harness.http.client.HTTPException):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        finally:
            client.close()


def begin(gateways, n):
    def call(client):
        answer = client.post(path("asks", "instances"), {"id": f"i-{n}", "input": {}})
        assert answer.status in (200, 201), answer
    retried(gateways, call)


def kills(gateways, database_url, ended):
    """The second gateway, again and again; the first one keeps PostgreSQL."""
    while not ended.wait(KILL_EVERY):
        gateways[1].kill()
        harness.remove(gateways[1])
        gateways[1] = harness.serve(database_url)


def ended_of(gateways):
    def call(client):
        return [client.get(path("asks", "instances", state=state, limit=1)).expect(200).json()["items"]
                for state in ("running", "waiting", "paused", "compensating")]
    return not any(retried(gateways, call))


def test_every_answer_is_found_and_every_question_asked_once_while_gateways_are_killed():
    first = harness.dev()
    gateways, ended = [first, harness.serve(first.database_url)], threading.Event()
    answers, killer = Answers(gateways), threading.Thread(target=kills, args=(gateways, first.database_url, ended), daemon=True)
    try:
        client = harness.Client(first)
        client.create("questions", partitions=4)
        client.create("answers", partitions=4)
        asks = {"publish": {"stream": "questions", "event": {"type": "Asked", "subject": "{{saga.id}}"}},
                "await": {"stream": "answers", "types": ["Answered"], "match": {"/data/to": "{{saga.id}}"}}}
        define(client, "asks", {"name": "ask", "action": asks, "timeout": f"{TIMEOUT}s",
                                "compensation": {"publish": {"stream": "questions", "event": {"type": "Withdrawn", "subject": "{{saga.id}}"}}}},
               {"name": "note", "action": {"publish": {"stream": "answers", "event": {"type": "Noted", "subject": "{{saga.id}}"}}}})
        answers.start()
        killer.start()
        for n in range(SAGAS):
            begin(gateways, n)
        deadline = time.monotonic() + 2 * TIMEOUT
        while not ended_of(gateways):
            assert time.monotonic() < deadline
            time.sleep(1)
        ended.set()
        killer.join()
        client = harness.Client(first)
        for n in range(SAGAS):
            now = instance(client, "asks", f"i-{n}")
            assert now["state"] == ("completed" if n < SAGAS * ANSWERED else "compensated"), now
            assert now["state"] == "compensated" or step(now, "ask")["result"] is not None
        for stream, kind, wanted in (("questions", "Asked", SAGAS), ("answers", "Noted", int(SAGAS * ANSWERED)),
                                     ("questions", "Withdrawn", SAGAS - int(SAGAS * ANSWERED))):
            told = [one["subject"] for one in client.read_all(stream, type=kind, limit=5000)]
            assert len(told) == len(set(told)) == wanted, (kind, len(told), len(set(told)))
        left = harness.psql(first, "select (select count(*) from weir.saga_waits) + (select count(*) from weir.saga_inbox)")
        assert left == ["0"], left
    finally:
        ended.set()
        answers.stop = True
        killer.join(30)
        for one in reversed(gateways):
            one.stop()
            harness.remove(one)
