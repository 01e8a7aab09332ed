"""The programs that the gateway is measured with and against: wrk, nginx, pgbench. Each measurement gives a Run."""
import contextlib
import dataclasses
import glob
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402

import cpu  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(harness.ROOT, "build", "tests", "bench")
CORES = len(os.sched_getaffinity(0))
BATCH = 100
FILES, FILES_NEEDED = 20000, 10200
# 300 bytes as an event of the simplest form: {"type":…,"data":…}
TYPE = "com.example.order.placed"
DATA = json.dumps({"order": "0190f5fe-7b1c-7d4e-8a52-3f6c1e9b7a10", "customer": 184467, "currency": "EUR", "total": 129.9,
                   "lines": [{"sku": "A-1093-XL", "count": 2, "price": 39.95}, {"sku": "B-77", "count": 1, "price": 50.0}],
                   "note": "Please leave it at the door and ring twice."}, separators=(",", ":"))
FIELDS = f'"type":"{TYPE}","data":{DATA}'
NCHAN = "/usr/lib/nginx/modules/ngx_nchan_module.so"
PACKAGES = {"wrk": "wrk", "nginx": "nginx-light", "pgbench": "postgresql-contrib", "redis-server": "redis-server",
            "curl": "curl", "webdis": "webdis", NCHAN: "libnginx-mod-nchan"}


@dataclasses.dataclass
class Run:
    per_second: float
    p50: float                 # milliseconds
    p99: float
    count: int = 0             # of requests, or of events where a request has several
    errors: int = 0
    server_us: float = 0       # CPU microseconds of each: HTTP server, store, load generator
    store_us: float = 0
    client_us: float = 0


@dataclasses.dataclass
class Measurement:
    """What is measured at so many connections; `server`, `store`, `client` tell the CPU seconds that they have used so far."""
    connections: int
    run: typing.Callable
    server: typing.Callable = lambda: 0.0
    store: typing.Callable = lambda: 0.0
    client: typing.Callable = cpu.waited_for
    around: typing.Callable = contextlib.nullcontext   # of so many seconds: what is made ready before, and does not count
    least: int = 1             # so often at least, in all rounds

    def measure(self, seconds):
        with self.around(seconds):
            before = self.server(), self.store(), self.client()
            run = self.run(seconds)
            after = self.server(), self.store(), self.client()
        run.server_us, run.store_us, run.client_us = ((b - a) * 1e6 / max(run.count, 1) for a, b in zip(before, after))
        return run


def program(name):
    """Its path; also where Debian keeps what is not in PATH."""
    places = [*sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True), f"/usr/sbin/{name}"]
    return shutil.which(name) or next((path for path in places if os.path.exists(path)), None)


def raise_limits():
    """Of open files, for all that is started: a fan-out has 10,000 connections."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if files < FILES_NEEDED:
        sys.exit(f"ulimit -n allows {hard} open files at most; {FILES_NEEDED} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def install():
    missing = [package for name, package in PACKAGES.items() if not program(name)]
    if missing:
        if os.getuid():
            sys.exit(f"missing; as root run: apt-get install -y --no-install-recommends {' '.join(missing)}")
        # In this runlevel Debian starts no service.
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing], env=env, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def output(argv, **options):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, (argv[0], done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout + done.stderr


# --- servers --------------------------------------------------------------------------------------------------------------
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def serving(argv, port, **options):
    """The process, while it serves this port."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options)
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert child.poll() is None and time.monotonic() < deadline, f"{argv[0]} does not serve port {port}"
            time.sleep(0.02)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


# --- wrk ------------------------------------------------------------------------------------------------------------------
def wrk(url, connections, seconds, *arguments):
    out = output([program("wrk"), f"-t{CORES}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
                  "-s", os.path.join(HERE, "publish.lua"), url, "--", *arguments], timeout=seconds + 60)
    found = json.loads(out.strip().splitlines()[-1])
    return Run(found["count"] / found["seconds"], found["p50"], found["p99"], found["count"], found["errors"])


def wrk_batches(url, connections, seconds, token):
    run = wrk(url, connections, seconds, "batch", FIELDS, str(BATCH), token)
    return Run(run.per_second * BATCH, run.p50, run.p99, run.count * BATCH, run.errors)


# --- nginx ----------------------------------------------------------------------------------------------------------------
NGINX = """
{modules}
daemon off;
pid {dir}/pid;
error_log stderr crit;
worker_processes {cores};
events {{ worker_connections {files}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 10m;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        {locations}
    }}
}}
"""
STATIC = 'location / { default_type text/plain; return 200 "ok"; }'


@contextlib.contextmanager
def nginx(locations=STATIC, modules=""):
    """(process, port), while it runs: one worker per core, in memory."""
    with tempfile.TemporaryDirectory(prefix="nginx-") as directory:
        os.chmod(directory, 0o755)
        conf, port = os.path.join(directory, "nginx.conf"), free_port()
        with open(conf, "w", encoding="ascii") as f:
            f.write(NGINX.format(dir=directory, cores=CORES, port=port, files=FILES_NEEDED, locations=locations, modules=modules))
        with serving([program("nginx"), "-p", directory, "-c", conf, "-e", "stderr"], port) as child:
            yield child, port


# --- pgbench --------------------------------------------------------------------------------------------------------------
WARM_UP = 2                    # seconds: connections, plans and functions of 256 sessions are made in them


def pgbench(database_url, script, clients, seconds):
    """One statement a transaction, prepared. In the script :type, :data, :source, :attributes are those of an event. Rate and times
    are of the last `seconds`, the count is of all."""
    texts = {"source": "/v1/streams/orders", "type": TYPE, "attributes": '"time":"2025-01-01T00:00:00.000000Z"', "data": DATA}
    with tempfile.TemporaryDirectory(prefix="pgbench-") as directory:
        path = os.path.join(directory, "script.sql")
        with open(path, "w", encoding="ascii") as f:
            f.write(script)
        out = output([program("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", str(CORES), "-T", str(seconds + WARM_UP),
                      "-f", path, "--log", "--log-prefix", os.path.join(directory, "log"),
                      *[word for name, text in texts.items() for word in ("-D", f"{name}={text}")], database_url],
                     timeout=seconds + WARM_UP + 60)
        # client, number, microseconds, script, when it ended: seconds and microseconds
        lines = [line.split() for path in glob.glob(f"{directory}/log.*") for line in open(path, encoding="ascii")]
    ended = [(int(line[4]) * 1_000_000 + int(line[5]), int(line[2])) for line in lines]
    failed = int(out.partition("number of failed transactions: ")[2].split()[0])
    if not ended:                  # a machine that stands still for as long: a warm-up may pass over it, a measurement shows it
        return Run(0, 0, 0, 0, failed)
    begin = max(ended)[0] - seconds * 1_000_000
    took = sorted(us for at, us in ended if at >= begin)
    return Run(len(took) / seconds, took[len(took) // 2] / 1000, took[len(took) * 99 // 100] / 1000, len(ended), failed)


def gateway_cpu(gateway):
    """Of a gateway made by harness.dev: how to tell its CPU seconds, and those of its PostgreSQL."""
    return {"server": lambda: cpu.own(gateway.pid), "store": lambda: cpu.of_children(gateway.pid)}
