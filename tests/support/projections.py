"""What the tests of projections have in common."""
import json
import urllib.parse

import harness


def path(name, *more, **query):
    """Of a projection, and what is below it: path("book", "state", key, at_least=cursor)."""
    target = "/v1/projections/" + "/".join(urllib.parse.quote(part, safe="") for part in (name, *more))
    pairs = [(k, v) for k, vs in query.items() for v in (vs if isinstance(vs, (list, tuple)) else [vs])]
    return target + ("?" + urllib.parse.urlencode(pairs) if pairs else "")


def define(client, name, **definition):
    """A new projection; of the stream of its own name unless others are named."""
    return client.put(path(name), {"streams": [name], "key": "subject", **definition}).expect(201).json()


def record(client, stream, *events):
    """Publishes them; the cursor that all of them are before. An event is (type, subject, data)."""
    body = [{"type": kind, "subject": subject, "data": data} for kind, subject, data in events]
    return client.post(f"/v1/streams/{stream}/events", body).expect(201).headers["weir-cursor"]


def state(client, name, key, at_least="latest", **options):
    """The answer for a key, once what was published before is folded."""
    return client.get(path(name, "state", key, at_least=at_least, wait="60s"), **{"timeout": 90, **options})


def value(client, name, key, at_least="latest"):
    return state(client, name, key, at_least).expect(200).json()["state"]


def spelled(answer):
    """The state of an answer with every number as the text that it is."""
    return json.loads(answer.expect(200).body, parse_int=str, parse_float=str)["state"]


def watch(gateway, name, token=None, headers=None, **query):
    return harness.EventStream(gateway, None, token, headers, path=path(name, "changes", **query))


def told(blocks):
    """The changes among blocks: (key, state, version)."""
    return [tuple(b.json()[k] for k in ("key", "state", "version")) for b in blocks if b.data and b.event is None]
