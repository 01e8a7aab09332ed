"""How fast a subject of 1,000 events is loaded, as a whole and from its latest snapshot."""
import json

import load
from load import Measurement, harness

STREAM, SUBJECT, EVENTS, EVERY = "orders.loaded", "order-7", 1000, 100
WHOLE, FROM_SNAPSHOT = f"load of {EVENTS:,} events, 8", "load from a snapshot, 8"
PATH = f"/v1/streams/{STREAM}/subjects/{SUBJECT}"


def create(gateway):
    """With half of what may follow before the next snapshot; what comes is all there is, otherwise the figures are of nothing."""
    client = harness.Client(gateway)
    client.create(STREAM)
    event = {"type": load.TYPE, "subject": SUBJECT, "data": json.loads(load.DATA)}
    for _ in range(EVENTS // EVERY):
        client.publish(STREAM, [event] * EVERY)
    at = EVENTS - EVERY // 2
    client.put(f"{PATH}/snapshot", {"version": at, "state": json.loads(load.DATA)}).expect(201)
    for query, count in (("", EVENTS), ("?snapshot=true", EVENTS - at)):
        found = client.get(PATH + query).expect(200).json()
        assert (len(found["events"]), found["version"], found["up_to_date"]) == (count, EVENTS, True)
    client.close()


def measurements(gateway, token):
    create(gateway)

    def loading(query):
        return Measurement(8, lambda s: load.wrk(gateway.url + PATH + query, 8, s, "read", token), **load.gateway_cpu(gateway))

    return {WHOLE: loading(""), FROM_SNAPSHOT: loading("?snapshot=true")}
