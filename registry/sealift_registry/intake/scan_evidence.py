"""What the scanner finds in a folder, as evidence says it; it asks no database."""

from __future__ import annotations

import platform
from pathlib import Path

from sealift_registry.catalog.findings import Finding
from sealift_registry.intake.incoming_folder import take_stock
from sealift_registry.intake.scan import ScanReport, scan
from sealift_registry.intake.source import SourceFile
from sealift_signing.canonical import Json
from sealift_signing.statements import Check


def scan_folder(folder: Path) -> Finding:
    """Scan any folder, as evidence: what conversion asks for its variants.

    Raises:
        RefusedError: something in it is not let in.
        FailedError: the scanner failed.
    """
    files = tuple(take_stock(folder, lambda _path, _done, _total: None))
    return as_finding(scan(folder, files))


def as_finding(report: ScanReport) -> Finding:
    """A scan's report as evidence says it."""
    checks = tuple(Check(c.name, c.verdict, c.words) for c in report.checks)
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
    details = {
        "format": report.model_format,
        "model_files": list(report.model_files),
        "data_files": list(report.data_files),
        "files": [_file(f) for f in report.files],
    }
    return Finding("scan", report.verdict, checks, report.tools, machine, details)


def _file(file: SourceFile) -> dict[str, Json]:
    return {"path": file.path, "size": file.size, "sha256": file.sha256}
