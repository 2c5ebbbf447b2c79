"""Exports that were cut: the same command again, and nothing is doubled, lost or left over.

Here a cut is an exception that nobody catches; real kills are in tests/interruptions.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_registry.delivery import export_locks, exports
from sealift_registry.trust.repository import Repository
from sealift_signing import locks, statements
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.statements import Transfer
from sealift_sync import stream
from sealift_sync.bundle import layout, partial, writer
from tests.media import with_free
from tests.registry.hub_fixture import SITE, Acme, Loose
from tests.registry.test_delivery import another, made
from tests.registry.test_promotions import refused
from tests.site_on_paper import SiteOnPaper

FIRST, SECOND = "plant-7-000001", "plant-7-000002"


class CutError(BaseException):
    """The process is no more."""


def names(hub: Acme, medium: Path | None = None) -> list[str]:
    return sorted(one.name for one in ((medium or hub.medium) / layout.SEALIFT).iterdir())


def tuf_versions(hub: Acme) -> dict[str, int]:
    with hub.app.hub.reading() as connection:
        return Repository(connection).versions()


@contextmanager
def cut(owner: object, name: str, *, after: bool = False, nth: int = 1) -> Iterator[None]:
    """End the process before or after the nth call of a function."""
    genuine: Callable[..., object] = getattr(owner, name)
    left = [nth]

    def ends(*arguments: Loose, **more: Loose) -> object:
        left[0] -= 1
        if left[0] == 0 and not after:
            raise CutError
        done = genuine(*arguments, **more)
        if left[0] == 0:
            raise CutError
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, ends)
        with pytest.raises(CutError):
            yield


def cut_short(hub: Acme, owner: object, name: str, *, after: bool = False, nth: int = 1) -> None:
    with cut(owner, name, after=after, nth=nth):
        hub.export()


CUTS: list[tuple[object, str, bool, int]] = [
    (exports.Exports, "_begin", False, 1),
    (exports.Exports, "_begin", True, 1),
    (stream, "copy_hashed", False, 1),
    (stream, "copy_hashed", True, 7),
    (writer, "_flush", False, 1),
    (writer, "_read_back", False, 1),
    (writer, "_read_back", True, 1),
    (writer, "_read_back", True, 2),
    (exports, "record_bundle", False, 1),
    (exports, "record_bundle", True, 1),
    (writer, "_give_name", False, 1),
    (writer, "_give_name", True, 1),
    (exports, "_exported", False, 1),
]


@pytest.mark.parametrize("owner, name, after, nth", CUTS)
def test_cut_anywhere_and_run_again(
    ready: Acme, plant: SiteOnPaper, owner: object, name: str, after: bool, nth: int
) -> None:
    before, types = tuf_versions(ready), ready.types()
    cut_short(ready, owner, name, after=after, nth=nth)
    export = ready.export()
    assert export.transfer == FIRST
    assert ready.types() == [*types, "transfer.begun", "transfer.exported"]
    assert tuf_versions(ready) == before | {
        role: before[role] + 1 for role in ("snapshot", "timestamp")
    }
    assert names(ready) == [FIRST]
    assert not any(path.name.endswith(".lock") for path in ready.root.rglob("work/**/*"))
    assert plant.take(export.folder).receipt.artifacts[0].outcome == "installed"
    again = ready.export()
    assert (again.transfer, again.again) == (FIRST, True), "also where the first run was not cut"


def test_what_is_whole_on_the_medium_is_kept(ready: Acme) -> None:
    cut_short(ready, writer, "_read_back")
    aside = partial.folder(ready.medium, FIRST)
    before = {path.name: path.stat().st_ino for path in (aside / layout.BLOBS).iterdir()}
    damaged, *_ = sorted(before)
    content = (aside / layout.BLOBS / damaged).read_bytes()
    (aside / layout.BLOBS / damaged).write_bytes(content[:-1] + b"!")
    (aside / layout.BLOBS / "half").write_bytes(b"x")
    written: list[Path] = []
    genuine = writer._put

    def put(path: Path, *arguments: Loose) -> tuple[str, int]:
        written.append(path)
        return genuine(path, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_put", put)
        folder = ready.export().folder
    after = {path.name: path.stat().st_ino for path in (folder / layout.BLOBS).iterdir()}
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} <= {damaged}
    assert [path.name for path in written if path.parent.name == "sha256"] == [damaged]
    assert (folder / layout.BLOBS / damaged).read_bytes() == content


def test_a_medium_that_somebody_prepared(ready: Acme, plant: SiteOnPaper, tmp_path: Path) -> None:
    """Links, pipes, folders and endless files where a half-written bundle would be."""
    cut_short(ready, writer, "_read_back")
    aside, outside = partial.folder(ready.medium, FIRST), made(tmp_path / "outside")
    (outside / "mine").write_bytes(b"mine")
    blobs = sorted((aside / layout.BLOBS).iterdir())
    blobs[0].unlink()
    blobs[0].symlink_to(outside / "mine")
    blobs[1].unlink()
    os.mkfifo(blobs[1])
    for target, name in ((outside, "metadata"), (outside, "statements")):
        shutil.rmtree(aside / name)
        (aside / name).symlink_to(target)
    (aside / layout.INDEX).unlink()
    (aside / layout.INDEX / "deep/er").mkdir(parents=True)
    with (aside / layout.READ_ME).open("wb") as sparse:
        sparse.truncate(2**43)
    (aside / layout.TRANSFER).write_bytes(b"{}")
    (aside / "extra").symlink_to(outside)
    folder = ready.export().folder
    assert sorted(path.name for path in outside.iterdir()) == ["mine"]
    assert (outside / "mine").read_bytes() == b"mine"
    assert plant.take(folder).receipt.artifacts[0].outcome == "installed"
    assert not any(path.is_symlink() for path in folder.rglob("*"))


def test_a_link_in_the_place_of_a_half_written_bundle(ready: Acme, tmp_path: Path) -> None:
    outside = made(tmp_path / "outside")
    (outside / "mine").write_bytes(b"mine")
    top = made(ready.medium / layout.SEALIFT)
    for transfer in (FIRST, SECOND):
        partial.folder(ready.medium, transfer).symlink_to(outside)
    assert ready.export().folder == top / FIRST
    assert (outside / "mine").read_bytes() == b"mine"
    assert names(ready) == [FIRST]


@pytest.mark.parametrize("recorded", [False, True])
def test_our_folder_is_a_link_to_another_mediums(ready: Acme, recorded: bool) -> None:
    """What lies half-written there is neither removed nor given its name."""
    other = made(ready.folder / "other")
    with cut(writer, "_give_name" if recorded else "_read_back"):
        ready.export(to=other)
    before = sorted(path.stat().st_ino for path in other.rglob("*"))
    (ready.medium / layout.SEALIFT).symlink_to(other / layout.SEALIFT)
    assert "is a link" in refused(ready.export, "not-a-folder")
    assert sorted(path.stat().st_ino for path in other.rglob("*")) == before


def test_only_our_own_spelling_is_an_unfinished_export(tmp_path: Path) -> None:
    for name in (f".{FIRST}.partial", f"x{FIRST}.partial", f"y{FIRST}.partial", FIRST):
        (tmp_path / layout.SEALIFT / name).mkdir(parents=True)
    assert partial.unfinished(tmp_path, SITE) == (FIRST,)


def test_folders_too_deep_to_remove_are_a_sentence(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python removes folders by recursion, and whoever prepares a medium may nest thousands."""
    cut_short(ready, writer, "_read_back")
    (partial.folder(ready.medium, FIRST) / "deep").mkdir()

    def too_deep(_folder: Path) -> None:
        raise RecursionError

    monkeypatch.setattr(shutil, "rmtree", too_deep)
    assert "its folders are too deep" in refused(ready.export, "irremovable", FailedError)
    assert ready.export(to=made(ready.folder / "other")).transfer == FIRST


def test_what_is_left_of_other_exports(ready: Acme) -> None:
    """Of this site it goes; another site's may be gone on with."""
    for name in ("plant-7-000009", "plant-8-000001", "plant-7-x-000001"):
        partial.folder(ready.medium, name).mkdir(parents=True)
    ready.export()
    assert names(ready) == [".plant-7-x-000001.partial", ".plant-8-000001.partial", FIRST]


def test_room_that_an_unfinished_export_holds(ready: Acme, tmp_path: Path) -> None:
    """It is there for the same export again; what it only promises, or links to, is not."""
    cut_short(ready, writer, "_read_back")
    aside = partial.folder(ready.medium, FIRST)
    held = partial.taken_up(aside)
    assert held >= sum(path.stat().st_size for path in (aside / layout.BLOBS).iterdir())
    with (aside / "sparse").open("wb") as sparse:
        sparse.truncate(2**43)
    (tmp_path / "big").write_bytes(bytes(2**20))
    os.link(tmp_path / "big", aside / "linked")
    (aside / "soft").symlink_to(tmp_path / "big")
    assert partial.taken_up(aside) - held < 2**20


# -------------------------------------------------------------------- which transfer


def test_after_a_day_another_transfer_is_begun(ready: Acme) -> None:
    cut_short(ready, writer, "_read_back")
    ready.later(hours=25)
    assert ready.export().transfer == SECOND
    assert names(ready) == [SECOND]


def test_for_another_enrolment_another_transfer_is_begun(ready: Acme, plant: SiteOnPaper) -> None:
    cut_short(ready, writer, "_read_back")
    ready.enrol(another(plant))
    ready.assign()
    assert ready.export().transfer == SECOND
    assert names(ready) == [SECOND]


def test_a_name_that_is_taken_is_not_asked_for_for_ever(ready: Acme) -> None:
    """A hub that was restored from a backup gives numbers again that are on media already."""
    (ready.medium / layout.SEALIFT / FIRST).mkdir(parents=True)
    (ready.medium / layout.SEALIFT / FIRST / "mine").write_bytes(b"mine")
    refused(ready.export, "bundle-exists", FailedError)
    assert ready.export().transfer == SECOND
    assert (ready.medium / layout.SEALIFT / FIRST / "mine").read_bytes() == b"mine"


def test_what_is_gone_on_with_is_of_today(ready: Acme, plant: SiteOnPaper) -> None:
    """Assigned otherwise after the cut: the bundle says what is assigned now."""
    cut_short(ready, writer, "_read_back")
    ready.promoted(2)
    ready.assign(2)
    export = ready.export()
    assert (export.transfer, [one.version for one in export.artifacts]) == (FIRST, [1, 2])
    assert plant.take(export.folder).receipt.artifacts[0].outcome == "installed"


def test_on_another_medium(ready: Acme, plant: SiteOnPaper) -> None:
    cut_short(ready, writer, "_read_back")
    other = made(ready.folder / "other")
    first = ready.export(to=other)
    second = ready.export()
    assert (first.transfer, second.transfer, second.again) == (FIRST, SECOND, False)
    assert names(ready) == [SECOND]
    assert plant.take(second.folder).receipt.artifacts[0].outcome == "installed"


def test_recorded_and_then_assigned_otherwise(ready: Acme) -> None:
    cut_short(ready, writer, "_give_name")
    ready.promoted(2)
    ready.assign(2)
    export = ready.export()
    assert (export.transfer, export.again) == (SECOND, False)
    assert names(ready) == [SECOND]


def test_recorded_and_then_damaged(ready: Acme) -> None:
    cut_short(ready, writer, "_give_name")
    aside = partial.folder(ready.medium, FIRST)
    (aside / layout.READ_ME).write_bytes(b"another")
    export = ready.export()
    assert export.transfer == SECOND
    found = export.warnings[0]
    assert "READ-ME-FIRST.txt is missing" in found or "other bytes than were written" in found
    assert names(ready) == [SECOND]


def test_named_and_then_damaged(ready: Acme) -> None:
    """What has a name is nobody's to remove; the newer one beside it is whole."""
    folder = ready.export().folder
    (folder / layout.READ_ME).unlink()
    export = ready.export()
    assert export.transfer == SECOND
    assert FIRST in export.warnings[0]
    assert names(ready) == [FIRST, SECOND]


def test_a_transfer_json_of_another_in_the_recorded_ones_place(ready: Acme) -> None:
    """Torn by a cut, or somebody's: the hub knows what it recorded."""
    cut_short(ready, writer, "_give_name")
    file = partial.folder(ready.medium, FIRST) / layout.TRANSFER
    data = file.read_bytes()
    file.write_bytes(data[:-9] + b"x" * 9)
    export = ready.export()
    assert export.transfer == FIRST
    assert (export.folder / layout.TRANSFER).read_bytes() == data


def test_what_is_not_recorded_cannot_be_imported_under_another_name(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """Somebody takes the medium while the hub cannot write to its log, and renames the folder.

    The site's receipt would be for a transfer.json that the hub does not know: it refuses that, and
    with it every return of the site from then on.
    """
    cut_short(ready, exports, "record_bundle")
    stolen = partial.folder(ready.medium, FIRST).rename(ready.medium / layout.SEALIFT / FIRST)
    with pytest.raises(SealiftError, match=r"transfer\.json is missing"):
        plant.take(stolen)


def test_only_the_recorded_bundle_ever_had_the_name(ready: Acme) -> None:
    """transfer.json is signed when all else is whole: no two of one id lie about."""
    cut_short(ready, writer, "_read_back", after=True)
    assert not (partial.folder(ready.medium, FIRST) / layout.TRANSFER).exists()
    body = (ready.export().folder / layout.TRANSFER).read_bytes()
    (row,) = ready.rows()["bundle"]
    assert row[1] == sha256(body).hexdigest()


# -------------------------------------------------------------------- at once


def test_a_second_export_to_the_same_medium_waits(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then finds that there is nothing more to do."""
    with ready.another() as other, ThreadPoolExecutor(2) as threads:
        ready.medium, other.app  # noqa: B018
        done = list(threads.map(lambda one: one.export().transfer, (ready, other)))
    assert done == [FIRST, FIRST]
    assert names(ready) == [FIRST]
    assert ready.types().count("transfer.begun") == 1


def test_who_holds_the_medium_is_said(ready: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_locks, "PATIENCE", 0.2)
    told: list[str] = []

    def second(_name: str, _size: int) -> Callable[[int], None]:
        if not told:
            with ready.another() as other:
                told.append(refused(other.export, "medium-busy", FailedError))
        return lambda _count: None

    ready.app.exports.export(SITE, ready.medium, ready.dispatcher(), second)
    assert f"process {os.getpid()}" in told[0]
    assert "for site plant-7" in told[0]
    assert ready.types().count("transfer.begun") == 1
    left = {one.name for one in (ready.root / "work").iterdir()}
    assert left <= {"blobs-swept"}, "when blobs on a server were last swept"


def test_one_site_to_two_media_at_once(ready: Acme) -> None:
    other_medium = made(ready.folder / "other")
    made_second: list[str] = []

    def second(_name: str, _size: int) -> Callable[[int], None]:
        if not made_second:
            with ready.another() as other:
                made_second.append(other.export(to=other_medium).transfer)
        return lambda _count: None

    first = ready.app.exports.export(SITE, ready.medium, ready.dispatcher(), second)
    assert (first.transfer, made_second) == (FIRST, [SECOND])
    body = (first.folder / layout.TRANSFER).read_bytes()
    assert statements.read(Transfer, body, what="it").predicate.previous is None


def test_the_lock_of_a_process_that_was_killed(ready: Acme) -> None:
    cut_short(ready, writer, "_read_back")
    folder = ready.root / "work/exports"
    folder.mkdir(parents=True)
    space = (ready.medium.stat().st_dev, ready.medium.stat().st_ino)
    for name in (f"{FIRST}.lock", f"medium-{space[0]:x}-{space[1]:x}.lock"):
        (folder / name).write_bytes(b"process 1, for site plant-7 and much more")
    assert ready.export().transfer == FIRST
    assert not folder.exists()


def test_the_lock_of_a_process_that_was_killed_at_the_last_moment(ready: Acme) -> None:
    cut_short(ready, writer, "_give_name")
    folder = ready.root / "work/exports"
    folder.mkdir(parents=True)
    (folder / f"{FIRST}.lock").write_bytes(b"process 1, for plant-7-000001")
    for name, age in (("plant-7-000009", 90_000), ("plant-7-000008", 3600), ("held", 90_000)):
        (folder / f"{name}.lock").write_bytes(b"process 1, long ago")
        os.utime(folder / f"{name}.lock", (time.time() - age,) * 2)
    with (folder / "held.lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert ready.export().transfer == FIRST
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["held.lock", "plant-7-000008.lock"]


def test_a_lock_whose_file_goes_while_it_is_waited_for(tmp_path: Path) -> None:
    """Whoever lets go removes the file: a lock on a file without a name would lock nothing."""
    path = tmp_path / "a.lock"
    first = locks.take(path, "first")
    assert first
    assert locks.take(path, "second") is None
    descriptor = path.open("rb")
    locks.let_go(path, first)
    third = locks.take(path, "third")
    assert third
    assert path.read_bytes().endswith(b", third")
    assert os.fstat(third.fileno()).st_ino == path.stat().st_ino
    descriptor.close()
    locks.let_go(path, third)
    assert not path.exists()


def test_locks_taken_and_let_go_at_once(tmp_path: Path) -> None:
    """The folder comes and goes with them; no two ever hold one."""
    path, inside, most = tmp_path / "work" / "a.lock", [0], [0]
    end = time.monotonic() + 60  # on a busy machine one of them may wait for long

    def often(_: int) -> int:
        taken = 0
        while taken < 50 and time.monotonic() < end:
            if file := locks.take(path, "one of many"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                taken += 1
                inside[0] -= 1
                locks.let_go(path, file)
        return taken

    with ThreadPoolExecutor(4) as threads:
        assert min(threads.map(often, range(4))) > 0
    assert most == [1]
    assert not path.parent.exists()


# -------------------------------------------------------------------- failing media


def test_a_medium_that_fills_up_half_way(ready: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, left = stream.copy_hashed, [9]

    def full(*arguments: Loose, **more: Loose) -> tuple[str, int]:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return genuine(*arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(stream, "copy_hashed", full)
        told = refused(ready.export, "unwritable", FailedError)
    assert "No space left on device" in told
    assert names(ready) == [f".{FIRST}.partial"]
    assert ready.export().transfer == FIRST


def test_a_medium_that_lies_is_not_gone_on_with(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stream, "hash_file", lambda *_, **__: ("0" * 64, 7))
        refused(ready.export, "read-back-differs", FailedError)
    assert names(ready) == []
    assert ready.export(to=made(ready.folder / "other")).transfer == FIRST


def test_a_medium_that_is_pulled_and_leaves_its_folder(ready: Acme) -> None:
    """Nothing is written to the disk below, where the medium was mounted."""
    elsewhere, medium = ready.folder / "pulled", ready.medium

    def pull(_name: str, _size: int) -> Callable[[int], None]:
        if not elsewhere.exists():
            medium.rename(elsewhere)
            medium.mkdir()
        return lambda _count: None

    with pytest.raises(FailedError):
        ready.app.exports.export(SITE, ready.medium, ready.dispatcher(), pull)
    assert list(ready.medium.iterdir()) == []
    ready.medium.rmdir()
    elsewhere.rename(ready.medium)
    assert ready.export().transfer == FIRST


def test_another_medium_than_was_looked_at(ready: Acme) -> None:
    genuine, medium = exports.Exports._begin, ready.medium

    def swap(self: exports.Exports, *arguments: Loose) -> str:
        medium.rename(ready.folder / "pulled")
        medium.mkdir()
        return genuine(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports.Exports, "_begin", swap)
        refused(ready.export, "medium-changed", FailedError)
    assert list(ready.medium.iterdir()) == []
    assert ready.rows()["bundle"] == []


def test_interrupted_it_says_what_is_kept(ready: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Loose) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(writer, "_read_back", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            ready.export()
    assert "what is written of it on" in caught.value.__notes__[0]
    assert ready.export().again


def test_a_finished_bundle_needs_no_room(ready: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_short(ready, writer, "_give_name")
    with_free(monkeypatch, 0)
    assert ready.export().transfer == FIRST


def stages_of(acme: Acme) -> list[tuple[str, int, int]]:
    """The stages of an export: each one's name, the bytes that it was to have, and had."""
    told: list[tuple[str, list[int]]] = []

    def listen(name: str, size: int) -> Callable[[int], None]:
        told.append((name, [size]))
        return told[-1][1].append

    acme.app.exports.export(SITE, acme.medium, acme.dispatcher(), listen)
    return [(name, size, sum(counts)) for name, (size, *counts) in told]


def test_stages_are_told(ready: Acme) -> None:
    (copy, written, copied), (back, read, came_back) = stages_of(ready)
    assert (copy, back) == ("copy", "read back")
    assert written == copied == read == came_back > 0


@pytest.mark.parametrize("large", [stream.CHUNK, 64], ids=["small files", "large files"])
def test_what_an_earlier_run_left_is_a_stage_of_its_own(
    ready: Acme, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(stream, "CHUNK", large)
    cut_short(ready, writer, "_read_back")
    left = ready.medium / "sealift" / f".{FIRST}.partial"
    torn = next((left / layout.BLOBS).iterdir())
    size = torn.stat().st_size
    torn.write_bytes(bytes(size))
    (left / layout.READ_ME).unlink()
    (left / layout.METADATA / "1.root.json").write_bytes(b"short")
    (check, _, checked), (copy, written, copied), (_, read, came_back) = stages_of(ready)
    assert (check, copy) == ("check what is there", "copy")
    assert copied == written > size  # what was torn, what was gone, what was short
    assert checked + copied == read + size
    assert read == came_back
