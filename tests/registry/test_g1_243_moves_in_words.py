"""What is told of a hub that moved, or that somebody says has not arrived, leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_registry.app import App
from sealift_registry.audit import moved
from sealift_registry.cli.run import run
from sealift_signing.errors import SealiftError
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import APPLICATION, another_home
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.servers.postgres import Database

pytestmark = pytest.mark.embedded("it puts its hub on a server by itself")
THEIRS = "postgresql://sealift_app@thief.example/hub"


@pytest.fixture
def there(hub: Acme) -> Database:
    """The database that the hub has been moved to."""
    database = new_database()
    moved_to(hub.app, url_of(database))
    hub.close()
    return database


def signs(app: App) -> None:
    """One more entry."""
    app.hub.log.commit_entry(app.hub.entry("work.resumed", "hub", {}))


def command(capsys: pytest.CaptureFixture[str], hub: Acme, *words: str) -> tuple[int, str]:
    """How a command ended, and all that it said."""
    capsys.readouterr()
    code = run([*words, "--home", str(hub.root)])
    return code, " ".join("".join(capsys.readouterr()).split())


def test_g1_243_a_forged_row_that_stops_the_hub_is_named(
    hub: Acme, there: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    there.run(
        "INSERT INTO sealift.moved SELECT max(number) + 1, "  # noqa: S608 - our words
        f"'arriving', '{THEIRS}', '2026-12-01T12:00:00Z' FROM sealift.moved",
        user=APPLICATION,
    )
    row = "does not count yet, by row 3 of moved"
    for words in (["audit", "fsck"], ["db", "check"]):
        code, told = command(capsys, hub, *words)
        assert (code, row in told) == (1, True), told
        assert "docs/how-to/lost-and-found.md" in told
    for more in ([], ["--plan"]):
        code, told = command(capsys, hub, "migrate", "--to-database", url_of(there), *more)
        assert code != 0
        assert "nothing was changed" not in told
        assert "audit fsck" in told


def test_g1_243_a_copy_that_arrives_is_moved_to_its_end(hub: Acme) -> None:
    """While it is compared it does not count yet, which is no fault of it."""
    database = new_database()
    assert not moved_to(hub.app, url_of(database)).already
    hub.close()

    def history(app: App) -> list[str]:
        with app.hub.reading() as connection:
            return [one.what for one in moved.history(connection)]

    assert opened(hub.root, history) == ["arriving", "arrived"]


def test_g1_244_of_a_hub_that_went_home_no_other_machine_has_anything(
    hub: Acme, there: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with another_home(hub, tmp_path / "other") as other:
        opened(other.root, signs)
        code, told = command(capsys, hub, "migrate", "--to-database", "home")
        assert code == 0
        assert "run the same command:" not in told
        assert "put its home away" in told
        with pytest.raises(SealiftError) as caught:
            opened(other.root, signs)
    assert caught.value.code == "database-moved"
    assert "database.url" not in str(caught.value.next_step)
    assert "put this home away" in str(caught.value.next_step)
    assert caught.value.subject == str(hub.root / "sealift.db")
