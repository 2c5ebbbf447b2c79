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
from sealift_signing import links

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
    before = {role: repository.base(role) for role in change.metadata}
    if all(_same(before[role], metadata) for role, metadata in change.metadata.items()):
        raise UnchangedError


def _same(before: Metadata[Any] | None, after: Metadata[Any]) -> bool:
    if before is None or said(before) != said(after) or sets_aside(before, after):
        return False
    if set(before.signatures) != set(after.signatures):
        return False  # by other keys: perhaps because those of before do not count any more
    # Also the other way: who signs for a shorter time means it.
    gained: timedelta = after.signed.expires - before.signed.expires
    return abs(gained) <= JUST_NOW


def said(metadata: Metadata[Any]) -> dict[str, Any]:
    """What a version says, but for its number, its end and what it follows."""
    own = {"version", "expires", links.FIELD}
    return {name: value for name, value in metadata.signed.to_dict().items() if name not in own}


def sets_aside(before: Metadata[Any], after: Metadata[Any]) -> bool:
    """Whether `after` sets aside what `before`, which it follows or would replace, did not."""
    past, follows = links.follows_of(before.signed), links.follows_of(after.signed)
    known = set(past.set_aside) if past else set()
    return follows is not None and not known.issuperset(follows.set_aside)
