"""A hub restored from yesterday's backup: it notices, and begins no second history."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_registry.audit import restored_backup
from sealift_registry.audit.restored_backup import RestoredHubError
from sealift_registry.cli.run import run
from sealift_registry.trust import key_rotation, readiness
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import NotSignedEnoughError, SealiftError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, hub_origin
from sealift_sync.bundle import layout
from tests import stores
from tests.logs import SIGNER
from tests.registry.hub_fixture import MODEL, SITE, Acme
from tests.registry.signing_people import carry_out
from tests.site_on_paper import SiteOnPaper

Backup = Callable[[], None]


def backed_up(hub: Acme) -> Backup:
    hub.close()
    return stores.backed_up(hub.root)


def restore(hub: Acme, backup: Backup) -> None:
    hub.close()
    backup()


@pytest.fixture
def yesterday(ready: Acme, plant: SiteOnPaper) -> Backup:
    """The backup of a hub that exported once more since, to a medium that has gone home again."""
    plant.take(ready.export().folder)
    ready.app.returns.receive(ready.returned(plant))
    backup = backed_up(ready)
    ready.promoted(2)
    ready.assign(2)
    plant.take(ready.export().folder)
    return backup


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def refused(act: Callable[[], object]) -> SealiftError:
    with pytest.raises(RestoredHubError, match="restored from a backup") as caught:
        act()
    assert caught.value.code == "hub-restored"
    assert "Restore the newest backup" in caught.value.next_step
    assert "sealift key rotate log" in caught.value.next_step
    return caught.value


def signs_nothing(hub: Acme, plant: SiteOnPaper) -> None:
    """Whatever would be signed or logged is refused, and changes nothing."""
    before = hub.rows()
    home = hub.returned(plant, empty(hub.folder / "once more"))
    elsewhere = empty(hub.folder / "elsewhere")
    for act in (
        lambda: hub.export(to=elsewhere),
        lambda: hub.app.exports.plan(SITE, elsewhere),
        lambda: hub.request(2),
        lambda: hub.approve(1, "carla"),
        lambda: hub.assign(1, back="It is better."),
        lambda: hub.ingest(3, hub.goldens(3)),
        lambda: hub.convert(2),
        lambda: hub.renew("recall", "recall-1"),
        lambda: hub.app.hub.log.commit_entry(hub.app.hub.entry("role.renewed", "hub", {})),
    ):
        refused(act)
    _, (first, *_) = hub.app.returns.receive(home)
    assert first.code == "hub-restored"
    assert hub.rows() == before
    assert list(elsewhere.iterdir()) == []


def test_t1_10_a_return_that_is_newer_than_the_hub_stops_it(
    ready: Acme, plant: SiteOnPaper, yesterday: Backup
) -> None:
    home = ready.returned(plant, empty(ready.folder / "home"))
    restore(ready, yesterday)
    before = ready.rows()
    accepted, (first, *_) = ready.app.returns.receive(home)
    assert (accepted, first.code) == ([], "hub-restored")
    after = ready.rows()
    assert len(after.pop("seen_ahead")) == 1
    assert before.pop("seen_ahead") == []
    assert after == before, "it is remembered, and nothing is logged"
    ready.close()  # the next command is another process
    signs_nothing(ready, plant)


def test_t1_10_so_does_a_later_bundle_of_its_own_on_the_medium(
    ready: Acme, plant: SiteOnPaper, yesterday: Backup
) -> None:
    restore(ready, yesterday)
    refused(ready.export)
    ready.close()
    signs_nothing(ready, plant)


def test_t1_10_no_number_of_forged_ones_hides_that_which_tells(
    ready: Acme, plant: SiteOnPaper, yesterday: Backup
) -> None:
    """They are larger, and are looked at first wherever only some are."""
    with ready.app.hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
    forged = [
        checkpoint.sign(Checkpoint(origin, 10**15 - n, bytes(32)), SIGNER) for n in range(1100)
    ]
    with plant.opened() as site, site.state.transaction():
        for note in forged:
            site.record(site.entry("transfer.imported", {"hub_log": note.decode()}))
    home = ready.returned(plant, empty(ready.folder / "home"))
    for number, note in enumerate(forged[:100]):
        folder = ready.medium / layout.SEALIFT / f"{SITE}-{900000 + number}" / layout.LOG
        folder.mkdir(parents=True)
        (folder / "hub.checkpoint").write_bytes(note)
    restore(ready, yesterday)
    assert ready.app.returns.receive(home)[1][0].code == "hub-restored"
    restore(ready, yesterday)
    refused(ready.export)


def test_t1_10_one_that_was_written_and_never_signed_tells_as_well(
    ready: Acme, plant: SiteOnPaper, yesterday: Backup
) -> None:
    (whole,) = ready.medium.glob("sealift/*-000002")
    (whole / layout.TRANSFER).unlink()
    restore(ready, yesterday)
    refused(lambda: ready.app.returns.receive(ready.medium))
    signs_nothing(ready, plant)


def test_t1_10_a_hub_that_went_on_first_is_found_out_as_well(
    ready: Acme, plant: SiteOnPaper, yesterday: Backup
) -> None:
    """Its log is longer by now than the one that the site saw; it is another one."""
    home = ready.returned(plant, empty(ready.folder / "home"))
    size = len(ready.types())
    restore(ready, yesterday)
    while len(ready.types()) <= size:
        ready.renew("recall", "recall-1")
        ready.later(hours=2 * (len(ready.types()) + 1))
    _, (first, *_) = ready.app.returns.receive(home)
    assert first.code == "hub-restored"


def test_t1_10_the_newest_backup_lets_it_go_on(
    ready: Acme, plant: SiteOnPaper, yesterday: Backup
) -> None:
    today = backed_up(ready)
    home = ready.returned(plant, empty(ready.folder / "home"))
    restore(ready, yesterday)
    assert ready.app.returns.receive(home)[1][0].code == "hub-restored"
    restore(ready, today)
    accepted, bad = ready.app.returns.receive(home)
    assert (len(accepted), bad) == (1, [])
    ready.export()


# ---------------------------------------------------------------------- who cannot stop it


def ahead_by(hub: Acme, key: str) -> bytes:
    """A checkpoint of this hub's log, far ahead, signed with whatever key."""
    with hub.app.hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
    signer = hub.app.hub.online.signer(key) if key else SIGNER
    return checkpoint.sign(Checkpoint(origin, 10**15 - 1, bytes(32)), signer)


@pytest.mark.parametrize("key", ["", "snapshot", "scanner", "catalog"])
def test_t1_10_a_thief_of_a_sites_key_stops_no_hub(
    ready: Acme, plant: SiteOnPaper, key: str
) -> None:
    """With the site's key anything can be written into its log; the hub's log key is not there."""
    plant.take(ready.export().folder)
    with plant.opened() as site, site.state.transaction():
        forged = ahead_by(ready, key).decode()
        site.record(site.entry("transfer.imported", {"hub_log": forged}))
        site.record(site.entry("transfer.imported", {"hub_log": ["no", "text"]}))
        site.record(site.entry("transfer.imported", {"hub_log": "\n\n\n"}))
    accepted, bad = ready.app.returns.receive(ready.returned(plant))
    assert ([one.site for one in accepted], bad) == ([SITE], [])
    assert ready.rows()["seen_ahead"] == []
    ready.export()


def test_t1_10_nor_does_a_stranger_with_a_medium(ready: Acme) -> None:
    folder = ready.medium / layout.SEALIFT / f"{SITE}-999999" / layout.LOG
    folder.mkdir(parents=True)
    note = folder / "hub.checkpoint"
    for data in (b"", b"\xff" * 5000, ahead_by(ready, "")):
        note.write_bytes(data)
        ready.export()
    note.unlink()
    note.symlink_to("/dev/zero")
    ready.export()
    for number in range(65):
        (ready.medium / layout.SEALIFT / f"x-{10**6 + number}" / layout.LOG).mkdir(parents=True)
    ready.export()


def test_t1_10_a_key_of_the_log_that_was_replaced_stops_nothing(ready: Acme) -> None:
    """Who stole it counts as far as they like."""
    stolen = ahead_by(ready, "log")
    rotate_log(ready)
    readiness.notice(ready.app.hub, [stolen])
    ready.export()


def rotate_log(hub: Acme, *people: str) -> None:
    with hub.app.hub.reading() as connection:
        wanted = key_rotation.wanted(hub.app.hub, connection, "log", "compromised")
    carry_out(hub.app, wanted, [hub.signer(one) for one in people or ["fleet-1"]])


def test_t1_10_a_thief_of_the_logs_key_is_got_rid_of(ready: Acme, plant: SiteOnPaper) -> None:
    """Their checkpoint stops the hub, until two fleet administrators replace the key: no longer.

    It takes two, because the hub cannot tell a thief who counted ahead from entries that it lost.
    """
    plant.take(ready.export().folder)
    stolen = ahead_by(ready, "log")
    refused(lambda: readiness.notice(ready.app.hub, [stolen]))
    refused(ready.export)
    before = ready.rows()
    with pytest.raises(NotSignedEnoughError, match="2 people sign that, and 1 did"):
        rotate_log(ready)
    assert ready.rows() == before
    rotate_log(ready, "fleet-1", "fleet-2")
    ready.close()
    assert readiness.problems(ready.app.hub) == []
    plant.take(ready.export().folder)


# ---------------------------------------------------------------------- how it is kept and told


def test_t1_10_it_is_remembered_before_it_is_told(
    ready: Acme, yesterday: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed while telling has remembered; and before that, has changed nothing."""
    restore(ready, yesterday)

    def killed(_said: Checkpoint) -> RestoredHubError:
        raise KeyboardInterrupt

    monkeypatch.setattr(restored_backup, "restored", killed)
    with pytest.raises(KeyboardInterrupt):
        ready.export()
    monkeypatch.undo()
    ready.close()
    refused(lambda: ready.export(to=empty(ready.folder / "elsewhere")))


def test_t1_10_what_was_found_out_is_kept_once_and_not_forgotten(
    ready: Acme, yesterday: Backup
) -> None:
    restore(ready, yesterday)
    for _ in range(2):
        refused(ready.export)
    assert len(ready.rows()["seen_ahead"]) == 1
    for change in ("DELETE FROM seen_ahead", "UPDATE seen_ahead SET note = 'x'"):
        with pytest.raises(Exception, match="append-only"):
            ready.sql(change)


def test_t1_10_a_row_that_the_key_did_not_sign_stops_nothing(ready: Acme) -> None:
    for note in (b"", b"\x00", ahead_by(ready, "scanner")):
        ready.sql(f"INSERT INTO seen_ahead VALUES (x'{note.hex()}')")  # noqa: S608 - our own bytes
    ready.export()


def test_t1_10_whoever_only_looks_is_told(
    ready: Acme, yesterday: Backup, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(ready.root)]
    restore(ready, yesterday)
    assert run([*home, "receive", str(ready.medium)]) == 1
    assert "It no longer signs anything." in capsys.readouterr().err
    assert run([*home, "list", "versions"]) == 0
    told = capsys.readouterr()
    assert MODEL in told.out
    assert told.err.count("restored from a backup") == 1
    assert "sealift key rotate log" in told.err
    assert run([*home, "next"]) == 0
    told = capsys.readouterr()
    assert told.out.count("restored from a backup") == 1
    assert told.err == ""
    for question in ("verify", "fsck"):
        assert run([*home, "audit", question]) == 1
        told = capsys.readouterr()
        assert "entries that were signed and seen" in told.out
        assert "Restore the newest backup" in told.err


def test_t1_10_limit_a_key_that_was_replaced_after_the_backup_tells_nothing(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """A home restored whole knows neither the new key nor that there is one."""
    plant.take(ready.export().folder)
    ready.app.returns.receive(ready.returned(plant))
    ready.close()
    whole = ready.folder / "yesterday"
    stores.copy_tree(ready.root, whole)
    rotate_log(ready)
    plant.take(ready.export().folder)
    home = ready.returned(plant, empty(ready.folder / "home"))
    ready.close()
    shutil.rmtree(ready.root)
    whole.rename(ready.root)
    _, (first,) = ready.app.returns.receive(home)
    assert first.code == "receipt-of-another"
    assert readiness.problems(ready.app.hub) == []
