"""The locks of exports: what a power cut left is taken away, what is held is not."""

from __future__ import annotations

from pathlib import Path

from sealift_registry.delivery import export_locks
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing import locks


def test_the_lock_of_a_medium_that_never_came_back(tmp_path: Path) -> None:
    """A stick that was unplugged after a power cut has another identity when it is seen again."""
    folder = tmp_path / "exports"
    folder.mkdir()
    gone, busy = folder / "medium-1-2.lock", folder / "medium-3-4.lock"
    gone.write_bytes(b"process 1, for site plant-7")
    held = locks.take(busy, "for site plant-8")
    assert held
    database = SqliteDatabase(tmp_path / "hub.db", tmp_path / "lock", folder)
    with export_locks.medium(database, (5, 6), tmp_path, "for site plant-9"):
        assert sorted(one.name for one in folder.iterdir()) == [busy.name, "medium-5-6.lock"]
    locks.let_go(busy, held)
    assert not folder.exists()
