"""The words that every document uses, each with its one spelling (DESIGN section 1 and 8).

The types here are plain strings with a rule attached: `sealift_signing.shape` checks the rule when
a document is read, and writes it into the document's JSON Schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from sealift_signing.errors import MalformedError


@dataclass(frozen=True)
class Spelling:
    """A rule for a string: a regular expression that must match all of it, said in words."""

    pattern: str
    words: str

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is spelled so."""
        return re.fullmatch(self.pattern, text) is not None


@dataclass(frozen=True)
class Between:
    """A rule for an integer: at least `least`, at most `most`."""

    least: int
    most: int = 2**53


_NAME = r"(?=.{1,64}\Z)[a-z0-9]+(?:[._-][a-z0-9]+)*"
_PLAIN_NAME = r"(?=[a-z0-9._-]{1,64}(?:/|\Z))[a-z0-9]+(?:[._-][a-z0-9]+)*"
_VERSION = r"[1-9][0-9]{0,14}"

NAME = Spelling(_NAME, "a name: lower-case letters and digits joined by single . _ or -, up to 64")
SHA256 = Spelling(r"[0-9a-f]{64}", "a SHA-256 digest: 64 lower-case hexadecimal digits")
MOMENT = Spelling(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "a time: RFC 3339, UTC with Z, six digits of microseconds",
)
CATALOG_PATH = Spelling(
    rf"catalog/{_PLAIN_NAME}/{_PLAIN_NAME}/{_VERSION}/{_PLAIN_NAME}",
    "a catalog path: catalog/<team>/<model>/<version>/<hardware target or source>",
)
MODEL = Spelling(rf"{_PLAIN_NAME}/{_PLAIN_NAME}", "a model: <team>/<model>")
MEDIUM_PATH = Spelling(
    r"(?=.{1,512}\Z)[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*",
    "a path on a medium: plain names joined by /, none of them beginning with a dot",
)
PUBLIC_KEY = Spelling(
    r"ed25519:[0-9a-f]{64}|ecdsa-p256:04[0-9a-f]{128}",
    "a public key: ed25519: and 64 hexadecimal digits, or ecdsa-p256: and an uncompressed point",
)
SENTENCE = Spelling(r"(?s).{1,2000}", "text of 1 to 2,000 characters")
DECIMAL = Spelling(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", "a number written as a decimal string"
)

Name = Annotated[str, NAME]
Sha256 = Annotated[str, SHA256]
Moment = Annotated[str, MOMENT]
CatalogPathText = Annotated[str, CATALOG_PATH]
ModelName = Annotated[str, MODEL]
MediumPath = Annotated[str, MEDIUM_PATH]
KeyText = Annotated[str, PUBLIC_KEY]
Sentence = Annotated[str, SENTENCE]
Decimal = Annotated[str, DECIMAL]
VersionNumber = Annotated[int, Between(1, 10**15 - 1)]
Count = Annotated[int, Between(0)]

SOURCE = "source"
"""The last part of a source artifact's catalog path; no hardware target may be called so."""


@dataclass(frozen=True, order=True)
class CatalogPath:
    """`catalog/<team>/<model>/<version>/<form>`; `form` is a hardware target's id or `source`."""

    team: str
    model: str
    version: int
    form: str

    def __str__(self) -> str:
        """The path as TUF and the statements spell it."""
        return f"catalog/{self.team}/{self.model}/{self.version}/{self.form}"

    @property
    def full_model(self) -> str:
        """`team/model`."""
        return f"{self.team}/{self.model}"

    @property
    def full_version(self) -> str:
        """`team/model/version`."""
        return f"{self.team}/{self.model}/{self.version}"

    @property
    def is_source(self) -> bool:
        """Whether this is the artifact as it came, before any conversion."""
        return self.form == SOURCE

    @classmethod
    def parse(cls, text: str) -> CatalogPath:
        """The path that `text` spells.

        Raises:
            MalformedError: any other spelling.
        """
        if not CATALOG_PATH.matches(text):
            raise MalformedError(
                "bad-catalog-path", f"{text!r} is not {CATALOG_PATH.words}.", subject=text
            )
        _, team, model, version, form = text.split("/")
        return cls(team, model, int(version), form)


def moment(when: datetime) -> str:
    """`when` as every document spells a time.

    Raises:
        ValueError: a time without a zone, which would mean something else on another machine.
    """
    if when.tzinfo is None:
        msg = "a time needs its zone"
        raise ValueError(msg)
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant(text: str) -> datetime:
    """The time that `text` spells, in UTC.

    Raises:
        MalformedError: any other spelling, or a day that no calendar has.
    """
    if MOMENT.matches(text):
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        except ValueError:
            pass  # 2026-02-30: spelled right and no day; told below
    raise MalformedError("bad-time", f"{text!r} is not {MOMENT.words}.", subject=text)
