"""The evidence that a draft carries: each piece verified, and by which of our machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sealift_signing.acts.material import Material
from sealift_signing.approvals import Rules
from sealift_signing.documents import FleetKeys
from sealift_signing.errors import RefusedError
from sealift_signing.evidence import entitled_machine, says_of, sound
from sealift_signing.organisation import Organisation
from sealift_signing.statements import Evidence, Measured, Signed, Subject
from sealift_signing.vocabulary import PORTABLE, CatalogPath, instant


@dataclass(frozen=True)
class MachineEvidence:
    """A piece of evidence, and the name of the machine of ours that signed it."""

    signed: Signed[Evidence]
    machine: str

    @property
    def predicate(self) -> Evidence:
        """What it says."""
        return self.signed.predicate

    def about(self, subject: Subject) -> bool:
        """Whether it is about that artifact."""
        return self.signed.about(subject.name, subject.sha256)


def carried(
    organisation: Organisation, material: Material, subjects: tuple[Subject, ...]
) -> tuple[MachineEvidence, ...]:
    """All evidence that `material` carries.

    Raises:
        RefusedError: a piece is signed by no machine that may sign its kind, or is about none of
            `subjects`.
    """
    fleet = sound(organisation.fleet_keys(), material.compromised)
    found = []
    for one in material.carried.take(material.carried.of_kind(Evidence)):
        vouched = MachineEvidence(one, _machine(organisation, one, fleet))
        if not any(map(vouched.about, subjects)):
            raise RefusedError(
                "evidence-of-another",
                f"The {one.predicate.kind} evidence {one.sha256[:12]} is about none of these "
                "artifacts.",
                subject=one.sha256,
                next_step="Do not sign it; have it drafted again.",
            )
        found.append(vouched)
    return tuple(found)


def _machine(organisation: Organisation, one: Signed[Evidence], fleet: FleetKeys) -> str:
    machine = entitled_machine(one, fleet)
    if machine is None or one.predicate.organisation != organisation.id:
        raise RefusedError(
            "gate",
            f"The {one.predicate.kind} evidence {one.sha256[:12]} is not signed by any machine "
            "that may sign evidence of its kind.",
            subject=one.sha256,
            next_step="See who may in fleet/keys.json, and check the hub: sealift audit fsck",
        )
    return machine.name


def check_gates(
    rules: Rules,
    subjects: Iterable[Subject],
    evidence: tuple[MachineEvidence, ...],
    policies: Mapping[str, str],
) -> None:
    """Check that every variant has the evidence that the stage asks for, and all of it passed.

    `policies` has the artifact policy of each that is not portable.

    Raises:
        RefusedError: one has not.
    """
    for about in subjects:
        if CatalogPath.parse(about.name).is_source:
            continue
        asked = rules.rule.evidence_of(policies.get(about.name, PORTABLE))
        for kind in dict.fromkeys((*asked, *rules.rule.evidence)):
            found = [
                one.predicate
                for one in evidence
                if one.predicate.kind == kind
                and says_of(one.predicate, rules.stage)
                and one.about(about)
            ]
            failed = not all(one.passed for one in found)
            # What is not asked of this artifact policy may be missing, but it has not failed.
            if failed or (kind in asked and not found):
                raise RefusedError(
                    "gate",
                    f"{rules.stage} asks for {kind} evidence about {about.name}, and it "
                    f"{'failed' if failed else 'is missing'}.",
                    subject=about.name,
                    next_step="See all of it: sealift show "
                    f"{CatalogPath.parse(about.name).full_version}",
                )


def measured(
    subjects: Iterable[Subject], evidence: Iterable[MachineEvidence]
) -> Iterator[Measured]:
    """On which machine the parity of each artifact was measured last."""
    found = tuple(evidence)
    for about in sorted(subjects, key=lambda one: one.name):
        parities = [
            one.predicate for one in found if one.predicate.kind == "parity" and one.about(about)
        ]
        if parities:
            newest = max(parities, key=lambda one: instant(one.made))
            yield Measured(about.name, newest.machine)
