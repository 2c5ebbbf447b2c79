"""What one can ask the log for: the same words at the hub, at a site and on a command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sealift_signing.errors import UsageError, shown
from sealift_signing.transparency.entry import Entry, Term
from sealift_signing.vocabulary import moment

KEY = "key"
"""The kind of term that names a key with which something was signed."""


@dataclass(frozen=True)
class Question:
    """Entries that match all that is given; a question that gives nothing asks for every entry.

    Attributes:
        id: the entry's own id.
        type: exactly this type, or, ending in `.*`, every type that begins so (`promotion.*`).
        site: the site it concerns.
        actor: who did it: one of those who did it together, or a key with which it was signed.
        terms: each of these must be among the entry's terms.
        since: at this moment or later, as `sealift_signing.vocabulary.moment` spells it.
        until: before this moment.
    """

    id: str | None = None
    type: str | None = None
    site: str | None = None
    actor: str | None = None
    terms: tuple[Term, ...] = ()
    since: str | None = None
    until: str | None = None


def answers(entry: Entry, question: Question) -> bool:
    """Whether an entry matches by its own words, whatever it was found by."""
    kind, who = question.type or entry.type, question.actor
    is_family = kind.endswith(".*")
    return (
        (entry.type.startswith(kind[:-1]) if is_family else entry.type == kind)
        and question.id in {None, entry.id}
        and question.site in {None, entry.site}
        and (who is None or f", {who}, " in f", {entry.actor}, " or Term(KEY, who) in entry.terms)
        and set(question.terms) <= set(entry.terms)
        and (question.since or "") <= entry.at
        and (question.until is None or entry.at < question.until)
    )


def names(actor: str) -> tuple[str, ...]:
    """Those whom an entry says to have done it together: `anna, ben` names two."""
    return tuple(actor.split(", "))


def day_or_time(text: str) -> str:
    """What a person asks for, a day or a time, as entries spell it; without a zone it is UTC.

    Raises:
        UsageError: neither.
    """
    try:
        when = datetime.fromisoformat(text)
        return moment(when if when.tzinfo else when.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as bad:
        raise UsageError(
            "bad-day",
            f"{shown(text)} is not a day or a time.",
            subject=text,
            next_step="Write 2026-11-20, or 2026-11-20T12:30:00Z.",
        ) from bad
