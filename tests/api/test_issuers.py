"""What issuers may be and may answer: keys, algorithms, discovery, ceilings. test_identity.py and test_identity_rotation.py have keys that change."""
import json
import time

import harness
from test_identity import (NUMBERS, QUICK, Issuer, by_url, database, eventually, gateway_of, issuer, metric, provider,  # noqa: F401
                           status_of)


def test_a_token_of_each_algorithm_opens(gateway_of, issuer):
    kids = [issuer.generate(alg) for alg in ("RS256", "PS256", "ES256", "EdDSA")]
    issuer.publish(*kids)
    gateway = gateway_of(by_url(issuer))
    for kid in kids:
        assert status_of(gateway, issuer.token(kid)) == 200
        assert status_of(gateway, issuer.token(kid, aud=["x", "other"])) == 200
        for wrong in ({"aud": "elsewhere"}, {"aud": None}, {"iss": issuer.iss + "/"}, {"iss": None}, {"exp": 1}, {"exp": None}):
            assert status_of(gateway, issuer.token(kid, **wrong)) == 401, wrong


def test_an_rsa_key_without_alg_serves_both_of_its_algorithms_unless_one_is_excluded(gateway_of, issuer):
    rs, ps = issuer.generate("RS256"), issuer.generate("PS256")
    for kid in (rs, ps):
        issuer.jwks[kid].pop("alg")
    issuer.publish(rs, ps)
    both, one = gateway_of(by_url(issuer)), gateway_of(by_url(issuer, algorithms=["PS256"]))
    assert [status_of(both, issuer.token(kid)) for kid in (rs, ps)] == [200, 200]
    assert [status_of(one, issuer.token(kid)) for kid in (rs, ps)] == [401, 200]


def test_keys_that_are_not_for_us_are_passed_over(gateway_of, issuer):
    good, encrypts, other_use = issuer.generate(), issuer.generate(), issuer.generate()
    issuer.jwks[encrypts]["use"] = "enc"
    issuer.jwks[other_use]["key_ops"] = ["sign"]
    extra = [{"kty": "oct", "kid": "o", "k": harness.base64url(b"k" * 40), "alg": "HS256"}, {"kty": "new", "kid": "n"}, 7,
             {"kty": "EC", "crv": "P-521", "kid": "p", "x": "AA", "y": "AA"}, {**issuer.jwks[good], "kid": 5}]
    body = json.dumps({"keys": [*extra, *(issuer.jwks[kid] for kid in (encrypts, other_use, good))]})
    issuer.publish(body=body)
    gateway = gateway_of(by_url(issuer))
    assert [status_of(gateway, issuer.token(kid)) for kid in (good, encrypts, other_use)] == [200, 401, 401]
    claims = {"iss": issuer.iss, "aud": "weir"}
    assert status_of(gateway, harness.mint(secret="k" * 40, header={"kid": "o"}, **claims)) == 401


def test_without_a_kid_only_a_single_key_can_be_meant(gateway_of, issuer):
    first, second = issuer.generate(), issuer.generate()
    issuer.publish(first)
    gateway = gateway_of(by_url(issuer))
    assert status_of(gateway, issuer.token(first, {"kid": None})) == 401      # null is no string
    token = issuer.token(first, {"kid": first})
    assert status_of(gateway, token) == 200
    issuer.publish(first, second)
    assert status_of(gateway, issuer.token(second)) == 200


def test_discovery_finds_the_keys(gateway_of, issuer):
    kid = issuer.generate()
    issuer.publish(kid)
    issuer.describe()
    gateway = gateway_of({"issuer": issuer.iss, "audience": "weir", "discovery": True})
    assert status_of(gateway, issuer.token(kid)) == 200


def test_the_settings_alone_name_one_issuer(database, provider, issuer):
    kid = issuer.generate()
    issuer.publish(kid)
    issuer.describe()
    for where in ({"WEIR_AUTH_JWKS_URL": issuer.jwks_url}, {"WEIR_AUTH_DISCOVERY": "true", "WEIR_AUTH_REQUIRE_AT_JWT": "true"}):
        gateway = harness.serve(database.database_url, {
            **QUICK, **where, "WEIR_AUTH_ISSUER": issuer.iss, "WEIR_AUTH_AUDIENCE": "weir",
            "WEIR_AUTH_JWKS_CA_FILE": provider.ca})
        assert status_of(gateway, issuer.token(kid)) == 200
        plain = status_of(gateway, issuer.token(kid, {"typ": "JWT"}))
        assert plain == (401 if "WEIR_AUTH_REQUIRE_AT_JWT" in where else 200)
        own = {"iss": issuer.iss, "aud": "weir"}
        assert status_of(gateway, harness.mint(**own)) == 200              # the secret is bound to the same issuer
        assert gateway.stop() == 0


def test_a_discovery_document_that_is_not_ours_is_refused(gateway_of, provider):
    cases = [{"issuer": "https://evil.example"}, {"issuer": None}, {"issuer": "{iss}/"}, {"jwks_uri": None}, {"jwks_uri": 5},
             {"jwks_uri": "http://192.0.2.1/jwks"}, {"jwks_uri": "{plain}/jwks"}, {"jwks_uri": "file:///etc/passwd"},
             {"jwks_uri": "ftp://127.0.0.1/jwks"}, {"jwks_uri": "jwks"}]
    issuers = [Issuer(provider, f"realm-{next(NUMBERS)}") for _ in cases]
    kids = [one.generate() for one in issuers]
    for one, kid, changed in zip(issuers, kids, cases):
        one.publish(kid)
        one.describe(**{k: v.format(iss=one.iss, plain=provider.plain) if isinstance(v, str) else v for k, v in changed.items()})
    gateway = gateway_of(*({"issuer": one.iss, "audience": "weir", "discovery": True} for one in issuers))
    for one, kid, changed in zip(issuers, kids, cases):
        assert status_of(gateway, one.token(kid)) == 401, changed
        assert f'"issuer":"{one.iss}","why"' in gateway.log() and one.hits() == 0, changed


BIG = json.dumps({"keys": [], "x": "y" * (256 << 10)})


BAD_ANSWERS = {
    "oversized": {"body": BIG}, "cut": {"body": "{"}, "an array": {"body": "[]"}, "keys no array": {"body": '{"keys":{}}'},
    "duplicate members": {"body": '{"keys":[],"keys":[]}'}, "empty": {"body": ""}, "500": {"status": 500},
    "101 keys": {"body": json.dumps({"keys": [{"kty": "x"}] * 101})},
    "deep": {"body": '{"keys":' + "[" * 40 + "]" * 40 + "}"},
    "redirect": {"status": 302, "headers": {"Location": "/elsewhere"}}, "204": {"status": 204, "body": ""}, "hanging": {"hang": True},
    "compressed": {"headers": {"Content-Encoding": "gzip"}, "body": "\x1f\x8b"},
}


def test_a_bad_answer_leaves_the_old_keys_in_force(gateway_of, provider):
    issuers = {name: Issuer(provider, f"realm-{next(NUMBERS)}", **{"Cache-Control": "max-age=60"}) for name in BAD_ANSWERS}
    kids = {name: (one.generate(), one.generate()) for name, one in issuers.items()}
    for name, one in issuers.items():
        one.publish(kids[name][0])
    gateway = gateway_of(*map(by_url, issuers.values()), WEIR_AUTH_JWKS_TIMEOUT=f"{3 * harness.SLOW}s")
    for name, one in issuers.items():
        old, new = kids[name]
        eventually(lambda one=one, old=old: status_of(gateway, one.token(old)) == 200)   # many at once: some may be late
        provider.ask("document", path="/elsewhere", status=200, body=json.dumps({"keys": [one.jwks[new]]}))
        one.publish(new, **BAD_ANSWERS[name])
        began = time.monotonic()
        assert status_of(gateway, one.token(new)) == 401, name
        assert time.monotonic() - began < 20 * harness.SLOW, name
        assert status_of(gateway, one.token(old, sub="bob")) == 200, name   # not from the cache
        one.publish(old, new)
    provider.ask("release")
    assert metric(gateway, "weir_jwks_failures_total") >= len(BAD_ANSWERS)
    for name, one in issuers.items():                                       # it tries again by itself
        eventually(lambda one=one, new=kids[name][1]: status_of(gateway, one.token(new)) == 200)


def test_the_start_does_not_wait_for_ever_and_recovers(gateway_of, provider, issuer):
    kid = issuer.generate()
    issuer.publish(kid, hang=True)
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_START_WAIT="100ms")
    issuer.publish(kid)
    provider.ask("release")
    assert harness.Client(gateway, "").get("/readyz").status == 200
    eventually(lambda: status_of(gateway, issuer.token(kid)) == 200)


def test_an_authority_that_is_not_trusted_is_refused(gateway_of, issuer):
    kid = issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer), WEIR_AUTH_JWKS_CA_FILE="")
    assert status_of(gateway, issuer.token(kid)) == 401
    assert "certificate" in gateway.log() and issuer.hits() == 0


def test_http_is_for_this_machine(gateway_of, provider, issuer):
    kid = issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer, jwks_url=f"{provider.plain}{issuer.path}/jwks"))
    assert status_of(gateway, issuer.token(kid)) == 200


def test_two_issuers_do_not_speak_for_each_other(gateway_of, provider, issuer):
    other = Issuer(provider, f"realm-{next(NUMBERS)}")
    mine, theirs = issuer.generate(), other.generate()
    provider.ask("generate", name="same", alg="ES256")
    issuer.publish(mine)
    other.publish(theirs)
    gateway = gateway_of(by_url(issuer), by_url(other, audiences=["third"]))
    assert status_of(gateway, issuer.token(mine)) == 200 and status_of(gateway, other.token(theirs, aud="third")) == 200
    for token in (issuer.token(mine, iss=other.iss, aud="third"), issuer.token(mine, {"kid": theirs}, iss=other.iss, aud="third"),
                  other.token(theirs, iss=issuer.iss), other.token(theirs), issuer.token(mine, aud="third"),
                  harness.mint(iss=issuer.iss, aud="weir")):
        assert status_of(gateway, token) == 401
    assert status_of(gateway, harness.mint()) == 200                        # a key without issuer is as it was


def test_an_issuer_grants_no_more_than_its_ceiling(gateway_of, issuer):
    kid = issuer.generate()
    issuer.publish(kid)
    gateway = gateway_of(by_url(issuer, grants="publish:team-b.* subscribe:*"))
    client = harness.Client(gateway, issuer.token(kid))
    client.post("/v1/streams/team-b.x/events", {"type": "A"}).expect(201)
    client.get("/v1/streams/team-b.x/events").expect(200)
    client.post("/v1/streams/team-a.x/events", {"type": "A"}).problem(403, "insufficient-scope")
    client.put("/v1/streams/team-b.y", {}).problem(403, "insufficient-scope")
    narrow = issuer.token(kid, scope="publish:team-a.* subscribe:team-b.*")
    client.post("/v1/streams/team-a.x/events", {"type": "A"}, token=narrow).problem(403, "insufficient-scope")
    client.post("/v1/streams/team-b.x/events", {"type": "A"}, token=narrow).problem(403, "insufficient-scope")
    client.get("/v1/streams/team-b.x/events", token=narrow).expect(200)
    client.close()
