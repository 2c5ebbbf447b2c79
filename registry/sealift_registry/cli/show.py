"""`sealift list` and `sealift show`: what there is, and all about one thing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli import listing
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import word
from sealift_signing.lists import in_columns

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sealift_registry.catalog.catalog import Version
    from sealift_signing.errors import SealiftError

KINDS = ("versions", "promotions", "sites", "hardware-targets")
THEIRS = {"source"}
"""Columns of what somebody else wrote, such as the name of a file."""


@command(sealift, "list", example="sealift list promotions")
@click.argument("kind", type=click.Choice(KINDS), default="versions")
def list_(session: Session, *, kind: str) -> None:
    """List versions, promotions, sites or hardware targets."""
    with session.app.hub.reading() as connection:
        headings, rows, refused, empty = {
            "versions": _versions,
            "promotions": _promotions,
            "sites": _sites,
            "hardware-targets": _hardware_targets,
        }[kind](session, connection)
    data = {
        kind.replace("-", "_"): [dict(zip(headings, row, strict=True)) for row in rows],
        "refused": [bad.as_json()["error"] for _, bad in refused],
    }
    lines = (
        in_columns(headings, [_told(headings, row) for row in rows]) if rows or refused else [empty]
    )
    session.terminal.answer(f"list-{kind}", data, [*lines, *listing.told(refused)])
    listing.check(refused)


@command(sealift, "show", example="sealift show vision/digits/3")
@click.argument("what", metavar="VERSION|P-NUMBER|SITE|TRANSFER")
@click.option(
    "--pictures",
    metavar="FOLDER",
    help="Of a version: write a picture of each variant's proof (SVG) to FOLDER.",
)
def show(session: Session, *, what: str, pictures: str | None) -> None:
    """Show all about a version, promotion, site or transfer."""
    from sealift_registry import summary

    with session.app.hub.reading() as connection:
        kind, data, lines = summary.of(session.app.hub, session.app.promotions, connection, what)
        if pictures is not None:
            lines += _pictures(session, connection, what, Path(pictures))
    session.terminal.answer(f"show-{kind}", data, lines)


def _pictures(session: Session, connection: Connection, what: str, folder: Path) -> list[str]:
    """Write the pictures of a version's proofs; says where each is.

    Raises:
        UsageError: it is no version, or none of its proofs has a picture.
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.pictures import pictures
    from sealift_signing.desk.files import write_new
    from sealift_signing.errors import UsageError

    found = {}
    if "/" in what:
        found = pictures(session.app.hub, connection, VersionRef.parse(what))
    if not found:
        raise UsageError(
            "no-pictures",
            f"There is no picture of a proof of {what}.",
            subject=what,
            next_step="Give a version, TEAM/MODEL/VERSION, that was converted here.",
        )
    for name, drawing in found.items():
        write_new(folder / name, drawing)
    return ["", *(f"A picture of its proof is {word(str(folder / name))}" for name in found)]


Row = tuple[str, ...]
Listing = tuple[Row, list[Row], "list[tuple[str, SealiftError]]", str]


def _told(headings: Row, row: Row) -> Row:
    cells = zip(headings, row, strict=True)
    return tuple(word(cell) if heading in THEIRS else cell for heading, cell in cells)


def _versions(session: Session, connection: Connection) -> Listing:
    from sealift_registry.catalog.catalog import Catalog

    catalog = Catalog(connection)

    def row(version: Version) -> Row:
        forms = [a.path.form for a in catalog.artifacts(version.ref) if not a.path.is_source]
        stages = sorted(session.app.promotions.listed(connection, version.ref))
        return (
            str(version.ref),
            version.source_version,
            version.format,
            ", ".join(forms) or "-",
            ", ".join(stages) or "-",
            version.made,
        )

    headings = ("version", "source", "format", "variants", "listed", "made")
    empty = "There is no version yet. Take one in with: sealift ingest --help"
    return headings, *listing.each(catalog.versions(), row, lambda one: str(one.ref)), empty


def _promotions(session: Session, connection: Connection) -> Listing:
    from sealift_registry.catalog.catalog import Catalog
    from sealift_registry.catalog.reference import promotion_id

    def row(number: int) -> Row:
        standing = session.app.promotions.status(connection, number)
        one, have = standing.promotion, f"{len(standing.tally.counted)} of {standing.tally.needed}"
        listed = "yes" if standing.listed else "no"
        return (one.id, str(one.ref), one.stage, one.person, have, listed)

    headings = ("promotion", "version", "stage", "asked by", "approvals", "listed")
    empty = "No promotion was asked for yet. Ask with: sealift promote --help"
    return headings, *listing.each(Catalog(connection).numbers(), row, promotion_id), empty


def _sites(_session: Session, connection: Connection) -> Listing:
    from sealift_registry.delivery.sites import Sites

    sites = Sites(connection)

    def row(name: str) -> Row:
        one = sites.get(name)
        groups = ", ".join(f"{g}={h}" for g, h in sorted(one.groups.items()))
        return (one.id, one.stage, groups, one.made)

    headings = ("site", "stage", "host groups", "enrolled")
    empty = "No site is enrolled yet. Enrol one with: sealift site enroll --help"
    return headings, *listing.each(sites.names(), row), empty


def _hardware_targets(session: Session, _connection: Connection) -> Listing:
    rows: list[Row] = [
        (one.id, one.precision, one.artifact_policy, one.description)
        for one in session.app.hardware_targets.values()
    ]
    return ("hardware target", "precision", "policy", "description"), rows, [], ""
