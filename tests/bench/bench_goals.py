"""`make bench`: what docs/benchmarks.md promises, measured in one run. Interleaved rounds, medians, one table, then the goals.

BENCH_SECONDS (5) is the length of one measurement, BENCH_ROUNDS (3) how often each is made. What fails the run is an error or a
lost event, not a goal that this machine does not reach.
"""
import contextlib
import os
import statistics
import subprocess
import tempfile
import time

import live
import load
from load import BATCH, FIELDS, harness

SECONDS, ROUNDS = int(os.environ.get("BENCH_SECONDS", "5")), int(os.environ.get("BENCH_ROUNDS", "3"))
STREAM, RATE = "orders.bench", 5000
MAX_CONNECTIONS = 400
SETTINGS = ("server_version max_connections shared_buffers fsync synchronous_commit full_page_writes wal_compression "
            "max_wal_size checkpoint_timeout autovacuum").split()
# As an identity provider issues them: about 650 bytes.
CLAIMS = {"iss": "https://id.example.com/realms/shop", "aud": "https://events.example.com", "azp": "order-service",
          "jti": "4f0c6b1e-9a53-4c57-8f1e-2d7b8a6c9e01", "client_id": "order-service", "typ": "Bearer", "ver": "2.0",
          "scope": "publish:orders.* subscribe:orders.* publish:invoices.* subscribe:payments.*"}


# --- tokens and processes -------------------------------------------------------------------------------------------------
def rsa_key(directory):
    """(path of the private key, public key as PEM)"""
    path = os.path.join(directory, "key.pem")
    load.output(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path])
    return path, load.output(["openssl", "pkey", "-in", path, "-pubout"])


def mint_rs256(path):
    unsigned = harness.mint(header={"alg": "RS256"}, ttl=7200, **CLAIMS).rpartition(".")[0]
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", path], input=unsigned.encode(), capture_output=True, check=True)
    return f"{unsigned}.{harness.base64url(signed.stdout)}"


def resident_mib(gateway):
    with open(f"/proc/{gateway.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def started(settings, directory=None):
    began = time.monotonic()
    gateway = harness.dev(settings, directory)
    return gateway, time.monotonic() - began


def starts(settings):
    """(a gateway with room for 256 pgbench clients, medians of first and later starts in seconds, MiB of one that idles)"""
    first, later, idle = [], [], []
    for n in range(ROUNDS):
        gateway, took = started(settings)
        first.append(took)
        if n == 0:
            harness.psql(gateway, f"alter system set max_connections = {MAX_CONNECTIONS}")
        time.sleep(0.5)
        idle.append(resident_mib(gateway))
        gateway.stop()
        gateway, took = started(settings, gateway.directory)
        later.append(took)
        if n == 0:
            kept = gateway
        else:
            gateway.stop()
            harness.remove(gateway)
    return kept, statistics.median(first), statistics.median(later), max(idle)


# --- what is measured -----------------------------------------------------------------------------------------------------
def measurements(gateway, nginx_url, tokens):
    """name → (connections, function that makes one measurement of so many seconds)"""
    url = f"{gateway.url}/v1/streams/{STREAM}/events"

    def event(connections, token=tokens["HS256"]):
        return lambda s: load.wrk(url, connections, s, "event", FIELDS, token)

    def named(s):
        return load.wrk(url, 64, s, "named", FIELDS, f"{time.monotonic_ns():x}", tokens["HS256"])

    def batches(s):
        run = load.wrk(url, 64, s, "batch", FIELDS, str(BATCH), tokens["HS256"])
        return load.Run(run.per_second * BATCH, run.p50, run.p99, run.count * BATCH, run.errors)

    table = {f"nginx, static 200, {n}": (n, lambda s, n=n: load.wrk(nginx_url, n, s, "get")) for n in (64, 256)}
    table |= {f"publish, {n}": (n, event(n)) for n in (64, 128, 256, 512)}
    table |= {"publish, RS256, 64": (64, event(64, tokens["RS256"])), "publish, id + subject, 64": (64, named),
              f"publish, batches of {BATCH}, 64": (64, batches)}
    table |= {f"pgbench INSERT, {n}": (n, lambda s, n=n: load.pgbench(gateway.database_url, n, s)) for n in (64, 256)}
    table["publish to subscriber"] = (live.CONNECTIONS, lambda s: live.measure(gateway, STREAM, tokens["HS256"], RATE, s))
    return table


def measure_all(gateway, table):
    """name → its runs. Every other round goes backwards, so that what drifts hits all alike."""
    runs = {name: [] for name in table}
    for n in range(ROUNDS):
        harness.psql(gateway, "checkpoint")
        for name in list(table)[::-1 if n % 2 else 1]:
            runs[name].append(table[name][1](SECONDS))
            print(f"# round {n + 1}: {name}: {runs[name][-1].per_second:,.0f} /s", flush=True)
    return runs


def medians(runs):
    return {name: load.Run(*(statistics.median(getattr(run, field) for run in found) for field in ("per_second", "p50", "p99")))
            for name, found in runs.items()}


# --- the goals ------------------------------------------------------------------------------------------------------------
def goals(m, first, later, idle):
    """(goal, bound, what was found, unit): a bound of "≥" or "≤"."""
    def rate(over, under):
        return m[over].per_second / m[under].per_second

    def p99(over, under):
        return m[over].p99 / m[under].p99

    most, dips = m["publish, 64"], [m[f"publish, {n}"].per_second for n in (128, 256, 512)]
    arrival = m["publish to subscriber"]
    return [
        ("publish / nginx static, 64 connections", "≥", 0.40, rate("publish, 64", "nginx, static 200, 64"), ""),
        ("publish / nginx static, 256", "≥", 0.50, rate("publish, 256", "nginx, static 200, 256"), ""),
        ("no dip: the least of 128, 256, 512 / 64", "≥", 0.90, min(dips) / most.per_second, ""),
        ("publish with id + subject / nginx static, 64", "≥", 0.20, rate("publish, id + subject, 64", "nginx, static 200, 64"), ""),
        ("publish / pgbench INSERT, 64", "≥", 3, rate("publish, 64", "pgbench INSERT, 64"), ""),
        ("publish / pgbench INSERT, 256", "≥", 8, rate("publish, 256", "pgbench INSERT, 256"), ""),
        ("p99 of publish / of pgbench INSERT, 64", "≤", 0.3, p99("publish, 64", "pgbench INSERT, 64"), ""),
        ("p99 of publish / of pgbench INSERT, 256", "≤", 0.3, p99("publish, 256", "pgbench INSERT, 256"), ""),
        ("publish with id + subject / pgbench INSERT, 64", "≥", 1.5, rate("publish, id + subject, 64", "pgbench INSERT, 64"), ""),
        (f"events in batches of {BATCH} / pgbench INSERT, 64", "≥", 15,
         rate(f"publish, batches of {BATCH}, 64", "pgbench INSERT, 64"), ""),
        ("publish, RS256 / HS256", "≥", 0.95, rate("publish, RS256, 64", "publish, 64"), ""),
        (f"publish to subscriber at {RATE:,} events/s, reached", "≥", 0.98 * RATE, arrival.per_second, "/s"),
        ("  p50", "≤", 2, arrival.p50, "ms"),
        ("  p99", "≤", 10, arrival.p99, "ms"),
        ("weir dev, first start", "≤", 2, first, "s"),
        ("weir dev, later start", "≤", 0.5, later, "s"),
        ("resident memory of an idle gateway", "≤", 20, idle, "MiB"),
    ]


# --- what is printed ------------------------------------------------------------------------------------------------------
def line_of(path, name):
    with open(path, encoding="utf-8", errors="replace") as f:
        return next((line.partition(":")[2].strip() for line in f if line.startswith(name)), "unknown")


def print_environment(gateway, tokens, load_before):
    settings = {name: harness.psql(gateway, f"show {name}")[0] for name in SETTINGS}
    memory = int(line_of("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    print(f"\n{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {ROUNDS} rounds of {SECONDS} s, "
          f"load average before {load_before:.1f}")
    print(f"{line_of('/proc/cpuinfo', 'model name')}, {load.CORES} cores, {memory:.1f} GiB, Linux {os.uname().release}")
    print(f"{harness.weir('--version')[1].strip()}, {load.output([load.program('nginx'), '-v']).strip()}, "
          f"wrk -t{load.CORES}, {load.output([load.program('pgbench'), '--version']).strip()}")
    print("PostgreSQL: " + ", ".join(f"{name} {value}" for name, value in settings.items()))
    print(f"event {len(FIELDS) + 2} bytes, tokens " + ", ".join(f"{name} {len(one)} bytes" for name, one in tokens.items()))
    return settings


def print_tables(table, runs, m, found):
    print(f"\n| {'':34} | {'conns':>5} | {'per s':>9} | {'p50 ms':>7} | {'p99 ms':>7} | rounds, per s |")
    print(f"|{'-' * 36}|{'-' * 6}:|{'-' * 10}:|{'-' * 8}:|{'-' * 8}:|---|")
    for name, run in m.items():
        label = name.rpartition(", ")[0] if name[-1].isdigit() else name
        rates = " ".join(f"{one.per_second:,.0f}" for one in runs[name])
        print(f"| {label:34} | {table[name][0]:5} | {run.per_second:9,.0f} | {run.p50:7.2f} | {run.p99:7.2f} | {rates} |")
    print(f"\n| {'goal':52} | {'wanted':>12} | {'found':>12} | {'':7} |")
    print(f"|{'-' * 54}|{'-' * 13}:|{'-' * 13}:|---------|")
    for name, sign, bound, value, unit in found:
        verdict = "met" if (value >= bound if sign == "≥" else value <= bound) else "NOT MET"
        print(f"| {name:52} | {f'{sign} {bound:,g} {unit}':>12} | {f'{value:,.4g} {unit}':>12} | {verdict:7} |")


def heads(gateway):
    return int(harness.psql(gateway, "select sum(head) from weir.partitions")[0])


def checks(gateway, table, runs, settings, before):
    """(sentence, true) of what makes the figures worth anything; `before`: the events of the warm-up."""
    recorded = heads(gateway) - before
    ours = {name: found for name, found in runs.items() if name.startswith("publish")}
    acknowledged = sum(run.count for found in ours.values() for run in found)
    # wrk leaves without its last answers: at most one request on each connection.
    under_way = sum(table[name][0] * (BATCH if "batches" in name else 1) * len(found) for name, found in ours.items())
    inserted = int(harness.psql(gateway, "select count(*) from bench.events")[0])
    pgbench = sum(run.count for name, found in runs.items() if name.startswith("pgbench") for run in found)
    return [
        ("no request failed", not any(run.errors for found in runs.values() for run in found)),
        (f"{acknowledged:,} events were acknowledged, {recorded:,} are recorded",
         acknowledged <= recorded <= acknowledged + under_way),
        (f"pgbench counted {pgbench:,} rows, {inserted:,} are there", pgbench <= inserted),
        ("PostgreSQL made every commit durable",
         all(settings[name] == "on" for name in ("fsync", "synchronous_commit", "full_page_writes"))),
    ]


def main():
    load.install()
    load_before = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        path, public = rsa_key(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        tokens = {"HS256": harness.mint(ttl=7200, **CLAIMS), "RS256": mint_rs256(path)}
        gateway, *at_start = starts({"WEIR_AUTH_PUBLIC_KEY": public, "WEIR_AUTH_PUBLIC_KEY_ALG": "RS256"})
        stack.callback(harness.remove, gateway)
        stack.callback(gateway.stop)
        harness.psql(gateway, load.TABLE)
        client = harness.Client(gateway)
        client.create(STREAM)
        client.close()
        table = measurements(gateway, stack.enter_context(load.nginx()), tokens)
        for name in ("publish, 64", "pgbench INSERT, 64"):
            table[name][1](1)                    # warm
        harness.psql(gateway, "truncate bench.events")
        before = heads(gateway)
        runs = measure_all(gateway, table)
        m = medians(runs)
        settings = print_environment(gateway, tokens, load_before)
        print_tables(table, runs, m, goals(m, *at_start))
        print(f"\nresident memory after the load: {resident_mib(gateway):.0f} MiB")
        for sentence, good in checks(gateway, table, runs, settings, before):
            print(f"{'ok' if good else 'not ok'} - {sentence}")


if __name__ == "__main__":
    main()
