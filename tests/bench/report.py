"""What `make bench` prints: the environment, the figures, the goals."""
import os
import time

import cpu
import goals
import load
from fanout import Fanout
from load import Run, harness
from schemas import Pair

SETTINGS = ("server_version max_connections shared_buffers fsync synchronous_commit full_page_writes wal_compression "
            "max_wal_size checkpoint_timeout autovacuum").split()


class Noise:
    """What else the machine does: runnable processes, and the share of time that the hypervisor gave to others."""

    def __init__(self):
        self.load, self.since = os.getloadavg()[0], cpu.machine()

    def __str__(self):
        total, stolen = (b - a for a, b in zip(self.since, cpu.machine()))
        return f"load average {self.load:.1f} before, {os.getloadavg()[0]:.1f} after, stolen time {100 * stolen / max(total, 1):.1f} %"


def line_of(path, name):
    with open(path, encoding="utf-8", errors="replace") as f:
        return next((line.partition(":")[2].strip() for line in f if line.startswith(name)), "unknown")


def settings_of(gateway):
    return {name: harness.psql(gateway, f"show {name}")[0] for name in SETTINGS}


def version(*argv):
    return load.output([load.program(argv[0]), *argv[1:]]).strip().split("\n")[0]


def environment(gateway, settings, tokens, rounds, seconds, noise):
    memory = int(line_of("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    print(f"\n{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {rounds} rounds of {seconds} s, {noise}")
    print(f"{line_of('/proc/cpuinfo', 'model name')}, {load.CORES} cores, {memory:.1f} GiB, Linux {os.uname().release}")
    print(f"{harness.weir('--version')[1].strip()}, {version('nginx', '-v')}, {version('pgbench', '--version')}, "
          f"{version('redis-server', '--version').partition(' sha')[0]}, wrk -t{load.CORES}")
    print("PostgreSQL: " + ", ".join(f"{name} {value}" for name, value in settings.items()))
    print(f"event {len(load.FIELDS) + 2} bytes, tokens " + ", ".join(f"{name} {len(one)} bytes" for name, one in tokens.items())
          + f"; resident memory after the load {cpu.resident(gateway.pid) >> 20} MiB")


def table(headings, rows):
    """The first column to the left, the last as it is, the others to the right."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for n, row in enumerate([headings, *rows]):
        cells = [text.ljust(width) if i in (0, len(widths) - 1) else text.rjust(width)
                 for i, (text, width) in enumerate(zip(row, widths))]
        print(f"| {' | '.join(cells)} |")
        if n == 0:
            print("|" + "|".join("-" * (width + 1) + ("-" if i in (0, len(widths) - 1) else ":")
                                 for i, width in enumerate(widths)) + "|")
    print()


def rates(measurements, runs, medians):
    rows = []
    for name, run in medians.items():
        if isinstance(run, Run):
            label = name.rpartition(", ")[0] if name[-1].isdigit() else name
            rows.append([label, str(measurements[name].connections), f"{run.per_second:,.0f}", f"{run.p50:.2f}", f"{run.p99:.2f}",
                         *(f"{us:.1f}" if us else "" for us in (run.server_us, run.store_us, run.client_us)),
                         " ".join(f"{one.per_second:,.0f}" for one in runs[name])])
    if rows:
        table(["CPU in µs of each", "conns", "per s", "p50 ms", "p99 ms", "server", "store", "client", "rounds, per s"], rows)


def fanouts(runs, medians):
    rows = [[name, f"{run.first:.2f}", f"{run.last:.2f}", f"{run.last_p99:.2f}", f"{run.cpu_us:.2f}", f"{run.bytes:.0f}",
             " ".join(f"{one.last:.1f}" for one in runs[name])]
            for name, run in medians.items() if isinstance(run, Fanout)]
    if rows:
        table(["milliseconds from publish", "first", "last", "last, p99", "CPU µs", "bytes", "rounds, last"], rows)


def pairs(runs, medians):
    rows = [[name.rpartition(", ")[0], f"{run.checked:,.0f}", f"{run.plain:,.0f}", f"{run.ratio:.3f}", f"{run.checked_us:.1f}",
             f"{run.plain_us:.1f}", " ".join(f"{one.ratio:.2f}" for one in runs[name])]
            for name, run in medians.items() if isinstance(run, Pair)]
    if rows:
        table(["checked and not, pair by pair", "checked, per s", "not", "ratio", "server µs", "not", "ratio of each pair"], rows)


def verdicts(medians):
    rows = []
    for name, sign, bound, value, unit in goals.found(medians):
        met = value >= bound if sign == "≥" else value <= bound
        rows.append([name, f"{sign} {bound:,g} {unit}".strip() if sign else "", f"{value:,.4g} {unit}".strip(),
                     ("met" if met else "NOT MET") if sign else ""])
    table(["goal", "wanted", "found", ""], rows)
