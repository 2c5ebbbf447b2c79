"""Setting up a hub: whole or not at all, its settings, its keys, and who is unprotected."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from sealift_registry.storage import sqlite
from sealift_registry.storage.home import Home, open_home
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.trust import ceremony, founding
from sealift_registry.trust.ceremony import person_id
from sealift_registry.trust.repository import Repository
from sealift_signing import disk, keys
from sealift_signing.errors import (
    FailedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)
from sealift_signing.keys import Passphrases
from sealift_signing.organisation import Organisation
from sealift_signing.vocabulary import NAME
from tests.registry.hub_fixture import Acme, copied, secrets
from tests.registry.test_promotions import refused
from tests.stores import shared

OFFLINE = ["root", "root", "root", "targets", "targets", "targets", "fleet", "fleet", "recall"]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def found(folder: Path, **environment: str) -> None:
    founding.found(folder / "hub", "Acme", folder / "offline", secrets(), environment).close()


def found_solo(folder: Path) -> None:
    founding.found_solo(folder / "hub", "me", "me", {}).close()


def test_a_new_hub(tmp_path: Path) -> None:
    found(tmp_path)
    home = tmp_path / "hub"
    there = {p.name for p in home.iterdir()} - {p.name for p in home.glob("sealift.db-*")}
    database = "newest-checkpoint" if shared() else "sealift.db"
    assert there == {"settings.toml", "metadata", "keys", "sealift.lock", database}
    assert (home / "keys").stat().st_mode & 0o777 == 0o700
    private = [*(home / "keys").glob("*.pem"), *(tmp_path / "offline").glob("*.pem")]
    private.append(home / "keys/passphrase")
    assert len(private) == 6 + 11 + 1
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert (tmp_path / "offline").stat().st_mode & 0o777 == 0o700
    assert all(b"ENCRYPTED" in p.read_bytes() for p in private if p.suffix == ".pem")


def test_only_in_a_new_folder(tmp_path: Path) -> None:
    found(tmp_path)
    before = everything(tmp_path)
    for root in (tmp_path / "hub", tmp_path / "offline", tmp_path / "hub/settings.toml"):
        with pytest.raises(UsageError, match="is there already"):
            founding.found(root, "Acme", tmp_path / "other", secrets(), {})
        with pytest.raises(UsageError, match="is there already"):
            founding.found_solo(root, "Acme", "me", {})
    assert everything(tmp_path) == before


def test_offline_keys_are_never_overwritten_and_never_in_the_home(tmp_path: Path) -> None:
    (tmp_path / "offline").mkdir()
    (tmp_path / "offline/recall-2.pem.pub").write_text("somebody's")
    refused(lambda: found(tmp_path), "key-exists", FailedError)
    assert list(everything(tmp_path)) == ["offline/recall-2.pem.pub"]
    inside = tmp_path / "hub/keys"
    refused(
        lambda: founding.found(tmp_path / "hub", "Acme", inside, secrets(), {}),
        "offline-keys-in-home",
        UsageError,
    )


def test_nothing_is_made_where_nobody_says_the_passphrase(tmp_path: Path) -> None:
    nobody = Passphrases(None, {}, None)
    with pytest.raises(UsageError, match="No passphrase"):
        founding.found(tmp_path / "hub", "Acme", tmp_path / "offline", nobody, {})
    assert list(tmp_path.iterdir()) == []
    found(tmp_path)


@pytest.mark.parametrize("solo", [True, False])
@pytest.mark.parametrize("what", ["bring_up_to_date", "write_settings", "open_signer"])
def test_a_set_up_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, solo: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        database = PostgresDatabase if shared() else sqlite.SqliteDatabase
        there = {"open_signer": keys, "bring_up_to_date": database}
        patch.setattr(there.get(what, founding), what, fail)
        act: Callable[[Path], None] = found_solo if solo else found
        with pytest.raises((OSError, SealiftError), match="No space"):
            act(tmp_path)
    assert everything(tmp_path) == {}
    found(tmp_path)


def test_a_set_up_that_was_killed_says_so(tmp_path: Path) -> None:
    (tmp_path / "hub/keys").mkdir(parents=True)
    assert "did not finish" in refused(lambda: found(tmp_path), "home-not-new", UsageError)
    with pytest.raises(NotFoundError):
        founding.open_hub(tmp_path / "hub", {})


def test_two_set_ups_at_once(tmp_path: Path) -> None:
    def once(number: int) -> str:
        try:
            hub = founding.found(tmp_path / "hub", "A", tmp_path / f"off-{number}", secrets(), {})
        except SealiftError as bad:
            return bad.code
        hub.close()
        return ""

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(once, (1, 2))) == ["", "home-not-new"]
    founding.open_hub(tmp_path / "hub", {}).close()


@pytest.mark.parametrize("name", ['A "B" \\ C', "two\nlines", "tab\there", "Žluťoučký kůň", "a=b"])
def test_every_name_can_be_read_again(tmp_path: Path, name: str) -> None:
    founding.found_solo(tmp_path / "hub", name, "me", {}).close()
    assert open_home(tmp_path / "hub", {}).settings.organisation.name == name


@pytest.mark.parametrize("name", ["bell\x07", "\u202eright to left", "x" * 2001])
def test_a_name_that_no_document_may_hold(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="name must be text"):
        founding.found_solo(tmp_path / "hub", name, "me", {})
    assert everything(tmp_path) == {}


@pytest.mark.parametrize(
    "login", ["Anna Müller", "", "-", "ROOT", "a" * 70, "a" * 63 + ".b", "x_1"]
)
def test_a_login_name_becomes_an_id(login: str) -> None:
    assert NAME.matches(person_id(login))


# -------------------------------------------------------------------- settings


def settings(home: Path, text: str, **environment: str) -> Home:
    (home / "settings.toml").write_text(text)
    return open_home(home, environment)


@pytest.mark.parametrize(
    "text, code",
    [
        ("[delivery]\nfreshnes_days = 3", "unknown-setting"),
        ("[deliveries]\n", "unknown-setting"),
        ("delivery = 3", "unknown-setting"),
        ('[delivery]\nfreshness_days = "3"', "bad-setting"),
        ("[delivery]\nfreshness_days = true", "bad-setting"),
        ("[delivery]\nfreshness_days = 0", "bad-setting"),
        ("[delivery]\nfreshness_days = -1", "bad-setting"),
        ("[delivery]\nfreshness_days = 1000000000", "bad-setting"),
        ("[conversion]\nproof_minutes = 0", "bad-setting"),
        ("[conversion]\nproof_minutes = 241", "bad-setting"),
        ("[conversion]\nproof_minutes = 1.5", "bad-setting"),
        ("[conversion]\nminutes = 1", "unknown-setting"),
        ("[organisation]\nname = 3", "bad-setting"),
        ("[organisation", "bad-settings"),
    ],
)
def test_settings_are_read_strictly(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(tmp_path, text)
    assert (caught.value.code, bool(caught.value.next_step)) == (code, True)


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(b"\xff")
    refused(lambda: open_home(tmp_path, {}), "settings-unreadable", FailedError)


def test_the_environment_overrides(tmp_path: Path) -> None:
    text = "[delivery]\nfreshness_days = 3\n"
    assert settings(tmp_path, text).settings.delivery.freshness_days == 3
    said = settings(tmp_path, text, SEALIFT_DELIVERY__FRESHNESS_DAYS="9", SEALIFT_HOME="x")
    assert said.settings.delivery.freshness_days == 9
    # A site's own settings may stand in the same environment, and so may passphrases.
    settings(tmp_path, text, SEALIFT_LIMITS__LOCK_SECONDS="1", SEALIFT_PASSPHRASE__X="y")


@pytest.mark.parametrize(
    "variable, value, code",
    [
        ("SEALIFT_DELIVERY__FRESHNESS_DAYS", "soon", "bad-setting"),
        ("SEALIFT_DELIVERY__FRESHNESS_DAYS", "0", "bad-setting"),
        ("SEALIFT_DELIVERY__FRESHNES_DAYS", "9", "unknown-setting"),
        ("SEALIFT_KEYS__", "9", "unknown-setting"),
    ],
)
def test_the_environment_is_read_strictly(
    tmp_path: Path, variable: str, value: str, code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        settings(tmp_path, "", **{variable: value})
    assert (caught.value.code, caught.value.subject) == (code, variable) or value == "0"


# -------------------------------------------------------------------- opening


@pytest.mark.embedded("SQLite's file")
def test_a_home_without_its_database_is_not_a_new_hub(acme: Acme) -> None:
    for file in acme.root.glob("sealift.db*"):
        file.unlink()
    refused(lambda: acme.app, "no-database", FailedError)
    assert not (acme.root / "sealift.db").exists()


@pytest.mark.embedded("SQLite's file")
def test_a_database_that_is_none(acme: Acme) -> None:
    for file in acme.root.glob("sealift.db*"):
        file.unlink()
    (acme.root / "sealift.db").write_bytes(b"not a database" * 100)
    assert "file is not a database" in refused(
        lambda: acme.app, "database-unreadable", FailedError
    ), "and not what became of the connection after that"


@pytest.mark.embedded("how SQLite calls a full disk")
def test_t1_85_a_full_disk_is_not_called_damage(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite calls it an I/O error, and whoever goes back to a backup for that loses entries."""
    acme.close()
    monkeypatch.setattr(sqlite, "_SETTINGS", ("SELECT raise_an_error",))
    refused(lambda: acme.app, "database-unreadable", FailedError)
    monkeypatch.setattr(disk, "is_full", lambda folder: folder == acme.root)
    told = refused(lambda: acme.app, "database-full", FailedError)
    assert f"no room left for the hub's database {acme.root}" in told


@pytest.mark.embedded("opening a hub on a server never migrates")
def test_two_processes_migrate_one_after_the_other(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    monkeypatch.setattr(sqlite, "current", lambda _: "0001")
    monkeypatch.setattr(sqlite, "upgrade", lambda _: held.append(is_held(acme.root)))
    acme.app  # noqa: B018
    assert held == [True]


def is_held(root: Path) -> bool:
    import fcntl

    descriptor = os.open(root / "sealift.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_the_hubs_own_passphrase(tmp_path: Path) -> None:
    """In the environment alone, no file keeps it."""
    variable = "SEALIFT_PASSPHRASE_HUB"
    found(tmp_path, **{variable: "secret"})
    assert not (tmp_path / "hub/keys/passphrase").exists()
    hub = founding.open_hub(tmp_path / "hub", {variable: "secret"})
    hub.online.signer("log")
    hub.close()
    for environment in ({}, {variable: ""}, {variable: "wrong"}):
        hub = founding.open_hub(tmp_path / "hub", environment)
        with pytest.raises(SealiftError):
            hub.online.signer("log")
        hub.close()


def test_an_empty_passphrase_variable_is_none(tmp_path: Path) -> None:
    found(tmp_path, SEALIFT_PASSPHRASE_HUB="")
    hub = founding.open_hub(tmp_path / "hub", {})
    hub.online.signer("log")
    hub.close()


# -------------------------------------------------------------------- unprotected


def unprotected(root: Path) -> tuple[str, ...]:
    hub = founding.open_hub(root, {})
    with hub.reading() as connection:
        reasons = Repository(connection).unprotected()
    hub.close()
    return reasons


def test_unprotected_is_computed_and_not_a_setting(tmp_path: Path, founded: Path) -> None:
    founding.found_solo(tmp_path / "solo", "me", "me", {}).close()
    reasons = unprotected(tmp_path / "solo")
    assert "one signature suffices for root" in reasons
    assert "who requests production may approve it" in reasons
    path = tmp_path / "solo/settings.toml"
    path.write_text(path.read_text().replace('person = "me"', 'person = ""'))
    assert unprotected(tmp_path / "solo") == reasons
    full = copied(founded, tmp_path / "full")
    assert unprotected(full.root) == ()


# -------------------------------------------------------------------- copies of the metadata


def test_copies_that_cannot_be_written_fail_nothing(acme: Acme) -> None:
    """What they copy has happened; a command that said otherwise would be run again."""
    shutil.rmtree(acme.root / "metadata")
    (acme.root / "metadata").write_text("in the way")
    acme.new_key("gina")
    acme.entitle("gina", "request")
    (acme.root / "metadata").unlink()
    acme.new_key("hugo")
    acme.entitle("hugo", "request")
    assert (acme.root / "metadata/timestamp.json").is_file()


def test_copies_are_written_by_one_process_at_a_time(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealift_registry.trust import hub

    held: list[bool] = []
    monkeypatch.setattr(hub, "write_copies", lambda *_: held.append(is_held(acme.root)))
    acme.app.hub.copy_metadata()
    assert held == [True]


@pytest.fixture
def renewing(acme: Acme) -> Callable[..., object]:
    from tests.registry.signing_people import draft_renewal

    def renew(role: str, *signers: str) -> object:
        with acme.app.hub.reading() as connection:
            who = [acme.signer(name) for name in signers]
            change = draft_renewal(connection, role, who, acme.app.hub.now())
        return acme.app.hub.commit_change(
            change, acme.app.hub.entry("role.renewed", role, {"role": role})
        )

    return renew


def test_renewing(acme: Acme, renewing: Callable[..., object]) -> None:
    renewing("root", "root-1", "root-3")
    renewing("team.vision", "anna", "ben")
    renewing("recall", "recall-2")
    for role in ("snapshot", "catalog.vision", "team.nobody", "x", "site.plant-7"):
        refused(lambda role=role: renewing(role, "root-1"), "not-renewable", NotFoundError)  # type: ignore[misc]
    before = acme.rows()
    for signers in (("root-1",), ("root-1", "root-1"), ("targets-1", "targets-2")):
        with pytest.raises(RefusedError):
            renewing("root", *signers)
    assert acme.rows() == before
    assert ceremony.OFFLINE_HOLDERS["root"] == (2, 3)


def test_renewing_for_a_shorter_time_is_a_change(
    acme: Acme, renewing: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    renewing("recall", "recall-2")
    assert renewing("recall", "recall-2") is False, "signed just now"
    monkeypatch.setattr(Organisation, "lifetime", lambda *_: 3)
    assert renewing("recall", "recall-2") is True
    with acme.app.hub.reading() as connection:
        expires = Repository(connection).targets("recall").signed.expires
    assert expires - acme.app.hub.now() <= timedelta(days=3)
