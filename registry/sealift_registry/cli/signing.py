"""How what people sign comes to be: a draft that they take with them, or a signature made here.

The hub opens no person's key. A command that needs signatures writes a draft and says who signs it
and how. With `--at-hub` the keys that `--key` names are opened here all the same, through the same
gate and with the memory of whoever runs the command; whoever owns this machine then has them, and
the log says that it was so. Two exceptions need no `--at-hub`: a hub for one person, and the
dispatcher, whose signature is no wall (DESIGN section 3).
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command

if TYPE_CHECKING:
    from securesystemslib.signer import Signer
    from sqlalchemy import Connection

    from sealift_registry.cli.terminal import Terminal
    from sealift_registry.trust.drafting import Wanted
    from sealift_registry.trust.submitting import Accepted
    from sealift_signing.acts.asking import Ask, Other
    from sealift_signing.desk.signing import Desk
    from sealift_signing.drafts import Draft, Version
    from sealift_signing.past import Confirmation

    Already = Callable[[Connection, Draft, frozenset[str] | None], Accepted | None]

F = TypeVar("F", bound=Callable[..., Any])

AT_HUB = (
    "Sign here, with the keys that --key names. A passphrase typed at the hub is the hub's: "
    "whoever owns this machine has these keys from then on, and the log says so."
)


@dataclass(frozen=True)
class Signing:
    """How a command is to be signed, by its options.

    Attributes:
        keys: the keys that are opened here, if at all.
        at_hub: they are.
        draft: where the draft is written; empty for a name made of the act.
        over: files of versions that are to be set aside.
        confirm: digests that were typed beforehand.
        asks: all is shown and a yes is asked for before it is signed here, also of somebody alone.
    """

    keys: tuple[str, ...]
    at_hub: bool
    draft: str
    over: tuple[str, ...]
    confirm: tuple[str, ...]
    asks: bool = False


def signing_options(help_text: str, *, over: bool = True) -> Callable[[F], F]:
    """The options of a command whose outcome is signed; the function is given one `Signing`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def run(*args: object, **given: Any) -> object:  # noqa: ANN401 - as click gives them
            how = Signing(
                tuple(given.pop("keys")),
                given.pop("at_hub"),
                given.pop("draft") or "",
                tuple(given.pop("over", ())),
                tuple(given.pop("confirm")),
            )
            return function(*args, how=how, **given)

        options = [
            click.option("--draft", metavar="FILE", help="Write the draft to FILE."),
            click.option("--key", "keys", metavar="FILE", multiple=True, help=help_text),
            click.option("--at-hub", is_flag=True, help=AT_HUB),
            click.option(
                "--confirm",
                metavar="DIGEST",
                multiple=True,
                help="With --at-hub: what would be asked for, typed beforehand.",
            ),
        ]
        if over:
            aside = "A version that the new one sets aside: a signed draft, or what was lost."
            options.append(
                click.option("--over", metavar="FILE", multiple=True, help=aside),
            )
        wrapped: Any = run
        for option in reversed(options):
            wrapped = option(wrapped)
        decorated: F = wrapped
        return decorated

    return decorate


def carry_out(
    session: Session,
    wanted: Wanted,
    how: Signing,
    cards: Sequence[str] = (),
    *,
    own: bool = False,
    already: Already | None = None,
) -> Accepted | None:
    """Draft `wanted`, and sign and submit it here, where that is meant.

    Args:
        session: the command's.
        wanted: the act.
        how: by the command's options.
        cards: the files of key cards that whoever signs needs as well.
        own: the command may sign here without `--at-hub`: the dispatcher's.
        already: what is said where the draft says only what is published, and just now.

    Returns:
        What came of it; None where a draft was written, and the user was told.
    """
    from sealift_registry.trust.drafting import draft
    from sealift_signing.public_key import PublicKey

    hub, here = session.app.hub, signs_here(session, how, own=own)
    signers = session.signers(how.keys) if here else []
    keyids = frozenset(PublicKey.from_tuf(one.public_key).keyid for one in signers)
    with hub.reading() as connection:
        made = draft(hub, connection, wanted)
        unchanged = (already or unchanged_of)(connection, made, keyids if here else None)
    if unchanged is not None:
        hub.copy_metadata()  # an earlier run may have been killed before it did
        return unchanged
    if here:
        signed = sign_here(session, made, wanted.ask, signers, how, cards)
        return session.app.submit(signed, at_hub=True)
    write_draft(session, made, wanted.ask, how, cards)
    return None


def others(files: Sequence[str]) -> tuple[Other, ...]:
    """What `--over` names: signed drafts, or versions that somebody remembered."""
    from sealift_signing import drafts, publishing
    from sealift_signing.acts.asking import Other

    found = []
    for name in files:
        one = _read_signed(name)
        if isinstance(one, drafts.Version):
            listed = {d.path: drafts.decoded(d.data) for d in one.documents}
            found.append(Other(one.role, drafts.decoded(one.data), listed))
            continue
        for part in one.parts:
            if part.kind == drafts.ROLE:
                listed = {d.path: drafts.decoded(d.data) for d in part.documents}
                data = publishing.to_bytes(drafts.to_metadata(part))
                found.append(Other(part.name, data, listed))
    return tuple(found)


def unchanged_of(
    connection: Connection, made: Draft, keyids: frozenset[str] | None
) -> Accepted | None:
    """What is said where a draft would publish what is published already, and just now."""
    from sealift_registry.trust.drafting import is_published
    from sealift_registry.trust.submitting import Accepted
    from sealift_signing import drafts
    from sealift_signing.vocabulary import moment

    if not is_published(connection, made, keyids):
        return None
    (part,) = (one for one in made.parts if one.kind == drafts.ROLE)
    signed = drafts.to_metadata(part).signed
    sentence = f"{part.name} was signed so within the hour, and stays."
    data = {"role": part.name, "version": signed.version - 1, "expires": moment(signed.expires)}
    return Accepted(new=False, sentence=sentence, data=data)


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
            "To sign at the hub takes keys, and none is named.",
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
    from sealift_registry.trust.drafting import check_enough
    from sealift_signing.public_key import PublicKey

    solo = is_solo(session)
    desk = desk_at_hub(session, how)
    # Who is alone has no colleague whose card could be another's.
    own = _cards_of(made) if solo else [_read(name) for name in cards]
    if how.at_hub and not solo:
        session.terminal.note(f"Signing at the hub. {AT_HUB}")
    with session.app.hub.reading() as connection:
        check_enough(connection, made, [PublicKey.from_tuf(one.public_key) for one in signers])
    made = desk.unfinished(made, ask, signers)
    for signer in signers:
        made = desk.sign(made, ask, signer, own)
    return made


def _cards_of(made: Draft) -> list[bytes]:
    """The key cards that a draft carries."""
    from sealift_signing import drafts, statements
    from sealift_signing.statements import KeyCard

    found = map(drafts.decoded, made.statements)
    kind = KeyCard.PREDICATE_TYPE
    return [one for one in found if statements.predicate_type(one, what="a statement") == kind]


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
    memory = None if solo else Memory.located(session.environment)
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
        """All words, a line each."""
        if not self._quiet:
            self._terminal.note("\n".join(words))

    def typed(self, confirmation: Confirmation) -> str | None:
        """What was typed beforehand, or is typed now; None where nobody can be asked."""
        from sealift_signing.gate import is_typed

        given = next((one for one in self._confirm if is_typed(one, confirmation)), None)
        if given is not None or not self._terminal.interactive:
            return given
        self._terminal.note(confirmation.what)
        answer: str = click.prompt("Type it", err=True)
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


def write_draft(
    session: Session,
    made: Draft,
    ask: Ask,
    how: Signing,
    cards: Sequence[str] = (),
    *,
    then: Sequence[str] = ("sealift submit FILE…",),
) -> None:
    """Write a draft for people to sign elsewhere, and say how; `then` is what comes after.

    Raises:
        UsageError: something else is there.
    """
    from sealift_signing import drafts
    from sealift_sync import durable

    path = draft_path(ask, how)
    durable.write(path.absolute(), drafts.write(made))
    line = sign_line(ask, str(path), cards)
    if how.keys:
        session.terminal.note(
            f"{', '.join(how.keys)}: not opened. A hub opens nobody's key without --at-hub."
        )
    who = _who(session, made)
    text = "\n".join(
        [
            f"The draft is written to {path}; nothing is signed yet.",
            f"{who}, where their key is:",
            f"  {line}",
            "Then, with all that was signed:",
            *(f"  {one}" for one in then),
        ]
    )
    data = {
        "act": ask.act,
        "object": list(ask.object),
        "draft": str(path),
        "sign": line,
        "holders": who,
    }
    session.terminal.answer("draft", data, text)


def sign_line(ask: Ask, file: str, cards: Sequence[str] = ()) -> str:
    """The command with which a draft is signed, as it is typed."""
    words = ["sealift-sign", ask.act, *ask.object, file]
    for name, given in ask.details.items():
        words += [word for value in given for word in (f"--{name}", value)]
    words += [word for card in cards for word in ("--card", card)]
    return f"{shlex.join(words)} --key FILE"


def _who(session: Session, made: Draft) -> str:
    """Who signs it, and how many of them."""
    from sealift_registry.trust.repository import Repository
    from sealift_signing import drafts, roles

    named = [part.name for part in made.parts if part.kind == drafts.ROLE]
    if made.act == "transfer":
        named = [roles.site_role(made.object[0].rpartition("-")[0])]
    with session.app.hub.reading() as connection:
        found = Repository(connection).stored
        for role in named:
            held = roles.keyholders(found.head(roles.delegator(role)).metadata.signed, role)
            return f"{held.threshold} of {', '.join(held.people)} sign it"
    return "Whoever it is of signs it"


def draft_path(ask: Ask, how: Signing) -> Path:
    """Where a draft is written.

    Raises:
        UsageError: something else is there.
    """
    path = Path(how.draft or _name(ask))
    check_free(path)
    return path


def _name(ask: Ask) -> str:
    words = "-".join((ask.act, *ask.object))
    return f"{re.sub(r'[^A-Za-z0-9._=-]+', '-', words)[:100]}.draft"


def check_free(path: Path) -> None:
    """Check that a draft may be written here: over one that nobody signed, and over nothing else.

    Raises:
        UsageError: something else is there.
    """
    from sealift_signing import drafts
    from sealift_signing.errors import SealiftError, UsageError

    if not path.exists():
        return
    try:
        taken = drafts.read(path.read_bytes(), what=str(path)).is_signed
    except (SealiftError, OSError):
        taken = True
    if taken:
        raise UsageError(
            "draft-exists",
            f"{path} exists already, and is no draft without signatures.",
            subject=str(path),
            next_step="Choose another file with --draft.",
        )


@command(sealift, "submit", example="sealift submit add-approver-vision-carla.anna.signed *.signed")
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.option("--medium", metavar="DIR", help="Of a transfer: the medium it was written to.")
def submit(session: Session, *, files: Sequence[str], medium: str | None) -> None:
    """Take in what people signed.

    FILE is a draft that somebody signed, or a version that this hub lost and somebody's memory gave
    back. Copies of one draft are joined; who carried them decides nothing.
    """
    from sealift_registry.trust.submitting import together, with_fingerprint
    from sealift_signing import drafts

    read = [(name, _read_signed(name)) for name in files]
    signed = [one for _, one in read if isinstance(one, drafts.Draft)]
    done: list[Accepted] = [
        session.app.take_back(one) for _, one in read if isinstance(one, drafts.Version)
    ]
    each = together(signed)
    for one in each[1:]:
        if one.parts[0].kind != drafts.ROLE:
            continue  # what people say themselves is never the same
        names = ", ".join(name for name, other in read if other == one) or "another file"
        session.terminal.note(
            f"{names} is signed over other bytes than {files[0]}: it is another draft."
        )
    done += [with_fingerprint(session.app.hub, _submitted(session, one, medium)) for one in each]
    data = {"submitted": [{"new": one.new, **one.data} for one in done]}
    session.terminal.answer("submit", data, "\n".join(one.sentence for one in done))


def _submitted(session: Session, draft: Draft, medium: str | None) -> Accepted:
    if draft.act != "transfer" or medium is None:
        return session.app.submit(draft, at_hub=False)
    with session.terminal.stages() as stage:
        return session.app.finish(draft, Path(medium), stage)


def _read(name: str, step: str = "Give the file that sealift-sign wrote.") -> bytes:
    from sealift_signing.drafts import LARGEST
    from sealift_sync.bundle.medium import read_named

    return read_named(Path(name), LARGEST, next_step=step)


def _read_signed(name: str) -> Draft | Version:
    from sealift_signing import drafts
    from sealift_signing.errors import MalformedError

    try:
        return drafts.read_any(_read(name), what=name)
    except MalformedError as bad:
        bad.next_step = bad.next_step or "Give a file that sealift-sign wrote, as it was written."
        raise


_MAKE_CARD = "Give a key card; its owner makes it with: sealift key card PERSON --key FILE"


def read_cards(files: Sequence[str]) -> tuple[tuple[str, bytes], ...]:
    """Key cards from their files, each with its owner.

    Raises:
        UsageError: one is a public key: a key enters a document by its owner's card alone.
        RefusedError: one is damaged, or not signed with its own key.
    """
    from sealift_signing import statements
    from sealift_signing.acts.asking import check_card
    from sealift_signing.errors import MalformedError, UsageError
    from sealift_signing.statements import KeyCard

    found = []
    for name in files:
        try:
            data = _read(name, _MAKE_CARD)
            if b"PRIVATE KEY" in data:
                raise UsageError(
                    "private-key-given",
                    f"{name} is a private key; only a card that was made with it belongs here.",
                    subject=name,
                    next_step=f"Keep {name} to its owner, who makes a card: sealift key card "
                    "PERSON --key FILE",
                )
            card = statements.read(KeyCard, data, what=f"the key card {name}")
        except MalformedError as bad:
            raise UsageError(
                "no-card",
                f"{name} is no key card; a key enters a document only by a card that its owner "
                "signed with it.",
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
