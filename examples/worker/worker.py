"""worker.py: does the work of a consumer group, one event after the other. SIGTERM: finishes what it has, then ends."""
import http.client
import json
import os
import signal
import sys
import threading
import traceback
import urllib.error
import urllib.request

group = "{}/v1/streams/{}/groups/{}".format(os.environ.get("WEIR_URL", "http://127.0.0.1:8080"),
                                            os.environ.get("WEIR_STREAM", "orders"), os.environ.get("WEIR_GROUP", "billing"))
headers = {"Authorization": f"Bearer {os.environ['WEIR_TOKEN']}", "Content-Type": "application/json"}
stop = threading.Event()
for ending in signal.SIGTERM, signal.SIGINT:
    signal.signal(ending, lambda *_: stop.set())


def handle(event):
    """Yours. What it raises fails the delivery: the event comes again, after a while."""
    print(event["subject"], event["data"]["total"], flush=True)


def call(what, **body):
    """Whatever it is, it may be sent again."""
    while True:
        try:
            request = urllib.request.Request(f"{group}/{what}", json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            if refusal.code not in (429, 503):
                sys.exit(refusal.read().decode())
        except (OSError, http.client.HTTPException) as error:      # Weir restarts
            print(error, file=sys.stderr)
        if stop.wait(1):
            sys.exit("stopped while Weir was away")


while not stop.is_set():
    for delivery in call("receive", max=10, wait=os.environ.get("WEIR_WAIT", "5s"), consumer="worker.py")["deliveries"]:
        try:
            handle(delivery["event"])
        except Exception as error:
            call("nack", delivery_ids=[delivery["delivery_id"]],
                 error={"type": type(error).__name__, "message": str(error), "stack": traceback.format_exc()})
        else:
            call("ack", delivery_ids=[delivery["delivery_id"]])
