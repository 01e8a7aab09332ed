"""Bulk redrive and discard as durable jobs, their progress, and automatic redrive. Letters are made by SQL: only jobs are looked at."""
import concurrent.futures
import threading
import time

import harness
import pytest
from jobs import bury, counts, letters, look, make_group, retries, SOON, start, stream_id, wait


@pytest.fixture
def buried(client, gateway, stream):
    """A stream with group g and 100 letters."""
    client.create(stream)
    make_group(client, stream)
    bury(gateway, stream, 1, 100)
    return stream


FILTERS = [
    ({}, 100), ({"group": "g"}, 50), ({"group": "nobody"}, 0), ({"type": "Order*"}, 20), ({"type": "OrderPlaced"}, 10), ({"type": "*d"}, 90),
    ({"subject": "s-1*"}, 12), ({"subject": "%"}, 0), ({"reason": "rejected"}, 50), ({"fingerprint": f"{3:032x}"}, 10), ({"fingerprint": f"{10:032X}"}, 0),
    ({"from": "2026-01-01T00:00:50Z"}, 51), ({"to": "2026-01-01T00:00:50Z"}, 49), ({"from": "2026-01-01T01:00:10+01:00", "to": "2026-01-01T00:00:20Z"}, 10),
    ({"state": "parked", "group": "g", "type": "OrderPlaced", "from": "2026-01-01T00:00:00Z"}, 0), ({"group": "h", "type": "OrderPlaced"}, 10),
]


def test_a_filter_means_the_letters_that_fit_all_of_it(client, gateway, stream):
    client.create(stream)
    make_group(client, stream)
    make_group(client, stream, "h")
    bury(gateway, stream, 1, 100, group="case when i % 2 = 0 then 'g' else 'h' end",
         type="case when i % 10 = 1 then 'OrderPlaced' when i % 10 = 2 then 'OrderSent' else 'Paid' end", fingerprint="i % 10",
         subject="case when i < 20 or i = 100 then 's-' || i else 't' end", dead="timestamptz '2026-01-01Z' + i * interval '1 s'",
         reason="case when i % 2 = 0 then 'rejected' else 'max-retries' end")
    bury(gateway, stream, 101, 110, state="1 + i % 3")
    nulls = {"filter": {}, "limit": None, "rate_per_second": None, "reason": None, "dry_run": True}
    assert client.post(f"/v1/streams/{stream}/dlq/redrive", nulls).expect(200).json()["matched"] == 100
    for filter, expected in FILTERS:
        body = {"filter": filter, "dry_run": True}
        answer = client.post(f"/v1/streams/{stream}/dlq/redrive", body).expect(200).json()
        assert answer == {"matched": expected, "failing_schema": 0}, filter
        assert client.post(f"/v1/streams/{stream}/dlq/discard", {**body, "limit": 7}).expect(200).json()["matched"] == min(expected, 7)
    assert client.get(f"/v1/jobs?stream={stream}").expect(200).json() == {"items": [], "next": None}
    job = start(client, stream, filter={"group": "g", "type": "OrderSent"})
    assert counts(wait(client, job)) == ("done", 10, 10, 0)
    assert letters(gateway, stream)[0] == 90 and retries(gateway, stream) == 10


def test_a_redrive_goes_through_all_and_leaves_its_records(client, gateway, buried):
    job = start(client, buried, filter={"type": "Odd"}, reason="The service is back")
    job = wait(client, job)
    assert counts(job) == ("done", 100, 100, 0) and job["filter"] == {"type": "Odd"} and job["reason"] == "The service is back"
    assert job["limit"] is None and job["rate_per_second"] is None and "error" not in job and job["updated"] >= job["created"]
    assert letters(gateway, buried) == {1: 100} and retries(gateway, buried) == 100
    assert harness.psql(gateway, f"select distinct note, redrives, auto_redrives from weir.dead_letters where stream_id = {stream_id(gateway, buried)}") == [
        "The service is back|1|0"]
    records = audit(client, job, 2)
    assert [r["type"] for r in records] == ["DeadLettersRedriveStarted", "DeadLettersRedriveEnded"]
    assert records[0]["data"]["changes"] == {"stream": buried, "matched": 100, "filter": {"type": "Odd"}, "limit": None, "rate_per_second": None,
                                             "reason": "The service is back"}
    assert records[1]["data"]["changes"] == {**records[0]["data"]["changes"], "state": "done", "done": 100, "failed": 0}
    assert records[1]["data"]["actor"] == records[0]["data"]["actor"] and records[1]["data"]["request_id"] == records[0]["data"]["request_id"]
    assert records[0]["data"]["operation"] == "redriveDeadLetters"


def audited(client, **query):
    """The stream is made with its first record."""
    answer = client.get(harness.events_path("_audit", **query))
    return [] if answer.status == 404 else answer.expect(200).json()["events"]


def audit(client, job, n):
    deadline = time.monotonic() + SOON
    while len(found := audited(client, subject=f"/v1/jobs/{job['id']}", limit=1000)) < n:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_a_discard_closes_them(client, gateway, buried):
    job = wait(client, start(client, buried, "discard", {"group": "g"}, reason="Written off"))
    assert counts(job) == ("done", 100, 100, 0)
    assert letters(gateway, buried) == {3: 100} and retries(gateway, buried) == 0
    assert [r["type"] for r in audit(client, job, 2)] == ["DeadLettersDiscardStarted", "DeadLettersDiscardEnded"]
    assert counts(wait(client, start(client, buried))) == ("done", 0, 0, 0)


def test_a_limit_takes_the_oldest_and_passes_over_what_is_gone(client, gateway, buried):
    harness.psql(gateway, f"update weir.dead_letters set state = 2 where stream_id = {stream_id(gateway, buried)} and \"offset\" in (2, 4)")
    job = wait(client, start(client, buried, limit=10))
    assert counts(job) == ("done", 10, 10, 0) and job["limit"] == 10
    rows = harness.psql(gateway, f"select max(\"offset\") from weir.dead_letters where state = 1 and stream_id = {stream_id(gateway, buried)}")
    assert rows == ["12"]


def test_a_slow_rate_takes_one_at_a_time(client, gateway, buried):
    job = start(client, buried, rate_per_second=0.02)
    assert wait(client, job, lambda j: j["done"] == 1)["failed"] == 0
    time.sleep(1)
    assert look(client, job)["done"] == 1
    client.request("DELETE", f"/v1/jobs/{job['id']}").expect(200)


def test_a_cancelled_job_stops_where_it_is(client, gateway, buried):
    job = start(client, buried, rate_per_second=4)
    wait(client, job, lambda j: j["done"] >= 2)
    cancelled = client.request("DELETE", f"/v1/jobs/{job['id']}").expect(200).json()
    assert cancelled["state"] == "cancelled" and 2 <= cancelled["done"] < 100 and cancelled["matched"] == 100
    time.sleep(0.4)
    assert look(client, job) == cancelled and letters(gateway, buried) == {0: 100 - cancelled["done"], 1: cancelled["done"]}
    assert client.request("DELETE", f"/v1/jobs/{job['id']}").expect(200).json() == cancelled
    assert [r["type"] for r in audit(client, job, 2)] == ["DeadLettersRedriveStarted", "DeadLettersRedriveCancelled"]
    rest = wait(client, start(client, buried))
    assert counts(rest) == ("done", 100 - cancelled["done"], 100 - cancelled["done"], 0)
    problem = client.request("DELETE", f"/v1/jobs/{rest['id']}").problem(409, "conflict")
    assert "done" in problem["detail"]


def test_letters_whose_group_is_gone_fail_and_stay(client, gateway, buried):
    bury(gateway, buried, 101, 130, group="'gone'")
    assert counts(wait(client, start(client, buried))) == ("done", 130, 100, 30)
    assert letters(gateway, buried) == {0: 30, 1: 100}
    assert counts(wait(client, start(client, buried, "discard"))) == ("done", 30, 30, 0)


def test_counts_add_up_when_others_move_letters_meanwhile(client, gateway, buried):
    job = start(client, buried, rate_per_second=1)
    wait(client, job, lambda j: j["done"] >= 1)
    harness.psql(gateway, f"update weir.dead_letters set state = 3 where stream_id = {stream_id(gateway, buried)} and \"offset\" > 90")
    bury(gateway, buried, 101, 120, dead="now() + interval '1 minute'")       # died after the job was made
    harness.psql(gateway, f"update weir.jobs set rate = null, due = now() where job_id = '{job['id']}'")
    assert counts(wait(client, job)) == ("done", 100, 90, 10)
    assert letters(gateway, buried) == {0: 20, 1: 90, 3: 10}


def test_a_redrive_leaves_half_of_max_retrying_to_others(client, gateway, stream):
    client.create(stream)
    make_group(client, stream, max_retrying=10)
    bury(gateway, stream, 1, 8)
    job = start(client, stream)
    before = wait(client, job, lambda j: j["done"] == 5)
    time.sleep(1.2)
    assert look(client, job) == before and retries(gateway, stream) == 5
    harness.psql(gateway, f"delete from weir.retries where stream_id = {stream_id(gateway, stream)}")
    assert counts(wait(client, job)) == ("done", 8, 8, 0)


def test_a_job_needs_the_right_on_its_stream(client, gateway, buried):
    job = start(client, buried, rate_per_second=0.01)
    path, bulk = f"/v1/jobs/{job['id']}", f"/v1/streams/{buried}/dlq"
    for scope in (f"manage:{buried} subscribe:*", ""):
        token = harness.mint(scope)
        client.get(path, token=token).problem(403, "insufficient-scope")
        client.request("DELETE", path, token=token).problem(403, "insufficient-scope")
        client.post(f"{bulk}/redrive", {"filter": {}}, token=token).problem(403, "insufficient-scope")
        client.post(f"{bulk}/discard", {"filter": {}}, token=token).problem(403, "insufficient-scope")
        assert client.get("/v1/jobs", token=token).expect(200).json()["items"] == []
    other = harness.mint("dlq:another")
    hidden = client.get(path, token=other).problem(404, "unknown-job")
    unknown = client.get("/v1/jobs/01900000-0000-7000-8000-000000000000", token=other).problem(404, "unknown-job")
    assert hidden["detail"] == unknown["detail"]
    client.request("DELETE", path, token=other).problem(404, "unknown-job")
    client.post(f"{bulk}/redrive", {"filter": {}}, token=other).problem(403, "insufficient-scope")
    mine = harness.mint(f"dlq:{buried}")
    assert client.get("/v1/jobs", token=mine).expect(200).json()["items"][0]["id"] == job["id"]
    assert client.request("DELETE", path, token=mine).expect(200).json()["state"] == "cancelled"


def test_jobs_are_listed_in_pages_newest_first(client, gateway, buried, stream):
    jobs = [wait(client, start(client, buried, limit=1 + n)) for n in range(5)]
    target, seen = f"/v1/jobs?limit=2&stream={buried}&state=done", []
    while target:
        answer = client.get(target).expect(200)
        seen += answer.json()["items"]
        link = answer.headers.get("link")
        assert bool(link) == bool(answer.json()["next"])
        target = link[1:link.index(">")] if link else None
    assert seen == jobs[::-1]
    assert client.get(f"/v1/jobs?stream={buried}&state=failed").expect(200).json()["items"] == []
    for query in ("limit=0", "limit=1001", "after=x", "state=ended", "stream=A", "what=1"):
        client.get(f"/v1/jobs?{query}").problem(400, "bad-parameter")


@pytest.mark.parametrize("body, pointer", [
    ({}, "/filter"), ({"filter": None}, "/filter"), ({"filter": []}, "/filter"), ({"filter": {"x": "y"}}, "/filter/x"),
    ({"filter": {"group": ""}}, "/filter/group"), ({"filter": {"type": 5}}, "/filter/type"), ({"filter": {"fingerprint": "12"}}, "/filter/fingerprint"),
    ({"filter": {"from": "yesterday"}}, "/filter/from"), ({"filter": {"to": "2026"}}, "/filter/to"), ({"filter": {"state": "redriven"}}, "/filter/state"),
    ({"filter": {"state": "x"}}, "/filter/state"), ({"filter": {}, "limit": 0}, "/limit"), ({"filter": {}, "limit": 1.5}, "/limit"),
    ({"filter": {}, "rate_per_second": 0}, "/rate_per_second"), ({"filter": {}, "rate_per_second": 100001}, "/rate_per_second"),
    ({"filter": {}, "rate_per_second": "1"}, "/rate_per_second"), ({"filter": {}, "dry_run": "yes"}, "/dry_run"),
    ({"filter": {}, "reason": "x" * 501}, "/reason"), ({"filter": {}, "y": 1}, "/y"),
])
def test_a_body_that_does_not_fit(client, gateway, body, pointer):
    for kind in ("redrive", "discard"):
        client.post(f"/v1/streams/nothing-here/dlq/{kind}", body).problem(400, "bad-body", pointer)


def test_what_is_not_there(client, stream):
    for body in ({"filter": {}}, {"filter": {}, "dry_run": True}):
        client.post(f"/v1/streams/{stream}/dlq/redrive", body).problem(404, "unknown-stream")
    for name in ("x", "01900000-0000-7000-8000-00000000000g", "0" * 32):
        client.get(f"/v1/jobs/{name}").problem(404, "unknown-job")
        client.request("DELETE", f"/v1/jobs/{name}").problem(404, "unknown-job")
    client.get("/v1/jobs/x", headers={"Accept": "text/html"}).problem(406, "not-acceptable")
    client.post(f"/v1/streams/{stream}/dlq/redrive", b"filter=x", content_type="text/plain").problem(415, "unsupported-media-type")


def test_a_stream_runs_so_many_jobs_at_once(client, gateway, buried):
    small = harness.serve(gateway.database_url, {"WEIR_JOBS_PER_STREAM": "2"})
    one = harness.Client(small, gateway.token)
    jobs = [start(one, buried, rate_per_second=0.01) for _ in range(2)]
    assert one.post(f"/v1/streams/{buried}/dlq/redrive", {"filter": {}}).problem(429, "overloaded")["retry_after"] == 1
    one.request("DELETE", f"/v1/jobs/{jobs[0]['id']}").expect(200)
    start(one, buried, rate_per_second=0.01)
    one.close()
    assert small.stop() == 0
    harness.remove(small)


def test_gateways_that_die_leave_a_job_to_others_and_the_counts_add_up(client, gateway, stream):
    total, settings = 2400, {"WEIR_JOBS_BATCH": "10", "WEIR_JOBS_POLL": "10ms"}
    client.create(stream)
    make_group(client, stream, max_retrying=100000)
    bury(gateway, stream, 1, total, group="case when i % 3 = 0 then 'h' else 'g' end")
    job = start(client, stream, filter={"group": "g"}, rate_per_second=600)
    for _ in range(2):
        two = [harness.serve(gateway.database_url, settings) for _ in range(2)]
        before = look(client, job)["done"]
        wait(client, job, lambda j: j["done"] > before + 50 or j["state"] != "running")
        for one in two:
            one.kill()
            harness.remove(one)
    assert counts(wait(client, job)) == ("done", total * 2 // 3, total * 2 // 3, 0)
    assert letters(gateway, stream) == {0: total // 3, 1: total * 2 // 3} and retries(gateway, stream) == total * 2 // 3
    assert len(audit(client, job, 2)) == 2


def test_redrive_and_discard_at_once_share_the_letters_out(client, gateway, stream):
    client.create(stream)
    make_group(client, stream, max_retrying=100000)
    bury(gateway, stream, 1, 2000)
    second = harness.serve(gateway.database_url, {"WEIR_JOBS_BATCH": "50", "WEIR_JOBS_POLL": "10ms"})
    jobs, threads = [], []
    for kind in ("redrive", "discard", "redrive", "discard"):
        threads.append(threading.Thread(target=lambda k=kind: jobs.append(start(harness.Client(gateway), stream, k))))
        threads[-1].start()
    for one in threads:
        one.join()
    jobs = [wait(client, job) for job in jobs]
    now = letters(gateway, stream)
    assert sum(j["done"] for j in jobs if j["kind"] == "redrive") == now.get(1, 0) == retries(gateway, stream)
    assert sum(j["done"] for j in jobs if j["kind"] == "discard") == now.get(3, 0) and now.get(1, 0) + now.get(3, 0) == 2000
    assert all(j["state"] == "done" and j["done"] + j["failed"] == j["matched"] for j in jobs)
    assert second.stop() == 0
    harness.remove(second)


def test_redriven_letters_come_to_who_waits_and_are_resolved_when_done(client, gateway, stream):
    client.create(stream)
    client.put(f"/v1/streams/{stream}/groups/g", {"start": "earliest", "max_retries": 0}).expect(201)
    group = f"/v1/streams/{stream}/groups/g"
    client.publish(stream, [{"type": "Odd" if n % 2 else "Even", "subject": f"s{n}", "data": n} for n in range(30)])
    first = [d["delivery_id"] for d in client.post(f"{group}/receive", {"max": 30, "wait": "60s"}).expect(200).json()["deliveries"]]
    assert len(client.post(f"{group}/reject", {"delivery_ids": first}).expect(200).json()["done"]) == 30
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waits = pool.submit(harness.Client(gateway).post, f"{group}/receive", {"max": 30, "wait": "60s"})
        time.sleep(0.3)
        began = time.monotonic()
        job = start(client, stream, filter={"type": "Odd"})
        again = waits.result().expect(200).json()["deliveries"]
    assert again and time.monotonic() - began < harness.WOKEN
    assert counts(wait(client, job)) == ("done", 15, 15, 0)
    assert sorted(d["event"]["data"] for d in again) == list(range(1, 30, 2)) and {d["attempt"] for d in again} == {1}
    client.post(f"{group}/ack", {"delivery_ids": [d["delivery_id"] for d in again]}).expect(200)
    assert letters(gateway, stream) == {0: 15, 2: 15} and retries(gateway, stream) == 0


def test_a_group_redrives_by_itself_what_is_no_poison(client, gateway, stream):
    client.create(stream)
    make_group(client, stream, dlq_retry={"after": "1m", "rounds": 2})
    sid = stream_id(gateway, stream)
    bury(gateway, stream, 1, 10, fingerprint="1")
    bury(gateway, stream, 11, 20, fingerprint="2")
    bury(gateway, stream, 21, 30, fingerprint="3", group="'h'")
    bury(gateway, stream, 31, 40, fingerprint="4")
    harness.psql(gateway, f"""
        update weir.dead_letters set poison = "offset" = 15, auto_redrives = case when "offset" <= 3 then 2 else 0 end,
               dead_at = now() - interval '1 minute' * ("offset" <= 30)::integer where stream_id = {sid}""")
    until(lambda: letters(gateway, stream) == {0: 33, 1: 7})
    time.sleep(0.6)
    rows = harness.psql(gateway, 'select min("offset"), max("offset"), count(*), sum(redrives), sum(auto_redrives) from weir.dead_letters '
                                 f"where stream_id = {sid} and state = 1")
    assert rows == ["4|10|7|7|7"]
    harness.psql(gateway, f"update weir.dead_letters set poison = false where stream_id = {sid}")
    until(lambda: letters(gateway, stream) == {0: 23, 1: 17})
    until(lambda: len(told(client, stream)) == 2)
    assert [e["data"]["changes"] for e in told(client, stream)] == [{"automatic": True, "letters": 7}, {"automatic": True, "letters": 10}]


def told(client, stream):
    return audited(client, subject=f"/v1/streams/{stream}/groups/g", type="DeadLettersRedriven")


def until(good):
    deadline = time.monotonic() + SOON
    while not good():
        assert time.monotonic() < deadline
        time.sleep(0.05)
