"""The words that every document uses, each with its one spelling (docs/explanation/glossary.md).

The types here are plain strings with a rule attached: `sealift_signing.shape` checks the rule when
a document is read, and writes it into the document's JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated

from sealift_signing.errors import MalformedError, RefusedError, shown


@dataclass(frozen=True)
class Spelling:
    """A rule for a string: a regular expression that must match all of it, said in words."""

    pattern: str
    words: str

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is spelled so."""
        return self._expression.fullmatch(text) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.pattern)


@dataclass(frozen=True)
class MomentSpelling(Spelling):
    """A spelling of a time that is also on the calendar: no 30th of February, no 61st second."""

    def matches(self, text: str) -> bool:
        """Whether `text` is such a time."""
        try:
            # Back and forth: some versions of Python read 24:00 as the next day's midnight.
            return super().matches(text) and moment(datetime.fromisoformat(text)) == text
        except (ValueError, OverflowError):
            return False


@dataclass(frozen=True)
class Between:
    """A rule for an integer: at least `least`, at most `most`."""

    least: int
    most: int = 2**53


_TEXT = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_NAME = rf"(?=.{{1,64}}\Z){_TEXT}"
_PLAIN_NAME = rf"(?=[a-z0-9._-]{{1,64}}(?:/|\Z)){_TEXT}"
_VERSION = r"[1-9][0-9]{0,14}"

NAME = Spelling(_NAME, "a name: lower-case letters and digits joined by single . _ or -, up to 64")
SHA256 = Spelling(r"[0-9a-f]{64}", "a SHA-256 digest: 64 lower-case hexadecimal digits")
# Not \d: it matches every script's digits, and a time would have many spellings.
MOMENT = MomentSpelling(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z",
    "a time: RFC 3339, UTC with Z, six digits of microseconds",
)
CATALOG_PATH = Spelling(
    rf"catalog/{_PLAIN_NAME}/{_PLAIN_NAME}/{_VERSION}/{_PLAIN_NAME}",
    "a catalog path: catalog/<team>/<model>/<version>/<hardware target or source>",
)
ROLE = Spelling(
    rf"root|timestamp|snapshot|targets|fleet|recall|(?:team|catalog|site)\.{_PLAIN_NAME}",
    "a role: one of our layout, such as snapshot or team.<team>",
)
ROLE_KIND = Spelling(
    "root|timestamp|snapshot|targets|fleet|recall|team|catalog|site",
    "a kind of role: a role without its name, such as snapshot or team",
)
TRANSFER_ID = Spelling(
    rf"(?=.{{1,80}}\Z){_TEXT}", "a transfer's id: <site>-000042, spelled as a name, up to 80"
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
# Sentences are shown to people who decide by them: none may rewrite a terminal (control characters
# but for tab and newline) or show its letters in another order (Unicode's bidirectional controls).
_UNSEEN = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069"
LONGEST_SENTENCE = 2000
SENTENCE = Spelling(
    f"[^{_UNSEEN}]{{1,{LONGEST_SENTENCE}}}",
    "text: 1 to 2,000 characters, none of them a control character but tab and newline",
)
PURPOSE = Spelling(
    rf"request|approve:{_PLAIN_NAME}",
    "a purpose: what a person's key may do, request or approve:<stage>",
)
PORTABLE = "portable"
"""The artifact policy of what is converted for everybody, with its parity proven."""
ARTIFACT_POLICY = Spelling(
    f"{PORTABLE}|as is|prebuilt|ahead of time|build at site",
    "an artifact policy: what travels of a model, such as portable or as is",
)
BASE64 = Spelling(r"[A-Za-z0-9+/]+={0,2}", "base64: the standard alphabet, with its padding")
DECIMAL = Spelling(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?",
    "a decimal: a number written as a string, such as 0.5 or 8e-7",
)

Name = Annotated[str, NAME]
Sha256 = Annotated[str, SHA256]
Moment = Annotated[str, MOMENT]
RoleName = Annotated[str, ROLE]
RoleKind = Annotated[str, ROLE_KIND]
TransferId = Annotated[str, TRANSFER_ID]
CatalogPathText = Annotated[str, CATALOG_PATH]
ModelName = Annotated[str, MODEL]
MediumPath = Annotated[str, MEDIUM_PATH]
KeyText = Annotated[str, PUBLIC_KEY]
Sentence = Annotated[str, SENTENCE]
Purpose = Annotated[str, PURPOSE]
ArtifactPolicy = Annotated[str, ARTIFACT_POLICY]
Base64 = Annotated[str, BASE64]
Decimal = Annotated[str, DECIMAL]
VersionNumber = Annotated[int, Between(1, 10**15 - 1)]
Count = Annotated[int, Between(0)]
Days = Annotated[int, Between(1, 36_500)]
"""A span that any calendar can add to a time."""

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
                "bad-catalog-path",
                f"{shown(text)} is not {CATALOG_PATH.words}.",
                subject=text,
                next_step="Write it as in this example: catalog/vision/digits/3/cpu-x86_64",
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
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """The time that `text` spells, in UTC.

    Raises:
        MalformedError: any other spelling, or a day that no calendar has.
    """
    if not MOMENT.matches(text):
        raise MalformedError(
            "bad-time",
            f"{shown(text)} is not {MOMENT.words}.",
            subject=text,
            next_step="Write it as in this example: 2026-11-20T10:00:00.000000Z",
        )
    return datetime.fromisoformat(text)


def later(when: datetime, days: int) -> datetime:
    """So many days after `when`.

    Raises:
        RefusedError: no calendar has that day: a clock, or a date that was given, is far off.
    """
    try:
        return when + timedelta(days=days)
    except OverflowError as bad:
        raise RefusedError(
            "no-such-day",
            f"{days} days after {when.date()} there is no day.",
            subject=str(when.date()),
            next_step="Set the clock of this machine, and run the command again.",
        ) from bad


def site_of(transfer: str) -> str:
    """The site that a transfer is to, by the transfer's id: `plant-7` of `plant-7-000042`."""
    return transfer.rpartition("-")[0]


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: `1 receipt`, `2,000 receipts`; `many` where the plural has no s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """`text` as a document may hold it: controls become spaces, and it is cut at its longest.

    For words that come from elsewhere, such as another program's message.
    """
    plain = visible(text).strip() or "(nothing said)"
    return plain if len(plain) <= LONGEST_SENTENCE else plain[: LONGEST_SENTENCE - 1] + "…"


def visible(text: str, instead: Callable[[str], str] = lambda _: " ") -> str:
    """`text` with a space, or what `instead` says, for all that could rewrite a terminal."""
    return re.sub(f"[{_UNSEEN}\ud800-\udfff]", lambda found: instead(found[0]), text)


def unfit_for_media(name: str) -> str:
    """What keeps a file of that `name` off a medium, in words; empty where nothing does."""
    odd = next((one for one in name if not re.fullmatch(r"[A-Za-z0-9._/-]", one)), "")
    if odd:
        shown = "a space" if odd == " " else visible(odd, lambda one: f"U+{ord(one):04X}")
        return (
            f"{shown} is none of the letters a to z and A to Z, the digits, and . _ - that may be"
        )
    return "" if MEDIUM_PATH.matches(name) else f"it is not {MEDIUM_PATH.words}"
