"""What a document says besides, under `more`: drawn for people, and gone by in nothing.

Receipts, site requests and returns inform. A newer site may say in one of them what this software
has no word for; it is kept as it was signed, and shown. No rule may ever read it: what bears trust
is a feature (`features`), which a reader knows or refuses. Of evidence the same is `more` in its
details.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sealift_signing import canonical
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn, word
from sealift_signing.shape import More
from sealift_signing.statements import Check

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
    """What is said under `more`, a line for each member."""
    found = more or {}
    for name in sorted(found)[:MOST_SHOWN]:
        value = found[name]
        said = value if isinstance(value, str) else canonical.encode(value).decode()
        yield f"besides, {word(name, LONGEST_SHOWN)}: {drawn(said, LONGEST_SHOWN)}"
    if len(found) > MOST_SHOWN:
        yield f"besides, {len(found) - MOST_SHOWN} things more"


def mark(check: Check) -> str:
    """How a check's words begin where they are shown: what is told first was not passed by it."""
    return "note" if check.name == TOLD_FIRST else check.verdict


def more_of(details: Json) -> More | None:
    """What the details of evidence say under `more`, if that is an object."""
    said = details.get(MORE) if isinstance(details, Mapping) else None
    return said if isinstance(said, Mapping) else None


def more_json(more: More | None, name: str = MORE) -> dict[str, Json]:
    """`more` as an answer under `--json` has it: there only if there is something in it."""
    return {name: dict(more)} if more else {}
