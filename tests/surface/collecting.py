"""What the code and its reference say that there is: a line for each thing that others see."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from sealift_registry.storage import home as hub_home
from sealift_sync.site.setup import settings as site_settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
PACKAGES = (
    "signing/sealift_signing",
    "offline-sync/sealift_sync",
    "registry/sealift_registry",
    "migrations/sealift_migrations",
)


def maker(name: str) -> ModuleType:
    """One of the programs that write the reference."""
    sys.path.insert(0, str(REFERENCE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(REFERENCE))


# -- documents


def documents() -> Iterator[str]:
    """Every member of every document, with its type, and whether it may be left out."""
    for file in sorted((REFERENCE / "schemas").glob("*.json")):
        yield from _members(file.stem, json.loads(file.read_bytes()))


def _members(at: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"{at}: {_kind(schema)}"
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        yield from _members(f"{at}.{name}{'' if name in required else '?'}", inner)
    if isinstance(inner := schema.get("additionalProperties"), dict):
        yield from _members(f"{at}.*", inner)
    if isinstance(inner := schema.get("items"), dict):
        yield from _members(f"{at}[]", inner)
    for number, inner in enumerate((*schema.get("oneOf", ()), *schema.get("anyOf", ()))):
        yield from _members(f"{at}({number})", inner)


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(json.dumps(one) for one in values)
    return str(schema.get("$ref", schema.get("type", "any of these")))


# -- errors, entries


def errors() -> Iterator[str]:
    """Every code of an error, with its exit code."""
    for one in maker("make_errors").collect():
        yield f"{one.code}: exit {one.exit_code}"


TYPE = re.compile(r"[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*")
NO_TYPES = re.compile(
    r"ai\.onnx|artifact\.path|delivery\.dispatcher|database\.(url|migrator)|blobs\.(url|endpoint|region)|server\.(url|certificate|key)|builders\.inbox|keys\.default|fuse\..*|promotion\.number|sealift\..*|"
    r"sqlalchemy\.exc|team\.vision|training\.log|user\.(email|name)|site\.pem|"
    r".*\.(json|toml|yaml|txt|npz|lock|db|ubj)"
)
"""What is spelled like the type of an entry and is a file, a column, or a setting."""

ACTIONS = {"web", "rights.py", "serving.py"}
"""Where what is spelled like the type of an entry is what somebody may do: `version.read`."""


def entries() -> Iterator[str]:
    """Every type of an entry of a log, as the code spells it; `…` stands for what it adds."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            if ACTIONS & set(file.relative_to(ROOT).parts):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and _is_type(node.value):
                    yield str(node.value)
                elif isinstance(node, ast.Call) and _name(node.func) in {"entry", "new_entry"}:
                    yield from _begun(node)


def _is_type(value: object) -> bool:
    is_spelled_so = isinstance(value, str) and TYPE.fullmatch(value)
    return bool(is_spelled_so) and not NO_TYPES.fullmatch(str(value))


def _begun(call: ast.Call) -> Iterator[str]:
    """The type of an entry of which only the beginning stands in the code."""
    for one in call.args[:1]:
        if isinstance(one, ast.JoinedStr) and isinstance(one.values[0], ast.Constant):
            yield f"{one.values[0].value!s}…"


def _name(node: ast.expr) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


# -- settings


def settings() -> Iterator[str]:
    """Every setting of a hub and of a site with its default, and every variable that is read."""
    yield from _settings("hub", hub_home.Settings())
    yield from _settings("site", site_settings.Settings())
    yield from _settings("site groups.*", site_settings.GroupSettings())
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found = re.fullmatch(r"[A-Z]+_[A-Z0-9_]+", node.value)
                    if found and node.value.startswith(VARIABLES):
                        yield f"variable {node.value}"
    listed = (REFERENCE / "settings.md").read_text(encoding="utf-8").partition("## Others")[2]
    yield from (f"variable {name}" for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", listed))


VARIABLES = ("SEALIFT_", "MLFLOW_", "AWS_")


def _settings(where: str, section: Any) -> Iterator[str]:  # noqa: ANN401 - a dataclass of settings
    for one in dataclasses.fields(section):
        value = getattr(section, one.name)
        if dataclasses.is_dataclass(value):
            yield from _settings(f"{where} {one.name}", value)
        else:
            yield f"{where} {one.name} = {value!r}"


# -- commands


def commands() -> Iterator[str]:
    """Every command, argument and option, and every exit code that the page tells."""
    for program, group in maker("make_commands").PROGRAMS.items():
        for parameter in group.params:
            yield f"{program} {_parameter(parameter)} (before the command)"
    for one in maker("make_commands").commands():
        yield one.words
        for parameter in one.command.params:
            yield f"{one.words} {_parameter(parameter)}"
    table = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    for code, means in re.findall(r"(?m)^\| (\d+) \| ([^|]+?) \|", table):
        yield f"exit {code}: {means}"


def _parameter(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        said = "/".join((*parameter.opts, *parameter.secondary_opts))
        takes = "" if parameter.is_flag else f" {parameter.make_metavar(_context(parameter))}"
        known = (("required", parameter.required), ("repeated", parameter.multiple))
        told = ", ".join(name for name, is_so in known if is_so)
        default = parameter.default
        plain = isinstance(default, str | int) and not isinstance(default, bool)
        return f"{said}{takes}{f' ({told})' if told else ''}{f' = {default}' if plain else ''}"
    several = "" if parameter.nargs == 1 else " (several)"
    return f"{parameter.human_readable_name}{'' if parameter.required else '?'}{several}"


def _context(parameter: click.Parameter) -> click.Context:
    return click.Context(click.Command(parameter.name or ""))
