"""Drafts as files: written for people who sign elsewhere, and read when they come back signed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_registry.cli.cards import read_file
from sealift_signing.drawing import named

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
    from sealift_registry.shown.draft import draft_lines
    from sealift_registry.trust.draft_files import file_name, write_file

    path = Path(how.draft or file_name(ask))
    data = write_file(session.app.hub, made, ask, path, cards, warnings)
    if how.keys:
        session.terminal.note(
            f"Not opened: {named(how.keys)}. A hub opens nobody's key without --at-hub."
        )
    session.terminal.answer("draft", data, draft_lines(data, then))


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
