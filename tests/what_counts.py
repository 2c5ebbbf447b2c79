"""The table of docs/explanation/people-who-leave.md, as tests at a site and at the hub read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sealift_signing.documents import Person, StillCounts

PAGE = Path(__file__).parents[1] / "docs/explanation/people-who-leave.md"
UNTIL = "2030-01-01T00:00:00.000000Z"

ROWS = ("requested", "approved by one", "listed", "exported", "installed")
WORDS = ("retired", "retired, without a list", "compromised")


@dataclass(frozen=True)
class Case:
    """A column: whose key it is about, and what is said of it."""

    who: str
    word: str

    @property
    def person(self) -> str:
        """Whoever it is about: each case has somebody of its own."""
        return f"{self.who}-{WORDS.index(self.word)}"

    def said_of(self, person: Person, *signed: str) -> Person:
        """The person, once the word fell; `signed` is what the key signed before."""
        if self.word == "compromised":
            return replace(person, status="compromised")
        if self.word != "retired":
            return replace(person, status="retired")
        listed = tuple(StillCounts(one, UNTIL) for one in sorted(signed))
        keys = (replace(key, status="retired", counts=listed) for key in person.keys)
        return replace(person, status="retired", keys=tuple(keys))


CASES = tuple(Case(who, word) for word in WORDS for who in ("requester", "approver"))


def table() -> Mapping[tuple[str, Case], str]:
    """What the page says of each moment and case."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|")
    ]
    (_, *heads), _, *rows = lines
    cases = [Case(*head.split(" ", 1)) for head in heads]
    assert tuple(cases) == CASES
    assert tuple(name for name, *_ in rows) == ROWS
    return {
        (name, case): said for name, *cells in rows for case, said in zip(cases, cells, strict=True)
    }
