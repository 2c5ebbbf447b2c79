"""What is wrong with a database on PostgreSQL, in words."""

from __future__ import annotations

from dataclasses import dataclass

RESTORE = "Find out who changed it, and compare the database with a backup."


@dataclass(frozen=True)
class Finding:
    """What is not as it should be.

    Attributes:
        what: a sentence.
        where: the table, role, setting or database that it is about.
        advice: what to do about it.
        is_fault: it is not as a hub needs it; else it is for people to know.
    """

    what: str
    where: str
    advice: str
    is_fault: bool = True
