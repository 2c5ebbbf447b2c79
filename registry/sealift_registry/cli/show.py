"""`sealift list` and `sealift show`: what there is, and all about one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.cli.terminal import table

if TYPE_CHECKING:
    from sqlalchemy import Connection

KINDS = ("versions", "promotions", "sites", "hardware-targets")


@command(sealift, "list", example="sealift list promotions")
@click.argument("kind", type=click.Choice(KINDS), default="versions")
def list_(session: Session, *, kind: str) -> None:
    """List versions, promotions, sites or hardware targets."""
    with session.app.hub.reading() as connection:
        headings, rows, empty = {
            "versions": _versions,
            "promotions": _promotions,
            "sites": _sites,
            "hardware-targets": _hardware_targets,
        }[kind](session, connection)
    data = [dict(zip(headings, row, strict=True)) for row in rows]
    text = table(headings, rows) if rows else empty
    session.terminal.answer(f"list-{kind}", {kind.replace("-", "_"): data}, text)


@command(sealift, "show", example="sealift show vision/digits/3")
@click.argument("what", metavar="VERSION|P-NUMBER|SITE|TRANSFER")
def show(session: Session, *, what: str) -> None:
    """Show all about a version, promotion, site or transfer."""
    from sealift_registry import summary

    with session.app.hub.reading() as connection:
        kind, data, lines = summary.of(session.app.hub, session.app.promotions, connection, what)
    session.terminal.answer(f"show-{kind}", data, lines)


Listing = tuple[tuple[str, ...], list[tuple[str, ...]], str]


def _versions(session: Session, connection: Connection) -> Listing:
    from sealift_registry.catalog.catalog import Catalog

    catalog = Catalog(connection)
    rows: list[tuple[str, ...]] = []
    for version in catalog.versions():
        forms = [a.path.form for a in catalog.artifacts(version.ref) if not a.path.is_source]
        stages = sorted(session.app.promotions.listed(connection, version.ref))
        rows.append(
            (
                str(version.ref),
                version.source_version,
                version.format,
                ", ".join(forms) or "-",
                ", ".join(stages) or "-",
                version.made,
            )
        )
    headings = ("version", "source", "format", "variants", "listed", "made")
    return headings, rows, "There is no version yet. Take one in with: sealift ingest --help"


def _promotions(session: Session, connection: Connection) -> Listing:
    from sealift_registry.catalog.catalog import Catalog

    rows: list[tuple[str, ...]] = []
    for promotion in Catalog(connection).promotions():
        standing = session.app.promotions.standing(connection, promotion.number)
        have = f"{len(standing.tally.counted)} of {standing.tally.needed}"
        listed = "yes" if standing.listed else "no"
        row = (promotion.id, str(promotion.ref), promotion.stage, promotion.person)
        rows.append((*row, have, listed))
    headings = ("promotion", "version", "stage", "asked by", "approvals", "listed")
    return headings, rows, "No promotion was asked for yet. Ask with: sealift promote --help"


def _sites(_session: Session, connection: Connection) -> Listing:
    from sealift_registry.delivery.sites import Sites

    rows: list[tuple[str, ...]] = [
        (one.id, one.stage, ", ".join(f"{g}={h}" for g, h in sorted(one.groups.items())), one.made)
        for one in Sites(connection).all()
    ]
    headings = ("site", "stage", "host groups", "enrolled")
    return headings, rows, "No site is enrolled yet. Enrol one with: sealift site enroll --help"


def _hardware_targets(session: Session, _connection: Connection) -> Listing:
    rows: list[tuple[str, ...]] = [
        (one.id, one.precision, one.artifact_policy, one.description)
        for one in session.app.hardware_targets.values()
    ]
    return ("hardware target", "precision", "policy", "description"), rows, ""
