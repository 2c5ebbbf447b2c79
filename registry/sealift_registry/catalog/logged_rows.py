"""Whether the rows of versions and of their forms say what the log says of them.

No statement covers them: what was taken in, under which number, alias and with which goldens, and
what was built from it, stands in the entries of the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Table, select

from sealift_registry.catalog import tables
from sealift_registry.catalog.logged import BUILT, GOLDENS, INGESTED, REQUESTED, SEEN_AGAIN
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust import signed_log
from sealift_signing.drawing import word
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.verdict import LogFault, apart
from sealift_signing.vocabulary import SOURCE, CatalogPath

AnyRow = Row[tuple[Any, ...]]
Identity = Callable[[bytes], "tuple[str, tuple[str, ...]]"]
"""Gives what makes a source record the same version again, and the aliases in it."""


class _Form(NamedTuple):
    """What an entry says of an artifact, None where it does not say it."""

    manifest: str | None
    recipe: str | None = None


@dataclass
class _Logged:
    """What the log says of the catalog.

    Attributes:
        versions: what was said when each was taken in.
        goldens: of each version, the oldest first.
        unnamed: the versions whose first goldens no entry names: they were taken in before any did.
        aliases: those that each got after it was taken in.
        forms: the artifacts, by their paths.
        promotions: the names that were given to any.
        twice: what has a name that was given before.
    """

    versions: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    goldens: dict[str, list[str]] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)
    aliases: dict[str, set[str]] = field(default_factory=dict)
    forms: dict[str, _Form] = field(default_factory=dict)
    promotions: set[str] = field(default_factory=set)
    twice: list[str] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Take in what the next entry says."""
        data: Mapping[str, Any] = entry.data
        if entry.type == BUILT:
            self.forms[data["artifact"]] = _Form(data["sha256"], data.get("recipe"))
            return
        if entry.type == REQUESTED:
            self._add_promotion(data)
            return
        name = data["version"]
        if entry.type == INGESTED:
            self.twice += [f"The version {word(name)} was taken in"] * (name in self.versions)
            self.versions[name] = data
            self.forms[str(VersionRef.parse(name).path(SOURCE))] = _Form(data.get("artifact"))
            if GOLDENS not in data:
                self.unnamed.add(name)
        else:
            self.aliases.setdefault(name, set()).update(data["aliases"])
        if data.get(GOLDENS):
            self.goldens.setdefault(name, []).append(data[GOLDENS])

    def _add_promotion(self, data: Mapping[str, Any]) -> None:
        name = data["promotion"]
        self.twice += [f"The promotion {word(name)} was asked for"] * (name in self.promotions)
        self.promotions.add(name)


def check(connection: Connection, identity: Identity) -> Iterator[LogFault]:
    """Every row of a version, an alias, goldens or an artifact that the log knows otherwise."""
    said = _Logged()
    aliases: dict[str, set[str]] = {}
    yield from apart("What the log says of versions", _read(connection, said))
    parts = {
        tables.model_version: partial(_versions, said, identity, aliases),
        tables.version_alias: partial(_aliases, said, aliases),
        tables.goldens: partial(_goldens, said),
        tables.artifact: partial(_artifacts, said),
    }
    for table, one in parts.items():
        yield from apart(f"The rows of {table.name}", one(_rows(connection, table)))


def _read(connection: Connection, said: _Logged) -> Iterator[LogFault]:
    """Put what entries say into `said`, the oldest first."""
    for entry in signed_log.oldest_first(connection, INGESTED, SEEN_AGAIN, BUILT, REQUESTED):
        said.add(entry)
    for what in said.twice:
        yield LogFault("number-given-twice", f"{what} twice, by the log.", None)


def _rows(connection: Connection, table: Table) -> Iterator[AnyRow]:
    return all_rows(connection, select(table).order_by(*table.primary_key))


def _name(row: AnyRow) -> str:
    return f"{row.team}/{row.model}/{row.number}"


def _versions(
    said: _Logged, identity: Identity, aliases: dict[str, set[str]], rows: Iterator[AnyRow]
) -> Iterator[LogFault]:
    """Each version was taken in as its row says; `aliases` gets those of their records."""
    missing = set(said.versions)
    for row in rows:
        name, digest = _name(row), sha256(bytes(row.source)).hexdigest()
        missing.discard(name)
        if name not in said.versions:
            yield _unknown(f"The version {word(name)}")
            continue
        logged = said.versions[name]
        known = {
            "source_record": row.source_sha256,
            "source": row.source_version,
            "format": row.format,
        }
        if any(logged.get(one, value) != value for one, value in known.items()):
            yield _otherwise(f"the version {word(name)}")
        elif digest != row.source_sha256:
            yield _otherwise(f"the source of version {word(name)}")
        elif "source_record" in logged:
            mine, named = identity(bytes(row.source))
            aliases[name] = set(named)
            if mine != row.identity:
                yield _otherwise(f"the identity of version {word(name)}")
    for name in sorted(missing):
        yield _missing(f"The version {word(name)}")


def _aliases(
    said: _Logged, records: Mapping[str, set[str]], rows: Iterator[AnyRow]
) -> Iterator[LogFault]:
    """Each alias was asked for, and none is missing."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(_name(row), set()).add(row.alias)
    for name in sorted(found.keys() | records.keys() | said.aliases.keys()):
        if name in said.versions and name not in records:
            continue  # its source is not what the log says, or the log does not say it
        have = found.get(name, set())
        wanted = records.get(name, set()) | said.aliases.get(name, set())
        for alias in sorted(have - wanted):
            yield _unknown(f"The alias {word(alias)} of {word(name)}")
        for alias in sorted(wanted - have):
            yield _missing(f"The alias {word(alias)} of {word(name)}")


def _goldens(said: _Logged, rows: Iterator[AnyRow]) -> Iterator[LogFault]:
    """The goldens of each version are those that were given, in their turns."""
    found: dict[str, dict[int, str]] = {}
    for row in rows:
        found.setdefault(_name(row), {})[row.turn] = row.sha256
    for name in sorted(found.keys() | said.goldens.keys()):
        have, wanted = found.get(name, {}), dict(enumerate(said.goldens.get(name, ()), 1))
        if name in said.unnamed and len(have) > len(wanted) and 1 in have:
            wanted = {1: have[1], **{turn + 1: one for turn, one in wanted.items()}}
        for turn in sorted(have.keys() | wanted.keys()):
            what = f"oldens of {word(name)} in turn {turn}"
            if turn not in wanted:
                yield _unknown(f"The g{what}")
            elif turn not in have:
                yield _missing(f"The g{what}")
            elif have[turn] != wanted[turn]:
                yield _otherwise(f"the g{what}")


def _artifacts(said: _Logged, rows: Iterator[AnyRow]) -> Iterator[LogFault]:
    """Each artifact was taken in or built as its row says."""
    missing = set(said.forms)
    for row in rows:
        missing.discard(row.path)
        logged = said.forms.get(row.path)
        if logged is None:
            yield _unknown(f"The artifact {word(row.path)}")
            continue
        recipe = None if row.recipe is None else sha256(bytes(row.recipe)).hexdigest()
        place = CatalogPath(row.team, row.model, row.number, row.form)
        if (
            str(place) != row.path
            or (logged.manifest or row.sha256) != row.sha256
            or (logged.recipe or recipe) != recipe
        ):
            yield _otherwise(f"the artifact {word(row.path)}")
    for path in sorted(missing):
        yield _missing(f"The artifact {word(path)}")


def _unknown(what: str) -> LogFault:
    sentence = f"{what} is in the database, and no entry of the log says so."
    return LogFault("row-not-logged", sentence, None)


def _otherwise(what: str) -> LogFault:
    return LogFault("row-differs", f"The log says otherwise of {what} than its row does.", None)


def _missing(what: str) -> LogFault:
    return LogFault("row-missing", f"{what} is in the log, and has no row.", None)
