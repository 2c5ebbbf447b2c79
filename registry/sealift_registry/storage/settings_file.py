"""Writing settings.toml: a new one, or changes, beside which what people wrote stays as it is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sealift_registry.storage.home import SETTINGS, Home, Settings
from sealift_signing import disk, file_access
from sealift_sync import durable

WAITING = "settings.toml.new"
"""The same, until the hub is founded."""
BEFORE = "settings.toml.before"
"""What it was, where it could only be written anew: comments of people would be lost."""

Values = Mapping[str, Mapping[str, str]]
"""Settings by their section's name and their own."""


def write_settings(home: Home) -> None:
    """Write settings.toml under another name, while nothing is founded that could not be undone."""
    durable.write(home.root / WAITING, _text(home.settings).encode())


def waits(home: Home) -> bool | None:
    """Whether settings.toml waits there for its name with these settings; None if none waits."""
    try:
        text = disk.read(home.root / WAITING).decode()
    except OSError:
        return None
    return tomllib.loads(text) == tomllib.loads(_text(home.settings))


def put_in_force(home: Home) -> None:
    """Give settings.toml its name: the last step of setting up, since it makes the folder a hub."""
    try:
        (home.root / WAITING).rename(home.root / SETTINGS)
    except FileNotFoundError:  # another process has finished what one had begun
        if not (home.root / SETTINGS).exists():
            raise
    durable.flush_folder(home.root)


def _text(settings: Settings) -> str:
    return "\n".join(section_text(name, one) for name, one in settings.sections.items())


def change(home: Home, values: Values) -> None:
    """Put `values` into the home's settings.toml, in one rename.

    Raises:
        FailedError: it could not be written; it is as it was.
    """
    path = home.root / SETTINGS
    text = disk.read(path).decode()
    found = tomllib.loads(text)
    wanted = {**found, **{name: {**found.get(name, {}), **new} for name, new in values.items()}}
    if wanted == found:
        return
    changed = text
    for name, new in values.items():
        changed = _in_section(changed, name, new)
    if _parsed(changed) != wanted:  # it is written in some other way, such as `blobs.url = …`
        durable.write(home.root / BEFORE, text.encode(), mode=file_access.FILE)
        changed = "\n".join(_tables(wanted))
    durable.write(path, changed.encode())


def changed(settings: Settings, values: Values) -> Settings:
    """The settings with `values` in them."""
    sections = {name: replace(getattr(settings, name), **new) for name, new in values.items()}
    return replace(settings, **sections)


def _parsed(text: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _tables(found: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The sections of a file, and those within them (`[sources.lab]`)."""
    for name, section in found.items():
        within = {one: value for one, value in section.items() if isinstance(value, dict)}
        own = {one: value for one, value in section.items() if one not in within}
        if own or not within:
            yield section_text(f"{above}{name}", own)
        yield from _tables(within, f"{above}{name}.")


def _in_section(text: str, name: str, values: Mapping[str, str]) -> str:
    """`text` with the values below `[name]`, which is added at its end where it is not there."""
    lines = text.splitlines(keepends=True)
    head = next((at for at, line in enumerate(lines) if _is_head(line, name)), None)
    if head is None:
        end = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{end}\n{section_text(name, values)}"
    if not lines[head].endswith("\n"):
        lines[head] += "\n"
    after = (at for at in range(head + 1, len(lines)) if lines[at].lstrip().startswith("["))
    below = next(after, len(lines))
    for setting, value in values.items():
        line = setting_text(setting, value)
        pattern = re.compile(rf"\s*{re.escape(setting)}\s*=")
        at = next((at for at in range(head + 1, below) if pattern.match(lines[at])), None)
        if at is None:
            lines.insert(head + 1, line)
            below += 1
        else:
            lines[at] = line
    return "".join(lines)


def _is_head(line: str, name: str) -> bool:
    return re.fullmatch(rf"\s*\[\s*{re.escape(name)}\s*\]\s*(#.*)?", line.rstrip("\n")) is not None


def section_text(name: str, values: Mapping[str, str | int]) -> str:
    """A section as settings.toml has it."""
    return f"[{name}]\n{''.join(setting_text(*one) for one in values.items())}"


def setting_text(setting: str, value: str | int) -> str:
    """A line of settings.toml."""
    return f"{setting} = {_toml(value)}\n"


def _toml(value: str | int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False)  # a TOML basic string has JSON's escapes
