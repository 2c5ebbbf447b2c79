"""Places that a hub left and that forget it: restored to before, failed over, or an old file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_registry.app import App, open_app
from sealift_registry.audit.edge import Edge
from sealift_registry.audit.newest_checkpoint import notes
from sealift_registry.moving import checks, moves, row_copies
from sealift_signing.errors import FailedError, SealiftError
from tests.registry.hub_fixture import Acme, Loose, copied
from tests.registry.hubs_on_postgres import another_home, fail_over
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of

pytestmark = pytest.mark.embedded(
    "it begins in the home, and is moved to servers by the test itself"
)
NEWEST, LEFT = "newest-checkpoint", "places-left"


def signed(app: App) -> Edge:
    """The end of the log after one more entry."""
    app.hub.log.commit_entry(app.hub.entry("work.resumed", "hub", {}))
    with app.hub.reading() as connection:
        return checks.edge(connection)


def refused(root: Path, url: str | None = None) -> str:
    """Why the hub at `root` signs nothing, on its own database or the one at `url`."""

    def act() -> None:
        app = open_app(root, {} if url is None else {"SEALIFT_DATABASE__URL": url})
        try:
            signed(app)
        finally:
            app.close()

    with pytest.raises(SealiftError) as caught:
        act()
    assert caught.value.next_step
    return caught.value.code


def test_g1_123_a_server_that_forgets_that_it_was_left(hub: Acme, tmp_path: Path) -> None:
    """Another host learns it from the log while that says it; and each home that moved knows."""
    there = new_database()
    url = url_of(there)
    moved_to(hub.app, url)
    hub.close()
    with another_home(hub, tmp_path / "other") as other:
        signed(other.app)
        other.close()
        before = there.copy()
        moved_to(hub.app, "home")
        hub.close()
        end = opened(hub.root, signed)
        assert refused(other.root) == "database-moved"  # it looks, once, and keeps that
        fail_over(there, before)
        assert refused(other.root) == "database-left"
        assert refused(hub.root, url) == "database-left"
        # Without that file, what each signed last and what ended the log stand in the other one.
        for each in (hub, other):
            (each.root / LEFT).unlink()
        assert refused(other.root) == "hub-restored"
        assert refused(hub.root, url) == "hub-restored"
    assert opened(hub.root, signed).size == end.size + 1


def test_g1_123_there_and_back_and_there_again(hub: Acme, tmp_path: Path) -> None:
    """A place that was made new, and that the hub was moved to again, holds all that it left."""
    there = new_database()
    url = url_of(there)
    moved_to(hub.app, url)
    hub.close()
    with another_home(hub, tmp_path / "other") as other:
        signed(other.app)
        other.close()
        moved_to(hub.app, "home")
        hub.close()
        assert refused(other.root) == "database-moved"
        fail_over(there, new_database())  # its administrator makes it anew
        moved_to(hub.app, url)
        hub.close()
        opened(other.root, signed)
        opened(hub.root, signed)
        assert checks.faults(hub.app.hub) == []
        assert [one for one in hub.types() if one.startswith("hub.")] == [
            *("hub.leaving", "hub.moved") * 3
        ]


@pytest.mark.parametrize("known", [(NEWEST, LEFT), (NEWEST,), (LEFT,)])
def test_g1_124_an_old_file_comes_back(hub: Acme, known: tuple[str, ...]) -> None:
    """The embedded database from before the move, with the settings from then."""
    opened(hub.root, lambda _: None)
    hub.close()
    settings = (hub.root / "settings.toml").read_bytes()
    backup = {path.name: path.read_bytes() for path in hub.root.glob("sealift.db*")}
    assert not (hub.root / NEWEST).exists()
    moved_to(hub.app, url_of(new_database()))
    hub.close()
    opened(hub.root, signed)
    for path in hub.root.glob("sealift.db*"):
        path.unlink()
    for name, data in backup.items():
        (hub.root / name).write_bytes(data)
    (hub.root / "settings.toml").write_bytes(settings)
    for name in {NEWEST, LEFT} - set(known):
        (hub.root / name).unlink()
    assert refused(hub.root) == ("database-left" if LEFT in known else "hub-restored")


def test_g1_124_a_home_that_never_moved_keeps_no_more_files(hub: Acme) -> None:
    opened(hub.root, signed)
    assert not (hub.root / NEWEST).exists()
    assert not (hub.root / LEFT).exists()


def test_g1_124_once_moved_a_home_keeps_what_it_signs(hub: Acme) -> None:
    moved_to(hub.app, url_of(new_database()))
    hub.close()
    moved_to(hub.app, "home")
    hub.close()
    kept = notes(hub.root / NEWEST)
    opened(hub.root, signed)
    assert notes(hub.root / NEWEST) != kept
    (hub.root / LEFT).write_text("[1,")
    assert refused(hub.root) == "places-left-unusable"


def test_g1_125_two_move_at_once(
    hub: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One host has looked; another one moves the hub meanwhile, whole, in spite of the claim."""
    moved_to(hub.app, url_of(new_database()))
    hub.close()
    one, two = new_database(), new_database()
    with another_home(hub, tmp_path / "other") as other:
        app = other.app
        real = moves._check
        said: list[str] = []

        def check(*given: Loose) -> Loose:
            found = real(*given)
            if not said:
                said.append("once")
                with pytest.raises(FailedError) as caught:
                    moved_to(hub.app, url_of(one))
                said.append(caught.value.code)
                with monkeypatch.context() as patched:
                    patched.setattr(moves, "CLAIM", "another")
                    moved_to(hub.app, url_of(one))
            return found

        monkeypatch.setattr(moves, "_check", check)
        with pytest.raises(SealiftError) as caught:
            moved_to(app, url_of(two))
        assert caught.value.code == "database-moved"
        assert said == ["once", "move-under-way"]
        other.close()
        hub.close()
        assert refused(other.root) == "database-moved"
        opened(hub.root, signed)


def test_g1_125_a_stale_copy_is_not_where_it_goes(
    hub: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole copy from a stopped run counts for nothing once the hub has left for elsewhere."""
    moved_to(hub.app, url_of(new_database()))
    hub.close()
    one, two = new_database(), new_database()
    with another_home(hub, tmp_path / "other") as other:

        def stopped(*_given: Loose) -> Loose:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(checks, "verify", stopped)
            with pytest.raises(KeyboardInterrupt):
                moved_to(other.app, url_of(two))
        other.close()
        app = other.app
        real = checks.check_idle
        said: list[str] = []

        def idle(*given: Loose) -> Loose:
            real(*given)
            if not said:
                said.append("once")
                with monkeypatch.context() as patched:
                    patched.setattr(moves, "CLAIM", "another")
                    moved_to(hub.app, url_of(one))

        monkeypatch.setattr(checks, "check_idle", idle)
        with pytest.raises(SealiftError) as caught:
            moved_to(app, url_of(two))
        assert caught.value.code in {"database-moved", "move-stale-copy"}
        other.close()
        hub.close()
        opened(hub.root, signed)


@pytest.mark.parametrize("short", [1, 2, 3])
def test_g1_126_the_entry_that_ends_a_log_may_fill_a_tile(
    founded: Path, tmp_path: Path, short: int
) -> None:
    """The copy gets the tile, too: it verifies, and goes on."""
    hub = copied(founded, tmp_path)
    for _ in range(256 - short - len(hub.types())):
        hub.app.hub.log.commit_entry(hub.app.hub.entry("work.resumed", "hub", {}))
    moved_to(hub.app, url_of(new_database()))
    hub.close()
    opened(hub.root, signed)
    assert checks.faults(hub.app.hub) == []
    hub.close()


def test_g1_126_a_copy_that_ended_otherwise_does_not_count(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_copies, "copy_end", lambda *_: None)
    with pytest.raises(FailedError) as caught:
        moved_to(hub.app, url_of(new_database()))
    assert caught.value.code == "move-target-differs"
    hub.close()
    assert refused(hub.root) == "database-moved"
