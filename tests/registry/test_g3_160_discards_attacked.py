"""Whoever has the database has nothing discarded, nothing removed, and no discard look undone.

What was discarded stands in entries that the log's key signed. Rows find them, and say nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import func, insert, select, text

from sealift_registry import fsck
from sealift_registry.app import open_app
from sealift_registry.audit.tables import log_entry, log_term
from sealift_registry.blob_fsck import examine
from sealift_registry.catalog import discards
from sealift_registry.gc.collecting import collect, look
from sealift_signing.canonical import Json
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import body_of, new_entry
from sealift_signing.transparency.merkle import leaf_hash
from tests.registry.hub_fixture import MODEL, TARGET, Acme, stage, version
from tests.registry.test_g1_260_rows_taken_out import take_out
from tests.registry.test_g1_264_entries_as_signed import edited
from tests.registry.test_g3_150_discarding import (
    ONE,
    THREE,
    TWO,
    VARIANT,
    apart,
    collected,
    discard,
    there,
)
from tests.site_on_paper import SiteOnPaper
from tests.stores import unguard

__all__ = ["apart"]
DISCARDED, RESTORED = "artifact.discarded", "artifact.restored"


def restored(acme: Acme) -> None:
    """The variant was discarded, and is back."""
    discard(acme, VARIANT)
    acme.convert(2)
    assert acme.types()[-1] == RESTORED


def hidden(acme: Acme) -> None:
    """The entry is listed as one of another type."""
    with acme.stranger() as connection:
        unguard(connection)
        connection.execute(
            text("UPDATE log_entry SET type = 'x.y' WHERE type = 'artifact.restored'")
        )
    acme.close()


def deleted(acme: Acme) -> None:
    seq = "(SELECT seq FROM log_entry WHERE type = 'artifact.restored')"
    take_out(acme, ("log_term", f"seq = {seq}"), ("log_entry", f"seq = {seq}"))


def unfound(acme: Acme) -> None:
    """The entry is found by no word any more."""
    seq = "(SELECT seq FROM log_entry WHERE type = 'artifact.restored')"
    take_out(acme, ("log_term", f"seq = {seq}"))


def of_another(acme: Acme) -> None:
    """The entry says that another form was restored."""
    edited(acme, RESTORED, data={"artifact": f"catalog/{ONE}/{TARGET}"})


@pytest.mark.parametrize("attack", [hidden, deleted, unfound, of_another])
def test_g3_160_what_is_back_goes_by_no_row(hub: Acme, attack: Callable[[Acme], None]) -> None:
    restored(hub)
    before = there(hub)
    attack(hub)
    for act in (look, lambda one, told: collect(one, "dora", told)):
        with pytest.raises(SealiftError) as told:
            act(open_app(hub.root, {}).hub, stage)
        assert told.value.code in {"gc-not-sound", "log-damaged"}
    hub.close()
    assert there(hub) == before


def behind_the_end(acme: Acme) -> None:
    """An entry that nobody signed, behind the last one that was."""
    data: dict[str, Json] = {
        "version": TWO,
        "artifacts": [{"path": f"catalog/{VARIANT}", "sha256": _manifest(acme)}],
        "reason": "mine",
    }
    entry = new_entry(DISCARDED, "mallory", acme.app.hub.now(), data, [])
    body = body_of(entry)
    with acme.behind() as connection:
        seq = connection.execute(select(func.max(log_entry.c.seq))).scalar_one() + 1
        connection.execute(
            insert(log_entry).values(
                seq=seq,
                leaf=leaf_hash(body),
                body=body,
                id=entry.id,
                type=entry.type,
                recorded_at=entry.at,
                actor=entry.actor,
            )
        )
        word = {"kind": "model", "value": MODEL, "seq": seq}
        connection.execute(insert(log_term).values(**word))
    acme.close()


def _manifest(acme: Acme) -> str:
    with acme.app.hub.reading() as connection:
        query = text("SELECT sha256 FROM artifact WHERE path = :path")
        return str(connection.execute(query, {"path": f"catalog/{VARIANT}"}).scalar_one())


def of_an_older_entry(acme: Acme) -> None:
    """An entry that is there says that it is one."""
    artifacts = [{"path": f"catalog/{VARIANT}", "sha256": _manifest(acme)}]
    edited(acme, "variant.built", type=DISCARDED, data={"artifacts": artifacts, "reason": "mine"})
    with acme.stranger() as connection:
        connection.execute(
            text(
                "UPDATE log_entry SET type = 'artifact.discarded' WHERE seq = "
                "(SELECT max(seq) FROM log_entry WHERE type = 'variant.built')"
            )
        )


@pytest.mark.parametrize("attack", [behind_the_end, of_an_older_entry])
def test_g3_161_a_forged_entry_discards_nothing(hub: Acme, attack: Callable[[Acme], None]) -> None:
    before = there(hub)
    attack(hub)
    with hub.app.hub.reading() as connection:
        for read in (discards.of_all, lambda one: discards.of_version(one, version(2))):
            try:
                found = read(connection)
            except SealiftError as bad:
                assert bad.code == "log-damaged"  # noqa: PT017 - else it is none
            else:
                assert found == {}
    with pytest.raises(SealiftError):
        collect(open_app(hub.root, {}).hub, "dora", stage)
    hub.close()
    assert there(hub) == before


@pytest.mark.parametrize("table", ["artifact", "evidence", "model_version"])
def test_g3_162_a_row_of_what_was_discarded_is_missed_all_the_same(hub: Acme, table: str) -> None:
    discard(hub, VARIANT)
    before = there(hub)
    take_out(hub, (table, "true"))
    with pytest.raises(SealiftError) as told:
        collect(open_app(hub.root, {}).hub, "dora", stage)
    assert told.value.code == "gc-not-sound"
    assert there(hub) == before


def test_g3_162_a_form_that_takes_the_place_of_one_that_was_discarded(hub: Acme) -> None:
    """Its row names the other manifest, so that gc would take that for what may go."""
    discard(hub, VARIANT)
    before = there(hub)
    with hub.stranger() as connection:
        unguard(connection)
        connection.execute(
            text(
                "UPDATE artifact SET sha256 = (SELECT sha256 FROM artifact WHERE path = :other) "
                "WHERE path = :path"
            ),
            {"path": f"catalog/{VARIANT}", "other": f"catalog/{ONE}/{TARGET}"},
        )
    hub.close()
    with pytest.raises(SealiftError) as told:
        collect(open_app(hub.root, {}).hub, "dora", stage)
    assert told.value.code == "gc-not-sound"
    assert there(hub) == before


def test_g3_163_fsck_finds_no_fault_in_what_was_discarded(hub: Acme) -> None:
    discard(hub, TWO)
    with hub.app.hub.reading() as connection:
        assert [one.sentence for one in fsck.check(connection)] == []
    restored_source = hub.ingest(2, hub.goldens())
    assert restored_source.restored
    hub.convert(2)
    with hub.app.hub.reading() as connection:
        assert [one.sentence for one in fsck.check(connection)] == []


@pytest.mark.parametrize(
    "table", ["site", "receipt", "site_state", "bundle", "listing", "promotion", "tuf_metadata"]
)
def test_g3_164_rows_of_who_needs_it_that_were_taken_out_let_nothing_go(
    ready: Acme, plant: SiteOnPaper, table: str
) -> None:
    """Whether it is then discarded or not: gc reads all of it anew, and misses the row."""
    plant.take(ready.export().folder)
    ready.app.returns.receive(ready.returned(plant))
    ready.unassign()
    only = {"tuf_metadata": "role LIKE 'site.%'"}
    take_out(ready, (table, only.get(table, "true")))
    before = there(ready)
    with suppress(SealiftError):  # it may be missed here already
        discard(ready, ONE)
    ready.close()
    with pytest.raises(SealiftError) as told:
        collect(open_app(ready.root, {}).hub, "dora", stage)
    assert told.value.code == "gc-not-sound"
    assert there(ready) == before


def test_g3_167_with_a_damaged_log_blobs_are_looked_for_and_none_removed(apart: Acme) -> None:
    """What was discarded is not known then: rather too much is missed than nothing looked for."""
    discard(apart, f"{THREE}/{TARGET}")
    assert collected(apart).removed_discarded.blobs
    assert examine(apart.app.hub, stage).losses == ()
    edited(apart, DISCARDED, data={"reason": "another"})
    losses = examine(apart.app.hub, stage).losses
    assert [part.path.form for one in losses for part in one.parts] == [TARGET]
    with pytest.raises(SealiftError):
        look(apart.app.hub, stage)
