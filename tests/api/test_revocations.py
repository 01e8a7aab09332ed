"""Revoked tokens: refused at once, their streams and long-polls cut, on every gateway, also after a restart."""
import concurrent.futures
import datetime
import time

import harness
import pytest

SOON = harness.WOKEN           # a revocation has taken effect everywhere: notified or polled for, not found by chance


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


def revoke(client, **body):
    return client.post("/v1/revocations", body).expect(201).json()


def refused(client, token, target="/v1/streams"):
    problem = client.get(target, token=token).problem(401, "invalid-token")
    assert problem["detail"] == "The token has been revoked."


def names(stream):
    """A jti, sub and iss that no other test uses."""
    return f"jti-{stream}", f"sub-{stream}", f"https://{stream}.example"


@pytest.fixture
def other(gateway, second):
    one = harness.Client(second, gateway.token)
    yield one
    one.close()


def test_a_token_is_revoked_by_its_jti_and_no_other(client, stream):
    jti, sub, _ = names(stream)
    one, two = harness.mint(jti=jti, sub=sub), harness.mint(jti=jti + "x", sub=sub)
    for token in (one, two):
        client.get("/v1/streams", token=token).expect(200)     # into the cache of verified tokens
    entry = revoke(client, jti=jti, reason="lost")
    assert entry["jti"] == jti and entry["reason"] == "lost" and "sub" not in entry and entry["created_by"] == "weir"
    refused(client, one)
    refused(client, one, "/v1/streams/none/events")
    client.get("/v1/streams", token=two).expect(200)
    client.get("/healthz", token=one).expect(200)


def test_a_subject_is_revoked_up_to_a_time(client, stream):
    _, sub, _ = names(stream)
    now = int(time.time())
    old, new = harness.mint(sub=sub, iat=now - 100), harness.mint(sub=sub, iat=now - 20)
    timeless, someone = harness.mint(sub=sub, iat=None), harness.mint(sub=sub + "2", iat=now - 100)
    revoke(client, sub=sub, issued_before=rfc3339(now - 50))
    refused(client, old)
    refused(client, timeless)
    for token in (new, someone):
        client.get("/v1/streams", token=token).expect(200)
    entry = revoke(client, sub=sub)
    assert entry["issued_before"] >= entry["created"][:19]
    refused(client, new)
    client.get("/v1/streams", token=harness.mint(sub=sub, iat=now + 30)).expect(200)


def test_an_issuer_narrows_it(client, stream):
    jti, sub, iss = names(stream)
    cases = [[harness.mint(iss=who, **claims) for who in (iss, iss + "/", None)]     # before: a sub is revoked up to now
             for claims in ({"jti": jti, "sub": "x"}, {"jti": "x", "sub": sub})]
    revoke(client, jti=jti, iss=iss)
    revoke(client, sub=sub, iss=iss)
    for meant, *others in cases:
        refused(client, meant)
        for token in others:
            client.get("/v1/streams", token=token).expect(200)


def test_an_entry_ends_and_can_be_taken_back(client, stream):
    jti, sub, _ = names(stream)
    token, later = harness.mint(jti=jti), harness.mint(sub=sub)
    entry = revoke(client, jti=jti)
    refused(client, token)
    assert client.get(f"/v1/revocations/{entry['id']}").expect(200).json() == entry
    client.request("DELETE", f"/v1/revocations/{entry['id']}").expect(204)
    client.get("/v1/streams", token=token).expect(200)
    for method in ("GET", "DELETE"):
        client.request(method, f"/v1/revocations/{entry['id']}").problem(404, "not-found")
        client.request(method, "/v1/revocations/x").problem(404, "not-found")

    def ends(seconds):
        end = time.time() + seconds
        made, found = client.post("/v1/revocations", {"sub": sub, "expires": rfc3339(end)}), client.get("/v1/streams", token=later)
        if time.time() > end - 0.1:
            return False
        assert found.problem(401, "invalid-token")["detail"] == "The token has been revoked."
        time.sleep(end - time.time() + 0.1)
        client.get("/v1/streams", token=later).expect(200)
        deadline, row = time.monotonic() + 60 * harness.SLOW, f"/v1/revocations/{made.expect(201).json()['id']}"
        while client.get(row).status != 404:         # the row goes too
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return True

    harness.in_time(ends)


def test_the_list_pages(client, stream):
    made = [revoke(client, jti=f"{stream}-{n}") for n in range(5)]
    seen, target = [], "/v1/revocations?limit=2"
    while target:
        answer = client.get(target).expect(200)
        page = answer.json()
        assert len(page["items"]) <= 2
        seen += page["items"]
        link = answer.headers.get("link")
        assert bool(link) == bool(page["next"])
        target = link[1:link.index(">")] if link else None
    assert [entry for entry in seen if entry["jti" if "jti" in entry else "sub"].startswith(stream)] == made
    ids = [int(entry["id"]) for entry in seen]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("body, pointer", [
    ({}, None), ({"jti": "a", "sub": "b"}, None), ({"jti": ""}, "/jti"), ({"sub": 5}, "/sub"), ({"jti": "a", "x": 1}, "/x"),
    ({"jti": "a", "issued_before": "2026-01-01T00:00:00Z"}, "/issued_before"), ({"sub": "a", "issued_before": "soon"}, "/issued_before"),
    ({"sub": "a", "expires": "2020-01-01T00:00:00Z"}, "/expires"), ({"sub": "a", "expires": "2099-01-01T00:00:00Z"}, "/expires"),
    ({"jti": "a", "reason": "x" * 501}, "/reason"), ({"jti": "a" * 1025}, "/jti"), ({"sub": "a", "iss": ""}, "/iss"),
])
def test_a_body_that_does_not_fit(client, body, pointer):
    client.post("/v1/revocations", body).problem(400, "bad-body", pointer)


def test_only_an_administrator_of_everything_may_revoke(client, stream):
    for scope in (f"admin:{stream}", "manage:*", "subscribe:* publish:*", ""):
        token = harness.mint(scope)
        client.post("/v1/revocations", {"jti": "x"}, token=token).problem(403, "insufficient-scope")
        client.get("/v1/revocations", token=token).problem(403, "insufficient-scope")
        client.request("DELETE", "/v1/revocations/1", token=token).problem(403, "insufficient-scope")


def test_streams_and_long_polls_are_cut_on_both_gateways(client, other, gateway, second, stream, subscribe):
    jti, sub, _ = names(stream)
    client.create(stream)
    doomed, spared = harness.mint(jti=jti, sub=sub), harness.mint(sub=sub + "2")
    readers = [subscribe(stream, gateway=g, token=doomed) for g in (gateway, second)]
    kept = [subscribe(stream, gateway=g, token=spared) for g in (gateway, second)]
    for reader in readers + kept:
        reader.up_to_date()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        polls = [pool.submit(harness.Client(g, doomed).get, harness.events_path(stream, after="latest", wait="60s"))
                 for g in (gateway, second)]
        time.sleep(0.3)
        began = time.monotonic()
        revoke(client, jti=jti)
        for reader in readers:
            blocks = reader.end()
            assert blocks[-1].event == "bye" and blocks[-1].json() == {"reason": "token-revoked"}
            assert blocks[-1].id and reader.ended_at - began < SOON
        for poll in polls:
            assert poll.result().problem(401, "invalid-token")["detail"] == "The token has been revoked."
        assert time.monotonic() - began < SOON
    refused(other, doomed)
    client.publish(stream, {"type": "A", "data": 1})
    assert [reader.events(1)[0][1]["data"] for reader in kept] == [1, 1]


def test_a_stream_that_lags_ends_at_a_block_and_gets_nothing_new(client, stream, subscribe):
    jti, _, _ = names(stream)
    client.publish(stream, [{"type": "A", "data": "x" * 5000} for _ in range(2000)])
    reader = subscribe(stream, token=harness.mint(jti=jti))
    last, _ = reader.events(1)[0]
    revoke(client, jti=jti)
    blocks = reader.end(60)
    assert blocks[-1].event == "bye" and blocks[-1].json() == {"reason": "token-revoked"}
    events = [b.json() for b in blocks if b.data and not b.event]
    assert all(len(e["data"]) == 5000 for e in events)
    for block in blocks:
        last = block.id or last
    missing = client.read_all(stream, after=last, limit=1000)    # who resumes at the last id that was told misses nothing
    assert [int(e["offset"]) for e in events + missing] == list(range(2, 2001))


def test_a_publish_under_way_is_told_what_became_of_it(client, stream):
    """Never a 401 for what was recorded, never a 201 for what was not."""
    jti, _, _ = names(stream)
    client.create(stream)
    token, statuses = harness.mint(jti=jti), []

    def publish():
        one, status = harness.Client(client.gateway, token), 201
        while status == 201:
            status = one.post(harness.events_path(stream), {"type": "A"}).status
            statuses.append(status)
        one.close()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(publish) for _ in range(8)]
        deadline = time.monotonic() + 60 * harness.SLOW
        while len(statuses) < 40:
            assert time.monotonic() < deadline, statuses
            time.sleep(0.01)
        revoke(client, jti=jti)
        for one in running:
            one.result()
    assert set(statuses) == {201, 401} and statuses.count(401) == 8
    assert len(client.read_all(stream, limit=10000)) == statuses.count(201)


def test_a_restart_keeps_the_list_and_the_other_gateway_hears_of_its_end(client, gateway, stream):
    jti, _, _ = names(stream)
    token = harness.mint(jti=jti)
    entry = revoke(client, jti=jti)
    third = harness.serve(gateway.database_url)
    one = harness.Client(third, gateway.token)
    refused(one, token)                              # its very first request
    client.request("DELETE", f"/v1/revocations/{entry['id']}").expect(204)
    deadline = time.monotonic() + SOON
    while one.get("/v1/streams", token=token).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    one.close()
    assert third.stop() == 0
    harness.remove(third)


def test_polling_finds_what_no_notification_told(client, gateway, stream):
    jti, _, _ = names(stream)
    harness.psql(gateway, "update weir.revocations_clock set version = version + 1, entries = entries + 1")
    harness.psql(gateway, "insert into weir.revocations (id, jti, expires, reason, created, created_by) select version, "
                          f"'{jti}', now() + interval '1 h', '', now(), '' from weir.revocations_clock")
    token, deadline = harness.mint(jti=jti), time.monotonic() + SOON
    while client.get("/v1/streams", token=token).status != 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_full_list_says_so_and_the_last_known_one_outlives_the_database():
    small = harness.dev({"WEIR_AUTH_REVOCATIONS_MAX": "3"})
    one = harness.Client(small)
    for n in range(3):
        revoke(one, jti=f"full-{n}")
    one.post("/v1/revocations", {"jti": "full-3"}).problem(507, "revocations-full")
    one.request("DELETE", "/v1/revocations/2").expect(204)
    revoke(one, jti="full-3")
    assert "weir_revocations 3" in one.get("/metrics").expect(200).body.decode()
    harness.psql(small, "alter table weir.revocations_clock rename to gone")
    time.sleep(1.5)
    refused(one, harness.mint(jti="full-3"))
    one.get("/healthz").expect(200)
    one.close()
    assert small.stop() == 0
    harness.remove(small)
