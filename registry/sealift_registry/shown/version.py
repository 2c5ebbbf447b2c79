"""A version as it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sealift_registry.catalog.discards import Discard
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.proof.proof_report import NamedCheckRows
from sealift_registry.regression import comparison_words
from sealift_registry.regression.regression_report import KIND
from sealift_registry.shown.promotion import first_of, status_data
from sealift_registry.views.versions import ArtifactView, EvidenceView, Left, RunsAt, VersionView
from sealift_signing.drawing import drawn, word
from sealift_signing.more_member import mark, more_of, more_words
from sealift_signing.vocabulary import counted


def version_lines(view: VersionView) -> list[str]:
    """All about a version, in words."""
    version, goldens = view.version, view.goldens
    ref, locator = version.ref, view.source["locator"]
    return [
        *(text for one in view.artifacts for text in first_of(one.artifact.path, one.first)),
        f"{ref} ({word(version.source_version)}, {version.format}), taken in {version.made}",
        f"  source         {word(locator)}",
        f"  asked for as   {', '.join(map(word, view.aliases or (locator,)))}",
        f"  source record  {version.source_sha256[:12]}",
        f"  goldens        {goldens[:12] if goldens else 'none yet'}",
        *(text for one in view.artifacts for text in _artifact_lines(view, one)),
        *_promotion_lines(view),
        *(map(_runs_line, view.runs) if view.runs else ["  runs nowhere that has reported"]),
    ]


def _artifact_lines(view: VersionView, one: ArtifactView) -> Iterator[str]:
    yield ""
    yield f"  {one.artifact.path}  {one.artifact.sha256[:12]}"
    if one.discard is not None:
        yield f"    {one.discard.done}"
    for evidence in one.evidence:
        said = evidence.evidence.predicate
        whose = "" if evidence.signer else "the hub says "
        words = f"{said.kind}: {said.verdict}, {said.made}, {drawn(said.machine)}, signed by "
        yield f"    {whose}{words}{evidence.signer or 'no machine of ours'}"
        yield from (f"      {text}" for text in _evidence_lines(view, evidence))


def _evidence_lines(view: VersionView, one: EvidenceView) -> Iterator[str]:
    said = one.evidence.predicate
    if said.kind == "parity":
        yield from (f"{mark(check):4}  {drawn(check.words)}" for check in said.checks)
        yield from left_lines(view.version.ref, one.left, travel=view.check_rows_travel)
    if said.kind == KIND:
        yield from (f"{mark(check):4}  {drawn(check.words)}" for check in said.checks[:1])
        yield from comparison_words.shown(said)
    yield from more_words(more_of(said.details))


def left_lines(ref: VersionRef, left: Left, *, travel: bool) -> Iterator[str]:
    """What a proof left at the hub: its picture, and its check rows."""
    if left.picture:
        yield f"its picture:  sealift show {ref} --pictures FOLDER"
    if left.check_rows is not None:
        yield _check_rows_line(left.check_rows, travel=travel, lost=left.rows_lost)


def _check_rows_line(named: NamedCheckRows, *, travel: bool, lost: bool) -> str:
    """How many check rows a proof left, and whether their team lets them leave the hub."""
    verb = ("travel" if travel else "stay") + ("s" if named.rows == 1 else "")
    where = f"which {verb} {'with the variant' if travel else 'at the hub'}"
    missing = "; their file is MISSING here" if lost else ""
    return f"{counted(named.rows, 'check row')}, {where}{missing}"


def _promotion_lines(view: VersionView) -> Iterator[str]:
    if view.promotions:
        yield ""
    if view.older_promotions:
        number = counted(view.older_promotions, "older promotion")
        older = f"  {number}:  sealift list promotions"
        yield f"{older} --model {view.version.ref.of}"
    for status in view.promotions:
        have, need = len(status.tally.counted), status.tally.needed
        state = "listed" if status.listed else "not listed"
        made = status.promotion
        yield f"  {made.id} to {made.stage}: {have} of {need}, {state}"


def _runs_line(one: RunsAt) -> str:
    where = f"{one.site}/{one.group}"
    return f"  runs at {where} since {one.since}, by the site's log as of {one.as_of}"


def version_data(view: VersionView) -> dict[str, Any]:
    """All about a version, for machines."""
    version = view.version
    return {
        "version": str(version.ref),
        "source": dict(view.source),
        "source_record": version.source_sha256,
        "format": version.format,
        "aliases": list(view.aliases),
        "goldens": view.goldens,
        "artifacts": [
            {
                "path": str(one.artifact.path),
                "sha256": one.artifact.sha256,
                "check_rows": one.check_rows,
                "told_first": list(one.first),
                "discarded": None if one.discard is None else _discard_data(one.discard),
            }
            for one in view.artifacts
        ],
        "check_rows_travel": view.check_rows_travel,
        "promotions": [status_data(status) for status in view.promotions],
        "older_promotions": view.older_promotions,
        "running": [
            {"site": one.site, "group": one.group, "since": one.since, "as_of": one.as_of}
            for one in view.runs
        ],
    }


def _discard_data(one: Discard) -> dict[str, Any]:
    return {"by": one.by, "at": one.at, "reason": one.reason}
