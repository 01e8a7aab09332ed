"""`make lint`: the rules of the house that a machine can see. Prints `file:line: sentence` for each breach."""
import concurrent.futures
import os
import re
import subprocess
import sys

import lint_format

FILE_LINES, FUNCTION_LINES = 500, 60
CODE_COLUMNS, COLUMNS = 132, 150                         # write 120; what stands in a comment may overhang

# Who may include whom, by folder. main.c, app and the commands beside it stand at the top and may see all.
LAYERS = {
    "handlers/": "handlers/ gateway/engine/ gateway/http/ gateway/jsonschema/ gateway/base/ gateway/app",
    "gateway/engine/": "gateway/engine/ gateway/jsonschema/ db/ gateway/base/",
    "gateway/http/": "gateway/http/ gateway/base/",
    "gateway/dev/": "gateway/dev/ gateway/base/",
    "gateway/jsonschema/": "gateway/jsonschema/ gateway/base/",
    "gateway/base/": "gateway/base/",
    "db/": "db/ sql.h gateway/base/",
}
# Libraries that one folder alone may touch.
OWNERS = {
    "microhttpd.h": "gateway/http/",
    "gnutls/gnutls.h": "gateway/http/",
    "libpq-fe.h": "db/ gateway/dev/ tests/",
    "sql.h": "db/",
    "cmocka.h": "tests/",
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)
SQL = re.compile(r'"\s*(select\s|insert\s+into\s|update\s+\w|delete\s+from\s|with\s+\w+\s+as\s*\(|(create|alter|drop)\s+(table|'
                 r'index|schema|view|function)\s|truncate\s+\w)', re.I)
# What a connection says before any statement is prepared, and what migrations and LISTEN need.
SQL_ALLOWED = {"db/conn.c", "db/stmt.c", "db/listen.c", "db/migrate.c"}
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")


def tracked(*suffixes):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    return [n for n in names.split("\n") if n.endswith(suffixes) and os.path.exists(n)]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def line_of(text, at):
    return text.count("\n", 0, at) + 1


FORMATTED = {}                                           # path: as clang-format writes it


def code_format(path, text):
    yield from lint_format.differences(text, FORMATTED[path])


def include_direction(path, text):
    layer = next((folder for folder in LAYERS if path.startswith(folder)), None)
    for m in INCLUDE.finditer(text):
        name, where = m[1], line_of(text, m.start())
        if name in OWNERS and not path.startswith(tuple(OWNERS[name].split())):
            yield where, f"{name} is for {OWNERS[name]} alone"
        inside = name.startswith(("gateway/", "handlers/", "db/")) or name == "sql.h"
        if layer and inside and not name.startswith(tuple(LAYERS[layer].split())):
            yield where, f"{layer} may not include {name} (only {LAYERS[layer]})"
        if f'"{name}"' in m[0] and name.startswith("."):
            yield where, "includes are relative to the root of the repository"


def file_length(_path, text):
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield lines, f"{lines} lines; a file has at most {FILE_LINES}: split it by what it does"


def function_length(_path, text):
    begin = None
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            if number - begin + 1 > FUNCTION_LINES:
                yield begin, f"a function of {number - begin + 1} lines; at most {FUNCTION_LINES}"
            begin = None


def columns(_path, text):
    for number, line in enumerate(text.split("\n"), 1):
        code = re.sub(r"\s*(/\*.*|^ \*.*)", "", line)
        if len(line) > COLUMNS or len(code) > CODE_COLUMNS:
            yield number, f"{len(line)} columns; write 120, at most {CODE_COLUMNS} of code and {COLUMNS} with its comment"
        if line != line.rstrip() or "\t" in line:
            yield number, "a tab or a blank at the end of the line"


def sql_place(path, text):
    if path.startswith(("gateway/", "handlers/", "db/")) and path not in SQL_ALLOWED:
        for m in SQL.finditer(text):
            yield line_of(text, m.start()), "SQL stands in db/sql and migrations alone"


def open_ends(_path, text):
    for m in MARKS.finditer(text):
        yield line_of(text, m.start()), f"{m[0]}: finish it, or write an issue"


SCRIPTS = (".js", ".jsx", ".mjs")
OURS = ("dashboard/", "tests/browser/")
RULES = [
    ("format", (".c", ".h"), code_format),
    ("includes", (".c", ".h"), include_direction),
    ("file length", (".c", ".h", ".py", *SCRIPTS, ".css", ".sh", ".sql"), file_length),
    ("function length", (".c",), function_length),
    ("columns", (".c", ".h"), columns),
    ("columns of the dashboard", SCRIPTS, lambda path, text: columns(path, text) if path.startswith(OURS) else ()),
    ("place of SQL", (".c", ".h"), sql_place),
    ("open ends", (".c", ".h", ".py", *SCRIPTS, ".css", ".sh", ".sql", "Makefile", ".yaml"), open_ends),
]


def main():
    os.chdir(subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True).stdout.strip())
    failed = 0
    FORMATTED.update(lint_format.formatted([f for f in tracked(".c", ".h") if "/vendor/" not in f]))
    for name, suffixes, rule in RULES:
        files = [f for f in tracked(*suffixes) if "/vendor/" not in f]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda path, rule=rule: [(path, *breach) for breach in rule(path, read(path))], files)
        breaches = [f"{path}:{line}: {text}" for breaches in found for path, line, text in breaches]
        print(f"{'not ok' if breaches else 'ok'} - {name} ({len(files)} files)")
        for breach in breaches:
            print(f"  {breach}")
        failed += bool(breaches)
    sys.exit(1 if failed else 0)


main()
