"""What other systems do to a medium: droppings, strange names, other modes, times and order."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from sealift_signing import statements
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.statements import Transfer
from sealift_sync.bundle import medium as reading
from sealift_sync.bundle import returned, returning
from sealift_sync.bundle.medium import DEEPEST, MOST_NAMED, Medium, foreign, read_named
from sealift_sync.bundle.returned import find_returns, read_return
from sealift_sync.cli.run import run
from sealift_sync.site.importing.finding_transfer import find_transfer
from sealift_sync.site.importing.importer import find_bundle
from sealift_sync.site.reports.homebound import write_home
from tests.hub_on_paper import SITE, HubOnPaper, relist, resign
from tests.site_on_paper import SiteOnPaper

FOLDERS = ("", "metadata", "targets", "targets/teams/vision", "statements", "log", "blobs/sha256")
FILES = ("._transfer.json", ".DS_Store", "Thumbs.db", "desktop.ini", "ehthumbs.db", "FILE0000.CHK")
LITTER = (
    "System Volume Information",
    "$RECYCLE.BIN",
    ".Trash-1000",
    "FOUND.000",
    ".Spotlight-V100",
)
STRANGE = (b"\xff\xfe.json", b"a\nb", b"\x1b[2J", "Ünïcode".encode(), b"x" * 255, b" ", b"~$a.docx")


@pytest.fixture
def bundle(hub: HubOnPaper, medium: Path) -> Path:
    hub.assign(hub.promote(1))
    return hub.export(medium)


def test_droppings_are_named_once_wherever_they_are_and_never_read(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = []
    for folder in FOLDERS:
        place = bundle / folder
        for name in FILES:
            # A link: to open it, or to follow it, would be refused.
            (place / name).symlink_to("/dev/zero")
            dropped.append(f"{folder}/{name}".lstrip("/"))
        for name in LITTER:
            (place / name).mkdir()
            (place / name / "IndexerVolumeGuid").symlink_to("/dev/zero")
            dropped.append(f"{folder}/{name}/".lstrip("/"))
    real = os.scandir

    def listed(where: int | Path) -> object:
        if isinstance(where, int):
            assert not set(LITTER) & set(Path(f"/proc/self/fd/{where}").readlink().parts)
        return real(where)

    monkeypatch.setattr(os, "scandir", listed)
    assert not site.take(bundle).already
    assert site.told == [f"ignored {name}" for name in sorted(dropped)]


def test_names_of_other_alphabets_and_bytes_are_named_and_ignored(
    site: SiteOnPaper, bundle: Path
) -> None:
    for name in STRANGE:
        Path(os.fsdecode(os.fsencode(bundle / "statements") + b"/" + name)).write_bytes(b"x")
        Path(os.fsdecode(os.fsencode(bundle) + b"/" + name)).mkdir()
    site.take(bundle)
    told = [
        f"ignored {place}"
        for n in map(os.fsdecode, STRANGE)
        for place in (f"statements/{n}", f"{n}/")
    ]
    assert site.told == sorted(told)


def test_strange_names_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datetime import UTC, datetime

    hub = HubOnPaper(tmp_path, datetime.now(UTC))
    site = SiteOnPaper(tmp_path / "site", hub.now)
    site.enrol(hub)
    hub.assign(hub.promote(1))
    bundle = hub.export(tmp_path / "medium")
    for name in STRANGE:
        Path(os.fsdecode(os.fsencode(bundle / "log") + b"/" + name)).write_bytes(b"x")
    assert run(["--home", str(site.root), "verify", str(bundle)]) == 0
    said = capsys.readouterr().err
    assert [foreign(["x"] * count)[-1] for count in (MOST_NAMED, MOST_NAMED + 7)] == [
        "'x' is on the medium and nobody signed for it; it was ignored.",
        "7 more are there, and were ignored like these.",
    ]
    assert said.count("is on the medium and nobody signed for it") == len(STRANGE)
    assert not {"\x1b", "\udcff"} & set(said)


def test_names_that_differ_in_case_alone_are_two(site: SiteOnPaper, bundle: Path) -> None:
    """The listed one is read, whatever lies beside it; and where it is not there, nothing is."""
    for part in ("transfer.json", "metadata/timestamp.json", "blobs"):
        (bundle / part.upper()).parent.mkdir(parents=True, exist_ok=True)
        (bundle / part.upper()).write_bytes(b"another")
    assert not site.take(bundle).already
    assert site.told == ["ignored BLOBS", "ignored METADATA/", "ignored TRANSFER.JSON"]


def test_two_listed_names_that_differ_in_case_alone_are_two_files(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path
) -> None:
    """On a file system that takes them for one, one of them is not what was signed for."""
    (bundle / "log/HUB.checkpoint").write_bytes(b"another")
    said = statements.read(Transfer, (bundle / "transfer.json").read_bytes(), what="it").predicate
    twin = next(file for file in said.files if file.path == "log/hub.checkpoint")
    files = (*said.files, replace(twin, path="log/HUB.checkpoint"))
    resign(bundle, hub, files=tuple(sorted(files, key=lambda one: one.path)))
    refusal = site.refuses(bundle)
    assert (refusal.code, refusal.subject) == ("file-changed", "log/HUB.checkpoint")


def test_a_bundle_survives_a_zip(site: SiteOnPaper, bundle: Path, tmp_path: Path) -> None:
    """Zipped in any order, with no modes and the times of 1980, and unpacked somewhere else."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    Random(7).shuffle(files)  # noqa: S311 - not for secrets
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            member = zipfile.ZipInfo(f"{bundle.name}/{path.relative_to(bundle)}")
            packed.writestr(member, path.read_bytes())
    with zipfile.ZipFile(tmp_path / "bundle.zip") as packed:
        packed.extractall(tmp_path / "unpacked")
    unpacked = tmp_path / "unpacked" / bundle.name
    for number, path in enumerate(sorted(unpacked.rglob("*"))):
        path.chmod(0o777 if number % 2 or path.is_dir() else 0o444)
        os.utime(path, (number, 2**31 + number))
    assert not site.take(unpacked).already
    assert site.told == []
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a_folder_deeper_than_any_of_ours_is_refused(tmp_path: Path) -> None:
    parts = [str(number) for number in range(DEEPEST + 2)]
    (tmp_path / "/".join(parts)).mkdir(parents=True)
    entered = {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    with pytest.raises(RefusedError) as caught:
        list(Medium(tmp_path).names(entered))
    assert caught.value.code == "too-many-files"


def test_a_bundle_among_a_million_files_is_refused_soon(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_ENTRIES", 100)
    for number in range(100):
        (bundle / "log" / str(number)).touch()
    refusal = site.refuses(bundle)
    assert refusal.code == "too-many-files"
    assert refusal.next_step.startswith("Take away what is not Sealift's")


def test_no_transfer_is_found_through_a_link(
    site: SiteOnPaper, bundle: Path, medium: Path, tmp_path: Path
) -> None:
    """Neither as the folder of all, nor as one of them; and a fifo is no folder either."""
    (medium / "sealift").rename(tmp_path / "outside")
    (medium / "sealift").symlink_to(tmp_path / "outside")
    with pytest.raises(RefusedError) as caught:
        find_transfer(medium, SITE)
    assert caught.value.code == "not-a-file"
    before, entries = site.picture(), site.entries()
    with site.opened() as opened, pytest.raises(RefusedError):
        find_bundle(opened, medium)
    assert [entry.type for entry in site.entries()[len(entries) :]] == ["transfer.refused"]
    assert site.picture() == before
    (medium / "sealift").unlink()
    (medium / "sealift").mkdir()
    (medium / f"sealift/{bundle.name}").symlink_to(tmp_path / "outside" / bundle.name)
    os.mkfifo(medium / f"sealift/{SITE}-000009")
    with pytest.raises(NotFoundError, match="There is no bundle"):
        find_transfer(medium, SITE)


def test_a_link_put_in_a_folders_place_after_it_was_found_is_not_followed(
    site: SiteOnPaper, bundle: Path, medium: Path, tmp_path: Path
) -> None:
    for part in ("sealift", f"sealift/{bundle.name}"):
        found = find_transfer(medium, SITE)
        (medium / part).rename(tmp_path / "outside")
        (medium / part).symlink_to(tmp_path / "outside")
        with pytest.raises(RefusedError) as caught:
            found.read("transfer.json", 1_000_000)
        assert caught.value.code == "not-a-file"
        (medium / part).unlink()
        (tmp_path / "outside").rename(medium / part)


def test_a_link_that_somebody_named_is_theirs(
    site: SiteOnPaper, bundle: Path, medium: Path, tmp_path: Path
) -> None:
    (tmp_path / "stick").symlink_to(medium)
    assert find_transfer(tmp_path / "stick", SITE).folder.name == bundle.name
    (tmp_path / "this").symlink_to(bundle)
    assert find_transfer(tmp_path / "this", SITE).has("transfer.json")


def test_a_bundle_whose_transfer_is_a_link_is_refused_and_not_passed_over(
    site: SiteOnPaper, bundle: Path, medium: Path
) -> None:
    (bundle / "transfer.json").rename(medium / "aside")
    (bundle / "transfer.json").symlink_to(medium / "aside")
    assert find_transfer(bundle, SITE).folder == bundle
    assert site.refuses(bundle).code == "not-a-file"


def test_no_return_is_found_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside/5/log").mkdir(parents=True)
    (tmp_path / "stick/sealift/returns").mkdir(parents=True)
    (tmp_path / f"stick/sealift/returns/{SITE}").symlink_to(tmp_path / "outside")
    (tmp_path / "stick/sealift/returns/System Volume Information").mkdir()
    with pytest.raises(SealiftError) as caught:
        find_returns(tmp_path / "stick")
    assert caught.value.code == "no-return"
    (tmp_path / "stick/sealift/returns").rename(tmp_path / "moved")
    (tmp_path / "stick/sealift/returns").symlink_to(tmp_path / "moved")
    with pytest.raises(RefusedError) as caught_too:
        find_returns(tmp_path / "stick")
    assert caught_too.value.code == "not-a-file"


INDEXES = {
    "not JSON": b"{",
    "a list": b"[]",
    "no manifests": b"{}",
    "manifests that are text": b'{"manifests":"abc"}',
    "manifests that are numbers": b'{"manifests":[1,2]}',
    "no digest": b'{"manifests":[{}]}',
    "another algorithm": b'{"manifests":[{"digest":"md5:00"}]}',
    "a path": b'{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}',
    "a digest of other digits": '{{"manifests":[{{"digest":"sha256:{}"}}]}}'.format(
        "٣" * 64
    ).encode(),
    "a number": b'{"manifests":[{"digest":1}]}',
    "very deep": b'{"manifests":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "one that nobody listed": b'{"manifests":[{"digest":"sha256:' + b"a" * 64 + b'"}]}',
}


@pytest.mark.parametrize("kind", INDEXES)
def test_an_absurd_index_is_refused(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, kind: str
) -> None:
    """By a hostile hub, which can sign for it."""
    (bundle / "index.json").write_bytes(INDEXES[kind])
    relist(bundle, hub, "index.json")
    assert site.refuses(bundle).code in {"bad-manifest", "file-missing"}


def test_an_index_of_one_manifest_very_often_is_read_once(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = f'{{"digest":"sha256:{hub.assigned[SITE]["cpu"]["vision/digits"].current.sha256}"}}'
    (bundle / "index.json").write_text(f'{{"manifests":[{",".join([one] * 50_000)}]}}')
    relist(bundle, hub, "index.json")
    read: list[str] = []
    real = Medium.read

    def counted(self: Medium, path: str, limit: int) -> bytes:
        read.append(path)
        return real(self, path, limit)

    monkeypatch.setattr(Medium, "read", counted)
    site.take(bundle)
    assert len(read) < 100


@pytest.mark.parametrize(
    "kind, code",
    [
        ("link", "not-a-file"),
        ("dangling", "not-a-file"),
        ("pipe", "not-a-file"),
        ("folder", "not-a-file"),
        ("device", "not-a-file"),
        ("sparse", "too-large"),
        ("large", "too-large"),
        ("none", "no-file"),
        ("unreadable", "medium-unreadable"),
    ],
)
def test_a_named_file_is_a_file_of_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, code: str
) -> None:
    """A request to enrol and its answer come on a medium too."""
    file = tmp_path / "plant 7.answer"
    if kind in {"link", "dangling"}:
        file.symlink_to("/dev/zero" if kind == "link" else "/nowhere")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "device":
        file = Path("/dev/null")
    elif kind != "none":
        file.write_bytes(b"0" * (11 if kind == "large" else 10))
    if kind == "sparse":
        os.truncate(file, 2**40)
    if kind == "unreadable":
        real = reading._open_regular
        # A descriptor that is not for reading: the file opens, and cannot be read.
        monkeypatch.setattr(
            reading, "_open_regular", lambda n, f: os.dup2(os.open(file, os.O_WRONLY), real(n, f))
        )
    with pytest.raises(SealiftError) as caught:
        read_named(file, 10, next_step="Look again.")
    assert caught.value.code == code
    assert caught.value.next_step == "Look again."
    assert str(file) in caught.value.what or file.name in caught.value.what


def test_a_named_file_may_be_called_anything(tmp_path: Path) -> None:
    file = tmp_path / "Antwort für plant-7 (2).answer"
    file.write_bytes(b"0" * 10)
    assert read_named(file, 10, next_step="") == b"0" * 10


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_the_answer_to_a_site_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    answer = tmp_path / "answer"
    os.mkfifo(answer) if kind == "pipe" else answer.symlink_to("/dev/zero")
    assert run(["--home", str(tmp_path / "home"), "init", "--answer", str(answer)]) == 1
    assert "sealift site enroll" in capsys.readouterr().err


def test_a_medium_that_cannot_be_listed_is_not_an_empty_one(
    medium: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (medium / "sealift/returns").mkdir()

    def fail(_: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", fail)
    for find in (lambda: find_transfer(medium, SITE), lambda: find_returns(medium)):
        with pytest.raises(FailedError) as caught:
            find()
        assert caught.value.code == "medium-unreadable"


def test_droppings_in_a_return_are_named_and_not_read(
    site: SiteOnPaper, bundle: Path, medium: Path
) -> None:
    site.take(bundle)
    with site.opened() as opened:
        home, _ = write_home(opened, medium, everything=True)
    for place in ("Thumbs.db", "log/._extract.json", "receipts/._plant-7-000001.json"):
        (home / place).symlink_to("/dev/zero")
    (home / "receipts/$RECYCLE.BIN").mkdir()
    (home / "receipts/not a transfer.json").write_bytes(b"{")
    ((found, *_),) = find_returns(medium)
    read = read_return(found)
    assert list(read.receipts) == [bundle.name]
    assert sorted(read.ignored) == [
        "Thumbs.db",
        "log/._extract.json",
        "receipts/$RECYCLE.BIN/",
        "receipts/._plant-7-000001.json",
        "receipts/not a transfer.json",
    ]


@pytest.mark.parametrize(
    "cap, value", [("LARGEST_RECEIPT", 10), ("LARGEST_RECEIPTS", 10), ("MOST_RECEIPTS", 0)]
)
def test_a_return_has_caps(
    site: SiteOnPaper,
    bundle: Path,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    cap: str,
    value: int,
) -> None:
    site.take(bundle)
    with site.opened() as opened:
        write_home(opened, medium, everything=True)
    ((found, *_),) = find_returns(medium)
    monkeypatch.setattr(returned, cap, value)
    with pytest.raises(RefusedError) as caught:
        read_return(found)
    assert caught.value.code in {"too-large", "too-much"}
    assert "sealift-site return" in caught.value.next_step


def test_a_site_does_not_write_more_than_a_hub_reads(
    site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium.mkdir()
    monkeypatch.setattr(returning, "LARGEST_EXTRACT", 10)
    with site.opened() as opened, pytest.raises(RefusedError) as caught:
        write_home(opened, medium, everything=True)
    assert caught.value.code == "return-too-large"
    with pytest.raises(NotFoundError):
        find_returns(medium)
