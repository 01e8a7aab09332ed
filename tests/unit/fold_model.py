"""A naive fold beside the gateway's own.

    fold_model.py make SEED N      N cases: lines {"definition":…,"events":[…]}
    fold_model.py judge CASES      reads what test_fold_model.c made of them, a line for each event, and folds them again by docs/projections.md
"""
import copy
import json
import random
import re
import sys

from decimal_judge import decimal, expected

MISSING = ...                                    # what deepcopy leaves alone


class Num(str):
    """A number as it is spelled."""


class Pairs(list):
    """An object that may have a member twice."""


class Refused(Exception):
    pass


def read(text):
    return json.loads(text, parse_int=Num, parse_float=Num)


# ---- random cases ----

STATE = ["/a", "/a/x", "/a/y", "/b", "/b/x/y", "/list", "/list/0", "/list/1/x", "/list/-", "/m~1n", "/o~0p/x", "/é", "/n", "/s",
         "/a/x/z", "/c", "/d", "/e/f", "/e/g", "/h"]
EVENT = ["/data/a", "/data/a", "/data/b", "/data/n", "/data/n", "/data/s", "/data/a/x", "/data/list/1", "/data/list/1/x", "/data/list",
         "/data", "/subject", "/type", "/time", "/version", "/partition", "/offset", "/ext", "/source", "/stream", "/data_base64",
         "/recordedtime", "/data/m~1n", "/id"]
NUMBERS = ["0", "-0", "1", "2", "-1", "1.0", "1.50", "15e-1", "0.1", "0.10", "1E2", "100", "1e3", "-7.25", "9007199254740993",
           "12345678901234567890123.5", "1e-9", "0.0"]
STRINGS = ["", "a", "b", "A", "é", "\u0000x", "long " * 5, "q\"\\/\n", "\U0001f600", "10", "true"]
NAMES = ["a", "b", "x", "y", "n", "s", "list", "m/n", "o~p", "é", "from2"]
TYPES = ["OrderPlaced", "OrderPaid", "Other", "é*"]


def scalar(rng):
    return rng.choice([Num(rng.choice(NUMBERS)), Num(rng.choice(NUMBERS)), rng.choice(STRINGS), True, False, None])


def value(rng, depth, twice=False):
    kind = rng.randrange(4) if depth else 0
    if kind < 2:
        return scalar(rng)
    if kind == 2:
        return [value(rng, depth - 1, twice) for _ in range(rng.randrange(4))]
    pairs = [(rng.choice(NAMES), value(rng, depth - 1, twice)) for _ in range(rng.randrange(5))]
    return Pairs(pairs) if twice else dict(pairs)


def template(rng, depth=2):
    kind = rng.randrange(7)
    if kind < 2:
        return {"from": rng.choice(EVENT)}
    if kind < 4:
        return {"from": rng.choice(EVENT), "default": value(rng, 1)}
    if kind == 4 and depth:
        return {rng.choice(NAMES): template(rng, depth - 1), "k": [template(rng, depth - 1)]}
    return value(rng, depth)


def limited(rng, kinds):
    literal = Num(rng.choice(NUMBERS)) if kinds == "n" or rng.randrange(2) else rng.choice(STRINGS)
    source = {"from": rng.choice(["/data/n", "/data/n", "/data/s", "/time", "/partition", "/data/a", "/data/a/x"])}
    if rng.randrange(2):
        source["default"] = literal
    return rng.choice([literal, source, source])


def operation(rng):
    kind = rng.choice(["set", "set", "merge", "remove", "increment", "min", "max", "count", "append", "delete"])
    paths = rng.sample(STATE, rng.choice([1, 1, 1, 2]))
    if kind in ("remove", "count"):
        op = {kind: paths[0]}
    elif kind == "delete":
        op = {kind: True, "if": {"/data/n": Num("1")}}
    else:
        of = {"increment": lambda: limited(rng, "n"), "min": lambda: limited(rng, "ns"), "max": lambda: limited(rng, "ns")}
        op = {kind: {path: of.get(kind, lambda: template(rng))() for path in paths}}
        if kind in ("set", "merge") and rng.randrange(6) == 0:
            op = {kind: {"": rng.choice([{"from": "/data"}, {"from": "/data/a"}, {"a": template(rng)}])}}
        if kind == "append" and rng.randrange(2):
            op[kind]["cap"] = Num(rng.choice(["1", "2", "3"]))
    if rng.randrange(4) == 0:
        op["if"] = {rng.choice(EVENT): value(rng, 1) for _ in range(rng.choice([1, 1, 2]))}
    return op


def event(rng):
    ev = {"type": rng.choice(TYPES), "id": rng.choice(["1", "i\"é"]) + str(rng.randrange(10 ** 9))}
    if rng.randrange(8):
        ev["subject"] = rng.choice(["s", "s", "t/ü"])
    if rng.randrange(3) == 0:
        ev["ext"] = rng.choice([True, Num("5"), "e"])
    if rng.randrange(3) == 0:
        ev["source"] = "https://example.com/é"
    kind = rng.randrange(12)
    if kind == 0:
        ev["data_base64"] = "AAEC"
    elif kind == 1:
        ev.update(datacontenttype="text/plain", data="t\n\"")
    elif kind == 2:
        ev["data"] = value(rng, 1, True)
    elif kind > 3:
        ev["data"] = Pairs([(name, value(rng, 2, True)) for name in rng.sample(["a", "b", "n", "s", "list", "m/n"], 5)])
        ev["data"] += [("n", Num(rng.choice(NUMBERS)))] * rng.randrange(3)
        if rng.randrange(8) == 0:
            ev["data"] += [(name, value(rng, 1)) for name in map(str, range(40))]
    return ev


def write(rng, v):
    """As JSON, with white space here and there."""
    def blank():
        return rng.choice(["", "", "", "", " ", "\t ", "  "])
    if isinstance(v, Num):
        return str(v)
    if isinstance(v, (dict, Pairs)):
        pairs = v.items() if isinstance(v, dict) else v
        return "{" + blank() + ",".join(blank() + json.dumps(k, ensure_ascii=rng.randrange(2) == 0) + blank() + ":" + blank() +
                                        write(rng, x) + blank() for k, x in pairs) + "}"
    if isinstance(v, list):
        return "[" + ",".join(blank() + write(rng, x) + blank() for x in v) + blank() + "]"
    return json.dumps(v, ensure_ascii=rng.randrange(2) == 0)


def make(seed, n):
    rng = random.Random(seed)
    for _ in range(n):
        on = {pattern: [operation(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
              for pattern in rng.sample(["OrderPlaced", "Order*", "*", "*", "*P*", "Other"], rng.choice([1, 2]))}
        definition = {"streams": ["orders"], "key": rng.choice(["subject", "subject", "/data/s", "/type", "/type"]), "on": on}
        if rng.randrange(2):
            definition["initial"] = dict([(name, value(rng, 2)) for name in rng.sample(["a", "b", "n", "list", "s"], 3)])
        events = [event(rng) for _ in range(rng.randrange(4, 20))]
        print(write(rng, {"definition": definition, "events": events}))


# ---- the fold ----

def tokens(pointer):
    return [t.replace("~1", "/").replace("~0", "~") for t in pointer.split("/")[1:]]


def index(token, items):
    if token == "-":
        return len(items)
    return int(token) if re.fullmatch(r"0|[1-9][0-9]{0,8}", token) else None


def at(whole, pointer):
    for token in tokens(pointer):
        if isinstance(whole, dict):
            whole = whole.get(token, MISSING)
        elif isinstance(whole, list):
            i = index(token, whole)
            whole = whole[i] if i is not None and i < len(whole) else MISSING
        else:
            return MISSING
    return whole


def equal(x, y):
    if isinstance(x, Num) and isinstance(y, Num):
        return decimal.Decimal(x) == decimal.Decimal(y)
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(map(equal, x, y))
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(equal(x[k], y[k]) for k in x)
    return type(x) is type(y) and x == y


def evaluate(v, ev):
    if isinstance(v, dict) and "from" in v:
        got = at(ev, v["from"])
        if got is MISSING:
            if "default" not in v:
                raise Refused
            got = v["default"]
        return copy.deepcopy(got)
    if isinstance(v, dict):
        return {k: evaluate(x, ev) for k, x in v.items()}
    return [evaluate(x, ev) for x in v] if isinstance(v, list) else v


def place(holder, pointer):
    """The container and the key in it that the pointer leads to; what is missing is made."""
    container, key = holder, 0
    for token in tokens(pointer):
        if container[key] is None or container[key] is MISSING:
            container[key] = {}
        container = container[key]
        if isinstance(container, dict):
            key = token
            container.setdefault(key, MISSING)
        elif isinstance(container, list):
            key = index(token, container)
            if key is None or key > len(container):
                raise Refused
            if key == len(container):
                container.append(MISSING)
        else:
            raise Refused
    return container, key


def remove(state, pointer):
    parent, _, last = pointer.rpartition("/")
    container = at(state, parent)
    last = tokens("/" + last)[0]
    if isinstance(container, dict):
        container.pop(last, None)
    elif isinstance(container, list):
        i = index(last, container)
        if i is not None and i < len(container):
            del container[i]


def merged(target, patch):
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, v in patch.items():
        if v is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), v)
    return result


def add(old, v):
    if not isinstance(v, Num) or not (old is None or isinstance(old, Num)):
        raise Refused
    return Num(expected(decimal.Decimal(old or 0), decimal.Decimal(v)))


def extreme(kind, old, v):
    if not isinstance(v, str) or isinstance(old, Num) != isinstance(v, Num) and old is not None or not (old is None or isinstance(old, str)):
        raise Refused
    if old is None:
        return v
    x, y = (decimal.Decimal(old), decimal.Decimal(v)) if isinstance(v, Num) else (old.encode(), v.encode())
    if x == y:
        return min(old, v, key=lambda s: (len(s), s))
    return v if (y < x) == (kind == "min") else old


def change(holder, kind, pointer, v, cap):
    container, key = place(holder, pointer)
    old = None if container[key] is MISSING else container[key]
    if pointer == "" and not isinstance(v, dict):
        raise Refused
    if kind == "set":
        container[key] = v
    elif kind == "merge":
        container[key] = merged(old, v)
    elif kind in ("increment", "count"):
        container[key] = add(old, v)
    elif kind in ("min", "max"):
        container[key] = extreme(kind, old, v)
    elif old is not None and not isinstance(old, list):
        raise Refused
    else:
        container[key] = ((old or []) + [v])[-cap if cap else None:]


def operate(holder, op, ev):
    kind = next(k for k in op if k != "if")
    body = op[kind]
    if kind == "remove":
        remove(holder[0], body)
    elif kind == "count":
        change(holder, kind, body, Num("1"), 0)
    else:
        for pointer, v in body.items():
            if pointer != "cap":
                change(holder, kind, pointer, evaluate(v, ev), int(body.get("cap", 0)))


def key_of(definition, ev):
    key = at(ev, "/subject" if definition["key"] == "subject" else definition["key"])
    if key is MISSING or key is None or isinstance(key, (dict, list)):
        raise Refused
    key = key if isinstance(key, str) else "true" if key else "false"
    if not key or "\0" in key or len(key.encode()) > 1024:
        raise Refused
    return str(key)


def fold(definition, states, ev):
    """The result and the key; changes states: key -> (state, version)."""
    operations = [op for pattern, ops in definition["on"].items()
                  if re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), ev["type"], re.S)
                  for op in ops if all(equal(at(ev, p), v) for p, v in op.get("if", {}).items())]
    if not operations:
        return "passed", None
    key = None
    try:
        key = key_of(definition, ev)
        state, version = states.get(key, (MISSING, 0))
        holder = [copy.deepcopy(state)]
        for op in operations:
            if "delete" in op:
                states.pop(key, None)
                return "done", key
            if holder[0] is MISSING:
                holder[0] = copy.deepcopy(definition.get("initial", {}))
            operate(holder, op, ev)
        states[key] = holder[0], version + 1
        return "done", key
    except Refused:
        return "refused", key


def strict(x, y):
    """Equal, and numbers spelled alike."""
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(map(strict, x, y))
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(strict(x[k], y[k]) for k in x)
    return type(x) is type(y) and x == y


def judge(path):
    seen = dict.fromkeys(("done", "passed", "refused"), 0)
    with open(path, encoding="utf-8") as f:
        for line in f:
            definition = read(line)["definition"]
            states = {}
            for _ in read(line)["events"]:
                got = read(sys.stdin.readline())
                result, key = fold(definition, states, got["event"])
                state, version = states.get(key, (None, Num("0")))
                seen[result] += 1
                if result != got["result"] or (key and (key != got["key"] or not strict(state, got["state"]) or
                                                        int(version) != int(got["version"]))):
                    sys.exit(f"{line}\n{got}\nis {result} {key} {state} {version}")
    print(f"# {seen}")
    if min(seen.values()) * 20 < sum(seen.values()):
        sys.exit("the cases are too much alike")


if sys.argv[1] == "make":
    make(int(sys.argv[2]), int(sys.argv[3]))
else:
    judge(sys.argv[2])
