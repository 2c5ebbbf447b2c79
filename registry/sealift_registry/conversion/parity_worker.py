"""The parity check's process: run source and variant on the goldens, and lay them side by side."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np

from sealift_registry.conversion.parity import ABSOLUTE, RELATIVE
from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.known import BY_FORMAT, CONVERTERS, PACKAGES
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.software import installed
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import sentence

LABELS = "labels"
SOFTWARE = ("numpy", "onnxruntime", *PACKAGES)


def compare(request: Document, progress: Progress) -> Document:
    """The parts of a ParityReport that need the models; the caller knows the digests."""
    inputs, labels = _goldens(Path(request["goldens"]))
    framework = BY_FORMAT[request["source_format"]]
    load = CONVERTERS[request["source_format"]].load
    progress("source", 0, 0)
    source = load(Path(request["source"])).answer(inputs)
    progress("variant", 0, 0)
    variant = RuntimeModel(Path(request["variant"])).answer(inputs)
    rows = len(next(iter(inputs.values())))
    outputs = _side_by_side(source, variant)
    machine = _machine()
    report = {
        "format": 1,
        "requires": [],
        "verdict": "pass" if all(one["verdict"] == "pass" for one in outputs) else "fail",
        "hardware_target": request["hardware_target"],
        "measured_on_target": machine["arch"] == request["arch"],
        "machine": machine,
        "reference": framework.reference or framework.name,
        "rows": rows,
        "absolute_tolerance": ABSOLUTE,
        "relative_tolerance": RELATIVE,
        "outputs": outputs,
        "labels_equal": sum(one.get("equal", 0) for one in outputs),
        "labels_compared": sum(one["values"] for one in outputs if one["kind"] == LABELS),
    }
    report |= _largest(outputs) | _accuracies(source, variant, labels)
    return report | {"words": sentence(_words(report, request["arch"]))}


def _goldens(path: Path) -> tuple[dict[str, Array], Array | None]:
    with np.load(path, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    labels = arrays.pop(LABELS, None)
    return arrays, labels


# -------------------------------------------------------------------- comparing


def _side_by_side(source: Mapping[str, Array], variant: Mapping[str, Array]) -> list[Document]:
    if set(source) != set(variant):
        ours, theirs = ", ".join(sorted(source)), ", ".join(sorted(variant))
        raise RefusedError(
            "parity-outputs",
            f"The source gives {ours}; the variant gives {theirs}: they cannot be compared.",
            subject=theirs,
            next_step="Export the model to ONNX yourself, and ingest the ONNX file.",
        )
    return [
        # An output's name is the model's author's to choose, and stands in a document.
        {"name": sentence(name)} | _compared(source[name], variant[name])
        for name in sorted(source)
    ]


def _compared(source: Array, variant: Array) -> Document:
    """One output: labels must be equal, numbers finite and near."""
    if variant.size == source.size and len(variant) == len(source):
        variant = variant.reshape(source.shape)  # (rows, 1) and (rows,) say the same
    same_shape = variant.shape == source.shape
    if variant.dtype.kind != "f":
        equal = _agreeing(source, variant) if same_shape else 0
        verdict = "pass" if same_shape and equal == source.size else "fail"
        kind = {"kind": LABELS, "equal": equal}
        return {"values": source.size, "verdict": verdict} | kind
    found: Document = {"kind": "numbers", "values": source.size, "verdict": "fail"}
    theirs, ours = source.astype(np.float64), variant.astype(np.float64)
    if not same_shape or not (np.isfinite(theirs).all() and np.isfinite(ours).all()):
        return found
    away = np.abs(ours - theirs)
    allowed = np.maximum(float(ABSOLUTE), float(RELATIVE) * np.abs(theirs))
    found["largest_difference"] = _decimal(float(away.max(initial=0)))
    return found | {"verdict": "pass" if bool((away <= allowed).all()) else "fail"}


def _largest(outputs: list[Document]) -> Document:
    numbers = [one for one in outputs if one["kind"] == "numbers"]
    if not numbers or not all("largest_difference" in one for one in numbers):
        return {}
    most = max((one["largest_difference"] for one in numbers), key=Decimal)
    return {"largest_difference": most}


def _decimal(number: float) -> str:
    """Three digits, as documents spell a number that is not whole."""
    return f"{Decimal(f'{number:.2e}').normalize():f}"


# -------------------------------------------------------------------- accuracy


def _accuracies(
    source: Mapping[str, Array], variant: Mapping[str, Array], labels: Array | None
) -> Document:
    """The accuracy of both, where labels are known and both can be read as telling labels."""
    if labels is None:
        return {}
    by_source, by_variant = _told_labels(source), _told_labels(variant)
    if by_source is None or by_variant is None or by_source.shape != labels.shape:
        return {}
    return {
        "source_accuracy": _part(by_source, labels),
        "variant_accuracy": _part(by_variant, labels),
    }


def _told_labels(outputs: Mapping[str, Array]) -> Array | None:
    """The one output of labels; else the likeliest column of the one table of numbers."""
    flat = [one for one in outputs.values() if one.dtype.kind != "f" and one.ndim == 1]
    if len(flat) == 1:
        return flat[0]
    tables = [one for one in outputs.values() if one.dtype.kind == "f" and one.ndim == 2]  # noqa: PLR2004 - rows and columns
    if len(tables) == 1 and tables[0].shape[1] > 1:
        return np.asarray(tables[0].argmax(axis=1))
    return None


def _part(told: Array, labels: Array) -> str:
    return f"{_agreeing(told, labels) / len(labels):.4f}" if told.shape == labels.shape else "0"


def _agreeing(some: Array, others: Array) -> int:
    """How many labels are the same; 3 and 3.0 are, and text is compared as text."""
    if some.dtype.kind in "fiub" and others.dtype.kind in "fiub":
        return int((some == others).sum())
    return int((some.astype(str) == others.astype(str)).sum())


# -------------------------------------------------------------------- words and machine


def _words(report: Document, arch: str) -> str:
    machine = report["machine"]
    numbers = report.get("largest_difference")
    said = [f"On {report['rows']} golden rows"]
    if report["labels_compared"]:
        said.append(f"{report['labels_equal']} of {report['labels_compared']} labels are equal")
    if numbers is not None:
        said.append(f"the largest difference is {numbers}")
    failed = [one["name"] for one in report["outputs"] if one["verdict"] == "fail"]
    if failed:
        said.append(f"{', '.join(failed)} differs too much or is no finite number")
    where = f"measured on {machine['arch']} ({machine['cpu']})"
    if not report["measured_on_target"]:
        where += f", not on the hardware target's {arch}"
    return f"{said[0]} {', '.join(said[1:])}; compared with {report['reference']}, {where}."


def _machine() -> Document:
    return {
        "arch": platform.machine(),
        "cpu": sentence(_cpu()),
        "os": sentence(f"{platform.system()} {platform.release()}"),
        "software": {"python": platform.python_version()} | installed(SOFTWARE),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or "unknown"


if __name__ == "__main__":
    serve({"compare": compare})
