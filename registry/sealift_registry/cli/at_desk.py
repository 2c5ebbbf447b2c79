"""What is signed at a desk of what a hub's server drafts, and handed in there, in one go.

Nothing of the server's is believed: the draft goes through the gate of whoever signs, with their
own memory, and the words that they read are computed from the bytes that they then sign. What the
server adds in words is shown as the server's.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift_registry.cli.cards import read_file
from sealift_registry.cli.remote import without_schema
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import SealiftError, UsageError

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session
    from sealift_registry.cli.signing import Signing
    from sealift_registry.client.hub import Submitted
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask
    from sealift_signing.drafts import Draft
    from sealift_signing.public_key import PublicKey

NOT_ENOUGH = "not-signed-enough"
"""The code with which a server refuses what more people are to sign."""


def carry_out(
    session: Session,
    asked: Asked,
    how: Signing,
    cards: Sequence[str] = (),
    *,
    compares: str = "",
) -> None:
    """Have the server draft an act; sign it here and hand it in, where a key is named.

    Args:
        session: the command's.
        asked: the act, and what it brings.
        how: by the command's options.
        cards: the files of key cards, which whoever signs has from their owners.
        compares: what the server compares before it drafts, in words.

    Raises:
        UsageError: it is to be signed at the hub.
        NotFoundError: the draft's organisation is not trusted here.
        RefusedError: the gate, or whoever signs, refuses it; or the server what was signed.
        FailedError: the server could not be asked.
    """
    from sealift_registry.client.hub import Submitted

    check_here(how)
    hub = session.remote
    steps = session.terminal.steps(compares, counted=False) if compares else nullcontext(_silent)
    with steps as told:
        told(" ".join(asked.ask.object), 0, 0)
        found = hub.draft(
            asked.ask,
            cards=asked.cards,
            aside=asked.aside,
            request=asked.request,
            any_software=asked.any_software,
            other_keys=asked.other_keys,
        )
    if isinstance(found, Submitted):
        _tell_unchanged(session, found)
    elif how.keys:
        signed, key = sign(session, found.draft, asked.ask, how, cards, warnings=found.warnings)
        _hand_in(session, signed, key, asked.ask, how, cards)
    else:
        write_draft(session, found.draft, asked.ask, how, cards, found.warnings)


def check_here(how: Signing) -> None:
    """Check that nothing is to be signed at the hub.

    Raises:
        UsageError: it is.
    """
    if how.at_hub:
        raise UsageError(
            "at-hub-from-desk",
            "--at-hub signs on the hub's machine, and --server is asked from another.",
            subject="--at-hub",
            next_step="Leave --at-hub out: what --key names is opened here, and nowhere else.",
        )


def sign(
    session: Session,
    draft: Draft,
    ask: Ask,
    how: Signing,
    cards: Sequence[str] = (),
    *,
    warnings: Sequence[str] = (),
) -> tuple[Draft, PublicKey]:
    """`draft` signed with each key that was named, if it is the act `ask` and nothing else.

    Returns:
        It, and the last of the keys.

    Raises:
        NotFoundError: its organisation is not trusted here.
        RefusedError: it must not be signed, or the person did not agree.
    """
    from sealift_signing.desk.cli.terminal import Asking, Terminal
    from sealift_signing.desk.signing import Desk
    from sealift_signing.memory import Memory, not_trusted
    from sealift_signing.public_key import PublicKey

    memory = Memory.located(session.environment, session.terminal.note)
    if memory.known(draft.organisation) is None:
        raise not_trusted(draft.organisation)  # before a passphrase is asked for
    own = [read_file(name) for name in cards]
    signers = session.signers(how.keys)
    shown = Terminal(as_json=session.terminal.as_json)
    talk = Asking(shown, how.confirm, (), yes=how.yes)
    talk.show([f"The server says: {one}" for one in warnings])
    desk = Desk(memory, session.now, talk)
    draft = desk.unfinished(draft, ask, signers)
    for signer in signers:
        draft = desk.sign(draft, ask, signer, own, anew=how.anew)
    return draft, PublicKey.from_tuf(signers[-1].public_key)


def bind_account(session: Session, account: str, key: str | None, *, yes: bool) -> None:
    """Prove to the server whose an account there is: by a key, here; or by a draft, elsewhere.

    Raises:
        RefusedError: the gate, the person or the server refuses it.
    """
    from sealift_registry.cli.signing import Signing
    from sealift_signing.acts.material import Ask

    how = Signing((key,) if key else (), at_hub=False, draft="", over=(), confirm=(), yes=yes)
    ask = Ask("bind-account", (account, str(session.server)))
    found = session.remote.binding_draft()
    if not key:
        write_draft(session, found.draft, ask, how, (), found.warnings)
        return
    signed, _ = sign(session, found.draft, ask, how, warnings=found.warnings)
    tell(session, hand_in(session, signed))


def hand_in(session: Session, signed: Draft) -> Submitted:
    """Hand in what was signed, where its act is taken in."""
    from sealift_signing import drafts

    data, hub = drafts.write(signed), session.remote
    if signed.act == "transfer":
        return hub.submit_transfer(" ".join(signed.object), data)
    return hub.bind(data) if signed.act == "bind-account" else hub.submit(data)


def tell(session: Session, done: Submitted) -> None:
    """What a server says became of what was handed in."""
    data = {
        "submitted": [{**without_schema(done.data), "new": done.new}],
        "left_out": list(done.left_out),
        "refused": [],
    }
    session.terminal.answer("submit", data, (*done.left_out, *done.lines))


def _silent(_subject: str, _done: int, _total: int) -> None:
    """Nothing is compared."""


def _tell_unchanged(session: Session, done: Submitted) -> None:
    """That the server drafts nothing: it says that what was asked for stands."""
    first = "Nothing was signed. The server says that it stands already:"
    lines = tuple(f"  {one}" for one in done.lines)
    tell(session, replace(done, new=False, lines=(first, *lines)))


# ---------------------------------------------------------------------- when more have to sign


def _hand_in(
    session: Session, signed: Draft, key: PublicKey, ask: Ask, how: Signing, cards: Sequence[str]
) -> None:
    """Hand in what was signed; where more people are to sign it, write it for the next."""
    from sealift_registry.trust.draft_files import file_name
    from sealift_signing.desk.cli.acts import signer_name

    try:
        done = hand_in(session, signed)
    except SealiftError as bad:
        if bad.code != NOT_ENOUGH:
            raise
        who = signer_name(signed, key)
        path = Path(how.draft or f"{Path(file_name(ask)).stem}.{who}.signed")
        _write_signed(session, signed, ask, path, cards, bad.what)
        return
    tell(session, done)


def _write_signed(
    session: Session, signed: Draft, ask: Ask, path: Path, cards: Sequence[str], why: str
) -> None:
    """Write what too few have signed so far, and say how it goes on."""
    from sealift_signing import drafts
    from sealift_signing.desk.files import write_new

    write_new(path, drafts.write(signed))
    said = _about(signed, ask, path, cards)
    lines = [
        f"Signed, and written to {word(str(path))}; more people are to sign it.",
        f"  {why}",
        f"{said['holders']}. Who signs next, where their key is:",
        f"  {said['sign']}",
        *_then(session),
    ]
    session.terminal.answer("draft", {**said, "warnings": [why]}, lines)


def write_draft(
    session: Session,
    made: Draft,
    ask: Ask,
    how: Signing,
    cards: Sequence[str],
    warnings: Sequence[str],
) -> None:
    """Write a draft for people to sign elsewhere, and say how."""
    from sealift_registry.trust.draft_files import check_free, file_name
    from sealift_signing import drafts
    from sealift_sync import durable

    path = Path(how.draft or file_name(ask))
    check_free(path)
    durable.write(path.absolute(), drafts.write(made))
    said = _about(made, ask, path, cards)
    lines = [
        *(f"The server says: {one}" for one in warnings),
        f"The draft is written to {word(str(path))}; nothing is signed yet.",
        f"{said['holders']}, where their key is:",
        f"  {said['sign']}",
        *_then(session),
    ]
    session.terminal.answer("draft", {**said, "warnings": list(warnings)}, lines)


def _then(session: Session) -> list[str]:
    """What comes after, in lines."""
    where = [] if session.server is None else ["--server", str(session.server)]
    return ["Then, with all that was signed:", f"  sealift submit FILE… {pasted(where)}".rstrip()]


def _about(made: Draft, ask: Ask, path: Path, cards: Sequence[str]) -> dict[str, Any]:
    """What is told of a file, as the hub tells it."""
    from sealift_registry.trust.draft_files import sign_line

    return {
        "act": ask.act,
        "object": list(ask.object),
        "draft": str(path),
        "sign": sign_line(ask, str(path), cards),
        "holders": _holders(made),
    }


def _holders(made: Draft) -> str:
    """Who signs it by the documents that it carries, and how many of them."""
    from sealift_signing import drafts, roles
    from sealift_signing.organisation import Organisation

    organisation = Organisation(drafts.DraftFiles(made), former=True)
    for part in made.parts:
        if part.kind == drafts.ROLE:
            owner = organisation.head(roles.delegator(part.name)).metadata.signed
            held = roles.keyholders(owner, part.name)
            return f"{held.threshold} of {', '.join(held.people)} sign it"
    return "Whoever it is of signs it"
