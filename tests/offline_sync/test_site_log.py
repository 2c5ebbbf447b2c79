"""The site's log: part of whatever transaction changes the site, and provable at home."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError, MalformedError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint, extract
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.extract import Extract
from sealift_signing.transparency.merkle import ProofError
from sealift_sync.site.log.appending import SiteLog, create_tables
from tests.logs import KEY, ORIGIN, SIGNER, SiteSide, number_of, numbered, tamper


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SiteSide]:
    side = SiteSide(tmp_path)
    yield side
    side.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteSide]:
    side = SiteSide(tmp_path_factory.mktemp("site"))
    for number in range(270):
        side.commit(numbered(number))
    yield side
    side.close()


def test_an_entry_is_part_of_the_callers_transaction(site: SiteSide) -> None:
    site.connection.execute("CREATE TABLE state (value)")
    site.connection.execute("BEGIN IMMEDIATE")
    site.connection.execute("INSERT INTO state VALUES (1)")
    appended = site.log.append(numbered(0))
    assert (appended.seq, appended.size) == (0, 1)
    site.connection.rollback()
    assert site.connection.execute("SELECT count(*) FROM state").fetchone() == (0,)
    assert site.reader.fsck(KEY, ORIGIN).size == 0
    site.commit(numbered(0))
    assert site.reader.fsck(KEY, ORIGIN).size == 1


def test_several_entries_in_one_transaction(site: SiteSide) -> None:
    site.connection.execute("BEGIN")
    places = [site.log.append(numbered(number)).seq for number in range(5)]
    site.connection.execute("COMMIT")
    assert places == [0, 1, 2, 3, 4]
    assert site.reader.fsck(KEY, ORIGIN).ok


def test_without_a_transaction_nothing_is_written(site: SiteSide) -> None:
    with pytest.raises(FailedError, match="begin a transaction first"):
        site.log.append(numbered(0))
    assert site.reader.fsck(KEY, ORIGIN).size == 0


def test_making_the_tables_is_part_of_a_transaction_and_may_be_repeated(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "site.db", isolation_level=None)
    connection.execute("BEGIN")
    create_tables(connection)
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    create_tables(connection)
    create_tables(connection)
    connection.close()


def test_a_forged_history_is_not_signed(site: SiteSide) -> None:
    for number in range(3):
        site.commit(numbered(number))
    tamper(site, "UPDATE log_checkpoint SET root = zeroblob(32) WHERE size = 3")
    with pytest.raises(FailedError, match="is not the one that was signed") as failed:
        site.commit(numbered(3))
    assert failed.value.code == "log-damaged"


def test_another_keys_log_is_not_continued(site: SiteSide) -> None:
    site.commit(numbered(0))
    stranger = SiteLog(site.connection, CryptoSigner.generate_ed25519(), ORIGIN)
    site.connection.execute("BEGIN")
    with pytest.raises(FailedError, match="another key"):
        stranger.append(numbered(1))
    site.connection.rollback()


# ---------------------------------------------------------------- on the way home


def known(site: SiteSide, size: int) -> Checkpoint:
    return checkpoint.verify(site.reader.checkpoint(size).note, KEY, ORIGIN)


@pytest.mark.parametrize("first", [0, 1, 7, 255, 256, 269, 270])
def test_entries_go_home_with_what_proves_them(filled: SiteSide, first: int) -> None:
    sent = shape.write(filled.reader.extract(first))
    received = shape.read(Extract, sent, what="the log")
    seen = known(filled, first) if first else None
    said, rows = extract.check(received, KEY, ORIGIN, seen)
    assert said == known(filled, 270)
    assert [number_of(row) for row in rows] == list(range(first, 270))
    assert [row.seq for row in rows] == list(range(first, 270))


def test_entries_that_were_seen_before_may_come_again(filled: SiteSide) -> None:
    received = filled.reader.extract(100)
    for size in (100, 101, 200, 270):
        extract.check(received, KEY, ORIGIN, known(filled, size))


def test_missing_entries_are_told(filled: SiteSide) -> None:
    received = filled.reader.extract(100)
    with pytest.raises(ProofError, match="entries 0 to 99 are missing"):
        extract.check(received, KEY, ORIGIN, None)
    with pytest.raises(ProofError, match="entries 99 to 99 are missing"):
        extract.check(received, KEY, ORIGIN, known(filled, 99))


def changed(whole: Extract, **members: Json) -> Extract:
    return shape.from_json(Extract, shape.to_json(whole) | members, what="the log")


def test_changed_extracts_are_refused(filled: SiteSide) -> None:
    whole = filled.reader.extract(100)
    seen = known(filled, 100)
    entries = whole.entries
    other = filled.reader.extract(101)
    for broken in (
        changed(whole, entries=entries[:-1]),
        changed(whole, entries=[*entries, entries[0]]),
        changed(whole, entries=[entries[1], entries[0], *entries[2:]]),
        changed(whole, entries=[entries[0].replace("person", "parson"), *entries[1:]]),
        changed(whole, proof=whole.proof[:-1]),
        changed(whole, proof=other.proof),
    ):
        with pytest.raises(ProofError):
            extract.check(broken, KEY, ORIGIN, seen)
    with pytest.raises(MalformedError):
        extract.check(changed(whole, edge=other.edge), KEY, ORIGIN, seen)


def test_a_log_that_was_rolled_back_or_forked_is_told(filled: SiteSide, tmp_path: Path) -> None:
    fork = SiteSide(tmp_path)
    for number in range(100):
        fork.commit(numbered(number))
    received = fork.reader.extract(0)
    with pytest.raises(ProofError, match="270 entries were seen before, and now it has 100"):
        extract.check(received, KEY, ORIGIN, known(filled, 270))
    with pytest.raises(ProofError, match="its first 50 entries are not those"):
        extract.check(received, KEY, ORIGIN, known(filled, 50))
    fork.close()


def test_another_key_or_log_is_refused(filled: SiteSide) -> None:
    received = filled.reader.extract(0)
    stranger = PublicKey.from_tuf(CryptoSigner.generate_ed25519().public_key)
    with pytest.raises(RefusedError, match="another key"):
        extract.check(received, stranger, ORIGIN, None)
    with pytest.raises(RefusedError, match="not of sealift/x/site/y"):
        extract.check(received, KEY, "sealift/x/site/y", None)


def test_what_is_no_entry_does_not_come_home(tmp_path: Path) -> None:
    """Even when it was signed: the hub stores what it can read."""
    from sealift_signing.transparency.frontier import Frontier
    from sealift_signing.transparency.merkle import leaf_hash

    root = Frontier().extended([leaf_hash(b"{}")]).root
    note = checkpoint.sign(Checkpoint(ORIGIN, 1, root), SIGNER).decode()
    with pytest.raises(RefusedError, match="a log entry"):
        extract.check(Extract(1, (), 0, (), ("{}",), (), note), KEY, ORIGIN, None)
