"""People with a memory on a disk, who sign at a desk of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealift_signing import drafts
from sealift_signing.acts.asking import Ask
from sealift_signing.desk.signing import Desk
from sealift_signing.drafts import Draft
from sealift_signing.gate import Confirmation
from sealift_signing.known import Known
from sealift_signing.learning import Offer, everything, offered, shared
from sealift_signing.memory import Memory
from sealift_signing.organisation import Organisation
from tests.desks import Acme


@dataclass
class Listener:
    """Somebody who reads all, and agrees; what they type is written down before."""

    types: Sequence[str] = ()
    agrees: bool = True
    shown: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def show(self, words: Sequence[str]) -> None:
        self.shown += words

    def typed(self, confirmation: Confirmation) -> str | None:
        self.asked.append(confirmation.what)
        return confirmation.digest if confirmation.digest in self.types else None

    def agree(self, question: str) -> bool:
        self.asked.append(question)
        return self.agrees


@dataclass
class Signer:
    """Somebody at a desk: their memory lies in `folder`."""

    acme: Acme
    name: str
    folder: Path
    said: Listener = field(default_factory=Listener)

    @property
    def memory(self) -> Memory:
        return Memory(self.folder)

    @property
    def known(self) -> Known:
        (known,) = self.memory.organisations()
        return known

    def trust(self, offer: Offer | None = None, *, alone: bool = False) -> Known:
        given = offer or everything(self.acme.paper, "the hub")
        return self.memory.begin(
            given, self.acme.organisation.root.digest, self.acme.now, alone=alone
        )

    def sign(
        self,
        draft: Draft,
        ask: Ask | None = None,
        *,
        types: Sequence[str] = (),
        agrees: bool = True,
        anew: bool = False,
    ) -> Draft:
        self.said = Listener(types, agrees)
        desk = Desk(self.memory, lambda: self.acme.now, self.said)
        named = ask or Ask(draft.act, draft.object, draft.details)
        return desk.sign(draft, named, self.acme.keys[self.name], self.cards(draft), anew=anew)

    def cards(self, draft: Draft) -> list[bytes]:
        """The cards that the draft goes by, got from their owners."""
        found = [drafts.decoded(one) for one in draft.statements]
        return [one for one in found if _is_card(one)]

    def share(self) -> Offer:
        """What this memory tells a colleague, by way of a file."""
        offer = self.memory.offer(self.known)
        carried = shared(offer, Organisation(offer.files, former=True))
        return offered(carried, f"{self.name}'s memory")


def _is_card(data: bytes) -> bool:
    from sealift_signing import statements
    from sealift_signing.statements import KeyCard

    return statements.predicate_type(data, what="a statement") == KeyCard.PREDICATE_TYPE
