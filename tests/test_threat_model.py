"""docs/explanation/threat-model.md claims nothing that no test attacks."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/explanation/threat-model.md").read_text(encoding="utf-8")
CLAIMING = (
    "At a site",
    "Where people sign",
    "Keys that were stolen",
    "The servers of a hub",
    "Jobs",
    "Who signs in to the server",
    "The limits",
    "Other users of the machine",
    "What is never believed",
)
"""Sections of which every item promises something, or says that it is not promised."""
NOTE = re.compile(r"^\[\^(\w+)\]: (.*)$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of the tests in a file of this repository."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef))


def test_every_test_that_the_page_names_exists() -> None:
    named = TEST.findall(PAGE)
    assert len(named) > 50
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_every_note_is_of_tests_and_stands_behind_a_sentence() -> None:
    found = NOTE.findall(PAGE)
    notes = dict(found)
    assert len(notes) == len(found), "two notes of one name: one of them is read nowhere"
    assert set(notes) == set(re.findall(r"\[\^(\w+)\](?!:)", PAGE))
    for name, words in notes.items():
        assert re.sub(TEST, "", words).strip(", ") == "", f"{name} names something else: {words}"


@pytest.mark.parametrize("heading", CLAIMING)
def test_every_promise_names_its_test(heading: str) -> None:
    _, section = PAGE.split(f"\n## {heading}\n", 1)
    items = re.findall(r"^- .*(?:\n  .*)*", section.split("\n## ")[0], re.MULTILINE)
    assert items
    assert [one for one in items if "[^" not in one] == []
