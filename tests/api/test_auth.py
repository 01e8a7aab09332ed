"""Who may do what: tokens, scopes, the order of checks, what refusals tell."""
import json
import os
import time

import harness
import pytest

READ, WRITE, MANAGE = ("GET", "/events"), ("POST", "/events"), ("PUT", "")


def call(client, stream, which, token):
    method, tail = which
    body = {"POST": {"type": "A"}, "PUT": {}}.get(method)
    return client.request(method, f"/v1/streams/{stream}{tail}", body, token=token)


@pytest.mark.parametrize("scope, allowed", [
    ("publish:{s}", {WRITE}), ("subscribe:{s}", {READ}), ("manage:{s}", {MANAGE}), ("admin:{s}", {READ, WRITE, MANAGE}),
    ("admin:*", {READ, WRITE, MANAGE}), ("publish:* subscribe:{s}", {READ, WRITE}), ("subscribe:{p}*", {READ}),
    ("subscribe:*{e}", {READ}), ("subscribe:{p}", set()), ("subscribe:{s}x", set()), ("", set()), ("openid profile", set()),
    ("read:{s}", set()), ("subscribe:", set()), ("openid  subscribe:{s} fly:*", {READ}), ("Subscribe:{s}", set()),
    ("dlq:* schema:* saga:* projection:*", set()),
])
def test_each_action_opens_its_own_routes(client, stream, scope, allowed):
    client.create(stream)
    token = harness.mint(scope.format(s=stream, p=stream[:8], e=stream[-5:]))
    for which in (READ, WRITE, MANAGE):
        answer = call(client, stream, which, token)
        if which in allowed:
            assert answer.status in (200, 201), (which, answer)
        else:
            answer.problem(403, "insufficient-scope")
            assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("details, allowed", [
    ([{"type": "weir", "actions": ["publish", "subscribe"], "streams": ["{s}"]}], {READ, WRITE}),
    ([{"type": "other", "actions": ["publish"], "streams": ["*"]}], set()),
    ([{"type": "other", "x": 1}, {"type": "weir", "actions": ["manage"], "streams": ["{s}", "x"]}], {MANAGE}),
    ([{"type": "weir", "actions": ["fly"], "streams": ["*"]}], set()),
    ([{"type": "weir", "actions": "publish", "streams": ["*"]}], None), ([{"type": "weir", "streams": ["*"]}], None),
    ([{"type": "weir", "actions": ["publish"], "streams": [5]}], None),
])
def test_authorization_details(client, stream, details, allowed):
    client.create(stream)
    details = json.loads(json.dumps(details).replace("{s}", stream))
    token = harness.mint(None, authorization_details=details)
    for which in (READ, WRITE, MANAGE):
        answer = call(client, stream, which, token)
        if allowed is None:
            answer.problem(401, "invalid-token")
        elif which in allowed:
            assert answer.status in (200, 201), answer
        else:
            answer.problem(403, "insufficient-scope")


def test_rights_are_checked_before_existence(client, stream):
    client.create(stream)
    token = harness.mint("subscribe:elsewhere")
    there, not_there = (call(client, name, READ, token).problem(403, "insufficient-scope") for name in (stream, f"{stream}.x"))
    assert there["title"] == not_there["title"]
    assert there["detail"].replace(stream, "S") == not_there["detail"].replace(f"{stream}.x", "S")
    for method, target in (("GET", f"/v1/streams/{stream}.x"), ("DELETE", f"/v1/streams/{stream}.x")):
        client.request(method, target, token=token).problem(403, "insufficient-scope")
    call(client, f"{stream}.x", READ, harness.mint(f"subscribe:{stream}.*")).problem(404, "unknown-stream")


def test_lists_show_only_what_the_caller_may_see(client, gateway, stream):
    for end in ("a", "b", "c"):
        client.create(f"{stream}.{end}")

    def seen(scope):
        target, names = "/v1/streams?limit=1000", set()
        while target:                                    # tests before this one have left theirs
            answer = client.get(target, token=harness.mint(scope)).expect(200)
            names |= {i["name"] for i in answer.json()["items"] if i["name"].startswith(f"{stream}.")}
            link = answer.headers.get("link")
            target = link and link[1:link.index(">")]
        return names

    assert seen(f"subscribe:{stream}.a publish:{stream}.c") == {f"{stream}.a", f"{stream}.c"}
    assert seen("admin:*") == {f"{stream}.{end}" for end in "abc"} and seen("openid") == set()


def bad_tokens():
    good = harness.mint()
    head, body, signature = good.split(".")
    none = harness.base64url(b'{"alg":"none"}')
    now = time.time()
    return {
        "garbage": "x", "two parts": f"{head}.{body}", "four parts": f"{good}.x", "no signature": f"{head}.{body}.",
        "alg none": f"{none}.{body}.", "alg none with a signature": f"{none}.{body}.{signature}",
        "another key": harness.mint(secret="y" * 40), "signature cut": good[:-2], "padding": good + "=",
        "trailing junk": good + "!!", "white space": f"{head}.{body}. {signature}",
        "another alg": harness.mint(header={"alg": "HS512"}), "asymmetric alg": harness.mint(header={"alg": "RS256"}),
        "crit": harness.mint(header={"crit": ["x"], "x": 1}),
        "body changed": f"{head}.{harness.base64url(json.dumps({'scope': 'admin:*', 'exp': now + 99}).encode())}.{signature}",
        "no exp": harness.mint(exp=None), "exp is text": harness.mint(exp="tomorrow"), "expired": harness.mint(exp=now - 70),
        "not yet": harness.mint(nbf=now + 120), "too long": harness.mint(x="y" * 9000), "scope is no text": harness.mint(scope=5),
    }


@pytest.mark.parametrize("kind", sorted(bad_tokens()))
def test_a_token_that_does_not_hold(client, kind):
    answer = client.get("/v1/streams", token=bad_tokens()[kind])
    assert answer.status in (401, 431), answer
    if answer.status == 401:
        answer.problem(401, "invalid-token")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
                                     {"Authorization": ""}])
def test_no_token(client, headers):
    answer = client.get("/v1/streams", headers=headers, token="").expect(401)
    assert answer.json()["code"] in ("unauthenticated", "invalid-token")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_scheme_is_bearer_in_any_case_and_the_leeway_admits(client):
    for scheme in ("bearer", "BEARER"):
        client.get("/v1/streams", headers={"Authorization": f"{scheme} {harness.mint()}"}, token="").expect(200)
    client.get("/v1/streams", token=harness.mint(exp=time.time() - 20)).expect(200)
    client.get("/v1/streams", token=harness.mint(nbf=time.time() + 20)).expect(200)


def test_tokens_in_the_url_are_not_accepted(client, stream):
    client.create(stream)
    for name in ("access_token", "token", "ticket"):
        client.get(f"/v1/streams?{name}={harness.mint()}", token="").expect(401)


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/version", "/openapi.json", "/openapi.yaml", "/docs",
                                  "/problems/not-found"])
def test_public_routes_need_no_token_and_mind_no_bad_one(client, path):
    client.get(path, token="").expect(200)
    client.get(path, token="garbage").expect(200)


def test_a_cached_token_is_still_checked_for_its_end(client):
    def cached(seconds):
        end = time.time() + seconds                      # with the leeway of a minute
        token = harness.mint(exp=end - 60)
        held = [client.get("/v1/streams?limit=1", token=token).status for _ in range(3)]
        if time.time() > end - 0.1:
            return False
        assert held == [200] * 3
        time.sleep(end - time.time() + 0.7)
        client.get("/v1/streams?limit=1", token=token).problem(401, "invalid-token")
        return True

    harness.in_time(cached)


def test_the_command_mints_tokens_that_hold(client, gateway, stream):
    client.create(stream)
    status, token, errors = harness.weir("token", "--scope", f"subscribe:{stream}", "--ttl", "5m", "--data-dir",
                                         os.path.join(gateway.directory, "data"))
    assert status == 0 and token.count("\n") == 1, errors
    call(client, stream, READ, token.strip()).expect(200)
    call(client, stream, WRITE, token.strip()).problem(403, "insufficient-scope")
    for arguments in (["--scope", ""], [], ["--scope", "publish:*", "--ttl", "soon"]):
        status, token, errors = harness.weir("token", *arguments, "--data-dir", os.path.join(gateway.directory, "data"))
        assert status != 0 and not token and errors


def test_tokens_do_not_reach_the_log(client, gateway):
    token = harness.mint(sub="logged")
    client.get("/v1/streams", token=token).expect(200)
    client.get(f"/v1/streams?access_token={token}", token="garbage-token").expect(401)
    log = gateway.log()
    assert token not in log and "garbage-token" not in log and harness.SECRET not in log
