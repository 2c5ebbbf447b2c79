"""What a document says besides, under `more`: drawn for people, and gone by in nothing.

Receipts, site requests and returns inform. A newer site may say in one of them what this software
has no word for; it is kept as it was signed, and shown. No rule may ever read it: what bears trust
is a feature (`features`), which a reader knows or refuses. Of evidence the same is `more` in its
details.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sealift_signing import canonical
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn, word
from sealift_signing.shape import More
from sealift_signing.statements import Check, Evidence, Signed

MORE = "more"
TOLD_FIRST = "told-first"
"""The check of evidence whose words stand before all others where somebody is to decide."""
LOOK = "LOOK AT THIS FIRST"
"""How a line of them begins."""
MOST_SHOWN = 20
"""Members that are shown to people; all of them are in the document itself, and under `--json`."""
LONGEST_SHOWN = 400
"""Characters of one of them."""


def more_words(more: More | None) -> Iterator[str]:
    """What is said under `more`, a line for each member; of an object of texts one for each."""
    found = [(word(name, LONGEST_SHOWN), said) for name, said in sorted((more or {}).items())]
    told = [line for name, said in found for line in _parts(name, said)]
    for name, said in told[:MOST_SHOWN]:
        text = said if isinstance(said, str) else canonical.encode(said).decode()
        yield f"besides, {name}: {drawn(text, LONGEST_SHOWN)}"
    if len(told) > MOST_SHOWN:
        yield f"besides, {len(told) - MOST_SHOWN} things more"


def _parts(name: str, said: Json) -> list[tuple[str, Json]]:
    """What is under one name: sentences under names of their own are no JSON to people."""
    if isinstance(said, Mapping) and said and all(isinstance(one, str) for one in said.values()):
        return [(f"{name}, {word(of, LONGEST_SHOWN)}", one) for of, one in sorted(said.items())]
    return [(name, said)]


def mark(check: Check) -> str:
    """How a check's words begin where they are shown: what is told first was not passed by it."""
    return "note" if check.name == TOLD_FIRST else check.verdict


def first_words(found: Iterable[Signed[Evidence]]) -> list[str]:
    """What pieces of evidence tell first, as it stands there: whoever prints it draws it."""
    every = (check for one in found for check in one.predicate.checks)
    return [check.words for check in every if check.name == TOLD_FIRST]


def more_of(details: Json) -> More | None:
    """What the details of evidence say under `more`, if that is an object."""
    said = details.get(MORE) if isinstance(details, Mapping) else None
    return said if isinstance(said, Mapping) else None


def more_json(more: More | None, name: str = MORE) -> dict[str, Json]:
    """`more` as an answer under `--json` has it: there only if there is something in it."""
    return {name: dict(more)} if more else {}
