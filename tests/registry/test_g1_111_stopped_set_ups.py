"""A set-up that is stopped where its hub may be founded loses no key, and is finished later."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage import settings_file
from sealift_registry.storage.database import not_new
from sealift_registry.storage.home import DatabaseSettings, Settings
from sealift_registry.trust import founding, unfinished
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import FailedError, SealiftError, UsageError
from sealift_signing.transparency.question import Question
from tests.registry.hub_fixture import secrets
from tests.servers.postgres import postgres

REPOSITORY = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
from sealift_registry.storage import settings_file
from tests.registry.test_g1_111_stopped_set_ups import SetUp, stores
settings_file.put_in_force = lambda _: os.kill(os.getpid(), signal.SIGKILL)
SetUp(Path(sys.argv[1]), stores(sys.argv[2])).run()
"""


def stores(url: str) -> Settings:
    return replace(founding.EMBEDDED, database=DatabaseSettings(url))


@dataclass
class SetUp:
    folder: Path
    stores: Settings
    solo: bool = True
    """As there are no keys to be made slowly."""

    @property
    def root(self) -> Path:
        return self.folder / "hub"

    def run(self, name: str = "Acme", offline: str = "offline") -> Hub:
        if self.solo:
            return founding.found_solo(self.root, name, "me", {}, self.stores)
        keys = self.folder / offline
        return founding.found(self.root, name, keys, secrets(), {}, self.stores)

    def kept(self) -> dict[Path, bytes]:
        """All keys that were made."""
        return {path: path.read_bytes() for path in self.folder.rglob("*.pem")}

    def finishes(self, before: dict[Path, bytes]) -> None:
        """The same command, run again, gives the very hub."""
        assert before
        assert not (self.root / "settings.toml").exists()
        with closing(self.run()) as hub:
            assert self.kept() == before
            with hub.reading() as connection:
                known = Repository(connection).fleet_keys().keys
            assert hub.online.public("log").text in {one.key for one in known}
        with closing(founding.open_hub(self.root, {})) as hub:
            hub.log.commit_entry(hub.entry("organisation.tried", "hub", {}))
            assert self.founded(hub) == 1
        with pytest.raises(UsageError, match="is there already"):
            self.run()

    @staticmethod
    def founded(hub: Hub) -> int:
        from sealift_registry.audit.reading import LogReader

        return len(LogReader(hub.database).page(Question(type=unfinished.FOUNDED)))


@pytest.fixture(params=["embedded", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "embedded":
        yield ""
    else:
        database = postgres().migrated()
        yield database.url("sealift_app")
        database.drop()


@pytest.fixture
def setting_up(tmp_path: Path, url: str) -> SetUp:
    return SetUp(tmp_path, stores(url))


def stops_at(what: BaseException) -> Any:  # noqa: ANN401 - in the place of any function
    def stop(*_: object, **__: object) -> None:
        raise what

    return stop


@pytest.mark.parametrize("solo", [True, False])
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_g1_111_stopped_after_the_commit_it_is_finished_later(
    setting_up: SetUp, monkeypatch: pytest.MonkeyPatch, stop: BaseException, solo: bool
) -> None:
    setting_up.solo = solo
    with monkeypatch.context() as patch:
        patch.setattr(settings_file, "put_in_force", stops_at(stop))
        with pytest.raises((KeyboardInterrupt, FailedError)) as told:
            setting_up.run()
    words = getattr(told.value, "__notes__", None) or [str(told.value)]
    assert "its home and its keys are left as they are" in words[0]
    setting_up.finishes(setting_up.kept())


def test_g1_111_interrupted_while_it_copies_its_metadata_it_is_finished_later(
    setting_up: SetUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Hub, "copy_metadata", stops_at(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            setting_up.run()
    setting_up.finishes(setting_up.kept())


def unconfirmed() -> FailedError:
    return FailedError("log-unknown", "Nobody knows.", next_step="Look it up.")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), unconfirmed()])
def test_g1_111_committed_and_not_told_of_it_it_is_finished_later(
    setting_up: SetUp, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    genuine = AuditLog.commit

    def cut(self: AuditLog, action: Any) -> None:  # noqa: ANN401 - any action
        genuine(self, action)
        self._answers.clear()
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "commit", cut)
        with pytest.raises((KeyboardInterrupt, FailedError)):
            setting_up.run()
    setting_up.finishes(setting_up.kept())


def test_g1_111_killed_after_the_commit_it_is_finished_later(setting_up: SetUp) -> None:
    words = [str(setting_up.folder), setting_up.stores.database.url]
    done = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=REPOSITORY, check=False)
    assert done.returncode == -signal.SIGKILL
    setting_up.finishes(setting_up.kept())


# ------------------------------------------------------------------ nothing was founded


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), not_new("there")])
def test_g1_111_where_it_is_known_that_nothing_was_committed_nothing_is_left(
    setting_up: SetUp, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    setting_up.solo = not isinstance(stop, KeyboardInterrupt)
    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "commit", stops_at(stop))
        with pytest.raises((KeyboardInterrupt, FailedError)):
            setting_up.run()
    assert setting_up.kept() == {}
    assert list(setting_up.root.iterdir()) == []
    setting_up.run().close()


def test_g1_111_where_nothing_was_founded_after_all_it_is_said(
    setting_up: SetUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "commit", stops_at(unconfirmed()))
        with pytest.raises(FailedError) as told:
            setting_up.run()
    assert told.value.code == "init-unfinished"
    before = setting_up.kept()
    assert before
    with pytest.raises(UsageError, match="did not finish") as again:
        setting_up.run()
    assert again.value.code == "home-not-new"
    assert setting_up.kept() == before


def test_g1_111_another_hub_in_the_database_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres().migrated()
    one, other = (SetUp(tmp_path / n, stores(database.url("sealift_app"))) for n in ("1", "2"))
    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "commit", stops_at(unconfirmed()))
        with pytest.raises(FailedError):
            one.run()
    other.run().close()
    with pytest.raises(UsageError, match="did not finish"):
        one.run()
    database.drop()


@pytest.mark.parametrize("words", [{"name": "Globex"}, {"offline": "elsewhere"}])
def test_g1_111_other_words_finish_nothing(
    setting_up: SetUp, monkeypatch: pytest.MonkeyPatch, words: dict[str, str]
) -> None:
    setting_up.solo = "offline" not in words
    with monkeypatch.context() as patch:
        patch.setattr(settings_file, "put_in_force", stops_at(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            setting_up.run()
    before = setting_up.kept()
    with pytest.raises(SealiftError) as told:
        setting_up.run(**words)
    assert told.value.code == "init-otherwise"
    setting_up.finishes(before)
