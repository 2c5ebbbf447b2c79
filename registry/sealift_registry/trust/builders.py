"""What is drafted of builders on other machines."""

from __future__ import annotations

from collections.abc import Sequence

from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.teams import Card
from sealift_signing.acts.material import Ask, SetAsideVersion


def added(name: str, cards: Sequence[Card], aside: Sequence[SetAsideVersion] = ()) -> Wanted:
    """A machine whose builds count, by the cards of its two keys."""
    ask = Ask("add-builder", (name,))
    return Wanted(ask, statements=tuple(card for _, card in cards), others=tuple(aside))


def removed(name: str, status: str, aside: Sequence[SetAsideVersion] = ()) -> Wanted:
    """One of which nothing is taken any more."""
    details = {} if status == "retired" else {"status": (status,)}
    return Wanted(Ask("remove-builder", (name,), details), others=tuple(aside))
