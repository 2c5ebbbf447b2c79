"""A signature made at the hub: the keys that `--key` names, through the same gate as elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sealift_registry.cli.cards import cards_of, read_file
from sealift_signing.drawing import named

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from sealift_registry.cli.session import Session
    from sealift_registry.cli.signing import Signing
    from sealift_registry.cli.terminal import Terminal
    from sealift_signing.acts.material import Ask
    from sealift_signing.desk.signing import Desk
    from sealift_signing.drafts import Draft
    from sealift_signing.gate_history import Confirmation

AT_HUB = (
    "Sign here, with the keys that --key names. A passphrase typed at the hub is the hub's: "
    "whoever owns this machine has these keys from then on, and the log says so."
)


def signs_here(session: Session, how: Signing, *, own: bool) -> bool:
    """Whether a command signs here, by its options.

    Raises:
        UsageError: it is to, and no key is named.
    """
    from sealift_signing.errors import UsageError

    solo = is_solo(session)
    if how.at_hub and not (how.keys or solo):
        raise UsageError(
            "key-needed",
            "Signing at the hub takes keys, and none is named.",
            next_step="Name each with --key FILE.",
        )
    return how.at_hub or solo or (own and bool(how.keys))


def sign_here(
    session: Session,
    made: Draft,
    ask: Ask,
    signers: Sequence[Signer],
    how: Signing,
    cards: Sequence[str] = (),
) -> Draft:
    """`made` signed by each of `signers`, through the gate.

    The memory is that of whoever runs the command; a hub for one person has none, for whoever owns
    it has the one key.
    """
    from sealift_registry.trust.hub_drafts import check_enough
    from sealift_signing.public_key import PublicKey

    solo = is_solo(session)
    desk = desk_at_hub(session, how)
    # Who is alone has no colleague whose card could be another's.
    own = cards_of(made) if solo else [read_file(name) for name in cards]
    if how.at_hub and not solo:
        session.terminal.note(_given_away(how.keys))
    with session.app.hub.reading() as connection:
        keys = [PublicKey.from_tuf(one.public_key) for one in signers]
        check_enough(connection, made, keys, at_hub=how.at_hub)
    made = desk.unfinished(made, ask, signers)
    for signer in signers:
        made = desk.sign(made, ask, signer, own, anew=how.anew)
    return made


def _given_away(keys: Sequence[str]) -> str:
    """What signing here means, at the moment that it happens."""
    them = "it" if len(keys) == 1 else "them"
    return (
        f"Now opened on this machine, to sign here: {named(keys)}. Whoever owns the machine can "
        f"sign anything with {them} from now on. The log will say that this was signed at the hub."
    )


def is_solo(session: Session) -> bool:
    """Whether the hub is for one person alone, by the policy that is signed."""
    from sealift_registry.trust.repository import Repository

    with session.app.hub.reading() as connection:
        return Repository(connection).stored.is_solo


def desk_at_hub(session: Session, how: Signing) -> Desk:
    """Where somebody signs at the hub.

    A dispatcher is told nothing that the command does not say anyway.
    """
    from sealift_signing.desk.signing import Desk
    from sealift_signing.memory import Memory

    solo = is_solo(session)
    memory = None if solo else Memory.located(session.environment, session.terminal.note)
    quiet = (solo or not how.at_hub) and not how.asks
    talk = AtHub(session.terminal, how.confirm, quiet=quiet, asks=how.asks)
    return Desk(memory, session.app.hub.now, talk)


class AtHub:
    """What whoever signs at the hub is shown and asked."""

    def __init__(
        self, terminal: Terminal, confirm: Sequence[str], *, quiet: bool, asks: bool = False
    ) -> None:
        self._terminal = terminal
        self._confirm = list(confirm)
        self._quiet = quiet
        self._asks = asks

    def show(self, words: Sequence[str]) -> None:
        """All words, a line each; at least those that stand before all others."""
        from sealift_signing.more_member import LOOK

        first = [text for text in words if text.startswith(LOOK)]
        self._terminal.note(first if self._quiet else words)

    def typed(self, confirmation: Confirmation) -> str | None:
        """What was typed beforehand, or is typed now; None where nobody can be asked."""
        from sealift_signing.desk.cli.terminal import TYPED
        from sealift_signing.gate import is_typed

        given = next((one for one in self._confirm if is_typed(one, confirmation)), None)
        if given is not None or not self._terminal.interactive:
            return given
        self._terminal.note(f"{confirmation.what} {confirmation.where}")
        answer: str = click.prompt(TYPED, err=True)
        return answer

    def agree(self, question: str) -> bool:
        """Naming the act with `--at-hub`, or as the only person, is consent; else a yes is.

        Raises:
            UsageError: a yes was asked for, and not given.
        """
        from sealift_signing.errors import UsageError

        if not self._asks or self._terminal.ask(question):
            return True
        raise UsageError(
            "nothing-signed",
            "Nothing was signed.",
            next_step="Answer yes, or give --yes where nobody can be asked.",
        )
