"""Key cards, as a command is given them: how a key enters what people sign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session
    from sealift_signing.drafts import Draft

_MAKE_CARD = "Give a key card; its owner makes it with: sealift key card PERSON --key FILE"


def read_cards(files: Sequence[str]) -> tuple[tuple[str, bytes], ...]:
    """Key cards from their files, each with its owner.

    Raises:
        UsageError: one is a public key: a key enters a document by its owner's card alone.
        RefusedError: one is damaged, or not signed with its own key.
    """
    from sealift_signing import statements
    from sealift_signing.acts.material import check_card
    from sealift_signing.altered_bytes import altered
    from sealift_signing.errors import MalformedError, UsageError
    from sealift_signing.statements import KeyCard
    from sealift_signing.wrong_file import reading

    found = []
    for name in files:
        data = read_file(name, _MAKE_CARD)
        if b"PRIVATE KEY" in data:
            raise UsageError(
                "private-key-given",
                f"{name} is a private key; only a card that was made with it belongs here.",
                subject=name,
                next_step=f"Keep {name} to its owner, who makes a card: sealift key card "
                "PERSON --key FILE",
            )
        try:
            with reading(data, name, "card"):
                card = statements.read(KeyCard, data, what=f"the key card {name}")
        except MalformedError as bad:
            if altered(data)[0]:
                raise
            raise UsageError(
                "no-card",
                f"{bad.what} A key enters a document only by a card that its owner signed with it.",
                subject=name,
                next_step=_MAKE_CARD,
            ) from bad
        check_card(card)
        found.append((card.predicate.owner, data))
    return tuple(found)


def own_card(session: Session, person: str) -> tuple[tuple[str, bytes], ...]:
    """In a hub for one person: that person's card, made with the one key."""
    from sealift_signing.desk.cards import make_card

    if not person:
        return ()
    return ((person, make_card(person, session.signer(None), "file", session.now())),)


def cards_of(made: Draft) -> list[bytes]:
    """The key cards that a draft carries."""
    from sealift_signing import drafts, statements
    from sealift_signing.statements import KeyCard

    found = map(drafts.decoded, made.statements)
    kind = KeyCard.PREDICATE_TYPE
    return [one for one in found if statements.predicate_type(one, what="a statement") == kind]


def read_file(name: str, step: str = "Give the file that sealift-sign wrote.") -> bytes:
    """The bytes of a card or a draft; `step` is said where they cannot be read."""
    from sealift_signing.drafts import LARGEST
    from sealift_sync.bundle.medium import read_named

    return read_named(Path(name), LARGEST, next_step=step)
