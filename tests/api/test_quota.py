"""Quotas of each caller: requests, published events and bytes, open streams; and what the RateLimit headers tell."""
import re
import time

import harness
import pytest


@pytest.fixture(scope="module")
def limited(gateway):
    """A gateway with small quotas and a long window."""
    other = harness.serve(gateway.database_url, {
        "WEIR_QUOTA_WINDOW": "1h", "WEIR_QUOTA_REQUESTS": "20", "WEIR_QUOTA_EVENTS": "10", "WEIR_QUOTA_BYTES": "4KiB",
        "WEIR_QUOTA_STREAMS": "2", "WEIR_STREAMS_AUTO_CREATE": "true", "WEIR_HTTP_CORS_ORIGINS": "https://a.example"})
    yield other
    assert other.stop() == 0


@pytest.fixture
def caller(limited, request):
    """A client whose subject no other test uses, and so has its whole quota."""
    one = harness.Client(limited, harness.mint(sub=request.node.name))
    yield one
    one.close()


def left(answer):
    return {name: int(r) for name, r in re.findall(r'"(\w+)";r=(\d+)', answer.headers["ratelimit"])}


def test_every_answer_to_a_caller_tells_policy_and_rest(caller, stream):
    answer = caller.put(f"/v1/streams/{stream}", {}).expect(201)
    assert answer.headers["ratelimit-policy"] == (
        '"requests";q=20;w=3600, "events";q=10;qu="events";w=3600, "bytes";q=4096;qu="content-bytes";w=3600, '
        '"streams";q=2;qu="concurrent-requests"')
    assert left(answer) == {"requests": 19, "events": 10, "bytes": 4096, "streams": 2}
    assert re.match(r'"requests";r=19;t=180, "events";r=10;t=0, ', answer.headers["ratelimit"])
    answer = caller.post(f"/v1/streams/{stream}/events", b'[{"type":"A"},{"type":"B"}]').expect(201)
    assert left(answer) == {"requests": 18, "events": 8, "bytes": 4096 - 27, "streams": 2}
    assert left(caller.get("/v1/streams/none.such").expect(404))["requests"] == 17    # refused ones count
    assert left(caller.get("/v1/streams?limit=0").expect(400))["requests"] == 16


def test_who_has_used_it_up_is_told_when_to_try_again(caller):
    for i in range(20):
        assert left(caller.get("/v1/streams?limit=1").expect(200))["requests"] == 19 - i
    for _ in range(3):
        answer = caller.get("/v1/streams?limit=1")
        problem = answer.problem(429, "quota-exceeded")
        assert 170 <= int(answer.headers["retry-after"]) == problem["retry_after"] <= 180
        assert left(answer)["requests"] == 0 and "20 requests in 1h" in problem["detail"]


def test_callers_are_told_apart_by_issuer_and_subject(limited):
    one, two, three = (harness.Client(limited, harness.mint(sub=sub, iss=iss))
                       for sub, iss in (("alike", None), ("alike", "https://other"), ("unlike", None)))
    again = harness.Client(limited, harness.mint("subscribe:a", sub="alike", jti="another token"))
    for client, rest in ((one, 19), (two, 19), (three, 19), (again, 18), (one, 17)):
        assert left(client.get("/v1/streams"))["requests"] == rest


def test_a_forbidden_call_counts_and_public_paths_do_not(limited):
    client = harness.Client(limited, harness.mint("subscribe:mine", sub="forbidden"))
    assert left(client.get("/v1/streams/theirs/events").expect(403))["requests"] == 19
    for path in ("/healthz", "/version", "/openapi.json"):
        assert "ratelimit" not in client.get(path).expect(200).headers
    assert left(client.get("/v1/streams").expect(200))["requests"] == 18
    assert "ratelimit" not in client.get("/v1/streams", token="nonsense").expect(401).headers


def test_events_over_the_quota_are_not_recorded(caller, stream):
    caller.publish(stream, [{"type": "A"}] * 8)
    answer = caller.post(f"/v1/streams/{stream}/events", [{"type": "A"}] * 3)
    assert "10 events in 1h" in answer.problem(429, "quota-exceeded")["detail"] and left(answer)["events"] == 2
    caller.publish(stream, [{"type": "A"}] * 2)
    caller.post(f"/v1/streams/{stream}/events", {"type": "A"}).problem(429, "quota-exceeded")
    assert len(caller.read(stream)["events"]) == 10


def test_what_no_quota_can_hold_is_too_large(caller, stream):
    many = caller.post(f"/v1/streams/{stream}/events", [{"type": "A"}] * 11).problem(413, "too-many-events")
    assert "can never pass" in many["detail"]
    caller.post(f"/v1/streams/{stream}/events", {"type": "A", "data": "x" * 5000}).problem(413, "body-too-large")
    answer = caller.post(f"/v1/streams/{stream}/events", {"type": "A", "data": "x" * 3000}).expect(201)
    assert left(answer)["events"] == 9 and left(answer)["bytes"] < 1096
    caller.post(f"/v1/streams/{stream}/events", {"type": "A", "data": "x" * 3000}).problem(429, "quota-exceeded")
    assert caller.read(stream)["events"][0]["data"] == "x" * 3000


def test_streams_and_long_polls_are_counted_while_they_are_open(limited, caller, stream, subscribe):
    caller.create(stream)
    first = subscribe(stream, gateway=limited, token=caller.token)
    subscribe(stream, gateway=limited, token=caller.token)
    assert first.headers["ratelimit"].endswith('"streams";r=1')
    caller.get(harness.events_path(stream, wait="10s", after="latest")).problem(429, "quota-exceeded")
    refused = subscribe(stream, gateway=limited, token=caller.token)
    assert refused.status == 429 and "2 event streams" in refused.answer.json()["detail"]
    caller.read(stream)                                     # a plain page is none
    first.close()
    for asked in range(10):                                 # each costs one of its requests
        if not caller.get("/v1/streams?limit=1").headers["ratelimit"].endswith('"streams";r=0'):
            break
        time.sleep(0.2 * 2 ** asked)
    caller.get(harness.events_path(stream, wait="100ms", after="latest")).expect(200)


def test_browsers_may_read_the_headers(caller):
    answer = caller.get("/v1/streams?limit=1", headers={"Origin": "https://a.example"})
    assert {"RateLimit", "RateLimit-Policy"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_a_short_window_gives_back(gateway):
    other = harness.serve(gateway.database_url, {"WEIR_QUOTA_WINDOW": "2s", "WEIR_QUOTA_REQUESTS": "4"})
    try:
        client = harness.Client(other)
        deadline = time.monotonic() + 60 * harness.SLOW
        answer = client.get("/v1/streams?limit=1").expect(200)
        while answer.status == 200:                             # half a second gives one back: a slow machine asks more often
            assert time.monotonic() < deadline, answer
            answer = client.get("/v1/streams?limit=1")
        assert answer.problem(429, "quota-exceeded")["retry_after"] == 1
        assert answer.headers["ratelimit-policy"] == '"requests";q=4;w=2'
        time.sleep(1)
        client.get("/v1/streams?limit=1").expect(200)
    finally:
        assert other.stop() == 0


def test_without_quotas_nothing_is_told(client):
    answer = client.get("/v1/streams?limit=1").expect(200)
    assert "ratelimit" not in answer.headers and "ratelimit-policy" not in answer.headers
