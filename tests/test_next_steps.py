"""Every error that somebody can meet says what to do next."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "signing/sealift_signing",
    "offline-sync/sealift_sync",
    "registry/sealift_registry",
    "migrations/sealift_migrations",
)
NOBODY_MEETS = {
    "HeldError": "it stands in receipts and in status, beside the artifact that it is about",
    "log-action-commits": "a fault of our own code, which no command has",
    "log-forked": "a fault of our own code, which no command has",
    "log-closed": "a fault of our own code, which no command has",
    "log-no-transaction": "a fault of our own code, which no command has",
    "row-differs": "the refusal of the row that it is about quotes it, and has a next step",
    "metadata-version": "the refusal of the row that it is about quotes it, and has a next step",
}
"""Classes and codes of errors without a next step, each with its reason."""


def _classes(trees: Mapping[str, ast.Module]) -> dict[str, bool]:
    """Our errors by name, and whether all of a kind have a next step."""
    nodes = [n for tree in trees.values() for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    found = {"SealiftError": False}
    for _ in nodes:  # a subclass may stand before its base
        for node in nodes:
            bases = [one.id for one in node.bases if isinstance(one, ast.Name) and one.id in found]
            if bases:
                own = any(
                    isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "otherwise"
                    for line in node.body
                )
                found[node.name] = own or any(found[one] for one in bases)
    return found


def _without(trees: Mapping[str, ast.Module]) -> Iterator[tuple[str, str, str]]:
    """The place, class and code of each error that is made without a next step."""
    classes = _classes(trees)
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or len(node.args) < 2:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            told = {one.arg for one in node.keywords}
            if classes.get(name, True) or told & {"next_step", None}:
                continue
            yield f"{file}:{node.lineno}", name, ast.unparse(node.args[0]).strip("'")


def _trees() -> dict[str, ast.Module]:
    files = (file for one in PACKAGES for file in sorted((ROOT / one).rglob("*.py")))
    return {str(one.relative_to(ROOT)): ast.parse(one.read_text("utf-8")) for one in files}


def test_every_error_says_what_to_do_next() -> None:
    found = list(_without(_trees()))
    excused = {one for _, name, code in found for one in (name, code)}
    assert set(NOBODY_MEETS) <= excused, "an excuse that nothing needs"
    assert [one for one in found if not {one[1], one[2]} & set(NOBODY_MEETS)] == []


def test_an_error_without_one_is_found() -> None:
    code = "class AnError(SealiftError): ...\nraise AnError('bad', 'It is bad.')\n"
    assert list(_without({"x.py": ast.parse(code)})) == [("x.py:2", "AnError", "bad")]
