"""`sealift key`: make and show keys, and say whose they are."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command


@sealift.group()
def key() -> None:
    """Make and show keys."""


@command(key, "new", example="sealift key new anna.pem")
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

    FILE.pub beside it holds the public key, which is all that anybody else needs.
    """
    from sealift_signing import keys

    path = keys.key_path(file)
    public = keys.new_key(path, session.passphrases(new=True).of(path), scheme=scheme)
    lines = (
        f"{path} is made.",
        f"  public key  {public.text}",
        "",
        f"Keep {path} to yourself; give out only its public key.",
    )
    text = "\n".join(lines)
    session.terminal.answer("key-new", {"file": str(path), "public": public.text}, text)


@command(key, "show", example="sealift key show anna.pem.pub")
@click.argument("file")
def key_show(session: Session, *, file: str) -> None:
    """Show a public key.

    FILE is a .pub file, a key file with its .pub beside it, or the key's text.
    """
    from sealift_signing import keys

    path = Path(f"{file}.pub")
    public = keys.read_public(str(path) if path.is_file() else file)
    text = f"{public.text}\n  TUF key id  {public.keyid}"
    session.terminal.answer("key-show", {"public": public.text, "keyid": public.keyid}, text)


@command(key, "card", example="sealift key card anna --key anna.pem")
@click.argument("person")
@click.option("--key", "file", metavar="FILE", required=True, help="The key that it is about.")
@click.option(
    "--class",
    "key_class",
    type=click.Choice(["file", "hardware"]),
    default="file",
    show_default=True,
    help="Where the key is kept; the policy says which count.",
)
@click.option("--out", metavar="FILE", help="Write it here. [default: PERSON.card]")
def key_card(session: Session, *, person: str, file: str, key_class: str, out: str | None) -> None:
    """Write a key card: whose a key is, signed with it.

    A key enters a document only by such a card. Its eight words are for a telephone.
    """
    from hashlib import sha256

    from sealift_signing import keys
    from sealift_signing.desk.cards import make_card
    from sealift_signing.words import words_of
    from sealift_sync import durable

    signer = keys.open_signer(file, session.passphrases())
    data = make_card(person, signer, key_class, session.now())
    path = Path(out or f"{person}.card")
    durable.write(path.absolute(), data)
    digest = sha256(data).hexdigest()
    words = words_of(digest)
    text = f"{path} says that this key is {person}'s.\n  {words}"
    told = {"file": str(path), "person": person, "words": words, "sha256": digest}
    session.terminal.answer("key-card", told, text)
