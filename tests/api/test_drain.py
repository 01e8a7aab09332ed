"""SIGTERM: nothing that was promised is lost, everyone is told, the exit status is 0."""
import os
import signal
import socket
import threading
import time

import harness


DRAIN = 100        # seconds that it would wait for what does not end


def start(gateway):
    return harness.serve(gateway.database_url, {"WEIR_HTTP_DRAIN_TIMEOUT": f"{DRAIN}s"})


def stops(gateway):
    """Ends with 0, and not because it has waited long enough."""
    began = time.monotonic()
    assert gateway.stop(2 * DRAIN) == 0
    assert time.monotonic() - began < DRAIN / 2
    harness.remove(gateway)


def test_under_load_every_answer_is_true_and_it_exits_0(gateway, client, stream):
    client.create(stream, partitions=3)
    other = start(gateway)
    accepted, refused, lock = [], [], threading.Lock()

    def load(writer):
        one, n = harness.Client(other, gateway.token), 0
        while True:
            event_id = f"{writer}-{n}"
            n += 1
            try:
                answer = one.post(harness.events_path(stream), {"type": "A", "id": event_id})
            except (OSError, harness.http.client.HTTPException):
                return                       # refused or cut: nothing was promised
            with lock:
                (accepted if answer.status == 201 else refused).append((event_id, answer.status))
            if answer.status != 201:
                return

    threads = [threading.Thread(target=load, args=(i,)) for i in range(12)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    while len(accepted) <= 50 or time.monotonic() < began + 1:
        assert time.monotonic() < began + 60 * harness.SLOW, refused
        time.sleep(0.01)
    stops(other)
    for thread in threads:
        thread.join()
    recorded = {e["id"] for e in client.read_all(stream, limit=5000)}
    assert {i for i, _ in accepted} <= recorded
    assert {status for _, status in refused} <= {503}


def test_readers_are_told_and_long_polls_return_at_once(gateway, client, stream, subscribe):
    client.publish(stream, {"type": "A"})
    other = start(gateway)
    reader = subscribe(stream, gateway=other, token=gateway.token)
    position = reader.up_to_date()[-1].id
    got = {}

    def poll():
        one = harness.Client(other, gateway.token)
        got["answer"] = one.get(harness.events_path(stream, after="latest", wait="50s"))
        got["at"] = time.monotonic()

    thread = threading.Thread(target=poll)
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    other.terminate()
    last = reader.end()[-1]
    assert last.event == "bye" and last.id == position
    thread.join()
    assert got["answer"].status in (200, 503) and got["at"] - began < harness.WOKEN
    if got["answer"].status == 200:
        assert got["answer"].json()["events"] == []
    stops(other)


def test_an_idle_connection_does_not_hold_it_up(gateway):
    other = start(gateway)
    one = harness.Client(other, gateway.token)
    one.get("/healthz").expect(200)
    stops(other)
    one.close()


def test_clients_that_left_in_the_middle_of_a_request_do_not_hold_it_up(gateway):
    other = start(gateway)
    for _ in range(40):
        with socket.create_connection((other.host, other.port), 60) as s:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x")
    stops(other)


def test_development_data_survives_a_restart_and_a_kill(stream):
    first = harness.dev()
    client = harness.Client(first)
    client.create(stream, partitions=2)
    receipts = client.publish(stream, [{"type": "A", "subject": "s", "data": i} for i in range(50)])
    page, token = client.read(stream), client.token
    assert first.stop() == 0
    for stop in (lambda g: os.kill(g.pid, signal.SIGKILL) or g.process.wait(), lambda g: g.stop()):
        again = harness.dev(directory=first.directory)
        client = harness.Client(again, token)
        assert client.read(stream) == page
        assert client.post(harness.events_path(stream), {"type": "A", "subject": "s", "expectedversion": 0}).status == 412
        assert client.read(stream, after=page["cursor"])["events"] == [] and len(receipts) == 50
        client.close()
        stop(again)
    harness.remove(first)
