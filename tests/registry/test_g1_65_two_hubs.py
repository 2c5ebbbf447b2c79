"""Two hubs that are pointed at one database by mistake: refused, said, and nothing is written."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sealift_registry.cli.run import run
from sealift_registry.storage.home import Settings
from sealift_registry.trust import founding
from sealift_signing.errors import FailedError
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import APPLICATION, another_home, founded_on
from tests.servers.postgres import Database, postgres


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> tuple[Acme, Database]:
    database = postgres().migrated()
    return founded_on(database, tmp_path_factory.mktemp("acme")), database


@pytest.fixture(scope="module")
def globex(tmp_path_factory: pytest.TempPathFactory) -> tuple[Acme, Database]:
    database = postgres().migrated()
    return founded_on(database, tmp_path_factory.mktemp("globex"), "Globex"), database


def url(database: Database) -> str:
    return database.url(APPLICATION)


def test_g1_65_no_hub_is_founded_where_one_is(acme: tuple[Acme, Database], tmp_path: Path) -> None:
    hub, database = acme
    before = hub.types()
    with pytest.raises(FailedError, match="holds a hub already") as caught:
        founded_on(database, tmp_path / "second", "Globex")
    assert caught.value.code == "database-not-new"
    assert not (tmp_path / "second/hub").exists()
    assert not (tmp_path / "second/offline").exists()
    assert hub.types() == before
    hub.close()


def test_g1_65_of_two_at_the_same_moment_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked, and found nothing."""
    database, both = postgres().migrated(), threading.Barrier(2)
    look = founding._check_stores

    def looked(root: Path, settings: Settings, environment: Mapping[str, str]) -> None:
        look(root, settings, environment)
        both.wait(30)

    monkeypatch.setattr(founding, "_check_stores", looked)
    names = ("one", "two")
    with ThreadPoolExecutor(2) as pool:
        tried = [pool.submit(founded_on, database, tmp_path / name, name) for name in names]
        failed = [one.exception() for one in tried]
    (bad,) = [one for one in failed if one is not None]
    assert isinstance(bad, FailedError)
    assert bad.code == "database-not-new"
    won, lost = sorted(zip(failed, names, strict=True), key=lambda one: one[0] is not None)
    assert list((tmp_path / lost[1] / "hub").glob("*")) == []
    assert list((tmp_path / lost[1] / "offline").glob("*.pem*")) == []
    hub = Acme(tmp_path / won[1])
    assert hub.types() == ["organisation.founded"]
    hub.close()


def test_g1_65_a_home_whose_settings_name_another_hubs_database_is_refused(
    acme: tuple[Acme, Database],
    globex: tuple[Acme, Database],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever only looks, too: what is there is none of theirs."""
    (hub, _), (other, theirs) = acme, globex
    before = other.types()
    other.close()
    monkeypatch.setenv("SEALIFT_DATABASE__URL", url(theirs))
    for command in (["next"], ["list", "sites"], ["audit", "verify"], ["renew", "recall"]):
        assert run(["--home", str(hub.root), *command]) == 4
        assert "holds another hub than this home's" in capsys.readouterr().err
    monkeypatch.delenv("SEALIFT_DATABASE__URL")
    assert other.types() == before
    other.close()
    assert run(["--home", str(hub.root), "audit", "verify"]) == 0


def test_g1_65_by_its_keys_where_it_has_no_copy_of_anything(
    acme: tuple[Acme, Database], globex: tuple[Acme, Database], tmp_path: Path
) -> None:
    (hub, _), (other, theirs) = acme, globex
    with another_home(hub, tmp_path / "copy") as copy:
        assert copy.types() == hub.types(), "a further home of this hub's is none of another's"
    shutil.rmtree(tmp_path / "copy")
    with another_home(hub, tmp_path / "copy") as copy:
        copy.environment = {"SEALIFT_DATABASE__URL": url(theirs)}
        with pytest.raises(FailedError, match="never been signed with a key that lies here") as bad:
            copy.types()
        assert bad.value.code == "database-of-another-hub"
    hub.close()
    other.close()
