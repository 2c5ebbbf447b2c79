"""What a check of the log says: whether it is as it was committed, and what exactly is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from sealift_signing.errors import SealiftError

MOST_FINDINGS = 1_000
"""More than this tells a reader nothing new, and a verdict must fit into memory."""

UNFINISHED = " could not be checked to the end: "
"""Between what was looked at and why that had no end."""

NOT_CHECKED = "not-checked"
"""The code of a part that nobody could look at, for a reason that nobody thought of."""


class LogFault(NamedTuple):
    """One thing that is wrong: a stable code, a sentence, and the row where it begins, if any."""

    code: str
    sentence: str
    seq: int | None


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check.

    Attributes:
        size: how many rows there are.
        root: the root over their content, as it is now.
        findings: what is wrong, at most `MOST_FINDINGS` and a last one that says there are more.
    """

    size: int
    root: bytes
    findings: tuple[LogFault, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it was committed and signed."""
        return not self.findings

    def joined(self, findings: Iterable[LogFault]) -> Verdict:
        """This verdict with more findings, which are not drawn further than they are kept."""
        room = MOST_FINDINGS - len(self.findings)
        if room < 0:
            return self
        more = list(islice(findings, room + 1))
        if len(more) > room:
            more[room:] = [LogFault("more", "There are more findings than are shown here.", None)]
        return replace(self, findings=(*self.findings, *more))


def apart(part: str, findings: Iterable[LogFault]) -> Iterator[LogFault]:
    """What is found of one part of a check, so that no other depends on how this one ends.

    A check that cannot be made to its end is itself a finding: what nobody looked at is not whole.

    Args:
        part: what is looked at, as a sentence can begin with it.
        findings: what is found of it; it may raise whatever it likes.
    """
    try:
        yield from findings
    except SealiftError as bad:
        yield LogFault(bad.code, f"{part}{UNFINISHED}{bad.what}", None)
    except Exception as bad:  # noqa: BLE001 - whatever lies there, the other parts are looked at
        kind = type(bad).__name__
        yield LogFault(NOT_CHECKED, f"{part}{UNFINISHED}{kind}.", None)
