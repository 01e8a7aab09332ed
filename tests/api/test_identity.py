"""Real identity: tokens that an independent library signs with keys that it publishes over TLS, and keys that change."""
import json
import os
import sys
import threading
import time

import harness
import pytest

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "identity"))
from provider import Issuer, Provider  # noqa: E402

# What takes minutes and hours in production takes tenths of a second here.
QUICK = {"WEIR_AUTH_JWKS_MIN_AGE": "300ms", "WEIR_AUTH_JWKS_MAX_AGE": "1m", "WEIR_AUTH_JWKS_MIN_REFRESH": "500ms",
         "WEIR_AUTH_JWKS_TIMEOUT": "20s", "WEIR_AUTH_JWKS_START_WAIT": "30s",
         "WEIR_STREAMS_AUTO_CREATE": "true"}


@pytest.fixture(scope="module")
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL for the gateways of these tests, and a key beside the issuers'."""
    running = harness.dev()
    yield running
    assert running.stop() == 0
    harness.remove(running)


@pytest.fixture
def gateway_of(provider, database):
    """gateway_of(records, **settings): a gateway with these issuers in its keys file."""
    started = []

    def start(*records, **settings):
        directory = harness.scratch()
        path = os.path.join(directory, "keys.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"issuers": list(records)}, f)
        started.append(harness.serve(database.database_url, {**QUICK, "WEIR_AUTH_KEYS_FILE": path,
                                                             "WEIR_AUTH_JWKS_CA_FILE": provider.ca, **settings}))
        return started[-1]

    yield start
    for one in started:
        assert one.stop() == 0


NUMBERS = iter(range(10000))


@pytest.fixture
def issuer(provider):
    return Issuer(provider, f"realm-{next(NUMBERS)}", **{"Cache-Control": "max-age=60"})


def by_url(issuer, **more):
    return {"issuer": issuer.iss, "audiences": ["weir", "other"], "jwks_url": issuer.jwks_url, **more}


def status_of(gateway, token, target="/v1/streams?limit=1"):
    client = harness.Client(gateway, token)
    try:
        return client.get(target).status
    finally:
        client.close()


def metric(gateway, name):
    client = harness.Client(gateway, harness.mint())
    for line in client.get("/metrics").expect(200).body.decode().splitlines():
        if line.startswith(f"{name} "):
            client.close()
            return float(line.split()[1])
    raise AssertionError(name)


def eventually(what, seconds=60):
    deadline = time.monotonic() + seconds * harness.SLOW
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_a_withdrawn_key_is_refused_after_the_refresh_even_for_remembered_tokens(gateway_of, issuer):
    issuer.headers = {"Cache-Control": "max-age=0"}
    old, new = issuer.generate(), issuer.generate()
    issuer.publish(old, new)
    gateway = gateway_of(by_url(issuer))
    gone, stays = issuer.token(old), issuer.token(new)
    assert [status_of(gateway, t) for t in (gone, stays, gone, stays)] == [200] * 4
    issuer.publish(new)
    eventually(lambda: status_of(gateway, gone) == 401)
    assert status_of(gateway, stays) == 200
    assert '"removed":1' in gateway.log()


def test_streams_and_long_polls_end_when_their_key_is_withdrawn(gateway_of, issuer):
    issuer.headers = {"Cache-Control": "max-age=0"}
    old, new = issuer.generate(), issuer.generate()
    issuer.publish(old, new)
    for more in ({}, {"WEIR_AUTH_CACHE": "0"}):
        issuer.publish(old, new)
        gateway = gateway_of(by_url(issuer), **more)
        client = harness.Client(gateway, harness.mint())
        client.publish("withdrawn", {"type": "A"})
        gone, stays = (harness.EventStream(gateway, "withdrawn", token=issuer.token(kid), after="latest") for kid in (old, new))
        gone.up_to_date(), stays.up_to_date()
        probe = issuer.token(old)
        issuer.publish(new)
        eventually(lambda gateway=gateway, probe=probe: status_of(gateway, probe) == 401)
        client.publish("withdrawn", {"type": "B"})
        assert [e["type"] for _, e in stays.events(1)] == ["B"]
        blocks = [block for block in gone.end() if not block.comment]
        assert [b.event for b in blocks] == ["bye"] and blocks[0].json() == {"reason": "token-revoked"}
        stays.close()
        client.close()


def test_old_keys_serve_on_while_the_provider_is_away_but_not_for_ever(gateway_of, issuer):
    issuer.headers = {"Cache-Control": "no-store"}
    kid = issuer.generate()

    def serves_on(seconds):
        issuer.publish(kid)
        gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MAX_STALE=f"{seconds}s")
        eventually(lambda: status_of(gateway, issuer.token(kid)) == 200)
        began = time.monotonic()
        issuer.publish(kid, status=503)
        eventually(lambda: metric(gateway, "weir_jwks_failures_total") > 0)
        found = status_of(gateway, issuer.token(kid, sub="bob"))
        if time.monotonic() - began > seconds - 1:
            return False
        assert found == 200
        fetched = metric(gateway, "weir_jwks_fetched_timestamp_seconds")
        assert time.time() - 60 * harness.SLOW < fetched <= time.time()
        eventually(lambda: status_of(gateway, issuer.token(kid)) == 401)
        assert harness.Client(gateway, "").get("/readyz").status == 200
        issuer.publish(kid)
        eventually(lambda: status_of(gateway, issuer.token(kid)) == 200)
        return True

    harness.in_time(serves_on, 3)


def test_a_flood_of_unknown_keys_fetches_no_more_than_it_may(gateway_of, issuer):
    kid, unknown = issuer.generate(), issuer.generate()
    issuer.publish(kid)
    pause = 1 if harness.SLOW == 1 else 3                            # longer than a fetch takes
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_MIN_REFRESH=f"{pause}s")
    before, began, sent = issuer.hits(), time.monotonic(), [0] * 4
    forged = [issuer.token(unknown, {"kid": f"../{n}"}) for n in range(8)]

    def flood(n):
        client = harness.Client(gateway, check=False, token="")
        while time.monotonic() - began < 2.5 * pause or sum(sent) <= 100:
            sent[n] += 1
            client.get("/v1/streams", token=forged[sent[n] % 8]).problem(401, "invalid-token")
        client.close()

    threads = [threading.Thread(target=flood, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 1 <= issuer.hits() - before <= 1 + (time.monotonic() - began) / pause
    assert metric(gateway, "weir_token_unknown_keys_total") >= 100


def test_an_issuer_that_cannot_be_used_is_named_at_the_start(gateway_of):
    with pytest.raises(RuntimeError, match="Issuer 1 .*must be https"):
        gateway_of({"issuer": "i", "audience": "w", "jwks_url": "http://id.example/"})
