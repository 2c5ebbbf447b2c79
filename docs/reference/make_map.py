"""Writes the two parts of docs/explanation/architecture.md that are made from the code.

Who may import whom comes from the contracts in pyproject.toml, and the list of modules from the
first sentence of each. Run it after a module was added, moved or renamed:
.venv/bin/python docs/reference/make_map.py
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/architecture.md"
PACKAGES: Mapping[str, Path] = {
    "signing": ROOT / "signing/sealift_signing",
    "sync": ROOT / "offline-sync/sealift_sync",
    "registry": ROOT / "registry/sealift_registry",
    "migrations": ROOT / "migrations/sealift_migrations",
}
"""Our packages, as the page calls them."""


def packages() -> Iterator[tuple[str, Path]]:
    """Each package that has modules of its own, and its folder."""
    for name, top in PACKAGES.items():
        for file in sorted(top.rglob("__init__.py"), key=lambda one: one.parent.parts):
            if modules(file.parent):
                yield ".".join((name, *file.parent.relative_to(top).parts)), file.parent


def modules(folder: Path) -> list[Path]:
    """The modules of a package, but for the one that is the package itself."""
    return sorted(one for one in folder.glob("*.py") if one.name != "__init__.py")


def sentence(file: Path) -> str:
    """The first sentence of a module's docstring."""
    said = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    first = re.split(r"(?<=\.)\s", " ".join(said.split("\n\n")[0].split()), maxsplit=1)[0]
    return first.replace("|", r"\|").replace("*", r"\*")


def listed() -> str:
    """A table for each package."""
    lines: list[str] = []
    for name, folder in packages():
        lines += ["", f"| `{name}` | {sentence(folder / '__init__.py')} |", "|---|---|"]
        lines += [f"| `{one.stem}` | {sentence(one)} |" for one in modules(folder)]
    return "\n".join(lines[1:])


def contracts() -> str:
    """A line for each contract of pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    every = settings["tool"]["importlinter"]["contracts"]
    lines = [f"| {one['name']} | {_said(one)} |" for one in every]
    return "\n".join(["| what `make lint` holds | from top to bottom |", "|---|---|", *lines])


def _said(contract: Mapping[str, Any]) -> str:
    if contract["type"] == "layers":
        container = "".join(f"{one}." for one in contract.get("containers", ()))
        layers = [_layer(container, one) for one in contract["layers"]]
        return " → ".join(layers) if len(layers) > 1 else f"{layers[0]}: neither imports the other"
    names = ("protected_modules", "allowed_importers", "source_modules", "forbidden_modules")
    said = {name: ", ".join(map(called, contract.get(name, ()))) for name in names}
    if contract["type"] == "protected":
        return f"{said['protected_modules']} is imported by {said['allowed_importers']} alone"
    return f"{said['source_modules']} never import {said['forbidden_modules']}"


def _layer(container: str, layer: str) -> str:
    return ", ".join(called(container + one.strip()) for one in re.split(r"[|:]", layer))


def called(module: str) -> str:
    """A module as the page calls it; brackets mean that it need not exist yet."""
    name = module.replace("(", "").replace(")", "").removeprefix("sealift_")
    package, *parts = name.split(".")
    later = "(" in module and not _exists(PACKAGES[package].joinpath(*parts))
    return f"`{name}`" + (" (later)" if later else "")


def _exists(place: Path) -> bool:
    return place.is_dir() or place.with_suffix(".py").is_file()


def written(page: str) -> str:
    """The page with both parts as they are now.

    Raises:
        ValueError: the page has no place for one of them.
    """
    for mark, text in (("imports", contracts()), ("modules", listed())):
        begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            msg = f"The page has no place for {mark}."
            raise ValueError(msg)
        page = f"{before}{begin}\n{text}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
