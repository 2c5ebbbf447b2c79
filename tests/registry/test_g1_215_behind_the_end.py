"""What lies behind the end of the log, by the word of nobody, is no part of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert

from sealift_registry.audit.tables import log_entry
from sealift_registry.trust import key_rotation
from sealift_signing.canonical import Json
from sealift_signing.transparency.entry import Entry, body_of
from sealift_signing.transparency.merkle import leaf_hash
from tests.registry.hub_fixture import Acme
from tests.registry.test_hub_cli import Capsys, Cli

FAR = 2**62
LATE = "2099-01-01T00:00:00.000000Z"


def put(acme: Acme, entry: Entry, seq: int = FAR, body: bytes | None = None) -> None:
    """What whoever may add rows adds."""
    data = body_of(entry) if body is None else body
    row = {"seq": seq, "leaf": leaf_hash(data), "body": data, "id": entry.id, "type": entry.type}
    with acme.behind() as connection:
        more = {"site": None, "recorded_at": entry.at, "actor": entry.actor}
        connection.execute(insert(log_entry).values(**row, **more))


@pytest.mark.parametrize("seq", [FAR, -1])
@pytest.mark.parametrize("at", [None, LATE])
def test_g1_215_replacing_a_stolen_key_is_put_off_by_no_entry_of_nobodys(
    acme: Acme, seq: int, at: str | None
) -> None:
    hub, ask = acme.app.hub, key_rotation.ask_of("log", "compromised")
    data: dict[str, Json] = {
        "act": ask.act,
        "object": ["log"],
        "details": {"status": ["compromised"]},
    }
    entry = hub.entry(key_rotation.ENTRY, "hub", data)
    put(acme, entry if at is None else replace(entry, at=at), seq)
    with hub.reading() as connection:
        assert not key_rotation.just_done(connection, ask, hub.now())


def test_g1_216_what_people_sign_is_how_long_the_log_is(acme: Acme) -> None:
    """Sites that were told another size would take nothing by the new key."""
    hub = acme.app.hub
    size = len(acme.types())
    put(acme, hub.entry("work.resumed", "hub", {}))
    with hub.reading() as connection:
        wanted = key_rotation.wanted(hub, connection, "log", "compromised")
    assert wanted.facts["size"] == (str(size),)


def test_g1_217_entries_of_nobodys_are_not_listed_and_stop_nothing(
    acme: Acme, capsys: Capsys
) -> None:
    hub, before = acme.app.hub, len(acme.types())
    put(acme, replace(hub.entry("work.resumed", "thief", {}), at=LATE))
    put(acme, hub.entry("work.resumed", "thief", {}), FAR + 1, b"garbage")
    put(acme, hub.entry("work.resumed", "thief", {}), -1)
    hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))
    cli = Cli(acme, capsys)
    listed = cli.json("audit", "list", "--limit", "1000")["entries"]
    assert [one["seq"] for one in listed] == list(range(before, -1, -1))
    assert "thief" not in str(listed)


def test_g1_217_a_log_that_nobody_signed_is_not_shown_as_one(acme: Acme, capsys: Capsys) -> None:
    acme.sql(
        "INSERT INTO log_checkpoint SELECT size + 9, root, frontier, leaves, note "
        "FROM log_checkpoint ORDER BY size DESC LIMIT 1"
    )
    cli = Cli(acme, capsys)
    code, said, told = cli("audit", "list")
    assert code
    assert not said
    assert "is not the one that was signed" in told
