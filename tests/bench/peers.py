"""Others that record events durably: in PostgreSQL (peers.sql, by pgbench), and Redis behind HTTP (webdis)."""
import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile

import cpu
import load
from load import Measurement, harness

INSERT = """insert into bench.events (id, source, type, attributes, data)
values (gen_random_uuid()::text, :source, :type, :attributes, :data);
"""
SEND = "select * from bench.send('orders', :data);\n"
# One category, as one stream of Weir has one partition; 10,000 streams in it.
WRITE = """\\set stream random(1, 10000)
select bench.write_message(gen_random_uuid()::text, 'orders-' || :stream::text, :type, :data);
"""
TABLES = {"pgbench INSERT": "bench.events", "pgmq.send": "bench.q_orders", "message-db": "bench.messages"}


def create(gateway):
    with open(os.path.join(load.HERE, "peers.sql"), encoding="ascii") as f:
        harness.psql(gateway, f.read())


def in_postgres(gateway):
    """name → Measurement"""
    store = load.gateway_cpu(gateway)["store"]

    def measurement(script, clients):
        return Measurement(clients, lambda s: load.pgbench(gateway.database_url, script, clients, s), store=store)

    return {"pgbench INSERT, 64": measurement(INSERT, 64), "pgbench INSERT, 256": measurement(INSERT, 256),
            "pgmq.send, 64": measurement(SEND, 64), "message-db, 64": measurement(WRITE, 64)}


def rows(gateway, name):
    return int(harness.psql(gateway, f"select count(*) from {TABLES[name]}")[0])


# --- webdis and Redis -----------------------------------------------------------------------------------------------------
class Redis:
    """Behind webdis, every write synced to disk before its answer."""
    STREAM = "orders"

    def __init__(self, port, server, front, url):
        self.port, self.server, self.front, self.url = port, server, front, url
        self.lost = 0                            # answered and not there

    def ask(self, command):
        with socket.create_connection(("127.0.0.1", self.port), 10) as wire:
            wire.sendall(command.encode() + b"\r\n")
            return wire.recv(65536).decode()

    def measure(self, connections, seconds):
        run = load.wrk(f"{self.url}/XADD/{self.STREAM}/*/event", connections, seconds, "put", load.FIELDS)
        held = int(self.ask(f"XLEN {self.STREAM}").strip(":\r\n"))
        self.lost += max(run.count - held, 0)
        self.ask(f"DEL {self.STREAM}")           # a gigabyte of memory is not what is measured
        return run

    def measurements(self):
        return {"webdis + Redis, 64": Measurement(64, lambda s: self.measure(64, s), server=lambda: cpu.own(self.front.pid),
                                                  store=lambda: cpu.tree(self.server.pid))}

    def syncs(self):
        return re.search(r"appendfsync\s+\$\d+\s+always", self.ask("CONFIG GET appendfsync")) is not None


@contextlib.contextmanager
def redis():
    """On the file system of the PostgreSQL that is measured."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory, contextlib.ExitStack() as stack:
        port, web = load.free_port(), load.free_port()
        server = stack.enter_context(load.serving(
            [load.program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--loglevel", "warning"], port))
        conf = os.path.join(directory, "webdis.json")
        with open(conf, "w", encoding="ascii") as f:
            json.dump({"redis_host": "127.0.0.1", "redis_port": port, "http_host": "127.0.0.1", "http_port": web,
                       "threads": load.CORES, "daemonize": False, "database": 0, "verbosity": 0,
                       "logfile": os.path.join(directory, "webdis.log")}, f)
        # It says something about each connection that wrk has left.
        front = stack.enter_context(load.serving([load.program("webdis"), conf], web, stderr=subprocess.DEVNULL))
        yield Redis(port, server, front, f"http://127.0.0.1:{web}")
