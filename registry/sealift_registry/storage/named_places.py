"""`[sources.NAME]` and `[exports.NAME]` of settings.toml: where a server may read, and write.

Who asks over HTTP names one of them. No path and no address of theirs is ever opened, and a
source's credential, which the worker's environment holds, goes to that source alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from sealift_registry.storage.server_settings import is_loopback
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError, UsageError
from sealift_signing.vocabulary import NAME

SOURCE_KINDS = ("mlflow", "dvc")
ALL = "*"
"""Every team, or every site."""
CREDENTIAL = "SEALIFT_CREDENTIAL_"
"""How the variables of credentials begin: `…NAME_USERNAME`, `…NAME_PASSWORD`, `…NAME_TOKEN`."""
_CREDENTIAL_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_BY_SSH = re.compile(r"[a-z0-9._-]+@[A-Za-z0-9.-]+:[^/:].*")
"""`git@host:team/models`, which is no URL."""
NEXT = "Mend it; docs/reference/settings.md says what it may be."


@dataclass(frozen=True)
class SourceSettings:
    """A place that models may be taken in from by who asks over HTTP.

    Attributes:
        kind: `mlflow` or `dvc`.
        origin: the tracking server's address, or the Git repository's.
        root: what is read there: in a repository a folder, in a registry how the names of models
            begin. Empty: all of it.
        credential: the name of its credential in the workers' environment. Empty: none.
        teams: for whose models, with commas between; `*`: everybody's.
    """

    kind: str = ""
    origin: str = ""
    root: str = ""
    credential: str = ""
    teams: str = ""

    def is_for(self, team: str) -> bool:
        """Whether models of this team may come from there."""
        return _has(self.teams, team)


@dataclass(frozen=True)
class ExportSettings:
    """A folder of this host that bundles may be written to by who asks over HTTP.

    Attributes:
        folder: its path; the medium that is mounted there, or what a gateway takes away.
        sites: whose, with commas between; `*`: everybody's.
    """

    folder: str = ""
    sites: str = ""

    def is_for(self, site: str) -> bool:
        """Whether bundles for this site may be written there."""
        return _has(self.sites, site)


N = TypeVar("N", SourceSettings, ExportSettings)


def read_named(kind: type[N], section: str, given: object, path: Path) -> dict[str, N]:
    """The entries of `[sources]` or `[exports]`.

    Raises:
        UsageError: there is something else, or one cannot be meant.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise unknown_setting(f"[{section}]", path)
    return {name: _entry(kind, f"{section}.{name}", one, path) for name, one in given.items()}


def _entry(kind: type[N], name: str, given: object, path: Path) -> N:
    if not isinstance(given, dict) or not NAME.matches(name.partition(".")[2]):
        raise unknown_setting(name, path)
    known = {one.name for one in fields(kind)}
    for setting, value in given.items():
        if setting not in known:
            raise unknown_setting(f"{name}.{setting}", path)
        if not isinstance(value, str):
            raise _bad(f"{name}.{setting}", path, "must be text in quotes")
    found = kind(**given)
    if isinstance(found, SourceSettings):
        _check_source(found, name, path)
    else:
        _check_export(found, name, path)
    return found


def _check_source(one: SourceSettings, name: str, path: Path) -> None:
    if one.kind not in SOURCE_KINDS:
        raise _bad(f"{name}.kind", path, f"must be one of: {', '.join(SOURCE_KINDS)}")
    _check_origin(one, name, path)
    if one.root and (one.root.startswith("/") or ".." in one.root.split("/")):
        raise _bad(f"{name}.root", path, "must stay within its origin: no / before it, and no ..")
    if one.credential and not _CREDENTIAL_NAME.fullmatch(one.credential):
        raise _bad(
            f"{name}.credential",
            path,
            "is the name of a credential, in capitals, and never one itself",
        )
    _check_names(one.teams, f"{name}.teams", path, "teams")


def _check_origin(one: SourceSettings, name: str, path: Path) -> None:
    setting, parts = f"{name}.origin", _split(one.origin)
    if parts is None:
        raise _bad(setting, path, "must be an address")
    if parts.password is not None or (parts.username and parts.scheme != "ssh") or parts.query:
        raise _bad(setting, path, "must hold no user, password or question: credential names those")
    by_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    here = {
        "mlflow": one.origin.startswith("sqlite:////"),
        "dvc": one.origin.startswith("/")
        or parts.scheme == "ssh"
        or bool(_BY_SSH.fullmatch(one.origin)),
    }[one.kind]
    if not (by_web or here):
        raise _bad(setting, path, f"is none that {one.kind} is read from")
    if one.credential and not by_web:
        raise _bad(f"{name}.credential", path, "is for an origin at https:// alone")
    if one.credential and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise _bad(setting, path, "must be at https://: its credential would go there in the clear")


def _check_export(one: ExportSettings, name: str, path: Path) -> None:
    if not one.folder.startswith("/") or ".." in one.folder.split("/"):
        raise _bad(f"{name}.folder", path, "must be a whole path, such as /media/out")
    _check_names(one.sites, f"{name}.sites", path, "sites")


def _check_names(text: str, setting: str, path: Path, what: str) -> None:
    names = _names(text)
    if not names or not (names == [ALL] or all(map(NAME.matches, names))):
        raise _bad(setting, path, f"must name {what}, with commas between, or be {ALL} for all")


def _names(text: str) -> list[str]:
    return [one for one in map(str.strip, text.split(",")) if one]


def _has(text: str, name: str) -> bool:
    return bool({name, ALL} & set(_names(text)))


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    usable = address.isascii() and address.isprintable() and " " not in address
    return parts if address and usable else None


def _bad(setting: str, path: Path, what: str) -> UsageError:
    return UsageError(
        "bad-setting", f"{setting} in {path} {what}.", subject=setting, next_step=NEXT
    )


def unknown_setting(name: str, path: Path) -> UsageError:
    """The error where settings.toml has a setting that there is not."""
    return UsageError(
        "unknown-setting",
        f"{path} has a setting {name} that is not known.",
        subject=name,
        next_step="Check its spelling in docs/reference/settings.md, or remove it.",
    )


def credential(name: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """What the environment has under a credential's name: `USERNAME`, `PASSWORD`, `TOKEN`.

    Raises:
        UsageError: nothing.
    """
    if not name:
        return {}
    prefix = f"{CREDENTIAL}{name}_"
    found = {
        part: environment[prefix + part]
        for part in ("USERNAME", "PASSWORD", "TOKEN")
        if environment.get(prefix + part)
    }
    if not found:
        raise UsageError(
            "no-credential",
            f"The credential {name} is not in the environment of this process.",
            subject=name,
            next_step=f"Give the worker {prefix}USERNAME and {prefix}PASSWORD, or {prefix}TOKEN.",
        )
    return found


def export_folder(exports: Mapping[str, ExportSettings], name: str, site: str) -> ExportSettings:
    """The folder of that name, for bundles for a site.

    Raises:
        NotFoundError: there is none for the site.
    """
    found = exports.get(name)
    if found is None or not found.is_for(site):
        there = sorted(one for one, said in exports.items() if said.is_for(site))
        raise no_export_folder(name, site, there)
    return found


def no_export_folder(name: str, site: str, there: Sequence[str]) -> NotFoundError:
    """The error where there is no such folder; `there` are the names of those that there are."""
    return NotFoundError(
        "no-export-folder",
        f"There is no folder {word(name)} for bundles to {site}.",
        subject=name,
        next_step=f"There are: {', '.join(there)}."
        if there
        else "Have one named in settings.toml, [exports.NAME].",
    )
