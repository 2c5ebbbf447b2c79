"""Whether a candidate was compared with what is listed now, and what is listed now.

Which version is listed may have changed since somebody asked: what was compared before says nothing
of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import ArtifactRow, Catalog
from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.promotion.gates import ArtifactEvidence
from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.regression.breakdowns import no_answer
from sealift_registry.regression.listed_variant import ListedVariant
from sealift_registry.regression.regression_report import (
    KIND,
    Lapse,
    NoMore,
    RegressionReport,
    report_of,
)
from sealift_registry.trust.repository import Repository
from sealift_signing.drawing import drawn
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.evidence import says_of
from sealift_signing.more_member import LOOK, TOLD_FIRST
from sealift_signing.policy import StageRule
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import PORTABLE, CatalogPath

BaseOf = Callable[[CatalogPath], ListedVariant | None]
"""What is listed now, for one stage, of the same model and hardware target as the variant there."""
NewestOf = Callable[[CatalogPath], Signed[Evidence] | None]
"""The newest comparison of the variant there for that stage that a machine of ours signed."""
StatusOf = Callable[[Connection, int], PromotionStatus]


@dataclass(frozen=True)
class CurrentListing:
    """What holds now: a comparison that says of something else is old.

    Attributes:
        stage: for which something is listed.
        goldens: the digest of those that count for the version.
        base_of: what is listed.
        newest_of: what was compared last; whoever asks may name another, or none.
    """

    stage: str
    goldens: str | None
    base_of: BaseOf
    newest_of: NewestOf


def current_listing(
    connection: Connection, status_of: StatusOf, ref: VersionRef, stage: str
) -> CurrentListing:
    """What holds for the version `ref` and `stage` in one state of the hub."""
    catalog, repository = Catalog(connection), Repository(connection)

    def newest_of(path: CatalogPath) -> Signed[Evidence] | None:
        of_stage = (
            one
            for one in reversed(catalog.evidence(path))
            if one.predicate.kind == KIND and says_of(one.predicate, stage)
        )
        return next((one for one in of_stage if repository.signer_of(one) is not None), None)

    def base_of(path: CatalogPath) -> ListedVariant | None:
        return listed_now(connection, status_of, path, stage)

    return CurrentListing(stage, catalog.goldens(ref), base_of, newest_of)


def listed_now(
    connection: Connection, status_of: StatusOf, path: CatalogPath, stage: str
) -> ListedVariant | None:
    """What was listed last for `stage`, of those that still count there; None where nothing is.

    Args:
        connection: of one state of the hub.
        status_of: how a promotion stands.
        path: of a variant; its model and hardware target count, and not its version.
        stage: for which it is listed.
    """
    found = Catalog(connection).listings(ModelRef(path.team, path.model), path.form, stage)
    gone: dict[int, NoMore] = {}
    for row, number in found:
        one = _judged(connection, status_of, row, number, stage)
        if isinstance(one, ListedVariant):
            since = (lost for lost in gone.values() if lost.version != row.path.version)
            return replace(one, no_more=tuple(since))
        gone.setdefault(one.version, one)
    return None


def listed_beside(
    connection: Connection, status_of: StatusOf, path: CatalogPath, stage: str
) -> str:
    """What else of the model is or was listed for `stage`, in words; empty where nothing ever was.

    For where nothing is listed for the hardware target of the variant at `path`: to be the first
    there is not to be the first of the model.
    """
    found = Catalog(connection).listings(ModelRef(path.team, path.model), None, stage)
    for one in _counting(connection, status_of, found, stage):
        path = one.artifact.path
        return f"for {path.form} version {path.version} is listed, and was not compared"
    for row, _ in found:
        return f"version {row.path.version} was listed for {row.path.form}, and no longer counts"
    return ""


def _counting(
    connection: Connection,
    status_of: StatusOf,
    found: Sequence[tuple[ArtifactRow, int]],
    stage: str,
) -> Iterator[ListedVariant]:
    """Those of listed artifacts, each with its promotion's number, that still count."""
    judged = (_judged(connection, status_of, row, number, stage) for row, number in found)
    return (one for one in judged if isinstance(one, ListedVariant))


def _judged(
    connection: Connection, status_of: StatusOf, row: ArtifactRow, number: int, stage: str
) -> ListedVariant | NoMore:
    """What was listed by a promotion, if it still counts; else why not."""
    version, gone = row.path.version, _is_withdrawn(connection, row, stage)
    try:
        status = status_of(connection, number)
    except RefusedError:  # a promotion that the hub cannot show counts for nothing
        return NoMore(version, "lost", None)
    found = next((one for one in status.vouched if one.artifact.path == row.path), None)
    goldens = None if found is None else _goldens(found)
    if status.listed and found is not None and not gone:
        return ListedVariant(row, goldens)
    return NoMore(version, "withdrawn" if gone else _why_no_more(status), goldens)


def _is_withdrawn(connection: Connection, row: ArtifactRow, stage: str) -> bool:
    members = Repository(connection).members(row.path.team)
    withdrawn = members.withdrawn if members else ()
    return any(one.covers(row.path, row.sha256, stage) for one in withdrawn)


def _why_no_more(status: PromotionStatus) -> Lapse:
    if status.doubt:
        return "request"
    return "not-listed" if status.tally.enough else "approvals"


def _goldens(one: ArtifactEvidence) -> str | None:
    """Those on which an artifact was proved, by the evidence that its request names."""
    parity = one.of_kind("parity")
    details = None if parity is None else parity.predicate.details
    said = details.get("goldens") if isinstance(details, Mapping) else None
    return said if isinstance(said, str) else None


def fresh(found: Sequence[ArtifactEvidence], held: CurrentListing) -> list[ArtifactEvidence]:
    """The same, without what was compared with another version than is listed now."""
    return [
        replace(one, evidence=tuple(e for e in one.evidence if e.predicate.kind != KIND))
        if why_stale(one, held)
        else one
        for one in found
    ]


def check(
    rule: StageRule,
    found: Sequence[ArtifactEvidence],
    policies: Mapping[str, str],
    held: CurrentListing,
) -> None:
    """Check that what the stage asks to be compared was compared with what is listed now.

    Raises:
        RefusedError: it was not.
    """
    for one in found:
        path = one.artifact.path
        if path.is_source or KIND not in rule.evidence_of(policies.get(str(path), PORTABLE)):
            continue
        why = why_stale(one, held)
        if why:
            raise RefusedError(
                "regression-stale",
                f"{held.stage} asks for {KIND} evidence about {path}, and {why}.",
                subject=str(path),
                next_step=f"Ask again with: sealift promote {path.full_version} --to {held.stage}",
            )
        _check_answer(one, held)


def _check_answer(one: ArtifactEvidence, held: CurrentListing) -> None:
    """Check that nothing was left uncompared that may be the candidate's own doing."""
    path, stage = one.artifact.path, held.stage
    evidence, base = one.of_kind(KIND, stage), held.base_of(path)
    if evidence is None or (base is not None and base.artifact.path == path):
        return
    why = no_answer(report_of(evidence.predicate))
    if why:
        raise RefusedError(
            "regression-no-answer",
            f"{stage} asks for {KIND} evidence about {path}, and that is not an answer: {why}.",
            subject=str(path),
            next_step=f"Read what broke down with: sealift show {path.full_version}; mend the "
            "model, or where the machine was at fault ask again with: "
            f"sealift promote {path.full_version} --to {stage}",
        )


def stale_lines(connection: Connection, status_of: StatusOf, status: PromotionStatus) -> list[str]:
    """What is told first of the comparisons of a promotion; nothing of one that is listed."""
    if status.listed:
        return []
    made = status.promotion
    held = current_listing(connection, status_of, made.ref, made.stage)
    return list(stale(status.vouched, held))


def stale(found: Sequence[ArtifactEvidence], held: CurrentListing) -> Iterator[str]:
    """The lines that whoever reads of a promotion should read of its comparisons before all else.

    Nobody but the hub can tell: what its request does not name is in no draft.
    """
    for one in found:
        why = (why_stale(one, held), _several(one, held.stage))
        for words in filter(None, why):
            told = drawn(f"Of {one.artifact.path}: {words}.")
            again = f"sealift promote {one.artifact.path.full_version} --to {held.stage}"
            yield f"{LOOK}. {told} To see what changes now, ask again: {again}"


def _several(one: ArtifactEvidence, stage: str) -> str:
    count = len(one.all_of(KIND, stage))
    return f"its request names {count} COMPARISONS, and the newest counts" if count > 1 else ""


def why_stale(one: ArtifactEvidence, held: CurrentListing) -> str:
    """Why what is named of a variant's comparisons says nothing of today; empty where it does.

    Whoever asks chooses what is named: to leave a comparison out says as little as an old one.
    """
    path, named = one.artifact.path, one.of_kind(KIND, held.stage)
    if path.is_source:
        return ""
    base, newest = held.base_of(path), held.newest_of(path)
    if named is None:
        return "; ".join(filter(None, (_not_compared(one, base, held.stage), _unnamed(newest))))
    newer = newest is not None and newest.predicate.made > named.predicate.made
    why = "a NEWER comparison exists and is not named" if newer else ""
    return "; ".join(filter(None, (why, _why_old(named, one.artifact, base, held.goldens))))


def _not_compared(one: ArtifactEvidence, base: ListedVariant | None, stage: str) -> str:
    if base is None:
        return ""
    if base.artifact.path != one.artifact.path:
        version = base.artifact.path.version
        return f"it was NOT COMPARED with version {version}, which is listed for {stage}"
    same = base.goldens == _goldens(one)
    return "" if same else "its golden rows DIFFER FROM those by which it was approved"


def _unnamed(newest: Signed[Evidence] | None) -> str:
    """What tells nobody anything first is missed by nobody."""
    loud = newest is not None and any(c.name == TOLD_FIRST for c in newest.predicate.checks)
    return "a comparison exists and is NOT NAMED" if loud else ""


def _why_old(
    named: Signed[Evidence], artifact: ArtifactRow, base: ListedVariant | None, goldens: str | None
) -> str:
    try:
        said = report_of(named.predicate)
    except MalformedError:
        return "what its comparison says is not understood"
    if (said.candidate.version, said.candidate.sha256) != (artifact.path.version, artifact.sha256):
        return "its comparison is one of another artifact"
    if base is not None and base.artifact.path == artifact.path:
        # It is listed itself, and was compared with what was listed before.
        return _other_goldens(said, goldens)
    return _other_base(said, base) or _other_goldens(said, goldens)


def _other_base(said: RegressionReport, base: ListedVariant | None) -> str:
    before = said.listed
    if base is None and before is None:
        return ""
    if base is not None and before is not None and before.sha256 == base.artifact.sha256:
        return _other_rows(said, base)
    then = "nothing was listed" if before is None else f"version {before.version} was listed"
    now = "nothing is" if base is None else f"version {base.artifact.path.version} is"
    return f"it was compared when {then}, and now {now}"


def _other_rows(said: RegressionReport, base: ListedVariant) -> str:
    version = base.artifact.path.version
    if said.proved_by is None:  # from before both sets of rows were asked
        return f"it was compared with version {version} on its own golden rows alone"
    if said.proved_by.goldens != base.goldens:
        return f"version {version} was approved by other golden rows since"
    told = {one.version for one in said.no_more or ()}
    since = [one.version for one in base.no_more if one.version not in told]
    return f"version {since[0]} was listed since, and no longer counts" if since else ""


def _other_goldens(said: RegressionReport, goldens: str | None) -> str:
    return "" if said.goldens == goldens else "it was compared on goldens that no longer count"
