"""Who relies on blobs says so first; gc leaves them, and who comes later waits for gc."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import delete, event, insert, select

from sealift_registry.app import open_app
from sealift_registry.storage import blob_claims
from sealift_registry.storage.blob_claims import JOB, PROCESS, REMOVER
from sealift_registry.storage.blob_tables import blob_claim, condemned_blob
from sealift_registry.trust.hub import Hub
from sealift_signing.errors import FailedError
from tests.registry.hub_fixture import Acme

DATA = b"a blob that somebody needs"
DIGEST = sha256(DATA).hexdigest()


@pytest.fixture
def hub(acme: Acme) -> Iterator[Hub]:
    made = open_app(acme.app.hub.home.root, {}).hub
    yield made
    made.close()


def rows(hub: Hub) -> dict[str, str]:
    with hub.reading() as connection:
        c = blob_claim.c
        return {row.digest: row.holder for row in connection.execute(select(c.digest, c.holder))}


def condemn(hub: Hub, holder: str, digest: str = DIGEST) -> None:
    with hub.database.writing() as connection, connection.begin():
        row = {"digest": digest, "holder": holder, "made": "2026-01-01T00:00:00.000000Z"}
        connection.execute(insert(condemned_blob).values(row))


def pardon(hub: Hub) -> None:
    with hub.database.writing() as connection, connection.begin():
        connection.execute(delete(condemned_blob))


def swept(hub: Hub, *wanted: str) -> int:
    with hub.reading() as connection:
        dead = blob_claims.dead(hub.database, connection, wanted)
    with hub.database.writing() as connection, connection.begin():
        return blob_claims.forget(connection, dead)


@pytest.mark.parametrize("how", ["bytes", "stream", "file", "prepared"])
def test_g3_100_whatever_takes_a_blob_in_says_so_first(hub: Hub, how: str, tmp_path: Path) -> None:
    store, file = hub.home.blobs, tmp_path / DIGEST
    file.write_bytes(DATA)
    before = rows(hub)
    for _ in range(2):  # also where it is there already
        if how == "bytes":
            store.put_bytes(DATA)
        elif how == "stream":
            store.put(BytesIO(DATA))
        elif how == "file":
            store.put_file(file)
        else:
            file.write_bytes(DATA)
            store.prepare({DIGEST: file})
        assert rows(hub).keys() - before.keys() == {DIGEST}
    assert rows(hub)[DIGEST].startswith(PROCESS)


def test_g3_101_a_claim_is_there_before_the_blob_is(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise FailedError("database-full", "There is no room.")

    monkeypatch.setattr(type(hub.home.relied), "__call__", refuse)
    with pytest.raises(FailedError):
        hub.home.blobs.put_bytes(DATA)
    assert not hub.home.blobs.has(DIGEST)


def test_g3_102_claims_last_as_long_as_their_process_or_their_job(acme: Acme, hub: Hub) -> None:
    hub.home.blobs.put_bytes(DATA)
    assert swept(hub) == 0
    hub.close()
    later = open_app(acme.app.hub.home.root, {}).hub
    assert swept(later) == 1
    assert later.claims is not None
    key = secrets.token_hex(16)
    later.claims.belong_to_job(key)
    later.home.blobs.put_bytes(DATA)
    later.close()
    last = open_app(acme.app.hub.home.root, {}).hub
    assert rows(last) == {DIGEST: f"{JOB}{key}"}
    assert swept(last, key) == 0, "its job goes on elsewhere"
    assert last.claims is not None
    last.claims.belong_to_job(key)  # its next attempt, which relies on the same again
    last.home.blobs.put_bytes(DATA)
    assert swept(last) == 1
    last.close()


def test_g3_103_who_lost_its_claims_records_nothing(hub: Hub) -> None:
    """It was suspended, or its server was started anew, and gc took it for dead."""
    hub.home.blobs.put_bytes(DATA)
    hub.commit_entry(hub.entry("intake.refused", "dora", {}))
    with hub.database.writing() as connection, connection.begin():
        connection.execute(delete(blob_claim))
    for _ in range(2):
        with pytest.raises(FailedError) as told:
            hub.commit(lambda _: (hub.entry("intake.refused", "dora", {}), None))
        assert told.value.code == "blobs-not-kept"


def test_g3_209_a_commit_asks_once_however_many_blobs_it_may_rest_on(hub: Hub) -> None:
    """Else each commit of a process that takes in thousands takes longer than the one before."""
    hub.home.blobs.rely_on([f"{number:064x}" for number in range(3000)])
    asked = list[str]()

    def asks(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.extend([statement] if "blob_claim" in statement else [])

    assert hub.claims is not None
    with hub.reading() as connection:
        event.listen(connection, "before_cursor_execute", asks)
        hub.claims.check(connection)
    assert len(asked) == 1
    with hub.database.writing() as connection, connection.begin():
        blob_claims.forget(connection, [*set(rows(hub).values())])
    hub.home.blobs.rely_on(["f" * 64])
    with pytest.raises(FailedError), hub.reading() as connection:
        hub.claims.check(connection)


def test_g3_104_who_needs_what_is_being_removed_waits_until_it_is_gone(hub: Hub) -> None:
    remover = f"{REMOVER}{secrets.token_hex(16)}"
    alive = hub.database.claim(remover, "removes blobs")
    assert alive is not None
    condemn(hub, remover)
    hub.home.blobs.put_bytes(b"nobody removes this")
    done = threading.Event()

    def put() -> None:
        hub.home.blobs.put_bytes(DATA)
        done.set()

    waiting = threading.Thread(target=put)
    waiting.start()
    assert not done.wait(1)
    assert DIGEST not in rows(hub)
    pardon(hub)
    assert done.wait(20)
    waiting.join()
    alive.let_go()
    assert hub.home.blobs.has(DIGEST)


def test_g3_104_it_does_not_wait_for_ever(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_claims, "PATIENCE", 0.3)
    remover = f"{REMOVER}{secrets.token_hex(16)}"
    alive = hub.database.claim(remover, "removes blobs")
    assert alive is not None
    condemn(hub, remover)
    with pytest.raises(FailedError) as told:
        hub.home.blobs.put_bytes(DATA)
    assert told.value.code == "blobs-being-removed"
    assert not hub.home.blobs.has(DIGEST)
    alive.let_go()


@pytest.mark.parametrize("remover", [f"{REMOVER}{'0' * 32}", "forged", "../../forged"])
def test_g3_105_what_a_dead_gc_was_removing_is_put_anew(hub: Hub, remover: str) -> None:
    hub.home.blobs.put_bytes(b"something else")
    condemn(hub, remover)
    assert hub.home.blobs.rely_on([DIGEST]) == {DIGEST}
    hub.home.blobs.put_bytes(DATA)
    assert hub.home.blobs.has(DIGEST)
    with hub.reading() as connection:
        assert connection.execute(select(condemned_blob)).all(), "also for whoever comes later"


KILLED = """
import os, signal, sys
from pathlib import Path
from sealift_registry.app import open_app
open_app(Path(sys.argv[1]), dict(os.environ)).hub.home.blobs.put_bytes(sys.argv[2].encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_g3_106_who_was_killed_claims_nothing(acme: Acme, hub: Hub) -> None:
    hub.home.blobs.put_bytes(b"ours")
    subprocess.run(
        [sys.executable, "-c", KILLED, str(acme.app.hub.home.root), "theirs"], check=False
    )
    assert len(rows(hub)) == 2
    assert swept(hub) == 1
    assert rows(hub).keys() == {sha256(b"ours").hexdigest()}
