"""Whether a bundle fits on a medium, said before the first byte; and how fast the medium is."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing.errors import FailedError
from sealift_sync import durable
from sealift_sync.bundle import fitting, partial, speed
from sealift_sync.bundle.fitting import FAT_LARGEST, SPARE, Limit, Space
from tests.media import with_free

MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 8:17 / /media/my\\040stick rw - vfat /dev/sdb1 rw
31 22 0:40 / /media/tree rw - btrfs /dev/sdc rw
"""


def space(**changes: object) -> Space:
    one = Space((1, 1), "ext4", 2**40, 4096, (), 255)
    return replace(one, **changes)  # type: ignore[arg-type]


def codes(sizes: Mapping[str, int], **changes: object) -> list[str]:
    return [bad.code for bad in fitting.misfits(sizes, space(**changes), Path("/media/disk"))]


def test_what_fits_has_no_misfits() -> None:
    assert codes({"a": 2**39, "b/c": 0}) == []


def test_a_byte_takes_a_block() -> None:
    """A thousand small files on a stick with large clusters are not small."""
    sizes = {f"a/{n}": 1 for n in range(1000)}
    assert space(block=131072).takes(sizes) >= 1000 * 131072 + SPARE
    assert codes(sizes, block=131072, free=20_000_000) == ["no-room"]
    assert codes(sizes, block=1, free=20_000_000) == []


def test_a_medium_that_is_mounted_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fitting.survey(tmp_path, "plant-7").writable
    told = os.statvfs_result((1, 1, 9, 9, 9, 9, 9, 9, os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    assert not fitting.survey(tmp_path, "plant-7").writable
    assert codes({"a": 1}, writable=False) == ["medium-read-only"]


def test_files_larger_than_fat_takes() -> None:
    limit = Limit(FAT_LARGEST, "a medium with vfat", "Format it otherwise.")
    assert codes({"a": FAT_LARGEST}, limits=(limit,)) == []
    assert codes({"a": FAT_LARGEST + 1, "b": 1}, limits=(limit,)) == ["file-too-large"]


@pytest.mark.parametrize("name", ["con", "aux", "nul", "prn", "com1", "lpt9", "con.json", "CoM3.x"])
def test_names_that_windows_keeps_for_devices(name: str) -> None:
    sizes = {f"targets/teams/{name}/members.json": 1}
    for kind in ("vfat", "exfat", "ntfs", "ntfs3", "fuseblk"):
        assert codes(sizes, kind=kind) == ["name-unfit"]
    assert codes(sizes) == []


def test_names_that_are_nearly_such() -> None:
    assert codes({"console/com10/aux-1/x.con": 1}, kind="vfat") == []


def test_names_too_long_and_names_that_differ_by_case_only() -> None:
    assert codes({"x" * 144: 1}, longest_name=143) == ["name-unfit"]
    assert codes({"a/é" + "x" * 141: 1}, longest_name=143) == []
    assert codes({"a/é" + "x" * 142: 1}, longest_name=143) == ["name-unfit"]
    assert codes({"A/x": 1, "a/X": 1}, kind="exfat") == ["name-unfit"]
    assert codes({"A/x": 1, "a/X": 1}) == []


def test_the_file_system_is_that_of_the_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    monkeypatch.setattr(fitting, "_MOUNTS", mounts)
    assert fitting._kind(Path("/x"), os.makedev(8, 17)) == "vfat"
    assert fitting._kind(Path("/media/my stick/deep"), os.makedev(0, 99)) == "vfat"
    assert fitting._kind(Path("/media/tree/deep"), os.makedev(0, 99)) == "btrfs"
    assert fitting._kind(Path("/media/trees"), os.makedev(0, 99)) == "ext4"
    mounts.unlink()
    assert fitting._kind(Path("/x"), os.makedev(8, 17)) == ""


def test_what_this_machine_says_of_a_folder(tmp_path: Path) -> None:
    found = fitting.survey(tmp_path, "plant-7")
    assert found.kind
    assert found.free > 0
    assert found.longest_name >= 143
    with pytest.raises(FailedError, match="There is no medium"):
        fitting.survey(tmp_path / "none", "plant-7")


def test_a_limit_of_the_process_counts(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**40, hard))
    try:
        (limit,) = fitting.survey(tmp_path, "plant-7").limits
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (limit.size, limit.whose) == (2**40, "this process")


def test_an_unfinished_export_makes_room_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, 1000)
    for transfer in ("plant-7-000003", "plant-8-000001"):
        aside = partial.folder(tmp_path, transfer)
        aside.mkdir(parents=True)
        (aside / "a").write_bytes(bytes(50_000))
    assert fitting.survey(tmp_path, "plant-7").free == 51_000


def test_another_medium_in_the_same_place(tmp_path: Path) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    seen = fitting.survey(medium, "plant-7")
    fitting.check_same(medium, seen)
    medium.rename(tmp_path / "pulled")
    with pytest.raises(FailedError, match="There is no medium"):
        fitting.check_same(medium, seen)
    medium.mkdir()
    with pytest.raises(FailedError, match="not the medium that was there"):
        fitting.check_same(medium, seen)


# -------------------------------------------------------------------- speed


def test_the_speed_is_measured_and_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / f"{speed.PROBE}0{durable.PARTIAL}").write_bytes(b"left by a run that was cut")
    found = speed.measure(tmp_path)
    assert found is not None
    assert min(found.write, found.read, found.each) > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_a_probe_is_in_nobodys_way(tmp_path: Path) -> None:
    kept = tmp_path / f"{speed.PROBE}0{durable.PARTIAL}"
    kept.mkdir()
    (kept / "mine").write_bytes(b"mine")
    assert speed.measure(tmp_path) is not None
    assert (kept / "mine").read_bytes() == b"mine"


def test_how_long_it_takes() -> None:
    found = speed.Speed(write=10e6, read=20e6, each=0.01)
    assert found.seconds(100_000_000, 200) == pytest.approx(10 + 5 + 2)


def test_a_medium_nothing_can_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert speed.measure(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
