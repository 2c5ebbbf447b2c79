"""Whoever may add rows, and holds no key, adds none that is taken for what somebody did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Table, delete, func, insert, select

from sealift_migrations.table_rules import RULES
from sealift_registry import fsck
from sealift_registry.audit.reading import LogReader
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.tables import goldens
from sealift_registry.catalog.tables import statement as statements
from sealift_registry.storage.schema import BytesType, Number
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.entry import body_of
from sealift_signing.transparency.merkle import leaf_hash
from tests.registry.hub_fixture import MODEL, Acme, version
from tests.registry.test_migrations import all_tables

LAST = 2**63 - 1
"""The largest number that a column holds."""

ADDED = sorted(name for name, rule in RULES.items() if "INSERT" in rule.privileges)
"""Every table that the hub's role adds rows to."""

OF_A_VERSION = {"team": "vision", "model": "tiny", "number": 1}
FORGED: dict[str, dict[str, Any]] = {
    "approval": {"sha256": "evidence"},
    "artifact": {"path": f"catalog/{MODEL}/1/forged", "form": "forged"},
    "bundle": {"transfer": "forged", "sha256": "forged"},
    "evidence": {"sha256": "request"},
    "goldens": {"turn": 9000},
    "listing": {"stage": "forged"},
    "log_entry": {"seq": 9000, "id": "forged"},
    "log_term": {"value": "forged"},
    "model_version": {"number": 9000, "identity": "forged"},
    "objection": {"sha256": "evidence", "promotion": 1},
    "promotion": {"number": 9000, "request": "evidence"},
    "transfer": {"number": 9000, "id": "plant-7-009000"},
    "tuf_online_body": {"version": 9000},
    "version_alias": OF_A_VERSION,
}
"""What a forged row says otherwise than the one that it is like; by itself, another key.

A statement's digest is of the first of that kind.
"""

NAMED_BY_NOBODY = {
    "job_attempt": "it says who may record something now, and lets nobody do so without its token",
    "job_setback": "it says until when a job waits, which is no longer than the longest pause",
    "build_order": "builders build it, and the hub takes no result of it",
    "build_result": "it counts by the signature in it alone, and is taken out otherwise",
    "blob_claim": "a blob more is kept, until its holder has ended",
    "condemned_blob": "whoever needs that blob puts it anew",
    "derived_table": "it names tables that were filled; which rows they lack is found by the logs",
    "account_challenge": "it is answered by a signature, once by the log",
    "one_time_code": "one code more counts as used",
    "sign_in_failure": "somebody waits, no longer than the longest pause",
    "once_answer": "a request that was not made is answered, and nothing is done",
    "seen_ahead": "a note that the log's key did not sign is passed over",
}
"""Where a row of nobody's changes nothing, and why."""


def forged(acme: Acme, table: Table) -> dict[str, Any]:
    """A row that is not there yet, like one that is."""
    with acme.behind() as connection:
        row = connection.execute(select(table).limit(1)).mappings().first()
        t = statements.c
        kinds = select(t.kind, func.min(t.sha256)).group_by(t.kind)
        digests = dict(map(tuple, connection.execute(kinds)))
    other = FORGED.get(table.name)
    made = dict(row or {})
    for column in table.columns:
        if column.name not in made or (other is None and column.primary_key):
            numbers, blobs = (isinstance(column.type, one) for one in (Number, BytesType))
            made[column.name] = 9000 if numbers else b"forged" if blobs else "forged"
    made |= other or {}
    return {
        name: digests.get(value, value) if isinstance(value, str) else value
        for name, value in made.items()
    }


def put(acme: Acme, name: str, **values: Any) -> None:  # noqa: ANN401 - of every column's type
    """Add a row like one that is there, but for `values`."""
    table = all_tables().tables[name]
    with acme.behind() as connection:
        row = dict(connection.execute(select(table).limit(1)).mappings().one())
        connection.execute(insert(table).values(**row | values))


def digest_of(acme: Acme, kind: str) -> str:
    with acme.behind() as connection:
        query = select(statements.c.sha256).where(statements.c.kind == kind)
        return str(connection.execute(query).scalars().first())


def named(acme: Acme) -> list[str]:
    """What `audit fsck` names."""
    hub = acme.app.hub
    with hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
        said = [one.sentence for one in fsck.check(connection)]
    log = LogReader(hub.database).fsck(hub.online.public("log"), origin)
    return said + [one.sentence for one in log.findings]


@pytest.mark.parametrize("name", ADDED)
def test_g1_210_a_row_of_nobodys_is_named(ready: Acme, name: str) -> None:
    ready.export()
    assert named(ready) == []
    table = all_tables().tables[name]
    row = forged(ready, table)
    with ready.behind() as connection:
        connection.execute(insert(table).values(**row))
    said = named(ready)
    if name not in NAMED_BY_NOBODY:
        assert said
        return
    assert said == []
    before = ready.types()
    ready.app.hub.log.commit_entry(ready.app.hub.entry("work.resumed", "hub", {}))
    assert ready.types() == [*before, "work.resumed"]
    assert named(ready) == []


def refused(act: Callable[[], object]) -> str:
    """Of which row it is said that nobody signed it."""
    with pytest.raises(SealiftError) as caught:
        act()
    assert caught.value.code == "row-not-logged"
    assert "sealift audit fsck" in caught.value.next_step
    return str(caught.value.subject)


def test_g1_211_no_number_follows_one_that_nobody_gave(ready: Acme) -> None:
    """Whoever adds the largest number there is would have the hub give none any more."""
    put(ready, "model_version", number=LAST, identity="forged")
    assert refused(lambda: ready.ingest(7)).endswith(f"number = {LAST}")
    put(ready, "promotion", number=LAST, request=digest_of(ready, "evidence"))
    ready.convert(2)
    assert refused(lambda: ready.request(2)) == f"promotion WHERE number = {LAST}"
    ready.export()
    put(ready, "transfer", number=LAST, id="plant-7-x", begun="2020-01-01T00:00:00.000000Z")
    assert refused(ready.export) == "transfer WHERE id = 'plant-7-x'"


def test_g1_212_goldens_that_nobody_gave_are_compared_with_nothing(ready: Acme) -> None:
    """A variant that is wrong would be found faithful on inputs of a thief's choice."""
    ref = version(1)
    ready.ingest(1, ready.goldens(2))
    with ready.app.hub.reading() as connection:
        given = Catalog(connection).goldens(ref)
    assert named(ready) == []
    put(ready, "goldens", **OF_A_VERSION, turn=9000, sha256="0" * 64)
    with ready.app.hub.reading() as connection:
        row = refused(lambda: Catalog(connection).goldens(ref))
    assert "team = 'vision' AND model = 'tiny' AND number = 1 AND turn = 9000" in row
    with ready.behind() as connection:
        connection.execute(delete(goldens).where(goldens.c.turn == 9000))
    with ready.app.hub.reading() as connection:
        assert Catalog(connection).goldens(ref) == given


def test_g1_212_nor_goldens_with_an_entry_behind_the_end(ready: Acme) -> None:
    ref, forged_ones = version(1), "0" * 64
    put(ready, "goldens", **OF_A_VERSION, turn=9000, sha256=forged_ones)
    data = {"version": str(ref), "aliases": [], "goldens": forged_ones}
    body = body_of(ready.app.hub.entry("version.seen-again", "x", data, {"model": str(ref.of)}))
    row = {"seq": 9000, "id": "x", "leaf": leaf_hash(body), "type": "version.seen-again"}
    put(ready, "log_entry", body=body, **row)
    put(ready, "log_term", seq=9000, kind="model", value=str(ref.of))
    with ready.app.hub.reading() as connection:
        assert "turn = 9000" in refused(lambda: Catalog(connection).goldens(ref))
