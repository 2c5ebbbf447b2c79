"""From what a worker found to evidence that a machine's key signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from securesystemslib.signer import Signer

from sealift_signing import statements
from sealift_signing.statements import Check, Evidence, subject
from sealift_signing.vocabulary import CatalogPath


@dataclass(frozen=True)
class Finding:
    """What was found out about an artifact, before it has a name and a signature.

    Attributes:
        kind: `scan`, `parity` or `provenance`.
        checks: what was looked at, in words.
        tools: what looked, each with its version.
        machine: on which machine.
        details: the whole report, as JSON.
    """

    kind: str
    verdict: Literal["pass", "fail"]
    checks: tuple[Check, ...]
    tools: Mapping[str, str]
    machine: str
    details: Any


def sign(
    finding: Finding, organisation: str, path: CatalogPath, sha256: str, signer: Signer, made: str
) -> bytes:
    """The envelope of evidence that says `finding` of the artifact at `path` with this digest."""
    evidence = Evidence(
        format=1,
        requires=(),
        organisation=organisation,
        kind=finding.kind,
        verdict=finding.verdict,
        checks=finding.checks,
        tools=finding.tools,
        machine=finding.machine,
        made=made,
        details=finding.details,
    )
    return statements.sign(evidence, [subject(str(path), sha256)], signer)
