"""Which machine may vouch for what: one rule for the hub, for whoever signs and for a site."""

from __future__ import annotations

from collections.abc import Mapping

from sealift_signing import statements
from sealift_signing.compromised import Compromised, barred, marked
from sealift_signing.documents import FleetKeys, MachineKey
from sealift_signing.public_key import PublicKey
from sealift_signing.roles import FLEET, above
from sealift_signing.statements import Evidence, Signed

REGRESSION = "regression"
"""How a variant differs from the one that is listed for a stage: of that stage it says something,
and of no other."""

EVIDENCE_PURPOSE: Mapping[str, str] = {
    "scan": "scanner",
    "parity": "builder",
    "provenance": "builder",
    "runtimes": "builder",
    REGRESSION: "builder",
}
"""Which purpose a key must have in fleet/keys.json to sign evidence of each kind."""


def sound(fleet: FleetKeys, known: Compromised) -> FleetKeys:
    """`fleet` where each key that it, or a role above it, ever called compromised is, for good."""
    return marked(fleet, barred(known, (FLEET, *above(FLEET))))


def entitled_machine(evidence: Signed[Evidence], fleet: FleetKeys) -> MachineKey | None:
    """The machine of `fleet` that signed `evidence`, and may sign evidence of its kind.

    None where none did: also where the key is called compromised, for then perhaps a thief did, or
    is one that anybody can sign for.

    Raises:
        BadSignatureError: its key bears a wrong signature: somebody forged it.
    """
    kind = evidence.predicate.kind
    for machine in fleet.of(EVIDENCE_PURPOSE.get(kind, "")):
        key = PublicKey.parse(machine.key)
        if key.keyid == evidence.envelope.keyid and not key.fault:
            what = f"the {kind} evidence {evidence.sha256[:12]}"
            statements.verify(evidence, key, what=what)
            return machine
    return None


def says_of(evidence: Evidence, stage: str) -> bool:
    """Whether evidence counts for `stage`: most does for each, and a regression for its own."""
    return evidence.kind != REGRESSION or stage_of(evidence) == stage


def stage_of(evidence: Evidence) -> str | None:
    """The only stage of which evidence says something; None where it says it of each."""
    said = evidence.details
    if evidence.kind != REGRESSION or not isinstance(said, Mapping):
        return None
    stage = said.get("stage")
    return stage if isinstance(stage, str) else None
