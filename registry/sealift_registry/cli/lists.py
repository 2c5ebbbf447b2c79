"""`sealift list`: what there is, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from sealift_registry.catalog import page_sizes
from sealift_registry.cli import refused_rows
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import UsageError
from sealift_signing.lists import in_columns

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sealift_registry.catalog.pages import PagePlace
    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.views.pages import FalseRow
    from sealift_registry.views.transfers import TransferRow

FILTERS = {
    "versions": {"team", "model", "newest_first"},
    "promotions": {"team", "model", "stage", "newest_first"},
    "sites": {"stage"},
    "transfers": {"site", "newest_first"},
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
class Asked:
    """What a list is asked for; None where it is not narrowed down."""

    team: str | None
    model: ModelRef | None
    stage: str | None
    site: str | None
    place: PagePlace


@dataclass(frozen=True)
class Listing:
    """A page as it is printed; `empty` is what is said where there is nothing to list."""

    headings: Row
    rows: Sequence[Sequence[Cell]]
    empty: str
    refused: Sequence[FalseRow] = ()
    after: str | None = None


@command(sealift, "list", example="sealift list promotions --model vision/digits --newest-first")
@click.argument("kind", type=click.Choice(list(FILTERS)), default="versions")
@click.option("--team", metavar="NAME", help="Only versions or promotions of this team.")
@click.option("--model", metavar="TEAM/MODEL", help="Only versions or promotions of this model.")
@click.option("--stage", metavar="STAGE", help="Only promotions to it, or sites enrolled for it.")
@click.option("--site", metavar="ID", help="Only transfers to this site.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, page_sizes.LARGEST),
    default=page_sizes.USUAL,
    show_default=True,
    help="At most N.",
)
@click.option("--beyond", metavar="NAME", help="Go on after this one.")
def list_(
    session: Session,
    *,
    kind: str,
    team: str | None,
    model: str | None,
    stage: str | None,
    site: str | None,
    newest_first: bool,
    limit: int,
    beyond: str | None,
) -> None:
    """List versions, promotions, sites, people and more.

    Of more than N the last is named: --beyond goes on after it.
    """
    from sealift_registry.catalog.pages import PagePlace
    from sealift_registry.catalog.reference import ModelRef

    given = {"team": team, "model": model, "stage": stage, "site": site}
    _check_options(kind, given | {"newest_first": newest_first or None})
    place = PagePlace(limit, beyond, newest_first)
    asked = Asked(team, ModelRef.parse(model) if model else None, stage, site, place)
    with session.app.hub.reading() as connection:
        _check_there(session, connection, kind, asked)
        found = _LISTS[kind](session, connection, asked)
    _answer(session, kind, found)


def _check_options(kind: str, given: Mapping[str, object]) -> None:
    """Check that nothing is asked that would silently mean nothing.

    Raises:
        UsageError: something is.
    """
    for name, value in given.items():
        if value is not None and name not in FILTERS[kind]:
            option = f"--{name.replace('_', '-')}"
            known = ", ".join(f"--{one.replace('_', '-')}" for one in sorted(FILTERS[kind]))
            besides = f"; {known} can be given" if known else ""
            raise UsageError(
                "option-not-for-list",
                f"A list of {kind} cannot be narrowed down or turned round by {option}.",
                subject=option,
                next_step=f"Leave it out{besides}.",
            )


def _check_there(session: Session, connection: Connection, kind: str, asked: Asked) -> None:
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
        targets = session.app.hardware_targets
        views.check_beyond(connection, kind, asked.place.after, targets)


def _answer(session: Session, kind: str, found: Listing) -> None:
    headings, refused = found.headings, found.refused
    data = {
        kind.replace("-", "_"): [dict(zip(headings, row, strict=True)) for row in found.rows],
        "refused": [one.error.as_json()["error"] for one in refused],
        "beyond": found.after,
    }
    lines = [found.empty]
    if found.rows or refused:
        lines = in_columns(*_shown(headings, [_told(headings, row) for row in found.rows]))
    lines += refused_rows.refusal_lines(refused)
    if found.after is not None:
        lines += ["", f"There is more: add --beyond {pasted([found.after])}"]
    session.terminal.answer(f"list-{kind}", data, lines)
    refused_rows.check(refused)


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
    return nothing if narrowed == (None,) * len(narrowed) else "Nothing matches."


def _versions(session: Session, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.catalog.pages import VersionFilter
    from sealift_registry.views.versions import versions

    wanted = VersionFilter(asked.team, asked.model)
    page = versions(connection, session.app.hub.now(), wanted, asked.place)
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


def _promotions(session: Session, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.catalog.pages import PromotionFilter
    from sealift_registry.views.promotions import promotions

    wanted = PromotionFilter(asked.team, asked.model, asked.stage)
    page = promotions(connection, session.app.hub.now(), wanted, asked.place)
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


def _sites(_session: Session, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.sites import sites

    page = sites(connection, asked.place, asked.stage)
    rows = [
        (one.id, one.stage, ", ".join(f"{g}={h}" for g, h in sorted(one.groups.items())), one.made)
        for one in page.rows
    ]
    empty = "No site is enrolled yet. Enrol one with: sealift site enroll --help"
    headings = ("site", "stage", "host groups", "enrolled")
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _transfers(session: Session, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.transfers import transfer_list

    page = transfer_list(connection, asked.place, asked.site)
    rows = [
        (one.id, one.site, one.begun, one.made or _not_signed(session, one), one.answered or "-")
        for one in page.rows
    ]
    empty = "Nothing was exported yet. Export with: sealift export --help"
    headings = ("transfer", "site", "begun", "signed", "imported")
    return Listing(headings, rows, _empty(asked, empty), page.refused, page.after)


def _not_signed(session: Session, one: TransferRow) -> str:
    from sealift_registry.delivery.transfer_hosts import elsewhere

    other = elsewhere(session.app.hub, one.host, one.host_name)
    return "-" if other is None else f"- (at {other})"


def _people(_session: Session, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.people import people

    page = people(connection, asked.place)
    rows = [(one.person, one.keys, one.offices) for one in page.rows]
    empty = "Nobody holds an office."
    return Listing(("person", "keys", "offices"), rows, empty, page.refused, page.after)


def _some(offices: Sequence[str]) -> str:
    """The first few: one person may dispatch to two hundred sites."""
    more = len(offices) - MOST_OFFICES
    return "; ".join([*offices[:MOST_OFFICES], *([f"{more} more"] if more > 0 else [])])


def _roles(session: Session, connection: Connection, asked: Asked) -> Listing:
    from sealift_registry.views.trust import role_list
    from sealift_signing.vocabulary import moment

    page, now = role_list(connection, asked.place), session.app.hub.now()
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


def _hardware_targets(session: Session, _connection: Connection, asked: Asked) -> Listing:
    every, place = session.app.hardware_targets, asked.place
    names = [name for name in sorted(every) if place.after is None or name > place.after]
    here = [every[name] for name in names[: place.limit]]
    rows = [(one.id, one.precision, one.artifact_policy, one.description) for one in here]
    after = here[-1].id if len(names) > len(here) else None
    headings = ("hardware target", "precision", "policy", "description")
    return Listing(headings, rows, "Nothing matches.", after=after)


_LISTS: Mapping[str, Callable[[Session, Connection, Asked], Listing]] = {
    "versions": _versions,
    "promotions": _promotions,
    "sites": _sites,
    "transfers": _transfers,
    "people": _people,
    "roles": _roles,
    "hardware-targets": _hardware_targets,
}
