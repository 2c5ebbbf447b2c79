"""Clocks that are wrong, found out before anything is signed by them.

A clock proves nothing by itself. What was signed before shows that it is later than that, and no
honest clock is earlier than this software. Pure: two times in, a sentence out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import moment

SKEW = timedelta(days=1)
"""How far two honest clocks may be apart: one that goes by another zone is hours off, not days."""
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""Before the first release: a clock that says less lost its battery, or was never set."""
LONGEST_SILENCE = timedelta(days=400)
"""After so long without an entry no approval counts any more, and no role but root's."""


class ClockError(RefusedError):
    """The clock of a machine cannot be right."""


def is_possible(when: datetime) -> bool:
    """Whether an honest clock can ever have said so."""
    return when >= EARLIEST


def check_possible(now: datetime) -> None:
    """Check that the clock of this machine was ever set.

    Raises:
        ClockError: it was not.
    """
    if not is_possible(now):
        raise ClockError(
            "clock-not-set",
            f"The clock of this machine says {_day(now)}, which is before Sealift was made.",
            subject=moment(now),
            next_step="Set the clock, and run the command again. Nothing was signed.",
        )


def check_follows(now: datetime, newest: datetime, stated: date | None) -> None:
    """Check that the clock goes on from `newest`, when the log's last entry was made.

    Args:
        now: by the clock of this machine.
        newest: by the same clock, or by what it was then.
        stated: the date that a person has from elsewhere, where they gave one: by that it is known
            which of the two was wrong.

    Raises:
        ClockError: it does not, and nobody has said that it is right.
    """
    check_possible(now)
    if stated is not None:
        check_stated(now, stated)
        return
    if newest - now > SKEW:
        raise _unlikely(now, newest, "clock-behind", f"{_days(newest - now)} later")
    if now - newest > LONGEST_SILENCE:
        raise _unlikely(now, newest, "clock-ahead", f"{_days(now - newest)} before")


def check_goes_on(now: datetime, expected: datetime) -> None:
    """Check that nobody set the clock of a machine while a process ran on it.

    Args:
        now: by that clock.
        expected: what it said when the process began, and as much later as that is ago.

    Raises:
        ClockError: the two are more than a day apart.
    """
    if abs(now - expected) > SKEW:
        raise ClockError(
            "clock-stepped",
            f"The clock of this machine says {moment(now)[:16]}, and by how long the server has "
            f"run it would be {moment(expected)[:16]}.",
            subject=moment(now),
            next_step="Nothing was signed. Look at another clock. If this machine's is wrong, set "
            "it, and the server goes on. If it is right, start the server anew.",
        )


def check_stated(now: datetime, stated: date) -> None:
    """Check the clock against a date that a person has from elsewhere.

    Raises:
        ClockError: the two are more than a day apart.
    """
    if abs(now.date() - stated) > SKEW:
        raise ClockError(
            "clock-not-today",
            f"The clock of this machine says {_day(now)}, and you say that it is {stated}.",
            subject=moment(now),
            next_step="Set the clock, and run the command again; a date alone sets none.",
        )


def _unlikely(now: datetime, newest: datetime, code: str, apart: str) -> ClockError:
    return ClockError(
        code,
        f"The clock of this machine says {moment(now)[:16]}, and the newest entry of this hub's "
        f"log was made {apart}, at {moment(newest)[:16]}.",
        subject=moment(now),
        next_step="Nothing was signed. Look at another clock. If this machine's is wrong, set "
        f"it. If it is right, say so once, with the date: sealift --today {_day(now)} COMMAND",
    )


def _days(span: timedelta) -> str:
    return "1 day" if span.days == 1 else f"{span.days} days"


def _day(when: datetime) -> str:
    return moment(when)[:10]


def after_expiry(expires: datetime) -> str:
    """The next step at a site where a signature expired: which clock it may have been."""
    if is_possible(expires):
        return (
            "Carry a newer bundle; what is installed keeps running. If this one is new, a clock "
            "is wrong: the hub's, or that of this machine."
        )
    return (
        "The clock of whoever signed it was wrong: have it set, and a bundle exported again; what "
        "is installed keeps running."
    )
