"""turns.py [AGENTS]    agents race to commit to one turn; each wins once, for the state that it has seen, and no work is lost.

TurnCommitted is an event of the turn: its state is the fold of these. TurnConflicted tells of a race that was lost; it names the turn in its
data and is no event of it (it has no subject), so that it does not change the version that the others wait for.
"""
import collections
import concurrent.futures
import json
import os
import random
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

stream = "{}/v1/streams/{}".format(os.environ.get("WEIR_URL", "http://127.0.0.1:8080"), os.environ.get("WEIR_STREAM", "turns"))
headers = {"Authorization": f"Bearer {os.environ['WEIR_TOKEN']}", "Content-Type": "application/json"}
RETRIES, BACKOFF, SNAPSHOT_EVERY = 3, 0.1, 100
EMPTY = {"version": 0, "notes": [], "tokens": 0}


class Conflict(Exception):
    pass


def call(method, path, body=None, allowed=()):
    """(status, answer); what is neither a success nor allowed ends the program."""
    request = urllib.request.Request(stream + path, None if body is None else json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        problem = refusal.read().decode()
        if refusal.code not in allowed:
            sys.exit(problem)
        return refusal.code, json.loads(problem)


def fold(state, event):
    """What one TurnCommitted makes of the state."""
    return {"version": event["version"], "notes": state["notes"] + [event["data"]["note"]],
            "tokens": state["tokens"] + event["data"]["tokens"]}


def load(turn):
    """The state now: the snapshot, if there is one, and what came after it."""
    path = f"/subjects/{urllib.parse.quote(turn, safe='')}"
    status, page = call("GET", f"{path}?snapshot=true", allowed=(404,))
    if status == 404:
        return EMPTY
    state = page["snapshot"]["state"] if page["snapshot"] else EMPTY
    while True:
        for event in page["events"]:
            state = fold(state, event)
        if page["up_to_date"]:
            return state
        _, page = call("GET", f"{path}/events?from_version={state['version'] + 1}")


def commit(turn, agent, work):
    """Changes the turn by what work(state) says; whoever was faster is seen, and the work is done again on what he left."""
    for attempt in range(RETRIES + 1):
        state = load(turn)
        event = {"id": str(uuid.uuid4()), "type": "TurnCommitted", "source": f"/agents/{agent}", "subject": turn,
                 "expectedversion": state["version"], "data": {"agent": agent, **work(state)}}
        status, answer = call("POST", "/events", event, allowed=(412,))
        if status != 412:
            state = fold(state, {**event, "version": answer["version"]})
            if state["version"] % SNAPSHOT_EVERY == 0:
                snapshot(turn, state)
            return state
        call("POST", "/events", {"type": "TurnConflicted", "source": f"/agents/{agent}", "partitionkey": turn, "data": {
            "turn": turn, "agent": agent, "expected": state["version"], "current": answer["current_version"]}})
        time.sleep(BACKOFF * 2 ** attempt * random.uniform(0.5, 1))
    raise Conflict(f"{agent} gave up on {turn} after {RETRIES} retries")


def snapshot(turn, state):
    """409: somebody has stored a later one, which is as good."""
    call("PUT", f"/subjects/{urllib.parse.quote(turn, safe='')}/snapshot", {"version": state["version"], "state": state}, allowed=(409,))


def main():
    agents, turn = int(sys.argv[1]) if sys.argv[1:] else 3, f"turn-{uuid.uuid4()}"
    began, together = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60)), threading.Barrier(agents)

    def agent(n):
        seen = []

        def work(state):
            seen.append(str(state["version"]))
            if len(seen) == 1:
                together.wait(30)            # all have loaded the same state: only one of them can win
            return {"note": f"agent-{n} saw {len(state['notes'])} notes", "tokens": 10}

        return commit(turn, f"agent-{n}", work)["version"], f"agent-{n} saw version {', then '.join(seen)}"

    load(turn)                               # here one is told if Weir refuses
    with concurrent.futures.ThreadPoolExecutor(agents) as pool:
        for version, how in sorted(pool.map(agent, range(1, agents + 1))):
            print(f"{how}, and made version {version}")
    state = load(turn)
    snapshot(turn, state)
    print(*state["notes"], sep="\n")
    _, page = call("GET", f"/events?type=Turn*&limit=10000&from_time={began}")
    told = collections.Counter(event["type"] for event in page["events"] if turn in (event.get("subject"), event["data"].get("turn")))
    print(f"{turn}: version {state['version']}, {state['tokens']} tokens, {told['TurnCommitted']} committed, "
          f"{told['TurnConflicted']} conflicted")
    return (state["version"], told["TurnCommitted"], told["TurnConflicted"] >= agents - 1) != (agents, agents, True)


if __name__ == "__main__":
    sys.exit(main())
