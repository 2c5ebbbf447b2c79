"""The scanner's process: survey the folder, hash it, and look closely at what was recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sealift_registry.intake import formats, pickles, side_files
from sealift_registry.intake.formats import ModelFormat
from sealift_registry.intake.scan import ScanCheck, ScanReport
from sealift_registry.intake.scanners import onnx_graph, skops_types, tensors, trees
from sealift_registry.intake.staging import take_stock
from sealift_registry.intake.survey import Survey, survey
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.software import installed
from sealift_signing import shape
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.vocabulary import sentence

Check = Callable[[Path, Survey], str]

BY_FORMAT: Mapping[ModelFormat, Mapping[str, Check]] = {
    ModelFormat.ONNX: {
        "external-data": onnx_graph.external_data,
        "operator-domains": onnx_graph.operators,
        "onnx-checker": onnx_graph.checker,
    },
    ModelFormat.SKOPS: {
        "skops-archive": skops_types.archive,
        "skops-types": skops_types.types,
    },
    ModelFormat.XGBOOST_UBJ: {"xgboost-model": trees.xgboost_model},
    ModelFormat.XGBOOST_JSON: {"xgboost-model": trees.xgboost_model},
    ModelFormat.LIGHTGBM: {"lightgbm-model": trees.lightgbm_model},
    ModelFormat.SAFETENSORS: {"safetensors-header": tensors.layout},
}
"""The checks of each format, in order: what is cheap and what could mislead the next come first."""

TOOLS: Mapping[ModelFormat, tuple[str, ...]] = {
    ModelFormat.ONNX: ("onnx",),
    ModelFormat.SKOPS: ("skops", "scikit-learn"),
    ModelFormat.XGBOOST_UBJ: ("xgboost-cpu", "xgboost"),
    ModelFormat.XGBOOST_JSON: ("xgboost-cpu", "xgboost"),
    ModelFormat.LIGHTGBM: ("lightgbm",),
    ModelFormat.SAFETENSORS: (),
}


def scan(request: Document, progress: Progress) -> Document:
    """The ScanReport of the folder that the request names, as JSON."""
    folder = Path(request["folder"])
    files = tuple(take_stock(folder, progress))
    found, checks = _sorted_out(folder)
    if found is not None:
        progress(found.model, 0, 0)
        checks += _look(folder, found)
    model_format = found.format if found else ModelFormat.UNKNOWN
    report = ScanReport(
        format=1,
        requires=(),
        verdict="fail" if any(check.verdict == "fail" for check in checks) else "pass",
        model_format=model_format.value,
        model_files=found.model_files if found else (),
        data_files=found.data_files if found else (),
        checks=tuple(checks),
        tools=installed(("sealift-registry", *TOOLS.get(model_format, ()))),
        files=files,
    )
    return shape.to_json(report)


def _sorted_out(folder: Path) -> tuple[Survey | None, list[ScanCheck]]:
    """The survey of the folder, where it can be made, and what it says as a check."""
    try:
        found = survey(folder)
    except RefusedError as bad:
        return None, [_failed(bad.code, bad)]
    words = f"The content of {found.model} is {found.format}."
    return found, [ScanCheck("format", "pass", words)]


def _look(folder: Path, found: Survey) -> list[ScanCheck]:
    checks: list[ScanCheck] = []
    first = {"side-files": _side_files, "one-format": _one_format}
    for name, check in (first | dict(BY_FORMAT[found.format])).items():
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


def _side_files(folder: Path, found: Survey) -> str:
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
    return f"{len(found.side_files)} known files lie beside the model."


def _one_format(folder: Path, found: Survey) -> str:
    """No file is a second thing for whoever reads it otherwise: an archive, HDF5, a pickle."""
    if found.format is not ModelFormat.SKOPS:
        for path in (*found.model_files, *found.data_files):
            if other := formats.second(folder / path):
                raise _two_formats(path, other)
    for path in found.data_files:
        with (folder / path).open("rb") as data:
            head = data.read(formats.HEAD)
            if pickles.calls(data) or formats.is_packed_pickle(head):
                raise _two_formats(path, "a pickle")
    return "Its files are of one format each."


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
