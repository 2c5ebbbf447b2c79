"""Writes errors.md: every stable error code, with what it says, read from the code by its syntax.

The server has the same beside it, as lines of JSON, for the page to which its problems lead.

Run it after adding or changing an error:  .venv/bin/python docs/reference/make_errors.py
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGES = (
    "signing/sealift_signing",
    "offline-sync/sealift_sync",
    "registry/sealift_registry",
    "migrations/sealift_migrations",
)
SERVED = ROOT / "registry/sealift_registry/web/errors.jsonl"
EXITS = {1: "refused by a rule", 2: "usage", 3: "not found, or in the wrong state"}
EXITS |= {4: "could not read, write or log"}

UNEXPECTED = 70
"""An exit code that the code names by a constant: sysexits' EX_SOFTWARE."""

TOP = """\
# Errors

```{note}
This page is written by `docs/reference/make_errors.py` from the code, and a test compares them.
```

Every error says what happened, to which thing, and what to do next. With `--json` it is one object
on standard error: `{"error": {"code": …, "what": …, "subject": …, "next": …}}`. A code keeps its
meaning from release to release; its words may become clearer. Words in *italics* stand for the
thing at hand. Each is one line, and cut after 8,192 characters, which it then says; what somebody
else wrote stands in it between marks: “…”. Codes of artifacts that a site holds back are in its
receipt as well.
"""


@dataclass(frozen=True, order=True)
class Told:
    """One place in the code that raises an error."""

    code: str
    exit_code: int
    what: str
    next_step: str
    room: str


@dataclass
class Module:
    """A module's syntax, the room it belongs to, and what it is called where it is imported."""

    tree: ast.Module
    room: str
    name: str


Bindings = Mapping[str, ast.expr]


@cache
def collect() -> list[Told]:
    """Every error that the packages raise under a code of their own."""
    modules = list(_modules())
    exits = _inherited(modules, 1, _own_exit)
    steps = _inherited(modules, "", _own_step)
    texts = {module.name: _texts(module.tree) for module in modules}
    found = {
        told
        for module in modules
        for told in _told_in(module, exits, steps, _texts_known(module, texts))
    }
    return sorted(found)


def page() -> str:
    """errors.md."""
    by_exit: dict[int, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for told in collect():
        by_exit[told.exit_code][told.code].append(told)
    parts = [TOP]
    for exit_code, codes in sorted(by_exit.items()):
        parts.append(f"## Exit code {exit_code}: {EXITS.get(exit_code, 'something unexpected')}\n")
        parts += [_entry(code, places) for code, places in sorted(codes.items())]
    return "\n".join(parts)


def served() -> str:
    """What the server's page is made from: of each code a line."""
    by_code: dict[str, list[Told]] = defaultdict(list)
    for told in collect():
        by_code[told.code].append(told)
    lines = []
    for code, places in sorted(by_code.items()):
        said = dict.fromkeys((one.what, one.next_step) for one in places)
        one = {"code": code, "exit_code": places[0].exit_code, "said": list(said)}
        lines.append(json.dumps(one, ensure_ascii=False))
    return "\n".join([*lines, ""])


def _entry(code: str, places: list[Told]) -> str:
    rooms = ", ".join(sorted({one.room for one in places}))
    said = dict.fromkeys((one.what, one.next_step) for one in places)
    lines = [f"`{code}`"]
    for what, step in said:
        lines.append(f": {what}{f' *Next:* {step}' if step else ''}")
    return "\n".join([*lines, f": <small>{rooms}</small>", ""])


def _modules() -> Iterator[Module]:
    for package in PACKAGES:
        folder = ROOT / package
        for file in sorted(folder.rglob("*.py")):
            parts = (folder.name, *file.relative_to(folder).with_suffix("").parts)
            room = ".".join(part for part in parts[:2] if part != "__init__")
            tree = ast.parse(file.read_text(encoding="utf-8"))
            yield Module(tree, room, ".".join(parts))


def _texts(tree: ast.Module) -> dict[str, ast.expr]:
    """The texts that a module has a name for."""
    return {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _texts_known(module: Module, texts: Mapping[str, Bindings]) -> Bindings:
    """Its own, and those that it imports."""
    imported = {
        alias.asname or alias.name: texts[node.module][alias.name]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module in texts
        for alias in node.names
        if alias.name in texts[node.module]
    }
    return imported | dict(texts[module.name])


T = TypeVar("T")


def _inherited(
    modules: list[Module], first: T, own: Callable[[ast.ClassDef], T | None]
) -> dict[str, T]:
    """Of every class that descends from SealiftError: its own, or what its base has."""
    classes = [
        node
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    ]
    found = {"SealiftError": first}
    for _ in range(len(classes)):  # until nothing new: a subclass may stand before its base
        before = len(found)
        for node in classes:
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            known = [found[base] for base in bases if base in found]
            if known:
                found[node.name] = own(node) or known[0]
        if len(found) == before:
            break
    return found


def _own_exit(node: ast.ClassDef) -> int | None:
    for value in _assigned_in(node, "exit_code"):
        return value if isinstance(value, int) else UNEXPECTED
    return None


def _own_step(node: ast.ClassDef) -> str | None:
    return next((str(value) for value in _assigned_in(node, "otherwise")), None)


def _assigned_in(node: ast.ClassDef, name: str) -> Iterator[object]:
    for line in node.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name:
            yield line.value.value if isinstance(line.value, ast.Constant) else None


def _told_in(
    module: Module, exits: Mapping[str, int], steps: Mapping[str, str], texts: Bindings
) -> Iterator[Told]:
    for call, function in _calls(module.tree, None):
        exit_code = exits.get(_name(call.func))
        if exit_code is None or not call.args:
            continue
        for found in _bindings(module.tree, call.args[0], function):
            bindings = {**texts, **found}
            code = _code(_bound(call.args[0], bindings))
            if code:
                what = _text(call.args[1], bindings) if len(call.args) > 1 else ""
                step = next((k.value for k in call.keywords if k.arg == "next_step"), None)
                said = _text(step, bindings) if step else steps[_name(call.func)]
                said = "" if re.fullmatch(r"\*[^*]*\*", said) else said  # another error's
                yield Told(code, exit_code, what, said, module.room)


Function = ast.FunctionDef | ast.AsyncFunctionDef | None


def _calls(node: ast.AST, function: Function) -> Iterator[tuple[ast.Call, Function]]:
    """Every call, with the function it stands in."""
    for child in ast.iter_child_nodes(node):
        inside = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(child, ast.Call):
            yield child, function
        yield from _calls(child, inside)


def _bindings(tree: ast.Module, code: ast.expr, function: Function) -> Iterator[Bindings]:
    """What the function's parameters are where it is called, if the code is one of them."""
    names = [one.arg for one in function.args.args if one.arg != "self"] if function else []
    local = _assigned(function) if function else {}
    if function is None or not isinstance(code, ast.Name) or code.id not in names:
        yield local
        return
    for call, _ in _calls(tree, None):
        if _name(call.func) == function.name:
            given = dict(zip(names, call.args, strict=False))
            yield local | given | {k.arg: k.value for k in call.keywords if k.arg}


def _assigned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, ast.expr]:
    """The texts that a function gives a name before it says them."""
    return {
        node.targets[0].id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant | ast.JoinedStr)
    }


def _bound(node: ast.expr, bindings: Bindings) -> ast.expr:
    return bindings.get(node.id, node) if isinstance(node, ast.Name) else node


def _code(node: ast.expr) -> str:
    """A code, or a pattern of codes; "" where it is another error's."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return ""


def _text(node: ast.expr, bindings: Bindings) -> str:
    """A message as the page shows it."""
    node = _bound(node, bindings)
    if isinstance(node, ast.Constant):
        return re.sub(r"([*_<\[\]\\])", r"\\\1", str(node.value)).replace("\n", " ")
    if isinstance(node, ast.JoinedStr):
        parts = [_text(part, bindings) for part in node.values]
        # A sentence that begins with a capital of what follows names it twice.
        once = [part for n, part in enumerate(parts) if not n or part != parts[n - 1]]
        return "".join(once).replace("**", "* *")
    if isinstance(node, ast.FormattedValue):
        value = _bound(node.value, bindings)
        return _text(value, {}) if value is not node.value else f"*{_thing(value)}*"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        said = node.func.value  # "…".strip() says what it strips
        if isinstance(said, ast.Constant | ast.JoinedStr):
            return _text(said, bindings)
    return f"*{_thing(node)}*"


def _thing(node: ast.expr) -> str:
    """What an expression in a message stands for, in a word."""
    if isinstance(node, ast.Call):
        if _name(node.func) == "len":
            return "number"
        if isinstance(node.func, ast.Attribute) and not node.args:
            return _thing(node.func.value)
        return _thing(node.args[0]) if node.args else _thing(node.func)
    if isinstance(node, ast.Subscript):
        return _thing(node.value)
    name = _name(node).strip("_").replace("_", " ").lower()
    return name or "…"


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


if __name__ == "__main__":
    (HERE / "errors.md").write_text(page(), encoding="utf-8")
    SERVED.write_text(served(), encoding="utf-8")
