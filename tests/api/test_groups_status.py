"""How a consumer group is doing, and why it delivers nothing."""
import calendar
import random
import time

import harness
import pytest


class Group:
    """A group of a stream, as one consumer has it."""

    def __init__(self, client, stream, partitions=1, **settings):
        self.client, self.stream, self.path = client, stream, f"/v1/streams/{stream}/groups/g"
        client.create(stream, partitions=partitions)
        client.put(self.path, {"start": "earliest", "ack_deadline": "10m", **settings}).expect(201)

    def change(self, **settings):
        self.client.put(self.path, {"ack_deadline": "10m", **settings}).expect(200)

    def publish(self, *subjects, kind="A"):
        self.client.publish(self.stream, [{"type": kind, **({"subject": s} if s else {})} for s in subjects])

    def receive(self, count=1, **body):
        return self.client.post(self.path + "/receive", {"max": count, **body}).expect(200).json()["deliveries"]

    def finish(self, how, deliveries, **body):
        ids = [d["delivery_id"] for d in deliveries]
        done = self.client.post(f"{self.path}/{how}", {"delivery_ids": ids, **body}).expect(200).json()
        assert done == {"done": ids, "stale": []}

    def status(self, client=None):
        return (client or self.client).get(self.path).expect(200).json()

    def figures(self):
        s = self.status()
        return s["lag"]["events"], s["in_flight"], s["retrying"], s["dead"], s["blocked_keys"]

    def explain(self):
        answer = self.client.get(self.path + "/explain").expect(200).json()
        assert answer["deliverable"] == (not answer["reasons"])
        return {reason.pop("code"): reason for reason in answer["reasons"]}


def test_figures_follow_what_consumers_do(client, stream):
    group = Group(client, stream)
    assert group.figures() == (0, 0, 0, 0, 0) and group.status()["lag"]["seconds"] == 0
    group.publish("a", "b", "a", "c", "d", "e")
    time.sleep(0.02)
    assert group.figures() == (6, 0, 0, 0, 0) and 0.02 <= group.status()["lag"]["seconds"] < 60
    deliveries = group.receive(10)
    assert [d["event"]["subject"] for d in deliveries] == ["a", "b", "c", "d", "e"]
    assert group.figures() == (6, 5, 0, 0, 1)
    assert group.status()["partitions"] == [
        {"partition": 0, "next": "7", "head": "6", "lag": 6, "in_flight": 5, "retrying": 0, "skipped": 1}]
    group.finish("ack", deliveries[1:3])
    group.finish("nack", deliveries[3:4], delay="1h")
    group.finish("reject", deliveries[4:])
    assert group.figures() == (3, 1, 1, 1, 1)
    oldest = group.status()["lag"]["seconds"]
    group.finish("ack", deliveries[:1])
    group.finish("ack", group.receive(10))
    assert group.figures() == (1, 0, 1, 1, 0) and group.status()["lag"]["seconds"] >= oldest
    assert client.get(f"/v1/streams/{stream}/groups").json()["items"][0].items() <= group.status().items()


def test_partitions_are_counted_each_for_itself(client, stream):
    group = Group(client, stream, partitions=4)
    group.publish(*[f"s{i}" for i in range(40)])
    taken = group.receive(10)
    status = group.status()
    assert status["lag"]["events"] == 40 and status["in_flight"] == 10
    for p in status["partitions"]:
        mine = sum(d["event"]["partition"] == p["partition"] for d in taken)
        assert (p["in_flight"], p["lag"]) == (mine, int(p["head"])) and int(p["next"]) == mine + 1
    moved = client.post(group.path + "/seek", {"to": "latest"}).expect(200).json()
    assert moved["lag"] == {"events": 0, "seconds": 0} and moved["in_flight"] == 0
    assert all(int(p["next"]) == int(p["head"]) + 1 for p in moved["partitions"])


def test_a_delivery_that_is_overdue_waits_for_its_retry(client, gateway, stream):
    group = Group(client, stream, backoff={"initial": "1h", "max": "1h", "jitter": 0})
    group.publish("a", "b")
    other = harness.serve(gateway.database_url)
    beside = harness.Client(other, gateway.token)
    taken = group.receive(2)
    assert group.status(beside)["in_flight"] == 2
    group.finish("extend", taken, by="1s")
    time.sleep(1.1)
    status = group.status(beside)
    assert (status["in_flight"], status["retrying"], status["lag"]["events"]) == (0, 2, 2) and status["lag"]["seconds"] > 1
    beside.close()
    assert other.stop() == 0
    harness.remove(other)


def test_a_group_that_has_something_says_so_and_one_that_has_not_too(client, stream):
    group = Group(client, stream)
    assert list(group.explain()) == ["nothing-new"]
    group.publish("a")
    assert group.explain() == {}
    group.change(paused=True)
    assert list(group.explain()) == ["paused"] and group.receive() == []
    group.change()
    assert group.explain() == {}
    group.finish("ack", group.receive())
    assert list(group.explain()) == ["nothing-new"]


def test_the_caps_are_told(client, stream):
    group = Group(client, stream, max_in_flight=2)
    group.publish("a", "b", "a", "c", "d")
    taken = group.receive(10)
    assert len(taken) == 2 and list(group.explain()) == ["in-flight-cap"]
    group.change(max_skipped=1)
    more = group.receive(10)
    assert [d["event"]["subject"] for d in more] == []
    why = group.explain()
    assert list(why) == ["skip-cap", "keys-blocked"] and why["skip-cap"]["partitions"] == [0]
    group.change(max_retrying=1)
    group.finish("nack", taken[:1], delay="1h")
    assert {"retry-cap", "backoff", "keys-blocked"} == set(group.explain()) and group.receive() == []


def test_a_backoff_ends_at_a_time(client, stream):
    group = Group(client, stream)
    group.publish(None)
    group.finish("nack", group.receive(), delay="1h")
    why = group.explain()
    assert list(why) == ["backoff", "nothing-new"]
    assert abs(calendar.timegm(time.strptime(why["backoff"]["until"][:19], "%Y-%m-%dT%H:%M:%S")) - time.time() - 3600) < 60


def test_what_blocks_keys_is_named(client, stream):
    group = Group(client, stream)
    group.publish(*"aaabbc")
    first, second, third = group.receive(10)
    group.finish("ack", [third])
    group.finish("nack", [second], delay="1h")
    why = group.explain()
    assert list(why) == ["keys-blocked", "backoff", "nothing-new"]
    a, b = why["keys-blocked"]["blockers"]
    assert (a["offset"], a["state"], a["failures"], a["behind"]) == (first["event"]["offset"], "delivered", 0, 2)
    assert (b["offset"], b["state"], b["failures"], b["behind"]) == (second["event"]["offset"], "waiting", 1, 1)
    assert a["until"] == first["deadline"] and b["until"] == why["backoff"]["until"]
    client.publish(stream, [{"type": "A", "subject": "z", "partitionkey": "a"}])        # its key is what counts
    assert list(group.explain()) == ["keys-blocked", "backoff"]
    client.publish(stream, [{"type": "A", "subject": "a", "partitionkey": "free"}])
    assert group.explain() == {} and group.receive()[0]["event"]["partitionkey"] == "free"


def test_types_that_the_group_does_not_take_are_counted(client, stream):
    group = Group(client, stream, types=["B*", "C"])
    group.publish("a", "b", "c", kind="A")
    why = group.explain()
    assert list(why) == ["filtered-by-type"] and why["filtered-by-type"]["detail"].startswith("3 events")
    assert group.receive() == [] and list(group.explain()) == ["nothing-new"]
    group.publish("a", kind="Bee")
    assert group.explain() == {} and group.receive()[0]["event"]["type"] == "Bee"


@pytest.mark.parametrize("ordering", ["key", "none"])
def test_what_is_explained_is_what_a_receive_finds(client, stream, ordering):
    rng = random.Random(len(ordering))
    group = Group(client, stream, partitions=2, ordering=ordering, types=["A"], max_in_flight=3, max_retrying=3, max_skipped=4)
    taken, seen = [], set()
    for _ in range(150):
        what = rng.random()
        if what < 0.35:
            group.publish(*[rng.choice(["a", "b", "c", None]) for _ in range(3)], kind=rng.choice("AAB"))
        elif what < 0.7 and taken:
            one = [taken.pop(rng.randrange(len(taken)))]
            how = rng.choice(["ack", "ack", "nack", "nack", "reject"])
            group.finish(how, one, **({"delay": rng.choice(["0s", "0s", "0s", "1h"])} if how == "nack" else {}))
        elif what < 0.74:
            client.post(group.path + "/seek", {"to": "latest"}).expect(200)
            taken = []
        time.sleep(0.002)                                          # a lane knows the database's clock to less than that
        why = group.explain()
        got = group.receive(**({} if why else {"wait": "10s"}))    # which it may come to know a little later
        assert bool(got) == (not why), (why, got)
        seen |= set(why) or {"deliverable"}
        taken += got
    assert {"deliverable", "in-flight-cap", "backoff", "nothing-new"} <= seen
    status = group.status()
    assert status["in_flight"] == len(taken)


def test_what_is_not_there_is_not_found(client, stream):
    for target in (f"/v1/streams/{stream}/groups/g", f"/v1/streams/{stream}/groups/g/explain"):
        client.get(target).problem(404, "unknown-stream")
    client.create(stream)
    for target in (f"/v1/streams/{stream}/groups/g", f"/v1/streams/{stream}/groups/g/explain"):
        client.get(target).problem(404, "unknown-group")
        client.get(target, token=harness.mint(f"publish:{stream}x")).problem(403, "insufficient-scope")
        client.get(target, token=harness.mint(f"subscribe:{stream}")).problem(404, "unknown-group")
