"""The scanner's process: survey the folder, hash it, and look closely at what was recognised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sealift_registry.frameworks import pickles
from sealift_registry.frameworks.content import HEAD
from sealift_registry.frameworks.framework import ModelFolder, ScannerCheck
from sealift_registry.frameworks.supported import BY_FORMAT
from sealift_registry.intake import formats, side_files
from sealift_registry.intake.incoming_folder import take_stock
from sealift_registry.intake.model_folder import survey
from sealift_registry.intake.scan import ScanCheck, ScanReport
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.software import installed
from sealift_signing import shape
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.vocabulary import counted, sentence


def scan(request: Document, progress: Progress) -> Document:
    """The ScanReport of the folder that the request names, as JSON."""
    folder = Path(request["folder"])
    files = tuple(take_stock(folder, progress))
    found, checks = _sorted_out(folder)
    if found is not None:
        progress(found.model, 0, 0)
        checks += _look(folder, found)
    packages = BY_FORMAT[found.format].packages if found else ()
    report = ScanReport(
        format=1,
        requires=(),
        verdict="fail" if any(check.verdict == "fail" for check in checks) else "pass",
        model_format=found.format if found else formats.UNKNOWN,
        model_files=found.model_files if found else (),
        data_files=found.data_files if found else (),
        checks=tuple(checks),
        tools=installed(("sealift-registry", *packages)),
        files=files,
    )
    return shape.to_json(report)


def _sorted_out(folder: Path) -> tuple[ModelFolder | None, list[ScanCheck]]:
    """The survey of the folder, where it can be made, and what it says as a check."""
    try:
        found = survey(folder)
    except RefusedError as bad:
        return None, [_failed(bad.code, bad)]
    words = f"By its content, {found.model} is {found.format}."
    return found, [ScanCheck("format", "pass", words)]


def _look(folder: Path, found: ModelFolder) -> list[ScanCheck]:
    checks: list[ScanCheck] = []
    first: Mapping[str, ScannerCheck] = {"side-files": _side_files, "one-format": _one_format}
    for name, check in {**first, **BY_FORMAT[found.format].checks}.items():
        try:
            checks.append(ScanCheck(name, "pass", sentence(check(folder, found))))
        except RefusedError as bad:
            return [*checks, _failed(name, bad)]
        except ImportError as bad:
            raise FailedError(
                "scanner-missing",
                f"Scanning {found.format} needs the package {bad.name}, which is not installed.",
                subject=str(bad.name),
                next_step="Install it: pip install 'sealift-registry[convert]'.",
            ) from bad
    return checks


def _side_files(folder: Path, found: ModelFolder) -> str:
    """Every file beside the model is of the content that its name promises."""
    for path in found.side_files:
        fault = side_files.fault(path, folder / path)
        if fault:
            raise RefusedError(
                "side-files",
                f"{path} {fault}, which a file of that name should be.",
                subject=path,
                next_step="Restore it or remove it from the model's folder, and ingest again.",
            )
    if not found.side_files:
        return "No other files lie beside the model."
    files = counted(len(found.side_files), "known file")
    return f"{files} {'lies' if len(found.side_files) == 1 else 'lie'} beside the model."


def _one_format(folder: Path, found: ModelFolder) -> str:
    """No file is a second thing for whoever reads it otherwise: an archive, HDF5, a pickle."""
    if not BY_FORMAT[found.format].is_archive:
        for path in (*found.model_files, *found.data_files):
            if other := formats.second(folder / path):
                raise _two_formats(path, other)
    for path in found.data_files:
        with (folder / path).open("rb") as data:
            head = data.read(HEAD)
            if pickles.calls(data) or pickles.is_packed(head):
                raise _two_formats(path, "a pickle")
    return "Each of its files has one format only."


def _two_formats(path: str, other: str) -> RefusedError:
    return RefusedError(
        "one-format",
        f"{path} is {other} as well: some programs would read it as that.",
        subject=path,
        next_step="Export the model again, with nothing else in the file.",
    )


def _failed(name: str, bad: RefusedError) -> ScanCheck:
    """The check that `bad` ended; what it quotes of the model is made fit for a document."""
    said = (sentence(words) for words in (bad.what, bad.subject, bad.next_step))
    return ScanCheck(name, "fail", *said)


if __name__ == "__main__":
    serve({"scan": scan})
