"""The conditions on evidence that the policy sets before a request may be made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sealift_registry.catalog.catalog import ArtifactRow, Catalog, newest
from sealift_registry.catalog.discards import check_there
from sealift_registry.catalog.reference import VersionRef
from sealift_signing.counting_rules import rule_of
from sealift_signing.documents import FleetKeys
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.evidence import REGRESSION, entitled_machine, says_of
from sealift_signing.policy import Policy
from sealift_signing.statements import Evidence, Measured, Request, Signed
from sealift_signing.vocabulary import PORTABLE


@dataclass(frozen=True)
class ArtifactEvidence:
    """An artifact, and evidence about it, the newest last: a request may name several of a kind."""

    artifact: ArtifactRow
    evidence: Sequence[Signed[Evidence]]

    def of_kind(self, kind: str, stage: str | None = None) -> Signed[Evidence] | None:
        """The newest evidence of this kind, of what counts for `stage` where one is given."""
        return next(reversed(self.all_of(kind, stage)), None)

    def all_of(self, kind: str, stage: str | None = None) -> list[Signed[Evidence]]:
        """All of that, the newest last."""
        of_kind = (one for one in self.evidence if one.predicate.kind == kind)
        return [one for one in of_kind if stage is None or says_of(one.predicate, stage)]

    def measured(self) -> tuple[Measured, ...]:
        """On which machine its parity was measured."""
        parity = self.of_kind("parity")
        if parity is None:
            return ()
        return (Measured(str(self.artifact.path), parity.predicate.machine),)


def vouched(catalog: Catalog, ref: VersionRef, stage: str) -> list[ArtifactEvidence]:
    """Every form of a version with its evidence that counts for `stage`, the source first.

    A variant that was discarded is left out, unless there is no other.

    Raises:
        RefusedError: the source was discarded, or every variant was.
    """
    rows, discarded = catalog.artifacts(ref), catalog.discards(ref)
    gone = [one.path for one in rows if str(one.path) in discarded]
    here = [one for one in rows if one.path not in gone]
    if gone and (len(here) < 2 or gone[0].is_source):  # noqa: PLR2004 - a source and a variant
        check_there(discarded, gone[0])
    return [
        ArtifactEvidence(one, newest(_of_stage(catalog.evidence(one.path), stage))) for one in here
    ]


def check_all_there(catalog: Catalog, ref: VersionRef, found: Sequence[ArtifactEvidence]) -> None:
    """Check that nothing of what a request names was discarded.

    Raises:
        RefusedError: something was.
    """
    discarded = catalog.discards(ref)
    for one in found:
        check_there(discarded, one.artifact.path)


def _of_stage(found: Iterable[Signed[Evidence]], stage: str) -> Iterator[Signed[Evidence]]:
    return (one for one in found if says_of(one.predicate, stage))


def named(catalog: Catalog, request: Signed[Request]) -> list[ArtifactEvidence]:
    """The artifacts that `request` is about, each with the evidence that it names.

    Raises:
        RefusedError: the hub lacks one of them. Whoever approved would sign what nobody showed.
    """
    said = request.predicate
    ref = VersionRef(said.team, said.model, said.version)
    evidence = set(said.evidence)
    found = [
        ArtifactEvidence(row, tuple(e for e in catalog.evidence(row.path) if e.sha256 in evidence))
        for row in catalog.artifacts(ref)
        if request.about(str(row.path), row.sha256)
    ]
    shown = {e.sha256 for one in found for e in one.evidence}
    if len(found) != len(request.subjects) or shown != evidence:
        raise RefusedError(
            "request-unknown-parts",
            f"The request {request.sha256[:12]} names artifacts or evidence that this hub does "
            "not have.",
            subject=request.sha256,
            next_step="Do not approve it; ask again with: sealift promote",
        )
    return found


def check(
    policy: Policy,
    fleet: FleetKeys,
    stage: str,
    ref: VersionRef,
    found: Sequence[ArtifactEvidence],
    goldens: str | None,
    policies: Mapping[str, str],
) -> None:
    """Check the gates of `stage`: every variant has the evidence, and all of it passed.

    Args:
        policy: says which evidence the stage asks for.
        fleet: whose machines may sign evidence.
        stage: the stage.
        ref: the version.
        found: its artifacts, each with the newest evidence about it.
        goldens: the digest of the goldens that count for it now.
        policies: the artifact policy of each artifact that is not portable, by its path.

    Raises:
        NotFoundError: the policy has no such stage, or the version has no variant yet.
        RefusedError: evidence is missing, failed, is of other goldens or not signed by a machine
            of ours; the sentence names artifact and kind.
    """
    rule = rule_of(policy, stage)
    variants = [one for one in found if not one.artifact.path.is_source]
    if not variants:
        raise NotFoundError(
            "no-variant",
            f"{ref} has no variant for any hardware target yet.",
            subject=str(ref),
            next_step=f"Make one with: sealift convert {ref} --for HARDWARE-TARGET",
        )
    for one in variants:
        asked = rule.evidence_of(policies.get(str(one.artifact.path), PORTABLE))
        for kind in dict.fromkeys((*asked, *rule.evidence)):
            # What is not asked of this artifact policy may be missing, but it has not failed.
            if kind in asked or one.of_kind(kind, stage) is not None:
                _check_kind(one, kind, stage)
                _check_signed(one.of_kind(kind, stage), one, kind, fleet)
        _check_goldens(one, goldens)


def without(policy: Policy, stage: str, kind: str) -> Policy:
    """The same, where `stage` does not ask for evidence of this kind."""
    rule = rule_of(policy, stage)
    by_policy = {
        name: tuple(one for one in asked if one != kind)
        for name, asked in (rule.evidence_by_policy or {}).items()
    }
    usual = tuple(one for one in rule.evidence if one != kind)
    rule = replace(rule, evidence=usual, evidence_by_policy=by_policy or None)
    return replace(policy, stages={**policy.stages, stage: rule})


def check_policies(request: Request, known: Mapping[str, str]) -> None:
    """Check that a request says of its artifacts' policies what this hub's hardware targets do.

    Args:
        request: that was signed.
        known: the artifact policy of each artifact of its version that is not portable.

    Raises:
        RefusedError: it calls one something else, by which a stage may ask for less evidence.
    """
    said = request.artifact_policies or {}
    for path in sorted({*said, *known}):
        if said.get(path) != known.get(path):
            raise RefusedError(
                "other-artifact-policy",
                f"The request calls {path} {said.get(path, PORTABLE)}; the hardware target that it "
                f"is for takes what is {known.get(path, PORTABLE)}.",
                subject=path,
                next_step="Ask again with: sealift promote",
            )


def check_all_signed(found: Sequence[ArtifactEvidence], signers: Mapping[str, str]) -> None:
    """Check that a machine of ours signed every piece of evidence, whether it is asked for or not.

    A request names all of it, and whoever approves is shown all of it.

    Args:
        found: artifacts with evidence.
        signers: the machines that signed it, by its sha256.

    Raises:
        RefusedError: one piece is signed by no machine that may sign its kind.
    """
    for one in found:
        for evidence in one.evidence:
            if evidence.sha256 not in signers:
                raise _not_ours(one, evidence.predicate.kind)


def _not_ours(one: ArtifactEvidence, kind: str) -> RefusedError:
    return RefusedError(
        "gate",
        f"The {kind} evidence about {one.artifact.path} is not signed by any machine that may "
        "sign evidence of its kind.",
        subject=str(one.artifact.path),
        next_step="See who may in fleet/keys.json, and check the hub: sealift audit fsck",
    )


def _check_kind(one: ArtifactEvidence, kind: str, stage: str) -> None:
    evidence = one.of_kind(kind, stage)
    if evidence is not None and evidence.predicate.passed:
        return
    failed = [c.words for c in evidence.predicate.failures] if evidence else []
    why = f"failed: {' '.join(failed)}" if evidence else "is missing."
    seen = f"See all of it: sealift show {one.artifact.path.full_version}"
    raise RefusedError(
        "gate",
        f"{stage} asks for {kind} evidence about {one.artifact.path}, and it {why}",
        subject=str(one.artifact.path),
        next_step=seen if evidence else _made_by(one, kind, stage),
    )


def _made_by(one: ArtifactEvidence, kind: str, stage: str) -> str:
    """The command that makes evidence of this kind."""
    if kind != REGRESSION:
        return _convert(one)
    return f"Ask again with: sealift promote {one.artifact.path.full_version} --to {stage}"


def _check_signed(
    evidence: Signed[Evidence] | None, one: ArtifactEvidence, kind: str, fleet: FleetKeys
) -> None:
    """Evidence that no scanner or builder of ours signed must not mislead whoever approves."""
    if evidence is None or entitled_machine(evidence, fleet) is None:
        raise _not_ours(one, kind)


def _check_goldens(one: ArtifactEvidence, goldens: str | None) -> None:
    """Goldens that were replaced since say nothing of the ones that count now."""
    parity = one.of_kind("parity")
    if parity is None or goldens is None or parity.predicate.details.get("goldens") == goldens:
        return
    raise RefusedError(
        "gate",
        f"The parity of {one.artifact.path} was measured on goldens other than those the version "
        "has now.",
        subject=str(one.artifact.path),
        next_step=_convert(one),
    )


def _convert(one: ArtifactEvidence) -> str:
    path = one.artifact.path
    return f"Run: sealift convert {path.full_version} --for {path.form}"
