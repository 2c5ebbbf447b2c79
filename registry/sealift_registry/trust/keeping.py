"""Keeping a version that is published: for ever, or until the next one.

What people sign is kept for ever. Of what the hub signs by itself, each listing makes a whole
catalog and snapshot anew: were all of them kept, they would grow with the square of the listings.
Nothing reads a superseded one, so its body goes, in the transaction that supersedes it; its number
and digest stay, for the log's entries to be compared with.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert
from tuf.api.metadata import Metadata

from sealift_registry.trust.tables import tuf_metadata, tuf_online, tuf_online_body
from sealift_signing import publishing, roles, version_links


def keep(connection: Connection, role: str, metadata: Metadata[Any]) -> None:
    """Add a version of `role`; of a role of the hub's own, take away the bodies below it."""
    row = {"role": role, "version": metadata.signed.version}
    body = publishing.to_bytes(metadata)
    if not roles.is_online(role):
        connection.execute(insert(tuf_metadata).values(**row, body=body))
        return
    connection.execute(insert(tuf_online).values(**row, sha256=version_links.digest(metadata)))
    t = tuf_online_body
    connection.execute(insert(t).values(**row, body=body))
    below = delete(t).where(t.c.role == role, t.c.version < metadata.signed.version)
    connection.execute(below)
