"""`weir replay`: a range of a stream into another one, over HTTP, by the program itself."""
import base64
import collections
import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness

OWN = ("stream", "partition", "offset", "recordedtime", "version")


def replay(gateway, *arguments, token=None, **settings):
    """(status, lines, errors) of a run."""
    token = gateway.token if token is None else token
    status, out, errors = harness.weir("replay", "--url", gateway.url, "--token", token, *arguments, **settings)
    assert token not in out + errors
    return status, out.splitlines(), errors


def copy(gateway, source, to, *arguments):
    """A run that succeeds: its summary."""
    status, lines, errors = replay(gateway, "--stream", source, "--to-stream", to, *arguments)
    assert (status, errors) == (0, ""), (lines, errors)
    return lines[-1].replace(f" of {source} to {to}", "")


def without_place(event):
    return {k: v for k, v in event.items() if k not in OWN}


def by_subject(events):
    table = collections.defaultdict(list)
    for event in events:
        table[event["subject"]].append(without_place(event))
    return table


@pytest.fixture
def pair(client, stream):
    """A source of 3 partitions and a destination of 2."""
    to = f"{stream}.copy"
    client.create(stream, partitions=3)
    client.create(to, partitions=2)
    return stream, to


def fill(client, source, n=100, **more):
    client.publish(source, [{"type": "Even" if i % 2 == 0 else "Odd", "subject": f"s-{i % 7}", "data": {"i": i}, **more} for i in range(n)])


def test_every_event_comes_over_once_in_the_order_of_its_subject(client, gateway, pair):
    source, to = pair
    fill(client, source, 1500)
    assert copy(gateway, source, to) == "copied 1500 events"
    originals, copies = client.read_all(source, limit=1000), client.read_all(to, limit=1000)
    assert by_subject(originals) == by_subject(copies) and len(copies) == 1500
    assert copy(gateway, source, to) == "copied 0 events; 1500 were there already"
    fill(client, source, 3)
    assert copy(gateway, source, to) == "copied 3 events; 1500 were there already"
    assert client.get(f"/v1/streams/{to}").json()["events"] == 1503


def raw_events(client, name):
    """The text of a stream's events, as it came."""
    body = client.get(harness.events_path(name, limit=1000)).expect(200).body.decode()
    return body[body.index("["):body.rindex("]")]


def test_bytes_of_data_and_extensions_of_every_kind_are_kept(client, gateway, pair):
    source, to = pair
    body = (b'[{"type":"A","id":"1","subject":"x","time":"2020-01-31T23:59:59.5+01:00","number":7,"flag":true,"text":"\\u00e9",'
            b'"partitionkey":"k","data":{"b" : 1.50,\n "a":12345678901234567890, "a": "\\u0000\\/"}},'
            b'{"type":"B","subject":"x y/%?","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},'
            b'{"type":"C","datacontenttype":"application/octet-stream","data_base64":"AP/+"},'
            b'{"type":"D","source":"urn:elsewhere","datacontenttype":"text/plain","data_base64":"w6kKIg=="},'
            b'{"type":"E","dataschema":"https://example.org/s","data":null}]')
    client.publish(source, body)
    assert copy(gateway, source, to) == "copied 5 events"

    def texts(name):
        found = {}
        for text in raw_events(client, name)[1:].replace('},{"specversion"', '}\0{"specversion"').split("\0"):
            event = json.loads(text)
            for own in OWN:
                part = f'"{own}":{json.dumps(event.get(own))}'
                assert own not in event or part in text
                text = text.replace(f",{part}", "")
            found[event["type"]] = text
        return found

    assert texts(source) == texts(to) and set(texts(to)) == set("ABCDE")


def test_a_range_of_times_is_half_open_to_the_microsecond(client, gateway, pair):
    source, to = pair
    times = []
    for i in range(6):
        client.publish(source, {"type": "A", "id": str(i)})
    events = sorted(client.read_all(source), key=lambda e: e["id"])
    times = [event["recordedtime"] for event in events]
    assert copy(gateway, source, to, "--from", times[1], "--to", times[4]) == "copied 3 events"
    assert sorted(e["id"] for e in client.read_all(to)) == ["1", "2", "3"]
    assert copy(gateway, source, to, "--from", "2001-01-01T00:00:00Z", "--to", times[0]) == "copied 0 events"
    assert copy(gateway, source, to, "--from", "2100-01-01T00:00:00Z") == "copied 0 events"
    assert copy(gateway, source, to, "--to", "2100-01-01T00:00:00+02:00") == "copied 3 events; 3 were there already"


def test_a_range_of_cursors_is_what_readers_see_between_them(client, gateway, pair):
    source, to = pair
    fill(client, source, 60)
    first = client.read(source, limit=20)
    second = client.read(source, after=first["cursor"], limit=25)
    assert copy(gateway, source, to, "--from", first["cursor"], "--to", second["cursor"]) == "copied 25 events"
    assert {e["id"] for e in client.read_all(to)} == {e["id"] for e in second["events"]}
    assert copy(gateway, source, to, "--from", second["cursor"], "--to", first["cursor"]) == "copied 0 events"
    assert copy(gateway, source, to, "--from", "latest") == "copied 0 events"
    assert copy(gateway, source, to, "--to=" + first["cursor"]) == "copied 20 events"


def test_filters_and_limit_choose_and_a_dry_run_only_counts(client, gateway, pair):
    source, to = pair
    fill(client, source, 70)
    assert copy(gateway, source, to, "--type", "Ev*", "--subject", "s-1", "--subject", "s-2", "--dry-run") == "would copy 10 events"
    assert copy(gateway, source, to, "--type", "Ev*", "--subject", "s-1", "--subject", "s-2") == "copied 10 events"
    assert {(e["type"], e["subject"]) for e in client.read_all(to)} == {("Even", "s-1"), ("Even", "s-2")}
    assert copy(gateway, source, to, "--dry-run") == "would copy 60 events; 10 were there already"
    assert copy(gateway, source, to, "--limit", "1", "--type", "Odd") == "copied 1 event"
    assert copy(gateway, source, to, "--limit", "1", "--type", "Odd") == "copied 0 events; 1 was there already"
    assert len(client.read_all(to)) == 11


def test_what_its_window_forgot_is_not_copied_twice(client, gateway, pair):
    source, to = pair
    fill(client, source, 1100)
    client.publish(source, {"type": "Own", "id": "by hand", "source": "urn:x", "subject": "s-1"})
    assert copy(gateway, source, to) == "copied 1101 events"
    harness.psql(gateway, f"delete from weir.dedup where stream_id = (select stream_id from weir.streams where name = '{to}')")
    client.request("PATCH", f"/v1/streams/{to}", {"dedup_window": "1s"}).expect(200)
    assert copy(gateway, source, to) == "copied 0 events; 1101 were there already"
    fill(client, source, 2)
    assert copy(gateway, source, to, "--type", "Odd") == "copied 1 event; 550 were there already"
    assert len(client.read_all(to, limit=1000)) == 1102


def test_it_ends_at_the_head_as_it_was_though_publishing_goes_on(client, gateway, pair):
    source, to = pair
    fill(client, source, 50)
    ended = threading.Event()

    def go_on():
        other = harness.Client(gateway)
        while not ended.is_set():
            fill(other, source, 50)
        other.close()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        for filters in ([], ["--type", "None of them"]):
            head = sum(int(p["head"]) for p in client.get(f"/v1/streams/{source}").expect(200).json()["partition_status"])
            summary = copy(gateway, source, to, *filters)
            if not filters:
                copied = int(summary.split()[1])
                assert head <= copied
                while sum(int(p["head"]) for p in client.get(f"/v1/streams/{source}").expect(200).json()["partition_status"]) <= copied:
                    assert thread.is_alive()
            else:
                assert summary == "copied 0 events"
    finally:
        ended.set()
        thread.join()


def test_a_killed_run_is_run_again_without_duplicates(client, gateway, pair):
    source, to = pair
    fill(client, source, 3000)
    run = subprocess.Popen([harness.BINARY, "replay", "--stream", source, "--to-stream", to, "--rate", "400"],
                           env=harness.environment({"WEIR_URL": gateway.url, "WEIR_TOKEN": gateway.token}),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    began = time.monotonic()
    while not 200 <= (n := int(client.get(f"/v1/streams/{to}").json()["events"])):
        assert run.poll() is None and time.monotonic() < began + 60 * harness.SLOW
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert n < 3000                                                        # at 400 a second
    copied, there = map(int, re.fullmatch(r"copied (\d+) events; (\d+) were there already", copy(gateway, source, to)).groups())
    assert copied + there == 3000 and there >= n
    assert by_subject(client.read_all(source)) == by_subject(client.read_all(to))


def test_a_large_event_of_binary_mode_comes_over(client, gateway, pair):
    source, to = pair
    data = bytes(range(256)) * 4000                                        # 1,024,000 bytes: as base64 more than an event may have
    client.request("POST", f"/v1/streams/{source}/events", data, content_type="application/octet-stream", headers={
        "ce-specversion": "1.0", "ce-id": "big %C3%A9%25", "ce-source": "urn:x", "ce-type": "Big", "ce-subject": "s",
        "ce-other": "a%20b%22"}).expect(201)
    client.publish(source, [{"type": "Before", "subject": "s"}, {"type": "After", "subject": "s"}])
    assert copy(gateway, source, to) == "copied 3 events"
    assert by_subject(client.read_all(source)) == by_subject(client.read_all(to))
    one = client.read(to, type="Big")["events"][0]
    assert base64.b64decode(one["data_base64"]) == data and (one["id"], one["other"]) == ("big é%", 'a b"')
    assert copy(gateway, source, to) == "copied 0 events; 3 were there already"


def test_an_event_that_is_refused_ends_the_run_and_is_named(client, gateway, pair):
    source, to = pair
    client.publish(source, [{"type": "A", "id": str(i), "source": "urn:x", "subject": "s", "data": i} for i in range(5)])
    client.publish(to, {"type": "A", "id": "3", "source": "urn:x", "subject": "s", "data": "another"})
    status, lines, errors = replay(gateway, "--stream", source, "--to-stream", to)
    assert status == 1 and lines == [f"copied 0 events of {source} to {to}"]
    assert errors.startswith("weir: event 3 of partition ") and "offset 4: the gateway answers 409: " in errors and errors.count("\n") == 1
    assert copy(gateway, source, to, "--limit", "3") == "copied 3 events"


@pytest.mark.parametrize("arguments, sentence", [
    ([], "say which stream is copied and into which, with --stream and --to-stream"),
    (["--stream", "a"], "say which stream is copied and into which, with --stream and --to-stream"),
    (["--stream", "a", "--to-stream", "a"], "a stream is not copied into itself"),
    (["--stream", "a/../b", "--to-stream", "b"], "names of streams are of a-z, 0-9, dots, underscores and hyphens"),
    (["--stream", "a", "--to-stream", "b", "--rate", "0"], "--rate and --limit are numbers of events, from 1"),
    (["--stream", "a", "--to-stream", "b", "--limit", "9x"], "--rate and --limit are numbers of events, from 1"),
    (["--stream", "a", "--to-stream", "b", "--from", "yesterday & more"],
     "--from and --to are times such as 2026-01-31T12:00:00Z, or cursors"),
    (["--stream", "a", "--to-stream", "b"] + ["--type", "t"] * 33, "too many times: --type; weir --help tells more"),
])
def test_what_makes_no_sense_is_told_before_anything_is_asked(arguments, sentence):
    assert harness.weir("replay", "--url", "http://127.0.0.1:1", *arguments) == (2, "", f"weir: {sentence}\n")
    assert harness.weir("replay")[0] == 2


def test_what_the_gateway_refuses_is_told(client, gateway, pair):
    source, to = pair
    fill(client, source, 5)
    for arguments, part in ((["--stream", source, "--to-stream", "not.there"], "/v1/streams/not.there: the gateway answers 404"),
                            (["--stream", source, "--to-stream", to, "--from", "nonsense"], "the gateway answers 400")):
        status, lines, errors = replay(gateway, *arguments)
        assert (status, lines) == (1, []) or part.endswith("400"), lines
        assert status == 1 and part in errors, errors
    token = harness.mint(f"subscribe:{source} subscribe:{to}")
    status, lines, errors = replay(gateway, "--stream", source, "--to-stream", to, token=token)
    assert status == 1 and f"publishing to {to}: the gateway answers 403" in errors
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.monotonic()
    status, lines, errors = harness.weir("replay", "--url", f"http://127.0.0.1:{port}", "--stream", "a", "--to-stream", "b")
    assert status == 1 and errors.startswith("weir: no answer of ") and time.monotonic() < began + 60


def read_message(connection):
    """One HTTP message with a Content-Length; b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def proxy(gateway, post):
    """A URL. What post(request, forward) gives is the answer to a POST, after which the connection is closed; None: the gateway's."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(one):
        with one, socket.create_connection((gateway.host, gateway.port)) as there:
            def forward(request):
                there.sendall(request)
                return read_message(there)

            while request := read_message(one):
                answer = post(request, forward) if request.startswith(b"POST") else None
                one.sendall(forward(request) if answer is None else answer)
                if answer is not None:
                    return

    def accept():
        while listener.fileno() >= 0:
            with contextlib.suppress(OSError):           # of one that left before it was let in, too
                threading.Thread(target=serve, args=(listener.accept()[0],)).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def refusal(status):
    return f"HTTP/1.1 {status}\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def test_a_busy_gateway_slows_it_down_and_does_not_end_it(client, gateway, pair):
    source, to = pair
    fill(client, source, 20)
    refusals = [refusal("429 Too Many Requests"), refusal("503 Service Unavailable"), b""]
    began = time.monotonic()
    with proxy(gateway, lambda *_: refusals.pop(0) if refusals else None) as url:
        status, out, errors = harness.weir("replay", "--url", url, "--token", gateway.token, "--stream", source, "--to-stream", to)
    assert (status, errors) == (0, "") and out.startswith("copied 20 events") and not refusals
    assert time.monotonic() >= began + 2                                   # as long as it was asked to
    assert len(client.read_all(to)) == 20


def test_a_short_window_is_no_reason_to_send_twice_when_nobody_answers(client, gateway, pair):
    source, to = pair
    client.request("PATCH", f"/v1/streams/{to}", {"dedup_window": "1s"}).expect(200)
    fill(client, source, 20)
    posts = []

    def lose(request, forward):
        posts.append(forward(request))
        return b""

    with proxy(gateway, lose) as url:
        status, _, errors = harness.weir("replay", "--url", url, "--token", gateway.token, "--stream", source, "--to-stream", to)
    assert status == 1 and len(posts) == 1 and errors.endswith("too short to send them again: run it again\n")
    assert copy(gateway, source, to) == "copied 0 events; 20 were there already"
