"""What `sealift migrate` and `next` say of a hub that is elsewhere, or was there already."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from sealift_registry.audit.moved import MovedHubError, blobs_elsewhere
from sealift_registry.cli.run import run
from sealift_registry.moving import checks, moves
from sealift_registry.storage import settings_file
from sealift_registry.trust import readiness
from sealift_signing.command_start import ABORTED
from tests.registry.hub_fixture import Acme, Loose
from tests.registry.hubs_on_postgres import another_home
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.registry.test_g1_190_forged_rows import signs
from tests.servers.postgres import Database
from tests.servers.seaweed import seaweed

pytestmark = pytest.mark.embedded("it begins in the home, and is moved to servers by itself")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def answer(capsys: pytest.CaptureFixture[str], root: Path, *words: str) -> Answer:
    """What a command says."""
    capsys.readouterr()
    code = run([*words, "--home", str(root)])
    return Answer(code, *capsys.readouterr())


@pytest.fixture
def there() -> Database:
    return new_database()


def test_g1_194_what_never_moved_is_not_said_to_have_moved(
    hub: Acme, there: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.close()
    for more in ((), ("--plan",)):
        words = ("migrate", "--to-database", "home", "--to-blobs", "home", *more)
        code, out, _ = answer(capsys, hub.root, *words)
        assert code == 0
        assert "is there already; nothing was changed" in out
        assert str(hub.root / "sealift.db") in out
        assert "old place" not in out
        assert "moved it" not in out
    command = ("migrate", "--to-database", url_of(there))
    assert "The log goes on from" in answer(capsys, hub.root, *command).out
    again = answer(capsys, hub.root, *command).out
    assert "is there already; nothing was changed" in again
    assert "old place" not in again


def test_g1_195_an_old_copy_of_the_home_is_told_so(
    hub: Acme, there: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not to name another database: a second hub would be founded of it."""
    hub.close()
    copy, other = tmp_path / "copy", tmp_path / "other"
    for one in (copy, other):
        shutil.copytree(hub.root, one)
    moved_to(hub.app, url_of(there))
    hub.close()
    code, _, err = answer(capsys, copy, "migrate", "--to-database", url_of(there))
    assert code == 1
    assert "is an old copy, from before it moved" in err
    assert "another database" not in err
    opened(other, signs)
    code, _, err = answer(capsys, other, "migrate", "--to-database", url_of(there))
    assert code == 1
    assert "both went on from the same hub" in err


def test_g1_196_an_old_home_says_where_the_hub_is_and_nothing_else(
    hub: Acme,
    there: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with another_home(hub, tmp_path / "other") as other:
        moved_to(hub.app, url_of(there))
        hub.close()
        monkeypatch.setenv("SEALIFT_DATABASE__URL", "")  # as if the old settings counted
        out = answer(capsys, hub.root, "next").out
        assert "sealift migrate --to-database" in out
        assert "key rotate" not in out
        monkeypatch.setenv("SEALIFT_DATABASE__URL", url_of(there))
        monkeypatch.delenv("SEALIFT_DATABASE__URL")
        moved_to(hub.app, "home")
        hub.close()
        monkeypatch.setenv("SEALIFT_DATABASE__URL", url_of(there))
        out = answer(capsys, other.root, "next").out
        assert f"sealift next --home {hub.root}" in out
        assert "key rotate" not in out


@pytest.mark.parametrize(
    "kept, command",
    [
        ("s3://models/hub at http://s3:8333", "s3://models/hub --blobs-endpoint http://s3:8333"),
        ("s3://models/hub", "sealift migrate --to-blobs s3://models/hub"),
        ("the home", "sealift migrate --to-blobs home"),
    ],
)
def test_g1_196_of_blobs_likewise(
    hub: Acme, monkeypatch: pytest.MonkeyPatch, kept: str, command: str
) -> None:
    refused: list[MovedHubError] = [blobs_elsewhere(kept, "elsewhere")]
    monkeypatch.setattr(readiness, "problems", lambda _: refused)
    (step,) = hub.app.missing()
    assert command in step.command


STOPS = {
    "alone": "The hub is where it was, and the same command goes on with what is there.",
    "rows-committed": "What was written at the new place does not count.",
    "end-written": "The hub is where it was",
    "ended": "nobody can write to it until the same command has been run again",
    "arrived": "The hub has moved to postgresql://",
}


@pytest.mark.parametrize("step", STOPS)
def test_g1_197_whoever_stops_it_is_told_what_was_done(
    hub: Acme,
    there: Database,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    hub.close()

    def stop(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    command = ("migrate", "--to-database", url_of(there))
    with monkeypatch.context() as patched:
        patched.setattr(moves, "_step", stop)
        code, _, err = answer(capsys, hub.root, *command)
    assert code == ABORTED
    assert STOPS[step] in err
    assert "Nothing was changed" not in err
    assert answer(capsys, hub.root, *command).code == 0
    opened(hub.root, signs)


@pytest.mark.socket
def test_g1_197_and_how_many_blobs_were_copied(
    hub: Acme, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.close()
    server = seaweed()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = server.bucket()
    command = ("migrate", "--to-blobs", f"s3://{bucket}/hub", "--blobs-endpoint", server.endpoint)

    def stop(*_given: Loose) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(moves, "_say_blobs", stop)
        code, _, err = answer(capsys, hub.root, *command)
    assert code == ABORTED
    assert "blobs were copied to" in err
    assert "The hub is where it was" in err
    with monkeypatch.context() as patched:
        patched.setattr(settings_file, "change", stop)
        code, _, err = answer(capsys, hub.root, *command)
    assert code == ABORTED
    assert "settings.toml does not say so yet" in err
    assert answer(capsys, hub.root, *command).code == 0
    opened(hub.root, signs)


def test_g1_197_before_anything_is_written_nothing_was_changed(
    hub: Acme,
    there: Database,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.close()

    def stop(*_given: Loose) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checks, "check_source", stop)
    err = answer(capsys, hub.root, "migrate", "--to-database", url_of(there)).err
    assert "Stopped. Nothing was changed." in err
