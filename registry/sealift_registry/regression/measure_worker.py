"""The process in which a candidate and a listed version answer the same rows."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.proof.goldens import Goldens, read
from sealift_registry.regression import comparing
from sealift_registry.regression.measuring import NotRunError, Pair, loaded, taken, warm
from sealift_registry.regression.report import ProvedBy, Side
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.software import installed
from sealift_signing import shape
from sealift_signing.vocabulary import sentence

SOFTWARE = ("numpy", "onnxruntime")
LISTED, OWN = "listed", "own"
"""What it says that it is at, once the candidate has answered, and before its own rows are asked.
"""


def measure(request: Document, progress: Progress) -> Document:
    """Figures of both; or why there is nothing to compare with."""
    progress("candidate", 0, 0)
    candidate = RuntimeModel(Path(request["candidate"]))
    goldens = read(Path(request["goldens"]), candidate.inputs)
    warm(candidate, goldens.inputs)
    progress(LISTED, 0, 0)
    try:
        listed = loaded(Path(request["listed"]))
    except NotRunError as bad:
        return {"nothing": "not-run", "why": sentence(str(bad))}
    why = comparing.other_inputs(taken(candidate), taken(listed))
    if why:
        return {"nothing": "inputs", "why": sentence(why)}
    pair, seconds = Pair(candidate, listed), request["seconds"]
    theirs = read(Path(request["theirs"]), listed.inputs) if request["theirs"] else None
    known = shape.from_json(ProvedBy, request["proved_by"], what="the listed one's rows")
    proved_by = pair.on_theirs(goldens, theirs, known, seconds, progress)
    own = _on_own(pair, goldens, request, progress) if request["own"] else {"nothing": "broke-down"}
    return own | {"proved_by": shape.to_json(proved_by)}


def _on_own(pair: Pair, goldens: Goldens, request: Document, progress: Progress) -> Document:
    """Rows that the listed version refuses hide nothing of what is found on its own."""
    progress(OWN, 0, 0)
    try:
        found = pair.measured(goldens, request["seconds"], progress)
    except NotRunError as bad:
        return {"nothing": "not-run", "why": sentence(str(bad))}
    given = [shape.from_json(Side, one, what="a side") for one in request["sides"]]
    software = {"python": platform.python_version(), **installed(SOFTWARE)}
    return {
        "comparison": shape.to_json(replace(found.comparison, software=software)),
        "sides": [shape.to_json(one) for one in found.beside(*given)],
    }


if __name__ == "__main__":
    serve({"measure": measure})
