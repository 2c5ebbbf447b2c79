"""The medium: written whole or not at all, read as a stranger's, copied once with caps."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Barrier

import pytest

from sealift_signing import statements
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.statements import Transfer
from sealift_sync import durable, stream
from sealift_sync.bundle import layout, writer
from sealift_sync.bundle import medium as reading
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.quarantine import quarantine
from sealift_sync.site.importing.finding_transfer import find_transfer
from tests.hub_on_paper import Changes, HubOnPaper
from tests.media import with_free


@pytest.fixture
def bundle(hub: HubOnPaper, medium: Path) -> Path:
    hub.assign(hub.promote(1))
    return hub.export(medium)


def test_every_file_but_transfer_json_is_listed(bundle: Path) -> None:
    data = (bundle / "transfer.json").read_bytes()
    said = statements.read(Transfer, data, what="transfer.json").predicate
    listed = {one.path: (one.size, one.sha256) for one in said.files}
    found = {
        str(file.relative_to(bundle)): (len(data), sha256(data).hexdigest())
        for file in bundle.rglob("*")
        if file.is_file() and (data := file.read_bytes()) is not None
    }
    del found["transfer.json"]
    assert listed == found


def test_a_crash_while_writing_leaves_no_bundle(
    hub: HubOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(1))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(writer, "_read_back", crash)
        with pytest.raises(KeyboardInterrupt):
            hub.export(medium)
    with pytest.raises(NotFoundError, match="not signed yet, or was not written whole"):
        find_transfer(medium, "plant-7")
    assert [one.name for one in (medium / "sealift").iterdir()] == [".plant-7-000001.partial"]


def test_a_half_written_bundle_that_a_power_cut_left_is_not_found(
    bundle: Path, medium: Path
) -> None:
    bundle.rename(bundle.with_name(f".{bundle.name}{durable.PARTIAL}"))
    with pytest.raises(NotFoundError, match="not signed yet, or was not written whole"):
        find_transfer(medium, "plant-7")


def test_a_medium_that_forgets_is_found_out_at_the_hub(
    hub: HubOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(1))
    genuine = stream.hash_file

    def forget(*arguments: Changes, **more: Changes) -> tuple[str, int]:
        return ("0" * 64, genuine(*arguments, **more)[1])

    monkeypatch.setattr(stream, "hash_file", forget)
    with pytest.raises(FailedError, match="with other bytes than were written"):
        hub.export(medium)
    assert list((medium / "sealift").iterdir()) == []


def test_no_room_is_said_before_the_first_byte(
    hub: HubOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(1))
    with_free(monkeypatch, 1000)
    with pytest.raises(FailedError, match="1,000 bytes free"):
        hub.export(medium)
    assert not (medium / "sealift").exists()


def test_a_blob_damaged_in_the_hubs_store_is_not_exported(hub: HubOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    digest = sha256(b"the weights of catalog/vision/digits/1/cpu-x86_64").hexdigest()
    hub.store.path(digest).chmod(0o644)
    hub.store.path(digest).write_bytes(b"damaged")
    with pytest.raises(RefusedError, match="damaged in the hub's own store"):
        hub.export(medium)
    assert list((medium / "sealift").iterdir()) == []


def test_a_bundle_is_never_overwritten(hub: HubOnPaper, medium: Path, bundle: Path) -> None:
    hub.numbers["plant-7"] = 0
    with pytest.raises(FailedError, match="exists already"):
        hub.export(medium)


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "a/../b", "a//b", "", ".", ".hidden", "a/.b", "a\\b/../c", "a\0b"],
)
def test_no_path_leads_out_of_a_medium(tmp_path: Path, path: str) -> None:
    with pytest.raises(SealiftError, match="a path on a medium"), Medium(tmp_path).open(path):
        pass


def test_the_size_of_a_file_is_asked_as_it_would_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"four")
    (tmp_path / "folder/link").symlink_to("file")
    medium = Medium(tmp_path)
    assert medium.size("folder/file") == 4
    for path, code in (
        ("folder", "not-a-file"),
        ("folder/link", "not-a-file"),
        ("folder/file/inner", "not-a-file"),
        ("folder/none", "file-missing"),
        ("none/file", "file-missing"),
        ("../file", "bad-path"),
    ):
        with pytest.raises(SealiftError) as by_size:
            medium.size(path)
        with pytest.raises(SealiftError) as by_opening:
            medium.open(path)
        assert by_size.value.code == by_opening.value.code == code


def test_a_folder_that_was_read_from_is_the_same_one_later(tmp_path: Path) -> None:
    """Whoever can change a medium while it is read cannot put another folder in its place."""
    stick, elsewhere = tmp_path / "stick", tmp_path / "elsewhere"
    for folder, content in ((stick / "blobs", b"ours"), (elsewhere, b"theirs")):
        folder.mkdir(parents=True)
        (folder / "a").write_bytes(content)
    medium = Medium(stick)
    assert medium.read("blobs/a", 10) == b"ours"
    (stick / "blobs").rename(stick / "kept")
    (stick / "blobs").symlink_to(elsewhere)
    assert medium.read("blobs/a", 10) == b"ours"
    assert medium.size("blobs/a") == 4
    with pytest.raises(RefusedError, match="a link, a folder or a device"):
        Medium(stick).read("blobs/a", 10)


def held_below(top: Path) -> list[str]:
    """What of `top` is open in this process, by its path below it."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            path = descriptor.readlink()
            found += [str(path)[len(str(top)) + 1 :]] if path.is_relative_to(top) else []
    return sorted(found)


def test_more_folders_are_read_than_are_held_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_HELD", 2)
    paths = [f"{name}/file" for name in "abcd"]
    for path in paths:
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(path)
    medium = Medium(tmp_path)
    for _ in range(2):
        assert [medium.read(path, 10).decode() for path in paths] == paths
    assert held_below(tmp_path) == ["", "a", "b"]
    del medium
    assert held_below(tmp_path) == []


def test_many_threads_read_from_a_folder_that_nobody_had_read_from(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    for number in range(8):
        (tmp_path / f"blobs/{number}").write_text(str(number))
    for _ in range(20):
        medium, ready = Medium(tmp_path), Barrier(8)

        def read(number: int, medium: Medium = medium, ready: Barrier = ready) -> bytes:
            ready.wait()
            return medium.read(f"blobs/{number}", 1)

        with ThreadPoolExecutor(8) as hands:
            assert b"".join(hands.map(read, range(8))) == b"01234567"
        assert held_below(tmp_path) == ["", "blobs"]
        del medium, read
    assert held_below(tmp_path) == []


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to("folder")
    (tmp_path / "folder/file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    medium = Medium(tmp_path)
    assert medium.read("file", 1) == b"x"
    for path in ("link", "folder", "linked/file", "pipe"):
        with pytest.raises(RefusedError, match="a link, a folder or a device"):
            medium.read(path, 1)
    with pytest.raises(RefusedError, match="larger than the 0 bytes"):
        medium.read("file", 0)
    with pytest.raises(NotFoundError, match="none is missing"):
        medium.read("none", 1)


def test_the_copy_is_judged_and_not_what_the_medium_says_later(
    bundle: Path, tmp_path: Path
) -> None:
    copy = quarantine(Medium(bundle), tmp_path / "quarantine")
    before = copy.read("transfer.json")
    (bundle / "transfer.json").write_bytes(b"another")
    assert copy.read("transfer.json") == before
    copy.close()
    assert not (tmp_path / "quarantine").exists()


@pytest.mark.parametrize("cap", ["MOST_SMALL_FILES", "LARGEST_SMALL_TOTAL", "LARGEST_SMALL_FILE"])
def test_the_copy_has_caps(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cap: str
) -> None:
    monkeypatch.setattr(layout, cap, 3)
    copy = quarantine(Medium(bundle), tmp_path / "quarantine")
    with pytest.raises(RefusedError, match=r"more than any bundle|larger than the 3 bytes"):
        copy.read(layout.TRANSFER)


def test_manifests_count_towards_the_caps(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index of a million manifests would otherwise fill the disk before anything is verified."""
    small = sum(1 for f in bundle.rglob("*") if f.is_file() and "blobs" not in f.parts)
    monkeypatch.setattr(layout, "MOST_SMALL_FILES", small)
    copy = quarantine(Medium(bundle), tmp_path / "quarantine")
    with pytest.raises(RefusedError, match="more than any bundle"):
        copy.read(layout.TRANSFER)


def test_large_blobs_are_not_copied_into_quarantine(
    hub: HubOnPaper, bundle: Path, tmp_path: Path
) -> None:
    copy = quarantine(Medium(bundle), tmp_path / "quarantine")
    blobs = {Path(path).name for path in copy.below(layout.BLOBS)}
    assert blobs == {sha256(data).hexdigest() for data in hub.manifests.values()}


def test_p0_182_files_of_check_rows_are_written_listed_and_not_held_in_quarantine(
    hub: HubOnPaper, medium: Path, tmp_path: Path
) -> None:
    hub.assign(hub.promote(1))
    digest = hub.store.put_bytes(b"rows" * 1000).sha256
    folder = hub.export(medium, edit=lambda all_: replace(all_, checks=frozenset({digest})))
    assert (folder / "checks" / digest).read_bytes() == b"rows" * 1000
    copy = quarantine(Medium(folder), tmp_path / "quarantine")
    assert not copy.has(layout.check_file(digest))
    assert copy.has(layout.TRANSFER)
    data = copy.read(layout.TRANSFER)
    listed = statements.read(Transfer, data, what="transfer.json").predicate.files
    copy.check_listed({one.path: one for one in listed})
    assert layout.check_file(digest) in {one.path for one in listed}


def test_names_that_no_bundle_has_are_ignored(bundle: Path, tmp_path: Path) -> None:
    (bundle / "statements" / ".DS_Store").write_bytes(b"x")
    (bundle / "metadata" / "a name with spaces.json").write_bytes(b"x")
    listed = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    copy = quarantine(Medium(bundle), tmp_path / "quarantine")
    assert set(copy.names) == listed
    assert not copy.paths & {"metadata/a name with spaces.json", "statements/.DS_Store"}


def test_contents_say_how_much_they_are(hub: HubOnPaper, bundle: Path) -> None:
    contents = hub.contents()
    written = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    assert contents.size() == written - (bundle / "transfer.json").stat().st_size
    assert replace(contents, blobs=frozenset()).size() < contents.size()
