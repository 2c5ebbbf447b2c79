"""`key`, `card` and `card-show`: a key of one's own, and the card by which it enters documents."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_signing.desk.cli import own_key
from sealift_signing.desk.cli.group import KEY, PASSPHRASE, Session, command, key, sign


@command(key, "new", example="sealift-sign key new anna.pem", more=[PASSPHRASE])
@click.argument("file")
@own_key.scheme_option
def key_new(session: Session, *, file: str, scheme: str) -> None:
    """Make a key in a new file, encrypted with a passphrase.

    FILE.pub beside it holds the public key. Others take your key in by its card.
    """
    passphrases = session.passphrases(new=True)
    session.terminal.answer(
        "key-new", *own_key.new_key(file, passphrases, scheme, "sealift-sign card")
    )


@command(key, "show", example="sealift-sign key show anna.pem.pub")
@click.argument("file")
def key_show(session: Session, *, file: str) -> None:
    """Show a public key.

    FILE is a .pub file, a key file with its .pub beside it, or the key's text.
    """
    session.terminal.answer("key-show", *own_key.show_key(file))


@command(sign, "card", example="sealift-sign card anna --key anna.pem", more=[KEY, PASSPHRASE])
@click.argument("owner")
@own_key.card_options
def card(session: Session, *, owner: str, key: str, key_class: str, out: str | None) -> None:
    """Make the card of your key, by which others take it in.

    The card says that the key is OWNER's, and is signed with the key itself. Whoever signs
    something that your key enters by has the card from you, or asks you for its eight words.
    """
    made = own_key.write_card(owner, session.signer(key), key_class, session.now(), out)
    session.terminal.answer("card", *made)


@command(sign, "card-show", example="sealift-sign card-show carla.card")
@click.argument("file")
def card_show(session: Session, *, file: str) -> None:
    """Show whose card a file is, and its eight words."""
    from sealift_signing import statements
    from sealift_signing.acts.material import check_card
    from sealift_signing.desk.files import read
    from sealift_signing.statements import KeyCard
    from sealift_signing.words import words_of
    from sealift_signing.wrong_file import reading

    data = read(Path(file))
    with reading(data, file, "card"):
        found = statements.read(KeyCard, data, what=file)
    check_card(found)
    said = found.predicate
    words = words_of(found.sha256)
    lines = (
        f"The card of {said.owner}, made {said.made[:10]}, signed with its own key",
        f"  key    {said.key}",
        f"  kept   {said.key_class}",
        f"  words  {words}",
    )
    told = {
        "owner": said.owner,
        "key": said.key,
        "class": said.key_class,
        "made": said.made,
        "sha256": found.sha256,
        "words": words,
    }
    session.terminal.answer("card-show", told, lines)
