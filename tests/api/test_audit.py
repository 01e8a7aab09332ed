"""The audit log: one event in `_audit` for each management operation that was done, and none for what was not."""
import contextlib
import re
import time
import urllib.parse

import harness
import pytest

MANAGER = {"iss": None, "sub": "alice", "jti": "token-1"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def audited(client, stream, count, seconds=60):
    """The audit events of a stream, once there are so many; and no more come."""
    subject, deadline = f"/v1/streams/{stream}", time.monotonic() + seconds * harness.SLOW
    while True:
        answer = client.get(harness.events_path("_audit", subject=subject, limit=1000))
        events = answer.json()["events"] if answer.status == 200 else []
        if len(events) >= count or time.monotonic() > deadline:
            assert len(events) == count, events
            return events
        time.sleep(0.02)


@pytest.fixture
def alice(gateway):
    one = harness.Client(gateway, harness.mint(**MANAGER))
    yield one
    one.close()


@contextlib.contextmanager
def gateways(gateway, name, count=1, **settings):
    """Gateways on a database of their own; what is left of them is stopped."""
    harness.psql(gateway, f"drop database if exists {name} with (force)")
    harness.psql(gateway, f"create database {name}")
    parts = urllib.parse.urlsplit(gateway.database_url)
    url = urllib.parse.urlunsplit(parts._replace(path=f"/{name}"))
    started = [harness.serve(url, settings) for _ in range(count)]
    for one in started:
        one.token = gateway.token
        one.database_url = url
    yield started
    for one in started:
        one.kill() if one.process.poll() is not None else one.stop()
    harness.psql(gateway, f"drop database {name} with (force)")


def test_each_operation_leaves_one_event(alice, stream):
    made = alice.request("PUT", f"/v1/streams/{stream}", {"partitions": 2, "labels": {"team": "a"}},
                         headers={"X-Request-Id": "first", "traceparent": TRACE}).expect(201)
    alice.put(f"/v1/streams/{stream}", {"retention": "7d"}).expect(200)
    alice.request("PATCH", f"/v1/streams/{stream}", {"description": "it's \"new\" ✓"}).expect(200)
    alice.request("DELETE", f"/v1/streams/{stream}").expect(204)
    created, replaced, patched, deleted = audited(alice, stream, 4)
    assert [e["type"] for e in (created, replaced, patched, deleted)] == [
        "StreamCreated", "StreamChanged", "StreamChanged", "StreamDeleted"]
    assert [e["version"] for e in (created, replaced, patched, deleted)] == [1, 2, 3, 4]
    assert [e["data"]["operation"] for e in (created, replaced, patched, deleted)] == [
        "putStream", "putStream", "patchStream", "deleteStream"]
    assert (created["source"], created["subject"], created["traceparent"]) == ("/v1/streams", f"/v1/streams/{stream}", TRACE)
    data = created["data"]
    assert data["actor"] == {"sub": "alice", "jti": "token-1"} and data["resource"] == f"/v1/streams/{stream}"
    assert data["request_id"] == "first" == made.headers["x-request-id"] and data["address"] == "127.0.0.1"
    assert data["changes"]["after"]["partitions"] == 2 and data["changes"]["after"]["labels"] == {"team": "a"}
    assert "before" not in data["changes"]
    assert replaced["data"]["changes"]["before"] == data["changes"]["after"]
    assert (replaced["data"]["changes"]["after"]["retention"], replaced["data"]["changes"]["after"]["labels"]) == ("7d", {})
    changes = patched["data"]["changes"]
    assert {k for k in changes["after"] if changes["after"][k] != changes["before"][k]} == {"description"}
    assert changes["after"]["description"] == "it's \"new\" ✓"
    assert deleted["data"]["changes"] == {"before": changes["after"]}
    assert made.json()["created"][:16] == created["time"][:16] <= created["recordedtime"]


def test_what_was_not_done_is_not_told(alice, gateway, stream):
    alice.create(stream)
    alice.put(f"/v1/streams/{stream}", {"partitions": 9}).problem(409, "partitions-fixed")
    alice.request("PATCH", f"/v1/streams/{stream}", {"partitions": 9}).problem(409, "partitions-fixed")
    alice.request("PATCH", f"/v1/streams/{stream}", {"nonsense": 9}).problem(400, "bad-body")
    alice.request("PATCH", f"/v1/streams/{stream}.none", {}).problem(404, "unknown-stream")
    alice.request("DELETE", f"/v1/streams/{stream}.none").problem(404, "unknown-stream")
    harness.Client(gateway, harness.mint("manage:other")).request("DELETE", f"/v1/streams/{stream}").expect(403)
    alice.get(f"/v1/streams/{stream}").expect(200)
    alice.create(f"{stream}.last")
    audited(alice, f"{stream}.last", 1)          # in order: what came before would be there
    audited(alice, stream, 1)
    audited(alice, f"{stream}.none", 0, 0)
    deadline = time.monotonic() + 60 * harness.SLOW      # what works in the background is between two statements at times
    while harness.psql(gateway, "select count(*) from pg_stat_activity where state like 'idle in transaction%'") != ["0"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_refused_change_leaves_the_connection_and_the_stream_as_they_were(alice, stream):
    alice.create(stream, description="as it was")
    for _ in range(8):                           # every worker's connection
        alice.request("PATCH", f"/v1/streams/{stream}", {"description": "no", "partitions": 3}).expect(409)
    assert alice.get(f"/v1/streams/{stream}").json()["description"] == "as it was"
    assert alice.publish(stream, {"type": "A"})["offset"] == "1"


def test_a_stream_made_by_publishing_is_told_once(gateway, client, stream):
    publisher = harness.Client(gateway, harness.mint(f"publish:{stream}", sub="bob"))
    for _ in range(3):
        publisher.publish(stream, {"type": "A"})
    event, = audited(client, stream, 1)
    assert (event["type"], event["data"]["operation"], event["data"]["actor"]["sub"]) == ("StreamCreated", "publishEvents", "bob")


def test_revocations_and_tickets_are_told_without_the_ticket(alice, client, gateway, stream):
    alice.create(stream)
    made = alice.post("/v1/revocations", {"jti": f"of {stream}", "reason": "lost"}).expect(201)
    path = made.headers["location"]
    alice.request("DELETE", path).expect(204)
    url = harness.events_path(stream)
    ticket = alice.post("/v1/tickets", {"url": url}).expect(201).json()["ticket"]
    alice.request("DELETE", path).expect(404)
    alice.create(f"{stream}.last")
    audited(client, f"{stream}.last", 1)
    events = [e for e in client.read_all("_audit", limit=1000) if e["data"].get("operation") not in ("putStream", "publishEvents")]
    told = [e for e in events if e["subject"] == path or e["data"].get("changes", {}).get("after", {}).get("url") == url]
    assert [(e["type"], e["subject"]) for e in told] == [
        ("TokensRevoked", path), ("RevocationRemoved", path), ("TicketMade", "/v1/tickets")]
    assert told[0]["data"]["changes"]["after"]["reason"] == "lost" and ticket not in str(events)


def test_only_who_may_reads_it_and_nobody_writes_it(client, gateway, alice, stream):
    alice.create(stream)
    audited(client, stream, 1)
    reader = harness.Client(gateway, harness.mint("subscribe:_audit"))
    assert reader.read("_audit", limit=1)["events"]
    harness.Client(gateway, harness.mint("subscribe:orders.*")).get("/v1/streams/_audit/events").problem(403, "insufficient-scope")
    harness.Client(gateway, "").get("/v1/streams/_audit/events").problem(401, "unauthenticated")
    for method, body in (("PUT", {}), ("PATCH", {"retention": "1s"}), ("DELETE", None)):
        client.request(method, "/v1/streams/_audit", body).problem(403, "reserved-name")
    client.post("/v1/streams/_audit/events", {"type": "StreamDeleted"}).problem(403, "reserved-name")
    about = client.get("/v1/streams/_audit").expect(200).json()
    assert (about["partitions"], about["retention"], about["dedup_window"]) == (1, "forever", "30d")


def test_tokens_are_never_in_it(alice, gateway, stream):
    alice.create(stream)
    audited(alice, stream, 1)
    signature = alice.token.rpartition(".")[2]
    for table in ("weir.outbox", "weir.log"):
        assert harness.psql(gateway, f"select count(*) from {table} t where t::text like '%{signature}%'") == ["0"]


def test_a_gateway_killed_before_it_could_tell_tells_later_and_once(gateway):
    with gateways(gateway, "audit_killed") as (first,):
        client = harness.Client(first)
        client.create("before")
        audited(client, "before", 1)
        head = harness.Holder(first, "select head from weir.partitions for update")    # the lane waits here, management does not
        client.create("orphan")
        client.request("PATCH", "/v1/streams/orphan", {"description": "x"}).expect(200)
        first.kill()
        head.release()
        assert harness.psql(first, "select count(*) from weir.outbox") == ["2"]
        second = harness.serve(first.database_url)
        client = harness.Client(second, gateway.token)
        assert [e["type"] for e in audited(client, "orphan", 2)] == ["StreamCreated", "StreamChanged"]
        audited(client, "before", 1)
        assert second.stop() == 0


def test_a_gateway_killed_after_it_has_told_tells_once(gateway):
    with gateways(gateway, "audit_told") as (first,):
        client = harness.Client(first)
        client.create("before")
        audited(client, "before", 1)
        head = harness.Holder(first, "select head from weir.partitions for update")
        client.create("told")
        rows = harness.Holder(first, "select id from weir.outbox for share")     # it can be published, not removed
        head.release()
        event, = audited(client, "told", 1)
        first.kill()
        harness.psql(first, "select pg_terminate_backend(pid) from pg_stat_activity "    # it would carry on by itself
                            "where datname = 'audit_told' and query like 'delete from weir.outbox%'")
        rows.release()
        assert harness.psql(first, "select id from weir.outbox") == [event["id"]]
        second = harness.serve(first.database_url)
        client = harness.Client(second, gateway.token)
        client.create("after")
        audited(client, "after", 1)
        assert audited(client, "told", 1) == [event]
        assert harness.psql(first, "select count(*) from weir.outbox") == ["0"]
        assert second.stop() == 0


def test_a_record_that_cannot_be_told_is_set_aside_and_holds_up_no_other(gateway):
    with gateways(gateway, "audit_poison") as (one,):
        client = harness.Client(one, harness.mint(**MANAGER))
        harness.psql(one, "insert into weir.outbox values "
                          "(0, gen_random_uuid(), '_audit', now() - interval '1 day', 'Broken', '/v1', '/v1/x', null, '{'), "
                          "(0, gen_random_uuid(), '_audit', now() - interval '1 day', 'Long', '/v1', repeat('x', 3000), null, '{}')")
        for name in ("first", "second"):
            client.put(f"/v1/streams/{name}", {}).expect(201)
            assert audited(client, name, 1)[0]["type"] == "StreamCreated"
        assert harness.psql(one, "select type from weir.outbox order by type") == ["Broken", "Long"]
        deadline = time.monotonic() + 60 * harness.SLOW
        while one.log().count("cannot be told") < 2 and time.monotonic() < deadline:
            time.sleep(0.2)                                        # what is old is looked at every few seconds
        assert one.log().count("cannot be told") == 2
        assert harness.psql(one, "select type from weir.outbox order by type") == ["Broken", "Long"]
        client.close()


def test_two_gateways_tell_everything_once_and_in_order(gateway):
    with gateways(gateway, "audit_two", 2) as both:
        clients = [harness.Client(one) for one in both]
        for i in range(40):
            clients[i % 2].put("/v1/streams/shared", {"description": str(i)})
        events = audited(clients[0], "shared", 40)
        assert [e["data"]["changes"]["after"]["description"] for e in events] == [str(i) for i in range(40)]
        assert [e["version"] for e in events] == list(range(1, 41))
        assert re.search(r"^weir_audit_records_total [1-9]", clients[0].get("/metrics").body.decode(), re.M)


def test_it_can_be_kept_for_a_while_or_switched_off(gateway):
    with gateways(gateway, "audit_kept", WEIR_AUDIT_RETENTION="30d") as (first,):
        client = harness.Client(first)
        client.create("one")
        audited(client, "one", 1)
        assert client.get("/v1/streams/_audit").json()["retention"] == "30d"
        longer = harness.serve(first.database_url, {"WEIR_AUDIT_RETENTION": "60d", "WEIR_AUDIT_ENABLED": "false"})
        other = harness.Client(longer, gateway.token)
        other.create("two")
        deadline = time.monotonic() + 60 * harness.SLOW
        while other.get("/v1/streams/_audit").json()["retention"] != "60d":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        client.create("three")
        audited(client, "three", 1)
        audited(client, "two", 0, 0)
        assert longer.stop() == 0
