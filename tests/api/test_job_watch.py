"""The progress of a job as an event stream."""
import time

import harness
import pytest
from jobs import bury, counts, make_group, SOON, start, wait


@pytest.fixture
def buried(client, gateway, stream):
    """A stream with group g and 100 letters."""
    client.create(stream)
    make_group(client, stream)
    bury(gateway, stream, 1, 100)
    return stream


def watch(gateway, job, token=None, query=""):
    return harness.EventStream(gateway, None, token, path=f"/v1/jobs/{job['id']}{query}")


def test_a_rate_holds_over_time_and_its_progress_comes_as_events_at_most_twice_a_second(client, gateway, buried):
    began, job = time.monotonic(), start(client, buried, rate_per_second=40)
    with watch(gateway, job) as stream:
        assert stream.status == 200 and stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["x-accel-buffering"] == "no" and stream.headers["cache-control"] == "no-store"
        blocks = stream.end(SOON)
    took = time.monotonic() - began
    assert 2.3 < took < 30 * harness.SLOW
    assert blocks[0].retry == "2000"
    seen = [b.json() for b in blocks if b.data]
    assert all(a != b for a, b in zip(seen, seen[1:])) and [j["done"] for j in seen] == sorted(j["done"] for j in seen)
    assert {j["state"] for j in seen[:-1]} == {"running"} and counts(seen[-1]) == ("done", 100, 100, 0)
    assert (3 if took < 3 else 2) <= len(seen) <= 2 + 2 * took and seen[0]["rate_per_second"] == 40
    with watch(gateway, job) as again:                                         # of one that has ended: its end
        assert [b.json() for b in again.end() if b.data] == [seen[-1]]


def test_a_stream_of_progress_stays_open_and_ends_with_its_token_or_its_job(client, gateway, buried):
    job = start(client, buried, rate_per_second=0.01)

    def ends(seconds):
        with watch(gateway, job, harness.mint(f"dlq:{buried}", ttl=seconds)) as short:
            if short.status == 401:
                return False
            assert short.end(seconds + 30)[-1].json() == {"reason": "token-expired"}
            return True

    with watch(gateway, job) as long:
        harness.in_time(ends, 2)
        long.until(lambda b: b.comment == "keep-alive")
        client.request("DELETE", f"/v1/streams/{buried}").expect(204)
        last = long.end()[-1]
        assert last.event == "deleted" and last.json() == {"code": "unknown-job"}
    client.get(f"/v1/jobs/{job['id']}").problem(404, "unknown-job")


def test_a_ticket_lets_a_browser_watch(client, gateway, buried):
    job = wait(client, start(client, buried))
    ticket = client.post("/v1/tickets", {"url": f"/v1/jobs/{job['id']}"}).expect(201).json()["ticket"]
    with watch(gateway, job, "", f"?ticket={ticket}") as stream:
        assert counts(stream.end()[-1].json()) == ("done", 100, 100, 0)
