"""The documents hang together: links lead somewhere, and what they name exists."""
import glob
import os
import re
import urllib.parse

import harness
import pytest

PAGES = sorted(path for pattern in ("*.md", "docs/**/*.md", "examples/*.md")
               for path in glob.glob(pattern, root_dir=harness.ROOT, recursive=True))


def text(path):
    with open(os.path.join(harness.ROOT, path), encoding="utf-8") as f:
        return f.read()


def prose(path):
    return re.sub(r"^```.*?^```", "", text(path), flags=re.M | re.S)


def anchors(path):
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", prose(path), re.M)}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = urllib.parse.unquote(target).partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
        assert os.path.exists(os.path.join(harness.ROOT, path)), f"{page}: {target}"
        assert not anchor or anchor in anchors(path), f"{page}: {target}"


@pytest.mark.parametrize("page", [page for page in PAGES if "decisions/" not in page])   # a decision tells of its own time
def test_every_file_that_is_named_exists(page):
    """`deploy/deps.sh`, `gateway/http/problems.c` and their like, in backquotes."""
    for name in re.findall(r"`((?:gateway|handlers|db|migrations|openapi|tests|docs|deploy|examples)/[\w./-]+\.\w+)`", prose(page)):
        assert os.path.exists(os.path.join(harness.ROOT, name)), f"{page}: {name}"


def test_the_readme_leads_to_every_page():
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", text("README.md")))
    for page in glob.glob("docs/*.md", root_dir=harness.ROOT):
        assert page in linked or any(f"]({os.path.basename(page)})" in text(other) for other in linked), f"nothing leads to {page}"


def test_every_problem_that_is_named_exists():
    table = dict(re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", text("docs/problems.md"), re.M))
    codes = set(re.findall(r"^\| \d{3} \| `([a-z-]+)` \|", text("docs/problems.md"), re.M))
    assert table and codes == set(harness.CONTRACT.codes)
    for page in PAGES:
        for name in re.findall(r"\b(?:4\d\d|5\d\d) `([a-z]+(?:-[a-z]+)*)`", prose(page)):
            assert name in codes, f"{page}: {name}"
