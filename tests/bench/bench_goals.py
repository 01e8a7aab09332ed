"""`make bench`: what docs/benchmarks.md promises, measured in one run. Interleaved rounds, medians, tables of figures, then the goals.

BENCH_SECONDS (5) is the length of one measurement, BENCH_ROUNDS (3) how often each is made, BENCH_ONLY a regular expression: only
what it finds in their names is measured. What fails the run is an error or a lost event, not a goal that this machine does not reach.
"""
import contextlib
import dataclasses
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import cpu
import fanout
import groups
import hydrate
import live
import load
import peers
import rebuild
import report
import sagas_run
import schemas
from goals import BATCHES, RATE
from load import BATCH, FIELDS, Measurement, Run, harness

SECONDS, ROUNDS = int(os.environ.get("BENCH_SECONDS", "5")), int(os.environ.get("BENCH_ROUNDS", "3"))
ONLY = re.compile(os.environ.get("BENCH_ONLY", ""))
STREAM = "orders.bench"
MAX_CONNECTIONS = 400
# As an identity provider issues them: about 650 bytes.
CLAIMS = {"iss": "https://id.example.com/realms/shop", "aud": "https://events.example.com", "azp": "order-service",
          "jti": "4f0c6b1e-9a53-4c57-8f1e-2d7b8a6c9e01", "client_id": "order-service", "typ": "Bearer", "ver": "2.0",
          "scope": "publish:orders.* subscribe:orders.* publish:invoices.* subscribe:payments.*"}


# --- tokens ---------------------------------------------------------------------------------------------------------------
def rsa_key(directory):
    """(path of the private key, public key as PEM)"""
    path = os.path.join(directory, "key.pem")
    load.output(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path])
    return path, load.output(["openssl", "pkey", "-in", path, "-pubout"])


def mint_rs256(path):
    unsigned = harness.mint(header={"alg": "RS256"}, ttl=7200, **CLAIMS).rpartition(".")[0]
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", path], input=unsigned.encode(), capture_output=True, check=True)
    return f"{unsigned}.{harness.base64url(signed.stdout)}"


# --- starts ---------------------------------------------------------------------------------------------------------------
@dataclasses.dataclass
class Starts:
    first: float               # seconds
    later: float
    idle: float                # MiB


def started(settings, directory=None):
    began = time.monotonic()
    gateway = harness.dev(settings, directory)
    return gateway, time.monotonic() - began


def start(settings):
    """A gateway with room for 256 clients of pgbench, and how its starts were."""
    gateway, first = started(settings)
    harness.psql(gateway, f"alter system set max_connections = {MAX_CONNECTIONS}")
    time.sleep(0.5)
    idle = cpu.resident(gateway.pid) / (1 << 20)
    gateway.stop()
    gateway, later = started(settings, gateway.directory)
    return gateway, Starts(first, later, idle)


def starts(settings, found):
    """The starts of as many gateways as there are rounds: medians."""
    all_found = [found]
    for _ in range(ROUNDS - 1):
        other, found = start(settings)
        other.stop()
        harness.remove(other)
        all_found.append(found)
    return median(all_found)


# --- what is measured -----------------------------------------------------------------------------------------------------
def publishing(gateway, tokens):
    """name → Measurement"""
    url, used = f"{gateway.url}/v1/streams/{STREAM}/events", load.gateway_cpu(gateway)

    def event(connections, token=tokens["HS256"]):
        return Measurement(connections, lambda s: load.wrk(url, connections, s, "event", FIELDS, token), **used)

    def named(s):
        return load.wrk(url, 64, s, "named", FIELDS, f"{time.monotonic_ns():x}", tokens["HS256"])

    table = {f"publish, {n}": event(n) for n in (64, 128, 256, 512)}
    table |= {"publish, RS256, 64": event(64, tokens["RS256"]), "publish, id + subject, 64": Measurement(64, named, **used),
              BATCHES: Measurement(64, lambda s: load.wrk_batches(url, 64, s, tokens["HS256"]), **used)}
    table["publish to subscriber"] = Measurement(live.CONNECTIONS, lambda s: live.measure(gateway, STREAM, tokens["HS256"], RATE, s),
                                                 client=cpu.ours, **used)
    return table


def ceiling(child, port):
    def measurement(n):
        return Measurement(n, lambda s: load.wrk(f"http://127.0.0.1:{port}/", n, s, "get"), server=lambda: cpu.tree(child.pid))

    return {f"nginx, static 200, {n}": measurement(n) for n in (64, 256)}


def told(run):
    if isinstance(run, schemas.Pair):
        return f"{run.ratio:.3f} of {run.plain:,.0f} /s"
    return f"{run.per_second:,.0f} /s" if isinstance(run, Run) else f"{run.last:.1f} ms"


def measure_all(gateway, table):
    """name → its runs. Every other round goes backwards, so that what drifts hits all alike."""
    runs = {name: [] for name in table}
    for n in range(ROUNDS):
        harness.psql(gateway, "checkpoint")
        noise = report.Noise()
        for name in list(table)[::-1 if n % 2 else 1]:
            for _ in range(-(-table[name].least // ROUNDS)):
                runs[name].append(run := table[name].measure(SECONDS))
                print(f"# round {n + 1}: {name}: {told(run)}", flush=True)
        print(f"# round {n + 1}: {noise}", flush=True)
    return runs


def median(found):
    """Of each field, over results of one kind."""
    return type(found[0])(*(statistics.median(getattr(one, field.name) for one in found) for field in dataclasses.fields(found[0])))


# --- what makes the figures worth anything --------------------------------------------------------------------------------
def head(gateway):
    return int(harness.psql(gateway, "select sum(p.head) from weir.partitions p join weir.streams s using (stream_id) "
                                     f"where s.name = '{STREAM}'")[0])


def counts(gateway):
    return {"head": head(gateway), **{name: peers.rows(gateway, name) for name in peers.TABLES}}


def checks(gateway, redis, table, runs, settings, before):
    """(sentence, true); `before`: the counts after the warm-up."""
    now = {name: count - before[name] for name, count in counts(gateway).items()}
    ours = {name: found for name, found in runs.items() if name.startswith("publish")}
    acknowledged = sum(run.count for found in ours.values() for run in found)
    # wrk leaves without its last answers: at most one request on each connection.
    under_way = sum(table[name].connections * (BATCH if name == BATCHES else 1) * len(found) for name, found in ours.items())
    yield "no request failed", not any(run.errors for found in runs.values() for run in found)
    yield (f"{acknowledged:,} events were acknowledged, {now['head']:,} are recorded",
           acknowledged <= now["head"] <= acknowledged + under_way)
    for name in peers.TABLES:
        told = sum(run.count for one, found in runs.items() if one.startswith(name) for run in found)
        yield f"{name}: pgbench counted {told:,} rows, {now[name]:,} are there", told <= now[name]
    yield "PostgreSQL made every commit durable", all(settings[name] == "on"
                                                      for name in ("fsync", "synchronous_commit", "full_page_writes"))
    yield "Redis held and synced all that it answered", redis.syncs() and not redis.lost


def chosen(table):
    found = {name: one for name, one in table.items() if ONLY.search(name)}
    if not found and not any(map(ONLY.search, ("starts", "memory", sagas_run.WAITING))):
        sys.exit(f"BENCH_ONLY={ONLY.pattern} finds none of: starts, memory, {sagas_run.WAITING}, {'; '.join(table)}")
    return found


def main():
    load.raise_limits()
    load.install()
    noise = report.Noise()
    with contextlib.ExitStack() as stack:
        path, public = rsa_key(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        tokens = {"HS256": harness.mint(ttl=7200, **CLAIMS), "RS256": mint_rs256(path)}
        configured = {"WEIR_AUTH_PUBLIC_KEY": public, "WEIR_AUTH_PUBLIC_KEY_ALG": "RS256", **sagas_run.SETTINGS}
        gateway, first = start(configured)
        stack.callback(harness.remove, gateway)
        stack.callback(gateway.stop)
        peers.create(gateway)
        client = harness.Client(gateway)
        for stream in (STREAM, fanout.STREAM):
            client.create(stream)
        client.close()
        redis = stack.enter_context(peers.redis())
        fans = stack.enter_context(fanout.servers(gateway, tokens["HS256"]))
        table = chosen(ceiling(*stack.enter_context(load.nginx())) | publishing(gateway, tokens) | peers.in_postgres(gateway)
                       | groups.measurements(gateway, tokens["HS256"]) | redis.measurements() | fanout.measurements(fans)
                       | schemas.measurements(gateway, tokens["HS256"]) | hydrate.measurements(gateway, tokens["HS256"])
                       | rebuild.measurements(gateway)
                       | sagas_run.measurements(gateway, stack.enter_context(load.nginx(sagas_run.ANSWER))[1]))
        for name in ("publish, 64", "pgbench INSERT, 64"):
            if name in table:
                table[name].measure(1)           # warm
        before = counts(gateway)
        runs = measure_all(gateway, table)
        medians = {name: median(found) for name, found in runs.items()}
        if ONLY.search("memory"):
            medians["memory"] = fanout.memory(gateway, tokens["HS256"])
        if ONLY.search(sagas_run.WAITING):
            medians[sagas_run.WAITING] = sagas_run.waiting(gateway)
        if ONLY.search("starts"):
            medians["starts"] = starts(configured, first)
        settings = report.settings_of(gateway)
        report.environment(gateway, settings, tokens, ROUNDS, SECONDS, noise)
        print()
        report.rates(table, runs, medians)
        report.fanouts(runs, medians)
        report.pairs(runs, medians)
        report.verdicts(medians)
        for sentence, good in checks(gateway, redis, table, runs, settings, before):
            print(f"{'ok' if good else 'not ok'} - {sentence}")


if __name__ == "__main__":
    main()
