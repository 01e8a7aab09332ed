"""What the account of the database must be allowed, what people may be given, and how a backup comes back."""
import subprocess

import harness
import pytest
from postgres import Postgres

OWNER_OF_A_DATABASE = "create role app login; create database app owner app"
# An administrator keeps the database; the account gets the schema and may connect: no more can be taken from it.
OWNER_OF_A_SCHEMA = """
create role app login connection limit 20; create database app;
revoke all on database app from public; grant connect on database app to app;
\\connect app
revoke create on schema public from public; create schema weir authorization app"""


@pytest.fixture(scope="module")
def postgres():
    server = Postgres(options=["fsync=off"])
    server.start()
    yield server
    server.close()


def url(postgres, user, database="postgres"):
    return f"postgresql://{user}@/{database}?host={postgres.dir}"


def psql(address, sql):
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", address], input=sql, capture_output=True, text=True,
                          timeout=60, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"error {done.stderr}"


def serve(address):
    return harness.serve(address, {"WEIR_RETENTION_PERIOD": "200ms", "WEIR_STREAMS_AUTO_CREATE": "true"})


def stop(gateway):
    assert gateway.stop() == 0
    assert " level=error " not in gateway.log() and '"level":"error"' not in gateway.log()
    harness.remove(gateway)


@pytest.fixture(params=[OWNER_OF_A_DATABASE, OWNER_OF_A_SCHEMA], ids=["database", "schema"])
def account(request, postgres):
    made = psql(postgres.url, request.param)
    assert not made.startswith("error"), made
    yield url(postgres, "app", "app")
    psql(postgres.url, "drop database if exists app with (force); drop role app")


def test_an_ordinary_account_is_enough(account, postgres):
    """Migrations, publishing by every way, reading, subscribing, retention with its tables, deletion."""
    gateway = serve(account)
    client = harness.Client(gateway, harness.mint())
    client.publish("orders", [{"type": "A"}, {"type": "A"}])
    client.publish("orders", {"type": "B", "id": "1", "subject": "s", "expectedversion": 0})
    assert len(client.read("orders", after="earliest")["events"]) == 3
    with harness.EventStream(gateway, "orders", token=harness.mint(), after="earliest") as live:
        assert len(live.events(3)) == 3
    assert psql(account, "select weir.make_room(now() + interval '1 year')") == "9"      # months and weeks to come,
    assert psql(account, "select weir.drop_what_is_over(now() + interval '1 year')") == "1"    # and those that are over
    client.request("DELETE", "/v1/streams/orders").expect(204)
    client.get("/readyz").expect(200)
    stop(gateway)
    assert psql(postgres.url, "select rolsuper or rolcreatedb or rolcreaterole or rolbypassrls from pg_roles where rolname = 'app'") == "f"


def test_people_may_be_given_the_log_and_nothing_else(account, postgres):
    gateway = serve(account)
    harness.Client(gateway, harness.mint()).publish("orders", {"type": "A", "data": 1})
    admin = url(postgres, "weir", "app")
    assert not psql(admin, "create role reader login; grant connect on database app to reader; grant usage on schema weir to reader;"
                           "grant select on weir.log to reader").startswith("error")
    reader = url(postgres, "reader", "app")
    try:
        assert psql(reader, "select stream, type, data from weir.log where stream = 'orders'") == "orders|A|1"
        for sql in ("select * from weir.settings", "select * from weir.events", "delete from weir.streams"):
            assert "permission denied" in psql(reader, sql)
    finally:
        psql(admin, "drop owned by reader; drop role reader")
        stop(gateway)


def test_an_account_that_may_not_make_the_schema_is_told_so(postgres):
    psql(postgres.url, "create role app login; create database app")
    try:
        status, _, errors = harness.weir("migrate", "--database-url", url(postgres, "app", "app"))
        assert status == 1 and errors.splitlines()[-1].startswith("weir: ") and "permission denied" in errors
    finally:
        psql(postgres.url, "drop database app; drop role app")


def test_a_backup_comes_back_and_readers_of_what_it_lacks_are_told(account, postgres):
    """The walk-through of docs/operations.md: dump, go on, restore into a new database, serve it."""
    gateway = serve(account)
    client = harness.Client(gateway, harness.mint())
    client.publish("orders", [{"type": "A", "id": str(n), "data": {"n": n}} for n in range(10)])
    kept = client.read("orders", after="earliest")
    dump = f"{harness.scratch()}/weir.dump"
    subprocess.run([f"{postgres.bin}/pg_dump", "-Fc", "-n", "weir", "-f", dump, account], check=True)
    client.publish("orders", [{"type": "B", "id": f"later-{n}"} for n in range(5)])
    lost = client.read("orders", after="earliest")
    assert len(lost["events"]) == 15
    stop(gateway)

    psql(postgres.url, "create database restored owner app")
    restored = url(postgres, "app", "restored")
    subprocess.run([f"{postgres.bin}/pg_restore", "--exit-on-error", "--no-owner", "-d", restored, dump], check=True)
    again = serve(restored)
    client = harness.Client(again, harness.mint())
    try:
        assert client.read("orders", after="earliest")["events"] == kept["events"]
        assert client.read("orders", after=kept["cursor"])["events"] == []
        client.get(harness.events_path("orders", after=lost["cursor"])).problem(410, "cursor-unknown")
        assert client.post(harness.events_path("orders"), {"type": "A", "id": "3", "data": {"n": 3}}).expect(200).json()["duplicate"]
        assert not client.publish("orders", {"type": "B", "id": "later-0"})["duplicate"]
    finally:
        stop(again)
        psql(postgres.url, "drop database restored with (force)")
