"""What the tests of outages stand on: a PostgreSQL that can be hurt, gateways on it, sessions of psql, a disk that is small."""
import contextlib
import json
import os
import subprocess
import time

import rig
from postgres import Postgres
from rig import harness

SETTINGS = {"WEIR_COMMIT_WAIT": "1s", "WEIR_DATABASE_STATEMENT_TIMEOUT": "2s", "WEIR_DATABASE_CONNECT_TIMEOUT": "1s"}


class Skipped(Exception):
    """What the machine does not allow."""


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


def answer_of(place, method, target, body=b"", key=None):
    """(status, headers, json, seconds)"""
    wire, began = rig.Wire(place), time.monotonic()
    status, headers, text = wire.request(method, target, body, 30, key=key)
    wire.close()
    return status, headers, json.loads(text), time.monotonic() - began


class Session:
    """A psql that is told what to do, and what it did: a transaction that stays open as long as one likes."""

    def __init__(self, url):
        self.process = subprocess.Popen([harness.PSQL, "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url], stdin=subprocess.PIPE,
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
