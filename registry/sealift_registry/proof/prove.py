"""The proof of a variant, in a process of its own with limits: files in, a report out."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sealift_registry.frameworks.supported import absent
from sealift_registry.proof.models import SourceModel, VariantModel, model_file
from sealift_registry.proof.proof_report import BINS, SECONDS, ProofReport
from sealift_registry.runtimes.environments import Environment
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.runner import Worker, WorkerLimits, ask, nonsense
from sealift_signing import shape
from sealift_signing.errors import FailedError, MalformedError, RefusedError
from sealift_sync.check_rows import LARGEST, unpack

OTHERWISE = 1800
"""Seconds for all but the probe rows: to load both models, and for as many goldens as there are."""

CORES = 6
"""That are kept busy for all of that time, at most."""


def _limits(seconds: float) -> WorkerLimits:
    """What the proof may use, where probe rows may take so many seconds."""
    whole = seconds + OTHERWISE
    return WorkerLimits(
        seconds=whole,
        cpu_seconds=int(CORES * whole),
        file_bytes=0,
        answer_bytes=16 * 1024**2 + LARGEST * 4 // 3,  # check rows come in base64
    )


WORKER = Worker(
    module="sealift_registry.proof.prove_worker",
    name="the proof",
    limits=_limits(SECONDS),
    # What is freed of a large model is given back at once, and not kept for the next one.
    given={"MALLOC_MMAP_THRESHOLD_": "1048576"},
)


class Target(Protocol):
    """The class of machine that a variant is for, as far as the proof goes by it."""

    @property
    def id(self) -> str:
        """`cpu-x86_64`."""

    @property
    def arch(self) -> str:
        """As `uname -m` spells it."""


@dataclass(frozen=True)
class How:
    """How a variant is proved.

    Attributes:
        seconds: that probe rows may take.
        elsewhere: the environment whose runtime runs the variant; Sealift's own if None.
        check_rows: where a file of them is written, if the proof passes and there are any.
    """

    seconds: float = SECONDS
    elsewhere: Environment | None = None
    check_rows: Path | None = None


def prove(
    source: SourceModel,
    variant: VariantModel,
    target: Target,
    goldens: Path,
    progress: Progress = lambda _path, _done, _total: None,
    how: How | None = None,
) -> ProofReport:
    """Let both models answer goldens (an `.npz` file of intake's layout) and probe rows.

    Args:
        source: the model as it came.
        variant: what was made of it.
        target: that the variant is for.
        goldens: the file.
        progress: told what is done.
        how: and how long; as ever if None.

    Raises:
        RefusedError: the goldens do not fit, or one of the models cannot be run.
        FailedError: the proof itself failed; the variant may not be used.
    """
    how = how or How()
    known = _hashed(source, variant, goldens)
    request = {
        "source": str((source.folder / source.model).absolute()),
        "source_format": source.format,
        "variant": str((variant.folder / variant.model).absolute()),
        "goldens": str(goldens.absolute()),
        "hardware_target": target.id,
        "arch": target.arch,
        "seed": _seed(known),
        "seconds": how.seconds,
        "elsewhere": None,
        "check_rows": how.check_rows is not None,
    }
    if how.elsewhere is not None:
        there = how.elsewhere
        request["elsewhere"] = [str(there.release), str(there.interpreter.absolute())]
    worker = replace(WORKER, absent=absent(source.format), limits=_limits(how.seconds))
    answer = ask(worker, "prove", request, progress, work=goldens.parent)
    answer |= _kept(answer.pop("check_rows", None), how.check_rows)
    try:
        report = shape.from_json(ProofReport, answer | known, what="the proof's answer")
    except (MalformedError, RefusedError) as bad:
        raise nonsense(WORKER) from bad
    if not is_sound(report):
        raise nonsense(WORKER)
    return report


def _kept(said: object, to: Path | None) -> Document:
    """The file of check rows that the worker made, written; as the report names it.

    Raises:
        FailedError: it is none, or nobody asked for one.
    """
    if said is None:
        return {}
    try:
        if to is None or not isinstance(said, str):
            raise nonsense(WORKER)
        data = base64.b64decode(said, validate=True)
        rows = unpack(data).rows
    except (ValueError, MalformedError, RefusedError) as bad:
        raise nonsense(WORKER) from bad
    try:
        to.write_bytes(data)
    except OSError as bad:
        raise _unreadable(bad) from bad
    digest = hashlib.sha256(data).hexdigest()
    return {"check_rows": {"sha256": digest, "size": len(data), "rows": rows}}


def is_sound(report: ProofReport) -> bool:
    """A verdict is that of its checks, and there were rows and outputs to find and draw it by."""
    found = report.findings
    passed = all(one.verdict == "pass" for one in found.checks)
    compared = any(one.kind == "goldens" and one.ran == report.rows for one in found.probes)
    whole = bool(found.checks and found.outputs and report.rows == found.rows and compared)
    drawable = all(len(one.differences) == len(BINS) + 1 for one in found.outputs)
    return whole and drawable and (found.verdict == "pass") == passed


def _seed(known: Document) -> str:
    """The same goldens and the same source make the same rows."""
    told = hashlib.sha256(known["goldens"].encode())
    for file in known["source_files"]:
        told.update(file["sha256"].encode())
    return told.hexdigest()


def _hashed(source: SourceModel, variant: VariantModel, goldens: Path) -> Document:
    """Which bytes are compared: hashed by us, before; the worker's word is not taken for it."""
    paths = (*source.model_files, *source.data_files)
    try:
        return {
            "goldens": model_file(goldens.parent, goldens.name).sha256,
            "source_files": [shape.to_json(model_file(source.folder, path)) for path in paths],
            "variant_files": [shape.to_json(file) for file in variant.files],
        }
    except OSError as bad:
        raise _unreadable(bad) from bad


def _unreadable(bad: OSError) -> FailedError:
    return FailedError(
        "parity-unreadable",
        f"{bad.filename} could not be read or written: {bad.strerror}.",
        subject=str(bad.filename),
        next_step="Convert again.",
    )
