"""`sealift settings`, `comment`: what the hub goes by; what is said of promotions."""

from __future__ import annotations

import click

from sealift_registry.cli import remote
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user


@command(sealift, "settings", example="sealift settings", at_server=True)
def settings(session: Session) -> None:
    """Show the hub's settings, without secrets.

    At the hub they are those of settings.toml and of the environment of this command. With --server
    they are those that the server goes by, for administrators and auditors; where things are is
    told to administrators alone. What looks like a secret is struck out.
    """
    from sealift_registry.shown import settings as shown
    from sealift_registry.storage.home import open_home

    if session.server is not None:
        remote.show(session, "settings", "/settings")
        return
    found = open_home(session.root, session.environment).settings
    told = shown.settings(found, places=True)
    session.terminal.answer("settings", told.data, told.lines)


@command(
    sealift,
    "comment",
    example="sealift comment P-000001 'Please look at the night rows.'",
    at_server=True,
)
@click.argument("promotion", metavar="P-NUMBER")
@click.argument("text")
def comment(session: Session, *, promotion: str, text: str) -> None:
    """Say something of a promotion, in up to 2,000 characters.

    It is an entry of the log from then on, which nobody signs and which decides nothing; `sealift
    show` tells what was said.
    """
    from sealift_registry.catalog.reference import parse_promotion, promotion_id
    from sealift_registry.client.address import address_of

    number = parse_promotion(promotion)
    name = promotion_id(number)
    if session.server is not None:
        path, wants = address_of("promotions", name, "comments"), {"entry": int}
        entry = int(session.remote.change("POST", path, {"text": text}, wants)["entry"])
    else:
        from sealift_registry.promotion import comments

        entry = comments.comment(session.app.hub, number, text, user(), None)
    data = {"promotion": name, "entry": entry}
    session.terminal.answer("comment", data, f"It is entry {entry} of the log, about {name}.")
