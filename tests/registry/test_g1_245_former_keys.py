"""A key of the log that was replaced signs no end of it any more, whoever has it by now."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from securesystemslib.signer import Signer
from sqlalchemy import insert, select

from sealift_registry.app import open_app
from sealift_registry.audit import moved
from sealift_registry.audit.append import _insert_entries
from sealift_registry.audit.edge import Edge
from sealift_registry.audit.stored_hashes import stored_hashes
from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.moving import checks
from sealift_registry.trust import key_rotation, signed_log, whereabouts
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import FailedError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, hub_origin
from sealift_signing.transparency.entry import Entry, body_of
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import grow
from tests.registry.hub_fixture import Acme
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_replacing_keys import rotate

THEIRS = "postgresql://sealift_app@thief.example/hub"


def forge(acme: Acme, old: Signer, *entries: Entry) -> int:
    """Add entries, and a checkpoint over them that `old` signed: by INSERTs alone."""
    with acme.behind() as connection:
        newest = select(log_checkpoint).order_by(log_checkpoint.c.size.desc()).limit(1)
        row = connection.execute(newest).one()
        edge = Frontier.decode(row.size, row.frontier)
        growth = grow(edge, list(map(body_of, entries)), stored_hashes(connection))
        said = Checkpoint(
            hub_origin(Repository(connection).organisation()),
            growth.frontier.size,
            growth.frontier.root,
        )
        _insert_entries(connection, growth, entries)
        connection.execute(
            insert(log_checkpoint),
            {
                "size": said.size,
                "root": said.root,
                "frontier": growth.frontier.encode(),
                "leaves": growth.leaves,
                "note": checkpoint.sign(said, old),
            },
        )
    return said.size


def refused(acme: Acme) -> str:
    """Why a new process of the hub signs nothing."""
    acme.close()
    with closing(open_app(acme.root, {})) as app, pytest.raises(FailedError) as caught:
        app.hub.log.commit_entry(app.hub.entry("work.resumed", "hub", {}))
    assert caught.value.code == "log-damaged"
    return caught.value.what


def stolen(acme: Acme, status: str = "compromised") -> Signer:
    """The log's key, which was replaced since."""
    old = acme.app.hub.online.signer("log")
    rotate(acme, "log", status)
    acme.close()
    return old


@pytest.mark.parametrize("status", ["retired", "compromised"])
@pytest.mark.parametrize("times", [1, 2])
def test_g1_245_a_replaced_key_signs_nothing_behind_the_end(
    acme: Acme, status: str, times: int
) -> None:
    old = stolen(acme, status)
    for _ in range(times - 1):
        rotate(acme, "log", status)
    hub = acme.app.hub
    forge(acme, old, replace(hub.entry("work.resumed", "thief", {}), actor="thief"))
    with acme.app.hub.reading() as connection:
        for ask in (signed_log.signed, whereabouts.edge):
            with pytest.raises(FailedError, match="a key that was replaced signed its end"):
                ask(connection)
    assert "a key that was replaced signed its end" in refused(acme)
    assert "was signed with another key" in str(checks.faults(acme.app.hub))


def test_g1_245_a_process_that_runs_on_signs_nothing_over_it(acme: Acme) -> None:
    old = acme.app.hub.online.signer("log")
    rotate(acme, "log", "compromised")
    hub = acme.app.hub
    hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))
    forge(acme, old, hub.entry("work.resumed", "thief", {}))
    with pytest.raises(FailedError, match="a key that was replaced signed its end"):
        hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))


def test_g1_246_a_replaced_key_moves_no_hub(acme: Acme) -> None:
    old = stolen(acme)
    forge(acme, old, acme.app.hub.entry("hub.leaving", "thief", {"place": THEIRS}))
    with acme.behind() as connection:
        moved.add(connection, [moved.Move("left", THEIRS)], "2026-12-01T12:00:00Z")
    told = refused(acme)
    assert "thief.example" not in told
    left = acme.root / "places-left"
    assert not left.exists() or b"thief.example" not in left.read_bytes()


@pytest.mark.parametrize("says_so", [False, True])
def test_g1_247_it_signs_the_commit_that_replaces_it_and_none_after(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, *, says_so: bool
) -> None:
    """A hub that was stopped before its new key signed goes on, where nothing came between."""
    old = acme.app.hub.online.signer("log")
    with monkeypatch.context() as patched:
        patched.setattr(key_rotation, "take_up", lambda _hub: None)
        rotate(acme, "log", "compromised")
        with acme.app.hub.reading() as connection:
            (rotation, *_) = signed_log.entries(connection, key_rotation.ENTRY)
        hub = acme.app.hub
        # Whoever has it says that this was the moment, too.
        again = replace(hub.entry(key_rotation.ENTRY, "thief", {}), data=rotation.entry.data)
        forge(acme, old, again if says_so else hub.entry("work.resumed", "thief", {}))
        assert "a key that was replaced signed its end" in refused(acme)
    acme.close()
    assert "a key that was replaced signed its end" in refused(acme)


def test_g1_247_a_hub_that_was_stopped_in_that_moment_goes_on(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(key_rotation, "take_up", lambda _hub: None)
        rotate(acme, "log", "compromised")
        with acme.app.hub.reading() as connection:
            assert signed_log.signed(connection) == Edge(*whereabouts.edge(connection))
    size = len(acme.types())
    acme.close()
    hub = acme.app.hub
    assert acme.types()[size:] == ["log.key-taken-up"]
    hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))
    assert not checks.faults(hub)


def test_g1_248_what_it_signed_is_named_for_ever(acme: Acme, capsys: Capsys) -> None:
    """Also by the quick check, and where today's key signed over it, as earlier releases did."""
    old = stolen(acme)
    hub = acme.app.hub
    size = forge(acme, old, hub.entry("work.resumed", "thief", {}))
    forge(acme, hub.online.signer("log"), hub.entry("work.resumed", "hub", {}))
    cli = Cli(acme, capsys)
    for check in ("verify", "fsck"):
        code, said, _ = cli("audit", check)
        assert code
        assert f"Checkpoint {size}: " in said
        assert said.count("Checkpoint") == 1


def test_g1_249_the_process_that_replaced_it_signs_by_the_new_one(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever else has it sign in that moment: what the old one signed would end the log."""
    hub = acme.app.hub
    with monkeypatch.context() as patched:
        patched.setattr(key_rotation, "take_up", lambda _hub: None)
        rotate(acme, "log")
        hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))
    acme.close()
    hub = acme.app.hub
    hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))
    assert not checks.faults(hub)


def test_g1_249_another_process_signs_nothing_by_the_old_one(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_app(acme.root, {})) as other:
        entry = partial(other.hub.entry, "work.resumed", "hub", {})
        other.hub.log.commit_entry(entry())
        with monkeypatch.context() as patched:
            patched.setattr(key_rotation, "take_up", lambda _hub: None)
            rotate(acme, "log")
        with pytest.raises(FailedError, match="this process had the old one open") as caught:
            other.hub.log.commit_entry(entry())
        assert caught.value.code == "log-key-replaced"
        other.hub.log.commit_entry(entry())
    acme.close()
    assert not checks.faults(acme.app.hub)
