"""The loss contract where tables change under a reader's feet: a stream that is deleted, a database that was set back."""
import threading

import harness


def test_a_stream_deleted_under_its_subscribers_ends_them(client, gateway, stream, subscribe):
    client.create(stream, partitions=2)
    client.publish(stream, [{"type": "A", "subject": str(n), "data": n} for n in range(10)])
    reader = subscribe(stream)
    position = reader.up_to_date()[-1].id
    got = {}

    def poll():
        got["answer"] = harness.Client(gateway).get(harness.events_path(stream, after=position, wait="60s"))

    waiting = threading.Thread(target=poll)
    waiting.start()
    client.request("DELETE", f"/v1/streams/{stream}").expect(204)
    assert reader.end()[-1].event == "deleted"
    waiting.join()
    got["answer"].problem(404, "unknown-stream")
    client.create(stream, partitions=2)
    client.get(harness.events_path(stream, after=position)).problem(410, "cursor-unknown")


def test_a_publisher_of_another_gateway_never_writes_into_a_deleted_stream(client, gateway, stream):
    other = harness.serve(gateway.database_url)
    try:
        writer = harness.Client(other, client.token)
        client.create(stream)
        writer.publish(stream, {"type": "A"})
        client.request("DELETE", f"/v1/streams/{stream}").expect(204)
        writer.post(f"/v1/streams/{stream}/events", {"type": "A"}).problem(404, "unknown-stream")
        client.create(stream)
        assert writer.publish(stream, {"type": "A"})["offset"] == "1"
    finally:
        assert other.stop() == 0
        harness.remove(other)


def test_a_database_that_was_set_back_is_told(client, gateway, stream, subscribe):
    client.create(stream)
    client.publish(stream, [{"type": "A", "data": n} for n in range(5)])
    cursor = client.read(stream)["cursor"]
    harness.psql(gateway, f"""
        with s as (select stream_id from weir.streams where name = '{stream}'),
             d as (delete from weir.events where stream_id = (select stream_id from s) and "offset" > 3)
        update weir.partitions set head = 3 where stream_id = (select stream_id from s)""")
    for query in ({}, {"wait": "2s"}):
        client.get(harness.events_path(stream, after=cursor, **query)).problem(410, "cursor-unknown")
    subscribe(stream, after=cursor).answer.problem(410, "cursor-unknown")
    assert len(client.read(stream)["events"]) == 3
