"""Who holds a file works there; who has ended holds nothing, and what it left may be swept."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from sealift_sync.blobs import BlobFolder
from sealift_sync.claims import abandoned, claim

HOLDS = """
import sys, time
from pathlib import Path
from sealift_sync.claims import claim
file = claim(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[None]:
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            process.kill()


def test_it_is_the_owners_until_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "one"
    with held_by_another_process(path), abandoned(path) as free:
        assert not free
    with abandoned(path) as free:
        assert free


def test_what_is_not_there_is_nobodys_to_sweep(tmp_path: Path) -> None:
    with abandoned(tmp_path / "none") as free:
        assert not free


def test_a_claim_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making the file and locking it, a sweeper may take it for one left behind."""
    path, lock = tmp_path / "one", fcntl.flock
    swept: list[Path] = []

    def meanwhile(file: Any, how: int) -> None:  # noqa: ANN401 - as flock takes it
        if not swept:
            swept.append(path)
            with path.open("rb") as other:
                lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    with claim(path) as file:
        assert swept
        file.write(b"whole")
    assert path.read_bytes() == b"whole"


def test_an_unfinished_blob_is_swept_once_its_process_has_ended(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    blobs.put(BytesIO(b"one"))
    left = tmp_path / "incoming" / "two.partial"
    with held_by_another_process(left):
        assert blobs.sweep() == 0
        assert left.exists()
    assert blobs.sweep() == 1
    assert not left.exists()
    assert len(list(blobs.digests())) == 1


def test_a_file_that_was_given_its_name_meanwhile_is_not_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweeper that opened it while it was unfinished gets its lock when it no longer is."""
    aside, final, lock = tmp_path / "one.partial", tmp_path / "one", fcntl.flock
    aside.write_bytes(b"whole")

    def meanwhile(file: Any, how: int) -> None:  # noqa: ANN401 - as flock takes it
        aside.replace(final)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    with abandoned(aside) as free:
        assert not free
    assert final.read_bytes() == b"whole"
