"""The programs that the gateway is measured with and against: wrk, nginx, pgbench. Each measurement is a Run."""
import contextlib
import dataclasses
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CORES = len(os.sched_getaffinity(0))
BATCH = 100
# 300 bytes as an event of the simplest form: {"type":…,"data":…}
TYPE = "com.example.order.placed"
DATA = json.dumps({"order": "0190f5fe-7b1c-7d4e-8a52-3f6c1e9b7a10", "customer": 184467, "currency": "EUR", "total": 129.9,
                   "lines": [{"sku": "A-1093-XL", "count": 2, "price": 39.95}, {"sku": "B-77", "count": 1, "price": 50.0}],
                   "note": "Please leave it at the door and ring twice."}, separators=(",", ":"))
FIELDS = f'"type":"{TYPE}","data":{DATA}'
PACKAGES = {"wrk": "wrk", "nginx": "nginx-light", "pgbench": "postgresql-contrib"}


@dataclasses.dataclass
class Run:
    per_second: float
    p50: float                 # milliseconds
    p99: float
    count: int = 0             # of requests
    errors: int = 0


def program(name):
    """Its path; also where Debian keeps what is not in PATH."""
    places = [*sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True), f"/usr/sbin/{name}"]
    return shutil.which(name) or next((path for path in places if os.path.exists(path)), None)


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


# --- wrk ------------------------------------------------------------------------------------------------------------------
def wrk(url, connections, seconds, *arguments):
    out = output([program("wrk"), f"-t{CORES}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
                  "-s", os.path.join(HERE, "publish.lua"), url, "--", *arguments], timeout=seconds + 60)
    found = json.loads(out.strip().splitlines()[-1])
    return Run(found["count"] / found["seconds"], found["p50"], found["p99"], found["count"], found["errors"])


# --- nginx ----------------------------------------------------------------------------------------------------------------
NGINX = """
daemon off;
pid {dir}/pid;
error_log stderr crit;
worker_processes {cores};
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
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
        location / {{ default_type text/plain; return 200 "ok"; }}
    }}
}}
"""


@contextlib.contextmanager
def nginx():
    """Its URL, while it runs: one worker per core, answering without a look at disk."""
    with tempfile.TemporaryDirectory(prefix="nginx-") as directory:
        os.chmod(directory, 0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        conf = os.path.join(directory, "nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(NGINX.format(dir=directory, cores=CORES, port=port))
        child = subprocess.Popen([program("nginx"), "-p", directory, "-c", conf, "-e", "stderr"], stdin=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}/"
        finally:
            child.terminate()
            child.wait(20)


# --- pgbench --------------------------------------------------------------------------------------------------------------
TABLE = """
create schema bench;
create table bench.events (
    seq bigserial primary key, recorded timestamptz not null default clock_timestamp(), id text not null, source text not null,
    type text not null, attributes text not null, data bytea not null)
"""
INSERT = """insert into bench.events (id, source, type, attributes, data)
values (gen_random_uuid()::text, :source, :type, :attributes, :data);
"""


def pgbench(database_url, clients, seconds):
    """One INSERT a transaction, prepared, as an application without Weir would write its events."""
    whole = seconds + clients // 128             # its time begins before all its connections are there
    with tempfile.TemporaryDirectory(prefix="pgbench-") as directory:
        script = os.path.join(directory, "insert.sql")
        with open(script, "w", encoding="ascii") as f:
            f.write(INSERT)
        texts = {"source": "/v1/streams/orders", "type": TYPE, "attributes": '"time":"2025-01-01T00:00:00.000000Z"', "data": DATA}
        out = output([program("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", str(CORES), "-T", str(whole),
                      "-f", script, "--log", "--log-prefix", os.path.join(directory, "log"),
                      *[word for name, text in texts.items() for word in ("-D", f"{name}={text}")], database_url],
                     timeout=whole + 60)
        took = sorted(int(line.split()[2]) for path in glob.glob(f"{directory}/log.*") for line in open(path, encoding="ascii"))
    rate = float(out.partition("tps = ")[2].split()[0])
    failed = int(out.partition("number of failed transactions: ")[2].split()[0])
    return Run(rate, took[len(took) // 2] / 1000, took[int(len(took) * 0.99)] / 1000, len(took), failed)
