"""Comments on promotions: what people say of one while it is decided on.

A comment is an entry of the log and nothing else: nobody signs it, no rule goes by it, and nothing
that is signed holds it. It is told as words of an account.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.trust.hub import Hub
from sealift_signing.canonical import Json
from sealift_signing.errors import UsageError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import LONGEST_SENTENCE, SENTENCE

COMMENTED = "promotion.commented"
"""The type of its entry."""


def comment(hub: Hub, number: int, text: str, account: str, person: str | None) -> int:
    """Log what somebody says of a promotion; the number of the entry.

    Args:
        hub: whose promotion it is.
        number: of the promotion.
        text: what they say.
        account: under which name they are signed in.
        person: whose key they proved; None: nobody's.

    Raises:
        NotFoundError: there is no such promotion.
        UsageError: it is no text that is kept.
    """
    said = text.strip()
    if not SENTENCE.matches(said):
        raise UsageError(
            "bad-comment",
            f"A comment is a text of 1 to {LONGEST_SENTENCE:,} characters, none of them a control "
            "character.",
            next_step="Say it in fewer words, or as plain text.",
        )

    def action(connection: Connection) -> tuple[Entry, None]:
        made = Catalog(connection).promotion(number)
        data: dict[str, Json] = {"promotion": made.id, "request": made.request.sha256, "text": said}
        terms = {"promotion": made.id, "model": str(made.ref.of)}
        if person is not None:
            data["person"], terms["person"] = person, person
        return hub.entry(COMMENTED, account, data, terms), None

    return hub.commit(action).seq
