"""`weir schema check`: a folder of schemas beside a registry whose answers are known, also the worst ones."""
import contextlib
import http.server
import json
import os
import socket
import threading
import urllib.parse

import harness
import pytest

TOKEN = "a.good.token"
RECORD = {"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}]}


class Registry(http.server.ThreadingHTTPServer):
    """answers: path behind /registry → (status, body), a body that is no bytes as JSON. Remembers what was asked."""

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = answers, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers, body))
        status, answer = self.server.answers[urllib.parse.urlsplit(self.path).path.removeprefix("/registry")]
        answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def registry(**answers):
    """answers by subject: what its lookup, its comparison and its registration give."""
    table = {}
    for subject, (looked_up, compared, registered) in answers.items():
        table |= {f"/subjects/{subject}": looked_up, f"/compatibility/subjects/{subject}/versions": compared,
                  f"/subjects/{subject}/versions": registered}
    server = Registry(table)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


KNOWN = (200, {"subject": "s", "version": 3, "id": 7, "schema": "…"})
NO_SUBJECT, NO_SCHEMA = (404, {"error_code": 40401, "message": "no subject"}), (404, {"error_code": 40403, "message": "no schema"})
INVALID = (422, {"error_code": 42201, "message": "no such\x1b[2Jtype"})
GOOD, REGISTERED = (200, {"is_compatible": True}), (200, {"id": 12})
BAD = (200, {"is_compatible": False, "messages": ["REQUIRED_ADDED at /required\ncounterexample: {}", "TYPE_CHANGED"]})


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return str(folder)


def check(server, *arguments, **settings):
    url = server if isinstance(server, str) else server.url
    status, out, errors = harness.weir("schema", "check", "--url", url, "--token", TOKEN, *arguments, **settings)
    assert TOKEN not in out + errors
    return status, out.splitlines(), errors


def registered(server):
    return [path for path, _, _ in server.asked if path.startswith("/registry/subjects/") and path.partition("?")[0].endswith("/versions")]


def test_it_tells_what_is_unchanged_new_and_compatible(tmp_path):
    folder = write(tmp_path, orders__avsc=RECORD, paid__json='{"type":"object","title":"größer"}', shipped__json={}, README__md="no schema")
    with registry(orders=(NO_SCHEMA, GOOD, REGISTERED), paid=(KNOWN, None, None), shipped=(NO_SUBJECT, GOOD, REGISTERED)) as server:
        assert check(server, folder) == (0, ["compatible  orders.avsc", "unchanged   paid.json: version 3", "new         shipped.json",
                                             "3 schemas: 1 unchanged 1 new 1 compatible"], "")
        assert not registered(server)
        path, headers, body = next(one for one in server.asked if one[2]["schemaType"] == "JSON")
        assert path == "/registry/subjects/paid?normalize=false" and body["schema"] == '{"type":"object","title":"größer"}'
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert next(one[2] for one in server.asked if one[2]["schemaType"] == "AVRO") == {"schemaType": "AVRO", "schema": json.dumps(RECORD)}


def test_what_breaks_or_is_invalid_ends_with_1_and_registers_nothing(tmp_path):
    folder = write(tmp_path, a__json={}, b__json={}, c__json={}, d__json={})
    with registry(a=(NO_SCHEMA, BAD, REGISTERED), b=(INVALID, None, REGISTERED), c=(NO_SUBJECT, INVALID, REGISTERED),
                  d=(NO_SUBJECT, GOOD, REGISTERED)) as server:
        for options in ([], ["--register"]):
            status, lines, errors = check(server, *options, folder)
            assert (status, lines) == (1, ["breaks      a.json", "            REQUIRED_ADDED at /required counterexample: {}",
                                           "            TYPE_CHANGED", "invalid     b.json: no such [2Jtype", "invalid     c.json: no such [2Jtype",
                                           "new         d.json", "4 schemas: 1 new 1 breaks 2 invalid"])
            assert errors == ("weir: nothing was registered\n" if options else "")
        assert not registered(server)


def test_registering_takes_what_is_new_or_changed_and_references_last(tmp_path):
    references = [{"name": "b.json", "subject": "b", "version": 1}]
    folder = write(tmp_path, a__json={"$ref": "b.json"}, a__references=references, b__json={}, c__json={})
    with registry(a=(NO_SCHEMA, GOOD, REGISTERED), b=(NO_SUBJECT, GOOD, (200, {"id": 13})), c=(KNOWN, None, None)) as server:
        status, lines, errors = check(server, folder, "--register")
        assert (status, errors) == (0, "") and lines[3:] == ["3 schemas: 1 unchanged 1 new 1 compatible", "registered  b.json: id 13",
                                                            "registered  a.json: id 12"]
        assert registered(server) == ["/registry/subjects/b/versions?normalize=false", "/registry/subjects/a/versions?normalize=false"]
        assert [body.get("references") for path, _, body in server.asked if "/a?" in path] == [references]


def test_a_registration_that_is_refused_is_told_and_ends_it(tmp_path):
    folder = write(tmp_path, a__json={}, b__json={})
    with registry(a=(NO_SUBJECT, GOOD, (409, {"error_code": 40901, "message": "another was faster"})), b=(NO_SUBJECT, GOOD, REGISTERED)) as server:
        status, _, errors = check(server, "--register", folder)
        assert (status, errors) == (1, "weir: a.json: the registry answers 409: another was faster\n")
        assert registered(server) == ["/registry/subjects/a/versions?normalize=false"]


@pytest.mark.parametrize("answer, sentence", [
    ((401, {"type": "/problems/invalid-token", "title": "Invalid token", "detail": "the token has expired"}), "401: the token has expired"),
    ((500, b"<html>"), "500: it says nothing more"), ((404, {"error_code": 404, "message": "no route"}), "404: no route"),
    ((200, b""), "200: it says nothing more"), ((302, b""), "302: redirects are not followed"),
    ((200, b"[" * 100000), "200: it says nothing more"), ((200, {"is_compatible": "yes"}), "200: it says nothing more"),
])
def test_an_answer_that_it_does_not_understand_is_no_yes(tmp_path, answer, sentence):
    folder = write(tmp_path, a__json={})
    with registry(a=(NO_SUBJECT, answer, None)) as server:
        assert check(server, folder) == (1, [], f"weir: a.json: the registry answers {sentence}\n")


def test_who_does_not_answer_is_named(tmp_path):
    folder = write(tmp_path, a__json={})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    status, _, errors = check(f"http://127.0.0.1:{port}", folder)
    assert status == 1 and errors.startswith(f"weir: no answer of http://127.0.0.1:{port}/registry: ") and errors.count("\n") == 1
    with registry(a=((200, b"x" * (33 << 20)), None, None)) as server:
        status, _, errors = check(server, folder)
        assert (status, errors) == (1, f"weir: the answer of {server.url}/registry is larger than 32 MiB\n")


@pytest.mark.parametrize("files, sentence", [
    ({}, "{d} has no schemas: files that end in .avsc or .json"),
    ({"a__json": "{}", "a__avsc": "{}"}, "a.avsc and a.json are of the same subject"),
    ({"a__json": "{}", "%61__json": "{}"}, "%61.json and a.json are of the same subject"),
    ({"a__json": "{}", "b__references": "[]"}, "b.references is of no schema: there is no b.avsc and no .json"),
    ({"a__json": "{}", "a__references": "{}"}, 'a.references is not a JSON array of {{"name", "subject", "version"}}'),
    ({"a__json": "{}", "a__references": "[] x"}, 'a.references is not a JSON array of {{"name", "subject", "version"}}'),
    ({"a%2__json": "{}"}, "a%2.json: the name is not UTF-8, or has a % that two hexadecimal digits do not follow"),
])
def test_a_folder_that_is_not_in_order_is_not_asked_about(tmp_path, files, sentence):
    with registry() as server:
        status, lines, errors = check(server, write(tmp_path, **files))
        assert (status, lines, errors) == (1, [], f"weir: {sentence.format(d=tmp_path)}\n")
        assert not server.asked


def test_files_that_cannot_be_schemas_are_refused(tmp_path):
    (tmp_path / "a.json").mkdir()
    assert "a.json is not a file of at most 16 MiB" in check("http://127.0.0.1:1", str(tmp_path))[2]
    (tmp_path / "a.json").rmdir()
    (tmp_path / "a.json").write_bytes(b'{"title":"\xff"}')
    assert "a.json is not UTF-8" in check("http://127.0.0.1:1", str(tmp_path))[2]
    os.truncate(tmp_path / "a.json", (16 << 20) + 1)
    assert "a.json is not a file of at most 16 MiB" in check("http://127.0.0.1:1", str(tmp_path))[2]
    os.unlink(tmp_path / "a.json")
    os.mkfifo(tmp_path / "a.json")
    assert "a.json is not a file of at most 16 MiB" in check("http://127.0.0.1:1", str(tmp_path))[2]
    assert "cannot be read: No such file" in check("http://127.0.0.1:1", str(tmp_path / "nowhere"))[2]


def test_a_subject_with_a_slash_is_written_with_an_escape(tmp_path):
    folder = write(tmp_path, **{"a%2Fb c__json": "{}"})
    with registry(**{"a%2Fb%20c": (KNOWN, None, None)}) as server:
        assert check(server, folder)[1] == ["unchanged   a%2Fb c.json: version 3", "1 schema: 1 unchanged"]
        assert check(server.url + "/registry/", folder)[0] == 0


def test_url_and_token_may_come_from_the_environment(tmp_path):
    folder = write(tmp_path, a__json={})
    with registry(a=(KNOWN, None, None)) as server:
        assert harness.weir("schema", "check", folder, WEIR_URL=server.url, WEIR_TOKEN=TOKEN)[0] == 0
        assert server.asked[-1][1]["Authorization"] == f"Bearer {TOKEN}"
        assert harness.weir("schema", "check", "--log-level", "error", folder, "--url=" + server.url)[0] == 0
        assert "Authorization" not in server.asked[-1][1]
    status, _, errors = harness.weir("schema", "check", folder, WEIR_URL="http://127.0.0.1:1", WEIR_TOKEN="secret\nX: y")
    assert (status, errors) == (1, "weir: the token has characters that no token has: a blank or a line break, perhaps\n")


@pytest.mark.parametrize("url", ["https://ci:secret@127.0.0.1:1", "http:///ci:secret@127.0.0.1:1", "HTTP://ci:secret@127.0.0.1:1"])
def test_a_password_in_the_url_is_refused_and_never_told(tmp_path, url):
    status, out, errors = harness.weir("schema", "check", write(tmp_path, a__json={}), WEIR_URL=url)
    assert (status, out) == (1, "") and errors.startswith("weir: there is an @ in the URL") and "secret" not in errors


def test_what_a_registry_says_of_itself_moves_no_cursor(tmp_path):
    with registry(a=((500, {"error_code": 50001, "message": "no\x1b[2J\x07\nway"}), None, None)) as server:
        status, _, errors = check(server, write(tmp_path, a__json={}))
        assert (status, errors) == (1, "weir: a.json: the registry answers 500: no [2J  way\n")


@pytest.mark.parametrize("arguments, sentence", [
    (["schema", "check", "."], "say where the gateway is"), (["schema", "check", "--url", "http://x"], "say in which folder"),
    (["schema"], "there is no command schema"), (["schema", "fly"], "there is no command schema"),
    (["schema", "check", "--url"], "a value is missing after --url"), (["schema", "check", ".", "..", "--url", "x"], "is not an option"),
    (["schema", "check", ".", "--register=yes", "--url", "x"], "takes no value"), (["check-config", "."], "is not an option"),
])
def test_a_wrong_command_line_ends_with_2(arguments, sentence):
    status, _, errors = harness.weir(*arguments)
    assert status == 2 and sentence in errors
