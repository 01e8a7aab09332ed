import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402

# Of all gateways on the database, since any of them may take a saga further: services of the tests are called, a breaker closes
# soon whose port was another service's before, and calls are made once, also where the machine stands still.
CALLS = {"WEIR_OUTBOUND_ALLOW_PRIVATE": "true", "WEIR_OUTBOUND_BREAKER_OPEN": "1s", "WEIR_SAGAS_LEASE": "1m"}
# Short periods, so that what takes a minute in production is seen in a second.
SETTINGS = {"WEIR_RETENTION_PERIOD": "200ms", "WEIR_HTTP_KEEPALIVE": "1s", "WEIR_STREAMS_CACHE": "64",
            "WEIR_JOBS_POLL": "50ms", "WEIR_JOBS_AUTO_PERIOD": "200ms", **CALLS}


@pytest.fixture(scope="session")
def gateway():
    """The gateway that the tests share, with a PostgreSQL of its own. Each test uses streams of its own."""
    running = harness.dev(SETTINGS)
    yield running
    status = running.stop()
    harness.remove(running)
    assert status == 0


@pytest.fixture
def client(gateway):
    one = harness.Client(gateway)
    yield one
    one.close()


@pytest.fixture(scope="module")
def second(gateway, request):
    """Another gateway on the same database; a module's SECOND is what it is configured with beyond the defaults."""
    other = harness.serve(gateway.database_url, {**CALLS, **getattr(request.module, "SECOND", {})})
    yield other
    assert other.stop() == 0
    harness.remove(other)


NUMBERS = itertools.count(1)


@pytest.fixture
def stream(request):
    """A name that no other test uses; the stream is not there yet."""
    name = request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")
    return f"{name[:80]}.{next(NUMBERS)}"


@pytest.fixture
def subscribe(gateway):
    """subscribe(stream, …) opens an event stream, which is closed when the test ends."""
    opened = []

    def start(stream, **options):
        opened.append(harness.EventStream(options.pop("gateway", gateway), stream, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
