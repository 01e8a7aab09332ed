"""Reading the states of projections: waiting for what was written, pages, filters."""
import re
import threading
import time

import harness
import pytest
from projections import define, path, record, state, watch

COUNT = {"A": [{"count": "/n"}]}


def until_parked(gateway, count, seconds=60):
    """Waits until so many requests wait in the gateway for what has not come yet."""
    client, deadline = harness.Client(gateway, harness.mint()), time.monotonic() + seconds * harness.SLOW
    while int(re.search(rb"^weir_http_parked_connections (\d+)", client.get("/metrics").expect(200).body, re.M)[1]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    client.close()


@pytest.fixture
def counted(client, stream):
    """A projection that counts the events of each subject, and has counted one."""
    client.create(stream)
    define(client, stream, on=COUNT)
    record(client, stream, ("A", "k", {}))
    assert state(client, stream, "k").expect(200).json()["state"] == {"n": 1}
    return stream


@pytest.fixture
def held(gateway, counted):
    """Until it is released no step of the projection is done."""
    holder = harness.Holder(gateway, f"""select 1 from weir.projection_parts join weir.projections using (projection_id)
                                         where name = '{counted}' for update of projection_parts""")
    yield holder
    if not holder.process.stdin.closed:
        holder.release()


def ask(gateway, answers, stream, cursor):
    one = harness.Client(gateway, harness.mint())
    answers.append(state(one, stream, "k", cursor))
    one.close()


def test_what_was_written_is_read_at_once_through_every_gateway(client, second, counted):
    other, times, commits = harness.Client(second, harness.mint()), [], []
    for n in range(2, 42):
        sent = time.monotonic()
        cursor = record(client, counted, ("A", "k", {}))
        began = time.monotonic()
        commits.append(began - sent)
        assert state((client, other)[n % 2], counted, "k", cursor).expect(200).json()["state"] == {"n": n}
        times.append(time.monotonic() - began)
    other.close()
    assert sorted(times)[20] < 0.25 * harness.SLOW + 3 * sorted(commits)[20], times    # the proofs measure; here: woken, not polled


def test_receipts_and_headers_and_positions_are_waited_for(client, stream):
    client.create(stream, partitions=4)
    define(client, stream, on=COUNT)
    receipts = client.publish(stream, [{"type": "A", "subject": f"k-{n}"} for n in range(8)])
    for n, receipt in enumerate(receipts):
        assert state(client, stream, f"k-{n}", receipt["cursor"]).expect(200).json()["version"] == 1
    assert client.get(path(stream, "state", "k-0", at_least="earliest", wait="0s")).expect(200)


@pytest.mark.parametrize("streams", [1, 2])
def test_a_stream_that_was_just_made_again_is_waited_for(client, stream, streams):
    """The projection notices it some time later."""
    names = [f"{stream}-{n}" for n in range(streams)]
    for name in names:
        client.create(name)
    define(client, stream, streams=names, on=COUNT)
    for count, at_least in ((1, None), (2, "latest")):
        client.request("DELETE", f"/v1/streams/{names[0]}").expect(204)
        client.create(names[0], partitions=count)
        cursor = record(client, names[0], ("A", "k", {}))
        assert state(client, stream, "k", at_least or cursor).expect(200).json()["state"] == {"n": count}


def test_a_projection_that_is_behind_says_how_far_it_is(client, counted, held):
    del held
    cursor = record(client, counted, ("A", "k", {}))
    began = time.monotonic()
    behind = client.get(path(counted, "state", "k", at_least=cursor, wait="300ms")).problem(504, "projection-behind")
    assert time.monotonic() - began >= 0.3
    client.get(path(counted, "state", at_least=cursor, wait="0s")).problem(504, "projection-behind")
    assert client.get(path(counted, "state", "k", at_least=behind["position"], wait="0s")).expect(200).json()["state"] == {"n": 1}


def test_many_wait_without_a_thread_and_all_are_woken_by_the_step(gateway, client, counted, held):
    cursor, answers = record(client, counted, ("A", "k", {})), []
    threads = [threading.Thread(target=ask, args=(gateway, answers, counted, cursor)) for _ in range(40)]
    for thread in threads:
        thread.start()
    until_parked(gateway, 40)
    assert client.get(path(counted, "state", "k")).expect(200).json()["state"] == {"n": 1} and not answers
    held.release()
    for thread in threads:
        thread.join()
    assert [answer.expect(200).json()["state"] for answer in answers] == [{"n": 2}] * 40


@pytest.fixture(scope="module")
def shelf(gateway):
    """A projection of 30 states with an index on /status, of one that is not on /n."""
    name, one = "shelf", harness.Client(gateway)
    one.create(name, partitions=2)
    define(one, name, indexes=["/status"], on={"Put": [{"set": {"/status": {"from": "/data/status"}, "/n": {"from": "/data/n"}}}]})
    events = [("Put", f"{'ab'[n % 2]}/{n:02}", {"status": ["open", "shut", "5"][n % 3], "n": n}) for n in range(30)]
    cursor = record(one, name, *events, ("Put", "z", {"status": 5, "n": "x=y"}))
    state(one, name, "z", cursor).expect(200)
    one.close()
    return name


def find(client, shelf, **query):
    """The keys of all pages."""
    keys = []
    while True:
        page = client.get(path(shelf, "state", **query)).expect(200)
        keys += [item["key"] for item in page.json()["items"]]
        if page.json()["next"] is None:
            assert "link" not in page.headers
            return keys
        query["after"] = page.json()["next"]
        following = page.headers["link"].partition("<")[2].partition(">")[0]
        assert client.get(following).json()["items"] == client.get(path(shelf, "state", **query)).json()["items"]


KEYS = sorted([f"{'ab'[n % 2]}/{n:02}" for n in range(30)]) + ["z"]
FOUND = [
    ({}, lambda n: True), ({"prefix": "b/"}, lambda n: n != "z" and n % 2 == 1), ({"prefix": "c"}, lambda n: False),
    ({"where": "/status=open"}, lambda n: n != "z" and n % 3 == 0), ({"where": '/status="open"'}, lambda n: n != "z" and n % 3 == 0),
    ({"where": "/status=5"}, lambda n: n == "z" or n % 3 == 2), ({"where": '/status="5"'}, lambda n: n != "z" and n % 3 == 2),
    ({"where": "/status=5.0"}, lambda n: n == "z"), ({"where": "/status="}, lambda n: False),
    ({"where": "/n=7"}, lambda n: n == 7), ({"where": "/n=x=y"}, lambda n: n == "z"), ({"where": "/nothing=null"}, lambda n: False),
    ({"where": ["/status=shut", "/n=7"]}, lambda n: n == 7), ({"where": ["/status=shut", "/n=8"]}, lambda n: False),
    ({"where": "/status=open", "prefix": "a"}, lambda n: n != "z" and n % 6 == 0),
]


@pytest.mark.parametrize("case", FOUND, ids=lambda case: str(case[0]))
@pytest.mark.parametrize("limit", [4, 1000])
def test_states_are_found_by_prefix_and_value_page_by_page(client, shelf, case, limit):
    query, wanted = case
    assert find(client, shelf, limit=limit, **query) == [k for k in KEYS if wanted("z" if k == "z" else int(k[2:]))]


def test_a_page_tells_whole_states(client, shelf):
    page = client.get(path(shelf, "state", where="/n=7", at_least="latest")).expect(200).json()
    assert page["items"] == [{"key": "b/07", "state": {"status": "shut", "n": 7}, "version": 1}]
    assert client.get(path(shelf, "state", "b/07")).expect(200).json()["position"] == page["position"]
    for query in ({"limit": 0}, {"limit": 1001}, {"where": ["/a=1"] * 9}, {"where": "status=1"}, {"filter": "x"}):
        client.get(path(shelf, "state", **query)).problem(400, "bad-parameter")


def test_changes_are_told_through_every_gateway(second, client, counted):
    with watch(second, counted, harness.mint()) as feed:
        feed.up_to_date()
        record(client, counted, ("A", "l", {}))
        assert [event for _, event in feed.events(1)] == [{"key": "l", "state": {"n": 1}, "version": 1}]


def test_who_waits_when_the_gateway_stops_is_told(second, client, counted, held):
    cursor, answers = record(client, counted, ("A", "k", {})), []
    thread = threading.Thread(target=ask, args=(second, answers, counted, cursor))
    thread.start()
    until_parked(second, 1)
    second.terminate()
    thread.join()
    answers[0].problem(503, "shutting-down")     # long before its 60 s are over
    held.release()
