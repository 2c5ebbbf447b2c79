"""The import of what is right, interrupted imports, and what an import remembers."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest

from sealift_signing.documents import Withdrawal
from sealift_signing.errors import FailedError, SealiftError
from sealift_sync import durable, stream
from sealift_sync.bundle.medium import Medium
from sealift_sync.site.importing import committing, importer
from sealift_sync.site.log.log_reader import SiteLogReader
from tests.hub_on_paper import GROUP, SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE, rule

DIGITS_1 = b"the weights of catalog/vision/digits/1/cpu-x86_64"
DIGITS_2 = b"the weights of catalog/vision/digits/2/cpu-x86_64"


def cut_short(site: SiteOnPaper, folder: Path, owner: object, name: str) -> None:
    """Import, and be interrupted where `name` of `owner` would be called."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(owner, name, stop)
        with pytest.raises(KeyboardInterrupt):
            site.take(folder)


def test_an_approved_artifact_is_installed_and_runs(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    done = site.take(hub.export(medium))
    assert [one.outcome for one in done.receipt.artifacts] == ["installed"]
    assert site.running() == DIGITS_1
    kinds = [entry.type for entry in site.entries()]
    assert kinds == ["site.enrolled", "transfer.imported", "model.activated"]


def test_the_medium_is_never_written_to(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    before = {p: p.read_bytes() for p in medium.rglob("*") if p.is_file()}
    for path in medium.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    site.take(folder)
    assert {p: p.read_bytes() for p in medium.rglob("*") if p.is_file()} == before


def test_verify_says_what_an_import_would_and_writes_nothing(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    good = hub.promote(1)
    bad = hub.vouch(hub.build(1, model="letters"))
    hub.list_artifact(bad)
    hub.assign(good)
    hub.assign(bad)
    folder = hub.export(medium)
    before, entries = site.picture(), len(site.entries())
    accepted = site.verify(folder)
    assert [one.fate for one in accepted.plan.judged] == ["new", "held"]
    assert (site.picture(), len(site.entries())) == (before, entries)
    (blob,) = (
        f for f in (folder / "blobs/sha256").iterdir() if b"digits/1/" in f.read_bytes()[:60]
    )
    blob.write_bytes(b"damaged")
    with pytest.raises(SealiftError, match="damaged"):
        site.verify(folder)
    assert (site.picture(), len(site.entries())) == (before, entries)


def test_the_receipt_tells_everything(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    first = hub.promote(1)
    hub.assign(first)
    site.take(hub.export(medium))
    second = hub.promote(2)
    hub.assign(second, first)
    site.take(hub.export(medium))
    receipt = site.receipts()[-1]
    assert receipt.running == {GROUP: {"vision/digits": 1}}  # before this transfer's activation
    assert set(receipt.inventory) == {first.sha256, second.sha256}
    assert receipt.roles["timestamp"] == hub.repository.current["timestamp"].signed.version
    assert receipt.unprotected == ()
    assert receipt.enrolment == hub.enrolments[SITE]


@pytest.mark.parametrize("moment", ["adopt_copied", "make_receipt"])
def test_a_crash_before_the_commit_leaves_nothing_visible_and_the_next_run_goes_on(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    moment: str,
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    tables = site.picture().tables
    cut_short(site, folder, committing, moment)
    assert site.picture().tables == tables
    assert site.running() is None
    site.take(folder)
    assert site.running() == DIGITS_1


def test_a_staged_blob_that_a_crash_left_is_hashed_again(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    digest = sha256(DIGITS_1).hexdigest()
    staged = site.root / "store/incoming"
    staged.mkdir(parents=True)
    (staged / digest).write_bytes(b"half of i")
    site.take(folder)
    assert site.running() == DIGITS_1
    assert not list(staged.iterdir())


def test_what_an_earlier_import_left_is_a_stage_of_its_own(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    cut_short(site, folder, committing, "adopt_copied")
    told: list[tuple[str, list[int]]] = []

    def listen(name: str, size: int) -> Callable[[int], None]:
        told.append((name, [size]))
        return told[-1][1].append

    with site.opened("import", reads_medium=True) as opened:
        importer.import_bundle(opened, Medium(folder), replace(site.watch, begin_phase=listen))
    stages = {name: (size, sum(counts)) for name, (size, *counts) in told}
    assert list(stages)[:3] == ["check the store", "check what is there", "copy"]
    size, checked = stages["check what is there"]
    assert size == checked > 0
    assert stages["copy"] == (0, 0)


@pytest.mark.parametrize("large", [stream.CHUNK, 8], ids=["small files", "large files"])
def test_what_a_failed_flush_left_in_the_page_cache_alone_is_copied_again(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    large: int,
) -> None:
    """Linux tells of it once; the next flush succeeds, and what is read is what was to be written.

    Until the page cache is dropped: then the disk shows what it has.
    """
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    genuine, done = os.fsync, list[str]()

    def fail(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().parent.name == "incoming":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        genuine(descriptor)

    def flush(descriptor: int) -> None:
        done.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        genuine(descriptor)

    def drop(file: BinaryIO) -> None:
        left = Path(str(file.name))
        done.append(f"drop {left.name}")
        left.write_bytes(bytes(left.stat().st_size))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(FailedError):
            site.take(folder)
    staged = sorted(path.name for path in (site.root / "store/incoming").iterdir())
    assert sha256(DIGITS_1).hexdigest() in staged
    monkeypatch.setattr(stream, "CHUNK", large)
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(durable, "drop_cache", drop)
    site.take(folder)
    assert site.running() == DIGITS_1
    for name in staged:
        assert done.index(f"flush {name}") < done.index(f"drop {name}")


def test_a_crash_after_the_commit_is_made_good_by_the_same_import(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    cut_short(site, folder, importer, "activate")
    assert site.running() is None
    again = site.take(folder)
    assert again.already
    assert site.running() == DIGITS_1


def test_an_entry_that_cannot_be_written_is_an_import_that_did_not_happen(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    tables = site.picture().tables

    def fail(*_: object) -> None:
        raise FailedError("log-damaged", "The log could not be written.")

    monkeypatch.setattr("sealift_sync.site.setup.open_site.SiteLog.append", fail)
    with pytest.raises(FailedError):
        site.take(folder)
    assert site.picture().tables == tables
    assert site.running() is None


def test_no_room_is_said_before_anything_is_copied(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    usage = shutil.disk_usage(site.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: replace_free(usage, 1000))
    before = site.picture()
    with pytest.raises(FailedError, match="1,000 bytes free and the import needs"):
        site.take(folder)
    assert site.picture() == before


def test_t1_10_what_does_not_fit_is_not_called_whole(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify` says what an import will say."""
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    usage = shutil.disk_usage(site.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(FailedError) as refused:
        site.verify(folder)
    assert refused.value.code == "no-room"
    monkeypatch.undo()
    site.verify(folder)


def replace_free(usage: object, free: int) -> object:
    return usage._replace(free=free)  # type: ignore[attr-defined]


def test_pins_rise_with_what_was_seen_to_two(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.publish_policy(**{STAGE: rule(approvals=3)})
    made = hub.vouch(hub.build(1))
    made.approvals = tuple(hub.approve(made, name) for name in ("bert", "carla", "dirk"))
    hub.list_artifact(made)
    hub.assign(made)
    site.take(hub.export(medium))
    with site.opened() as opened:
        pins = opened.state.pins(opened.enrolment.pins)
    assert pins.least_approvals == 2
    assert pins.least_thresholds == {"root": 2, "targets": 2, "team": 2}


def test_trusted_time_rises_and_never_beyond_the_offline_roles(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium, made=hub.ahead(hours=23)))
    with site.opened() as opened:
        assert (opened.trusted_time() - site.now).total_seconds() == 23 * 3600


def test_solo_is_named_unprotected_on_the_receipt(tmp_path: Path, medium: Path) -> None:
    hub = HubOnPaper(tmp_path)
    hub.repository.holders["team.vision"] = (1, ("stella",))
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, "team.vision")
    site = SiteOnPaper(tmp_path / "site", hub.now)
    site.enrol(hub)
    hub.assign(hub.promote(1))
    receipt = site.take(hub.export(medium)).receipt
    assert "one steward suffices for team vision" in receipt.unprotected


def test_a_model_that_is_no_longer_assigned_runs_on(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    hub.assign(hub.promote(1, model="letters"))
    site.take(hub.export(medium))
    del hub.assigned[SITE][GROUP]["vision/letters"]
    done = site.take(hub.export(medium))
    assert site.running("vision/letters") is not None
    assert site.running() == DIGITS_1
    assert [one.code for one in done.receipt.artifacts] == [
        "installed-already",
        "no-longer-assigned",
    ]


def test_a_held_current_leaves_what_runs_alone(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    unapproved = hub.vouch(hub.build(2))
    hub.list_artifact(unapproved)
    hub.assign(unapproved)
    site.held(hub.export(medium))
    assert site.running() == DIGITS_1


def test_the_answer_must_be_by_a_fleet_administrator(
    hub: HubOnPaper, tmp_path: Path, medium: Path
) -> None:
    site = SiteOnPaper(tmp_path / "lured", hub.now)
    site.enrol(hub, by="hub-snapshot")
    hub.assign(hub.promote(1))
    assert site.refuses(hub.export(medium)).code == "answer-not-by-fleet"


def test_a_restored_site_imports_nothing_and_begins_no_second_history(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    backup = (site.root / "sealift.db").read_bytes()
    site.take(hub.export(medium))
    with site.opened() as opened:
        note = SiteLogReader(opened.state.connection).checkpoint().note
    folder = hub.export(medium, site_log=note.decode())
    for leftover in site.root.glob("sealift.db*"):
        leftover.unlink()
    (site.root / "sealift.db").write_bytes(backup)
    entries = len(site.entries())
    with pytest.raises(SealiftError, match="restored from a backup"):
        site.take(folder)
    assert len(site.entries()) == entries  # not even that


def test_evidence_is_not_asked_for_where_the_policy_asks_none(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.publish_policy(**{STAGE: replace(rule(), evidence=())})
    made = hub.build(1)
    made.request = hub.request(made)
    made.approvals = (hub.approve(made, "bert"), hub.approve(made, "carla"))
    hub.list_artifact(made)
    hub.assign(made)
    site.take(hub.export(medium))
    assert site.running() == DIGITS_1


def test_very_much_that_is_held_in_very_many_words_still_fits_the_log(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    for number in range(30):
        made = hub.promote(1, model=f"{'m' * 55}{number:02d}")
        hub.withdrawn += (
            Withdrawal(
                f"w{number}", STAGE, made.sha256, None, None, "\U0001f525" * 2000, hub.ago()
            ),
        )
        hub.assign(made)
    hub.publish_members()
    assert len(site.held(hub.export(medium))) == 30
    assert site.running() == DIGITS_1
