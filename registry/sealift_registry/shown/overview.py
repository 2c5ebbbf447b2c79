"""What runs where, as it is shown: for people, for programs, and for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sealift_registry.shown.told import Later, Told, refusal_data, refusal_lines
from sealift_registry.views import asked as checks
from sealift_registry.views import overview
from sealift_signing.drawing import word
from sealift_signing.lists import fitted
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sealift_registry.views.overview import Asked, Overview, RunsThere

HEADINGS = ("site", "group", "model", "assigned", "runs", "since", "heard", "receipt")
"""Of a file of comma-separated values; and the members for machines."""
MOST_NAMED = 5
"""Places that a line names; the table has all."""


def told(connection: Connection, asked: Asked, *, whole: bool) -> Told:
    """What runs where; `whole`: whoever asks is told of every name that there is.

    Raises:
        NotFoundError: there is no such site or model.
        FailedError: the hub's log is not the one that was signed.
    """
    if asked.site is not None:
        checks.check_site(connection, asked.site, asked.within)
    if whole and asked.model is not None:
        checks.check_model(connection, asked.model)
    found = overview.overview(connection, asked)
    data = {
        "places": [_data(one) for one in found.rows],
        "elsewhere": [_data(one) for one in found.elsewhere],
        "refused": refusal_data(found.refused),
    }
    return Told(data, Later(partial(_lines, found, asked)), found.refused)


def comma_separated(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The same as lines of comma-separated values (RFC 4180), for a spreadsheet.

    What would begin a formula there stands behind an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADINGS)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in HEADINGS])
    return out.getvalue().splitlines()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text


def _data(one: RunsThere) -> dict[str, Any]:
    return {
        "site": one.site,
        "group": one.group,
        "model": one.model,
        "assigned": one.assigned or None,
        "runs": one.runs,
        "since": one.since,
        "heard": one.heard,
        "receipt": one.receipt or None,
    }


def _lines(found: Overview, asked: Asked, width: int | None) -> list[str]:
    lines = list(_first(found, asked))
    lines += [""] if lines else []
    if found.rows:
        headings = ("site", "group", "model", "assigned", "runs", "since", "heard")
        lines += fitted(headings, [_row(one) for one in found.rows], width)
    elif not found.refused:
        lines.append(_nothing(asked))
    lines += refusal_lines(found.refused)
    receipts = sorted({one.receipt for one in found.rows if one.receipt})
    if receipts:
        named = f"{', '.join(receipts[:MOST_NAMED])}{' …' if len(receipts) > MOST_NAMED else ''}"
        lines += ["", f"What runs is attested by each site's key, as of its receipt: {named}."]
    return lines


def _first(found: Overview, asked: Asked) -> Iterator[str]:
    """What somebody should look at first."""
    unlike = [one for one in found.rows if one.runs is not None and not one.is_as_assigned]
    silent = sorted({one.site for one in (*found.rows, *found.elsewhere) if one.runs is None})
    if unlike:
        many = counted(len(unlike), "place runs", "places run")
        yield f"{many} other than is assigned: {_named(unlike)}"
    if silent:
        are = "Nothing came home yet of"
        yield f"{are} {', '.join(silent[:MOST_NAMED])}{' …' if len(silent) > MOST_NAMED else ''}."
    if found.elsewhere:
        yield f"Assigned, and not known to run: {_named(found.elsewhere)}"
    if asked.until is not None:
        yield f"As it was known here before {asked.until[:19].replace('T', ' ')} (UTC)."


def _named(places: Sequence[RunsThere]) -> str:
    some = [
        f"{one.site} {word(one.group)} {word(one.model)} "
        f"({_runs(one)}, assigned {one.assigned or 'none'})"
        for one in places[:MOST_NAMED]
    ]
    more = [f"{len(places) - MOST_NAMED} more"] if len(places) > MOST_NAMED else []
    return "; ".join([*some, *more])


def _runs(one: RunsThere) -> str:
    return "unknown" if one.runs is None else f"runs {one.runs}" if one.runs else "runs none"


def _row(one: RunsThere) -> tuple[str, ...]:
    runs = "?" if one.runs is None else str(one.runs or "-")
    return (
        one.site,
        word(one.group),
        word(one.model),
        str(one.assigned or "-"),
        runs,
        (one.since or "-")[:10],
        (one.heard or "never")[:10],
    )


def _nothing(asked: Asked) -> str:
    of = f" of {asked.model}" if asked.model else ""
    of = f" version {asked.version}{of}" if asked.version else of
    where = f" at {asked.site}" if asked.site else ""
    return f"By what came home, nothing{of} runs{where}, and nothing is assigned."
