"""A PostgreSQL server of a test's own: it can be configured, frozen, killed and started again."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import time

import clusters
import harness


def runs(pid):
    """Not so if it has ended and whoever inherited it has not looked yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Postgres:
    """A PostgreSQL server on a Unix socket, under an account of its own where the caller is root."""

    def __init__(self, data=None, wal_too=True, options=()):
        self.dir = harness.scratch("pg-")
        self.options = [part for option in options for part in ("-c", option)]
        self.data, self.server = data or os.path.join(self.dir, "data"), None
        self.url = f"postgresql://weir@/postgres?host={self.dir}"
        self.bin = clusters.binaries()
        self.account, ids = clusters.account()
        for path in (self.dir, os.path.dirname(self.data)) if ids else ():
            os.chown(path, *ids)
        clusters.new(self.data, *([] if wal_too else ["-X", os.path.join(self.dir, "wal")]))

    def quiet(self):
        return {"cwd": self.dir, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **self.account}

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.server = subprocess.Popen([f"{self.bin}/postgres", "-D", self.data, "-k", self.dir, "-c", "listen_addresses=",
                                            *self.options], stderr=log, **self.quiet())
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
        while any(map(runs, children)):        # they still hold the shared memory
            time.sleep(0.01)

    def close(self):
        if self.server and self.server.poll() is None:
            self.thaw()
            self.server.send_signal(signal.SIGINT)
            try:
                self.server.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
