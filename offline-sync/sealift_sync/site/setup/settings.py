"""settings.toml of a site: read strictly, since a misspelt setting is one not in force."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sealift_signing import disk
from sealift_signing.errors import UsageError
from sealift_signing.vocabulary import NAME

PREFIX = "SEALIFT_"
FIRST_SETTINGS = """\
# Settings of this Sealift site. A setting that is not known is an error.
# SEALIFT_LIMITS__LEAST_FREE_MIB=100 in the environment overrides the one in this file.

[limits]
least_free_mib = 64  # what an import leaves free on the disk of this folder
lock_seconds = 5     # how long a command waits for another one to end
reserve_mib = 8      # what is kept for a rollback on a full disk

# What runs after a model of a host group was switched: a program and its arguments, never a shell.
# They find SEALIFT_GROUP, SEALIFT_MODEL, SEALIFT_VERSION and SEALIFT_PATH in their environment.
# If either fails, or takes longer than timeout_seconds, the model is switched back.
#
# runtime is the Python that serves the models of the group, with NumPy and ONNX Runtime. Where a
# bundle brought rows to check a model by, it has timeout_seconds to answer them as expected before
# anything is switched; else what ran goes on running.
#
# [groups.cpu]
# hook = ["/usr/bin/systemctl", "reload", "model-server"]
# health_check = ["/usr/local/bin/check-model"]
# runtime = ["/opt/model-server/bin/python"]
# timeout_seconds = 60
"""


@dataclass(frozen=True)
class Limits:
    """Whole numbers: mebibytes to leave free, seconds to wait, mebibytes kept for what stops."""

    least_free_mib: int = 64
    lock_seconds: int = 5
    reserve_mib: int = 8


@dataclass(frozen=True)
class GroupSettings:
    """What runs when a model of one host group is switched; an empty command is none."""

    hook: tuple[str, ...] = ()
    health_check: tuple[str, ...] = ()
    timeout_seconds: int = 60
    runtime: tuple[str, ...] = ()
    """The Python that serves the models of the group, to be asked check rows; likewise."""


@dataclass(frozen=True)
class Settings:
    """All settings of a site."""

    limits: Limits = field(default_factory=Limits)
    groups: Mapping[str, GroupSettings] = field(default_factory=dict)

    def group(self, name: str) -> GroupSettings:
        """The settings of a host group, the defaults if it has none."""
        return self.groups.get(name, GroupSettings())


def read_settings(file: Path, environment: Mapping[str, str]) -> Settings:
    """The settings in `file`, overridden by `environment`; the defaults if there is no file.

    Raises:
        UsageError: not TOML, a setting that is not known, or a value that none can have.
    """
    try:
        value = tomllib.loads(disk.read(file).decode())
    except FileNotFoundError:
        value = {}
    except (OSError, ValueError) as bad:
        raise _wrong(file, f"it is not readable TOML: {bad}") from bad
    _check_known(value, ("limits", "groups"), "", file)
    limits = _table(value, "limits", file)
    _check_known(limits, [one.name for one in fields(Limits)], "limits.", file)
    groups = _table(value, "groups", file)
    return Settings(
        Limits(**_override(limits, environment, file)),
        {name: _group(name, _table(groups, name, file), file) for name in groups},
    )


def _group(name: str, table: Mapping[str, Any], file: Path) -> GroupSettings:
    where = f"groups.{name}."
    if not NAME.matches(name):
        raise _wrong(file, f"{name!r} is not a name that a host group can have")
    _check_known(table, [one.name for one in fields(GroupSettings)], where, file)
    seconds = _number(table.get("timeout_seconds", 60), f"{where}timeout_seconds", file)
    runtime = _command(table, where, "runtime", file)
    # Either would look as if the runtime were asked, and it never was.
    if "runtime" in table and not "".join(runtime[:1]):
        raise _wrong(file, f"{where}runtime names no program; leave it out where there is none")
    if runtime and not seconds:
        raise _wrong(file, f"{where}timeout_seconds is 0, and its runtime needs time to answer")
    return GroupSettings(
        _command(table, where, "hook", file),
        _command(table, where, "health_check", file),
        seconds,
        runtime,
    )


def _command(table: Mapping[str, Any], where: str, name: str, file: Path) -> tuple[str, ...]:
    command = table.get(name, [])
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        raise _wrong(file, f"{where}{name} is not a list of strings: a program and its arguments")
    return tuple(command)


def _override(
    limits: Mapping[str, Any], environment: Mapping[str, str], file: Path
) -> dict[str, int]:
    found = {name: _number(value, f"limits.{name}", file) for name, value in limits.items()}
    known = {f"{PREFIX}LIMITS__{one.name.upper()}": one.name for one in fields(Limits)}
    for variable, value in environment.items():
        if not variable.startswith(f"{PREFIX}LIMITS__"):
            continue  # a hub on the same machine has sections of its own
        if variable not in known:
            raise _wrong(file, f"the environment sets {variable}, which is not a setting")
        found[known[variable]] = _number(_digits(value), variable, file)
    return found


def _digits(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _number(value: object, where: str, file: Path) -> int:
    if type(value) is not int or not 0 <= value <= 2**31:
        raise _wrong(file, f"{where} is not a whole number of at least 0")
    return value


def _table(value: Mapping[str, Any], name: str, file: Path) -> Mapping[str, Any]:
    table = value.get(name, {})
    if not isinstance(table, dict):
        raise _wrong(file, f"{name} is not a table")
    return table


def _check_known(table: Mapping[str, Any], known: Any, where: str, file: Path) -> None:  # noqa: ANN401 - any container of names
    for name in table:
        if name not in known:
            raise _wrong(file, f"{where}{name} is not a setting")


def _wrong(file: Path, why: str) -> UsageError:
    return UsageError(
        "bad-settings",
        f"The settings in {file} cannot be used: {why}.",
        subject=str(file),
        next_step="Mend the file; the comments that it was made with say what it may hold.",
    )
