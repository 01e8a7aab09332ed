"""Forged tokens against the running program: each is refused with its status, problem and challenge, and none opens anything."""
import base64
import hashlib
import hmac
import json
import os
import sys
import time

import harness
import pytest

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "identity"))
from provider import Issuer, Provider  # noqa: E402

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HOW = {"RS256": "pkcs1", "PS256": "pss", "ES256": "ecdsa", "EdDSA": "eddsa"}
STREAM = "forged.target"


class Forge:
    """Two issuers with published keys, a key in the file, a gateway that trusts them, and the means to forge."""

    def __init__(self):
        self.provider = Provider()
        self.mine, self.other = Issuer(self.provider, "mine"), Issuer(self.provider, "other")
        self.kids = {alg: self.mine.generate(alg) for alg in HOW}
        self.mine.publish(*self.kids.values())
        self.foreign = self.other.generate()
        self.other.publish(self.foreign)
        for name, curve in (("p384", "P-384"), ("p521", "P-521"), ("k256", "secp256k1"), ("stranger", "P-256")):
            self.provider.ask("forge_key", name=name, kind="ec", options={"namedCurve": curve})
        self.stranger = self.provider.ask("forge_key", name="rsa", kind="rsa", options={"modulusLength": 2048})
        directory = harness.scratch()
        path = os.path.join(directory, "keys.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"keys": [{"kid": "shared", "alg": "HS256", "secret": harness.SECRET}], "issuers": [
                {"issuer": self.mine.iss, "audience": "weir", "jwks_url": self.mine.jwks_url},
                {"issuer": self.other.iss, "audience": "weir", "jwks_url": self.other.jwks_url,
                 "grants": "subscribe:theirs.*"}]}, f)
        # Headers have room for a token that is too long.
        self.gateway = harness.dev({"WEIR_AUTH_KEYS_FILE": path, "WEIR_AUTH_JWKS_CA_FILE": self.provider.ca,
                                    "WEIR_AUTH_JWKS_MIN_REFRESH": "1h", "WEIR_AUTH_JWKS_TIMEOUT": "20s",
                                    "WEIR_AUTH_JWKS_START_WAIT": "30s", "WEIR_HTTP_CONNECTION_MEMORY": "32KiB"})
        self.client = harness.Client(self.gateway, harness.mint())
        self.client.create(STREAM)

    def close(self):
        status = self.gateway.stop()
        harness.remove(self.gateway)
        self.provider.close()
        assert status == 0

    def claims(self, **changed):
        now = time.time()
        body = {"iss": self.mine.iss, "aud": "weir", "sub": "eve", "iat": int(now), "exp": int(now) + 600, "scope": "admin:*",
                **changed}
        return {k: v for k, v in body.items() if v is not None}

    def sign(self, text, name, how, **more):
        text = base64.b64encode(text).decode()
        return base64.b64decode(self.provider.ask("forge_signature", name=name, how=how, text=text, **more))

    def input(self, header, claims):
        """What is signed. header, claims: a value to be written as JSON, or the bytes themselves."""
        return ".".join(harness.base64url(p if isinstance(p, bytes) else json.dumps(p).encode()) for p in (header, claims))

    def make(self, alg="ES256", header=None, claims=None, name=None, how=None, signature=None, **more):
        """A token that is good unless something is said otherwise. signature(good one) gives another."""
        kid = self.kids[alg]
        head = header
        if not isinstance(header, bytes):
            head = {k: v for k, v in {"alg": alg, "kid": kid, **(header or {})}.items() if v is not ...}
        text = self.input(head, self.claims() if claims is None else claims)
        good = self.sign(text.encode(), name or kid, how or HOW[alg], **more)
        return f"{text}.{harness.base64url(signature(good) if signature else good)}"

    def hmac(self, secret, header, claims=None):
        text = self.input(header, claims or self.claims())
        return f"{text}.{harness.base64url(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    def pem(self, alg):
        return self.provider.ask("public_pem", name=self.kids[alg]).encode()

    def jwk(self, alg):
        return self.mine.jwks[self.kids[alg]]


@pytest.fixture(scope="module")
def forge():
    made = Forge()
    yield made
    made.close()


def none(f, alg):
    return f.input({"alg": alg, "kid": f.kids["ES256"]}, f.claims()) + "."


def edited(f, change, alg="ES256"):
    return change(f.make(alg))


def parts(f, change, alg="ES256"):
    return ".".join(change(f.make(alg).split(".")))


def payload(f, **changed):
    return f.make(claims=f.claims(**changed))


def raw_payload(f, text):
    """A properly signed payload of these bytes, in which %s stands for good claims without braces."""
    return f.make(claims=text.replace(b"%s", json.dumps(f.claims())[1:-1].encode()))


def raw_header(f, text):
    return f.make(header=text.replace(b"%s", f'"alg":"ES256","kid":"{f.kids["ES256"]}"'.encode()))


def spare_bits(token):
    """The last character of the signature with bits that no byte has."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]


def out_of_range(good, r=None, s=None):
    """r or s replaced by a number that no signature has."""
    halves = [good[:32], good[32:]]
    for i, number in enumerate((r, s)):
        halves[i] = halves[i] if number is None else number.to_bytes(32, "big")
    return b"".join(halves)


def beyond_the_order(good):
    """The second text of an Ed25519 signature, which RFC 8032 forbids: s plus the order of the group."""
    s = int.from_bytes(good[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    return good[:32] + s.to_bytes(32, "little")


def jws_json(f):
    head, body, signature = f.make().split(".")
    return json.dumps({"protected": head, "payload": body, "signature": signature}, separators=(",", ":"))


INVALID = {
    # the algorithm
    "alg none": lambda f: none(f, "none"), "alg None": lambda f: none(f, "None"), "alg NONE": lambda f: none(f, "NONE"),
    "alg nOnE": lambda f: none(f, "nOnE"), "alg none with a signature": lambda f: f.make(header={"alg": "none"}),
    "alg empty": lambda f: f.make(header={"alg": ""}), "alg missing": lambda f: f.make(header={"alg": ...}),
    "alg null": lambda f: f.make(header={"alg": None}), "alg an array": lambda f: f.make(header={"alg": ["ES256"]}),
    "alg in lower case": lambda f: f.make(header={"alg": "es256"}),
    "alg with a space": lambda f: f.make(header={"alg": "ES256 "}), "alg with a NUL": lambda f: f.make(header={"alg": "ES256\0"}),
    "alg ES384": lambda f: f.make(header={"alg": "ES384"}),
    "alg RS512": lambda f: f.make("RS256", header={"alg": "RS512"}, hash="sha512"),
    "alg dir": lambda f: f.make(header={"alg": "dir"}), "alg ES256K": lambda f: f.make(header={"alg": "ES256K"}, name="k256"),
    # the wrong key for it
    "HS256 with the RSA PEM": lambda f: f.hmac(f.pem("RS256"), {"alg": "HS256", "kid": f.kids["RS256"]}),
    "HS256 with the EC PEM": lambda f: f.hmac(f.pem("ES256"), {"alg": "HS256", "kid": f.kids["ES256"]}),
    "HS256 with the PEM without its end": lambda f: f.hmac(f.pem("RS256").rstrip(), {"alg": "HS256", "kid": f.kids["RS256"]}),
    "HS256 with the JWK": lambda f: f.hmac(json.dumps(f.jwk("RS256")).encode(), {"alg": "HS256", "kid": f.kids["RS256"]}),
    "HS256 with the modulus": lambda f: f.hmac(f.jwk("RS256")["n"].encode(), {"alg": "HS256", "kid": f.kids["RS256"]}),
    "HS256 with the Ed25519 key":
        lambda f: f.hmac(base64.urlsafe_b64decode(f.jwk("EdDSA")["x"] + "="), {"alg": "HS256", "kid": f.kids["EdDSA"]}),
    "HS256 with no secret": lambda f: f.hmac(b"", {"alg": "HS256", "kid": "shared"}, f.claims(iss=None)),
    "HS256 with zeros": lambda f: f.hmac(b"\0" * 32, {"alg": "HS256", "kid": "shared"}, f.claims(iss=None)),
    "the shared secret under an issuer's kid":
        lambda f: f.hmac(harness.SECRET.encode(), {"alg": "HS256", "kid": f.kids["ES256"]}),
    "the shared secret for an issuer": lambda f: f.hmac(harness.SECRET.encode(), {"alg": "HS256", "kid": "shared"}),
    "RS256 key used as PS256": lambda f: f.make("RS256", header={"alg": "PS256"}, how="pss"),
    "PS256 key used as RS256": lambda f: f.make("PS256", header={"alg": "RS256"}, how="pkcs1"),
    "RS256 with a PSS signature": lambda f: f.make("RS256", how="pss"),
    "PS256 with a PKCS 1 one": lambda f: f.make("PS256", how="pkcs1"), "PS256 without salt": lambda f: f.make("PS256", salt=0),
    "PS256 with a long salt": lambda f: f.make("PS256", salt=64), "RS256 over SHA-1": lambda f: f.make("RS256", hash="sha1"),
    "ES256 over SHA-384": lambda f: f.make(hash="sha384"),
    "ES256 by a key on P-384": lambda f: f.make(name="p384", hash="sha384"), "ES256 by P-521": lambda f: f.make(name="p521"),
    "ES256 by secp256k1": lambda f: f.make(name="k256"), "ES256 by a stranger": lambda f: f.make(name="stranger"),
    "RS256 by a stranger": lambda f: f.make("RS256", name="rsa"),
    "ES256 by the RSA key": lambda f: f.make(name=f.kids["RS256"], how="pkcs1"),
    "EdDSA by the EC key": lambda f: f.make("EdDSA", name=f.kids["ES256"], how="ecdsa"),
    "EdDSA under the EC kid": lambda f: f.make("EdDSA", header={"kid": f.kids["ES256"]}),
    # the signature
    "signature stripped": lambda f: edited(f, lambda t: t.rpartition(".")[0] + "."),
    "signature and its dot stripped": lambda f: edited(f, lambda t: t.rpartition(".")[0]),
    "signature of zeros": lambda f: f.make(signature=lambda s: b"\0" * len(s)),
    "signature of ones": lambda f: f.make(signature=lambda s: b"\xff" * 64),
    "signature cut": lambda f: f.make(signature=lambda s: s[:-1]),
    "signature with a byte more": lambda f: f.make(signature=lambda s: s + b"\0"),
    "signature twice": lambda f: f.make(signature=lambda s: s + s),
    "a bit flipped": lambda f: f.make(signature=lambda s: bytes([s[0] ^ 1]) + s[1:]),
    "RSA signature with a zero before": lambda f: f.make("RS256", signature=lambda s: b"\0" + s),
    "RSA signature of zeros": lambda f: f.make("RS256", signature=lambda s: b"\0" * 256),
    "RSA signature one": lambda f: f.make("RS256", signature=lambda s: b"\0" * 255 + b"\1"),
    "EdDSA signature of zeros": lambda f: f.make("EdDSA", signature=lambda s: b"\0" * 64),
    "EdDSA with s beyond the order":
        lambda f: f.make("EdDSA", signature=beyond_the_order),
    "r zero": lambda f: f.make(signature=lambda s: out_of_range(s, r=0)),
    "s zero": lambda f: f.make(signature=lambda s: out_of_range(s, s=0)),
    "r and s the order": lambda f: f.make(signature=lambda s: out_of_range(s, P256_ORDER, P256_ORDER)),
    "r one, s one": lambda f: f.make(signature=lambda s: out_of_range(s, 1, 1)),
    "halves swapped": lambda f: f.make(signature=lambda s: s[32:] + s[:32]),
    "DER in place of r and s": lambda f: f.make(how="der"),
    "signature of another token":
        lambda f: f.make(claims=f.claims(sub="x")).rpartition(".")[0] + "." + f.make().rpartition(".")[2],
    "header and claims swapped": lambda f: parts(f, lambda p: [p[1], p[0], p[2]]),
    "claims replaced": lambda f: parts(f, lambda p: [p[0], harness.base64url(json.dumps(f.claims(sub="root")).encode()), p[2]]),
    # the shape
    "two parts": lambda f: parts(f, lambda p: p[:2]), "four parts": lambda f: edited(f, lambda t: t + ".x"),
    "JWE shape": lambda f: f.input({"alg": "RSA-OAEP", "enc": "A256GCM"}, b"k") + ".aXY.Y3Q.dGFn", "JSON serialization": jws_json,
    "padding": lambda f: edited(f, lambda t: t + "=="),
    "padding of the header": lambda f: parts(f, lambda p: [p[0] + "=", *p[1:]]),
    "standard alphabet": lambda f: f.make(signature=lambda s: b"\xfb\xff" + s[2:]).replace("-_", "+/"),
    "bits beyond the last byte": lambda f: edited(f, spare_bits),
    "white space inside": lambda f: parts(f, lambda p: [p[0], p[1][:9] + " " + p[1][9:], p[2]]),
    "a space behind a dot": lambda f: edited(f, lambda t: t.replace(".", ". ")),
    "junk behind": lambda f: edited(f, lambda t: t + "!!"), "quoted": lambda f: edited(f, lambda t: f'"{t}"'),
    "a second token": lambda f: edited(f, lambda t: t + "," + t), "only dots": lambda f: "..",
    "empty header": lambda f: parts(f, lambda p: ["", *p[1:]]), "empty claims": lambda f: parts(f, lambda p: [p[0], "", p[2]]),
    "more than 8 KiB": lambda f: payload(f, fat="x" * 6100),
    # the header
    "crit": lambda f: f.make(header={"crit": ["exp"]}), "crit empty": lambda f: f.make(header={"crit": []}),
    "crit with b64": lambda f: f.make(header={"crit": ["b64"], "b64": False}),
    "typ logout+jwt": lambda f: f.make(header={"typ": "logout+jwt"}),
    "typ dpop+jwt": lambda f: f.make(header={"typ": "dpop+jwt"}),
    "typ secevent+jwt": lambda f: f.make(header={"typ": "secevent+jwt"}), "typ no string": lambda f: f.make(header={"typ": 5}),
    "typ null": lambda f: f.make(header={"typ": None}), "kid unknown": lambda f: f.make(header={"kid": "nobody"}),
    "kid of another issuer": lambda f: f.make(header={"kid": f.foreign}),
    "kid a path": lambda f: f.make(header={"kid": "../../../../dev/null"}),
    "kid SQL": lambda f: f.make(header={"kid": "' OR 1=1 --"}),
    "kid a URL": lambda f: f.make(header={"kid": "http://127.0.0.1/jwks"}),
    "kid a command": lambda f: f.make(header={"kid": "$(id)|id"}),
    "kid with a NUL": lambda f: f.make(header={"kid": f.kids["ES256"] + "\0"}),
    "kid very long": lambda f: f.make(header={"kid": "k" * 5000}), "kid a number": lambda f: f.make(header={"kid": 1}),
    "kid null": lambda f: f.make(header={"kid": None}),
    "kid in other case": lambda f: f.make(header={"kid": f.kids["ES256"].upper()}),
    "kid a prefix": lambda f: f.make(header={"kid": f.kids["ES256"][:-1]}),
    "a key in the header (jwk)": lambda f: f.make("RS256", header={"kid": "new", "jwk": f.stranger["jwk"]}, name="rsa"),
    "jwk under a known kid": lambda f: f.make("RS256", header={"jwk": f.stranger["jwk"]}, name="rsa"),
    "jku": lambda f: f.make("RS256", header={"jku": f"{f.provider.plain}/evil", "kid": "evil"}, name="rsa"),
    "x5u": lambda f: f.make("RS256", header={"x5u": f"{f.provider.plain}/evil"}, name="rsa"),
    "x5c": lambda f: f.make("RS256", header={"x5c": [base64.b64encode(f.stranger["pem"].encode()).decode()]}, name="rsa"),
    "alg twice": lambda f: raw_header(f, b'{"alg":"none",%s}'), "kid twice": lambda f: raw_header(f, b'{%s,"kid":"x"}'),
    "alg twice, once escaped": lambda f: raw_header(f, b'{%s,"\\u0061lg":"none"}'),
    "header no object": lambda f: f.make(header=b'["ES256"]'), "header not UTF-8": lambda f: raw_header(f, b'{%s,"x":"\xff"}'),
    "header with a BOM": lambda f: raw_header(f, b'\xef\xbb\xbf{%s}'),
    "header too deep": lambda f: raw_header(f, b'{%s,"x":' + b"[" * 40 + b"]" * 40 + b"}"),
    "junk behind the header": lambda f: raw_header(f, b'{%s}{}'), "header unquoted": lambda f: raw_header(f, b"{%s,x:1}"),
    # the claims
    "expired": lambda f: payload(f, exp=int(time.time()) - 61), "not yet valid": lambda f: payload(f, nbf=int(time.time()) + 90),
    "issued in the future": lambda f: payload(f, iat=int(time.time()) + 90), "no exp": lambda f: payload(f, exp=None),
    "exp text": lambda f: payload(f, exp=str(int(time.time()) + 600)), "exp true": lambda f: payload(f, exp=True),
    "exp zero": lambda f: payload(f, exp=0), "exp an array": lambda f: payload(f, exp=[9999999999]),
    "exp negative": lambda f: payload(f, exp=-1), "exp huge": lambda f: payload(f, exp=10**18),
    "exp beyond 64 bits": lambda f: payload(f, exp=2**64 + 600), "exp 1e400": lambda f: raw_payload(f, b'{"exp":1e400}'),
    "exp NaN": lambda f: raw_payload(f, b'{"exp":NaN}'), "exp Infinity": lambda f: raw_payload(f, b'{"exp":Infinity}'),
    "exp null": lambda f: raw_payload(f, b'{"exp":null}'), "exp twice": lambda f: raw_payload(f, b'{%s,"exp":9999999999}'),
    "nbf text": lambda f: payload(f, nbf="0"), "iat text": lambda f: payload(f, iat="0"),
    "aud of another program": lambda f: payload(f, aud="other"), "no aud": lambda f: payload(f, aud=None),
    "aud a prefix": lambda f: payload(f, aud="wei"), "aud in other case": lambda f: payload(f, aud="Weir"),
    "aud an array without us": lambda f: payload(f, aud=["a", "b"]), "aud empty": lambda f: payload(f, aud=[]),
    "aud an array with a number": lambda f: payload(f, aud=["weir", 5]), "aud an object": lambda f: payload(f, aud={"weir": 1}),
    "aud nested": lambda f: payload(f, aud=[["weir"]]), "no iss": lambda f: payload(f, iss=None),
    "iss unknown": lambda f: payload(f, iss="https://evil.example"),
    "iss with a slash more": lambda f: payload(f, iss=f.mine.iss + "/"),
    "iss in other case": lambda f: payload(f, iss=f.mine.iss.upper()), "iss an array": lambda f: payload(f, iss=[f.mine.iss]),
    "iss of another issuer": lambda f: payload(f, iss=f.other.iss),
    "iss and kid of another issuer": lambda f: f.make(header={"kid": f.foreign}, claims=f.claims(iss=f.other.iss)),
    "iss twice": lambda f: raw_payload(f, b'{%s,"iss":"x"}'), "sub an object": lambda f: payload(f, sub={"admin": True}),
    "claims an array": lambda f: f.make(claims=b"[]"), "claims a string": lambda f: f.make(claims=b'"admin:*"'),
    "claims a number": lambda f: f.make(claims=b"1"), "claims null": lambda f: f.make(claims=b"null"),
    "claims not UTF-8": lambda f: raw_payload(f, b'{%s,"x":"\xc0\xaf"}'),
    "claims with a NUL": lambda f: raw_payload(f, b'{%s,"x":"a\\u0000b"}'),
    "claims too deep": lambda f: raw_payload(f, b'{%s,"x":' + b'{"x":' * 40 + b"1" + b"}" * 40 + b"}"),
    "scope twice": lambda f: raw_payload(f, b'{%s,"scope":"admin:*"}'), "scope an array": lambda f: payload(f, scope=["admin:*"]),
    "authorization_details with a limit unknown":
        lambda f: payload(f, authorization_details=[{"type": "weir", "actions": ["admin"], "streams": ["*"], "until": 1}]),
    "authorization_details an object": lambda f: payload(f, authorization_details={"type": "weir"}),
}

# Properly signed, but not for publishing to this stream.
TOO_LITTLE = {
    "no scope": None, "empty": "", "the action alone": "publish", "no pattern": "publish:", "a prefix": "publish:forged",
    "a prefix with a dot": "publish:forged.", "more than the name": "publish:forged.target.x",
    "upper case": "publish:FORGED.TARGET",
    "a pattern beside": "publish:forged.x*", "question mark": "publish:forged.targe?", "regular expression": "publish:.+",
    "percent": "publish:%", "encoded": "publish:forged%2Etarget", "action in upper case": "PUBLISH:*", "plural": "publishes:*",
    "another action": "subscribe:* manage:* dlq:* schema:* saga:* projection:*", "a comma": "openid,publish:*",
    "a tab": "openid\tpublish:*",
    "a line feed": "openid\npublish:*", "a quote": "\"publish:*\"", "a colon before": ":publish:*",
    "admin of another": "admin:forged",
    "a star as action": "*:*", "all": "all:*", "write": "write:*",
}


def challenge(answer, status, code, error):
    answer.problem(status, code)
    said = answer.headers["www-authenticate"]
    assert said.startswith("Bearer") and (f'error="{error}"' in said if error else "error" not in said), said


@pytest.mark.parametrize("name", INVALID)
def test_a_forged_token_is_refused(forge, name):
    token = INVALID[name](forge)
    answer = forge.client.post(f"/v1/streams/{STREAM}/events", {"type": "Forged"}, token=token)
    challenge(answer, 401, "invalid-token", "invalid_token")
    assert token not in answer.body.decode()


@pytest.mark.parametrize("name", TOO_LITTLE)
def test_rights_that_almost_match_are_none(forge, name):
    answer = forge.client.post(f"/v1/streams/{STREAM}/events", {"type": "Forged"}, token=payload(forge, scope=TOO_LITTLE[name]))
    challenge(answer, 403, "insufficient-scope", "insufficient_scope")


@pytest.mark.parametrize("scope", ["publish:forged.target", "publish:*", "subscribe:theirs.* publish:forged.target", "admin:*"])
def test_an_issuer_cannot_grant_beyond_its_ceiling(forge, scope):
    token = forge.other.token(forge.foreign, scope=scope)
    answer = forge.client.post(f"/v1/streams/{STREAM}/events", {"type": "Forged"}, token=token)
    challenge(answer, 403, "insufficient-scope", "insufficient_scope")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic {basic}", "Basic {token}", "Token {token}", "{token}",
                                   "JWT {token}", "DPoP {token}", "BearerX {token}", "Bearer\t{token}"])
def test_another_scheme_is_no_token(forge, value):
    token = forge.make()
    basic = base64.b64encode(f"x:{token}".encode()).decode()
    answer = forge.client.get("/v1/streams", headers={"Authorization": value.format(token=token, basic=basic)}, token="")
    challenge(answer, 401, "unauthenticated", None)


@pytest.mark.parametrize("first, second", [("Bearer {good}", "Bearer {bad}"), ("Bearer {bad}", "Bearer {good}"),
                                           ("Bearer {good}", "Bearer {good}")])
def test_two_authorization_headers_are_a_bad_request(forge, first, second):
    lines = [f"Authorization: {v.format(good=forge.make(), bad='x.y.z')}" for v in (first, second)]
    request = "\r\n".join(["GET /v1/streams HTTP/1.1", "Host: x", *lines, "Connection: close", "", ""])
    answer = harness.raw(forge.gateway, request.encode())
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]


@pytest.mark.parametrize("name", ["access_token", "token", "jwt", "id_token", "authorization", "bearer"])
def test_a_token_in_the_url_opens_nothing(forge, name):
    answer = forge.client.get(f"/v1/streams?{name}={forge.make()}", token="")
    challenge(answer, 401, "unauthenticated", None)


@pytest.mark.parametrize("form", ["form", "cookie"])
def test_a_token_elsewhere_opens_nothing(forge, form):
    token = forge.make()
    if form == "cookie":
        answer = forge.client.get("/v1/streams", headers={"Cookie": f"access_token={token}"}, token="")
    else:
        answer = forge.client.post(f"/v1/streams/{STREAM}/events", f"access_token={token}".encode(), token="",
                                   content_type="application/x-www-form-urlencoded")
    challenge(answer, 401, "unauthenticated", None)


@pytest.mark.parametrize("alg", HOW)
def test_the_forge_makes_good_tokens_too(forge, alg):
    """Or else the refusals would prove nothing."""
    for header in ({}, {"typ": "JWT"}, {"typ": "AT+jwt"}, {"typ": "application/at+jwt"},
                   {"typ": "jwt", "jku": "http://127.0.0.1/x", "x5c": ["x"]}):
        forge.client.get("/v1/streams", token=forge.make(alg, header=header)).expect(200)
    claims = forge.claims(aud=["x", "weir"], exp=time.time() + 9.5)
    forge.client.get("/v1/streams", token=forge.make(alg, claims=claims)).expect(200)


def test_no_forgery_fetched_or_recorded_anything(forge):
    assert forge.provider.ask("hits", path="/evil") == 0
    assert forge.mine.hits() <= 2 and forge.other.hits() <= 2             # at the start, and once for all the unknown keys
    assert forge.client.read(STREAM)["events"] == []
