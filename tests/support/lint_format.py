"""Compares C sources with what clang-format makes of them: spacing, braces, the indentation of statements.

Where a statement is wrapped, and how comments and tables are aligned, is left to the writer: clang-format 14 cannot keep a
table's columns or a comment's.
"""
import re
import subprocess

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


def differences(path):
    """(line, sentence) of each place that clang-format would write in another way."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    formatted = subprocess.run([CLANG_FORMAT, path], capture_output=True, text=True, check=True).stdout
    ours, theirs = list(tokens(text)), list(tokens(formatted))
    if [t for t, k, _ in ours if not k] != [t for t, k, _ in theirs if not k]:
        yield 1, f"{CLANG_FORMAT} reads other tokens than are there"
        return
    ours, theirs = [[t for t in side if t[1] != "comment"] for side in (ours, theirs)]
    where = [text.count("\n", 0, m.start()) + 1 for m in TOKEN.finditer(text) if m.lastgroup != "comment"]
    for i, starts in enumerate(statement_starts(ours)):
        line, mine, other = where[i], ours[i][2], theirs[i][2]
        if "\n" not in mine and "\n" not in other:
            # `(T)*p` and `struct s (*p)[n]` are read wrongly by clang-format 14.
            if bool(mine) != bool(other) and "*" not in (ours[i - 1][0], ours[i][0], ours[min(i + 1, len(ours) - 1)][0]):
                yield line, f"{'no space' if mine else 'a space'} before `{ours[i][0]}`"
        elif starts and ("\n" in mine) != ("\n" in other):
            yield line, f"{'no line break' if chr(10) in mine else 'a line break'} before `{ours[i][0]}`"
        elif starts and mine.rpartition("\n")[2] != other.rpartition("\n")[2]:
            yield line, f"indent `{ours[i][0]}` by {len(other.rpartition(chr(10))[2])}"
