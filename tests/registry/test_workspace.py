"""A folder for one piece of work, and what is left of it when its process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_registry.storage.workspace import workspace
from sealift_signing.errors import FailedError

KILLED = """
import sys, time
from pathlib import Path
from sealift_registry.storage.workspace import workspace
with workspace(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"done")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_folder_is_ours_and_gone_afterwards(tmp_path: Path) -> None:
    with workspace(tmp_path / "work") as one, workspace(tmp_path / "work") as two:
        assert one != two
        (one / "deep").mkdir()
        assert one.is_dir()
        assert two.is_dir()
    assert list((tmp_path / "work").iterdir()) == []


def test_it_is_gone_after_an_error_which_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="mine"), workspace(tmp_path):
        raise FileNotFoundError(2, "mine")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_one_works_on_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with workspace(tmp_path):
            assert (left / "half").exists(), "its process works there"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert left.exists()
    with workspace(tmp_path) as own:
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == [own]
    assert list(tmp_path.iterdir()) == []


def test_where_no_folder_can_be_made_a_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(FailedError, match="could not be written"), workspace(tmp_path / "work"):
        pass
