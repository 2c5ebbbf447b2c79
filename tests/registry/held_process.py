"""`sealift` as a process of its own, held or killed at the one moment that the environment names.

    with held(acme, "gc told", "gc", "--remove") as process:
        process.at()        # it has come so far, and waits
        process.go()
        process.ends()      # what it printed

Moments are: `relies` and `relied` (before and after it says that it relies on blobs), `waits` (for
gc), `reads` (a blob), `adopted` (whole files into the folder of blobs), `names` and `named` (before
and after a commit that rests on blobs); `half` (of what gc removes is gone), and `gc` with a step
of `gc.collecting`. Each holds once. Run with no words, this is the process of a job.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sealift_registry.gc import collecting
from sealift_registry.storage import blob_claims, blob_removal
from sealift_registry.storage.blob_claims import BlobClaims
from sealift_registry.storage.blob_removal import StoredBlob
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.trust.hub import Hub
from sealift_signing import events
from sealift_sync.blobs import BlobFolder, BlobStore

if TYPE_CHECKING:
    from tests.registry.hub_fixture import Acme

Loose = Any
"""Whatever is handed on as it is."""
ROOT = Path(__file__).parents[2]
AT, IN = "HELD_AT", "HELD_IN"
PATIENCE = 120.0
"""Seconds."""


@dataclass
class Held:
    """A process that waits at its moment, and is told so and lets go by files in `folder`."""

    process: subprocess.Popen[str]
    folder: Path

    def at(self) -> None:
        """Wait until it has come so far."""
        until = time.monotonic() + PATIENCE
        while not (self.folder / "at").exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)

    def go(self) -> None:
        """Let it go on."""
        (self.folder / "go").touch()

    def ends(self, code: int = 0) -> str:
        """Let it end; what it printed."""
        self.go()
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == code, out + err
        assert "Traceback" not in out + err
        return out + err


@contextmanager
def held(acme: Acme, moment: str, *words: object) -> Iterator[Held]:
    """As long as this lasts, `sealift` with these words, which waits at a moment."""
    folder = acme.folder / "held" / f"{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    process = _started(acme, words, {AT: moment, IN: str(folder)})
    try:
        yield Held(process, folder)
    finally:
        process.kill()
        process.communicate()


def killed(acme: Acme, moment: str, *words: object) -> None:
    """`sealift` with these words, killed at a moment as by kill -9."""
    process = _started(acme, words, {AT: moment})
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, (process.returncode, out + err)


def ran(acme: Acme, *words: object) -> str:
    """`sealift` with these words, which nothing holds; what it printed."""
    process = _started(acme, words, {})
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    return out + err


def _started(acme: Acme, words: Sequence[object], more: dict[str, str]) -> subprocess.Popen[str]:
    from tests.registry.hub_fixture import PASSPHRASE

    given = [*map(str, words), "--home", str(acme.root)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.registry.held_process", *given],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SEALIFT_PASSPHRASE": PASSPHRASE, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# ------------------------------------------------------------------------ in the process


def reach(moment: str) -> None:
    """Wait here, or be killed, if this is the moment."""
    if os.environ.get(AT) != moment:
        return
    del os.environ[AT]
    if IN not in os.environ:
        for pid in (*([] if len(sys.argv) > 1 else [os.getppid()]), os.getpid()):
            os.kill(pid, signal.SIGKILL)
    folder = Path(os.environ[IN])
    (folder / "at").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)


def watched() -> None:
    """Have all moments be reached."""
    rely, commit, remove = BlobClaims.__call__, Hub.commit, blob_removal.remove

    def relies(self: BlobClaims, digests: Loose) -> Loose:
        reach("relies")
        doubtful = rely(self, digests)
        reach("relied")
        return doubtful

    def names(self: Hub, *given: Loose, **more: Loose) -> Loose:
        rests = self.claims is not None and bool(self.claims._noted)
        if rests:
            reach("names")
        done = commit(self, *given, **more)
        if rests:
            reach("named")
        return done

    def removes(store: BlobStore, blobs: Sequence[StoredBlob], now: datetime) -> dict[str, str]:
        middle = (len(blobs) + 1) // 2
        kept = remove(store, blobs[:middle], now)
        reach("half")
        return kept | remove(store, blobs[middle:], now)

    class Told:
        """What claims tell the log file."""

        def tell(self, *given: Loose, **more: Loose) -> None:
            events.tell(*given, **more)
            if given[1] == "waits-for-gc":
                reach("waits")

    BlobClaims.__call__ = relies  # type: ignore[method-assign]
    Hub.commit = names  # type: ignore[method-assign]
    blob_removal.remove = removes
    vars(blob_claims)["events"] = Told()
    vars(collecting)["step"] = lambda name: reach(f"gc {name}")
    _adopts()
    for store in (BlobFolder, S3Blobs):
        _reads(store)


def _adopts() -> None:
    adopt = BlobFolder.adopt

    def adopts(self: BlobFolder, files: Mapping[str, Path]) -> None:
        adopt(self, files)
        reach("adopted")

    BlobFolder.adopt = adopts  # type: ignore[method-assign]


def _reads(store: type[BlobFolder | S3Blobs]) -> None:
    opens = store.open

    def opened(self: Loose, digest: str, start: int = 0) -> BinaryIO:
        reach("reads")
        return opens(self, digest, start)

    store.open = opened  # type: ignore[method-assign]


def work() -> None:
    """Be `sealift`, whose jobs have this module as their process."""
    from sealift_registry import job_attempt
    from sealift_registry.cli.run import run

    begin = job_attempt.Attempts.__init__

    def began(self: job_attempt.Attempts, *given: Loose, **more: Loose) -> None:
        begin(self, *given, **{**more, "module": "tests.registry.held_process"})

    job_attempt.Attempts.__init__ = began  # type: ignore[method-assign]
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    watched()
    if len(sys.argv) > 1:
        work()
    from sealift_registry import job_process

    job_process.main()
