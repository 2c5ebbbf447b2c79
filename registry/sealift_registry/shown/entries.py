"""Entries of the logs as they are listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sealift_registry.shown.told import Later, Told, refusal_data, refusal_lines
from sealift_registry.views import all_logs, entry_names
from sealift_signing import shape
from sealift_signing.drawing import drawn, word
from sealift_signing.lists import fitted
from sealift_signing.transparency.question import names
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sealift_registry.delivery.home_logs import HomeLog
    from sealift_registry.views.all_logs import LoggedEntry, LogsPage, LogsPlace
    from sealift_signing.transparency.entry import Entry
    from sealift_signing.transparency.question import Question

LONGEST = 24
"""Letters of a name in the list; whole are those that `--json` prints."""
LONGEST_WHY = 300
"""Letters of why, likewise."""
_WHY = {
    "model.rolled-back": "reason",
    "model.tried-again": "reason",
    "model.activation-failed": "words",
    "transfer.refused": "what",
    "return.refused": "what",
    "site.unassigned": "reason",
}
"""The member in which an entry says why."""
UNTOLD = {"key", "result", "signed-at"}
"""Terms that only a search wants: the list says who signed, what, and where."""


def told(connection: Connection, question: Question, place: LogsPlace, *, whole: bool) -> Told:
    """A page of the entries that match, of all logs.

    Args:
        connection: of one state of the hub.
        question: what matches.
        place: where the page lies.
        whole: whoever asks is told of every name that there is.

    Raises:
        NotFoundError: a name in the question is of nothing that there is, where nothing matches.
        SealiftError: as `views.all_logs.page`.
    """
    page = all_logs.page(connection, question, place)
    nothing = ""
    if not page.rows and not page.refused:
        nothing = entry_names.sentence(connection, question, place, page, whole=whole)
    return _told(page, nothing)


def _told(page: LogsPage, nothing: str) -> Told:
    """A page of them; `nothing` is said where there is none."""
    data = {
        "entries": [each(one) for one in page.rows],
        "logs": [_log_data(log) for log in page.asked],
        "refused": refusal_data(page.refused),
        "beyond": page.after,
    }
    return Told(data, Later(partial(_lines, page, nothing)), page.refused)


def _lines(page: LogsPage, nothing: str, width: int | None) -> list[str]:
    rows = [(one.number, _when(one.entry.at), one.entry.type, one.entry) for one in page.rows]
    shown = [(number, when, kind, _by(e), _words(e)) for number, when, kind, e in rows]
    columns = ("no.", "when (UTC)", "what", "by", "about")
    lines = fitted(columns, shown, width) if shown else [] if page.refused else [nothing]
    lines += refusal_lines(page.refused)
    lines += _attested(page)
    if page.after is not None:
        lines += ["", f"There may be more: add --beyond {page.after}"]
    return lines


def each(one: LoggedEntry) -> dict[str, Any]:
    """An entry, for machines."""
    return {"log": one.log, "seq": one.seq, **shape.to_json(one.entry)}


def _attested(page: LogsPage) -> Iterator[str]:
    """By whose key what was shown of sites is attested, and as of when."""
    there = {one.log for one in page.rows}
    named = [log for log in page.asked if log.name in there]
    if named:
        yield ""
    for log in named:
        came = log.came
        when = f"receipt {came.receipt}" if came.receipt else "what came home"
        yield (
            f"{log.name}: attested by that site's key, as of {when} "
            f"({counted(came.size, 'entry', 'entries')}, taken in {_when(came.at)})."
        )


def _log_data(log: HomeLog) -> dict[str, Any]:
    return {
        "log": log.name,
        "site": log.site.id,
        "enrolment": log.site.enrolment,
        "entries": log.came.size,
        "receipt": log.came.receipt,
        "taken_in": log.came.at,
    }


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
    about = ", ".join(
        f"{term.kind}={word(term.value)}"
        for term in entry.terms
        if term.kind not in UNTOLD and (term.kind, term.value) not in said
    )
    why = _why(entry)
    return f"{about}: {why}" if about and why else about or why


def _why(entry: Entry) -> str:
    """Why it came to that, where somebody, or a machine, said so."""
    if not isinstance(entry.data, Mapping) or entry.type not in _WHY:
        return ""
    said, moved = entry.data.get(_WHY[entry.type]), ""
    if entry.type == "model.rolled-back":
        left, back = entry.data.get("from"), entry.data.get("to")
        moved = f"from {left} to {back}, " if type(left) is type(back) is int else ""
    return f"{moved}{drawn(said, LONGEST_WHY)}" if isinstance(said, str) and said else ""
