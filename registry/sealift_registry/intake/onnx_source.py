"""A plain ONNX model: one file, or a folder with the file and its external data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealift_registry.intake.incoming_folder import copy_tree, open_staging
from sealift_registry.intake.source import SourceRecord, checked
from sealift_registry.workers.channel import Progress


@dataclass(frozen=True)
class OnnxSource:
    """The ONNX model at `path`, a file or a folder."""

    path: Path

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        """Copy the model into `into`; see `Source.fetch`."""
        open_staging(into)
        files = copy_tree(self.path, into, progress)
        record = SourceRecord(
            format=1,
            requires=(),
            kind="onnx",
            locator=self.path.resolve().name,
            source_version="folder" if self.path.is_dir() else "file",
            aliases=(),
            details={},
            files=tuple(files),
        )
        return checked(record)
