"""Consumer groups where it is hard: many at once, late, twice, moved away under somebody's hands, two gateways in turn."""
import concurrent.futures
import json
import time

import harness
import pytest

GROUP = {"start": "earliest", "backoff": {"initial": "100ms", "factor": 1, "max": "100ms", "jitter": 0}}


class Group:
    def __init__(self, client, stream, name="g", **settings):
        self.client, self.path = client, f"/v1/streams/{stream}/groups/{name}"
        client.put(self.path, {**GROUP, **settings}).expect(201)

    def receive(self, n=10, client=None, **options):
        answer = (client or self.client).post(self.path + "/receive", {"max": n, **options}, timeout=40).expect(200).json()
        return answer["deliveries"]

    def finish(self, how, deliveries, client=None, **options):
        ids = [d["delivery_id"] for d in deliveries]
        answer = (client or self.client).post(f"{self.path}/{how}", {"delivery_ids": ids, **options}).expect(200).json()
        assert sorted(answer["done"] + answer["stale"]) == sorted(ids)
        return answer

    def ack(self, deliveries, client=None):
        return self.finish("ack", deliveries, client)


def ids(deliveries):
    return [d["event"]["id"] for d in deliveries]


def publish(client, stream, n, first=0, **more):
    client.publish(stream, [{"id": f"e{first + i}", "type": "A", **more} for i in range(n)])


def transactions(gateway, seconds):
    """How many there are in that time."""
    def count():
        return int(harness.psql(gateway, "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()")[0])

    before = count()
    time.sleep(seconds)
    return count() - before


def test_a_lease_that_expires_goes_out_singly_to_as_many_as_wait(client, gateway, stream):
    client.create(stream)
    group = Group(client, stream)
    publish(client, stream, 60)
    assert len(group.receive(60, ack_deadline="1s")) == 60

    def one(_):
        mine = harness.Client(gateway)
        try:
            got = group.receive(10, mine, wait="10s")
            group.ack(got, mine)
            return got
        finally:
            mine.close()

    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(one, range(60)))
    assert sorted(i for got in answers for i in ids(got)) == sorted(f"e{i}" for i in range(60))
    assert all(len(got) == 1 and got[0]["attempt"] == 2 for got in answers)


@pytest.mark.parametrize("case", ["paused", "in-flight"])
def test_what_is_due_but_may_not_go_out_keeps_nobody_busy(client, gateway, stream, case):
    client.create(stream)
    group = Group(client, stream, max_in_flight=2)
    publish(client, stream, 4)
    first = group.receive(2)
    group.finish("nack", first[:1], delay="0s")
    if case == "paused":
        client.put(group.path, {**GROUP, "paused": True, "max_in_flight": 2}).expect(200)
    else:
        assert len(group.receive(2)) == 1
        group.finish("nack", first[1:], delay="0s")
        client.put(group.path, {**GROUP, "max_in_flight": 1}).expect(200)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        other = harness.Client(gateway)
        waiting = pool.submit(group.receive, 5, other, wait="2s")
        time.sleep(0.3)
        spent = transactions(gateway, 1)
        assert waiting.result() == []
        other.close()
    idle = transactions(gateway, 1)
    assert spent < idle + 100, f"{spent} transactions in a second, {idle} without it"
