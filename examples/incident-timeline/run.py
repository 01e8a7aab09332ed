"""run.py: two incidents, worked on by agents at the same time; their timelines come from a projection and are followed as they change.

Start Weir with `make run`, then run this; or give WEIR_URL and WEIR_TOKEN. Python 3, nothing else. The stream examples.incidents is made
anew: what it had is deleted. The exit status is 0 only if all is as it says.
"""
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
URL = os.environ.get("WEIR_URL", "http://127.0.0.1:8080") + "/v1"
TOKEN = os.environ.get("WEIR_TOKEN") or subprocess.check_output(
    [f"{HERE}/../../build/weir", "token", "--data-dir", f"{HERE}/../../.weir", "--scope", "admin:*", "--ttl", "1h"], text=True).strip()
STREAM, INCIDENTS, SERVICES = "examples.incidents", "examples.incidents", "examples.services"


def ask(method, path, body=None, gone=False, **headers):
    """(JSON, headers). gone: it need not be there."""
    request = urllib.request.Request(URL + path, None if body is None else json.dumps(body).encode(), method=method, headers={
        "Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None, answer.headers
    except urllib.error.HTTPError as refusal:
        if gone and refusal.code == 404:
            return None, refusal.headers
        sys.exit(f"{method} {path}: {refusal.code} {refusal.read().decode()}")


def publish(kind, incident, who, text, **data):
    """An agent tells what it did; the cursor after it."""
    event = {"type": kind, "subject": incident, "data": {"who": who, "what": text, **data}}
    return ask("POST", f"/streams/{STREAM}/events", [event])[1]["Weir-Cursor"]


def state(projection, key, cursor):
    """As it is when all before the cursor has been folded: read your own writes."""
    return ask("GET", f"/projections/{projection}/state/{key}?wait=20s&at_least={cursor}")[0]["state"]


class Dashboard(threading.Thread):
    """Follows the changes of all incidents."""

    def __init__(self):
        super().__init__(daemon=True)
        self.shown, self.ready = {}, threading.Event()
        self.start()

    def run(self):
        request = urllib.request.Request(f"{URL}/projections/{INCIDENTS}/changes",
                                         headers={"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"})
        with urllib.request.urlopen(request, timeout=60) as stream:
            self.ready.set()
            event = ""
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and not event:
                    change = json.loads(value)
                    self.shown[change["key"]] = change["state"]
                    print(f"    {change['key']}: {change['state']['status']}, {change['state']['timeline'][-1]['what']}", flush=True)
                elif not name:
                    event = ""

    def until(self, incident, status):
        for _ in range(400):
            if (self.shown.get(incident) or {}).get("status") == status:
                return
            time.sleep(0.05)
        sys.exit(f"after 20 s {incident} is not shown as {status}, but: {self.shown.get(incident)}")


def main():
    print("== A stream and two projections of it")
    for path in (f"/projections/{INCIDENTS}", f"/projections/{SERVICES}", f"/streams/{STREAM}"):
        ask("DELETE", path, gone=True)
    ask("PUT", f"/streams/{STREAM}", {"partitions": 4, "description": "examples/incident-timeline"})
    for name, file in ((INCIDENTS, "incidents.json"), (SERVICES, "services.json")):
        with open(os.path.join(HERE, file), encoding="utf-8") as definition:
            print("   ", ask("PUT", f"/projections/{name}", json.load(definition))[0]["name"])

    print("== Agents at work, as a dashboard sees it", flush=True)
    dashboard = Dashboard()
    dashboard.ready.wait(20)
    publish("IncidentDetected", "inc-1", "detector", "checkout answers slowly", service="checkout", severity="critical")
    publish("IncidentDetected", "inc-2", "detector", "search has old results", service="search")
    publish("DiagnosisCompleted", "inc-1", "diagnosis", "the connection pool is exhausted", confidence=0.72, cause="pool")
    publish("PredictionCompleted", "inc-1", "prediction", "payments will follow within 20 minutes", confidence=0.55)
    at = publish("ResolutionProposed", "inc-1", "resolution", "double the pool", resolution="pool=64")
    now = state(INCIDENTS, "inc-1", at)
    print(f"== What to do about inc-1 is decided on {now['cause']!r} with confidence {now['confidence']}", flush=True)
    assert (now["status"], now["confidence"], now["page"]) == ("proposed", 0.72, True), now
    publish("ResolutionApplied", "inc-1", "operator", "the pool has 64 connections")
    at = publish("IncidentClosed", "inc-1", "operator", "checkout is fast again", service="checkout", minutes=17.5)
    dashboard.until("inc-1", "closed")

    print("== The timeline of inc-1")
    now = state(INCIDENTS, "inc-1", at)
    for entry in now["timeline"]:
        print(f"    {entry['at'][11:19]} {entry['who']:11} {entry['what']}")
    assert len(now["timeline"]) == now["events"] == 6 and "page" not in now, now

    print("== What is open, and what each service had")
    assert state(INCIDENTS, "inc-2", "latest")["severity"] == "minor"
    found = ask("GET", f"/projections/{INCIDENTS}/state?where=/status=open")[0]["items"]
    print("   ", *(item["key"] for item in found))
    assert [item["key"] for item in found] == ["inc-2"], found
    checkout, search = (state(SERVICES, service, "latest") for service in ("checkout", "search"))
    print(f"    checkout {json.dumps(checkout)}\n    search {json.dumps(search)}")
    assert checkout == {"incidents": 1, "open": 0, "critical": 1, "minutes": 17.5}, checkout
    assert search == {"incidents": 1, "open": 1}, search


main()
