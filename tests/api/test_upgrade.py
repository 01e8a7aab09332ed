"""Gateways of two releases on one database: what was migrated by the newer one does not stop the older one that runs."""
import time

import harness


def all_well(client):
    """LISTEN comes up after the first answers."""
    deadline, wrong = time.monotonic() + 60 * harness.SLOW, True
    while wrong:
        assert time.monotonic() < deadline, wrong
        wrong = [check for check in client.get("/readyz").expect(200).json()["checks"] if not check["ok"]]


def test_an_older_gateway_goes_on_while_a_newer_one_has_migrated():
    gateway = harness.dev()
    client = harness.Client(gateway)
    try:
        harness.psql(gateway, "insert into weir.migrations (number, name, checksum) values (9999, 'of_the_next_release', '\\x00')")
        all_well(client)
        client.publish("orders", {"type": "A"})
        assert len(client.read("orders", after="earliest")["events"]) == 1
        status, _, errors = harness.weir("serve", "--port", "0", "--database-url", gateway.database_url,
                                         WEIR_AUTH_HS256_SECRET=harness.SECRET)
        assert status == 1 and "The database is at migration 9999" in errors and "start a newer one" in errors
        harness.psql(gateway, "delete from weir.migrations where number > 1")
        not_ready = {check["name"]: check["ok"] for check in client.get("/readyz").expect(503).json()["checks"]}
        assert not_ready["postgresql"] and not not_ready["migrations"]
    finally:
        assert gateway.stop() == 0
        harness.remove(gateway)
