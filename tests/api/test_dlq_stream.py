"""Dead letters as events of `<stream>.dlq`, and the figures of groups: lag, retries, depth of the dead letter queue."""
import re
import time

import harness

ERROR = {"type": "DecimalError", "message": "'59,80' is no decimal"}


def group(stream, *rest):
    return "/".join([f"/v1/streams/{stream}/groups/billing", *rest])


def begin(client, stream, events, **settings):
    client.create(stream, partitions=2)
    client.put(group(stream), {"start": "earliest", "ordering": "none", **settings}).expect(201)
    client.publish(stream, [{"type": "OrderPlaced", "subject": f"order-{n}", "data": {"n": n}} for n in range(events)])


def receive(client, stream, count):
    return client.post(group(stream, "receive"), {"max": count, "wait": "60s"}).expect(200).json()["deliveries"]


def reject(client, stream, count):
    """The first so many events die."""
    ids = [one["delivery_id"] for one in receive(client, stream, count)]
    assert client.post(group(stream, "reject"), {"delivery_ids": ids, "error": ERROR}).expect(200).json()["done"] == ids


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def told(client, stream, count):
    """The events of <stream>.dlq, once there are so many; and no more come."""
    path = harness.events_path(f"{stream}.dlq", limit=1000)
    until(lambda: client.get(path).status == 200 and len(client.get(path).json()["events"]) >= count)
    events = client.get(path).json()["events"]
    assert len(events) == count
    return events


def letters(client, stream):
    return client.get(f"/v1/streams/{stream}/dlq?limit=1000").expect(200).json()["items"]


def test_a_dead_letter_is_an_event_too(client, gateway, stream):
    begin(client, stream, 5)
    reject(client, stream, 5)
    events, dead = told(client, stream, 5), letters(client, stream)
    assert {e["data"]["id"]: e["data"] for e in events} == {one["id"]: one for one in dead}       # as it was when it died
    for e in events:
        assert (e["type"], e["source"], e["partition"]) == ("DeadLettered", f"/v1/streams/{stream}/dlq", 0)
        assert e["subject"] == e["data"]["event"]["subject"] and e["data"]["error"] == ERROR
    about = client.get(f"/v1/streams/{stream}.dlq").expect(200).json()
    assert (about["partitions"], about["retention"]) == (1, "forever") and stream in about["description"]
    client.post(harness.events_path(f"{stream}.dlq"), {"type": "DeadLettered"}).problem(403, "reserved-name")
    reader = harness.Client(gateway, harness.mint(f"subscribe:{stream}"))
    reader.get(harness.events_path(f"{stream}.dlq")).problem(403, "insufficient-scope")
    with harness.EventStream(gateway, f"{stream}.dlq", after="latest") as waiting:
        waiting.up_to_date()
        client.post(f"/v1/streams/{stream}/dlq/{dead[0]['id']}/redrive", {}).expect(200)
        reject(client, stream, 1)
        (_, again), = waiting.events(1)
    assert (again["data"]["id"], again["data"]["redrives"]) == (dead[0]["id"], 1)
    told(client, stream, 6)


def test_it_is_deleted_with_its_stream(client, stream):
    begin(client, stream, 1)
    reject(client, stream, 1)
    told(client, stream, 1)
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    client.get(f"/v1/streams/{stream}.dlq").problem(404, "unknown-stream")
    begin(client, stream, 2)
    client.get(f"/v1/streams/{stream}.dlq").problem(404, "unknown-stream")
    reject(client, stream, 2)
    assert {e["data"]["event"]["data"]["n"] for e in told(client, stream, 2)} == {0, 1}


def test_the_longest_name_has_dead_letters_too(client, stream):
    name = stream + "x" * (120 - len(stream))
    begin(client, name, 1)
    reject(client, name, 1)
    assert told(client, name, 1)[0]["stream"] == f"{name}.dlq"
    client.get(harness.events_path(f"{name}x")).problem(400, "bad-name")


def test_each_letter_is_told_once_whoever_is_killed(client, gateway, stream):
    begin(client, stream, 300)
    reject(client, stream, 100)
    told(client, stream, 100)
    head = harness.Holder(gateway, "select head from weir.partitions p join weir.streams s using (stream_id) "
                                   f"where s.name = '{stream}.dlq' for update of p")
    other = harness.serve(gateway.database_url)
    second = harness.Client(other, gateway.token)
    for _ in range(5):
        reject(second, stream, 20)
        reject(client, stream, 20)
    assert len(told(client, stream, 100)) == 100                          # both relays wait for the head
    other.kill()
    head.release()
    assert sorted(e["data"]["event"]["data"]["n"] for e in told(client, stream, 300)) == list(range(300))
    harness.remove(other)


# --- figures ---


def figures(client, stream):
    """{metric: value} of the stream's one group."""
    page = client.get("/metrics").expect(200).body.decode()
    return {name: float(value) for name, value in
            re.findall(rf'^(weir_\w+)\{{stream="{stream}",group="billing"[^}}]*\}} (\S+)$', page, re.M)}


def test_the_metrics_agree_with_the_groups_status(gateway, stream):
    other = harness.serve(gateway.database_url, {"WEIR_METRICS_GROUPS_PERIOD": "100ms"})
    client = harness.Client(other, gateway.token)
    begin(client, stream, 20, backoff={"initial": "1h", "factor": 1, "max": "1h", "jitter": 0})
    reject(client, stream, 3)
    ids = [one["delivery_id"] for one in receive(client, stream, 6)]
    client.post(group(stream, "nack"), {"delivery_ids": ids[:2]}).expect(200)
    status = client.get(group(stream)).expect(200).json()
    assert (status["lag"]["events"], status["in_flight"], status["retrying"], status["dead"]) == (17, 4, 2, 3)
    wanted = {"weir_group_lag_events": 17, "weir_group_in_flight": 4, "weir_group_retrying": 2, "weir_dlq_letters": 3,
              "weir_dlq_poison_letters": 0}
    until(lambda: wanted.items() <= figures(client, stream).items(), 60)     # it rests 19 times as long as it collects
    assert 0 < figures(client, stream)["weir_group_lag_seconds"] < 60 * harness.SLOW
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    until(lambda: not figures(client, stream), 60)
    assert other.stop() == 0
    harness.remove(other)
