"""A medium that fails, is pulled, or says something else each time it is asked."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_signing.errors import FailedError, SealiftError
from sealift_sync import stream
from sealift_sync.bundle import medium as reading
from sealift_sync.bundle.medium import Medium
from sealift_sync.site.importing.accepting import Accepted
from sealift_sync.site.importing.importer import Watch, import_bundle
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper

Spoil = Callable[[Path], object]


@pytest.fixture
def bundle(hub: HubOnPaper, medium: Path) -> Path:
    hub.assign(hub.promote(1))
    return hub.export(medium)


class Failing:
    """The calls by which a medium is read; from the `last` on, every one of them fails.

    A descriptor that is not for reading stands for a file that opened and cannot be read.
    """

    def __init__(self, last: int, manner: str) -> None:
        self.calls = 0
        self.last = last
        self.manner = manner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a whole module
        real = getattr(os, name)
        watched = {"open"} if self.manner == "unreadable" else {"open", "stat", "fstat", "scandir"}
        if name not in watched:
            return real

        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - likewise
            self.calls += 1
            if self.calls < self.last:
                return real(*arguments, **named)
            if self.manner == "unreadable":
                place, flags = arguments
                to_write = flags & ~os.O_ACCMODE | os.O_WRONLY
                return real(place, flags if flags & os.O_DIRECTORY else to_write, **named)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        return call


@pytest.mark.parametrize("manner", ["pulled", "unreadable"])
def test_a_medium_that_fails_at_any_moment_is_said_and_changes_nothing(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    """Every call that reads the medium fails once, and all that follow; then the stick is back."""
    before, entries = site.picture(), len(site.entries())
    count = Failing(10**9, manner)
    with monkeypatch.context() as patched:
        patched.setattr(reading, "os", count)
        site.verify(bundle)
    assert count.calls > 80
    with site.opened("import", reads_medium=True) as opened:
        for last in range(1, count.calls + 1, 13):
            with monkeypatch.context() as patched:
                patched.setattr(reading, "os", Failing(last, manner))
                with pytest.raises(FailedError) as caught:
                    import_bundle(opened, Medium(bundle), site.watch)
            assert caught.value.code == "medium-unreadable", last
            assert caught.value.next_step
            shutil.rmtree(site.root / "store/incoming", ignore_errors=True)  # staged, and kept
    assert site.picture() == before
    assert len(site.entries()) == entries
    assert not site.take(bundle).already


def test_whatever_takes_the_mediums_place_is_not_read(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path
) -> None:
    """Pulled and mounted elsewhere, an empty folder is left: not a bundle with all missing."""

    def pull(_accepted: Accepted, _ignored: tuple[str, ...]) -> None:
        bundle.rename(bundle.parent / "elsewhere")
        bundle.mkdir()

    watch = Watch(lambda _name, _size: lambda _done: None, pull, site.watch.recalled)
    with site.opened("import", reads_medium=True) as opened:
        assert not import_bundle(opened, Medium(bundle), watch).already
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def _longer(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"more")


def _other(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


CHANGES: dict[str, tuple[Spoil, str]] = {
    "grown": (_longer, "blob-damaged"),
    "shrunk": (lambda file: os.truncate(file, 3), "blob-damaged"),
    "other bytes": (_other, "blob-damaged"),
    "gone": (Path.unlink, "file-missing"),
    "a pipe": (_pipe, "not-a-file"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("part", ["manifest", "weights"])
def test_a_blob_that_changes_after_it_was_judged(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, change: str, part: str
) -> None:
    """It was whole when the quarantine was copied and the plan was shown."""
    manifests = {hub.store.put_bytes(data).sha256 for data in hub.manifests.values()}
    blobs = sorted((bundle / "blobs/sha256").iterdir(), key=lambda one: one.stat().st_size)
    (file,) = [one for one in blobs if one.name in manifests] if part == "manifest" else blobs[:1]
    spoil, code = CHANGES[change]

    def after(_accepted: Accepted, _ignored: tuple[str, ...]) -> None:
        spoil(file)

    watch = Watch(lambda _name, _size: lambda _done: None, after, site.watch.recalled)
    before = site.picture()
    with site.opened("import", reads_medium=True) as opened, pytest.raises(SealiftError) as caught:
        import_bundle(opened, Medium(bundle), watch)
    assert (caught.value.code, caught.value.exit_code) == (code, 1)
    assert site.picture() == before
    assert site.entries()[-1].data["code"] == code


def test_a_full_disk_is_not_said_of_the_medium(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stream, "copy_hashed", full)
    with site.opened("import", reads_medium=True) as opened, pytest.raises(FailedError) as caught:
        import_bundle(opened, Medium(bundle), site.watch)
    assert caught.value.code == "unwritable"
    assert str(site.root) in caught.value.what


@pytest.mark.parametrize("spoil", ["transfer.json", "index.json", "statements", "blobs"])
def test_a_recall_is_honoured_even_from_a_medium_that_is_spoiled_otherwise(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, spoil: str
) -> None:
    made = hub.promote(1)
    hub.assign(made)
    site.take(hub.export(medium))
    hub.recall(made.sha256)
    folder = hub.export(medium)
    part = folder / spoil
    part.rename(medium / "aside")
    part.symlink_to(medium / "aside")
    with pytest.raises(SealiftError) as caught:
        site.take(folder)
    assert caught.value.code == "not-a-file"
    assert site.running() is None
    assert [one.type for one in site.entries()][-1] == "transfer.refused"


def test_a_recall_is_honoured_even_from_a_medium_that_fails_after_it(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hub.promote(1)
    hub.assign(made)
    site.take(hub.export(medium))
    hub.recall(made.sha256)
    folder = hub.export(medium)
    real = Medium.read

    def read(self: Medium, path: str, limit: int) -> bytes:
        if path == "transfer.json":
            raise self._refused(path, OSError(errno.EIO, "Input/output error"))
        return real(self, path, limit)

    monkeypatch.setattr(Medium, "read", read)
    with pytest.raises(FailedError):
        site.take(folder)
    assert site.running() is None
