"""How people name things: `team/model`, `team/model/7`, `P-000001`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sealift_signing.errors import UsageError, shown
from sealift_signing.vocabulary import NAME, SOURCE, CatalogPath


@dataclass(frozen=True, order=True)
class ModelRef:
    """`team/model`."""

    team: str
    model: str

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.team}/{self.model}"

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """The model that `text` names.

        Raises:
            UsageError: it names none.
        """
        team, slash, model = text.partition("/")
        if not (slash and all(NAME.matches(p) and p != SOURCE for p in (team, model))):
            raise UsageError(
                "bad-model",
                f"{shown(text)} does not name a model.",
                subject=text,
                next_step="Write TEAM/MODEL, each lower-case letters and digits joined by . _ or -",
            )
        return cls(team, model)


@dataclass(frozen=True, order=True)
class VersionRef:
    """`team/model/7`."""

    team: str
    model: str
    number: int

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.team}/{self.model}/{self.number}"

    @property
    def of(self) -> ModelRef:
        """The model."""
        return ModelRef(self.team, self.model)

    def path(self, form: str) -> CatalogPath:
        """The catalog path of one form of this version."""
        return CatalogPath(self.team, self.model, self.number, form)

    @classmethod
    def parse(cls, text: str) -> VersionRef:
        """The version that `text` names.

        Raises:
            UsageError: it names none.
        """
        found = re.fullmatch(r"([^/]+/[^/]+)/([1-9][0-9]{0,14})", text)
        if found is None:
            raise UsageError(
                "bad-version",
                f"{shown(text)} does not name a version.",
                subject=text,
                next_step="Write TEAM/MODEL/NUMBER, such as vision/digits/3.",
            )
        model = ModelRef.parse(found[1])
        return cls(model.team, model.model, int(found[2]))


def promotion_id(number: int) -> str:
    """`P-000001`."""
    return f"P-{number:06d}"


def parse_promotion(text: str) -> int:
    """The number of `P-000001`.

    Raises:
        UsageError: another spelling.
    """
    found = re.fullmatch(r"[Pp]-0*([1-9][0-9]{0,14})", text)
    if found is None:
        raise UsageError(
            "bad-promotion",
            f"{shown(text)} does not name a promotion.",
            subject=text,
            next_step="Write P-000001, as `sealift promote` printed it.",
        )
    return int(found[1])
