"""One record of the log: what happened, when, by whom, and the words it can be found by.

The canonical bytes of an entry are what the log stores and hashes; they are never re-serialised.
`type`, `site`, `at`, `actor`, `id` and `terms` are also kept as columns to be searched, and fsck
derives them again from the bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from sealift_signing import canonical, shape
from sealift_signing.canonical import Json
from sealift_signing.errors import RefusedError
from sealift_signing.shape import Distinct, Opaque
from sealift_signing.vocabulary import Moment, Name, Sentence, Spelling, moment

LARGEST_BODY = 64 * 1024
"""Bytes. Larger things are blobs, and the entry holds their digest."""

ENTRY_ID = Spelling(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "an entry's id: a UUID of version 7, in lower case",
)
ENTRY_TYPE = Spelling(
    r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)+",
    "an entry's type: lower-case words joined by dots, such as promotion.requested",
)
EntryId = Annotated[str, ENTRY_ID]
EntryType = Annotated[str, ENTRY_TYPE]


@dataclass(frozen=True)
class Term:
    """A word to find an entry by: `kind` is person, model, medium …, and `value` which one."""

    kind: Name
    value: Sentence


@dataclass(frozen=True)
class Entry:
    """What happened; `docs/reference/formats.md` shows one.

    Attributes:
        id: a UUIDv7; the handle to look an entry up by after an unclear answer.
        at: when it happened, by the clock of the machine that records it.
        type: what happened, such as `promotion.requested`.
        actor: the person, role or program that did it.
        site: the site it concerns, if any.
        terms: what else it concerns.
        data: the particulars; each type has its own members.
    """

    DOCUMENT: ClassVar[str] = "entry"

    format: Literal[1]
    requires: tuple[str, ...]
    id: EntryId
    at: Moment
    type: EntryType
    actor: Sentence
    site: Name | None
    terms: Annotated[tuple[Term, ...], Distinct()]
    data: Opaque


def new_entry(
    type: str,  # noqa: A002 - the word of the glossary
    actor: str,
    at: datetime,
    data: Mapping[str, Json],
    terms: Iterable[Term] = (),
    site: str | None = None,
) -> Entry:
    """An entry with a fresh id. `at` needs its time zone; a term given twice is kept once."""
    kept = tuple(dict.fromkeys(terms))
    return Entry(1, (), uuid7(at), moment(at), type, actor, site, kept, data)


def body_of(entry: Entry) -> bytes:
    """The bytes that the log stores and hashes.

    Raises:
        MalformedError: a member is not spelled as the type says.
        RefusedError: the entry is larger than `LARGEST_BODY`.
    """
    members = shape.to_json(entry)
    shape.from_json(Entry, members, what="a log entry")  # a dataclass checks nothing by itself
    body = canonical.encode(members)
    _check_size(body, f"The log entry {entry.type}", entry.id)
    return body


def read_entry(body: bytes) -> Entry:
    """The entry that `body` holds.

    Raises:
        MalformedError: it is not the canonical bytes of an entry.
        RefusedError: it is larger than `LARGEST_BODY`, or needs a newer version of this software.
    """
    _check_size(body, "A log entry", "")
    return shape.read(Entry, body, what="a log entry")


def _check_size(body: bytes, what: str, subject: str) -> None:
    if len(body) > LARGEST_BODY:
        raise RefusedError(
            "entry-too-large",
            f"{what} has {len(body):,} bytes; the most is {LARGEST_BODY:,}.",
            subject=subject,
            next_step="Do it in smaller parts.",
        )


def uuid7(at: datetime) -> str:
    """A UUID of version 7 (RFC 9562 §5.7): milliseconds since 1970 of `at`, then 74 random bits."""
    stamp = int(at.timestamp() * 1000) & (2**48 - 1)
    first, second = secrets.randbits(12), secrets.randbits(62)
    number = stamp << 80 | 7 << 76 | first << 64 | 0b10 << 62 | second
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
