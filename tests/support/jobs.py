"""Jobs on dead letters, which are made by SQL: many at once, and only jobs are looked at."""
import time

import harness

LETTER = "01900000-0000-7000-8000-"
SOON = 60 * harness.SLOW


def stream_id(gateway, stream):
    return harness.psql(gateway, f"select stream_id from weir.streams where name = '{stream}'")[0]


def make_group(client, stream, group="g", **settings):
    client.put(f"/v1/streams/{stream}/groups/{group}", {"paused": True, **settings}).expect(201)


def bury(gateway, stream, first, last, group="'g'", type="'Odd'", subject="null", reason="'rejected'", fingerprint="i % 2", dead="now()",
         state=0):
    """Letters first..last; the others are SQL expressions of i."""
    harness.psql(gateway, f"""
        insert into weir.dead_letters (stream_id, letter_id, group_name, partition, "offset", key, state, reason, error_type,
                                       error_masked, fingerprint, attempts, dead_at, updated_at, recorded, id, type, subject,
                                       attributes, data_format)
        select {stream_id(gateway, stream)}, ('{LETTER}' || lpad(to_hex(i), 12, '0'))::uuid, {group}, 0, i, 0, {state}, {reason},
               'E', 'boom', lpad(to_hex({fingerprint}), 32, '0')::uuid, '', {dead}, now(), now(), 'e' || i, {type}, {subject}, '', 0
          from generate_series({first}, {last}) i""")


def letters(gateway, stream):
    """{state: how many}"""
    rows = harness.psql(gateway, f"select state, count(*) from weir.dead_letters where stream_id = {stream_id(gateway, stream)} "
                                 "group by 1")
    return {int(state): int(n) for state, n in (row.split("|") for row in rows)}


def retries(gateway, stream):
    return int(harness.psql(gateway, f"select count(*) from weir.retries where stream_id = {stream_id(gateway, stream)}")[0])


def start(client, stream, kind="redrive", filter=None, **more):
    answer = client.post(f"/v1/streams/{stream}/dlq/{kind}", {"filter": filter or {}, **more}).expect(202)
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}" and job["state"] == "running" and job["kind"] == kind
    return job


def look(client, job):
    return client.get(f"/v1/jobs/{job['id']}").expect(200).json()


def wait(client, job, good=lambda j: j["state"] != "running", seconds=SOON):
    deadline = time.monotonic() + seconds
    while not good(now := look(client, job)):
        assert time.monotonic() < deadline, now
        time.sleep(0.02)
    return now


def counts(job):
    return job["state"], job["matched"], job["done"], job["failed"]
