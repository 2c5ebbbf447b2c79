"""The lock of a transfer that is about to be begun is asked for while nobody waits for a writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from sealift_migrations.postgres_session import LOCK_CLASS, WRITERS
from sealift_registry.delivery import export_locks
from sealift_registry.delivery.export_locks import Holding
from sealift_registry.storage.postgres_claims import PostgresClaims
from sealift_signing.errors import FailedError
from tests.registry.test_delivery import made
from tests.registry.two_hosts import TwoHosts, hosts, on_postgresql

__all__ = ["hosts", "on_postgresql"]

FIRST, SECOND = "plant-7-000001", "plant-7-000002"
WRITING = (
    b"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
    b"AND classid = %s AND objid = %s"
)


def test_g1_112_no_claim_is_connected_for_while_a_writer_works(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, writing = PostgresClaims.session, dict[str, int]()

    def session(self: PostgresClaims, name: str, words: str) -> Connection | None:
        with hosts.database.connect() as connection:
            (writing[name],) = connection.execute(WRITING, (LOCK_CLASS, WRITERS)).fetchone() or (
                -1,
            )
        return genuine(self, name, words)

    monkeypatch.setattr(PostgresClaims, "session", session)
    hosts.one.export()
    assert writing.pop(FIRST) == 0
    assert set(writing.values()) == {0}


def test_g1_112_who_has_the_next_one_and_does_not_begin_is_named(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_locks, "PATIENCE", 0.5)
    held = hosts.two.app.hub.database.claim(FIRST, f"for {FIRST}")
    assert held is not None
    with pytest.raises(FailedError, match=f"for {FIRST}") as told:
        hosts.one.export_here()
    assert told.value.code == "transfer-busy"
    assert "transfer.begun" not in hosts.one.types()
    held.let_go()
    assert hosts.one.export_here() == FIRST


def test_g1_112_of_two_at_once_the_other_one_is_next(
    hosts: TwoHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock was lost after it was taken, and another began that transfer meanwhile."""
    genuine, other = Holding.take_next, list[str]()
    (tmp_path / "second").mkdir()

    def overtaken(self: Holding, newest: export_locks.Newest) -> str:
        found = genuine(self, newest)
        if not other:
            other.append(found)
            self.let_go(found)
            other.append(hosts.two.export_here(tmp_path / "second"))
        return found

    monkeypatch.setattr(Holding, "take_next", overtaken)
    made_now = hosts.one.export_here(made(tmp_path / "first"))
    assert (other, made_now) == ([FIRST, FIRST], SECOND)
