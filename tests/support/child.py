"""Children of tests/support/run.py: programs that it starts, what they print, which of them passed."""
import contextlib
import os
import re
import signal
import subprocess
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TAP = re.compile(r"^\s*(ok|not ok)\b(.*)")
SANITIZED = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1",
}
GIVES_WAY = 10                                   # niceness of what has time


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


class Job:
    """A suite that was asked for. What it prints is shown in its turn: kept until then, passed on from then on."""

    def __init__(self, name="", suite=None, patient=False):
        self.name, self.suite, self.patient = name, suite, patient
        self.done, self.result = threading.Event(), None
        self.lock, self.kept, self.live = threading.Lock(), [], False

    def say(self, *texts):
        with self.lock:
            if self.live:
                print("\n".join("  " + text for text in texts), flush=True)
            else:
                self.kept += texts

    def show(self):
        with self.lock:
            print("\n".join([f"== {self.name}", *("  " + text for text in self.kept)]), flush=True)
            self.live = True


RUNNING = set()                                  # children, of all threads
ENDING = threading.Event()                       # no further ones are started


def be_nice(child, value):
    """A child and all that it started, also where the kernel shares out by session first. Back to 0 is for root only."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, child.pid, value)
        with open(f"/proc/{child.pid}/autogroup", "w", encoding="ascii") as f:
            f.write(str(value))


def hurry(job):
    """Others wait for it."""
    job.patient = False
    for child in RUNNING.copy():
        if child.job is job:
            be_nice(child, 0)


def end_all(job=None):
    """All of a job, or of every one."""
    for child in [child for child in RUNNING.copy() if job in (None, child.job)]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)


def run(job, argv, seconds, result, env=None, line=None, show=None):
    """Shows what a child prints, calls line(text) for each line; its exit status, or 124 when it took too long."""
    show = show or job.say
    if ENDING.is_set():
        return 143
    child = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    child.job = job
    RUNNING.add(child)
    if job.patient:
        be_nice(child, GIVES_WAY)
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


def tap(job, argv, seconds, env=None, show=None):
    """A program that prints ok/not ok lines; its exit status counts when it prints none, or ends badly without saying why."""
    result, show = Result(), show or job.say

    def line(text):
        match = TAP.match(text)
        if match and "SKIP" not in match[2]:
            result.passed += match[1] == "ok"
            result.failed += match[1] == "not ok"

    try:
        status = run(job, argv, seconds, result, {**SANITIZED, "CMOCKA_MESSAGE_OUTPUT": "TAP", **(env or {})}, line, show)
    except FileNotFoundError:
        status = "no such file"
    if status and not result.failed:
        show(f"not ok - {argv[0]} ended with {status}")
        result.failed += 1
    if not status and not result.passed and not result.failed:
        result.passed = 1                        # it counts nothing itself and ended well
    return result
