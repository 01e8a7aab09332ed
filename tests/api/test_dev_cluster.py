"""The private PostgreSQL of `weir dev`: what it survives, what it refuses, and that its refusals can be understood."""
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import clusters  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(ROOT, os.environ.get("WEIR_BIN", "build/weir"))
SLOW = 4 if "san/" in BINARY or "cover/" in BINARY else 1
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")


def environment():
    return {k: v for k, v in os.environ.items() if not k.startswith(("WEIR_", "PG"))}


class Dev:
    """A `weir dev` on a directory; `prefix` is a command that runs it as somebody else."""

    def __init__(self, data, prefix=(), wait=True):
        self.data, self.info = data, None
        self.ready_file = f"{data}-ready-{time.monotonic_ns()}"
        self.log_path = f"{data}-log"
        os.makedirs(os.path.dirname(data), exist_ok=True)
        self.began = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*prefix, BINARY, "dev", "--port", "0", "--data-dir", data, "--ready-file", self.ready_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        if wait:
            self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + 60 * SLOW
        while not os.path.exists(self.ready_file):
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.005)
        self.seconds = time.monotonic() - self.began
        with open(self.ready_file, encoding="utf-8") as f:
            self.info = json.load(f)

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def sql(self, text):
        return subprocess.run(["psql", "-XAtq", self.info["database_url"], "-c", text], capture_output=True, text=True,
                              check=True, env=environment(), stdin=subprocess.DEVNULL).stdout.strip()

    def socket_directory(self):
        return self.sql("show unix_socket_directories")

    def postgres(self):
        """The pid in postmaster.pid; 0 while there is none."""
        try:
            with open(os.path.join(self.data, "pg", "postmaster.pid"), encoding="ascii") as f:
                return int(f.readline())
        except (FileNotFoundError, ValueError):
            return 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60 * SLOW)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def refusal(data, *arguments, prefix=()):
    """Runs weir dev, which must end with one sentence."""
    done = subprocess.run([*prefix, BINARY, "dev", "--data-dir", data, *(arguments or ("--port", "0"))], text=True,
                          capture_output=True, env=environment(), stdin=subprocess.DEVNULL, timeout=60 * SLOW,
                          check=False)
    assert done.returncode == 1, done
    said = [line for line in done.stderr.splitlines() if line.startswith("weir: ")]
    assert len(said) == 1 and done.stdout == "", done
    return said[0]


@pytest.fixture
def place():
    """A directory that everybody reaches, and the gateways of a test, which are ended after it."""
    path = tempfile.mkdtemp(prefix="weir-test-")
    os.chmod(path, 0o777)
    started = []

    def start(name="data", used=False, **options):
        """used: on the directory of a `weir dev` that was there before, where there is one to copy."""
        if used:
            clusters.copied("dev", os.path.join(path, name))
        started.append(Dev(os.path.join(path, name), **options))
        return started[-1]

    start.path = path
    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()
    shutil.rmtree(path)


def owner(place, name="data"):
    return os.stat(os.path.join(place.path, name, "pg")).st_uid


def as_user(uid):
    """A command prefix; nothing for an ordinary user, who can be nobody else."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={uid}", f"--regid={pwd.getpwuid(uid).pw_gid}", "--clear-groups"]


def test_a_second_start_finds_what_the_first_one_kept(place):
    first = place()
    first.sql("create table kept as select 42 as n")
    postgres = first.postgres()
    assert first.stop() == 0
    assert not alive(postgres), "PostgreSQL ends with its gateway"
    made = os.stat(f"{first.data}/pg/PG_VERSION")
    second = place()
    assert second.sql("select n from kept") == "42"
    assert first.info["token"].split(".")[0] == second.info["token"].split(".")[0]
    assert "interrupted; last known up" not in open(f"{second.data}/postgres.log", encoding="utf-8").read()
    assert os.stat(f"{second.data}/pg/PG_VERSION")[:9] == made[:9], "nothing is made anew"


def test_durability_is_not_traded_away(place):
    one = place()
    for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert one.sql(f"show {name}") == "on"
    assert one.sql("show listen_addresses") == ""
    assert one.sql("select count(*) from pg_stat_activity where client_port > 0") == "0"


def test_secrets_and_data_are_closed_to_others(place):
    one = place()
    for name in ("", "pg", "run"):
        assert os.stat(os.path.join(one.data, name)).st_mode & 0o077 == 0, name
    for path in (f"{one.data}/secret", one.ready_file, f"{one.data}/postgres.log"):
        assert os.stat(path).st_mode & 0o777 == 0o600, path


def test_a_token_is_made_without_a_database(place):
    one = place(used=True)
    assert one.stop() == 0
    done = subprocess.run([BINARY, "token", "--scope", "publish:a", "--ttl", "5m", "--data-dir", one.data], text=True,
                          capture_output=True, env=environment(), stdin=subprocess.DEVNULL, check=True)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)


def test_after_kill_9_of_the_gateway_the_next_one_takes_over(place):
    first = place(used=True)
    first.sql("create table kept as select 42 as n")
    first.kill()
    second = place()  # at once: the old PostgreSQL is still shutting down
    assert second.sql("select n from kept") == "42"


def test_a_postgres_that_outlived_its_gateway_is_replaced(place):
    first = place(used=True)
    first.sql("create table kept as select 42 as n")
    binary, run = os.readlink(f"/proc/{first.postgres()}/exe"), first.socket_directory()
    assert first.stop() == 0
    command = [binary, "-D", f"{first.data}/pg", "-k", run, "-c", "listen_addresses="]
    orphan = subprocess.Popen([*as_user(owner(place)), *command],
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    until(lambda: os.path.exists(f"{run}/.s.PGSQL.5432"))
    second = place()
    assert orphan.wait(60 * SLOW) == 0
    assert second.postgres() != orphan.pid
    assert second.sql("select n from kept") == "42"


def test_kill_9_of_postgres_is_repaired_without_a_restart(place):
    one = place(used=True)
    one.sql("create table kept as select 42 as n")
    victim = one.postgres()
    os.kill(victim, signal.SIGKILL)
    until(lambda: one.postgres() not in (0, victim))
    until(lambda: subprocess.run(["psql", one.info["database_url"], "-c", ""], capture_output=True, check=False,
                                 stdin=subprocess.DEVNULL, env=environment()).returncode == 0)
    assert one.sql("select n from kept") == "42"
    assert one.process.poll() is None
    assert one.stop() == 0


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(place):
    first = place(used=True)
    assert first.stop() == 0
    uid = owner(place)
    stranger = subprocess.Popen([*as_user(uid), "sleep", "600"], stdin=subprocess.DEVNULL)
    until(lambda: os.readlink(f"/proc/{stranger.pid}/exe").endswith("sleep"))
    try:
        for path in (f"{first.data}/pg/postmaster.pid", f"{first.data}/run/.s.PGSQL.5432.lock"):
            with open(path, "w", encoding="ascii") as f:
                f.write(f"{stranger.pid}\n{first.data}/pg\n1700000000\n5432\n{first.data}/run\n\n\nready   \n")
            os.chown(path, uid, -1)
        second = place()
        assert second.sql("select 1") == "1"
        assert alive(stranger.pid), "and the stranger is left alone"
    finally:
        stranger.kill()
        stranger.wait()


def amid_initdb(place):
    """First starts whose initdb runs, or ran just now: some may have come further before anybody could act."""
    for n in range(20):
        one = place(name=f"data-{n}", wait=False)
        until(lambda: os.path.isdir(one.data) and any(n == "pg" or n.startswith("pg.new-") for n in os.listdir(one.data)))
        yield one
    raise AssertionError("it is never caught in the middle of initdb")


def test_a_crash_in_the_middle_of_initdb_leaves_no_half_cluster(place):
    for first in amid_initdb(place):
        first.kill()
        if not os.path.exists(f"{first.data}/pg"):
            break
    second = place(name=os.path.basename(first.data))
    assert second.sql("select 1") == "1"
    assert sorted(os.listdir(second.data)) == ["pg", "postgres.log", "run", "secret", "weir.lock"]


def test_sigterm_during_the_first_start_ends_it_cleanly(place):
    for one in amid_initdb(place):
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(60 * SLOW) == 0
        if "weir: interrupted" in one.log():
            break
    assert not any(n.startswith("pg") for n in os.listdir(one.data) if n != "postgres.log")


def test_a_path_too_long_for_a_socket_gets_a_short_one(place):
    one = place(name="/".join(["d" * 60] * 3))
    run = one.socket_directory()
    assert run.startswith("/tmp/weir-") and os.stat(run).st_mode & 0o777 == 0o700
    assert one.sql("select 1") == "1"
    one.kill()
    until(lambda: not one.postgres())
    again = place(name="/".join(["d" * 60] * 3))
    assert again.socket_directory() == run, "a crash leaves no heap of directories"
    assert again.stop() == 0
    assert not os.path.exists(run)


def test_a_name_with_every_odd_character_works(place):
    one = place(name="ä b%20&c=d?e#f'g+h")
    assert one.sql("select 1") == "1" and one.socket_directory() == f"{one.data}/run"
    listed = place(name='a,"b')
    assert listed.sql("select 1") == "1"


def test_a_second_gateway_on_the_directory_is_refused_with_the_pid_of_the_first(place):
    one = place(used=True)
    assert f"another weir dev (pid {one.info['pid']}) uses {one.data}" in refusal(one.data)
    assert one.sql("select 1") == "1"


def test_data_of_another_version_is_refused_with_both_versions(place):
    first = place(used=True)
    version = open(f"{first.data}/pg/PG_VERSION", encoding="ascii").read().strip()
    assert first.stop() == 0
    with open(f"{first.data}/pg/PG_VERSION", "w", encoding="ascii") as f:
        f.write("13\n")
    said = refusal(first.data)
    assert "made by PostgreSQL 13" in said and version in said.replace("PostgreSQL 13", "")


def test_directories_of_something_else_are_refused_and_left_alone(place):
    os.makedirs(f"{place.path}/home/photos")
    os.makedirs(f"{place.path}/half/pg/old")
    before = os.stat(f"{place.path}/home")
    assert "holds other things" in refusal(f"{place.path}/home")
    after = os.stat(f"{place.path}/home")
    assert os.listdir(f"{place.path}/home") == ["photos"]
    assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)
    open(f"{place.path}/half/weir.lock", "w", encoding="ascii").close()
    if os.geteuid() == 0:
        for name in ("half", "half/pg", "half/weir.lock"):
            os.chown(f"{place.path}/{name}", pwd.getpwnam("nobody").pw_uid, -1)
    assert "no PostgreSQL cluster" in refusal(f"{place.path}/half")
    assert os.path.isdir(f"{place.path}/half/pg/old")


def test_why_postgres_does_not_start_is_quoted(place):
    first = place(used=True)
    assert first.stop() == 0
    with open(f"{first.data}/pg/weir.conf", "a", encoding="ascii") as f:
        f.write("shared_buffers = 'plenty'\n")
    said = refusal(first.data)
    assert 'configuration file "' in said and "contains errors" in said and "postgres.log" in said


def test_a_directory_without_binaries_is_told(place):
    said = refusal(f"{place.path}/data", "--port", "0", "--postgres-bin", place.path)
    assert place.path in said and "no working initdb and postgres" in said


def test_a_port_in_use_is_told_before_anything_is_made(place):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        said = refusal(f"{place.path}/data", "--port", str(port))
    assert f"127.0.0.1:{port}" in said and "in use" in said and "--port 0" not in said
    assert not os.path.exists(f"{place.path}/data")


def test_the_default_port_in_use_suggests_any_free_one(place):
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            busy.bind(("127.0.0.1", 8080))
            busy.listen()
        except OSError:
            pass  # somebody else holds it: just as well
        said = refusal(f"{place.path}/data", "--log-level", "info")
    assert "127.0.0.1:8080" in said and "--port 0" in said


@needs_root
def test_root_becomes_an_ordinary_user_and_still_writes_its_ready_file(place):
    one = place()
    with open(f"/proc/{one.info['pid']}/status", encoding="ascii") as f:
        uids = re.search(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)", f.read(), re.M).groups()
    assert set(uids) == {str(owner(place))} and uids[0] != "0"
    assert os.stat(one.ready_file).st_uid == 0


@needs_root
def test_root_may_keep_its_data_where_only_root_can_go(place):
    closed = os.path.join(place.path, "closed")
    os.mkdir(closed, 0o700)
    first = place(name="closed/data")
    first.sql("create table kept as select 42 as n")
    victim = first.postgres()
    os.kill(victim, signal.SIGKILL)
    until(lambda: first.postgres() not in (0, victim))
    until(lambda: "PostgreSQL is back" in first.log())
    first.kill()
    second = place(name="closed/data")
    assert second.sql("select n from kept") == "42"
    run = second.socket_directory()
    assert second.stop() == 0 and not os.path.exists(run)
    assert os.stat(closed).st_mode & 0o777 == 0o700 and os.stat(closed).st_uid == 0


@needs_root
def test_the_cluster_of_an_ordinary_user_stays_that_users(place):
    nobody = pwd.getpwnam("nobody").pw_uid
    first = place(prefix=as_user(nobody))
    first.sql("create table kept as select 42 as n")  # as root, whom the cluster trusts too
    assert owner(place) == nobody and first.stop() == 0
    second = place()
    assert owner(place) == nobody and second.sql("select current_user, n from kept") == "nobody|42"
    assert second.stop() == 0
    other = next(u.pw_uid for u in pwd.getpwall() if u.pw_uid not in (0, nobody))
    assert second.data in refusal(second.data, prefix=as_user(other))


@needs_root
def test_a_user_without_a_name_is_told_so(place):
    unnamed = next(u for u in range(40000, 50000) if u not in {p.pw_uid for p in pwd.getpwall()})
    prefix = ["setpriv", f"--reuid={unnamed}", f"--regid={unnamed}", "--clear-groups"]
    assert f"user id {unnamed} has no name" in refusal(f"{place.path}/data", prefix=prefix)
