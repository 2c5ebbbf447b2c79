"""What the newest rows of roles say of themselves, unverified: which of very many to look at first.

To verify two hundred sites' roles takes as long as a command may, and almost all of them are in
order. Nobody is told anything of what is here: it only says which are verified, and in what order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from sealift_registry.storage.queries import begins_with
from sealift_registry.trust.tables import tuf_metadata

_EXPIRES = re.compile(rb'"expires": ?"([0-9TZ:-]{1,40})"')
_KEYID = re.compile(rb'"keyid": ?"([0-9a-f]{1,128})"')
_SHA256 = re.compile(rb'"sha256": ?"([0-9a-f]{64})"')


@dataclass(frozen=True)
class Skimmed:
    """What the newest row of a role seems to say.

    Attributes:
        expires: until when; as TUF spells times, which sort as they follow each other.
        keyids: the ids of the keys that seem to have signed it.
        digests: of what it lists.
    """

    role: str
    expires: str
    keyids: frozenset[str]
    digests: frozenset[str]


def skim(connection: Connection, kind: str) -> Iterator[Skimmed]:
    """The newest row of every role of one kind (`site`, `team`), in no order."""
    t = tuf_metadata
    of_kind = begins_with(t.c.role, f"{kind}.")
    newest = select(t.c.role, func.max(t.c.version).label("version")).where(of_kind)
    last = newest.group_by(t.c.role).subquery()
    there = and_(t.c.role == last.c.role, t.c.version == last.c.version)
    for row in connection.execute(select(t).join(last, there)):
        body = bytes(row.body)
        expires = _EXPIRES.search(body)
        yield Skimmed(
            row.role,
            expires[1].decode() if expires else "",
            frozenset(one.decode() for one in _KEYID.findall(body)),
            frozenset(one.decode() for one in _SHA256.findall(body)),
        )
