"""docs/reference/errors.md lists every error code of the code, and nothing else."""

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from sealift_signing import errors

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGE = REFERENCE / "errors.md"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The program that writes the page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REFERENCE))
        return importlib.import_module("make_errors")


def test_the_page_is_the_generated_one(maker: ModuleType) -> None:
    assert PAGE.read_text() == maker.page(), (
        "errors.md is out of date: run .venv/bin/python docs/reference/make_errors.py"
    )


def test_the_servers_page_is_made_from_the_same(maker: ModuleType) -> None:
    assert maker.SERVED.read_text() == maker.served(), (
        "errors.jsonl is out of date: run .venv/bin/python docs/reference/make_errors.py"
    )


def test_every_code_in_the_source_is_on_the_page(maker: ModuleType) -> None:
    """Counted a second way: the first text of every call of an error's class."""
    listed = set(re.findall(r"(?m)^`([^`]+)`$", PAGE.read_text()))
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    for package in maker.PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in kinds:
                    code = node.args[0] if node.args else None
                    if isinstance(code, ast.Constant):
                        assert code.value in listed, f"{file.name}:{node.lineno}"


def test_every_code_is_spelled_as_a_code(maker: ModuleType) -> None:
    codes = [told.code for told in maker.collect()]
    assert len(codes) > 100
    for code in codes:
        assert re.fullmatch(r"[a-z0-9]+(?:-(?:[a-z0-9]+|…))*", code), code


def test_exit_codes_are_those_of_the_classes(maker: ModuleType) -> None:
    told = {one.code: one.exit_code for one in maker.collect()}
    assert (told["withdrawn"], told["role-expired"], told["below-floor"]) == (1, 1, 1)
    assert (told["no-passphrase"], told["no-key-file"], told["key-exists"]) == (2, 3, 4)


def test_one_code_means_one_exit_code(maker: ModuleType) -> None:
    exits: dict[str, set[int]] = {}
    for one in maker.collect():
        exits.setdefault(one.code, set()).add(one.exit_code)
    assert {code for code, found in exits.items() if len(found) > 1} == set()
