"""What the documents name is there."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
TEST = re.compile(r"`(?P<file>[\w/]*test_\w+\.py)?(?:::(?P<name>test_\w+))?`")


@functools.cache
def names_in(file):
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page):
    missing = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_a_page_names_are_there(page):
    missing, file = [], None
    for found in TEST.finditer(page.read_text()):
        if found["file"]:
            file = ROOT / found["file"] if "/" in found["file"] else ROOT / "tests" / found["file"]
        if "<" in found[0] or file is None or not (found["file"] or found["name"]):
            continue
        if not file.exists() or (found["name"] and found["name"] not in names_in(file)):
            missing.append(found[0])

    assert missing == []


def test_options_of_the_readme_are_those_of_the_magic():
    from jupyter_agents.magics.options import chat_options

    known = chat_options().format_help()

    for option in set(re.findall(r"`?%%agentchat (--[\w-]+)", (ROOT / "README.md").read_text())):
        assert option in known
