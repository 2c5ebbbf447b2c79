"""The signed result of a work order: what the machine that ran it vouches for, as a whole.

It lies in a folder: `result.json`, the evidence under `evidence/`, and of a variant that was built
its files under `variant/`; beside them `check-rows`, where the proof left any. The statement names
all of it by digest, so that nothing in the folder can be swapped for a part of another result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from sealift_registry.proof.models import ModelFile
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn
from sealift_signing.errors import RefusedError
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import CatalogPathText, Moment, Name, Sentence, Sha256, sentence

BUILDER = "builder"
"""The purpose of the key that signs a result."""
RESULT = "result.json"
VARIANT = "variant"
CHECK_ROWS = "check-rows"

Outcome = Literal["built", "measured", "refused"]


@dataclass(frozen=True)
class Refusal:
    """Why no variant came of an order, as an error tells it.

    Attributes:
        code: of the error.
        what: happened.
        subject: to which thing; absent where the error names none.
        next_step: what to do now; absent where nothing can be said.
    """

    code: Name
    what: Sentence
    subject: Sentence | None
    next_step: Sentence | None

    @classmethod
    def of(cls, bad: RefusedError) -> Refusal:
        """What `bad` tells."""
        return cls(bad.code, sentence(bad.what), _said(bad.subject), _said(bad.advice))

    def error(self) -> RefusedError:
        """The error to raise where this very machine refused it."""
        subject, next_step = self.subject or "", self.next_step or ""
        return RefusedError(self.code, self.what, subject=subject, next_step=next_step)

    def as_told_by(self, machine: str, artifact: str) -> RefusedError:
        """The error to raise where another machine did: what it says stands between marks."""
        advice = f"{machine} advises: {drawn(self.next_step)}" if self.next_step else ""
        return RefusedError(
            self.code,
            f"{machine} built no variant {artifact}: {drawn(self.what)}",
            subject=artifact,
            next_step=advice,
        )


def _said(text: str) -> str | None:
    return sentence(text) if text else None


@dataclass(frozen=True)
class BuildResult:
    """What came of a work order, which is the subject."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:build-result:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    artifact: CatalogPathText
    goldens: Sha256
    """The sha256 of the rows on which the variant was compared with its source."""
    machine: Name
    """That ran it, by the name that its builder's key has in fleet/keys.json."""
    made: Moment
    """Also of each piece of evidence."""
    outcome: Outcome
    """`built`: a variant; `measured`: the one that was there, anew; `refused`: none came of it."""
    manifest: Sha256 | None
    """Of the variant; absent where none came of it."""
    files: Annotated[tuple[ModelFile, ...], Distinct(by="path")]
    """Of a variant that was built, the model first; they lie under `variant/`."""
    evidence: Annotated[tuple[Sha256, ...], Distinct()]
    """What was found out about the variant, each statement by its envelope's digest."""
    untried: tuple[Sentence, ...]
    """Releases that are promised and were not tried, each with why and what to do."""
    refusal: Refusal | None
    """Absent but where none came of it."""


def evidence_file(digest: str) -> str:
    """Where a piece of evidence lies in the folder."""
    return f"evidence/{digest}.json"


def provenance_details(recipe: Mapping[str, Json], source: str, builder: str) -> dict[str, Json]:
    """What a variant was built from, by which recipe and machine (in the manner of SLSA)."""
    return {"recipe": dict(recipe), "source": source, "builder": builder}
