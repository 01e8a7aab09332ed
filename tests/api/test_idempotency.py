"""Idempotency-Key on publish: a request that is sent again is answered as it was, and recorded once."""
import concurrent.futures
import contextlib
import random
import subprocess
import threading
import time

import harness
import pytest


def publish(client, stream, body, key, content_type="application/json", token=None, **headers):
    headers = {"Idempotency-Key": key, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.request("POST", harness.events_path(stream), body, headers=headers, content_type=content_type, token=token)


def assert_replayed(again, first):
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["weir-cursor"] == first.headers["weir-cursor"]
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


def kept(gateway, stream):
    return harness.psql(gateway, "select status, length(answer) from weir.idempotency join weir.streams using (stream_id) "
                                 f"where name = '{stream}' order by expires")


@contextlib.contextmanager
def heads_held(gateway, stream):
    """Publishes to the stream wait for their transaction."""
    session = subprocess.Popen(["psql", "-X", "-q", "-At", "-d", gateway.database_url], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        session.stdin.write("begin; select count(*) from (select from weir.partitions join weir.streams using (stream_id) "
                            f"where name = '{stream}' for update of partitions) as held;\n")
        session.stdin.flush()
        assert int(session.stdout.readline()) > 0
        yield
    finally:
        session.stdin.close()
        session.wait(60)
        session.stdout.close()


@pytest.mark.parametrize("body", [{"type": "A", "data": 1}, [{"type": "A", "subject": "s"}, {"type": "B"}], [{"type": "A"}] * 300],
                         ids=["one", "two", "many"])
def test_the_same_request_is_answered_with_the_same_bytes(client, stream, body):
    client.create(stream, partitions=3)
    first = publish(client, stream, body, "k-1").expect(201)
    for form in ("k-1", '"k-1"', "k-1"):
        assert_replayed(publish(client, stream, body, form), first)
    assert len(client.read_all(stream)) == (len(body) if isinstance(body, list) else 1)


@pytest.mark.parametrize("key", ["", '""', "a b", '"a b"', "x" * 256, f'"{"x" * 256}"', '"open', 'o"pen', '"a\\b"', '"a";b=1', '"'])
def test_a_malformed_key_is_refused(client, stream, key):
    client.create(stream)
    publish(client, stream, {"type": "A"}, key).problem(400, "bad-request")
    assert client.read_all(stream) == []


@pytest.mark.parametrize("one, other", [("x" * 255, f'"{"x" * 255}"'), ('a\\b', '"a\\\\b"'), ("a,b;c=d", '"a,b;c=d"')])
def test_quotes_are_no_part_of_the_key(client, stream, one, other):
    first = publish(client, stream, {"type": "A"}, one).expect(201)
    assert_replayed(publish(client, stream, {"type": "A"}, other), first)


def test_another_request_under_a_key_is_refused(client, stream):
    event = {"type": "A", "subject": "s"}
    first = publish(client, stream, event, "k").expect(201)
    for other in ({**event, "data": 1}, [event], b'{"type":"A","subject":"s" }'):
        publish(client, stream, other, "k").problem(422, "idempotency-key-reused")
    publish(client, stream, event, "k", content_type="application/json; charset=utf-8").problem(422, "idempotency-key-reused")
    publish(client, stream, event, "k", If_Match='"1"').problem(422, "idempotency-key-reused")
    publish(client, stream, event, "k", If_None_Match="*").problem(422, "idempotency-key-reused")
    publish(client, stream, event, "k", ce_x="1").problem(422, "idempotency-key-reused")
    assert_replayed(publish(client, stream, event, "k", traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                    first)
    assert len(client.read_all(stream)) == 1


def test_headers_of_binary_mode_count_in_any_order_and_case(client, stream):
    def send(headers):
        return client.request("POST", harness.events_path(stream), b"%PDF", content_type="application/pdf", headers=dict(headers))

    headers = [("Idempotency-Key", "k"), ("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "A"),
               ("ce-b", "1"), ("ce-a", "2")]
    first = send(headers).expect(201)
    assert_replayed(send(reversed(headers)), first)
    assert_replayed(send((name.upper(), value) for name, value in headers), first)
    swapped = [*headers[:5], ("ce-b", "2"), ("ce-a", "1")]
    send(swapped).problem(422, "idempotency-key-reused")
    send(headers[:6]).problem(422, "idempotency-key-reused")
    assert len(client.read_all(stream)) == 1


def test_keys_belong_to_caller_and_stream(client, stream):
    tokens = [None, harness.mint(sub="other"), harness.mint(sub="other", iss="elsewhere"), harness.mint(sub="therel", iss="sewhere")]
    first = [publish(client, stream, {"type": "A"}, "k", token=token).expect(201) for token in tokens]
    assert len({answer.body for answer in first}) == len(tokens)
    for token, answer in zip(tokens, first, strict=True):
        assert_replayed(publish(client, stream, {"type": "A"}, "k", token=token), answer)
    elsewhere = publish(client, f"{stream}.2", {"type": "A"}, "k").expect(201)
    assert "idempotency-replayed" not in elsewhere.headers
    assert len(client.read_all(stream)) == len(tokens) and len(client.read_all(f"{stream}.2")) == 1


def test_callers_whose_tokens_do_not_name_them_share_no_keys(client, stream):
    tokens = [harness.mint(sub=None), harness.mint(sub=None, ttl=3000), harness.mint(sub=None, iss="elsewhere"), harness.mint(sub="")]
    first = [publish(client, stream, {"type": "A"}, "k", token=token).expect(201) for token in tokens]
    assert len({answer.body for answer in first}) == len(tokens) == len(client.read_all(stream))
    for token, answer in zip(tokens, first, strict=True):
        assert_replayed(publish(client, stream, {"type": "A"}, "k", token=token), answer)


def test_only_what_was_recorded_is_kept(client, gateway, stream):
    event = {"type": "A", "subject": "s", "expectedversion": 1}
    client.create(stream)
    publish(client, stream, {"type": 1}, "k").problem(400, "bad-event")
    publish(client, stream, event, "k").problem(412, "version-conflict")
    assert kept(gateway, stream) == []
    client.publish(stream, {"type": "A", "subject": "s"})
    first = publish(client, stream, event, "k").expect(201)      # the refused one left the key free
    assert_replayed(publish(client, stream, event, "k"), first)  # and now the version no longer matches
    assert kept(gateway, stream) == [f"201|{len(first.body)}"]


def test_duplicates_by_id_are_kept_too(client, gateway, stream):
    event = {"type": "A", "id": "1"}
    receipt = client.publish(stream, event)
    first = publish(client, stream, event, "k").expect(200)
    assert first.json() == {**receipt, "duplicate": True}
    assert_replayed(publish(client, stream, event, "k"), first)
    publish(client, stream, {"type": "A", "id": "2"}, "k").problem(422, "idempotency-key-reused")
    assert kept(gateway, stream) == [f"200|{len(first.body)}"]


def test_a_key_in_process_is_refused_for_the_moment(client, gateway, stream):
    client.create(stream, partitions=2)
    with concurrent.futures.ThreadPoolExecutor(1) as pool, contextlib.closing(harness.Client(gateway)) as other:
        with heads_held(gateway, stream):
            waiting = pool.submit(publish, other, stream, {"type": "A"}, "k")
            deadline = time.monotonic() + 60 * harness.SLOW
            while harness.psql(gateway, "select count(*) from pg_locks where not granted") == ["0"]:
                assert time.monotonic() < deadline, waiting
                time.sleep(0.02)
            refused = publish(client, stream, {"type": "A"}, "k")
            assert refused.problem(409, "idempotency-in-flight")["retry_after"] == int(refused.headers["retry-after"])
            publish(client, stream, {"type": "B"}, "k").problem(409, "idempotency-in-flight")
        first = waiting.result().expect(201)
    assert_replayed(publish(client, stream, {"type": "A"}, "k"), first)
    assert len(client.read_all(stream)) == 1


def test_a_stream_made_anew_knows_nothing_of_old_keys(client, gateway, stream):
    client.create(stream)
    publish(client, stream, {"type": "A"}, "k").expect(201)
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    client.create(stream)
    second = publish(client, stream, {"type": "A"}, "k").expect(201)
    assert "idempotency-replayed" not in second.headers and second.json()["offset"] == "1"
    assert len(client.read_all(stream)) == 1


def test_what_is_over_is_removed_and_the_key_is_free(client, gateway, stream):
    first = publish(client, stream, {"type": "A"}, "k").expect(201)
    harness.psql(gateway, "update weir.idempotency set expires = now() - interval '1 second'")
    deadline = time.monotonic() + 60 * harness.SLOW
    while kept(gateway, stream):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert publish(client, stream, {"type": "B"}, "k").expect(201).json()["offset"] != first.json()["offset"]


@pytest.fixture(scope="module")
def small(gateway):
    other = harness.serve(gateway.database_url, {"WEIR_PUBLISH_IDEMPOTENCY_BYTES": "1KiB", "WEIR_STREAMS_AUTO_CREATE": "true"})
    yield other
    assert other.stop() == 0
    harness.remove(other)


def test_receipts_too_large_to_keep_are_refused_as_a_whole(gateway, small, stream):
    with contextlib.closing(harness.Client(small, gateway.token)) as client:
        events = [{"type": "A", "data": i} for i in range(20)]
        publish(client, stream, events, "k").problem(413, "body-too-large")
        assert client.read_all(stream) == [] and kept(gateway, stream) == []
        publish(client, stream, events[:2], "k").expect(201)
        assert len(client.publish(stream, events)) == 20        # without a key there is no such bound


# --- many at once, on two gateways ---
KEYS, WORKERS = 60, 8


def hammer(place, token, stream, seed, answers):
    """Each key until it is answered 2xx, in an order of its own; {key: (status, body)}."""
    rng = random.Random(seed)
    keys = list(range(KEYS))
    rng.shuffle(keys)
    with contextlib.closing(harness.Client(place, token)) as client:
        for key in keys:
            body = [{"type": "A", "data": key}] * (1 + key % 3)
            while True:
                answer = publish(client, stream, body, f"key-{key}")
                answers.append((key, answer))
                if answer.status != 409:
                    break
                time.sleep(rng.random() * 0.005)


def test_two_gateways_record_each_key_once(client, gateway, small, stream):
    client.create(stream, partitions=7)
    answers = []
    threads = [threading.Thread(target=hammer, args=((gateway, small)[i % 2], gateway.token, stream, i // 4, answers))
               for i in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_key = {}
    for key, answer in answers:
        assert answer.status in (201, 409), answer
        if answer.status == 201:
            by_key.setdefault(key, []).append(answer)
    events = client.read_all(stream)
    for key in range(KEYS):
        assert len(by_key[key]) == WORKERS and len({answer.body for answer in by_key[key]}) == 1
        assert sum("idempotency-replayed" not in answer.headers for answer in by_key[key]) == 1
        receipts = [(r["partition"], r["offset"], r["id"]) for r in by_key[key][0].json()]
        assert sorted(receipts) == sorted((e["partition"], e["offset"], e["id"]) for e in events if e["data"] == key)
    assert len(events) == sum(1 + key % 3 for key in range(KEYS))
