"""`sealift show`: all about one thing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli import remote
from sealift_registry.cli.group import sealift
from sealift_registry.cli.servers import hub_needed
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import word

if TYPE_CHECKING:
    from sealift_registry.trust.hub import Hub


@command(sealift, "show", example="sealift show vision/digits/3", at_server=True)
@click.argument("what", metavar="VERSION|MODEL|P-NUMBER|SITE|TRANSFER|PERSON")
@click.option(
    "--pictures",
    metavar="FOLDER",
    help="Of a version: write a picture of each variant's proof (SVG) to FOLDER.",
)
def show(session: Session, *, what: str, pictures: str | None) -> None:
    """Show all about a version, model, promotion, site or person.

    Or about a transfer, by its id.
    """
    from sealift_registry.shown.about import all_about

    if session.server is not None:
        if pictures is not None:
            raise hub_needed(session.server)
        _show_remote(session, what)
        return
    hub = session.app.hub
    kind, data, lines = hub.reading_blobs(
        lambda asking, connection: all_about(asking, connection, what)
    )
    if pictures is not None:
        lines += _pictures(hub, what, Path(pictures))
    session.terminal.answer(f"show-{kind}", data, lines)


def _show_remote(session: Session, what: str) -> None:
    """The same of a hub behind its server."""
    from sealift_registry.catalog.reference import ModelRef, VersionRef
    from sealift_registry.client.address import address_of

    if what.count("/") == 1:
        of = ModelRef.parse(what)
        remote.show(session, "show-model", address_of("models", of.team, of.model))
    elif "/" in what:
        ref = VersionRef.parse(what)
        remote.show(session, "show-version", address_of("versions", *str(ref).split("/")))
    elif re.fullmatch(r"P-[0-9]+", what):
        remote.show(session, "show-promotion", address_of("promotions", what))
    else:
        kinds = {"transfer": "transfers", "site": "sites", "person": "people"}
        paths = {f"show-{kind}": address_of(name, what) for kind, name in kinds.items()}
        remote.show_first(session, paths, what)


def _pictures(hub: Hub, what: str, folder: Path) -> list[str]:
    """Write the pictures of a version's proofs; says where each is.

    Raises:
        UsageError: it is no version, or none of its proofs has a picture.
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.views.pictures import pictures
    from sealift_signing.desk.files import write_new
    from sealift_signing.errors import UsageError

    found = {}
    if "/" in what:
        ref = VersionRef.parse(what)
        found = hub.reading_blobs(lambda asking, connection: pictures(asking, connection, ref))
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
