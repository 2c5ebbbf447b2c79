"""A key of one's own and its card: what `sealift-sign` and `sealift key` do and say alike.

No file is ever written over: a key that is gone is gone, and a card that somebody has already is
asked for by its words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from datetime import datetime

    from securesystemslib.signer import Signer

    from sealift_signing.keys import Passphrases

F = TypeVar("F", bound=Callable[..., Any])
Told = tuple[dict[str, str], tuple[str, ...]]
"""What a command says to machines, and to people."""


def scheme_option(function: F) -> F:
    """The option by which a new key gets its scheme."""
    return click.option(
        "--scheme",
        type=click.Choice(["ed25519", "ecdsa-p256"]),
        default="ed25519",
        show_default=True,
        help="The signature scheme.",
    )(function)


def card_options(function: F) -> F:
    """The options of a card: where its key is kept, and its file."""
    kept = click.option(
        "--class",
        "key_class",
        type=click.Choice(["file", "hardware"]),
        default="file",
        show_default=True,
        help="Where you keep the key; the policy says which count.",
    )
    out = click.option("--out", metavar="FILE", help="The new file. [default: OWNER.card]")
    return kept(out(function))


def new_key(file: str, passphrases: Passphrases, scheme: str, card_line: str) -> Told:
    """Make a key in a new file; `card_line` is the command that makes its card.

    Raises:
        FailedError: a file is there, or it cannot be written.
    """
    from sealift_signing import keys

    path = keys.key_path(file)
    public = keys.new_key(path, passphrases.of(path), scheme=scheme)
    lines = (
        f"{path} is made.",
        f"  public key  {public.text}",
        "",
        f"Keep {path} to yourself. What you give out is its card:",
        f"  {card_line} YOUR-NAME --key {path}",
    )
    return {"file": str(path), "public": public.text}, lines


def show_key(file: str) -> Told:
    """What a public key is.

    Raises:
        NotFoundError, MalformedError: `file` is none.
    """
    from sealift_signing import keys

    path = Path(f"{file}.pub")
    public = keys.read_public(str(path) if path.is_file() else file)
    lines = (public.text, f"  TUF key id  {public.keyid}")
    return {"public": public.text, "keyid": public.keyid}, lines


def write_card(owner: str, signer: Signer, key_class: str, now: datetime, out: str | None) -> Told:
    """Make the card of a key in a new file.

    Raises:
        FailedError: another file is there, or it cannot be written.
        RefusedError: the owner's name is not spelled as one.
    """
    from hashlib import sha256

    from sealift_signing import file_access
    from sealift_signing.desk.cards import make_card
    from sealift_signing.desk.files import write_new
    from sealift_signing.words import words_of

    path = Path(out or f"{owner}.card")
    data = make_card(owner, signer, key_class, now)
    write_new(path, data, mode=file_access.SHOWN_FILE)
    digest = sha256(data).hexdigest()
    lines = (
        f"{path} is made. Give it to who asks for it; when they ask, read out its eight words:",
        f"  {words_of(digest)}",
    )
    told = {"file": str(path), "owner": owner, "words": words_of(digest), "sha256": digest}
    return told, lines
