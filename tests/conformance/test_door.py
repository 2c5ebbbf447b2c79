"""Nobody but the suite's client walks without the layer of strict rules."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sealift_signing import tuf_walk
from sealift_signing.walk.layer import STRICT
from sealift_signing.walk.letter import LetterWalk
from tests.trust import NOW, Keyring, Repository

ROOT = Path(__file__).parent.parent.parent
KEYS = Keyring()


def test_nobody_walks_without_rules_by_saying_nothing() -> None:
    root = Repository(KEYS).files["1.root.json"]
    with pytest.raises(TypeError, match="rules"):
        LetterWalk(root, {}, NOW)  # type: ignore[call-arg]
    assert tuf_walk.Walk(root, {}, NOW)._rules is STRICT
    with pytest.raises(TypeError):
        tuf_walk.Walk(root, {}, NOW, rules=())  # type: ignore[call-arg]


DOOR = "signing/sealift_signing/tuf_walk.py"
INSIDE = ("signing/sealift_signing/walk/", "tests/conformance/")
SOURCES = ("docs", "migrations", "offline-sync", "registry", "signing", "tests")


def ways_around(text: str) -> Iterator[str]:
    """What a file says that would get at the walk without the layer.

    It reads names as they are written: who puts one together of pieces means to.
    """
    for node in ast.walk(ast.parse(text)):
        for kind, looked in LOOKS.items():
            if isinstance(node, kind):
                yield from looked(node)


LETTER = "sealift_signing." + "walk"
TOLD = re.compile(
    rf"{re.escape(LETTER)}\b|\bwalk\.(letter|layer|reading|counting|steps)\b|LetterWalk"
)
"""In a string, which may become a name."""
BENEATH = {"LetterWalk", "__base__", "__bases__", "__globals__", "__mro__", "mro"}
"""Attributes by which one comes from the door to what lies behind it."""
AT_THE_DOOR = {"Walk", "tuf_walk", "tuf_walk.Walk", f"{LETTER[:-4]}tuf_walk"}
"""How the door and the walk behind it are called, wherever they are not called otherwise."""


def _import(node: ast.Import) -> Iterator[str]:
    for one in node.names:
        renamed = one.name.endswith("tuf_walk") and one.asname
        yield from [one.name] if one.name.startswith(LETTER) or renamed else []


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    module = "." * node.level + (node.module or "")
    door = module.endswith("sealift_signing.tuf_walk")
    for one in node.names:
        whole = f"{module}.{one.name}"
        renamed = one.asname and (door or one.name == "tuf_walk")
        hidden = door and one.name not in tuf_walk.__all__
        yield from [whole] if whole.startswith((LETTER, ".walk")) or renamed or hidden else []


def _constant(node: ast.Constant) -> Iterator[str]:
    yield from [node.value] if isinstance(node.value, str) and TOLD.search(node.value) else []


def _attribute(node: ast.Attribute) -> Iterator[str]:
    on = ast.unparse(node.value)
    behind = on.endswith("tuf_walk") and node.attr not in {*tuf_walk.__all__, "measure"}
    other = node.attr == "_rules" and isinstance(node.ctx, ast.Store) and on != "self"
    whole = f"{on}.{node.attr}"
    yield from [whole] if node.attr in BENEATH or behind or other or whole == LETTER else []


def _class(node: ast.ClassDef) -> Iterator[str]:
    yield from (base for base in map(ast.unparse, node.bases) if base in AT_THE_DOOR)


def _call(node: ast.Call) -> Iterator[str]:
    """A name that is looked up: of the door, any may be another than it says."""
    looked = isinstance(node.func, ast.Name) and node.func.id in {"getattr", "setattr", "vars"}
    yield from (one for one in map(ast.unparse, node.args[:1]) if looked and one in AT_THE_DOOR)


LOOKS: dict[type[ast.AST], Callable[[Any], Iterator[str]]] = {
    ast.Import: _import,
    ast.ImportFrom: _imported,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.ClassDef: _class,
    ast.Call: _call,
}


def test_t1_38_nothing_but_the_suite_s_client_walks_without_the_layer() -> None:
    found = {
        str(file.relative_to(ROOT)): list(ways_around(file.read_text()))
        for folder in SOURCES
        for file in (ROOT / folder).rglob("*.py")
    }
    assert len(found) > 500
    assert found[DOOR]
    told = {
        name: ways
        for name, ways in found.items()
        if ways and name != DOOR and not name.startswith(INSIDE)
    }
    assert told == {}


@pytest.mark.parametrize(
    "text",
    [
        "from sealift_signing.walk.letter import LetterWalk",
        "from sealift_signing import walk",
        "from sealift_signing.tuf_walk import counting",
        "import sealift_signing.walk.counting",
        "import importlib\nimportlib.import_module('sealift_signing.walk.letter')",
        "from sealift_signing import tuf_walk\ntuf_walk.LetterWalk(b'', {}, None, rules=())",
        "from .walk import letter",
        "import sealift_signing.tuf_walk\nsealift_signing.walk.letter",
        "import sealift_signing.tuf_walk\nsealift_signing.tuf_walk.letter",
        "import sealift_signing.tuf_walk as door\ndoor.reading",
        "from sealift_signing import tuf_walk as door\ndoor.counting",
        "from sealift_signing.tuf_walk import Walk as W\nclass Mine(W): ...",
        "importlib.import_module('.walk.letter', 'sealift_signing')",
        "importlib.import_module('.'.join(['x', 'walk.letter']))",
        "sys.modules['sealift_signing.tuf_walk'].LetterWalk",
        "Walk.__mro__[1](b'', {}, now, rules=(), most_roots=1)",
        "Walk.__base__",
        "Walk.__init__.__globals__['Lax']",
        "class Mine(Walk): ...",
        "class Mine(tuf_walk.Walk): ...",
        "walk = Walk(root, {}, now)\nwalk._rules = ()",
        "getattr(tuf_walk, name)",
        "vars(tuf_walk)[name]",
        "setattr(Walk, name, lax)",
    ],
)
def test_t1_81_a_way_around_is_seen(text: str) -> None:
    assert list(ways_around(text))


@pytest.mark.parametrize(
    "text",
    [
        "from sealift_signing.tuf_walk import Walk, drive",
        "from sealift_signing import tuf_walk\ntuf_walk.Walk(b'', {}, None)",
        "from sealift_sync.site.verifying.tuf_metadata import Visit",
        "class Promotions:\n    def __init__(self): self._rules = ()",
        "getattr(node, name)",
    ],
)
def test_what_goes_through_the_door_is_no_way_around(text: str) -> None:
    assert not list(ways_around(text))
