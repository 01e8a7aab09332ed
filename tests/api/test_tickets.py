"""Tickets: what a browser's EventSource sends in place of a token."""
import concurrent.futures
import time
import urllib.parse

import harness
import pytest

SSE = {"Accept": "text/event-stream"}
GARBAGE = "A" * 43


def make(client, url, token=None, **body):
    return client.post("/v1/tickets", {"url": url, **body}, token=token).expect(201).json()


def joined(url, ticket):
    return f"{url}{'&' if '?' in url else '?'}ticket={ticket}"


def refused(client, target, code="invalid-token", headers=None, status=401):
    return client.get(target, headers=SSE | (headers or {}), token="").problem(status, code)


class Browser:
    """As an EventSource: a URL, the id of the last block, no header beside these two."""

    def __init__(self, gateway, target):
        self.gateway, self.target, self.last_id, self.data, self.events = gateway, target, None, [], []

    def open(self):
        path, _, query = self.target.partition("?")
        stream = urllib.parse.unquote(path.split("/")[3])
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        return harness.EventStream(self.gateway, stream, token="", headers=headers, **dict(urllib.parse.parse_qsl(query)))

    def take(self, block):
        self.last_id = block.id or self.last_id
        if block.event:
            self.events.append(block.event)
        elif block.data:
            self.data.append(block.json()["data"])


def test_a_ticket_opens_its_event_stream_on_every_gateway_any_number_of_times(client, gateway, second, stream, subscribe):
    client.publish(stream, [{"type": "A", "data": 1}, {"type": "B", "data": 2}])
    url = f"/v1/streams/{stream}/events?type=B"
    made = make(client, url, harness.mint(f"subscribe:{stream}"))
    assert len(made["ticket"]) == 43 and made["expires"].endswith("Z")
    for at in (gateway, second, gateway, second):
        reader = subscribe(stream, gateway=at, token="", type="B", ticket=made["ticket"])
        assert reader.status == 200 and [e["data"] for _, e in reader.events(1)] == [2]
        assert reader.headers["content-type"] == "text/event-stream"


def test_it_reconnects_like_a_browser_and_misses_nothing(client, gateway, stream):
    def reconnects(seconds):
        name, end = f"{stream}.{seconds}", time.monotonic() + seconds - 0.1
        target = f"/v1/streams/{name}/events?after=earliest"
        client.create(name)
        browser = Browser(gateway, joined(target, make(client, target, ttl=f"{seconds}s")["ticket"]))
        for n in range(3):
            client.publish(name, [{"type": "A", "data": n * 10 + i} for i in range(3)])
            with browser.open() as source:
                while len(browser.data) < 3 * (n + 1) and source.status == 200 and (block := source.next()):
                    browser.take(block)
        with browser.open() as source:               # until the ticket ends: a bye, then 401 for good
            if time.monotonic() > end:
                return False
            for block in source.end(seconds + 30):
                browser.take(block)
        assert browser.data == [0, 1, 2, 10, 11, 12, 20, 21, 22] and browser.events[-1] == "bye"
        with browser.open() as source:
            assert source.status == 401
            source.answer.problem(401, "invalid-token")
        return True

    harness.in_time(reconnects, 3)


def test_the_stream_ends_with_the_ticket_and_the_ticket_with_its_token(client, stream, subscribe):
    client.create(stream)
    url = f"/v1/streams/{stream}/events"

    def ends(seconds):
        expires = time.time() + seconds
        made = make(client, url, harness.mint(exp=expires), ttl="5m")
        reader = subscribe(stream, token="", ticket=made["ticket"])
        late = harness.late(reader, expires)
        if reader.status == 200:
            assert reader.last.event == "bye" and reader.last.json() == {"reason": "token-expired"}
        refused(client, joined(url, made["ticket"]))
        return late

    harness.exactly(ends)
    client.post("/v1/tickets", {"url": url}, token=harness.mint(exp=time.time() - 5)).problem(401, "invalid-token")


def test_a_ticket_is_bound_to_its_path_and_query(client, stream):
    client.create(stream)
    client.create(f"{stream}.x")
    url = f"/v1/streams/{stream}/events?type=A&type=B%20c"
    ticket = make(client, url)["ticket"]
    path = f"/v1/streams/{stream}"
    for other in (f"{path}/events", f"{path}/events?type=A", f"{path}/events?type=B%20c&type=A", f"{path}.x/events?type=A&type=B%20c",
                  f"{path}/events?type=A&type=B+c", f"{url}&limit=1", f"{path}/events?type=A&type=B%20C", f"{path}/event%73?type=A&type=B%20c"):
        refused(client, joined(other, ticket))
    for wrong in (GARBAGE, ticket[:-1], ticket + "A", ticket.swapcase(), "", "%00", "a.b.c"):
        problem = refused(client, joined(url, wrong))
        assert problem["detail"] == refused(client, joined(f"{path}/events", ticket))["detail"]
    refused(client, joined(path, ticket), "unauthenticated")
    for method, target in (("POST", f"{path}/events"), ("GET", "/v1/streams"), ("DELETE", path), ("GET", "/v1/revocations")):
        client.request(method, joined(target, ticket), token="", headers=SSE).problem(401, "unauthenticated")


def test_strangers_with_tickets_do_not_keep_the_workers_busy(client, gateway, stream):
    client.create(stream)
    url = f"/v1/streams/{stream}/events"
    good = make(client, url)["ticket"]
    lock = harness.Holder(gateway, "lock table weir.tickets")
    strangers = [harness.Client(gateway, "") for _ in range(12)]
    with concurrent.futures.ThreadPoolExecutor(len(strangers)) as pool:
        asked = [pool.submit(one.get, joined(url, f"{n:043}"), headers=SSE) for n, one in enumerate(strangers)]
        time.sleep(0.5)
        began = time.monotonic()
        client.get(f"/v1/streams/{stream}").expect(200)
        assert time.monotonic() - began < harness.WOKEN
        lock.release()
        for answer in asked:
            answer.result().problem(401, "invalid-token")
    refused(client, joined(url, GARBAGE))
    with harness.EventStream(gateway, stream, token="", ticket=good) as reader:
        reader.up_to_date()
    for one in strangers:
        one.close()


def test_where_the_parameter_stands_does_not_matter_and_last_event_id_may_be_added(client, stream):
    receipts = client.publish(stream, [{"type": "A", "data": n} for n in range(3)])
    url = f"/v1/streams/{stream}/events"
    ticket = make(client, f"{url}?type=A&after=earliest")["ticket"]
    for query in (f"ticket={ticket}&type=A&after=earliest", f"type=A&ticket={ticket}&after=earliest",
                  f"type=A&after=earliest&%74icket={ticket}&", f"type=A&after=earliest&last_event_id={receipts[1]['cursor']}&ticket={ticket}"):
        request = f"GET {url}?{query} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode()
        connection = harness.raw(client.gateway, request, 60, until=b"event: up-to-date")
        assert b" 200 " in connection.partition(b"\r\n")[0], connection
        assert (b'"data":0' in connection) == ("last_event_id" not in query) and b'"data":2' in connection
    refused(client, f"{url}?type=A&after=earliest&ticket={ticket}&ticket={ticket}", "bad-parameter", status=400)


@pytest.mark.parametrize("accept, status", [("text/event-stream", 200), ("text/*", 200), ("*/*", 200), (None, 200),
                                            ("application/json", 406), ("application/x-ndjson, text/event-stream;q=0", 406)])
def test_the_answer_is_an_event_stream_or_none(client, stream, accept, status):
    client.create(stream)
    url = f"/v1/streams/{stream}/events?wait=5s"
    ticket = make(client, url)["ticket"]
    head = f"GET {joined(url, ticket)} HTTP/1.1\r\nHost: x\r\n" + (f"Accept: {accept}\r\n" if accept else "")
    got = harness.raw(client.gateway, f"{head}\r\n".encode(), 60, until=b"\r\n\r\n").decode()
    assert got.startswith(f"HTTP/1.1 {status} ")
    assert ("Content-Type: text/event-stream" in got) == (status == 200)


def test_a_ticket_and_a_header_together_are_refused(client, stream):
    client.create(stream)
    url = f"/v1/streams/{stream}/events"
    ticket = make(client, url)["ticket"]
    client.get(joined(url, ticket), headers=SSE).problem(400, "bad-parameter")
    client.get(joined(url, GARBAGE), headers=SSE | {"Authorization": "Basic dTpw"}, token="").problem(400, "bad-parameter")
    client.request("HEAD", joined(url, ticket), headers=SSE, token="").expect(401)


@pytest.mark.parametrize("url", [
    "", "v1/streams/S/events", "http://x/v1/streams/S/events", "//x/v1/streams/S/events", "/v1/streams/S", "/v1/streams", "/",
    "/v1/streams/S/events/", "/v1/streams/S/events?x=1", "/v1/streams/S/events?ticket=x", "/v1/streams/S/events?last_event_id=x",
    "/v1/streams/S/events?%74icket=x", "/v1/streams/S/events?limit=1&limit=2", "/v1/streams/S/events#a", "/v1/streams/S/events?type=a b",
    "/v1/streams/S/events?type=\u00e4", "/v1/streams/S/events?type=%zz", "/v1/streams/%00/events", "/v1/streams/S/events?type=a\nb",
    "/v1/streams/S/events\\", "*", "/healthz", "/v1/tickets", "/v1/streams/S/events?type=" + "x" * 4096,
])
def test_a_url_that_is_no_event_stream_of_this_server(client, stream, url):
    client.post("/v1/tickets", {"url": url.replace("S", stream)}).problem(400, "bad-body", "/url")


@pytest.mark.parametrize("body, pointer", [
    ({}, "/url"), ({"url": 5}, "/url"), ({"url": "/v1/streams/a/events", "ttl": "11m"}, "/ttl"), ({"url": "/v1/streams/a/events", "ttl": "0s"}, "/ttl"),
    ({"url": "/v1/streams/a/events", "ttl": 5}, "/ttl"), ({"url": "/v1/streams/a/events", "x": 1}, "/x"),
])
def test_a_body_that_does_not_fit(client, body, pointer):
    client.post("/v1/tickets", body).problem(400, "bad-body", pointer)


def test_it_takes_the_rights_to_read_and_gives_no_others(client, gateway, stream, subscribe):
    client.publish(stream, {"type": "A", "data": 1})
    url = f"/v1/streams/{stream}/events"
    for scope in (f"publish:{stream}", f"subscribe:{stream}.x", "manage:*", ""):
        client.post("/v1/tickets", {"url": url}, token=harness.mint(scope)).problem(403, "insufficient-scope")
    client.post("/v1/tickets", {"url": url}, token="").problem(401, "unauthenticated")
    ticket = make(client, url, harness.mint("admin:*", sub=f"s-{stream}", jti="j", iss="i"))["ticket"]
    reader = subscribe(stream, token="", ticket=ticket)
    assert [e["data"] for _, e in reader.events(1)] == [1]
    row, = harness.psql(gateway, f"select claims from weir.tickets where url = '{url}'")
    assert '"actions":["subscribe"],"streams":["%s"]' % stream in row and "admin" not in row and f'"sub":"s-{stream}"' in row


def test_a_ticket_is_revoked_with_its_token(client, gateway, second, stream, subscribe):
    client.create(stream)
    url = f"/v1/streams/{stream}/events"
    tickets = [make(client, url, harness.mint(jti=f"j-{stream}-{n}", sub=f"s-{stream}-{n}"))["ticket"] for n in range(3)]
    readers = [[subscribe(stream, gateway=g, token="", ticket=t) for g in (gateway, second)] for t in tickets]
    for reader in sum(readers, []):
        reader.up_to_date()
    client.post("/v1/revocations", {"jti": f"j-{stream}-0"}).expect(201)
    client.post("/v1/revocations", {"sub": f"s-{stream}-1"}).expect(201)
    for reader in readers[0] + readers[1]:
        blocks = reader.end()
        assert blocks[-1].json() == {"reason": "token-revoked"}
    for ticket in tickets[:2]:
        assert refused(client, joined(url, ticket))["detail"] == "The token has been revoked."
    client.publish(stream, {"type": "A", "data": 7})
    assert [[e["data"] for _, e in reader.events(1)] for reader in readers[2]] == [[7], [7]]


def test_tickets_of_a_caller_are_bounded_and_old_ones_go():
    small = harness.dev({"WEIR_TICKETS_PER_PRINCIPAL": "3", "WEIR_RETENTION_PERIOD": "200ms", "WEIR_LOG_LEVEL": "debug",
                         "WEIR_HTTP_ACCESS_LOG": "true", "WEIR_HTTP_CORS_ORIGINS": "https://app.example", "WEIR_TICKETS_TTL_MAX": "2m"})
    client = harness.Client(small)
    url = "/v1/streams/a/events"
    client.create("a")
    tickets, tokens = [], []

    def bounded(seconds):
        token, began = harness.mint("subscribe:a", sub=f"busy for {seconds} s"), time.monotonic()
        tokens.append(token)
        tickets.extend(make(client, url, token, ttl=f"{seconds}s")["ticket"] for _ in range(3))
        answer = client.post("/v1/tickets", {"url": url, "ttl": f"{seconds}s"}, token=token)
        if time.monotonic() - began > seconds - 0.1:
            return False
        assert answer.problem(429, "too-many-tickets")["retry_after"] > 0 and answer.headers["retry-after"]
        return True

    harness.in_time(bounded, 2)
    token = tokens[-1]
    make(client, url, harness.mint("subscribe:a", sub="other"), ttl="2m")
    deadline = time.monotonic() + 100 * harness.SLOW
    while (answer := client.post("/v1/tickets", {"url": url, "ttl": "2m"}, token=token)).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    tickets.append(answer.expect(201).json()["ticket"])
    while harness.psql(small, "select count(*) from weir.tickets") != ["2"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    client.post("/v1/tickets", {"url": url, "ttl": "3m"}).problem(400, "bad-body", "/ttl")
    with harness.EventStream(small, "a", token="", headers={"Origin": "https://app.example"}, ticket=tickets[-1]) as reader:
        assert reader.headers["access-control-allow-origin"] == "https://app.example"
        reader.up_to_date()
    for target in (joined(url, tickets[-1]) + "&x=1", f"{url}?TICKET={tickets[-1]}", f"{url}?%74icket={tickets[-1]}&%zz={tickets[-1]}",
                   f"{url}?access_token={token}", f"/v1/streams?my_ticket={tickets[-1]}", f"{joined(url, tickets[0])}"):
        answer = client.get(target, token="", headers=SSE)
        assert 400 <= answer.status < 500 and not any(t in str(answer) for t in tickets)
    assert small.stop() == 0
    log = small.log()
    assert '"ticket=' not in log and "ticket=" in log and token not in log
    assert not any(ticket in log for ticket in tickets)
    harness.remove(small)


def test_the_database_does_not_hold_the_ticket_and_a_cached_one_needs_no_database(client, gateway, stream, subscribe):
    client.create(stream)
    url = f"/v1/streams/{stream}/events"
    ticket = make(client, url)["ticket"]
    rows = harness.psql(gateway, f"select t::text, encode(hash, 'hex'), encode(hash, 'base64') from weir.tickets t where url = '{url}'")
    assert len(rows) == 1 and ticket not in rows[0]
    subscribe(stream, token="", ticket=ticket).up_to_date()

    def lookups():
        text = client.get("/metrics").body.decode()
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith("weir_ticket_lookups_total ")))

    before = lookups()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        readers = list(pool.map(lambda _: subscribe(stream, token="", ticket=ticket).up_to_date(), range(16)))
    assert len(readers) == 16 and lookups() == before
    refused(client, joined(url, GARBAGE))
    assert lookups() == before + 1


def test_a_ticket_for_several_streams_takes_what_the_token_may_read(client, gateway, stream):
    for end in ("a", "b", "c"):
        client.publish(f"{stream}.{end}", {"type": "A", "data": end})
    url = f"/v1/events?stream={stream}.*"
    token = harness.mint(f"admin:{stream}.a subscribe:{stream}.b publish:*")
    target = joined(url, make(client, url, token)["ticket"])
    with harness.EventStream(gateway, None, token="", path=target) as reader:
        assert reader.status == 200
        assert sorted(b.json()["data"] for b in reader.up_to_date() if b.data and b.event is None) == ["a", "b"]
    refused(client, target.replace(f"{stream}.*", "*"))
    client.post("/v1/tickets", {"url": url}, token=harness.mint("publish:*")).problem(403, "insufficient-scope")
