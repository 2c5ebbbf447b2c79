"""The site's and the desk's software as it was at earlier commits, run in processes of its own.

`software.tar.xz` holds `signing/` and `offline-sync/` of each commit below: whoever changes a
format plays against them. To keep another one, in a clone that has all of them:

    .venv/bin/python -m tests.older.software
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.older.unpacking import extract

BEFORE_FEATURES = "41a22c4"
"""The last that told no features."""
FIRST = "0c321da"
"""The first whose documents must stay readable, both ways."""
KEPT = (BEFORE_FEATURES, FIRST)
ARCHIVE = Path(__file__).with_name("software.tar.xz")
_SITE = """
import sys
from datetime import datetime
from sealift_sync.cli import commands
from sealift_sync.cli.run import run

class Clock:
    @staticmethod
    def now(_zone):
        return datetime.fromisoformat(sys.argv[1])

assert commands.datetime is datetime
commands.datetime = Clock
sys.exit(run(sys.argv[2:]))
"""
_WHERE = (
    "import json, sealift_signing, sealift_sync; "
    "print(json.dumps([sealift_signing.__file__, sealift_sync.__file__]))"
)


@dataclass(frozen=True)
class Software:
    """`signing/` and `offline-sync/` of one commit, in `folder`."""

    folder: Path

    def site(self, home: Path, now: datetime, line: str | Sequence[str]) -> Any:  # noqa: ANN401 - what it told
        """Run `sealift-site` at that time; what it told under --json."""
        words = line.split() if isinstance(line, str) else line
        return self._told(
            [_SITE, now.isoformat(), "--home", str(home), *words, "--json"], home.parent
        )

    def python(self, program: str, *words: str) -> Any:  # noqa: ANN401 - as above
        """Run a few lines over the modules of then; what they print as JSON."""
        return self._told([program, *words], self.folder)

    def _told(self, words: Sequence[str], folder: Path) -> Any:  # noqa: ANN401 - as above
        path = os.pathsep.join(str(self.folder / one) for one in ("signing", "offline-sync"))
        ran = subprocess.run(
            [sys.executable, "-c", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


def unpack(commit: str, folder: Path) -> Software:
    """The software of `commit`, unpacked into `folder`; it is made sure that it is what runs."""
    extract(ARCHIVE, folder)
    found = Software(folder / commit)
    assert all(str(file).startswith(str(found.folder)) for file in found.python(_WHERE))
    return found


def main() -> None:
    """Make the archive of every commit that is kept."""
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as kept:
        for commit in KEPT:
            packed = subprocess.run(
                ["git", "archive", f"--prefix={commit}/", commit, "signing", "offline-sync"],
                check=True,
                capture_output=True,
            ).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
                for one in tar:
                    kept.addfile(one, tar.extractfile(one) if one.isfile() else None)


if __name__ == "__main__":
    main()
