"""Consumer groups where it is hard: many at once, late, twice, moved away under somebody's hands, two gateways in turn."""
import concurrent.futures
import time

import harness
import pytest

GROUP = {"start": "earliest", "backoff": {"initial": "100ms", "factor": 1, "max": "100ms", "jitter": 0}}


class Group:
    def __init__(self, client, stream, name="g", **settings):
        self.client, self.path = client, f"/v1/streams/{stream}/groups/{name}"
        client.put(self.path, {**GROUP, **settings}).expect(201)

    def receive(self, n=10, client=None, **options):
        answer = (client or self.client).post(self.path + "/receive", {"max": n, **options}, timeout=100).expect(200).json()
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
            got = group.receive(10, mine, wait="60s")
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
    before = transactions(gateway, 1)                              # what the groups of other tests still do
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        other = harness.Client(gateway)
        waiting = pool.submit(group.receive, 5, other, wait="2s")
        time.sleep(0.3)
        spent = transactions(gateway, 1)
        assert waiting.result() == []
        other.close()
    idle = max(before, transactions(gateway, 1))
    assert spent < idle + 100, f"{spent} transactions in a second, {idle} without it"


def test_an_ack_counts_once(client, stream):
    client.create(stream)
    group = Group(client, stream)
    publish(client, stream, 2)
    got = group.receive()
    answer = group.finish("ack", [got[0], got[0], got[1]])
    assert sorted(answer["done"]) == sorted(d["delivery_id"] for d in got) and answer["stale"] == [got[0]["delivery_id"]]
    assert group.ack(got)["done"] == [] and group.finish("nack", got)["done"] == [] and group.receive() == []


def test_a_late_ack_counts_and_its_key_waits_for_the_delivery_that_runs(client, stream):
    client.create(stream)
    group = Group(client, stream)
    publish(client, stream, 3, subject="k")
    late = group.receive(1, ack_deadline="1s")
    again = group.receive(1, wait="60s")
    assert ids(late) == ids(again) == ["e0"] and again[0]["attempt"] == 2
    assert group.ack(late)["done"] == [late[0]["delivery_id"]]
    assert group.receive(10) == []                                  # the second delivery still runs
    assert group.ack(again)["stale"] == [again[0]["delivery_id"]]
    assert ids(group.receive(10)) == ["e1"]


def test_a_seek_under_open_deliveries_makes_them_stale_and_starts_anew(client, stream):
    client.create(stream)
    group = Group(client, stream)
    publish(client, stream, 5)
    open_, failed = group.receive(3), group.receive(1)
    group.finish("nack", failed, delay="0s")
    client.post(group.path + "/seek", {"to": "earliest"}).expect(200)
    for how in ("ack", "nack", "reject"):
        assert group.finish(how, open_ + failed)["done"] == []
    assert group.finish("extend", open_ + failed, by="30s")["done"] == []
    again = group.receive(10)
    assert ids(again) == [f"e{i}" for i in range(5)] and all(d["attempt"] == 1 for d in again)
    assert len(group.ack(again)["done"]) == 5
    assert client.get(f"/v1/streams/{stream}/dlq").json()["items"] == []


def test_deliveries_of_a_deleted_group_are_stale_for_the_next_one_of_its_name(client, stream):
    client.create(stream)
    group = Group(client, stream)
    publish(client, stream, 2)
    old = group.receive()
    client.request("DELETE", group.path).expect(204)
    client.post(group.path + "/ack", {"delivery_ids": [old[0]["delivery_id"]]}).problem(404, "unknown-group")
    group = Group(client, stream)
    new = group.receive()
    assert ids(new) == ids(old) and group.ack(old)["done"] == [] and len(group.ack(new)["done"]) == 2


def test_a_redriven_event_goes_before_what_waits_of_its_key_and_after_what_runs(client, stream):
    client.create(stream)
    group = Group(client, stream, max_retries=0)
    publish(client, stream, 4, subject="k")
    group.finish("reject", group.receive(1))
    running = group.receive(1)
    assert ids(running) == ["e1"]
    letter = client.get(f"/v1/streams/{stream}/dlq").json()["items"][0]
    client.post(f"/v1/streams/{stream}/dlq/{letter['id']}/redrive", {}).expect(200)
    assert group.receive() == []                                     # e1 runs
    group.ack(running)
    back = group.receive()
    assert ids(back) == ["e0"] and back[0]["attempt"] == 1
    assert group.receive() == []
    group.finish("nack", back)                                      # max_retries 0: dead again
    assert ids(group.receive()) == ["e2"]
    again = client.get(f"/v1/streams/{stream}/dlq/{letter['id']}").json()
    assert (again["state"], again["redrives"], len(again["attempts"])) == ("parked", 1, 2)


def test_two_gateways_in_turn_keep_the_order_of_keys_and_lose_nothing(client, gateway, stream):
    client.create(stream, partitions=4)
    group = Group(client, stream, max_retries=10)
    client.publish(stream, [{"id": f"{k}-{i}", "type": "A", "subject": f"k{k}"} for i in range(12) for k in range(8)])
    second = harness.serve(gateway.database_url)
    done, clients = [], [client, harness.Client(second)]
    try:
        for turn in range(2000):
            here, there = clients[turn % 2], clients[(turn + 1) % 2]
            got = group.receive(7, here)
            for d in got:
                key, _, i = d["event"]["id"].partition("-")
                assert int(i) == sum(e.startswith(key + "-") for e in done), (d["event"]["id"], done)
            bad = [d for n, d in enumerate(got) if (turn + n) % 9 == 0]
            good = [d for d in got if d not in bad]
            assert len(group.finish("nack", bad, there, delay="0s")["done"]) == len(bad) if bad else True
            assert len(group.ack(good, there)["done"]) == len(good) if good else True
            done += ids(good)
            if len(done) == 96:
                break
        assert sorted(done) == sorted(f"{k}-{i}" for i in range(12) for k in range(8))
        assert group.receive(10, clients[1]) == []
    finally:
        clients[1].close()
        second.stop()


def test_what_retention_removes_does_not_block_its_key_and_is_told(client, stream):
    client.create(stream)
    group = Group(client, stream)
    publish(client, stream, 6, subject="k")
    group.finish("nack", group.receive(1), delay="3s")
    group.receive()                                                  # the others are skipped
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": "1s"}).expect(200)
    deadline = time.monotonic() + 60 * harness.SLOW
    while client.get(f"/v1/streams/{stream}").json()["partition_status"][0]["earliest"] != "7":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    lost = []
    while not lost:
        assert time.monotonic() < deadline
        lost += [a["lost"] for a in [client.post(group.path + "/receive", {"wait": "1s"}).json()] if "lost" in a]
    client.request("PATCH", f"/v1/streams/{stream}", {"retention": None}).expect(200)
    publish(client, stream, 1, first=6, subject="k")
    answer = client.post(group.path + "/receive", {"wait": "60s"}).json()
    assert ids(answer["deliveries"]) == ["e6"] and "lost" not in answer
    client.post(group.path + "/seek", {"to": lost[0]["to"]}).expect(200)
    assert ids(group.receive()) == ["e6"]


def test_an_error_with_a_nul_is_kept_without_it(client, stream):
    client.create(stream)
    group = Group(client, stream)
    publish(client, stream, 1)
    assert group.finish("reject", group.receive(), error={"type": "Bad\0Type", "message": "a\0b"})["stale"] == []
    letter = client.get(f"/v1/streams/{stream}/dlq").json()["items"][0]
    assert letter["error"]["type"] == "Bad" and letter["error"]["message"] == "a\0b" and letter["error"]["truncated"]
