"""Certificates for tests, made by the openssl program: authorities, and what they sign."""
import datetime
import os
import ssl
import subprocess

CONFIG = """[ca]
default_ca = here
[here]
dir = {path}
database = {path}/index
serial = {path}/serial
new_certs_dir = {path}
default_md = sha256
policy = anything
unique_subject = no
[anything]
organizationName = optional
commonName = optional
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def utc(seconds):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%SZ")


class Pair:
    """A certificate and its key, as PEM files."""

    def __init__(self, path):
        self.certificate, self.key = path + ".pem", path + ".key"

    def text(self):
        with open(self.certificate, encoding="utf-8") as f:
            return f.read()


class Authority(Pair):
    def __init__(self, directory, name):
        path = os.path.join(directory, name)
        super().__init__(path)
        os.mkdir(path)
        self.directory, self.config = path, os.path.join(path, "config")
        for file, content in (("config", CONFIG.format(path=path)), ("index", ""), ("serial", "1000\n")):
            with open(os.path.join(path, file), "w", encoding="utf-8") as f:
                f.write(content)
        self._key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-subj", f"/CN={name}", "-days", "2", "-out", self.certificate)

    @staticmethod
    def _key(path):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        os.chmod(path, 0o644)                     # a gateway that has dropped root reads it too

    def sign(self, name, subject, names="", begins=-3600, ends=86400, usage="clientAuth"):
        """names: of the subjectAltName, such as DNS:a,URI:b. begins, ends: seconds from now."""
        pair = Pair(os.path.join(self.directory, name))
        request, extensions = pair.certificate + ".csr", pair.certificate + ".ext"
        self._key(pair.key)
        openssl("req", "-new", "-key", pair.key, "-subj", subject, "-out", request)
        with open(extensions, "w", encoding="utf-8") as f:
            f.write(f"extendedKeyUsage = {usage}\n" + (f"subjectAltName = {names}\n" if names else ""))
        openssl("ca", "-batch", "-notext", "-preserveDN", "-config", self.config, "-cert", self.certificate, "-keyfile", self.key,
                "-startdate", utc(begins), "-enddate", utc(ends), "-extfile", extensions, "-in", request, "-out", pair.certificate)
        return pair

    def server(self, name="server", **options):
        return self.sign(name, "/CN=localhost", "DNS:localhost,IP:127.0.0.1", usage="serverAuth", **options)

    def client(self, pair=None):
        """What a client trusts and shows."""
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols(["http/1.1"])
        if pair:
            context.load_cert_chain(pair.certificate, pair.key)
        return context
