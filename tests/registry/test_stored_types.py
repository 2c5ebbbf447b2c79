"""SQLite keeps anything in any column: what is there is refused by its name, and no surprise."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Table

from sealift_registry import fsck, guide
from sealift_registry.audit.reading import LogReader
from sealift_registry.shown.about import all_about
from sealift_registry.storage.schema import BytesType, Number, Text, metadata
from sealift_registry.trust.repository import Repository
from sealift_signing import roles
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.checkpoint import hub_origin
from tests.registry.hub_fixture import SITE, TEAM, Acme, version
from tests.registry.test_stored_sites import home, no_triggers  # noqa: F401 - a fixture

Reading = Callable[[Acme], object]

WRONG: dict[type[Any], tuple[Any, ...]] = {
    BytesType: ("text", 7, 1.5),
    Text: (b"\xff\x00",),
    Number: ("many", b"\x07", 1.5),
}
"""What SQLite puts into a column of each type, and leaves as it is."""


def every_finding(acme: Acme) -> list[str]:
    with acme.app.hub.reading() as connection:
        return [one.sentence for one in fsck.check(connection)]


def the_log(acme: Acme) -> object:
    hub = acme.app.hub
    with hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
    return LogReader(hub.database).fsck(hub.online.public("log"), origin)


def shown(what: str) -> Reading:
    def reading(acme: Acme) -> object:
        with acme.app.hub.reading() as connection:
            return all_about(acme.app.hub, connection, what)

    return reading


def next_steps(acme: Acme) -> object:
    return guide.missing(acme.app.hub, acme.app.hardware_targets)


READINGS: list[Reading] = [
    every_finding,
    the_log,
    next_steps,
    shown(SITE),
    shown(f"{SITE}-000001"),
    shown(str(version(1))),
    shown("P-000001"),
    lambda acme: acme.renew(roles.team_role(TEAM), "anna", "ben"),
    lambda acme: acme.assign(),
    lambda acme: acme.export(),
]


def spoiled(acme: Acme, table: Table, most: int) -> Iterator[str]:
    """Each column of the last row of `table` with `most` things not of its type, in turn."""
    key = [column.name for column in table.primary_key]
    with closing(sqlite3.connect(acme.folder / "hub" / "sealift.db", isolation_level=None)) as raw:
        raw.row_factory = sqlite3.Row
        last = f"SELECT * FROM {table.name} ORDER BY {key[-1]} DESC LIMIT 1"  # noqa: S608 - ours
        row = raw.execute(last).fetchone()
        for column in table.columns if row else ():
            for wrong in WRONG[type(column.type)][:most]:
                change = f"UPDATE OR REPLACE {table.name} SET {column.name} = ? WHERE "  # noqa: S608 - ours
                change += " AND ".join(f"{name} IS ?" for name in key)
                values = {name: row[name] for name in key}
                try:
                    raw.execute(change, (wrong, *values.values()))
                except (
                    sqlite3.IntegrityError
                ):  # it numbers the rows themselves, and takes nothing else
                    continue
                yield f"{table.name}.{column.name} = {wrong!r}"
                changed = values | ({column.name: wrong} if column.name in values else {})
                raw.execute(change, (row[column.name], *changed.values()))


SMALLER = (
    *("tuf_document", "tuf_metadata", "tuf_online", "tuf_online_body"),
    *("site", "transfer", "log_term", "receipt", "approval"),
)


@pytest.mark.parametrize("name", SMALLER)
def test_t0_168_what_is_not_of_a_columns_type_is_named(home: Acme, name: str) -> None:  # noqa: F811
    check_named(home, metadata.tables[name], 1)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_t0_169_whatever_is_not_of_a_columns_type_is_named(home: Acme, name: str) -> None:  # noqa: F811
    check_named(home, metadata.tables[name], 3)


def check_named(acme: Acme, table: Table, most: int) -> None:
    """Nothing that reads the hub meets it as a surprise, and fsck names its table."""
    no_triggers(acme)
    surprises, silent = [], []
    for what in spoiled(acme, table, most):
        for number, reading in enumerate(READINGS):
            try:
                said = reading(acme)
            except SealiftError:
                continue
            except Exception as bad:  # noqa: BLE001 - it is what must not come
                surprises.append((what, number, repr(bad)))
            else:
                if number == 0 and not any(table.name in one for one in said):  # type: ignore[attr-defined]
                    silent.append(what)
    assert not surprises
    assert not silent
