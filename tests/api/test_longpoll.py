"""Long-poll: `wait`."""
import concurrent.futures
import threading
import time

import harness


def later(seconds, call):
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


def timed(client, stream, **query):
    began = time.monotonic()
    page = client.read(stream, **query)
    return page, time.monotonic() - began


def publish(gateway, stream, events):
    one = harness.Client(gateway)
    one.publish(stream, events)
    one.close()


def test_it_returns_as_soon_as_an_event_is_there(client, gateway, stream):
    client.create(stream, partitions=2)
    done = threading.Event()

    def until_done():
        while not done.wait(0.5):                    # the first may come before somebody waits
            publish(gateway, stream, {"type": "A", "data": 1})

    timer = later(0, until_done)
    page, took = timed(client, stream, after="latest", wait="60s")
    done.set()
    timer.join()
    assert {e["data"] for e in page["events"]} == {1} and took < harness.WOKEN
    cursor = client.read(stream, after=page["cursor"])["cursor"]
    timer = later(0.2, lambda: publish(gateway, stream, {"type": "A", "data": 2}))
    page, _ = timed(client, stream, after=cursor, wait="60s")
    timer.join()
    assert [e["data"] for e in page["events"]] == [2]


def test_it_ends_empty_after_the_wait(client, stream):
    client.create(stream)
    for wait, low in (("700ms", 0.65), ("1s", 0.95), ("0s", 0)):
        page, took = timed(client, stream, wait=wait)
        assert page["events"] == [] and page["up_to_date"] is True
        assert low <= took < low + harness.WOKEN


def test_it_does_not_wait_when_there_is_something(client, stream):
    client.publish(stream, [{"type": "A"}, {"type": "B"}])
    page, took = timed(client, stream, wait="60s")
    assert len(page["events"]) == 2 and took < harness.WOKEN
    page, took = timed(client, stream, wait="60s", type="B", after="earliest")
    assert len(page["events"]) == 1 and took < harness.WOKEN


def test_what_the_filter_passes_over_does_not_wake_it(client, gateway, stream):
    client.create(stream)
    timers = [later(0.2, lambda: publish(gateway, stream, [{"type": "Noise"}] * 10)),
              later(0.8, lambda: publish(gateway, stream, {"type": "Signal"}))]
    page, took = timed(client, stream, wait="60s", type="Sig*")
    for timer in timers:
        timer.join()
    assert [e["type"] for e in page["events"]] == ["Signal"] and took < harness.WOKEN
    assert client.read(stream, after=page["cursor"])["events"] == []


def test_one_partition_is_waited_for_alone(client, gateway, stream):
    client.create(stream, partitions=8)
    receipts = client.publish(stream, [{"type": "A", "subject": f"s{i}"} for i in range(30)])
    mine = receipts[0]["partition"]
    other = next(i for i, r in enumerate(receipts) if r["partition"] != mine)
    end = client.read(stream, after="latest", partition=mine)["cursor"]
    timers = [later(0.2, lambda: publish(gateway, stream, {"type": "A", "subject": f"s{other}"})),
              later(0.8, lambda: publish(gateway, stream, {"type": "A", "subject": "s0"}))]
    page, _ = timed(client, stream, after=end, wait="60s", partition=mine)
    for timer in timers:
        timer.join()
    assert [e["subject"] for e in page["events"]] == ["s0"]


def test_many_wait_and_all_are_woken_at_once(client, gateway, stream):
    client.create(stream)
    count = 60

    def wait(_):
        one = harness.Client(gateway)
        try:
            return len(one.read(stream, wait="60s")["events"]), time.monotonic()
        finally:
            one.close()

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(wait, i) for i in range(count)]
        time.sleep(1)
        began = time.monotonic()
        client.publish(stream, {"type": "A"})
        answers = [w.result(100) for w in waiting]
    assert {n for n, _ in answers} == {1}
    assert max(at for _, at in answers) - began < harness.WOKEN


def test_a_client_that_leaves_is_noticed(client, gateway, stream):
    client.create(stream)

    def parked():
        text = client.get("/metrics").body.decode()
        return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith("weir_http_parked_connections"))))

    before, opened = parked(), []
    for _ in range(10):
        one = harness.Client(gateway)
        threading.Thread(target=lambda c=one: swallow(lambda: c.read(stream, wait="50s")), daemon=True).start()
        opened.append(one)
    wait_for(lambda: parked() >= before + 10)
    for one in opened:
        one.connection.sock.shutdown(2)
    wait_for(lambda: parked() <= before + 1)


def test_deleting_the_stream_ends_the_wait(client, gateway, stream):
    client.create(stream)
    timer = later(0.5, lambda: harness.Client(gateway).request("DELETE", f"/v1/streams/{stream}"))
    began = time.monotonic()
    answer = client.get(harness.events_path(stream, wait="60s"))
    timer.join()
    assert answer.status in (200, 404, 410) and time.monotonic() - began < harness.WOKEN


def swallow(call):
    try:
        call()
    except (OSError, harness.http.client.HTTPException, AttributeError):
        pass


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while not condition():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.05)
