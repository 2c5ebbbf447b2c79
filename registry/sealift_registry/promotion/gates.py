"""The conditions on evidence that the policy sets before a request may be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealift_registry.catalog.catalog import ArtifactRow, Catalog, latest
from sealift_registry.catalog.reference import VersionRef
from sealift_signing.documents import Policy
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.statements import Evidence, Measured, Signed


@dataclass(frozen=True)
class Vouched:
    """An artifact, and the newest evidence of each kind about it."""

    artifact: ArtifactRow
    evidence: Sequence[Signed[Evidence]]

    def of_kind(self, kind: str) -> Signed[Evidence] | None:
        """The newest evidence of this kind."""
        return next((one for one in self.evidence if one.predicate.kind == kind), None)

    def measured(self) -> tuple[Measured, ...]:
        """On which machine its parity was measured."""
        parity = self.of_kind("parity")
        if parity is None:
            return ()
        return (Measured(str(self.artifact.path), parity.predicate.machine),)


def vouched(catalog: Catalog, ref: VersionRef) -> list[Vouched]:
    """Every form of a version with its evidence, the source artifact first."""
    return [
        Vouched(one, tuple(latest(catalog.evidence(one.path)).values()))
        for one in catalog.artifacts(ref)
    ]


def check(policy: Policy, stage: str, ref: VersionRef, found: Sequence[Vouched]) -> None:
    """Check the gates of `stage`: every variant has the evidence, and all of it passed.

    Raises:
        NotFoundError: the policy has no such stage, or the version has no variant yet.
        RefusedError: evidence is missing or failed; the sentence names artifact and kind.
    """
    rule = policy.stages.get(stage)
    if rule is None:
        raise NotFoundError(
            "no-stage",
            f"The policy has no stage {stage}.",
            subject=stage,
            next_step=f"Its stages are: {', '.join(sorted(policy.stages))}.",
        )
    variants = [one for one in found if not one.artifact.path.is_source]
    if not variants:
        raise NotFoundError(
            "no-variant",
            f"{ref} has no variant for any hardware target yet.",
            subject=str(ref),
            next_step=f"Make one with: sealift convert {ref} --for HARDWARE-TARGET",
        )
    for one in variants:
        for kind in rule.evidence:
            _check_kind(one, kind, stage)


def _check_kind(one: Vouched, kind: str, stage: str) -> None:
    evidence = one.of_kind(kind)
    if evidence is not None and evidence.predicate.verdict == "pass":
        return
    failed = [c.words for c in evidence.predicate.checks if c.verdict == "fail"] if evidence else []
    why = f"failed: {' '.join(failed)}" if evidence else "is missing"
    raise RefusedError(
        "gate",
        f"{stage} asks for {kind} evidence about {one.artifact.path}, and it {why}.",
        subject=str(one.artifact.path),
        next_step=f"Run: sealift convert {one.artifact.path.full_version} "
        f"--for {one.artifact.path.form}",
    )
