"""Every module can be the first of ours that a fresh interpreter loads: no import goes in a circle.

A circle shows only to whoever enters it at the wrong place: every test passes, and one command
ends. What leads into no circle can be loaded first, whichever it is; each of the others is, in a
fork of a process that has loaded only what others wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "registry": "sealift_registry",
    "signing": "sealift_signing",
    "offline-sync": "sealift_sync",
    "migrations": "sealift_migrations",
}
RUN = {"__main__", "env"}
"""Names of modules that are only run, as Alembic runs its `env`."""
ALL = """
import builtins, importlib, json, sys
from importlib.util import resolve_name
names, genuine, asked = json.load(sys.stdin), builtins.__import__, {}
def noted(name, globals=None, locals=None, fromlist=(), level=0):
    found = genuine(name, globals, locals, fromlist, level)
    spec = (globals or {}).get("__spec__")
    if getattr(spec, "_initializing", False):
        whole = resolve_name("." * level + name, globals["__package__"]) if level else name
        below = [f"{whole}.{one}" for one in fromlist or ()]
        asked.setdefault(spec.name, set()).update([whole, *(n for n in below if n in sys.modules)])
    return found
builtins.__import__ = noted
for name in names:
    importlib.import_module(name)
others = [name for name, one in sys.modules.items() if one is not None]
print(json.dumps([others, {name: sorted(one) for name, one in asked.items()}]))
"""
"""Loads every module; says what that loaded, and which module asks for which while it is loaded."""
EACH = """
import contextlib, importlib, json, os, sys, traceback
names, others, ours = json.load(sys.stdin)
for name in others:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
assert not [name for name in sys.modules if name.partition(".")[0] in ours]
def first(name):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            importlib.import_module(name)
            os._exit(0)
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as said:
        words = said.read().decode()
    return words or ("it ended" if os.waitpid(pid, 0)[1] else "")
bad = {name: said for name in names if (said := first(name))}
print(json.dumps(bad))
"""
"""Loads each module in a process of its own that has loaded none of ours before."""


def python(script: str, given: object, *path: Path) -> Any:  # noqa: ANN401 - what a script prints
    """What a fresh interpreter prints that is given something."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[*map(str, path)]!r}\n{script}"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lead_to_circles(names: list[str], asked: dict[str, list[str]]) -> list[str]:
    """Those that are in a circle, or lead to one."""
    sorter, ours = TopologicalSorter[str](), {*names}
    for name in names:
        parent = name.rpartition(".")[0]  # which is loaded before what lies in it
        sorter.add(name, *({*asked.get(name, ()), parent} & ours - {name}))
    with suppress(CycleError):
        sorter.prepare()
    while ready := sorter.get_ready():
        ours -= {*ready}
        sorter.done(*ready)
    return sorted(ours)


def cannot_be_first(names: list[str], packages: list[str], *path: Path) -> dict[str, str]:
    """Those modules that cannot be loaded first, each with the trace of it."""
    loaded, asked = python(ALL, names, *path)
    others = [one for one in loaded if one.partition(".")[0] not in {*packages, "__main__"}]
    found: dict[str, str] = python(EACH, [lead_to_circles(names, asked), others, packages], *path)
    return found


def modules_of(folder: Path) -> list[str]:
    """Every module below the folder of a package that is not only run."""
    files = sorted(folder.rglob("*.py"))
    parts = [one.relative_to(folder.parent).with_suffix("").parts for one in files]
    return [
        ".".join(one[:-1] if one[-1] == "__init__" else one) for one in parts if one[-1] not in RUN
    ]


def test_g1_180_every_module_can_be_the_first() -> None:
    names = [
        name for folder, package in PACKAGES.items() for name in modules_of(ROOT / folder / package)
    ]
    assert len(names) > 400
    assert cannot_be_first(names, list(PACKAGES.values())) == {}


def test_g1_180_a_circle_is_found(tmp_path: Path) -> None:
    package = tmp_path / "round"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "apart.py").write_text("C = 3\n")
    (package / "one.py").write_text("from round.two import B\nA = 1\n")
    (package / "three.py").write_text("from round import one\n")
    (package / "two.py").write_text("B = 2\nfrom round.one import A\n")
    names = ["round", "round.apart", "round.two", "round.one", "round.three"]
    _, asked = python(ALL, names, tmp_path)
    assert lead_to_circles(names, asked) == ["round.one", "round.three", "round.two"]
    found = cannot_be_first(names, ["round"], tmp_path)
    assert found.keys() == {"round.one", "round.three"}
    assert "partially initialized module" in found["round.one"]
