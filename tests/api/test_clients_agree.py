"""The same requests by Python's http.client, curl and Node's fetch: each frames them in its own way, all get the same answers."""
import http.client
import json
import os
import subprocess

import harness
import pytest

BODY = b'{"type":"T","subject":"s","data":[1e400, -0, "\\u00e4 \xe2\x82\xac", 12345678901234567890]}'
JSON = {"Content-Type": "application/json"}
# name, method, path, headers, body, chunked → status
CALLS = [
    ("create", "PUT", "/v1/streams/{s}", JSON, b"{}", False, 201),
    ("publish with a length", "POST", "/v1/streams/{s}/events", JSON, BODY, False, 201),
    ("publish in chunks", "POST", "/v1/streams/{s}/events", JSON, BODY, True, 201),
    ("publish 3 MiB in chunks", "POST", "/v1/streams/{s}/events", {"Content-Type": "text/plain", "ce-specversion": "1.0",
                                                                  "ce-type": "Big"}, b"x" * (3 << 20), True, 413),
    ("an empty body", "POST", "/v1/streams/{s}/events", JSON, b"", False, 400),
    ("a body that is too large for its call", "PUT", "/v1/streams/{s}", JSON, b" " * (1 << 20), False, 413),
    ("an escaped path", "GET", "/v1/%73treams/{s}", {}, None, False, 200),
    ("an escaped slash", "GET", "/v1%2Fstreams", {}, None, False, 404),
    ("a query", "GET", "/v1/streams/{s}/events?limit=1&type=T&type=%2A", {}, None, False, 200),
    ("a bad escape", "GET", "/v1/streams/{s}/events?after=%00", {}, None, False, 400),
    ("no such method", "DELETE", "/v1/streams", {}, None, False, 405),
    ("HEAD", "HEAD", "/v1/streams/{s}", {}, None, False, 200),
    ("OPTIONS", "OPTIONS", "/v1/streams/{s}", {}, None, False, 204),
    ("compressed", "POST", "/v1/streams/{s}/events", {**JSON, "Content-Encoding": "gzip"}, BODY, False, 415),
    ("delete", "DELETE", "/v1/streams/{s}", {}, None, False, 204),
]

FETCH = """
const {base, token, calls} = JSON.parse(require('fs').readFileSync(0));
(async () => {
  const out = [];
  for (const c of calls) {
    const bytes = c.body === null ? undefined : Buffer.from(c.body, 'base64');
    const body = c.chunked ? new ReadableStream({start(s) {
      for (let at = 0; at < bytes.length; at += 65536) s.enqueue(bytes.subarray(at, at + 65536));
      s.close();
    }}) : bytes;
    const r = await fetch(base + c.path, {method: c.method, headers: {...c.headers, authorization: 'Bearer ' + token}, body, duplex: 'half'});
    await r.arrayBuffer();
    out.push(r.status);
  }
  console.log(JSON.stringify(out));
})();
"""


def by_python(gateway, stream):
    connection = http.client.HTTPConnection(gateway.host, gateway.port, timeout=30 * harness.SLOW)
    for _, method, path, headers, body, chunked, _ in CALLS:
        pieces = iter([body[i:i + 65536] for i in range(0, len(body), 65536)]) if chunked else body
        connection.request(method, path.format(s=stream), pieces, {**headers, "Authorization": f"Bearer {gateway.token}"},
                           encode_chunked=chunked)
        answer = connection.getresponse()
        answer.read()
        yield answer.status
    connection.close()


def by_curl(gateway, stream):
    """With an Expect: 100-continue of its own accord above 1 MiB."""
    for _, method, path, headers, body, chunked, _ in CALLS:
        argv = ["curl", "-sS", "--path-as-is", "--globoff", "--max-time", "60", "-o", os.devnull, "-w", "%{http_code}",
                "-H", f"Authorization: Bearer {gateway.token}", *(["-I"] if method == "HEAD" else ["-X", method])]
        for name, value in {**headers, **({"Transfer-Encoding": "chunked"} if chunked else {})}.items():
            argv += ["-H", f"{name}: {value}"]
        done = subprocess.run([*argv, *(["--data-binary", "@-"] if body is not None else []), gateway.url + path.format(s=stream)],
                              input=body, stdin=subprocess.DEVNULL if body is None else None, capture_output=True, check=False)
        yield int(done.stdout)


def by_node(gateway, stream):
    calls = [{"method": method, "path": path.format(s=stream), "headers": headers, "chunked": chunked,
              "body": None if body is None else harness.base64.b64encode(body).decode()}
             for _, method, path, headers, body, chunked, _ in CALLS]
    done = subprocess.run(["node", "-e", FETCH], input=json.dumps({"base": gateway.url, "token": gateway.token, "calls": calls}),
                          capture_output=True, text=True, timeout=60 * harness.SLOW, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("by", [by_python, by_curl, by_node])
def test_every_client_gets_the_same_answers(gateway, stream, by):
    got = list(by(gateway, stream))
    assert {call[0]: status for call, status in zip(CALLS, got)} == {call[0]: call[-1] for call in CALLS}
