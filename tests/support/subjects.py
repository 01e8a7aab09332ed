"""Writers that race on subjects under the optimistic lock, and what must be true of the log afterwards."""
import json
import random
import threading
import time
import urllib.parse

import harness

SNAPSHOT_EVERY = 10


def path(stream, subject, rest="", **query):
    text = f"/v1/streams/{stream}/subjects/{urllib.parse.quote(subject, safe='')}{rest}"
    return text + ("?" + urllib.parse.urlencode(query) if query else "")


def whole(client, stream, subject, **query):
    """Every event of a subject, page by page along the links."""
    target, events = path(stream, subject, "/events", **query), []
    while target:
        answer = client.get(target).expect(200)
        events += answer.json()["events"]
        link = answer.headers.get("link")
        assert bool(link) != answer.json()["up_to_date"], answer
        target = link and link.partition("<")[2].partition(">")[0]
    return events


def fold(state, events):
    """A sum, by which each event tells what it was decided on. A lost update, or a version left out, breaks it."""
    for event in events:
        assert event["version"] == state["version"] + 1, (state, event)
        assert event["data"]["before"] == state["total"], (state, event)
        state = {"version": event["version"], "total": state["total"] + event["data"]["add"]}
    return state


class Race:
    """Each writer loads a subject, decides on what it finds, and publishes for that version alone. It takes so many seconds, and on a
    slow machine up to a minute longer, until enough has been (won, lost, taken as a snapshot)."""

    def __init__(self, gateways, stream, writers, subjects, seconds, check=True, enough=(0, 0, 0)):
        self.gateways, self.stream, self.check, self.enough = gateways, stream, check, enough
        self.subjects = [f"cart/{n}" for n in range(subjects)]
        self.deadline = time.monotonic() + seconds
        self.lock, self.won, self.lost, self.wrong, self.snapshots = threading.Lock(), [], [], [], 0
        self.threads = [threading.Thread(target=self._write, args=(n,)) for n in range(writers)]

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        return self

    def _goes_on(self):
        late = time.monotonic() - self.deadline
        return late < 0 or late < 60 and any(n < m for n, m in zip((len(self.won), len(self.lost), self.snapshots), self.enough))

    def _write(self, number):
        client = harness.Client(self.gateways[number % len(self.gateways)], check=self.check)
        chance, seen = random.Random(number), {}
        try:
            while self._goes_on():
                subject = chance.choice(self.subjects)
                state = self._load(client, subject)
                assert state["version"] >= seen.get(subject, 0), f"{subject} went back from {seen[subject]} to {state}"
                seen[subject] = self._commit(client, subject, state, number, chance.randint(1, 9))
        except Exception as error:                   # of any kind: the test tells it
            self.wrong.append(f"writer {number}: {error!r:.2000}")
        finally:
            client.close()

    def _load(self, client, subject):
        answer = client.get(path(self.stream, subject, snapshot="true"))
        if answer.status == 404:
            assert answer.json()["current_version"] == 0, answer
            return {"version": 0, "total": 0}
        found = answer.expect(200).json()
        assert found["up_to_date"], found
        state = fold(found["snapshot"]["state"] if found["snapshot"] else {"version": 0, "total": 0}, found["events"])
        assert state["version"] == found["version"] and answer.headers["etag"].strip('W/"') == str(found["version"]), answer
        return state

    def _commit(self, client, subject, state, number, add):
        """The subject's version afterwards, as far as the writer is told."""
        version = state["version"]
        event = {"type": "Added", "subject": subject, "data": {"writer": number, "before": state["total"], "add": add}}
        headers = {}
        if number % 2:
            event["expectedversion"] = version
        else:
            headers = {"If-Match": f'"{version}"'} if version else {"If-None-Match": "*"}
        answer = client.post(f"/v1/streams/{self.stream}/events", event, headers=headers)
        if answer.status == 412:
            current = answer.problem(412, "version-conflict")["current_version"]
            assert current > version, answer
            with self.lock:
                self.lost.append((subject, version, current, number))
            return current
        assert answer.expect(201).json()["version"] == version + 1, answer
        with self.lock:
            self.won.append((subject, version + 1, number))
        if (version + 1) % SNAPSHOT_EVERY == 0:
            self._snapshot(client, subject, {"version": version + 1, "total": state["total"] + add})
        return version + 1

    def _snapshot(self, client, subject, state):
        answer = client.put(path(self.stream, subject, "/snapshot"), {"version": state["version"], "state": state})
        if answer.status == 409:                     # somebody stored a later one meanwhile
            answer.problem(409, "snapshot-version")
            return
        assert answer.status in (200, 201), answer
        self.snapshots += 1

    def judge(self, client):
        """(what is wrong, figures)"""
        wrong, versions = list(self.wrong), {}
        for subject in self.subjects:
            events = whole(client, self.stream, subject)
            try:
                state = fold({"version": 0, "total": 0}, events)
                stored = client.get(path(self.stream, subject, "/snapshot"))
                if stored.status == 200:
                    at = stored.json()["version"]
                    assert stored.json()["state"] == fold({"version": 0, "total": 0}, events[:at]), stored
            except AssertionError as error:
                wrong.append(f"{subject}: {error!s:.500}")
                continue
            versions[subject] = state["version"]
            writers = {event["version"]: event["data"]["writer"] for event in events}
            won = {version: number for name, version, number in self.won if name == subject}
            if won != writers:
                wrong.append(f"{subject}: {len(won)} writers were told that they won, {len(writers)} events are there")
            for name, expected, current, number in self.lost:
                if name == subject and not (expected < current <= state["version"]):
                    wrong.append(f"{subject}: writer {number} at version {expected} was told {current} of {state['version']}")
        if not self.lost:
            wrong.append("nobody ever lost: that was no race")
        return wrong, {"won": len(self.won), "lost": len(self.lost), "snapshots": self.snapshots,
                       "versions": json.dumps(sorted(versions.values()))}
