"""Content-Encoding: who takes gzip gets large answers compressed, and nobody else does."""
import gzip

import harness
import pytest

GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture(scope="module")
def filled(gateway):
    """A stream of some 100 KB, and its name."""
    client = harness.Client(gateway)
    client.create("gzip.filled")
    client.publish("gzip.filled", [{"type": "A", "subject": f"s{i % 7}", "data": {"text": "many words " * 10}} for i in range(400)])
    client.close()
    return "gzip.filled"


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "application/cloudevents-batch+json"])
def test_a_page_comes_compressed_and_is_the_same(client, filled, accept):
    target = harness.events_path(filled, limit=400)
    plain = client.get(target, headers={"Accept": accept}).expect(200)
    packed = client.get(target, headers={"Accept": accept, **GZIP}).expect(200)
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) == len(packed.body) < len(plain.body) / 4
    assert gzip.decompress(packed.body) == plain.body


def test_a_head_request_tells_the_same_as_its_get(client, filled):
    for headers in (GZIP, {}):
        got = client.get(harness.events_path(filled, limit=400), headers=headers).expect(200)
        head = client.request("HEAD", harness.events_path(filled, limit=400), headers=headers).expect(200)
        for name in ("content-length", "content-encoding", "vary", "content-type"):
            assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("accepted", ["gzip;q=0", "identity", "gzip;q=0.1, identity;q=0.9", "br", "*;q=0", ""])
def test_who_does_not_take_it_gets_it_plain(client, filled, accepted):
    answer = client.get(harness.events_path(filled, limit=400), headers={"Accept-Encoding": accepted}).expect(200)
    assert "content-encoding" not in answer.headers and answer.headers["vary"] == "Accept-Encoding"
    assert len(answer.json()["events"]) == 400


def test_small_answers_and_event_streams_are_never_compressed(client, gateway, filled, subscribe):
    small = client.get(harness.events_path(filled, limit=1), headers=GZIP).expect(200)
    assert "content-encoding" not in small.headers and "vary" not in small.headers
    events = subscribe(filled, headers=GZIP)
    assert "content-encoding" not in events.headers
    events.until(lambda block: block.event == "up-to-date")


def test_an_answer_made_by_a_worker_is_compressed_there(client, gateway):
    for i in range(60):
        client.create(f"gzip.list-{i}", description="a description " * 20)
    reader = harness.Client(gateway, harness.mint("subscribe:gzip.list-*"))
    plain, packed = reader.get("/v1/streams?limit=60"), reader.get("/v1/streams?limit=60", headers=GZIP)
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body


def test_the_bound_is_a_setting_and_vary_names_all_it_hangs_on(gateway):
    other = harness.serve(gateway.database_url, {"WEIR_HTTP_GZIP_BYTES": "1KiB", "WEIR_HTTP_CORS_ORIGINS": "https://a.example"})
    none = harness.serve(gateway.database_url, {"WEIR_HTTP_GZIP_BYTES": "0"})
    try:
        client = harness.Client(other)
        client.create("gzip.small", description="words " * 400)
        answer = client.get("/v1/streams/gzip.small", headers=GZIP).expect(200)
        assert answer.headers["content-encoding"] == "gzip" and answer.headers["vary"] == "Accept-Encoding, Origin"
        assert client.get("/problems/internal", headers=GZIP).expect(200).headers["vary"] == "Accept, Origin"
        plain = harness.Client(none).get("/v1/streams/gzip.small", headers=GZIP).expect(200)
        assert "content-encoding" not in plain.headers and "vary" not in plain.headers
    finally:
        assert other.stop() == 0 and none.stop() == 0
