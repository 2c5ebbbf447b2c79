"""Entries of the log as they are listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sealift_registry.shown.told import Told, refusal_data, refusal_lines
from sealift_signing import shape
from sealift_signing.drawing import drawn, word
from sealift_signing.lists import in_columns
from sealift_signing.transparency.question import names

if TYPE_CHECKING:
    from sealift_registry.audit import edge
    from sealift_registry.views.pages import Page
    from sealift_signing.transparency.entry import Entry

LONGEST = 24
"""Letters of a name in the list; whole are those that `--json` prints."""
UNTOLD = {"key", "result", "signed-at"}
"""Terms that only a search wants: the list says who signed, what, and where."""


def told(page: Page[edge.Under]) -> Told:
    """A page of them."""
    shown = [(str(seq), _when(e.at), e.type, _by(e), _words(e)) for seq, e in page.rows]
    columns = ("no.", "when (UTC)", "what", "by", "about")
    nothing = [] if page.refused else ["No entry matches."]
    lines = in_columns(columns, shown) if shown else nothing
    lines += refusal_lines(page.refused)
    if page.after is not None:
        lines += ["", f"There may be more: add --beyond {page.after}"]
    data = {
        "entries": [{"seq": seq, **shape.to_json(entry)} for seq, entry in page.rows],
        "refused": refusal_data(page.refused),
    }
    return Told(data, lines, page.refused)


def _when(at: str) -> str:
    """A time to the second: its digits after that are for machines, which ask for --json."""
    return at[:19].replace("T", " ")


def _by(entry: Entry) -> str:
    """Who did it; and that it was signed at the hub, where it was."""
    at_hub = isinstance(entry.data, Mapping) and entry.data.get("at_hub") is True
    return ", ".join(map(_cut, names(entry.actor))) + (" (at the hub)" if at_hub else "")


def _cut(name: str) -> str:
    if word(name) != name:
        return drawn(name, LONGEST)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _words(entry: Entry) -> str:
    """What it is about, but for what another column says and the keys, which nobody reads."""
    said = {("person", name) for name in names(entry.actor)}
    said |= {("role", f"{term.kind}.{term.value}") for term in entry.terms}
    return ", ".join(
        f"{term.kind}={word(term.value)}"
        for term in entry.terms
        if term.kind not in UNTOLD and (term.kind, term.value) not in said
    )
