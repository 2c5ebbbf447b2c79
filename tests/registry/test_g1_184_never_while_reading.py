"""Nothing is asked of a server of blobs while a transaction is open, and all is answered the same.

Whoever holds one state of PostgreSQL while a server is silent holds up upgrades; whoever writes
meanwhile holds up everybody.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.cli.run import run
from sealift_registry.storage.asked_blobs import LARGEST, AskedBlobs, UnansweredError
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import Calls
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing.errors import FailedError, SealiftError
from sealift_sync.blobs import BlobFolder
from tests.blob_faults import spoil
from tests.registry.hub_fixture import SITE, Acme, Loose, copied, version
from tests.registry.test_g1_19_blob_commands import Capsys, on_s3
from tests.servers.seaweed import S3Server, seaweed
from tests.site_on_paper import SiteOnPaper

pytestmark = pytest.mark.socket


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def hub(
    assigned: Path, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Acme]:
    made = copied(assigned, tmp_path)
    on_s3(made, server, monkeypatch)
    made.close()
    yield made
    made.close()


@pytest.fixture
def asked_within(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where a server of blobs was asked while a transaction was open."""
    found, opened = list[str](), [0]

    def counted(name: str) -> None:
        genuine = getattr(SqliteDatabase, name)

        @contextmanager
        def transaction(*given: Loose, **named: Loose) -> Iterator[Loose]:
            with genuine(*given, **named) as connection:
                opened[0] += 1
                try:
                    yield connection
                finally:
                    opened[0] -= 1

        monkeypatch.setattr(SqliteDatabase, name, transaction)

    for name in ("reading", "writing"):
        counted(name)
    genuine = Calls.ask

    def ask(self: Calls, operation: str, *more: Loose, **given: Loose) -> Loose:
        if opened[0]:
            found.append(f"{operation}\n{''.join(traceback.format_stack(limit=14))}")
        return genuine(self, operation, *more, **given)

    monkeypatch.setattr(Calls, "ask", ask)
    return found


def test_g1_184_no_transaction_waits_for_the_store(
    hub: Acme, asked_within: list[str], capsys: Capsys
) -> None:
    plant = SiteOnPaper(hub.folder / "site", datetime.now(UTC))
    assert isinstance(hub.app.hub.home.blobs, S3Blobs)
    plant.take(hub.export().folder)
    hub.app.returns.receive(hub.returned(plant))
    hub.export(full=True)
    assert not asked_within, asked_within[0]
    hub.ingest(3, hub.goldens())
    hub.convert(3)
    hub.promoted(3)
    assert not asked_within, asked_within[0]
    hub.close()
    for words in (["next"], ["list"], ["show", "vision/tiny/3"], ["show", SITE], ["blobs", "fsck"]):
        assert run([*words, "--home", str(hub.root)]) == 0
        assert not asked_within, asked_within[0]
    pictures = hub.folder / "pictures"
    assert run(["show", "vision/tiny/3", "--pictures", str(pictures), "--home", str(hub.root)]) == 0
    assert list(pictures.iterdir())
    assert not asked_within, asked_within[0]


def test_g1_184_what_is_lost_is_told_as_ever(hub: Acme, asked_within: list[str]) -> None:
    store = hub.app.hub.home.blobs
    with hub.app.hub.reading() as connection:
        row = Catalog(connection).artifacts(version(1))[-1]
    store.remove(row.sha256)
    with pytest.raises(FailedError, match="is missing from the hub's own store"):
        hub.export()
    assert not asked_within


def test_g1_184_a_guess_is_never_an_answer(tmp_path: Path) -> None:
    store = BlobFolder(tmp_path)
    there, gone = store.put_bytes(b"there").sha256, "0" * 64
    rotten = store.put_bytes(b"once whole").sha256
    spoil(store, rotten, b"rotten")
    asked = AskedBlobs(store)
    assert asked.sizes([there, gone]).keys() == {there, gone}
    assert asked.read_all([there], 10) == {}
    assert asked.is_guessed
    asked.ask()
    assert asked.sizes([there, gone]) == store.sizes([there, gone]) == {there: 5}
    assert asked.read_all([there], 10) == {there: b"there"}
    assert (asked.has(there), asked.has(gone)) == (True, False)
    assert asked.read_all([there], 4) == {}
    asked.ask()  # of another limit it is another question
    assert answer(asked, gone) == "UnansweredError"
    asked.ask()
    assert answer(asked, gone) == "NotFoundError"
    asked.read_all([rotten], LARGEST)
    asked.ask()
    answer(asked, rotten)
    asked.ask()
    assert answer(asked, rotten) == "RefusedError"
    assert not asked.is_guessed


def answer(asked: AskedBlobs, digest: str) -> str:
    """The name of the error."""
    try:
        asked.read(digest)
    except (UnansweredError, SealiftError) as bad:
        return type(bad).__name__
    return ""
