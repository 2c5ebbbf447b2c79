"""Evidence about a version: what each piece says, and whether a machine of ours signed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.shown.told import Told
from sealift_registry.views.versions import ArtifactView, EvidenceView
from sealift_signing import shape
from sealift_signing.drawing import drawn
from sealift_signing.more_member import mark


def told(ref: VersionRef, forms: Sequence[ArtifactView]) -> Told:
    """All of it, form by form, the newest last."""
    every = [(form, one) for form in forms for one in form.evidence]
    lines = [text for form in forms for text in _lines(form)]
    data = {"version": str(ref), "evidence": [_data(form, one) for form, one in every]}
    return Told(data, lines)


def _lines(form: ArtifactView) -> Iterator[str]:
    yield f"{form.artifact.path}  {form.artifact.sha256[:12]}"
    for one in form.evidence:
        said = one.evidence.predicate
        whose = "" if one.signer else "the hub says "
        words = f"{said.kind}: {said.verdict}, {said.made}, {drawn(said.machine)}, signed by "
        yield f"  {one.evidence.sha256}"
        yield f"    {whose}{words}{one.signer or 'no machine of ours'}"
        yield from (f"      {mark(check):4}  {drawn(check.words)}" for check in said.checks)


def _data(form: ArtifactView, one: EvidenceView) -> dict[str, Any]:
    said = one.evidence.predicate
    return {
        "sha256": one.evidence.sha256,
        "path": str(form.artifact.path),
        "artifact": form.artifact.sha256,
        "kind": said.kind,
        "verdict": said.verdict,
        "machine": said.machine,
        "made": said.made,
        "signer": one.signer,
        "checks": [shape.to_json(check) for check in said.checks],
        "details": dict(said.details),
    }
