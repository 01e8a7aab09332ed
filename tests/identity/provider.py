"""Runs provider.mjs: an identity provider on this machine, with a certificate of a test authority."""
import json
import os
import subprocess
import threading
import time

import harness

HERE = os.path.dirname(os.path.abspath(__file__))


def openssl(*arguments, directory):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def certificates(directory):
    """ca.pem, and server.pem with server.key for 127.0.0.1 and localhost."""
    with open(os.path.join(directory, "names"), "w", encoding="utf-8") as f:
        f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority",
            directory=directory)
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=provider", directory=directory)
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem",
            "-days", "2", "-extfile", "names", directory=directory)


class Provider:
    def __init__(self):
        self.directory = harness.scratch("provider-")
        certificates(self.directory)
        self.ca = os.path.join(self.directory, "ca.pem")
        env = harness.environment({"PROVIDER_KEY": os.path.join(self.directory, "server.key"),
                                   "PROVIDER_CERT": os.path.join(self.directory, "server.pem")})
        self.process = subprocess.Popen(["node", os.path.join(HERE, "provider.mjs")], stdin=subprocess.PIPE, env=env,
                                        stdout=subprocess.PIPE, text=True)
        ports = json.loads(self.process.stdout.readline())
        self.url, self.plain = f"https://127.0.0.1:{ports['https']}", f"http://127.0.0.1:{ports['http']}"
        self.lock, self.commands = threading.Lock(), 0

    def ask(self, op, **arguments):
        with self.lock:
            self.commands += 1
            self.process.stdin.write(json.dumps({"id": self.commands, "op": op, **arguments}) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        assert answer["id"] == self.commands and "error" not in answer, answer
        return answer["value"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


class Issuer:
    """One issuer of a provider: its keys, those that it publishes, its tokens."""

    def __init__(self, provider, name, **headers):
        self.provider, self.path = provider, f"/{name}"
        self.iss, self.jwks_url = f"{provider.url}/{name}", f"{provider.url}/{name}/jwks"
        self.headers, self.jwks, self.made = headers, {}, 0

    def generate(self, alg="ES256"):
        """A new key, not yet published; its kid."""
        self.made += 1
        kid = f"{self.path[1:]}-{self.made}-{alg}"
        self.jwks[kid] = self.provider.ask("generate", name=kid, alg=alg)
        return kid

    def publish(self, *kids, **how):
        body = json.dumps({"keys": [self.jwks[kid] for kid in kids]})
        self.document("/jwks", **{"body": body, "headers": self.headers, "status": 200, **how})

    def document(self, tail, **how):
        self.provider.ask("document", path=self.path + tail, **how)

    def describe(self, **changed):
        """The discovery document."""
        about = {"issuer": self.iss, "jwks_uri": self.jwks_url, "authorization_endpoint": f"{self.iss}/authorize", **changed}
        self.document("/.well-known/openid-configuration", status=200, body=json.dumps(about))

    def token(self, kid, header=None, **claims):
        body = {"iss": self.iss, "aud": "weir", "sub": "ann", "exp": int(time.time()) + 600, "scope": "admin:*", **claims}
        return self.provider.ask("sign", name=kid, header=header or {}, claims={k: v for k, v in body.items() if v is not None})

    def hits(self, tail="/jwks"):
        return self.provider.ask("hits", path=self.path + tail)
