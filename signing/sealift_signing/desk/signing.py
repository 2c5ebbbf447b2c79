"""One signature, from the draft to the memory.

    (1) what was signed before is given out again, from memory
    (2) the gate examines the draft
    (3) what was verified is remembered, whether it is signed or not; what must be typed, once it is
    (4) all words are shown
    (5) what must be typed is typed, and the person agrees
    (6) the bytes that were shown are signed, and kept in memory before they go anywhere

Nothing is read again between (2) and (6): if the memory was changed meanwhile, nothing is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol, cast

from securesystemslib.signer import Signer

from sealift_signing import canonical, drafts, gate, statements
from sealift_signing.acts import closed_list, names
from sealift_signing.acts.material import Ask, Carried
from sealift_signing.approvals import LARGEST_LEAD
from sealift_signing.drafts import Draft, DraftFiles, decoded
from sealift_signing.errors import RefusedError
from sealift_signing.gate import ExaminedDraft
from sealift_signing.gate_history import Confirmation
from sealift_signing.memory import Memory, not_trusted
from sealift_signing.organisation import Organisation
from sealift_signing.organisation_memory import OrganisationMemory, SignedOnce
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard, Request
from sealift_signing.vocabulary import instant, moment

ALONE = (
    "ALONE: what is known here began from what a hub shows, and was compared with nobody's. Take a "
    "colleague's in: sealift-sign learn FILE --colleague"
)
LOG_FACTS = ("log-origin", "log-size", "log-root")
"""Facts that differ whenever a request is drafted again, and are not what it asks for."""


class Talk(Protocol):
    """How a person is told things, and asked."""

    def show(self, words: Sequence[str]) -> None:
        """Show all of it, a line for each."""
        ...

    def typed(self, confirmation: Confirmation) -> str | None:
        """What the person typed where they were asked for this; None where nobody can be asked."""
        ...

    def agree(self, question: str) -> bool:
        """Whether the person says yes."""
        ...


@dataclass
class Desk:
    """Where somebody signs.

    Attributes:
        memory: what they remember; None where one key is everything anyway (solo).
        clock: the time here.
        talk: how they are asked.
    """

    memory: Memory | None
    clock: Callable[[], datetime]
    talk: Talk

    def sign(
        self,
        draft: Draft,
        ask: Ask,
        signer: Signer,
        cards: Sequence[bytes] = (),
        *,
        anew: bool = False,
    ) -> Draft:
        """`draft` with a signature more, of the act `ask` and nothing else.

        Args:
            draft: as it was read.
            ask: the act, as the person names it.
            signer: their key.
            cards: key cards that they have from the owners themselves.
            anew: sign a statement though one was signed before for the same request.

        Raises:
            NotFoundError: its organisation is not trusted here.
            RefusedError: it must not be signed, or the person did not agree.
        """
        key, ask = PublicKey.from_tuf(signer.public_key), _as_drafted(ask, draft)
        known = self._known(draft)
        before = None if anew or known is None else self._before(known, draft, ask, key)
        if before is not None:  # (1)
            return self._told(before)
        now = self.clock()
        found = gate.examine(draft, ask, known, now, key, _digests(draft, cards))  # (2)
        if self.memory is not None:
            known = self.memory.remember(found, _source(ask), now)  # (3)
        alone = (ALONE,) if known is not None and known.alone else ()
        self.talk.show((*_behind(known, now), *found.words, *alone))  # (4)
        self._agree(found)  # (5)
        return self._told(self._sign(found, signer, known, now, anew=anew))  # (6)

    def _told(self, signed: Draft) -> Draft:
        words = closed_list.after(signed)
        if words:
            self.talk.show(words)
        return signed

    def check(self, draft: Draft, ask: Ask, signer: Signer) -> None:
        """Check that `draft` could be signed so, and sign nothing: before work that takes hours.

        Raises:
            NotFoundError, RefusedError: as `sign`.
        """
        key = PublicKey.from_tuf(signer.public_key)
        gate.examine(draft, ask, self._known(draft), self.clock(), key)

    def unfinished(self, draft: Draft, ask: Ask, signers: Sequence[Signer]) -> Draft:
        """What these keys signed that says the same but for its dates, unpublished; or `draft`.

        A process that is cut between signing and publishing would else sign a second content.
        """
        keyids = {PublicKey.from_tuf(one.public_key).keyid for one in signers}
        known = self.memory.known(draft.organisation) if self.memory else None
        for one, kept in self._signed(known, ask) if known else ():
            if one.settled or one.keyid not in keyids:
                continue
            same = list(map(_undated, kept.parts)) == list(map(_undated, draft.parts))
            if same and self._is_open(kept):
                return kept
        return draft

    def _signed(self, known: OrganisationMemory, ask: Ask) -> Iterator[tuple[SignedOnce, Draft]]:
        """What was signed of just this act, with its options, the newest first.

        Spelled out, two acts may read alike: a reason may hold the words of an option.
        """
        if self.memory is None:
            return
        for one in reversed(known.signed):
            if one.act == str(ask):  # looked at first, so that not all files have to be read
                kept = self.memory.draft(known, one)
                if Ask(kept.act, kept.object, dict(kept.details)) == replace(
                    ask, details=dict(ask.details)
                ):
                    yield one, kept

    def _is_open(self, kept: Draft) -> bool:
        return self.clock() - instant(kept.made) < gate.OLDEST

    def _known(self, draft: Draft) -> OrganisationMemory | None:
        """What is known of the draft's organisation; None only in solo, where nothing has to be."""
        if self.memory is not None:
            known = self.memory.known(draft.organisation)
            if known is None:
                raise not_trusted(draft.organisation)
            return known
        if not Organisation(DraftFiles(draft), former=True).is_solo:
            raise not_trusted(draft.organisation)
        return None

    def _before(
        self, known: OrganisationMemory, draft: Draft, ask: Ask, key: PublicKey
    ) -> Draft | None:
        """What this key signed for the same act before, out of the memory."""
        found = ((one, kept) for one, kept in self._signed(known, ask) if one.keyid == key.keyid)
        if names.act(ask).own:
            same = ((one, kept) for one, kept in found if same_matter(kept, draft))
        else:
            wanted = [part.digest for part in draft.parts]
            same = (
                (one, drafts.join((draft, kept))[0])
                for one, kept in found
                if wanted and wanted == [part.digest for part in kept.parts]
            )
        for one, kept in same:
            if names.act(ask).own:
                self._check_not_ahead(one, kept)
            self.talk.show((again_words(one),))
            return kept
        return None

    def _check_not_ahead(self, one: SignedOnce, kept: Draft) -> None:
        """What was signed by a clock that was ahead is refused by every hub and site until then.

        Raises:
            RefusedError: it was.
        """
        now = self.clock()
        for part in kept.parts:
            made = _made(part)
            if instant(made) - now > LARGEST_LEAD:
                raise RefusedError(
                    "signed-ahead",
                    f"You signed this already ({one.digest[:12]}), with the date {made}; the clock "
                    f"here says {moment(now)}. Until then it counts nowhere.",
                    subject=made,
                    next_step="If the clock here is right now, sign another, with this date: add "
                    "--anew. If not, set the clock.",
                )

    def _agree(self, found: ExaminedDraft) -> None:
        for one in found.confirm:
            typed = self.talk.typed(one)
            if typed is None or not gate.is_typed(typed, one):
                raise _not_confirmed(one)
        if not self.talk.agree(f"Sign this: {found.ask.drawn}?"):
            raise RefusedError(
                "not-agreed",
                "You did not agree, so nothing was signed.",
                subject=str(found.ask),
                next_step="If something is wrong with it, tell whoever drafted it.",
            )

    def _sign(
        self,
        found: ExaminedDraft,
        signer: Signer,
        known: OrganisationMemory | None,
        now: datetime,
        *,
        anew: bool,
    ) -> Draft:
        if self.memory is None:
            return gate.sign(found, signer)
        key = PublicKey.from_tuf(signer.public_key)
        with self.memory.hold():
            newest = self._known(found.draft)
            if newest is not None and not anew:
                # The same command may run twice at once; the other one was faster.
                before = self._before(newest, found.draft, found.ask, key)
                if before is not None:
                    return before
            if newest != known:
                raise RefusedError(
                    "memory-changed",
                    "Something else was signed or learned here while you read this, so nothing "
                    "was signed.",
                    subject=str(found.ask),
                    next_step="Run the command again.",
                )
            signed = gate.sign(found, signer)
            self.memory.remember(replace(found, confirm=()), _source(found.ask), now)  # (3)
            self.memory.keep_signed(found, signed, key, now)
            return signed


def _as_drafted(ask: Ask, draft: Draft) -> Ask:
    return names.as_drafted(ask, draft.object, draft.details)


def _behind(known: OrganisationMemory | None, now: datetime) -> tuple[str, ...]:
    """What is told where the clock here is behind what was signed by it."""
    newest = max((instant(one.signed) for one in known.signed), default=now) if known else now
    if newest - now <= LARGEST_LEAD:
        return ()
    here, then = moment(now)[:16], moment(newest)[:16]
    words = (
        f"THE CLOCK here says {here}, and you signed something at {then}: one of the two was "
        "wrong. Look at another clock before you sign."
    )
    return (words,)


def _undated(part: drafts.DraftPart) -> object:
    """What a part says, but for its dates."""
    if part.kind == drafts.ROLE:
        said = drafts.to_metadata(part).signed.to_dict()
        return {name: one for name, one in said.items() if name != "expires"}
    value = cast("Mapping[str, Any]", canonical.decode(part.data, what="a statement"))
    predicate = {name: one for name, one in value["predicate"].items() if name != "made"}
    return (value["subject"], predicate)


def _made(part: drafts.DraftPart) -> str:
    """The date that a person's own statement bears."""
    value = cast("Mapping[str, Any]", canonical.decode(part.data, what="a statement"))
    return str(value["predicate"]["made"])


def _source(ask: Ask) -> str:
    return f"a draft of {ask.act}"


def same_matter(kept: Draft, draft: Draft) -> bool:
    """Whether a statement that was signed is about what `draft` is about: the same request."""
    return not draft.parts and _matter(kept) == _matter(draft)


def _matter(draft: Draft) -> tuple[object, ...]:
    carried = Carried([decoded(one) for one in draft.statements])
    requests = tuple(one.sha256 for one in carried.of_kind(Request))
    facts = {name: given for name, given in draft.facts.items() if name not in LOG_FACTS}
    return (draft.act, draft.object, facts, requests or draft.statements)


def again_words(one: SignedOnce) -> str:
    """What is said where something is given out again."""
    return f"You signed this on {one.signed[:10]} ({one.digest[:12]}); it is given out again."


def _digests(draft: Draft, cards: Sequence[bytes]) -> list[str]:
    """The digests of cards that the person has, each of which the draft must carry.

    Raises:
        RefusedError: it carries another card, or none, of that owner.
    """
    carried = {sha256(decoded(one)).hexdigest() for one in draft.statements}
    digests = []
    for data in cards:
        card = statements.read(KeyCard, data, what="the key card")
        if card.sha256 not in carried:
            raise RefusedError(
                "card-not-carried",
                f"The draft does not go by the key card of {card.predicate.owner} that you have.",
                subject=card.predicate.owner,
                next_step="Do not sign it. Have it drafted again with that card.",
            )
        digests.append(card.sha256)
    return digests


def _not_confirmed(one: Confirmation) -> RefusedError:
    return RefusedError(
        "not-typed",
        f"{one.what} What was typed is neither its eight words nor all of its 64 digits, so "
        "nothing was signed.",
        subject=one.digest if not one.is_card else "card",
        next_step=one.where,
    )
