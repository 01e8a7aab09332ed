"""Compares C sources with what clang-format makes of them: spacing, braces, the indentation of statements.

Where a statement is wrapped, and how comments and tables are aligned, is left to the writer: clang-format 14 cannot keep a
table's columns or a comment's.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile

CLANG_FORMAT = "clang-format-14"
TOKEN = re.compile(r"""
      (?P<comment>/\*.*?\*/|//[^\n]*)
    | (?P<hash>(?<![^\n])[ \t]*\#(?:[^\n\\/]|\\.|/(?!\*)|/\*.*?\*/)*)
    | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
    | [A-Za-z_0-9.]+ | \S
    """, re.X | re.S)


def tokens(text):
    """(text, kind, white space before) of each token."""
    at = 0
    for m in TOKEN.finditer(text):
        yield m[0].strip(), m.lastgroup, text[at:m.start()]
        at = m.end()


def statement_starts(toks):
    """For each token: does a statement or a block begin or end here? Then line break and indentation are checked."""
    parens, braces, before = 0, [], ""
    for i, (tok, kind, space) in enumerate(toks):
        if kind:
            yield kind == "hash"
            continue
        in_list = parens or (braces and braces[-1] == "list")
        if tok == "{":
            literal = before in ("=", ",", "{", "]") or before == ")" and not space
            braces.append("list" if in_list or literal or any(t[0] == "enum" for t in toks[max(0, i - 2):i]) else "block")
            yield braces[-1] == "block"
        elif tok == "}":
            yield braces and braces.pop() == "block"
        else:
            yield not in_list and before in (";", "{", "}") and tok not in (";", ",", ")", "else", "while")
        parens += (tok in "([") - (tok in ")]")
        before = tok


def formatted(paths):
    """path: its text as clang-format writes it. In copies, a process for each core: to start one takes longer than a file."""
    found, cores = {}, len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as tmp, concurrent.futures.ThreadPoolExecutor(cores) as pool:
        for path in (".clang-format", *paths):
            os.makedirs(os.path.dirname(os.path.join(tmp, path)), exist_ok=True)
            shutil.copy(path, os.path.join(tmp, path))
        shares = [share for share in (paths[n::cores] for n in range(cores)) if share]
        list(pool.map(lambda share: subprocess.run([CLANG_FORMAT, "-i", *share], cwd=tmp, check=True), shares))
        for path in paths:
            with open(os.path.join(tmp, path), encoding="utf-8") as f:
                found[path] = f.read()
    return found


def differences(text, formatted_text):
    """(line, sentence) of each place that clang-format would write in another way."""
    if text == formatted_text:
        return
    ours, theirs = list(tokens(text)), list(tokens(formatted_text))
    if [t for t, k, _ in ours if not k] != [t for t, k, _ in theirs if not k]:
        yield 1, f"{CLANG_FORMAT} reads other tokens than are there"
        return
    ours, theirs = [[t for t in side if t[1] != "comment"] for side in (ours, theirs)]
    breaches = list(compared(ours, theirs))
    where = [m.start() for m in TOKEN.finditer(text) if m.lastgroup != "comment"] if breaches else []
    for i, sentence in breaches:
        yield text.count("\n", 0, where[i]) + 1, sentence


def compared(ours, theirs):
    """(number of the token, sentence)"""
    for i, starts in enumerate(statement_starts(ours)):
        mine, other = ours[i][2], theirs[i][2]
        if "\n" not in mine and "\n" not in other:
            # `(T)*p` and `struct s (*p)[n]` are read wrongly by clang-format 14.
            if bool(mine) != bool(other) and "*" not in (ours[i - 1][0], ours[i][0], ours[min(i + 1, len(ours) - 1)][0]):
                yield i, f"{'no space' if mine else 'a space'} before `{ours[i][0]}`"
        elif starts and ("\n" in mine) != ("\n" in other):
            yield i, f"{'no line break' if chr(10) in mine else 'a line break'} before `{ours[i][0]}`"
        elif starts and mine.rpartition("\n")[2] != other.rpartition("\n")[2]:
            yield i, f"indent `{ours[i][0]}` by {len(other.rpartition(chr(10))[2])}"
