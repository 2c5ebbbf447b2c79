"""Drafts as files: where one is written, who signs it, and with which command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import disk, drafts, roles
from sealift_signing.acts.material import Ask
from sealift_signing.canonical import Json
from sealift_signing.drafts import Draft
from sealift_signing.drawing import pasted
from sealift_signing.errors import SealiftError, UsageError
from sealift_signing.vocabulary import site_of
from sealift_sync import durable


def write_file(
    hub: Hub,
    made: Draft,
    ask: Ask,
    path: Path,
    cards: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> dict[str, Json]:
    """Write a draft to `path`; what a command answers of it.

    Raises:
        UsageError: something else is there.
        FailedError: it could not be written.
    """
    check_free(path)
    durable.write(path.absolute(), drafts.write(made))
    return {
        "act": ask.act,
        "object": list(ask.object),
        "draft": str(path),
        "sign": sign_line(ask, str(path), cards),
        "holders": _who(hub, made),
        "warnings": list(warnings),
    }


def file_name(ask: Ask) -> str:
    """How a draft is called where nobody gave it a name."""
    words = "-".join((ask.act, *ask.object))
    return f"{re.sub(r'[^A-Za-z0-9._=-]+', '-', words)[:100]}.draft"


def sign_line(ask: Ask, file: str, cards: Sequence[str] = ()) -> str:
    """The command with which a draft is signed, as it is typed."""
    words = ["sealift-sign", ask.act, *ask.object, file, *ask.options()]
    words += [word for card in cards for word in ("--card", card)]
    return f"{pasted(words)} --key FILE"


def check_free(path: Path) -> None:
    """Check that a draft may be written here: over one that nobody signed, and over nothing else.

    Raises:
        UsageError: something else is there.
    """
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


def _who(hub: Hub, made: Draft) -> str:
    """Who signs it, and how many of them."""
    named = [part.name for part in made.parts if part.kind == drafts.ROLE]
    if made.act == "transfer":
        named = [roles.site_role(site_of(made.object[0]))]
    with hub.reading() as connection:
        found = Repository(connection).stored
        for role in named:
            held = roles.keyholders(found.head(roles.delegator(role)).metadata.signed, role)
            return f"{held.threshold} of {', '.join(held.people)} sign it"
    return "Whoever it is of signs it"
