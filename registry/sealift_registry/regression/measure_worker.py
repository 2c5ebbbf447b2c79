"""The process in which a candidate and a listed version answer the same rows."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.variant_names import borne
from sealift_registry.proof.golden_rows import Goldens, read
from sealift_registry.regression import differences
from sealift_registry.regression.differences import Taken
from sealift_registry.regression.regression_report import ProvedBy, Side
from sealift_registry.regression.side_by_side import (
    NotRunError,
    Pair,
    alone,
    comparison_of,
    counted,
    loaded,
    on_rows,
    taken,
    warm,
)
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.software import installed
from sealift_signing import shape
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import sentence

SOFTWARE = ("numpy", "onnxruntime")
LISTED = "listed"
"""What it says that it is at, once the candidate has answered."""


def measure(request: Document, progress: Progress) -> Document:
    """Figures of both; or why there is nothing to compare with.

    The rows that nobody chose for the candidate come first, and counting rows comes last.
    """
    progress("candidate", 0, 0)
    candidate = RuntimeModel(Path(request["candidate"]))
    goldens = read(Path(request["goldens"]), candidate.inputs)
    warm(candidate, goldens.inputs)
    progress(LISTED, 0, 0)
    try:
        listed = loaded(Path(request["listed"]))
    except NotRunError as bad:
        return {"nothing": "not-run", "why": sentence(str(bad)), "broke": "listed"}
    why = differences.other_inputs(taken(candidate), taken(listed))
    if why:
        return {"nothing": "inputs", "why": sentence(why)}
    pair, seconds = Pair(candidate, listed), request["seconds"]
    theirs = read(Path(request["theirs"]), listed.inputs) if request["theirs"] else None
    proved_by = _known(request)
    if theirs is not None:
        proved_by = pair.on_theirs(theirs, proved_by, seconds, progress)
    own = _on_own(pair, goldens, request, progress)
    proved_by = counted(candidate.inputs, goldens, theirs, proved_by)
    return own | {"proved_by": shape.to_json(proved_by)}


def _known(request: Document) -> ProvedBy:
    return shape.from_json(ProvedBy, request["proved_by"], what="the listed version's rows")


def _on_own(pair: Pair, goldens: Goldens, request: Document, progress: Progress) -> Document:
    """Rows that the listed version refuses hide nothing of what is found on its own."""
    try:
        found = pair.measured(goldens, request["seconds"], progress)
    except NotRunError as bad:
        return {"nothing": "not-run", "why": sentence(str(bad)), "broke": "listed"}
    given = [shape.from_json(Side, one, what="a side") for one in request["sides"]]
    return {
        "comparison": shape.to_json(replace(found.comparison, software=_software())),
        "sides": [shape.to_json(one) for one in found.beside(*given)],
    }


def _software() -> dict[str, str]:
    return {"python": platform.python_version(), **installed(SOFTWARE)}


# -------------------------------------------------------------------- each for itself


def answers(request: Document, progress: Progress) -> Document:
    """What one model answers, laid down in a file; its names here, for they may be anything.

    Raises:
        RefusedError: it is not loaded, or does not take the rows.
    """
    progress("alone", 0, 0)
    try:
        model = loaded(Path(request["model"]))
    except NotRunError as bad:
        raise RefusedError("goldens-unfit", f"{bad}.", subject="", next_step="") from bad
    goldens = read(Path(request["goldens"]), model.inputs)
    found = alone(model, goldens, request["seconds"], progress)
    np.savez(request["into"], *[_plain(one) for one in found.values()])
    classes = [str(one) for one in borne(model.metadata).classes]
    return {"outputs": list(found), "classes": classes, "inputs": taken(model).inputs}


def _plain(found: Array) -> Array:
    """Text as NumPy keeps it in a file that holds no objects."""
    return found.astype(str) if found.dtype.kind == "O" else found


def beside(request: Document, progress: Progress) -> Document:
    """What comes of the answers that were laid down, of as many rows as both had time for."""
    progress("comparing", 0, 0)
    said = request["said"]
    goldens = read(Path(request["goldens"]), said["candidate"]["inputs"])
    here, there = (_laid_down(request, name) for name in ("candidate", "listed"))
    done = min(len(one) for both in (here, there) for one in both.values())
    both = {n: one[:done] for n, one in here.items()}, {n: one[:done] for n, one in there.items()}
    names = said["candidate"]["classes"], said["listed"]["classes"]
    total = len(next(iter(goldens.inputs.values())))
    found = on_rows(both, names, goldens.expected, total)
    widths = differences.other_widths(*(_taken(said[name]) for name in ("candidate", "listed")))
    comparison = replace(comparison_of(found, names, widths, None), software=_software())
    return {"found": shape.to_json(found), "comparison": shape.to_json(comparison)}


def _taken(said: Document) -> Taken:
    """What a model takes, as the process that asked it alone said."""
    return Taken({name: (kind, tuple(row)) for name, (kind, row) in said["inputs"].items()})


def _laid_down(request: Document, name: str) -> Mapping[str, Array]:
    with np.load(request["answers"][name], allow_pickle=False) as found:
        arrays = [found[f"arr_{at}"] for at in range(len(found.files))]
    return dict(zip(request["said"][name]["outputs"], arrays, strict=True))


def count(request: Document, progress: Progress) -> Document:
    """How both sets of rows go together."""
    progress("counting", 0, 0)
    candidate = RuntimeModel(Path(request["candidate"])).inputs
    listed = loaded(Path(request["listed"])).inputs
    own, theirs = read(Path(request["own"]), candidate), read(Path(request["theirs"]), listed)
    known: Document = shape.to_json(counted(candidate, own, theirs, _known(request)))
    return known


if __name__ == "__main__":
    serve({"measure": measure, "answers": answers, "beside": beside, "count": count})
