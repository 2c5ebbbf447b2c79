"""`sealift key`: make and show keys, and say whose they are; as `sealift-sign` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.cli.signing import Signing, carry_out, set_aside_versions, signing_options
from sealift_signing.desk.cli import own_key

if TYPE_CHECKING:
    from sealift_signing.acts.material import Ask


@sealift.group()
def key() -> None:
    """Make and show keys."""


@command(key, "new", example="sealift key new anna.pem")
@click.argument("file")
@own_key.scheme_option
def key_new(session: Session, *, file: str, scheme: str) -> None:
    """Make a key in a new file, encrypted with a passphrase.

    FILE.pub beside it holds the public key. Others take your key in by its card.
    """
    passphrases = session.passphrases(new=True)
    data, lines = own_key.new_key(file, passphrases, scheme, "sealift key card")
    session.terminal.answer("key-new", data, lines)


@command(key, "show", example="sealift key show anna.pem.pub")
@click.argument("file")
def key_show(session: Session, *, file: str) -> None:
    """Show a public key.

    FILE is a .pub file, a key file with its .pub beside it, or the key's text.
    """
    data, lines = own_key.show_key(file)
    session.terminal.answer("key-show", data, lines)


@command(key, "card", example="sealift key card anna --key anna.pem")
@click.argument("owner")
@click.option("--key", "file", metavar="FILE", required=True, help="The key that it is about.")
@own_key.card_options
def key_card(session: Session, *, owner: str, file: str, key_class: str, out: str | None) -> None:
    """Make the card of a key, by which others take it in.

    It says that the key is OWNER's, and is signed with the key itself; a key enters a document only
    by such a card. Its eight words are for a telephone.
    """
    from sealift_signing import keys

    signer = keys.open_signer(file, session.passphrases())
    data, lines = own_key.write_card(owner, signer, key_class, session.now(), out)
    session.terminal.answer("key-card", data, lines)


@command(key, "rotate", example="sealift key rotate freshness --status compromised", at_server=True)
@click.argument("what", metavar="WHAT")
@click.option(
    "--status",
    type=click.Choice(["retired", "compromised"]),
    default="retired",
    show_default=True,
    help="What the old keys are; compromised ones never come back.",
)
@click.option("--other-keys", is_flag=True, help="Make other keys than for a draft of before.")
@signing_options("With --at-hub or --server: a key of the role; once for each signature.")
def key_rotate(session: Session, *, what: str, status: str, other_keys: bool, how: Signing) -> None:
    """Replace keys that the hub signs with by itself.

    WHAT is freshness (the keys of snapshot and timestamp; signed by root's holders), catalog (by
    targets'), log, scanner or builder (by a fleet administrator). The hub makes the new keys now,
    and signs with them from when what was signed is submitted.
    """
    from sealift_registry.trust import key_rotation
    from sealift_registry.trust.submitting import with_fingerprint
    from sealift_registry.wanting import Asked

    aside, ask = set_aside_versions(how.over), key_rotation.ask_of(what, status)
    if session.server is None and not other_keys and _just_done(session, ask):
        sentence = (
            f"The keys of {what} were replaced within the hour, and stay; or add --other-keys."
        )
        session.terminal.answer("key-rotate", {"what": what, "new": False}, sentence)
        return
    asked = Asked(ask, aside=aside, other_keys=other_keys)
    done = carry_out(session, asked, how)
    if done is not None:
        told = with_fingerprint(session.app.hub, done)
        session.terminal.answer("key-rotate", told.data, told.lines)


def _just_done(session: Session, ask: Ask) -> bool:
    from sealift_registry.trust import key_rotation

    hub = session.app.hub
    with hub.reading() as connection:
        return key_rotation.just_done(connection, ask, hub.now())
