"""Nothing is printed but through what draws it: a search of the code for whatever prints.

A line that begins at the margin is ours only while every output takes the same way.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("signing/sealift_signing", "offline-sync/sealift_sync", "registry/sealift_registry")
DRAWS = {"plain", "printed", "_json", "as_json", "whole", "tab_separated"}
"""What makes a text fit for a line, or JSON that a terminal shows and does not obey."""
PRINTS = {
    *("print", "echo", "secho", "prompt", "confirm", "pprint", "write", "writelines", "warn"),
    *("show", "log", "rule", "print_exc", "excepthook"),
}
OUTPUTS = {"click", "sys.stdout", "sys.stderr", "warnings", "traceback", "logging", "console"}
OTHERS = {
    "asked": "a program's own help, of click's own usage error",
    "error": "a program's own help, of click's own usage error",
}
"""Whose `show` prints what is ours."""
REASONS = {
    "signing/sealift_signing/streams.py": "what the system says of our own output",
    "registry/sealift_registry/demo": "a story of ours, with commands that draw for themselves",
    "registry/sealift_registry/cli/at_hub.py": "a label of ours",
    "signing/sealift_signing/command_start.py": "a sentence of each program's own",
    "signing/sealift_signing/desk/cli/group.py": "a question that is drawn where it is made",
    "signing/sealift_signing/desk/cli/terminal.py": "what is typed is ours; the rest is drawn",
    "offline-sync/sealift_sync/cli/enrolling.py": "two labels of ours",
}
"""Files where something is printed that the search does not see to be drawn, and why."""


@cache
def printed() -> tuple[tuple[str, int, str], ...]:
    """Each place where a text is printed that is neither ours nor drawn there."""
    return tuple(_printed())


def _printed() -> Iterator[tuple[str, int, str]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(file.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _prints(node.func) and not _is_safe(node):
                    yield str(file.relative_to(ROOT)), node.lineno, ast.unparse(node)[:100]


def _prints(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in {"print", "pprint"}
    if not isinstance(function, ast.Attribute) or function.attr not in PRINTS:
        return False
    whose = ast.unparse(function.value)
    return whose in OUTPUTS or (function.attr == "show" and whose in OTHERS)


def _is_safe(call: ast.Call) -> bool:
    """Whether it prints a constant, or something that is drawn on the way."""
    if not call.args or isinstance(call.args[0], ast.Constant):
        return not (isinstance(call.func, ast.Attribute) and call.func.attr == "show")
    return any(isinstance(node, ast.Name) and node.id in DRAWS for node in ast.walk(call.args[0]))


def test_t1_53_nothing_is_printed_that_is_not_drawn() -> None:
    left = [one for one in printed() if not any(one[0].startswith(name) for name in REASONS)]
    helps = [one for one in left if one[2] in {"asked.show()", "error.show()"}]
    assert [one for one in left if one not in helps] == []
    assert len(helps) == 3, "each program's help, where no command is named"


@pytest.mark.parametrize("name", REASONS)
def test_t1_53_every_exception_is_still_needed(name: str) -> None:
    assert any(one[0].startswith(name) for one in printed())


@pytest.mark.parametrize(
    "line", ["print(x)", "click.echo(f'{x}')", "sys.stderr.write(x)", "click.confirm(x)"]
)
def test_t1_53_the_search_finds_what_is_bare(line: str) -> None:
    (node,) = (one for one in ast.walk(ast.parse(line)) if isinstance(one, ast.Call))
    assert _prints(node.func)
    assert not _is_safe(node)
