"""`key`, `card` and `card-show`: a key of one's own, and the card by which it enters documents."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_signing.desk.cli.group import KEY, PASSPHRASE, Session, command, key, sign


@command(key, "new", example="sealift-sign key new anna.pem", more=[PASSPHRASE])
@click.argument("file")
@click.option(
    "--scheme",
    type=click.Choice(["ed25519", "ecdsa-p256"]),
    default="ed25519",
    show_default=True,
    help="The signature scheme.",
)
def key_new(session: Session, *, file: str, scheme: str) -> None:
    """Make a key in a new file, encrypted with a passphrase.

    FILE.pub beside it holds the public key. Others take your key in by its card.
    """
    from sealift_signing import keys

    path = keys.key_path(file)
    public = keys.new_key(path, session.passphrases(new=True).of(path), scheme=scheme)
    lines = (
        f"{path} is made.",
        f"  public key  {public.text}",
        "",
        f"Keep {path} to yourself. What you give out is its card:",
        f"  sealift-sign card YOUR-NAME --key {path}",
    )
    session.terminal.answer("key-new", {"file": str(path), "public": public.text}, lines)


@command(key, "show", example="sealift-sign key show anna.pem.pub")
@click.argument("file")
def key_show(session: Session, *, file: str) -> None:
    """Show a public key.

    FILE is a .pub file, a key file with its .pub beside it, or the key's text.
    """
    from sealift_signing import keys

    path = Path(f"{file}.pub")
    public = keys.read_public(str(path) if path.is_file() else file)
    lines = (public.text, f"  TUF key id  {public.keyid}")
    session.terminal.answer("key-show", {"public": public.text, "keyid": public.keyid}, lines)


@command(sign, "card", example="sealift-sign card anna --key anna.pem", more=[KEY, PASSPHRASE])
@click.argument("owner")
@click.option(
    "--class",
    "key_class",
    type=click.Choice(["file", "hardware"]),
    default="file",
    show_default=True,
    help="Where you keep the key.",
)
@click.option("--out", metavar="FILE", help="The new file. [default: OWNER.card]")
def card(session: Session, *, owner: str, key: str, key_class: str, out: str | None) -> None:
    """Make the card of your key, by which others take it in.

    The card says that the key is OWNER's, and is signed with the key itself. Whoever signs
    something that your key enters by has the card from you, or asks you for its eight words.
    """
    from sealift_signing.desk.cards import make_card
    from sealift_signing.desk.files import write_new
    from sealift_signing.words import eight_words

    path = Path(out or f"{owner}.card")
    data = make_card(owner, session.signer(key), key_class, session.now())
    write_new(path, data)
    words = eight_words(data)
    lines = (
        f"{path} is made. Give it to who asks for it; when they ask, read out its eight words:",
        f"  {words}",
    )
    session.terminal.answer("card", {"file": str(path), "owner": owner, "words": words}, lines)


@command(sign, "card-show", example="sealift-sign card-show carla.card")
@click.argument("file")
def card_show(session: Session, *, file: str) -> None:
    """Show whose card a file is, and its eight words."""
    from sealift_signing import statements
    from sealift_signing.acts.asking import check_card
    from sealift_signing.desk.files import read
    from sealift_signing.statements import KeyCard
    from sealift_signing.words import words_of

    found = statements.read(KeyCard, read(Path(file)), what=file)
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
