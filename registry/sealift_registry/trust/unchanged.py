"""Whether a draft says only what is published already: a command that is run again adds nothing.

A command can be cut after it was written to the log and before it said so. Whoever runs it again
means the same change and not a second one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection
from tuf.api.metadata import Metadata

from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import stored
from sealift_signing import drafts, version_links
from sealift_signing.drafts import ROLE, Draft

JUST_NOW = timedelta(hours=1)
"""A role that was signed so long ago, or less, is not signed again for its lifetime's sake."""


class UnchangedError(Exception):
    """There is nothing to publish, and so there is nothing to log."""


def check_changes(connection: Connection, change: Change) -> None:
    """Check, within an action of the log's writer, that `change` says anything new.

    Raises:
        UnchangedError: every role of it stands published as it is there, and was signed just now.
    """
    repository = Repository(connection)
    for role, metadata in change.metadata.items():
        before = repository.base(role)
        if before is None or not _same(before, metadata, frozenset(metadata.signatures)):
            return
    raise UnchangedError


def is_published(connection: Connection, made: Draft, keyids: frozenset[str] | None = None) -> bool:
    """Whether a draft says only what is published already, and was signed just now.

    Whoever names other keys than those whose ids are given means to have it signed by those.
    """
    found = stored(connection)
    parts = [part for part in made.parts if part.kind == ROLE]
    return bool(parts) and all(
        found.has(part.name)
        and not found.is_superseded(part.name)
        and _same(found.head(part.name).metadata, drafts.to_metadata(part), keyids)
        for part in parts
    )


def _same(before: Metadata[Any], after: Metadata[Any], keyids: frozenset[str] | None) -> bool:
    """Whether `after`, signed by these keys, or by whichever, is `before` once more."""
    if keyids is not None and keyids != set(before.signatures):
        return False  # by other keys: perhaps because those of before do not count any more
    # Also the other way: who signs for a shorter time means it.
    gained: timedelta = after.signed.expires - before.signed.expires
    at_once = abs(gained) <= JUST_NOW
    return at_once and _said(before) == _said(after) and not _sets_aside(before, after)


def _said(metadata: Metadata[Any]) -> dict[str, Any]:
    """What a version says, but for its number, its end and what it follows."""
    own = {"version", "expires", version_links.FIELD}
    return {name: value for name, value in metadata.signed.to_dict().items() if name not in own}


def _sets_aside(before: Metadata[Any], after: Metadata[Any]) -> bool:
    """Whether `after` sets aside what `before`, which it follows or would replace, did not."""
    past, follows = version_links.follows_of(before.signed), version_links.follows_of(after.signed)
    known = set(past.set_aside) if past else set()
    return follows is not None and not known.issuperset(follows.set_aside)
