"""What the tests of outages stand on: a PostgreSQL that can be hurt, gateways on it, sessions of psql, a disk that is small."""
import contextlib
import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
import time

import rig
from rig import harness

SETTINGS = {"WEIR_COMMIT_WAIT": "1s", "WEIR_DATABASE_STATEMENT_TIMEOUT": "2s", "WEIR_DATABASE_CONNECT_TIMEOUT": "1s"}


class Skipped(Exception):
    """What the machine does not allow."""


class Postgres:
    """A PostgreSQL server on a Unix socket, under an account of its own where the caller is root."""

    def __init__(self, data=None, wal_too=True):
        self.dir = harness.scratch("pg-")
        self.data, self.server = data or os.path.join(self.dir, "data"), None
        self.url = f"postgresql://weir@/postgres?host={self.dir}"
        self.bin = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        self.account = {}
        if os.geteuid() == 0:
            entry = next(e for e in pwd.getpwall() if e.pw_name in ("postgres", "nobody"))
            self.account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            for path in (self.dir, os.path.dirname(self.data)):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        elsewhere = [] if wal_too else ["-X", os.path.join(self.dir, "wal")]
        subprocess.run([f"{self.bin}/initdb", "-D", self.data, "-U", "weir", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                        "--no-sync", "--no-instructions", *elsewhere], check=True, **self.quiet())

    def quiet(self):
        return {"cwd": self.dir, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **self.account}

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.server = subprocess.Popen([f"{self.bin}/postgres", "-D", self.data, "-k", self.dir, "-c", "listen_addresses="],
                                           stderr=log, **self.quiet())
        deadline = time.monotonic() + 60
        while subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", self.dir], check=False).returncode:
            assert self.server.poll() is None and time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.02)

    def children(self):
        found = []
        for path in glob.glob("/proc/[0-9]*/stat"):
            with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == self.server.pid:
                    found.append(int(path.split("/")[2]))
        return found

    def signal(self, number):
        for pid in (self.server.pid, *self.children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        children = self.children()
        self.server.kill()
        self.server.wait()
        while any(os.path.exists(f"/proc/{pid}") for pid in children):     # they still hold the shared memory
            time.sleep(0.01)

    def close(self):
        if self.server and self.server.poll() is None:
            self.thaw()
            self.server.send_signal(signal.SIGINT)
            try:
                self.server.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Bench(contextlib.ExitStack):
    """A PostgreSQL and gateways on it, all ended when it is left."""

    def __init__(self, data=None, wal_too=True):
        super().__init__()
        self.postgres = Postgres(data, wal_too)
        self.callback(self.postgres.close)

    def serve(self, **settings):
        gateway = harness.serve(self.postgres.url, {**SETTINGS, **settings})
        gateway.database_url = self.postgres.url
        self.callback(harness.remove, gateway)
        self.callback(gateway.kill)
        return gateway


def answer_of(place, method, target, body=b""):
    """(status, headers, json, seconds)"""
    wire, began = rig.Wire(place), time.monotonic()
    status, headers, text = wire.request(method, target, body, 30)
    wire.close()
    return status, headers, json.loads(text), time.monotonic() - began


class Session:
    """A psql that is told what to do, and what it did: a transaction that stays open as long as one likes."""

    def __init__(self, url):
        self.process = subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def say(self, sql):
        """Returns what came back, once all of it has been done."""
        self.process.stdin.write(f"{sql};\n\\echo done\n")
        self.process.stdin.flush()
        got = []
        for line in self.process.stdout:
            if line == "done\n":
                return got
            got.append(line.strip())
        raise RuntimeError(f"psql ended: {got}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@contextlib.contextmanager
def small_disk(megabytes):
    """A file system of its own; only where mounting is allowed."""
    path = harness.scratch("disk-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tmpfs", path], check=False,
                             capture_output=True, text=True)
    try:
        if mounted.returncode:
            raise Skipped(f"mounting is not permitted here: {mounted.stderr.strip()}")
        os.mkdir(os.path.join(path, "cluster"), 0o755)
        yield path
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", path], check=True)
        os.rmdir(path)
