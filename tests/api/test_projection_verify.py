"""What a projection holds is compared with what its events make."""
import time
import uuid

import harness
import pytest

BALANCE = {"key": "subject", "on": {"Paid": [{"increment": {"/sum": {"from": "/data/amount"}}}, {"count": "/n"}]}}


@pytest.fixture
def book(client, stream):
    """A projection of 500 payments of 50 accounts, folded: its path."""
    client.create(stream, partitions=3)
    client.publish(stream, [{"type": "Paid", "subject": f"a-{i % 50:02}", "data": {"amount": 0.1}} for i in range(500)])
    path = f"/v1/projections/{stream.replace('.', '-')}"
    client.put(path, {"streams": [stream], **BALANCE}).expect(201)
    wait_until_folded(client, path)
    return path


def wait_until_folded(client, path, seconds=60):
    until = time.monotonic() + seconds * harness.SLOW
    while (now := client.get(path).expect(200).json())["lag"]["events"] or now["rebuild"]:
        assert time.monotonic() < until, now
        time.sleep(0.02)


def verify(client, path, wait="60s"):
    answer = client.post(f"{path}/verify?wait={wait}", None).expect(200)
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}" and job["state"] == "done" and job["kind"] == "verify"
    return job


def damage(gateway, path, change, key):
    harness.psql(gateway, f"""update weir.projection_states s set {change} from weir.projections p where s.projection_id = p.projection_id
        and s.build = p.build and p.name = '{path.rpartition("/")[2]}' and s.key = '{key}'""")


def test_what_is_right_has_no_drift_and_leaves_no_trace(client, gateway, book):
    job = verify(client, book)
    assert (job["checked"], job["drifted"], job["drift"], job["order_dependent"], job["automatic"]) == (50, 0, [], [], False)
    assert client.get(f"/v1/jobs/{job['id']}").expect(200).json() == job
    now = client.get(book).json()
    assert now["verified"]["id"] == job["id"] and now["verified"]["checked"] == 50 and now["state"] == "running"
    until = time.monotonic() + 60 * harness.SLOW
    while harness.psql(gateway, f"""select 1 from weir.projection_builds b join weir.projections p using (projection_id)
                                     where p.name = '{book.rpartition("/")[2]}' and b.build <> p.build"""):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_drift_is_told_key_by_key_with_what_it_should_be(client, gateway, book):
    damage(gateway, book, """state = '{"sum":99.0,"n":10}'""", "a-07")
    damage(gateway, book, "version = version + 1", "a-08")
    damage(gateway, book, "state = replace(state, ',', ' , ')", "a-09")                   # another spelling of the same value
    harness.psql(gateway, f"""delete from weir.projection_states s using weir.projections p where s.projection_id = p.projection_id
        and s.build = p.build and p.name = '{book.rpartition("/")[2]}' and s.key = 'a-10'""")
    harness.psql(gateway, f"""insert into weir.projection_states select s.projection_id, s.build, 'zz', s.state, 1, 0, 0, 1 from
        weir.projection_states s join weir.projections p using (projection_id, build) where p.name = '{book.rpartition("/")[2]}'
        and s.key = 'a-11'""")
    job = verify(client, book)
    assert (job["checked"], job["drifted"], job["order_dependent"]) == (51, 4, [])
    right = {"state": {"sum": 1.0, "n": 10}, "version": 10}
    assert job["drift"] == [
        {"key": "a-07", "state": {"sum": 99.0, "n": 10}, "version": 10, "expected": right["state"], "expected_version": 10},
        {"key": "a-08", "state": right["state"], "version": 11, "expected": right["state"], "expected_version": 10},
        {"key": "a-10", "state": None, "version": 0, "expected": right["state"], "expected_version": 10},
        {"key": "zz", "state": right["state"], "version": 1, "expected": None, "expected_version": 0}]
    client.post(f"{book}/rebuild", {}).expect(202)
    wait_until_folded(client, book)
    assert verify(client, book)["drifted"] == 0


def test_it_is_verified_while_events_come(client, gateway, book):
    stream = client.get(book).json()["streams"][0]
    other, until = harness.Client(gateway), time.monotonic() + 60 * harness.SLOW
    job = client.post(f"{book}/verify?wait=0s", None).expect(202).json()
    assert client.post(f"{book}/verify?wait=0s", None).json()["id"] == job["id"]              # it runs already, or has just ended
    n = 0
    while job["state"] == "running":
        assert time.monotonic() < until
        other.publish(stream, [{"type": "Paid", "subject": f"a-{i:02}", "data": {"amount": 1}} for i in range(50)])
        n += 50
        job = client.get(f"/v1/jobs/{job['id']}").expect(200).json()
    assert (job["state"], job["drifted"], job["checked"]) == ("done", 0, 50)
    wait_until_folded(client, book)
    assert client.get(f"{book}/state/a-00").json()["version"] == 10 + n // 50
    other.close()


def test_what_depends_on_the_order_of_partitions_is_no_drift(client, gateway, stream):
    client.create(stream, partitions=4)
    path = f"/v1/projections/{stream.replace('.', '-')}"
    client.put(path, {"streams": [stream], "key": "/data/all", "on": {"*": [{"set": {"/last": {"from": "/subject"}}}]}}).expect(201)
    for i in range(12):
        client.publish(stream, {"type": "A", "subject": f"s-{i}", "data": {"all": "one"}})
    wait_until_folded(client, path)
    damage(gateway, path, """state = '{"last":"nobody"}'""", "one")
    job = verify(client, path)
    assert job["drift"] == [] and [k["key"] for k in job["order_dependent"]] == ["one"] and job["order_dependent_keys"] == 1


def test_what_cannot_be_compared_is_refused(client, gateway, book):
    client.post(f"{book}/pause", None).expect(200)
    client.post(f"{book}/verify", None).problem(409, "conflict")
    client.post(f"{book}/resume", {}).expect(200)
    stream = client.get(book).json()["streams"][0]
    harness.psql(gateway, f"update weir.partitions p set earliest = 2 from weir.streams s where s.stream_id = p.stream_id and s.name = '{stream}'")
    assert "retention" in client.post(f"{book}/verify", None).problem(409, "conflict")["detail"]
    client.post("/v1/projections/never-there/verify", None).problem(404, "unknown-projection")
    client.post(f"{book}/verify", None, token=harness.mint("projection:other")).problem(403, "insufficient-scope")
    client.post(f"{book}/verify?wait=x", None).problem(400, "bad-parameter")


def test_a_verification_is_seen_and_cancelled_by_those_with_the_right(client, gateway, book):
    job = client.post(f"{book}/verify?wait=0s", None).json()
    path = f"/v1/jobs/{job['id']}"
    client.get(path, token=harness.mint("dlq:*")).problem(404, "unknown-job")
    client.get(path, token=harness.mint(f"projection:{book.rpartition('/')[2]}")).expect(200)
    answer = client.request("DELETE", path)
    assert answer.status == 200 and answer.json()["state"] == "cancelled" or answer.problem(409, "conflict")


def test_it_is_verified_by_itself(client, gateway, stream):
    client.create(stream)
    client.publish(stream, [{"type": "Paid", "subject": "a", "data": {"amount": 1}}])
    path = f"/v1/projections/{stream.replace('.', '-')}"
    client.put(path, {"streams": [stream], **BALANCE, "verify_every": "1m"}).expect(201)
    wait_until_folded(client, path)
    damage(gateway, path, """state = '{"sum":2,"n":1}'""", "a")
    name = path.rpartition("/")[2]
    harness.psql(gateway, f"update weir.projections set updated = updated - interval '1 hour' where name = '{name}'")
    until = time.monotonic() + 60 * harness.SLOW
    while not (last := client.get(path).expect(200).json()["verified"]):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert (last["automatic"], last["state"], last["drifted"]) == (True, "done", 1)


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_what_is_read_goes_on_at_once_when_its_verification_is_given_up(client, gateway, book, how):
    """A check that holds what is read, as it does before it compares, and does not come to that; for so long that nothing else lets go."""
    name, job, stream = book.rpartition("/")[2], str(uuid.uuid4()), client.get(book).json()["streams"][0]
    error = """'{"detail":"as if an event could not be folded"}'""" if how == "failed" else "null"
    harness.psql(gateway, f"""
        update weir.projection_builds b set held = now() + interval '1 hour' from weir.projections p where b.projection_id = p.projection_id and p.name = '{name}';
        update weir.projection_parts t set epoch = epoch + 1, owner = 0 from weir.projections p
         where t.projection_id = p.projection_id and p.name = '{name}';
        insert into weir.projection_builds (projection_id, build, state, definition, streams, error, created, updated)
        select projection_id, 50, 3, definition, array['{stream}'], {error}, now(), now() from weir.projections where name = '{name}';
        insert into weir.projection_checks (projection_id, job_id, name, state, automatic, build, scratch, created, updated, due)
        select projection_id, '{job}', name, 0, false, build, 50, now(), now(), now() + interval '{5 if how == "cancelled" else 0} minutes'
          from weir.projections where name = '{name}'""")
    if how == "cancelled":
        client.request("DELETE", f"/v1/jobs/{job}").expect(200)
    until = time.monotonic() + 60 * harness.SLOW
    client.publish(stream, {"type": "Paid", "subject": "a-00", "data": {"amount": 1}})
    while client.get(f"{book}/state/a-00").json()["version"] == 10:
        assert time.monotonic() < until, client.get(book).json()
        time.sleep(0.02)
    assert client.get(f"/v1/jobs/{job}").json()["state"] == how
