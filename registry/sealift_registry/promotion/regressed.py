"""Whether a candidate was compared with what is listed now, and what is listed now.

Which version is listed may have changed since somebody asked: what was compared before says nothing
of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import ArtifactRow, Catalog
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.promotion.gates import Vouched
from sealift_registry.promotion.standing import Standing
from sealift_registry.regression.listed import Listed
from sealift_registry.regression.report import KIND, RegressionReport, report_of
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.policy import StageRule
from sealift_signing.vocabulary import PORTABLE, CatalogPath

BaseOf = Callable[[CatalogPath], Listed | None]
"""What is listed now, for one stage, of the same model and hardware target as the variant there."""
StandingOf = Callable[[Connection, int], Standing]


def listed_now(
    connection: Connection, standing_of: StandingOf, path: CatalogPath, stage: str
) -> Listed | None:
    """What was listed last for `stage`, of those that still count there; None where nothing is.

    Args:
        connection: of one state of the hub.
        standing_of: how a promotion stands.
        path: of a variant; its model and hardware target count, and not its version.
        stage: for which it is listed.
    """
    found = Catalog(connection).listings(ModelRef(path.team, path.model), path.form, stage)
    return next(_counting(connection, standing_of, found, stage), None)


def listed_beside(
    connection: Connection, standing_of: StandingOf, path: CatalogPath, stage: str
) -> str:
    """What else of the model is or was listed for `stage`, in words; empty where nothing ever was.

    For where nothing is listed for the hardware target of the variant at `path`: to be the first
    there is not to be the first of the model.
    """
    found = Catalog(connection).listings(ModelRef(path.team, path.model), None, stage)
    for one in _counting(connection, standing_of, found, stage):
        path = one.artifact.path
        return f"for {path.form} version {path.version} is listed, and was not compared"
    for row, _ in found:
        return f"version {row.path.version} was listed for {row.path.form}, and counts no more"
    return ""


def _counting(
    connection: Connection,
    standing_of: StandingOf,
    found: Sequence[tuple[ArtifactRow, int]],
    stage: str,
) -> Iterator[Listed]:
    """Those of listed artifacts, each with its promotion's number, that still count."""
    for row, number in found:
        members = Repository(connection).members(row.path.team)
        withdrawn = members.withdrawn if members else ()
        if any(one.covers(row.path, row.sha256, stage) for one in withdrawn):
            continue
        with suppress(RefusedError):  # a promotion that the hub cannot show counts for nothing
            standing = standing_of(connection, number)
            by_path = {one.artifact.path: one for one in standing.vouched}
            if standing.listed and row.path in by_path:
                yield Listed(row, _goldens(by_path[row.path]))


def _goldens(one: Vouched) -> str | None:
    """Those on which an artifact was proved, by the evidence that its request names."""
    parity = one.of_kind("parity")
    details = None if parity is None else parity.predicate.details
    said = details.get("goldens") if isinstance(details, Mapping) else None
    return said if isinstance(said, str) else None


def fresh(found: Sequence[Vouched], goldens: str | None, base_of: BaseOf) -> list[Vouched]:
    """The same, without what was compared with another version than is listed now."""
    return [
        replace(one, evidence=tuple(e for e in one.evidence if e.predicate.kind != KIND))
        if why_stale(one, goldens, base_of)
        else one
        for one in found
    ]


def check(
    rule: StageRule,
    stage: str,
    found: Sequence[Vouched],
    goldens: str | None,
    policies: Mapping[str, str],
    base_of: BaseOf,
) -> None:
    """Check that what the stage asks to be compared was compared with what is listed now.

    Raises:
        RefusedError: it was not.
    """
    for one in found:
        path = one.artifact.path
        if path.is_source or KIND not in rule.evidence_of(policies.get(str(path), PORTABLE)):
            continue
        why = why_stale(one, goldens, base_of)
        if why:
            raise RefusedError(
                "regression-stale",
                f"{stage} asks for {KIND} evidence about {path}, and {why}.",
                subject=str(path),
                next_step=f"Ask again with: sealift promote {path.full_version} --to {stage}",
            )


def stale(found: Sequence[Vouched], goldens: str | None, base_of: BaseOf) -> Iterator[str]:
    """What whoever reads of a promotion should know of its comparisons, in words."""
    for one in found:
        why = why_stale(one, goldens, base_of)
        if why:
            yield f"Of {one.artifact.path}: {why}."


def why_stale(one: Vouched, goldens: str | None, base_of: BaseOf) -> str:
    """Why the comparison of a variant says nothing of today; empty where it does, or is none."""
    evidence, path = one.of_kind(KIND), one.artifact.path
    if evidence is None:
        return ""
    try:
        said = report_of(evidence.predicate)
    except MalformedError:
        return "what its comparison says is not understood"
    if (said.candidate.version, said.candidate.sha256) != (path.version, one.artifact.sha256):
        return "its comparison is one of another artifact"
    base = base_of(path)
    if base is not None and base.artifact.path == path:
        return ""  # it is listed itself, and was compared with what was listed before
    return _other_base(said, base) or _other_goldens(said, goldens)


def _other_base(said: RegressionReport, base: Listed | None) -> str:
    before = said.listed
    if base is None and before is None:
        return ""
    if base is not None and before is not None and before.sha256 == base.artifact.sha256:
        return _other_rows(said, base)
    then = "nothing was listed" if before is None else f"version {before.version} was listed"
    now = "nothing is" if base is None else f"version {base.artifact.path.version} is"
    return f"it was compared when {then}, and now {now}"


def _other_rows(said: RegressionReport, base: Listed) -> str:
    """Of evidence from before it is not asked: it is of the candidate's rows alone, as it was."""
    if said.proved_by is None or said.proved_by.goldens == base.goldens:
        return ""
    version = base.artifact.path.version
    return f"version {version} was approved by other golden rows since"


def _other_goldens(said: RegressionReport, goldens: str | None) -> str:
    return "" if said.goldens == goldens else "it was compared on other goldens than count now"
