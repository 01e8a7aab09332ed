"""Events that a projection cannot fold become dead letters of the group projection:<name>, and come back repaired."""
import json
import time

import harness

BOOK = {"key": "subject", "on_error": "dlq", "on": {"Paid": [{"increment": {"/sum": {"from": "/data/amount"}}}, {"count": "/n"}]}}


def until(found, seconds=60):
    end = time.monotonic() + seconds * harness.SLOW
    while not (what := found()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return what


def pay(client, stream, *amounts, subject="a"):
    client.publish(stream, [{"type": "Paid", "subject": subject, "data": {"amount": amount}} for amount in amounts])


def folded(client, path):
    def there():
        now = client.get(path).expect(200).json()
        return not now["lag"]["events"] and not now["rebuild"]
    until(there)


def make(client, stream, **more):
    client.create(stream, partitions=2)
    path = f"/v1/projections/{stream.replace('.', '-')}"
    client.put(path, {"streams": [stream], **BOOK, **more}).expect(201)
    return path, f"/v1/streams/{stream}/dlq", f"projection:{path.rpartition('/')[2]}"


def letters(client, dlq, group, **query):
    return client.get(f"{dlq}?limit=1000&group={group}" + "".join(f"&{k}={v}" for k, v in query.items())).expect(200).json()["items"]


def state(client, path, key="a"):
    got = client.get(f"{path}/state/{key}").expect(200).json()
    return got["state"], got["version"]


def test_what_cannot_be_folded_is_parked_and_the_rest_goes_on(client, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, 1, "two", 3, None, 5)
    folded(client, path)
    assert state(client, path) == ({"sum": 9, "n": 3}, 3) and client.get(path).json()["state"] == "running"
    newest, oldest = letters(client, dlq, group)
    assert (oldest["state"], oldest["reason"], oldest["event"]["data"], oldest["redrives"]) == ("parked", "fold-failed", {"amount": "two"}, 0)
    assert oldest["error"]["type"] == "fold-failed" and oldest["error"]["message"] and len(oldest["attempts"]) == 1
    until(lambda: client.get(f"/v1/streams/{stream}.dlq").status == 200)
    told = until(lambda: client.read_all(f"{stream}.dlq"))
    assert {e["data"]["id"] for e in told} <= {newest["id"], oldest["id"]}


def test_a_repaired_letter_is_folded_once_and_one_that_is_not_comes_back(client, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, 1, "two", 3)
    folded(client, path)
    one = f"{dlq}/{letters(client, dlq, group)[0]['id']}"
    assert client.post(f"{one}/redrive", {}).expect(200).json()["state"] == "redriven"
    again = until(lambda: (now := client.get(one).json())["state"] == "parked" and now)
    assert (again["redrives"], len(again["attempts"])) == (1, 2) and state(client, path) == ({"sum": 4, "n": 2}, 2)
    client.request("PATCH", one, {"amount": 2.5}, content_type="application/merge-patch+json").expect(200)
    client.post(f"{one}/redrive", {"reason": "repaired"}).expect(200)
    until(lambda: client.get(one).json()["state"] == "resolved")
    assert state(client, path) == ({"sum": 6.5, "n": 3}, 3)
    client.post(f"{one}/redrive", {}).problem(409, "conflict")
    pay(client, stream, 10)
    folded(client, path)
    assert state(client, path) == ({"sum": 16.5, "n": 4}, 4)


def test_a_rebuild_takes_what_was_repaired_and_passes_over_the_rest(client, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, "x", 1, "y", "z")
    folded(client, path)
    found = {e["event"]["data"]["amount"]: f"{dlq}/{e['id']}" for e in letters(client, dlq, group)}
    client.request("PATCH", found["x"], {"amount": 100}, content_type="application/merge-patch+json").expect(200)
    client.post(f"{found['x']}/redrive", {}).expect(200)
    client.post(f"{found['y']}/discard", {}).expect(200)
    until(lambda: client.get(found["x"]).json()["state"] == "resolved")
    expected = ({"sum": 101, "n": 2}, 2)
    assert state(client, path) == expected
    job = client.post(f"{path}/verify?wait=60s", None).expect(200).json()
    assert (job["drifted"], job["order_dependent_keys"], job["checked"]) == (0, 0, 1)
    client.post(f"{path}/rebuild", {}).expect(202)
    folded(client, path)
    until(lambda: client.get(path).json()["build"] > 1)
    assert state(client, path) == expected
    assert sorted(e["state"] for e in letters(client, dlq, group)) == ["discarded", "parked", "resolved"]


def test_many_letters_are_redriven_by_a_job(client, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, *["bad"] * 130, subject="k")
    folded(client, path)
    harness.psql(client.gateway, f"""update weir.dead_letters set data = '{{"amount":2}}'::text::bytea where group_name = '{group}'""")
    job = client.post(f"{dlq}/redrive", {"filter": {"group": group}}).expect(202).json()
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "done")
    until(lambda: len(letters(client, dlq, group, state="resolved")) == 130)
    assert state(client, path, "k") == ({"sum": 260, "n": 130}, 130)


def test_letters_of_a_projection_that_is_gone_can_only_be_discarded(client, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, "bad")
    folded(client, path)
    one = f"{dlq}/{letters(client, dlq, group)[0]['id']}"
    client.request("DELETE", path).expect(204)
    client.post(f"{one}/redrive", {}).problem(409, "conflict")
    client.post(f"{one}/discard", {}).expect(200)


def test_another_projection_of_its_name_folds_the_events_of_its_letters_anew(client, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, 1, "two", 3, "four")
    folded(client, path)
    four, two = (f"{dlq}/{e['id']}" for e in letters(client, dlq, group))
    client.request("PATCH", two, {"amount": 100}, content_type="application/merge-patch+json").expect(200)
    client.post(f"{two}/redrive", {}).expect(200)
    until(lambda: client.get(two).json()["state"] == "resolved")
    client.request("DELETE", path).expect(204)
    client.put(path, {"streams": [stream], "key": "subject", "on": {"Paid": [{"append": {"/all": {"from": "/data/amount"}}}]}}).expect(201)
    folded(client, path)
    assert state(client, path) == ({"all": [1, "two", 3, "four"]}, 4)
    client.post(f"{four}/redrive", {}).problem(409, "conflict")                        # what became of them is told, no more
    client.request("DELETE", path).expect(204)
    client.put(path, {"streams": [stream], **BOOK}).expect(201)
    folded(client, path)
    assert state(client, path) == ({"sum": 4, "n": 2}, 2)
    assert [(e["state"], e["event"]["data"]["amount"]) for e in letters(client, dlq, group)] == [("parked", "four"), ("parked", "two")]
    client.request("PATCH", four, {"amount": 4}, content_type="application/merge-patch+json").expect(200)
    client.post(f"{four}/redrive", {}).expect(200)
    until(lambda: state(client, path) == ({"sum": 8, "n": 3}, 3))


def test_a_letter_redriven_while_another_build_is_made_waits_for_it(client, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, 1, "two", 3)
    folded(client, path)
    two = f"{dlq}/{letters(client, dlq, group)[0]['id']}"
    client.publish(stream, [{"type": "Noted", "subject": "a", "data": {}}])
    client.put(path, {"streams": [stream], **BOOK, "on_error": "stop",
                      "on": {**BOOK["on"], "Noted": [{"set": {"/note": {"from": "/data/note"}}}]}}).expect(200)
    error = until(lambda: ((now := client.get(path).json())["rebuild"] or {}).get("error"))
    client.request("PATCH", two, {"amount": 2}, content_type="application/merge-patch+json").expect(200)
    client.post(f"{two}/redrive", {}).expect(200)
    time.sleep(0.7)
    assert client.get(two).json()["state"] == "redriven"
    client.post(f"{path}/resume", {"skip": {k: error[k] for k in ("stream", "partition", "offset")}}).expect(200)
    until(lambda: (now := client.get(path).json())["build"] == 2 and not now["rebuild"])
    until(lambda: client.get(two).json()["state"] == "resolved")
    assert state(client, path) == ({"sum": 6, "n": 3}, 3)


def test_a_redriven_letter_does_not_keep_a_rebuild_from_what_has_failed(client, gateway, stream):
    path, dlq, group = make(client, stream)
    pay(client, stream, 1, "two", 3)
    folded(client, path)
    one = f"{dlq}/{letters(client, dlq, group)[0]['id']}"
    why = {"stream": stream, "partition": 0, "offset": "1", "id": None, "type": None, "detail": "as if by retention", "at": "2026-01-01T00:00:00.000000Z"}
    named = f"select projection_id from weir.projections where name = '{path.rpartition('/')[2]}'"
    harness.psql(gateway, f"""update weir.projection_builds set error = '{json.dumps(why)}' where projection_id = ({named});
                              update weir.projection_parts set epoch = epoch + 1, owner = 0 where projection_id = ({named})""")
    client.request("PATCH", one, {"amount": 2}, content_type="application/merge-patch+json").expect(200)
    client.post(f"{one}/redrive", {}).expect(200)
    client.post(f"{path}/rebuild", {}).expect(202)
    until(lambda: client.get(path).json()["build"] == 2)
    until(lambda: client.get(one).json()["state"] == "resolved")
    assert state(client, path) == ({"sum": 6, "n": 3}, 3)
