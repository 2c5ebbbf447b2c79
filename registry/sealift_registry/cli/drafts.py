"""Drafts as files: written for people who sign elsewhere, and read when they come back signed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_registry.cli.cards import read_file
from sealift_signing.drawing import named, pasted, word

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session
    from sealift_registry.cli.signing import Signing
    from sealift_signing.acts.material import Ask
    from sealift_signing.drafts import Draft, RoleVersion


def write_draft(
    session: Session,
    made: Draft,
    ask: Ask,
    how: Signing,
    cards: Sequence[str] = (),
    *,
    then: Sequence[str] = ("sealift submit FILE…",),
    warnings: Sequence[str] = (),
) -> None:
    """Write a draft for people to sign elsewhere, and say how.

    Args:
        session: the command's.
        made: the draft.
        ask: the act.
        how: by the command's options.
        cards: the files of key cards that whoever signs needs as well.
        then: what comes after.
        warnings: what is said of it first.

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
            f"Not opened: {named(how.keys)}. A hub opens nobody's key without --at-hub."
        )
    who = _who(session, made)
    lines = [
        *warnings,
        f"The draft is written to {word(str(path))}; nothing is signed yet.",
        f"{who}, where their key is:",
        f"  {line}",
        "Then, with all that was signed:",
        *(f"  {one}" for one in then),
    ]
    data = {
        "act": ask.act,
        "object": list(ask.object),
        "draft": str(path),
        "sign": line,
        "holders": who,
        "warnings": list(warnings),
    }
    session.terminal.answer("draft", data, lines)


def sign_line(ask: Ask, file: str, cards: Sequence[str] = ()) -> str:
    """The command with which a draft is signed, as it is typed."""
    words = ["sealift-sign", ask.act, *ask.object, file, *ask.options()]
    words += [word for card in cards for word in ("--card", card)]
    return f"{pasted(words)} --key FILE"


def _who(session: Session, made: Draft) -> str:
    """Who signs it, and how many of them."""
    from sealift_registry.trust.repository import Repository
    from sealift_signing import drafts, roles
    from sealift_signing.vocabulary import site_of

    named = [part.name for part in made.parts if part.kind == drafts.ROLE]
    if made.act == "transfer":
        named = [roles.site_role(site_of(made.object[0]))]
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
    from sealift_signing import disk, drafts
    from sealift_signing.errors import SealiftError, UsageError

    if not path.exists():
        return
    try:
        taken = drafts.read(disk.read(path, drafts.LARGEST + 1), what=str(path)).is_signed
    except (SealiftError, OSError):
        taken = True
    if taken:
        raise UsageError(
            "draft-exists",
            f"{path} exists already, and is not a draft without signatures.",
            subject=str(path),
            next_step="Choose another file with --draft.",
        )


def read_signed(name: str) -> Draft | RoleVersion:
    """What a file holds that came back: a signed draft, or a version that somebody remembered.

    Raises:
        MalformedError: it is something else, which is named, or damaged.
    """
    from sealift_signing import drafts
    from sealift_signing.wrong_file import reading

    data = read_file(name)
    with reading(data, name, "draft", "version"):
        return drafts.read_any(data, what=name)
