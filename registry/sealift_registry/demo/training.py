"""The training process, seen from the story: started early, asked when its models are needed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self, cast

from sealift_registry.demo.folder import Folder
from sealift_registry.demo.story import DemoFailedError
from sealift_registry.demo.surroundings import environment

LOG = "training.log"


@dataclass
class Training:
    """One process that trains everything, since its imports take longer than its work.

    As a context it ends with the story, however that ends.
    """

    folder: Folder
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def __enter__(self) -> Self:
        """Start it."""
        command = [sys.executable, "-P", "-m", "sealift_registry.demo.train", "sources"]
        with (self.folder.sources / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder.root,
                env=environment(self.folder, {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()

    def wait_for(self, done: str) -> dict[str, Any]:
        """What the process told of `done`, as soon as it has.

        Raises:
            DemoFailedError: it ended before.
        """
        while done not in self.told:
            line = self._stdout.readline()
            if not line:
                raise self._ended()
            told = json.loads(line)
            self.told[told["done"]] = told | {"after": time.perf_counter() - self.began}
        return self.told[done]

    def move_alias(self, alias: str, version: int) -> float:
        """Have `alias` moved in MLflow; the seconds that it took."""
        self.told.pop("moved", None)
        self._stdin.write(f"{alias} {version}\n")
        self._stdin.flush()
        return float(self.wait_for("moved")["seconds"])

    @property
    def _stdin(self) -> IO[str]:
        return cast("IO[str]", self._process.stdin)

    @property
    def _stdout(self) -> IO[str]:
        return cast("IO[str]", self._process.stdout)

    def _ended(self) -> DemoFailedError:
        log = self.folder.sources / LOG
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return DemoFailedError(
            "demo-training-failed",
            f"Training the demo's models failed: {lines[-1] if lines else 'nothing was said'}",
            subject=str(log),
            next_step=f"Read {log}.",
        )
