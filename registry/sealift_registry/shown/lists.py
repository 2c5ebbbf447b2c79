"""Lists of what there is, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sealift_registry.shown.told import Later, Told, refusal_data, refusal_lines
from sealift_registry.storage.within import ALL, Within
from sealift_signing.drawing import pasted, word
from sealift_signing.lists import fitted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sealift_registry.catalog.pages import PagePlace
    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.conversion.hardware import HardwareTarget
    from sealift_registry.trust.hub import Hub
    from sealift_registry.views.pages import FalseRow
    from sealift_registry.views.transfers import TransferRow

FILTERS = {
    "versions": {"team", "model", "newest_first"},
    "models": {"team"},
    "promotions": {"team", "model", "stage", "newest_first"},
    "sites": {"stage"},
    "transfers": {"site", "newest_first"},
    "receipts": {"site", "newest_first"},
    "people": set[str](),
    "roles": set[str](),
    "hardware-targets": set[str](),
}
"""What a list can be asked, by the names of the options."""
DISCARDED = "discarded"
RARE = {DISCARDED}
"""Columns that people are shown where a row has something there."""
THEIRS = {"source"}
"""Columns of what somebody else wrote, such as the name of a file."""
MOST_OFFICES = 4
"""Of one person that are told in a list; `show` tells all."""

Row = tuple[str, ...]
Cell = str | int | Row
"""For machines as it is; for people as `_told` writes it."""


@dataclass(frozen=True)
class Here:
    """Of what is listed: a hub, and the hardware targets that it knows."""

    hub: Hub
    hardware_targets: Mapping[str, HardwareTarget]


@dataclass(frozen=True)
class Asked:
    """What a list is asked for; None where it is not narrowed down.

    Attributes:
        within: which rows whoever asks is told of.
    """

    team: str | None
    model: ModelRef | None
    stage: str | None
    site: str | None
    place: PagePlace
    within: Within = ALL


@dataclass(frozen=True)
class Listing:
    """A page as it is told; `empty` is what is said where there is nothing to list."""

    headings: Row
    rows: Sequence[Sequence[Cell]]
    empty: str
    refused: Sequence[FalseRow] = ()
    after: str | None = None


def told(here: Here, connection: Connection, kind: str, asked: Asked) -> Told:
    """A page of a list of this kind, one of `FILTERS`.

    Raises:
        NotFoundError: there is not what it is narrowed down to, or is to go on after.
    """
    check_there(here, connection, kind, asked)
    found = _LISTS[kind](here, connection, asked)
    headings, refused = found.headings, found.refused
    data = {
        kind.replace("-", "_"): [dict(zip(headings, row, strict=True)) for row in found.rows],
        "refused": refusal_data(refused),
        "beyond": found.after,
    }
    return Told(data, Later(partial(_lines, found)), refused)


def _lines(found: Listing, width: int | None) -> list[str]:
    headings, refused = found.headings, found.refused
    lines = [found.empty]
    if found.rows or refused:
        shown = _shown(headings, [_told(headings, row) for row in found.rows])
        lines = fitted(*shown, width)
    lines += refusal_lines(refused)
    if found.after is not None:
        lines += ["", f"There is more: add --beyond {pasted([found.after])}"]
    return lines


def check_there(here: Here, connection: Connection, kind: str, asked: Asked) -> None:
    """Check that there is what the list is narrowed down to, and what it is to go on after.

    Raises:
        NotFoundError: there is not: "Nothing matches" would hide that a name is mistyped.
    """
    from sealift_registry.views import asked as views

    if asked.team is not None:
        views.check_team(connection, asked.team)
    if asked.model is not None:
        views.check_model(connection, asked.model)
    if asked.stage is not None:
        views.check_stage(connection, asked.stage)
    if asked.site is not None:
        views.check_site(connection, asked.site)
    if asked.place.after is not None:
        after, targets = asked.place.after, here.hardware_targets
        views.check_beyond(connection, kind, after, targets, asked.within)


def _shown(headings: Row, rows: Sequence[Row]) -> tuple[Row, list[Row]]:
    """The same without the rare columns in which no row has anything."""
    empty = [
        n for n, one in enumerate(headings) if one in RARE and {row[n] for row in rows} <= {"-"}
    ]
    kept = [n for n in range(len(headings)) if n not in empty]
    return tuple(headings[n] for n in kept), [tuple(row[n] for n in kept) for row in rows]


def _told(headings: Row, row: Sequence[Cell]) -> Row:
    """The cells as they stand in the table."""
    cells = ((heading, _text(cell)) for heading, cell in zip(headings, row, strict=True))
    return tuple(word(cell) if heading in THEIRS else cell for heading, cell in cells)


def _text(cell: Cell) -> str:
    return _some(cell) if isinstance(cell, tuple) else str(cell)


def _empty(asked: Asked, nothing: str) -> str:
    """What is said of no row: that there is none at all, or none that was asked for."""
    narrowed = (asked.team, asked.model, asked.stage, asked.site, asked.place.after)
    is_whole = asked.within.everything and narrowed == (None,) * len(narrowed)
    return nothing if is_whole else "Nothing matches."


def _versions(here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.catalog.pages import VersionFilter
    from sealift_registry.views.versions import versions

    wanted = VersionFilter(asked.team, asked.model, asked.within)
    page = versions(connection, here.hub.now(), wanted, asked.place)
    rows = [
        (
            str(one.head.ref),
            one.head.source_version,
            one.head.format,
            ", ".join(one.variants) or "-",
            ", ".join(one.discarded) or "-",
            ", ".join(one.stages) or "-",
            one.head.made,
        )
        for one in page.rows
    ]
    headings = ("version", "source", "format", "variants", DISCARDED, "listed", "made")
    empty = "There is no version yet. Take one in with: sealift ingest --help"
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _models(_here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.catalog.pages import VersionFilter
    from sealift_registry.views.models import models

    page = models(connection, VersionFilter(asked.team, within=asked.within), asked.place)
    rows = [
        (str(one.ref.of), str(one.ref), one.source_version, one.format, one.made)
        for one in page.rows
    ]
    empty = "There is no model yet. Take one in with: sealift ingest --help"
    headings = ("model", "newest", "source", "format", "made")
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _promotions(here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.catalog.pages import PromotionFilter
    from sealift_registry.views.promotions import promotions

    wanted = PromotionFilter(asked.team, asked.model, asked.stage, asked.within)
    page = promotions(connection, here.hub.now(), wanted, asked.place)
    rows = [
        (
            one.promotion.id,
            str(one.promotion.ref),
            one.promotion.stage,
            one.promotion.person,
            f"{len(one.tally.counted)} of {one.tally.needed}",
            "yes" if one.listed else "no",
        )
        for one in page.rows
    ]
    headings = ("promotion", "version", "stage", "asked by", "approvals", "listed")
    empty = "No promotion was asked for yet. Ask with: sealift promote --help"
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _sites(_here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.sites import sites

    page = sites(connection, asked.place, asked.stage, asked.within)
    rows = [
        (one.id, one.stage, ", ".join(f"{g}={h}" for g, h in sorted(one.groups.items())), one.made)
        for one in page.rows
    ]
    empty = "No site is enrolled yet. Enrol one with: sealift site enroll --help"
    headings = ("site", "stage", "host groups", "enrolled")
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _transfers(here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.transfers import transfer_list

    page = transfer_list(connection, asked.place, asked.site, asked.within)
    rows = [
        (one.id, one.site, one.begun, one.made or _not_signed(here, one), one.answered or "-")
        for one in page.rows
    ]
    empty = "Nothing was exported yet. Export with: sealift export --help"
    headings = ("transfer", "site", "begun", "signed", "imported")
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _receipts(_here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.receipts import receipt_list

    page = receipt_list(connection, asked.place, asked.site, asked.within)
    rows = [(one.sha256, one.transfer, one.site, one.made, one.received) for one in page.rows]
    empty = "Nothing came home yet. Take in what a site sent with: sealift receive --help"
    headings = ("receipt", "transfer", "site", "made", "received")
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _not_signed(here: Here, one: TransferRow) -> str:
    from sealift_registry.delivery.transfer_hosts import elsewhere

    other = elsewhere(here.hub, one.host, one.host_name)
    return "-" if other is None else f"- (at {other})"


def _people(_here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.people import people

    page = people(connection, asked.place, asked.within)
    rows = [(one.person, one.keys, one.offices) for one in page.rows]
    empty = "Nobody holds an office."
    return Listing(("person", "keys", "offices"), rows, empty, page.refused, page.after)


def _some(offices: Sequence[str]) -> str:
    """The first few: one person may dispatch to two hundred sites."""
    more = len(offices) - MOST_OFFICES
    return "; ".join([*offices[:MOST_OFFICES], *([f"{more} more"] if more > 0 else [])])


def _roles(here: Here, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.trust import role_list
    from sealift_signing.vocabulary import moment

    page, now = role_list(connection, asked.place), here.hub.now()
    rows = [
        (
            one.role,
            str(one.version),
            ", ".join(one.signers),
            moment(one.expires),
            "handed on" if one.handed_on else "expired" if one.expires <= now else "in force",
        )
        for one in page.rows
    ]
    headings = ("role", "version", "signed by", "until", "state")
    return Listing(headings, rows, "Nothing was published.", page.refused, page.after)


def _hardware_targets(here: Here, _connection: Connection, asked: Asked) -> Listing:
    every, place = here.hardware_targets, asked.place
    names = [name for name in sorted(every) if place.after is None or name > place.after]
    page = [every[name] for name in names[: place.limit]]
    rows = [(one.id, one.precision, one.artifact_policy, one.description) for one in page]
    after = page[-1].id if len(names) > len(page) else None
    headings = ("hardware target", "precision", "policy", "description")
    return Listing(headings, rows, "Nothing matches.", after=after)


_LISTS: Mapping[str, Callable[[Here, Connection, Asked], Listing]] = {
    "versions": _versions,
    "models": _models,
    "promotions": _promotions,
    "sites": _sites,
    "transfers": _transfers,
    "receipts": _receipts,
    "people": _people,
    "roles": _roles,
    "hardware-targets": _hardware_targets,
}
