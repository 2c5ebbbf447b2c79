"""Many callers, several processes, and processes that die: dense, nothing lost, never "locked"."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from sealift_registry.audit.batch import Committed
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.database import Database
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency.question import Question
from tests.logs import ORIGIN, number_of, numbered
from tests.stores import new_database, place_of

SECRET = bytes(range(32))
SIGNER = CryptoSigner(Ed25519PrivateKey.from_private_bytes(SECRET))
KEY = PublicKey.from_tuf(SIGNER.public_key)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = new_database(tmp_path)
    yield database
    database.close()


def written(database: Database) -> dict[int, int]:
    """Every entry's number by its place; the log is checked on the way."""
    reader = LogReader(database)
    verdict = reader.fsck(KEY, ORIGIN)
    assert verdict.findings == ()
    rows = reader.page(Question(), limit=1_000_000, newest_first=False)
    assert [row.seq for row in rows] == list(range(verdict.size))
    return {row.seq: number_of(row) for row in rows}


def started(folder: Path, first: int, count: int, threads: int) -> subprocess.Popen[str]:
    module = [sys.executable, "-m", "tests.registry.log_process"]
    arguments = [place_of(folder), SECRET.hex(), str(first), str(count), str(threads)]
    return subprocess.Popen([*module, *arguments], stdout=subprocess.PIPE, text=True)


def test_a1_07_64_callers_dense_and_nothing_lost(database: Database, tmp_path: Path) -> None:
    callers, each = 64, 20
    together = threading.Barrier(callers)

    def work(caller: int) -> list[tuple[int, Committed[None]]]:
        together.wait()
        numbers = range(caller * each, (caller + 1) * each)
        return [(number, log.commit_entry(numbered(number))) for number in numbers]

    with (
        AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log,
        ThreadPoolExecutor(callers) as pool,
    ):
        answers = [answer for answers in pool.map(work, range(callers)) for answer in answers]
    found = written(database)
    assert sorted(found.values()) == list(range(callers * each))
    assert all(found[committed.seq] == number for number, committed in answers)
    assert all(committed.seq < committed.size for _, committed in answers)


def test_a1_07_two_processes_at_once(database: Database, tmp_path: Path) -> None:
    count = 400
    processes = [started(tmp_path, first, count, 8) for first in (0, count)]
    told: dict[int, int] = {}
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        told |= {int(seq): int(number) for number, seq in map(str.split, output.splitlines())}
    assert written(database) == told
    assert sorted(told.values()) == list(range(2 * count))
    # They did take turns.
    changes = sum((told[seq] < count) != (told[seq - 1] < count) for seq in range(1, 2 * count))
    assert changes > 1


@pytest.mark.parametrize("round_", range(4))
def test_a1_07_a_killed_process_loses_nothing_that_it_acknowledged(
    database: Database, tmp_path: Path, round_: int
) -> None:
    """SIGKILL in the middle of commits, while a second process goes on; then all is there."""
    victim = started(tmp_path, 0, 100_000, 8)
    survivor = started(tmp_path, 100_000, 60, 2)
    assert victim.stdout is not None
    acknowledged = [victim.stdout.readline() for _ in range(40)]
    time.sleep(0.013 * round_)
    victim.kill()
    rest, _ = victim.communicate(timeout=60)
    # A line that the kill cut short was not told.
    acknowledged += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    output, _ = survivor.communicate(timeout=60)
    assert survivor.returncode == 0
    found = written(database)
    for line in acknowledged + output.splitlines():
        number, seq = map(int, line.split())
        assert found[seq] == number
    with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        assert log.commit_entry(numbered(1)).seq == len(found)


def test_a_process_that_forgets_to_close_still_ends(database: Database, tmp_path: Path) -> None:
    """log_process never closes its log."""
    process = started(tmp_path, 0, 3, 1)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(output.splitlines()) == 3
    assert len(written(database)) == 3
