"""A hostile medium: what it makes a reader or a writer do before any signature is looked at."""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

import pytest

from sealift_signing import statements
from sealift_signing.errors import MalformedError, RefusedError, SealiftError
from sealift_signing.statements import Transfer
from sealift_signing.streams import READER_GONE
from sealift_sync import pace, stream
from sealift_sync.artifact import manifest_bytes, read_manifest
from sealift_sync.bundle import medium as reading
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.returned import find_returns, read_return
from sealift_sync.cli import telling
from sealift_sync.cli.run import run
from sealift_sync.site.importing.finding_transfer import find_transfer
from sealift_sync.site.reports.homebound import write_home
from tests.hub_on_paper import SITE, HubOnPaper, resign
from tests.site_on_paper import SiteOnPaper


@pytest.fixture
def bundle(hub: HubOnPaper, medium: Path) -> Path:
    hub.assign(hub.promote(1))
    return hub.export(medium)


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "part", ["sealift", "sealift/returns", f"sealift/returns/{SITE}", "{size}"]
)
def test_a_return_is_never_written_through_a_link(
    site: SiteOnPaper, bundle: Path, tmp_path: Path, part: str
) -> None:
    site.take(bundle)
    size = len(site.entries())
    stick, outside = tmp_path / "stick", tmp_path / "outside"
    place = part.format(size=size)
    link = stick / (place if place.startswith("sealift") else f"sealift/returns/{SITE}/{place}")
    for name in ("", str(size), f"{SITE}/{size}", f"returns/{SITE}/{size}"):
        (outside / name).mkdir(parents=True, exist_ok=True)
        (outside / name / "mine").write_text("not yours")
    before = contents(outside)
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with site.opened() as opened, pytest.raises(SealiftError) as caught:
        write_home(opened, stick, everything=True)
    assert caught.value.code in {"not-a-folder", "unwritable"}
    assert contents(outside) == before


@pytest.mark.parametrize("part", [".{size}.partial", "{size}/log", "{size}/receipts", "{size}/x"])
def test_a_return_is_not_led_astray_by_what_lies_where_it_is_written(
    site: SiteOnPaper, bundle: Path, tmp_path: Path, part: str
) -> None:
    """A link in the place of an unfinished return, or in a whole one, is not followed."""
    site.take(bundle)
    stick, outside = tmp_path / "stick", tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("not yours")
    link = stick / f"sealift/returns/{SITE}" / part.format(size=len(site.entries()))
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with site.opened() as opened, suppress(SealiftError):
        write_home(opened, stick, everything=True)
        assert read_return(find_returns(stick)[0][0]).size == len(site.entries())
        assert not link.is_symlink()
    assert contents(outside) == ["mine"]


@pytest.mark.parametrize("part", ["sealift", ".{name}.partial"])
def test_a_bundle_is_never_written_through_a_link(
    hub: HubOnPaper, tmp_path: Path, part: str
) -> None:
    stick, outside = tmp_path / "stick", tmp_path / "outside"
    outside.mkdir()
    place = part.format(name=f"{SITE}-000001")
    link = stick / (place if place == "sealift" else f"sealift/{place}")
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    hub.assign(hub.promote(1))
    if part == "sealift":
        with pytest.raises(SealiftError) as caught:
            hub.export(stick)
        assert caught.value.code == "not-a-folder"
    else:  # what bears our temporary name is ours to throw away: the link goes, not what it names
        assert hub.export(stick).is_dir()
        assert not link.is_symlink()
    assert contents(outside) == []


def test_a_folder_is_not_listed_through_a_link(tmp_path: Path) -> None:
    outside, stick = tmp_path / "outside", tmp_path / "stick"
    (outside / "private").mkdir(parents=True)
    (outside / ".secret").write_text("")
    stick.mkdir()
    (stick / "metadata").symlink_to(outside)
    with pytest.raises(RefusedError) as caught:
        Medium(stick).folders("metadata")
    assert caught.value.code == "not-a-file"
    assert list(Medium(stick).names({"metadata"})) == ["metadata"]


def test_a_folder_of_very_many_names_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / str(number)).write_text("")
    seen = 0
    real = os.scandir

    class Counting:
        def __init__(self, where: int) -> None:
            self.listing = real(where)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.listing.close()

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> os.DirEntry[str]:
            nonlocal seen
            seen += 1
            return next(self.listing)

    monkeypatch.setattr(reading, "MOST_ENTRIES", 10)
    monkeypatch.setattr(os, "scandir", Counting)
    with pytest.raises(RefusedError) as caught:
        list(Medium(tmp_path).names(()))
    assert caught.value.code == "too-many-files"
    assert seen <= 12


class Endless(io.RawIOBase):
    """A file that has grown since its size was looked at, and goes on growing."""

    def __init__(self, most: int) -> None:
        self.given = 0
        self.most = most

    def readinto(self, chunk: Any) -> int:  # noqa: ANN401 - a buffer of any kind
        assert self.given < self.most, "it is still being read"
        self.given += len(chunk)
        return len(chunk)


@pytest.mark.parametrize("work", ["import", "verify"])
def test_a_blob_that_grows_while_it_is_read_does_not_fill_the_disk(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    def grow(real: Callable[..., tuple[str, int]]) -> Callable[..., tuple[str, int]]:
        def read(_source: BinaryIO, *rest: Any, **named: Any) -> tuple[str, int]:  # noqa: ANN401
            return real(Endless(4 * stream.CHUNK), *rest, **named)

        return read

    for name in ("copy_hashed", "hash_file"):
        monkeypatch.setattr(stream, name, grow(getattr(stream, name)))
    with pytest.raises(SealiftError) as caught:
        site.take(bundle) if work == "import" else site.verify(bundle)
    assert caught.value.code == "blob-damaged"


def test_a_name_on_the_medium_does_not_rewrite_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = RefusedError("x", "\x1b[2Jfine\x9b31m\u202e.", subject="a\x1bb\udcff\x9b")
    for as_json in (False, True):
        telling.error(problem, as_json=as_json)
    telling.good("\x1b[2J")
    telling.say_aside("\x1b[2J")
    telling.warn_aside("\x9b2J")
    telling.table(("a",), [("\x1b[2J",)])
    said = "".join(capsys.readouterr())
    assert "fine" in said
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)


def test_a_role_of_a_strange_name_does_not_rewrite_the_terminal(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The snapshot is signed by an online key: a stolen one may list any name, and drop it."""
    hub.assign(hub.promote(1))
    strange = "\x1b]0;all is well\x07"
    hub.repository.current[strange] = hub.repository.current["fleet"]
    site.take(hub.export(medium))
    del hub.repository.current[strange]
    del hub.repository.current["snapshot"].signed.meta[f"{strange}.json"]
    refusal = site.refuses(hub.export(medium))
    telling.error(refusal, as_json=False)
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["blobs/sha256", "statements"])
def test_a_path_that_only_looks_like_a_blobs_is_refused(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, folder: str
) -> None:
    """It is on no medium, and `verify` would say that all is whole."""
    said = statements.read(Transfer, (bundle / "transfer.json").read_bytes(), what="it").predicate
    one = next(file for file in said.files if file.path.startswith(folder))
    nested = replace(one, path=f"{folder}/deeper/{one.sha256}")
    resign(bundle, hub, files=tuple(sorted((*said.files, nested), key=lambda one: one.path)))
    with pytest.raises(MalformedError) as caught:
        site.verify(bundle)
    assert caught.value.code == "file-misnamed"
    assert site.refuses(bundle).code == "file-misnamed"


def test_a_site_of_a_long_name_is_found_and_heard(tmp_path: Path, hub: HubOnPaper) -> None:
    """A transfer's id is longer than a name may be, on the way there and back."""
    name, stick = "plant-" + "7" * 57, tmp_path / "stick"
    hub.add_site(name)
    site = SiteOnPaper(tmp_path / "site-2", hub.now)
    site.enrol(hub, name)
    hub.assign(hub.promote(1), site=name)
    folder = hub.export(stick, name)
    assert find_transfer(stick, name).folder == folder
    site.take(folder)
    with site.opened() as opened:
        home, _ = write_home(opened, stick, everything=True)
    assert list(read_return(Medium(home)).receipts) == [folder.name]


class Gone(io.StringIO):
    """Output whose reader has gone: `sealift-site verify … 2>&1 | head -1`."""

    def fileno(self) -> int:
        return os.open(os.devnull, os.O_WRONLY)

    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("command", ["verify", "import"])
def test_a_reader_who_went_away_makes_nothing_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The carrier adds a file, so that a warning is written before a byte of a blob was hashed."""
    hub = HubOnPaper(tmp_path, datetime.now(UTC))
    site = SiteOnPaper(tmp_path / "site", hub.now)
    site.enrol(hub)
    hub.assign(hub.promote(1))
    bundle = hub.export(tmp_path / "medium")
    (bundle / "statements/extra.json").write_bytes(b"{")
    for blob in (bundle / "blobs/sha256").iterdir():
        data = blob.read_bytes()
        if b"weights" in data and not data.startswith(b"{"):
            blob.write_bytes(b"X" + data[1:])
    monkeypatch.setattr(pace, "BIG", 0)
    monkeypatch.setattr("sys.stderr", Gone())
    assert run(["--home", str(site.root), command, str(bundle)]) == 1
    if command == "import":
        assert site.entries()[-1].data["code"] == "blob-damaged"


def test_output_that_nobody_took_is_not_told_as_done(
    site: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", Gone())
    assert run(["--home", str(site.root), "status", "--json"]) == READER_GONE


def test_two_transfers_of_one_id_are_not_both_taken(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path
) -> None:
    """The receipt for the second would take the place of the first's on its way home."""
    site.take(bundle)
    again = hub.export(medium, id=bundle.name)
    refusal = site.refuses(again)
    assert refusal.code == "transfer-id-again"
    assert site.take(bundle).already


def test_a_bundle_that_was_imported_can_be_verified_once_more(
    site: SiteOnPaper, bundle: Path
) -> None:
    """Nobody is to hear that another transfer of this name was there, when it is the same."""
    site.take(bundle)
    assert site.verify(bundle).transfer.predicate.id == bundle.name


def test_a_file_that_is_another_files_folder_is_in_no_manifest(hub: HubOnPaper) -> None:
    """It could be installed and never shown."""
    made = hub.build(1)
    good = read_manifest(hub.manifests[made.path], what="it")
    (file,) = good.files
    both = (replace(file, path="a"), replace(file, path="a/b"))
    with pytest.raises(MalformedError):
        read_manifest(manifest_bytes(replace(good, files=both)), what="it")
