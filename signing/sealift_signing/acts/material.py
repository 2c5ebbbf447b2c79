"""What goes into an act and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from sealift_signing import statements
from sealift_signing.acts.names import FLAGS
from sealift_signing.compromised import NONE, Compromised, barred
from sealift_signing.drawing import word
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard, P, Signed
from sealift_signing.version_links import VersionId


@dataclass(frozen=True)
class Ask:
    """One act, as a person names it: what is done, to what, and with which options.

    Attributes:
        act: of the closed list.
        object: what stands on the command line, such as a team and a person.
        details: the options, each with its values, in order.
    """

    act: str
    object: tuple[str, ...]
    details: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it is typed, without the file: `add-approver vision carla`."""
        return " ".join((self.act, *self.object, *self.options()))

    @property
    def drawn(self) -> str:
        """As it is shown: each word that somebody may have written stands between marks."""
        return " ".join(map(word, (self.act, *self.object, *self.options())))

    def options(self) -> list[str]:
        """The options, each word as it is typed."""
        return [
            word
            for name, given in self.details.items()
            for value in given
            for word in ((f"--{name}",) if name in FLAGS else (f"--{name}", value))
        ]

    def values(self, name: str) -> tuple[str, ...]:
        """The values of an option."""
        return tuple(self.details.get(name, ()))

    def value(self, name: str, otherwise: str = "") -> str:
        """The value of an option that is given once."""
        return next(iter(self.details.get(name, ())), otherwise)


@dataclass(frozen=True)
class SetAsideVersion:
    """Another version of the role, which the new one sets aside: its file, and its documents."""

    role: str
    data: bytes
    documents: Mapping[str, bytes] = field(default_factory=dict)


class Carried:
    """The statements that a draft carries, by digest; it knows which nobody went by."""

    def __init__(self, envelopes: Sequence[bytes] = ()) -> None:
        self._envelopes = {sha256(one).hexdigest(): one for one in envelopes}
        self._unread = set(self._envelopes)

    @property
    def used(self) -> tuple[bytes, ...]:
        """Those that somebody went by, in the order of their digests."""
        return tuple(
            self._envelopes[digest] for digest in sorted(self._envelopes.keys() - self._unread)
        )

    @property
    def unread(self) -> tuple[str, ...]:
        """The digests of those that nobody went by."""
        return tuple(sorted(self._unread))

    def take(self, found: Iterable[Signed[P]]) -> tuple[Signed[P], ...]:
        """These, which whoever takes them goes by."""
        taken = tuple(found)
        self._unread -= {one.sha256 for one in taken}
        return taken

    def of_kind(self, kind: type[P]) -> tuple[Signed[P], ...]:
        """Every statement of that kind, in the order of their digests; none verified here."""
        found = []
        for digest in sorted(self._envelopes):
            data, what = self._envelopes[digest], f"the statement {digest[:12]}"
            if statements.predicate_type(data, what=what) == kind.PREDICATE_TYPE:
                found.append(statements.read(kind, data, what=what))
        return tuple(found)

    def card(self, owner: str) -> Signed[KeyCard]:
        """The one key card of `owner`, signed with its own key.

        Raises:
            NotFoundError: none, or several: which was meant cannot be told.
            BadSignatureError: whoever wrote it does not have the key.
        """
        cards = [one for one in self.of_kind(KeyCard) if one.predicate.owner == owner]
        if len(cards) != 1:
            raise NotFoundError(
                "no-card" if not cards else "two-cards",
                f"There {'is no' if not cards else 'is more than one'} key card of {owner} here; "
                "a key enters a document by one card that its owner signed with it.",
                subject=owner,
                next_step=f"{owner} makes it with: sealift-sign card {owner} --key FILE",
            )
        (card,) = self.take(cards)
        check_card(card)
        return card


def check_card(card: Signed[KeyCard]) -> None:
    """Check that a key card is about its own key and signed with it.

    Raises:
        RefusedError: it is not.
    """
    said = card.predicate
    key = PublicKey.parse(said.key)
    what = f"the key card of {said.owner}"
    if not card.about(f"keys/{said.owner}", sha256(key.raw).hexdigest()):
        raise RefusedError(
            "card-of-another",
            f"{what} is not about the key that it names.",
            subject=said.owner,
            next_step=f"Have {said.owner} make the card again: sealift-sign card "
            f"{said.owner} --key FILE",
        )
    statements.verify(card, key, what=what)


@dataclass(frozen=True)
class Material:
    """What an act has beside the organisation.

    Attributes:
        made: when it was drafted: the dates of a role's next version follow from it.
        now: the clock of whoever signs, from which a person's own statement takes its date.
        carried: the statements that come with it.
        facts: what the hub adds.
        parts: statements that the hub wrote, by name, such as a transfer: to be checked and shown.
        others: versions that the next one sets aside.
        key: of whoever signs; None while it is drafted.
        compromised: the keys that whoever signs, or drafts, remembers as called so.
    """

    made: datetime
    now: datetime
    carried: Carried = field(default_factory=Carried)
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, bytes] = field(default_factory=dict)
    others: tuple[SetAsideVersion, ...] = ()
    key: PublicKey | None = None
    compromised: Compromised = NONE

    def check_not_lost(self, owner: str, key: PublicKey, *roles: str) -> None:
        """Check that none of `roles` ever called `key`, which is to enter a document, compromised.

        Raises:
            RefusedError: one did.
        """
        if key.raw in barred(self.compromised, roles):
            raise RefusedError(
                "key-compromised",
                f"The key given for {owner} was called compromised, and counts for nobody any "
                "more.",
                subject=owner,
                next_step="Make a new key: sealift-sign key new FILE",
            )

    def fact(self, name: str) -> str:
        """A fact that has one value.

        Raises:
            MalformedError: it has none, or several.
        """
        given = self.facts.get(name, ())
        if len(given) != 1:
            raise MalformedError(
                "bad-draft",
                f"The draft does not say {name} exactly once.",
                subject=name,
                next_step="Do not sign it; have it drafted again.",
            )
        return given[0]


@dataclass(frozen=True)
class Unsigned:
    """One thing that an act signs.

    Attributes:
        kind: `role` or `statement`.
        name: the role, or the last word of the statement's type.
        signers: the role whose holders sign it; None where the act itself found whose key it is.
        payload: the exact bytes.
        documents: what a role's version lists anew, by path.
        aside: what a role's version sets aside.
    """

    kind: str
    name: str
    signers: str | None
    payload: bytes
    documents: Mapping[str, bytes] = field(default_factory=dict)
    aside: tuple[VersionId, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """What an act signs, and all of it in words.

    Attributes:
        warnings: those of the words that whoever drafts is told as well.
    """

    parts: tuple[Unsigned, ...]
    words: tuple[str, ...]
    warnings: tuple[str, ...] = ()
