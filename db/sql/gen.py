"""Turns SQL files into C: statements become macros of a header, migrations an array.

    gen.py statements OUT.h db/sql/*.sql       `-- name: stream_create` … → #define SQL_STREAM_CREATE "…"
    gen.py migrations OUT.c migrations/*.sql   0001_streams.sql … → struct migration migrations[]
"""
import os
import re
import sys

NAME = re.compile(r"^--\s*name:\s*([a-z][a-z0-9_]*)\s*$", re.M)
# Whatever may hold "--" without being a comment comes first, so that it is passed over whole.
TOKEN = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\2)|--[^\n]*|/\*.*?\*/", re.S)
FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


def without_comments(sql):
    kept = TOKEN.sub(lambda m: m.group(1) or "", sql)
    return "\n".join(line.rstrip() for line in kept.split("\n") if line.strip()).rstrip(";")


def c_string(text, indent, end):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f"{end}\n".join(f'{indent}"{part}\\n"' for part in escaped.split("\n")) if text else f'{indent}""'


def statements(paths):
    out, seen = ["/* Generated from db/sql by db/sql/gen.py. */", "#pragma once"], {}
    for path in paths:
        with open(path, encoding="utf-8") as f:
            parts = NAME.split(f.read())
        if without_comments(parts[0]):
            raise SystemExit(f"{path}: SQL before the first `-- name:` line")
        for name, body in zip(parts[1::2], parts[2::2]):
            sql = without_comments(body)
            if not sql:
                raise SystemExit(f"{path}: {name} is empty")
            if name in seen:
                raise SystemExit(f"{path}: {name} stands in {seen[name]} too")
            seen[name] = path
            out.append(f"#define SQL_{name.upper()} \\\n{c_string(sql, '    ', ' ' + chr(92))}")
    return "\n".join(out) + "\n"


def migrations(paths):
    rows = []
    for expected, path in enumerate(sorted(paths), 1):
        match = FILE.fullmatch(os.path.basename(path))
        if not match or int(match[1]) != expected:
            raise SystemExit(f"{path}: expected {expected:04}_<name>.sql")
        with open(path, encoding="utf-8") as f:
            sql = f.read()
        rows.append(f'    {{ {expected}, "{match[2]}",\n{c_string(sql.rstrip(chr(10)), "      ", "")} }},\n')
    return ('/* Generated from migrations/ by db/sql/gen.py. */\n#include "db/migrations.h"\n\n'
            "const struct migration migrations[] = {\n" + "".join(rows) + "    { 0, NULL, NULL },\n};\n"
            f"const size_t migration_count = {len(rows)};\n")


def main():
    kind, out, *paths = sys.argv[1:]
    text = {"statements": statements, "migrations": migrations}[kind](paths)
    with open(out, "w", encoding="utf-8") as f:
        f.write(text)


main()
