"""Clusters of PostgreSQL. initdb and the first migrations cost more than most tests: run.py has each made once (`Templates`), and
tests that are about neither begin with a copy."""
import glob
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time

FOUND_BY = "TEST_CLUSTERS"                       # names the directory of what is copied; where it is not set all is made anew


def binaries():
    return max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))


def account():
    """Of whom a cluster must be where the caller is root: for subprocess, and (uid, gid)."""
    if os.geteuid():
        return {}, None
    entry = next(e for name in ("postgres", "nobody") for e in pwd.getpwall() if e.pw_name == name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}, (entry.pw_uid, entry.pw_gid)


def copied(name, to):
    """A copy of what run.py has made; False: it has made nothing."""
    made = os.path.join(os.environ.get(FOUND_BY, "/nonexistent"), name)
    if not os.path.isdir(made):
        return False
    subprocess.run(["cp", "-a", made, to], check=True, stdin=subprocess.DEVNULL)
    return True


def new(data, *options):
    """A cluster for one user, weir, in a directory that is not there yet."""
    if options or not copied("bare", data):
        subprocess.run([f"{binaries()}/initdb", "-D", data, "-U", "weir", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                        "--no-sync", "--no-instructions", *options], check=True, cwd=os.path.dirname(data), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, **account()[0])


class Templates:
    """Made when they are first needed."""

    def __init__(self):
        self.lock, self.directory = threading.Lock(), None

    def environment(self, tmp, program):
        """Of tests that may copy; the program is a `weir` that is built."""
        with self.lock:
            if not self.directory:
                self.directory = os.path.join(tmp, "templates")
                os.mkdir(self.directory)
                os.chmod(self.directory, 0o755)
                self._bare()
                self._dev(program)
        return {FOUND_BY: self.directory}

    def _bare(self):
        place = os.path.join(self.directory, "making")
        os.mkdir(place)
        if account()[1]:
            os.chown(place, *account()[1])
        new(os.path.join(place, "bare"))
        os.rename(os.path.join(place, "bare"), os.path.join(self.directory, "bare"))

    def _dev(self, program):
        """The data directory of a `weir dev` that has been started and stopped."""
        data, ready = os.path.join(self.directory, "making", "dev"), os.path.join(self.directory, "ready")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("WEIR_", "PG"))}
        with open(os.path.join(self.directory, "log"), "wb") as log:
            gateway = subprocess.Popen([program, "dev", "--port", "0", "--data-dir", data, "--ready-file", ready], env=env,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while not os.path.exists(ready) and gateway.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        gateway.send_signal(signal.SIGTERM)
        if gateway.wait(60) or not os.path.exists(ready):
            with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as log:
                raise RuntimeError(f"weir dev does not start: {log.read()[-2000:]}")
        shutil.rmtree(os.path.join(data, "run"), ignore_errors=True)
        os.rename(data, os.path.join(self.directory, "dev"))
