"""A hub that moved, however often, signs for as many questions as one that never did."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from sqlalchemy import event

from sealift_registry.app import App
from sealift_registry.audit import edge
from sealift_registry.audit.moved import MovedHubError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import APPLICATION, another_home
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.registry.test_g1_190_forged_rows import THEIRS, says, signs
from tests.registry.test_g1_200_verified_edge import (
    asked,
    bytes_of,
    puts,
    readiness_of,
    refused,
)
from tests.servers.postgres import Database
from tests.servers.seaweed import S3Server, seaweed

pytestmark = [pytest.mark.socket, pytest.mark.embedded("it puts its hub on a server by itself")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    made = seaweed()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def there(hub: Acme) -> Database:
    """The database that the hub has been moved to."""
    database = new_database()
    moved_to(hub.app, url_of(database))
    hub.close()
    return database


def questions(app: App) -> int:
    """How many statements one commit takes, once a process has begun to write."""
    made: list[str] = []

    def note(*given: object) -> None:
        made.append(str(given[2]))

    signs(app)
    event.listen(app.hub.engine, "before_cursor_execute", note)
    signs(app)
    event.remove(app.hub.engine, "before_cursor_execute", note)
    return len(made)


def move(root: Path, database: str | None, blobs: dict[str, str] | None = None) -> None:
    opened(root, lambda app: moved_to(app, database, blobs))


def on(server: S3Server, prefix: str, bucket: str) -> dict[str, str]:
    return {"url": f"s3://{bucket}/{prefix}", "endpoint": server.endpoint, "region": ""}


def test_g1_228_blobs_that_went_and_came_back_cost_no_question(hub: Acme, server: S3Server) -> None:
    before = questions(hub.app)
    hub.close()
    for place in (
        on(server, "hub", server.bucket()),
        {"url": "home", "endpoint": "", "region": ""},
    ):
        move(hub.root, None, place)
        assert opened(hub.root, questions) == before


def test_g1_228_nor_do_rows_that_went_and_came_back(hub: Acme) -> None:
    before = questions(hub.app)
    database = new_database()
    moved_to(hub.app, url_of(database))
    hub.close()
    move(hub.root, "home")
    # What a home signed on a server, it keeps in a file, and asks whether the log has that.
    assert opened(hub.root, questions) == before + 1


def test_g1_229_what_was_found_holds_until_somebody_moves_the_hub(
    hub: Acme, there: Database, server: S3Server, tmp_path: Path
) -> None:
    """The process that found it has the log open meanwhile, and has signed."""
    bucket = server.bucket()
    for prefix in ("one", "two"):
        move(hub.root, None, on(server, prefix, bucket))
    refused = []

    def act(app: App) -> None:
        signs(app)
        with another_home(hub, tmp_path / "other") as other:
            ways = [(None, on(server, "three", bucket)), (url_of(new_database()), None)]
            for database, blobs in ways:
                move(other.root, database, blobs)
                with pytest.raises(MovedHubError) as caught:
                    signs(app)
                refused.append(caught.value.code)

    opened(hub.root, act)
    assert refused == ["blobs-moved", "database-moved"]


@pytest.mark.parametrize("what", ["place", "blobs_to"])
def test_g1_227_an_entry_below_a_checkpoint_that_the_thief_signed(
    hub: Acme, there: Database, what: str
) -> None:
    """It is as whole as any, and only the key under the checkpoint is not the log's."""
    kind = {"place": "hub.leaving", "blobs_to": "hub.moved"}[what]
    says(there, ({"place": "left", "blobs_to": "blobs"}[what], THEIRS))
    body = bytes_of(kind, **{what: THEIRS})
    with closing(there.connect(APPLICATION)) as connection:
        query = "SELECT size, frontier, note FROM sealift.log_checkpoint ORDER BY size DESC LIMIT 1"
        row = connection.execute(query).fetchone()
        assert row is not None
        size, frontier, note = row
        grown = Frontier.decode(size, frontier).extended([leaf_hash(body)])
        origin = note.decode().partition("\n")[0]
        said = Checkpoint(origin, grown.size, grown.root)
        forged = checkpoint.sign(said, CryptoSigner.generate_ed25519())
        puts(there, size, kind, **{what: THEIRS})
        connection.execute(
            "INSERT INTO sealift.log_checkpoint (size, root, frontier, leaves, note) "
            "VALUES (%s, %s, %s, %s, %s)",
            (grown.size, grown.root, grown.encode(), leaf_hash(body), forged),
        )
    for act in (signs, readiness_of, asked(edge.signed), asked(edge.verified)):
        bad = refused(hub.root, act)
        assert bad.code == "log-damaged"
        assert THEIRS not in f"{bad.what} {bad.next_step}"
