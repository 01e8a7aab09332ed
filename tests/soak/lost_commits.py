"""The connection is lost after COMMIT was sent: the gateway finds out what became of it, and never guesses.

    lost_commits.py
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import rig
from rig import harness
from servers import Bench, Session, answer_of

STREAM = "soak.lost-commits"


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def overtaken():
    """A commit is lost, and before the gateway can look for it, another gateway records the same event elsewhere. The first
    must not take that for its own."""
    wrong, answers = [], {}
    with Bench() as bench:
        bench.postgres.start()
        first = bench.serve(WEIR_COMMIT_WAIT="10s")
        second = bench.serve(WEIR_COMMIT_WAIT="10s", WEIR_DATABASE_STATEMENT_TIMEOUT="20s")
        places = rig.Place(first), rig.Place(second)
        rig.create(places[0], STREAM, partitions=1)
        event = {"type": "A", "id": "x", "data": 1}
        lane = int(harness.psql(first, "select pid from pg_stat_activity where application_name like 'weir-lane-%' "
                                       "order by backend_start limit 1")[0])

        def publish(name, place, body):
            answers[name] = answer_of(place, "POST", f"/v1/streams/{STREAM}/events", json.dumps(body).encode())

        def start(blocked, *arguments):
            """A publish, once so many sessions wait for a lock."""
            thread = threading.Thread(target=publish, args=arguments)
            thread.start()
            until(lambda: harness.psql(second, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'") ==
                  [str(blocked)])
            return thread

        publish("warm", places[0], {"type": "A", "id": "1"})         # whoever connects from now on is held up by the lock
        publish("too", places[1], {"type": "A", "id": "2"})
        table = bench.enter_context(contextlib.closing(Session(bench.postgres.url)))
        table.say("begin; lock table weir.events in share mode")     # the lane has looked, and waits before it writes
        threads = [start(1, "first", places[0], event)]
        os.kill(lane, signal.SIGSTOP)
        threads.append(start(2, "second", places[1], [{"type": "B", "id": "y"}, event]))    # queues for the head row
        until(lambda: "connection to PostgreSQL lost" in first.log())    # the first gateway has given its session up
        os.kill(lane, signal.SIGCONT)
        table.say("commit")
        for thread in threads:
            thread.join()
        rows = harness.psql(second, f"select \"offset\", id from weir.log where stream = '{STREAM}' order by 1")
        receipts = {(r["offset"], r["id"]) for status, _, body, _ in answers.values() if status in (200, 201)
                    for r in (body if isinstance(body, list) else [body])}
        if rows != ["1|1", "2|2", "3|y", "4|x"] or not receipts <= {tuple(row.split("|")) for row in rows}:
            wrong.append(f"the log is {rows}, the answers {answers}")
        if "looked up" not in first.log():
            wrong.append("no commit was lost: nothing was proved")
        wrong += [f"a gateway ended with {status}" for status in (first.stop(), second.stop()) if status]
        return wrong, {"answers": {name: answer[0] for name, answer in answers.items()}, "log": rows}


def waiting(admin, who):
    """Does a commit of theirs wait for a standby?"""
    return admin.say(f"select count(*) from pg_stat_activity where wait_event = 'SyncRep' and application_name like '{who}'") != ["0"]


def commit(url):
    return subprocess.Popen([harness.PSQL, "-XAtq", "-d", url, "-c", "select pg_logical_emit_message(true, '', '')"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def hold_commits(admin, url):
    """From now on commits are done here and then wait for a standby that there is not; one does."""
    admin.say("alter system set synchronous_standby_names = 'nobody'")
    admin.say("select pg_reload_conf()")
    for _ in range(200):                                             # the setting reaches the sessions some time
        one = commit(url)
        while one.poll() is None:
            if waiting(admin, "psql"):
                return one
            time.sleep(0.02)
    raise RuntimeError("no commit waits for a standby")


def let_commits_go(admin, url):
    """Once this is over: PostgreSQL may be slow to read the setting, and would let go those that are held by the next one."""
    admin.say("alter system reset synchronous_standby_names")
    admin.say("select pg_reload_conf()")
    commit(url).wait(60)


def confirmed():
    """The session dies after its commit and before its answer: the gateway finds the events and answers with their places."""
    wrong, found = [], []
    with Bench() as bench:
        bench.postgres.start()
        gateway = bench.serve(WEIR_COMMIT_WAIT="10s", WEIR_DATABASE_STATEMENT_TIMEOUT="20s")
        place = rig.Place(gateway)
        rig.create(place, STREAM, partitions=3)
        admin = bench.enter_context(contextlib.closing(Session(bench.postgres.url)))

        def publish(events, key=None):
            found.append(answer_of(place, "POST", f"/v1/streams/{STREAM}/events", json.dumps(events).encode(), key))

        publish([{"type": "A", "data": i} for i in range(20)])
        for extra, key in (({}, None), ({"id": "x"}, None), ({"subject": "s"}, None), ({}, "k")):
            held = hold_commits(admin, bench.postgres.url)
            thread = threading.Thread(target=publish, args=([{"type": "A", "data": 1, **extra}, {"type": "A", "data": 2}], key))
            thread.start()
            while thread.is_alive() and not waiting(admin, "weir-lane-%"):
                time.sleep(0.02)
            admin.say("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
            held.wait(30)
            let_commits_go(admin, bench.postgres.url)
            thread.join()
        again = answer_of(place, "POST", f"/v1/streams/{STREAM}/events",
                          json.dumps([{"type": "A", "data": 1}, {"type": "A", "data": 2}]).encode(), "k")
        if again[2] != found[-1][2] or "idempotency-replayed" not in again[1]:
            wrong.append(f"the key's answer is {again}, and was {found[-1]}")
        rows = harness.psql(gateway, f"select partition, \"offset\", id from weir.log where stream = '{STREAM}' order by 1, 2")
        receipts = [f"{r['partition']}|{r['offset']}|{r['id']}" for status, _, body, _ in found if status == 201 for r in body]
        if len(rows) != 28 or sorted(rows) != sorted(receipts):
            wrong.append(f"the log is {rows}, the receipts {receipts}, the answers {[a[0] for a in found]}")
        looked_up = sum("looked up" in line and "true" in line for line in gateway.log().splitlines())
        if looked_up != 4:
            wrong.append(f"{looked_up} commits were looked up and found, not 4: {gateway.log()[-2000:]}")
        if gateway.stop():
            wrong.append("it did not end with 0")
        return wrong, {"commits without an answer": looked_up, "answered with the right receipts": len(found) - 1}


def run():
    """(violations, figures)"""
    wrong, figures = [], {}
    for scenario in (overtaken, confirmed):
        violations, found = scenario()
        wrong += [f"{scenario.__name__}: {text}" for text in violations]
        figures.update({f"{scenario.__name__}: {key}": value for key, value in found.items()})
    return wrong, figures


if __name__ == "__main__":
    sys.exit(rig.show("lost commits", *run()))
