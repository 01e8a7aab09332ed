"""subscribe.py FILE: prints each event, one JSON a line. FILE keeps the cursor: started again, it goes on from there."""
import os
import sys
import time
import urllib.error
import urllib.request

url, stream = os.environ.get("WEIR_URL", "http://127.0.0.1:8080"), os.environ.get("WEIR_STREAM", "orders")
file = sys.argv[1]


def handle(event):
    print(event, flush=True)


while True:
    cursor = open(file, encoding="ascii").read() if os.path.exists(file) else "earliest"
    request = urllib.request.Request(f"{url}/v1/streams/{stream}/events?after={cursor}", headers={
        "Authorization": f"Bearer {os.environ['WEIR_TOKEN']}", "Accept": "text/event-stream"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:      # a comment comes every 15 s
            block = {}
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    block[name] = value
                    continue
                if "data" in block and "event" not in block:
                    handle(block["data"])
                if "id" in block:                                        # only now: it has been handled
                    with open(file + ".new", "w", encoding="ascii") as f:
                        f.write(block["id"])
                    os.replace(file + ".new", file)
                block = {}
    except urllib.error.HTTPError as refusal:
        if refusal.code not in (429, 503):
            sys.exit(refusal.read().decode())
    except OSError as error:
        print(error, file=sys.stderr)
    time.sleep(2)
