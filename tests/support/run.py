"""Runs the suites of Weir one after another and ends with one line: N passed, N failed.

    run.py                  every suite (make test)
    run.py unit lint …      these suites
    run.py --list           their names
    run.py --soak | --bench | --fuzz | --cover

Needs no terminal and leaves nothing behind: children are ended by process id, what they write is in one temporary directory.
"""
import collections
import concurrent.futures
import contextlib
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = sys.executable
TAP = re.compile(r"^\s*(ok|not ok)\b(.*)")
SANITIZED = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1",
}
# What the slower, sanitized servers are asked: nearly all that strangers can send; and, of that, where threads meet.
TSAN_API = [f"test_{name}.py" for name in (
    "audit", "client_certificates", "deliveries", "drain", "groups_backlog", "groups_shared", "gzip", "hostile",
    "idempotency", "identity", "job_watch", "longpoll", "projections_changes", "projections_read", "read_many",
    "registry_shared", "revocations", "sse", "tickets", "tls", "two_gateways", "validation")]
ASAN_API = [name for name in TSAN_API if name != "test_two_gateways.py"] + [f"test_{name}.py" for name in (
    "auth", "contracts", "dlq", "dry_run", "forged_tokens", "groups_manage", "http", "issuers", "projections", "publish", "quota",
    "read", "registry", "slow_clients")]
# Dealt out first, so that workers end together.
LONG = {f"test_{name}.py" for name in ("crash", "dev_cluster", "examples", "groups_backlog", "groups_proofs", "identity", "issuers",
                                       "never_skipped", "readme", "supervision", "tickets", "tls", "validation", "validation_real")}
LONG_UNITS = {f"test_{name}" for name in ("compat_hostile", "group_model", "jsonschema_hostile", "server_park", "webhook_payloads")}
# What computes only: begun when the program is built, one after the other, with the time that the suites before them leave over.
# Shown in their turn.
EARLY = ("lint", "asan-build", "tsan-build")
PROGRAM_SECONDS, API_SECONDS, BUILD_SECONDS, LONG_SECONDS = 300, 900, 1800, 4 * 3600


class Result:
    """Of tests; cpu: seconds of it that their processes took, wall: that they took."""

    def __init__(self, passed=0, failed=0):
        self.passed, self.failed, self.cpu, self.wall = passed, failed, 0.0, 0.0

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.cpu += other.cpu
        return self

    def line(self, name):
        return f"{name:12} {self.passed:5} passed {self.failed:4} failed {self.wall:7.1f} s {self.cpu:7.1f} s of CPU"


RUNNING = set()                                  # children, of all threads


def say(text):
    print("  " + text, flush=True)


def be_nice(child, value):
    """A child and all that it started, also where the kernel shares out by session first. Back to 0 is for root only."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, child.pid, value)
        with open(f"/proc/{child.pid}/autogroup", "w", encoding="ascii") as f:
            f.write(str(value))


def end_all():
    for child in list(RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)


def run(argv, seconds, result, env=None, line=None, show=say, wanted=None):
    """Shows what a child prints, calls line(text) for each line; its exit status, or 124 when it took too long.
    Until the event `wanted` it gives way to others."""
    child = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    child.wanted = wanted
    RUNNING.add(child)
    if wanted and not wanted.is_set():
        be_nice(child, 19)
    late = threading.Event()

    def stop():
        late.set()
        os.killpg(child.pid, signal.SIGKILL)     # its own process group: nobody else's

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        for raw in child.stdout:
            text = raw.decode("utf-8", "replace").rstrip("\n")
            show(text)
            if line:
                line(text)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        result.cpu += used.ru_utime + used.ru_stime
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        raise
    finally:
        timer.cancel()
        child.stdout.close()
        RUNNING.discard(child)
    if late.is_set():
        show(f"not ok - {argv[0]}: stopped after {seconds} s")
        return 124
    return child.returncode


def tap(argv, seconds, env=None, show=say, wanted=None):
    """A program that prints ok/not ok lines; its exit status counts when it prints none, or ends badly without saying why."""
    result = Result()

    def line(text):
        match = TAP.match(text)
        if match and "SKIP" not in match[2]:
            result.passed += match[1] == "ok"
            result.failed += match[1] == "not ok"

    try:
        status = run(argv, seconds, result, {**SANITIZED, "CMOCKA_MESSAGE_OUTPUT": "TAP", **(env or {})}, line, show, wanted)
    except FileNotFoundError:
        status = "no such file"
    if status and not result.failed:
        show(f"not ok - {argv[0]} ended with {status}")
        result.failed += 1
    if not status and not result.passed and not result.failed:
        result.passed = 1                        # it counts nothing itself and ended well
    return result


def make(*goals, **how):
    jobs = len(os.sched_getaffinity(0))
    result = Result()
    if run(["make", "--no-print-directory", "-s", f"-j{jobs}", *goals], BUILD_SECONDS, result, **how):
        result.failed = 1
    else:
        result.passed = 1
    return result


def out(build):
    return "build" if build == "release" else f"build/{build}"


def programs(build, kind):
    paths = sorted(glob.glob(f"tests/{kind}/test_*.c" if kind != "fuzz" else "tests/fuzz/*.c", root_dir=ROOT))
    return [f"{out(build)}/{path[:-2]}" for path in paths]


def at_once(workers, fn, items):
    """The sum of fn's results; what still runs ends with whatever ends this."""
    result = Result()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            for one in pool.map(fn, items):
                result += one
        except BaseException:
            end_all()
            raise
    return result


def meets_threads(program):
    with open(f"{ROOT}/tests/unit/{os.path.basename(program)}.c", encoding="utf-8") as f:
        return re.search(r"pthread_t \w+\[|pthread_create|_fixture\.h|worker\.h", f.read())


def unit_programs(build):
    """Races are looked for where there are threads."""
    return [program for program in programs(build, "unit") if build != "tsan" or meets_threads(program)]


def unit(build):
    """As many at once as there are cores, each shown whole when it has ended."""
    def one(program):
        lines = [f"# {program}"]
        result = tap([program], PROGRAM_SECONDS, show=lines.append)
        say("\n  ".join(lines))
        return result

    longest_first = sorted(unit_programs(build), key=lambda program: os.path.basename(program) not in LONG_UNITS)
    return at_once(len(os.sched_getaffinity(0)), one, longest_first)


def fuzz_name(program):
    return re.sub(r"^(fuzz|test)_", "", os.path.basename(program))


def corpus(build):
    result = Result()
    for program in programs(build, "fuzz"):
        directory = f"tests/fuzz/corpus/{fuzz_name(program)}"
        if not os.path.isdir(os.path.join(ROOT, directory)):
            print(f"  not ok - {program} has no corpus in {directory}")
            result.failed += 1
            continue
        result += tap([program, directory], PROGRAM_SECONDS)
    return result


class Cluster:
    """A PostgreSQL of our own, on a Unix socket, for tests/db. As root it runs as `postgres` or `nobody`."""

    def __init__(self, tmp):
        self.dir = tempfile.mkdtemp(dir=tmp, prefix="pg-")
        self.user = next((u for u in ("postgres", "nobody") if exists(u)), None) if os.getuid() == 0 else None
        self.url = f"postgresql://weir@/postgres?host={self.dir}"

    def __enter__(self):
        os.chmod(self.dir, 0o755)
        account = {}
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.dir, entry.pw_uid, entry.pw_gid)
            account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        binaries = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        data = os.path.join(self.dir, "data")
        quiet = {"cwd": self.dir, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **account}
        subprocess.run([f"{binaries}/initdb", "-D", data, "-U", "weir", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                        "--no-sync", "--no-instructions"], check=True, **quiet)
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.server = subprocess.Popen([f"{binaries}/postgres", "-D", data, "-k", self.dir, "-c", "listen_addresses=",
                                            "-c", "fsync=off", "-c", "max_connections=50"], stderr=log, **quiet)
        self.env = {"WEIR_TEST_DATABASE_URL": self.url, "WEIR_TEST_POSTGRES_PID": str(self.server.pid)}
        for _ in range(200):
            if subprocess.run([f"{binaries}/pg_isready", "-q", "-h", self.dir], check=False).returncode == 0:
                return self
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("the PostgreSQL of tests/db does not start: see its log")

    def __exit__(self, *_):
        self.server.send_signal(signal.SIGINT)
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.send_signal(signal.SIGQUIT)
            self.server.wait()


def exists(user):
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def database(build, tmp):
    """On as many clusters as there are cores: a test may stop its PostgreSQL."""
    waiting = iter(programs(build, "db"))

    def work(_):
        result = Result()
        with Cluster(tmp) as cluster:
            for program in waiting:
                lines = [f"# {program}"]
                result += tap([program], PROGRAM_SECONDS, cluster.env, lines.append)
                say("\n  ".join(lines))
        return result

    cores = len(os.sched_getaffinity(0))
    return at_once(cores, work, range(cores)) if programs(build, "db") else Result()


def show_slowest(suite, n=12):
    seconds = collections.Counter()
    for case in suite.iter("testcase"):
        seconds[case.get("classname").rpartition(".")[2]] += float(case.get("time"))
    say("slowest files: " + ", ".join(f"{name} {took:.0f} s" for name, took in seconds.most_common(n)))


def api(build, tmp, paths, seconds=API_SECONDS, workers=0):
    """pytest; the counts are of its own report. Each worker has a gateway of its own, and takes a file when it has done one."""
    report = os.path.join(tempfile.mkdtemp(dir=tmp, prefix="report-"), f"{build}.xml")
    dealt = ["-n", str(workers), "--dist", "loadfile"] if workers else []
    result = Result()
    status = run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=10", f"--junitxml={report}", *dealt, *paths],
                 seconds, result, {"WEIR_BIN": f"{out(build)}/weir", "TMPDIR": tmp, "PYTHONDONTWRITEBYTECODE": "", **SANITIZED})
    try:
        suite = xml.parse(report).getroot().find("testsuite")
    except (OSError, xml.ParseError):
        result.failed = 1
        return result
    count = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    show_slowest(suite)
    result.passed, result.failed = count["tests"] - failed - count["skipped"], failed or int(status != 0)
    return result


def api_suite(build, tmp, names):
    """One more worker than there are cores: most tests wait more than they compute."""
    paths = [f"tests/api/{name}" for name in sorted(names, key=lambda name: (name not in LONG, name))]
    return api(build, tmp, paths, workers=len(os.sched_getaffinity(0)) + 1)


def api_files():
    return glob.glob("test_*.py", root_dir=os.path.join(ROOT, "tests/api"))


def suites(tmp):
    return {
        "build": lambda: make("all", "tests"),
        "unit": lambda: unit("release"),
        "db": lambda: database("release", tmp),
        "fuzz": lambda: corpus("release"),
        "api": lambda: api_suite("release", tmp, api_files()),
        "lint": lambda **how: tap([PYTHON, "tests/support/lint.py"], BUILD_SECONDS, **how),
        "asan-build": lambda **how: make("BUILD=asan", "all", "tests", **how),
        "asan-unit": lambda: unit("asan"),
        "asan-db": lambda: database("asan", tmp),
        "asan-fuzz": lambda: corpus("asan"),
        "asan-api": lambda: api_suite("asan", tmp, ASAN_API),
        "tsan-build": lambda **how: make("BUILD=tsan", "all", *unit_programs("tsan"), **how),
        "tsan-unit": lambda: unit("tsan"),
        "tsan-api": lambda: api_suite("tsan", tmp, TSAN_API),
    }


def long_fuzz(tmp):
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    yield "fuzz-build", lambda: make("BUILD=fuzz", "WERROR=0", "fuzzers")
    for program in programs("fuzz", "fuzz"):
        seeds, found = f"tests/fuzz/corpus/{fuzz_name(program)}", os.path.join(tmp, fuzz_name(program))
        os.mkdir(found)
        # What is new lands in `found`; an input that crashes is kept under build/.
        argv = [program, f"-max_total_time={seconds}", "-timeout=10", f"-artifact_prefix=build/{fuzz_name(program)}-", found]
        yield fuzz_name(program), lambda argv=argv, seeds=seeds: tap(
            argv + ([seeds] if os.path.isdir(f"{ROOT}/{seeds}") else []), seconds + 120)


def cover(tmp):
    """Counters go to a directory that the server may write whichever user it runs as."""
    counters = os.path.join(tmp, "gcov")
    os.umask(0)
    os.mkdir(counters)
    os.environ.update(GCOV_PREFIX=counters, GCOV_PREFIX_STRIP=str(len(ROOT.strip("/").split("/"))))
    yield "cover-build", lambda: make("BUILD=cover", "all", "tests")
    yield "cover-unit", lambda: unit("cover")
    yield "cover-db", lambda: database("cover", tmp)
    yield "cover-fuzz", lambda: corpus("cover")
    yield "cover-api", lambda: api_suite("cover", tmp, api_files())
    yield "covered", lambda: print_cover(counters)


def print_cover(counters):
    for note in glob.glob("build/obj/cover/**/*.gcno", root_dir=ROOT, recursive=True):
        os.makedirs(os.path.dirname(os.path.join(counters, note)), exist_ok=True)
        shutil.copy(os.path.join(ROOT, note), os.path.join(counters, note))
    data = sorted(glob.glob(f"{counters}/**/*.gcda", recursive=True))
    text = subprocess.run(["gcov", "-n", *data], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    best = {}
    for name, percent, lines in re.findall(r"File '([^']+)'\nLines executed:([\d.]+)% of (\d+)", text):
        if name.startswith(("gateway/", "handlers/", "db/")) and name.endswith(".c"):
            best[name] = max(best.get(name, (0, 0)), (float(percent), int(lines)))
    for name, (percent, lines) in sorted(best.items(), key=lambda item: item[1]):
        print(f"  {percent:6.1f} %  {lines:5} lines  {name}")
    total = sum(lines for _, lines in best.values())
    covered = sum(percent * lines for percent, lines in best.values()) / max(total, 1)
    print(f"  {covered:6.1f} %  {total:5} lines  in all")
    return Result(int(total > 0), int(total == 0))


def soak(tmp):
    yield "build", lambda: make("all")
    yield "soak", lambda: api("release", tmp, ["tests/soak"], LONG_SECONDS)


def bench(_tmp):
    for path in sorted(glob.glob("tests/bench/bench_*.py", root_dir=ROOT)):
        yield path, lambda path=path: tap([PYTHON, path], LONG_SECONDS)


def chosen(args, tmp):
    special = {"--soak": soak, "--bench": bench, "--fuzz": long_fuzz, "--cover": cover}
    if args and args[0] in special:
        return list(special[args[0]](tmp))
    table = suites(tmp)
    if args == ["--list"]:
        print("\n".join(table))
        sys.exit(0)
    unknown = [name for name in args if name not in table]
    if unknown:
        sys.exit(f"no such suite: {' '.join(unknown)}; there are {' '.join(table)}")
    return [(name, table[name]) for name in args or table]


def timed(suite, **how):
    began = time.monotonic()
    try:
        result = suite(**how)
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        how.get("show", say)(f"not ok - {error}")
        result = Result(0, 1)
    result.wall = time.monotonic() - began
    return result


class Early:
    """The suites of EARLY that were asked for, in a thread of their own."""

    def __init__(self):
        self.pool, self.begun = concurrent.futures.ThreadPoolExecutor(1), {}

    def begin(self, suites_asked):
        for name, suite in suites_asked:
            if name in EARLY:
                lines, wanted = [], threading.Event()
                self.begun[name] = lines, wanted, self.pool.submit(timed, suite, show=lines.append, wanted=wanted)

    def result(self, name, suite):
        if name not in self.begun:
            return timed(suite)
        lines, wanted, future = self.begun[name]
        wanted.set()
        for child in list(RUNNING):
            if child.wanted is wanted:
                be_nice(child, 0)
        result = future.result()
        for line in lines:
            say(line)
        return result

    def end(self):
        self.pool.shutdown(wait=False, cancel_futures=True)
        end_all()


def run_all(asked, mode):
    """Shows each suite's line at the end; the sum of all."""
    total, lines, broken, early = Result(), [], set(), Early()
    try:
        for name, suite in asked:
            # Suites of a variant hang on its build; those of a mode (--fuzz …) on the mode's.
            variant = mode or (name.partition("-")[0] if "-" in name else "build")
            if variant in broken and name != "lint":
                lines.append(f"{name:12} not run: its build failed")
                continue
            print(f"== {name}", flush=True)
            result = early.result(name, suite)
            if name == "build" or name.endswith("-build"):
                broken |= {variant} if result.failed else set()
            if name == "build" and not result.failed:
                early.begin(asked)
            total += result
            lines.append(result.line(name))
    finally:
        early.end()
    print("\n".join(["==", *lines]))
    return total


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.chdir(ROOT)
    tmp = tempfile.mkdtemp(prefix="weir-test-", dir="/tmp")
    os.chmod(tmp, 0o755)                          # a server that drops root must get in
    os.environ["PYTHONPYCACHEPREFIX"] = tmp
    began = time.monotonic()
    try:
        total = run_all(chosen(sys.argv[1:], tmp), next((arg for arg in sys.argv[1:] if arg.startswith("--")), ""))
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    print(f"{time.monotonic() - began:.0f} s, {total.cpu:.0f} s of CPU")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    sys.exit(1 if total.failed or not total.passed else 0)


main()
