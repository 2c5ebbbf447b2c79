"""What stands in braces in a sentence is filled in: a string that lost its `f` says the braces."""

from __future__ import annotations

import ast
import re

from tests.test_repository import ROOT

PACKAGES = ("registry/sealift_registry", "signing/sealift_signing", "offline-sync/sealift_sync")
PLACE = re.compile(r"\{(?!\w+:(?:str|int|path)\})[a-z_][\w.]*[(\[}.:]")
"""But for what stands in the address of a route, with its type."""


def _unfilled(source: str) -> list[tuple[int, str]]:
    """Strings with a place in braces that is not filled in, also beside one that is."""
    return [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and PLACE.search(node.value)
    ]


def test_f2_15_no_sentence_says_the_name_of_a_value() -> None:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            source = path.read_text("utf-8")
            found += [
                f"{path.name}:{line}"
                for line, _ in _unfilled(source)
                if ".format(" not in source and "format_map(" not in source
            ]
    assert found == []


def test_f2_16_a_sentence_that_lost_its_f_is_found() -> None:
    assert [what for _, what in _unfilled('a = f"x {b}" "y {c.d} z"\n')] == ["y {c.d} z"]
    assert [what for _, what in _unfilled('a = ("x {_day(now)} z")\n')] == ["x {_day(now)} z"]
