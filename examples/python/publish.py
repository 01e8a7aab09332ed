"""publish.py TYPE SUBJECT DATA [ID]: publishes one event, prints the receipt. With an id it is safe to send the same again.

    publish.py OrderPlaced order-7 '{"total":12.50}' order-7-placed
"""
import json
import os
import sys
import urllib.request
import uuid

url, stream = os.environ.get("WEIR_URL", "http://127.0.0.1:8080"), os.environ.get("WEIR_STREAM", "orders")
kind, subject, data, *rest = sys.argv[1:]
event = {"specversion": "1.0", "id": rest[0] if rest else str(uuid.uuid4()), "source": "/examples/python",
         "type": kind, "subject": subject, "data": json.loads(data)}
request = urllib.request.Request(
    f"{url}/v1/streams/{stream}/events", json.dumps(event).encode(),
    {"Authorization": f"Bearer {os.environ['WEIR_TOKEN']}", "Content-Type": "application/cloudevents+json"})
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(answer.read().decode())
except urllib.error.HTTPError as refusal:
    sys.exit(refusal.read().decode())
