"""Runs the suites of Weir, those that wait beside those that compute, and ends with one line: N passed, N failed.

    run.py                  every suite (make test)
    run.py unit lint …      these suites
    run.py --list           their names
    run.py --soak | --bench | --fuzz | --cover

Needs no terminal and leaves nothing behind: children are ended by process id, what they write is in one temporary directory.
"""
import collections
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml

import clusters
from child import ENDING, ROOT, SANITIZED, Job, Result, end_all, hurry, run, tap

PYTHON = sys.executable
# What the slower, sanitized servers are asked: nearly all that strangers can send; and, of that, where threads meet.
TSAN_API = [f"test_{name}.py" for name in (
    "audit", "client_certificates", "deliveries", "drain", "groups_backlog", "groups_shared", "gzip", "hostile",
    "idempotency", "identity", "identity_rotation", "job_watch", "longpoll", "outbound", "projections_changes", "projections_read",
    "read_many", "registry_shared", "revocations", "sagas_proofs", "sse", "tickets", "tls", "two_gateways", "validation",
    "validation_large")]
ASAN_API = [name for name in TSAN_API if name != "test_two_gateways.py"] + [f"test_{name}.py" for name in (
    "auth", "contracts", "dlq", "dry_run", "forged_tokens", "groups_manage", "http", "issuers", "projections", "publish", "quota",
    "read", "registry", "sagas_awaits", "sagas_by_hand", "sagas_hostile", "slow_clients")]
# Dealt out first, the longest before the others, so that workers end together.
LONG = [f"test_{name}.py" for name in (
    "dashboard", "dev_cluster", "crash", "validation_large", "tls", "examples", "identity_rotation", "groups_backlog",
    "issuers", "identity", "slow_clients", "deliveries", "readme", "groups_proofs", "sagas_proofs", "supervision",
    "registry_shared", "read_many", "audit", "tickets", "never_skipped", "validation_real")]
LONG_UNITS = {f"test_{name}" for name in ("compat_hostile", "group_model", "jsonschema_hostile", "server_park", "webhook_payloads")}
# Suites of the API wait more than they compute: one runs after the other, and beside them, one after the other, all else. Of that
# these give way. Each suite is shown in its turn.
PATIENT = ("lint", "asan-build", "tsan-build", "fuzz", "asan-fuzz")
TEMPLATES = clusters.Templates()
PROGRAM_SECONDS, API_SECONDS, BUILD_SECONDS, LONG_SECONDS = 300, 900, 1800, 4 * 3600


def make(job, *goals):
    jobs = len(os.sched_getaffinity(0))
    result = Result()
    if run(job, ["make", "--no-print-directory", "-s", f"-j{jobs}", *goals], BUILD_SECONDS, result):
        result.failed = 1
    else:
        result.passed = 1
    return result


def out(build):
    return "build" if build == "release" else f"build/{build}"


def programs(build, kind):
    paths = sorted(glob.glob(f"tests/{kind}/test_*.c" if kind != "fuzz" else "tests/fuzz/*.c", root_dir=ROOT))
    return [f"{out(build)}/{path[:-2]}" for path in paths]


def at_once(job, workers, fn, items):
    """The sum of fn's results; what still runs of the job ends with whatever ends this."""
    result = Result()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            for one in pool.map(fn, items):
                result += one
        except BaseException:
            end_all(job)
            raise
    return result


def meets_threads(program):
    with open(f"{ROOT}/tests/unit/{os.path.basename(program)}.c", encoding="utf-8") as f:
        return re.search(r"pthread_t \w+\[|pthread_create|_fixture\.h|worker\.h", f.read())


def unit_programs(build):
    """Races are looked for where there are threads."""
    return [program for program in programs(build, "unit") if build != "tsan" or meets_threads(program)]


def unit(job, build):
    """As many at once as there are cores, each shown whole when it has ended."""
    def one(program):
        lines = [f"# {program}"]
        result = tap(job, [program], PROGRAM_SECONDS, show=lines.append)
        job.say(*lines)
        return result

    longest_first = sorted(unit_programs(build), key=lambda program: os.path.basename(program) not in LONG_UNITS)
    return at_once(job, len(os.sched_getaffinity(0)), one, longest_first)


def fuzz_name(program):
    return re.sub(r"^(fuzz|test)_", "", os.path.basename(program))


def corpus(job, build):
    result = Result()
    for program in programs(build, "fuzz"):
        directory = f"tests/fuzz/corpus/{fuzz_name(program)}"
        if not os.path.isdir(os.path.join(ROOT, directory)):
            job.say(f"not ok - {program} has no corpus in {directory}")
            result.failed += 1
            continue
        result += tap(job, [program, directory], PROGRAM_SECONDS)
    return result


class Cluster:
    """A PostgreSQL of our own, on a Unix socket, for tests/db."""

    def __init__(self, tmp):
        self.dir = tempfile.mkdtemp(dir=tmp, prefix="pg-")
        self.url = f"postgresql://weir@/postgres?host={self.dir}"

    def __enter__(self):
        os.chmod(self.dir, 0o755)
        user, ids = clusters.account()
        if ids:
            os.chown(self.dir, *ids)
        data = os.path.join(self.dir, "data")
        clusters.new(data)
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.server = subprocess.Popen([f"{clusters.binaries()}/postgres", "-D", data, "-k", self.dir, "-c", "listen_addresses=",
                                            "-c", "fsync=off", "-c", "max_connections=50"], cwd=self.dir, stdin=subprocess.DEVNULL,
                                           stdout=subprocess.DEVNULL, stderr=log, **user)
        self.env = {"WEIR_TEST_DATABASE_URL": self.url, "WEIR_TEST_POSTGRES_PID": str(self.server.pid)}
        deadline = time.monotonic() + 120
        while self.server.poll() is None and time.monotonic() < deadline:
            if subprocess.run([f"{clusters.binaries()}/pg_isready", "-q", "-h", self.dir], check=False).returncode == 0:
                return self
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("the PostgreSQL of tests/db does not start: see its log")

    def __exit__(self, *_):
        self.server.send_signal(signal.SIGINT)
        try:
            self.server.wait(60)
        except subprocess.TimeoutExpired:
            self.server.send_signal(signal.SIGQUIT)
            self.server.wait()


def database(job, build, tmp):
    """On as many clusters as there are cores: a test may stop its PostgreSQL."""
    waiting = iter(programs(build, "db"))

    def work(_):
        result = Result()
        with Cluster(tmp) as cluster:
            for program in waiting:
                lines = [f"# {program}"]
                result += tap(job, [program], PROGRAM_SECONDS, cluster.env, lines.append)
                job.say(*lines)
        return result

    cores = len(os.sched_getaffinity(0))
    return at_once(job, cores, work, range(cores)) if programs(build, "db") else Result()


def show_slowest(job, suite, n=12):
    seconds = collections.Counter()
    for case in suite.iter("testcase"):
        seconds[case.get("classname").rpartition(".")[2]] += float(case.get("time"))
    job.say("slowest files: " + ", ".join(f"{name} {took:.0f} s" for name, took in seconds.most_common(n)))


def api(job, build, tmp, paths, seconds=API_SECONDS, workers=0, env=None):
    """pytest; the counts are of its own report. Each worker has a gateway of its own, and takes a file when it has done one."""
    report = os.path.join(tempfile.mkdtemp(dir=tmp, prefix="report-"), f"{build}.xml")
    dealt = ["-n", str(workers), "--dist", "loadfile"] if workers else []
    result = Result()
    status = run(job, [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=10", f"--junitxml={report}", *dealt, *paths],
                 seconds, result, {"WEIR_BIN": f"{out(build)}/weir", "TMPDIR": tmp, "PYTHONDONTWRITEBYTECODE": "", **SANITIZED,
                                   **(env or {})})
    try:
        suite = xml.parse(report).getroot().find("testsuite")
    except (OSError, xml.ParseError):
        result.failed = 1
        return result
    count = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    show_slowest(job, suite)
    result.passed, result.failed = count["tests"] - failed - count["skipped"], failed or int(status != 0)
    return result


def api_suite(job, build, tmp, names):
    """One more worker than there are cores: most tests wait more than they compute."""
    paths = [f"tests/api/{name}" for name in sorted(names, key=lambda name: (LONG.index(name) if name in LONG else len(LONG), name))]
    copied = TEMPLATES.environment(tmp, os.path.join(ROOT, out(build), "weir"))
    return api(job, build, tmp, paths, workers=len(os.sched_getaffinity(0)) + 1, env=copied)


def api_files():
    return glob.glob("test_*.py", root_dir=os.path.join(ROOT, "tests/api"))


def suites(tmp):
    """In the order in which they are begun and shown. A build comes early enough that the suite of the API which needs it never waits."""
    return {
        "build": lambda job: make(job, "all", "tests"),
        "asan-build": lambda job: make(job, "BUILD=asan", "all", "tests"),
        "unit": lambda job: unit(job, "release"),
        "db": lambda job: database(job, "release", tmp),
        "fuzz": lambda job: corpus(job, "release"),
        "api": lambda job: api_suite(job, "release", tmp, api_files()),
        "lint": lambda job: tap(job, [PYTHON, "tests/support/lint.py"], BUILD_SECONDS),
        "tsan-build": lambda job: make(job, "BUILD=tsan", "all", *unit_programs("tsan")),
        "asan-unit": lambda job: unit(job, "asan"),
        "asan-db": lambda job: database(job, "asan", tmp),
        "asan-fuzz": lambda job: corpus(job, "asan"),
        "asan-api": lambda job: api_suite(job, "asan", tmp, ASAN_API),
        "tsan-unit": lambda job: unit(job, "tsan"),
        "tsan-api": lambda job: api_suite(job, "tsan", tmp, TSAN_API),
    }


def long_fuzz(tmp):
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    yield "fuzz-build", lambda job: make(job, "BUILD=fuzz", "WERROR=0", "fuzzers")
    for program in programs("fuzz", "fuzz"):
        seeds, found = f"tests/fuzz/corpus/{fuzz_name(program)}", os.path.join(tmp, fuzz_name(program))
        os.mkdir(found)
        # What is new lands in `found`; an input that crashes is kept under build/.
        argv = [program, f"-max_total_time={seconds}", "-timeout=10", f"-artifact_prefix=build/{fuzz_name(program)}-", found]
        yield fuzz_name(program), lambda job, argv=argv, seeds=seeds: tap(
            job, argv + ([seeds] if os.path.isdir(f"{ROOT}/{seeds}") else []), seconds + 120)


def cover(tmp):
    """Counters go to a directory that the server may write whichever user it runs as."""
    counters = os.path.join(tmp, "gcov")
    os.umask(0)
    os.mkdir(counters)
    os.environ.update(GCOV_PREFIX=counters, GCOV_PREFIX_STRIP=str(len(ROOT.strip("/").split("/"))))
    yield "cover-build", lambda job: make(job, "BUILD=cover", "all", "tests")
    yield "cover-unit", lambda job: unit(job, "cover")
    yield "cover-db", lambda job: database(job, "cover", tmp)
    yield "cover-fuzz", lambda job: corpus(job, "cover")
    yield "cover-api", lambda job: api_suite(job, "cover", tmp, api_files())
    yield "covered", lambda job: print_cover(job, counters)


def print_cover(job, counters):
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
        job.say(f"{percent:6.1f} %  {lines:5} lines  {name}")
    total = sum(lines for _, lines in best.values())
    covered = sum(percent * lines for percent, lines in best.values()) / max(total, 1)
    job.say(f"{covered:6.1f} %  {total:5} lines  in all")
    return Result(int(total > 0), int(total == 0))


def soak(tmp):
    yield "build", lambda job: make(job, "all")
    yield "soak", lambda job: api(job, "release", tmp, ["tests/soak"], LONG_SECONDS)


def bench(_tmp):
    for path in sorted(glob.glob("tests/bench/bench_*.py", root_dir=ROOT)):
        yield path, lambda job, path=path: tap(job, [PYTHON, path], LONG_SECONDS)


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


def build_of(job, jobs, mode):
    """What a suite hangs on: the build of its variant; in a mode (--fuzz …) the mode's."""
    first = next(iter(jobs.values()))
    if mode:
        found = first if first.name.endswith("build") else None
    else:
        variant = job.name.rpartition("-")[0]
        found = jobs.get(f"{variant}-build" if variant else "build") if job.name != "lint" else None
    return found if found is not job else None


def carry_out(job, build):
    """When its build is there; result None: there is none."""
    if build:
        hurry(build)
        build.done.wait()
    began, result = time.monotonic(), Result(0, 1)
    try:
        if build and (not build.result or build.result.failed):
            result = None
        elif not ENDING.is_set():
            result = job.suite(job)
    except Exception as error:
        job.say(f"not ok - {type(error).__name__}: {error}")
    finally:
        if result:
            result.wall = time.monotonic() - began
        job.result = result
        job.done.set()


def run_all(asked, mode):
    """Shows each suite in its turn; the sum of all."""
    jobs = {name: Job(name, suite, name in PATIENT) for name, suite in asked}
    waits = [job for job in jobs.values() if job.name.endswith("api") and not mode]
    computes = [job for job in jobs.values() if job not in waits]
    total, lines = Result(), []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for track in (computes, waits):
            pool.submit(lambda track=track: [carry_out(job, build_of(job, jobs, mode)) for job in track])
        try:
            for job in jobs.values():
                job.show()
                job.done.wait()
                total += job.result or Result()
                lines.append(job.result.line(job.name) if job.result else f"{job.name:12} not run: its build failed")
        finally:
            ENDING.set()
            while not all(job.done.wait(1) for job in jobs.values()):
                end_all()
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
