"""A blob that is being written is its process's; what one that has ended left may be swept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from sealift_sync.blobs import BlobFolder

HOLDS = """
import sys, time
from pathlib import Path
from sealift_signing.locks import claim
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
