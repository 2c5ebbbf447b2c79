"""People who sign what the hub drafts, each through the gate; they remember nothing.

What a signer's memory adds is tested where memories are (tests/signing, tests/desk).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from securesystemslib.signer import Signer
from sqlalchemy import Connection
from tuf.api.metadata import Metadata

from sealift_registry.app import App
from sealift_registry.trust import drafting, submitting, teams
from sealift_registry.trust.drafting import Wanted
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import stored
from sealift_registry.trust.submitting import Accepted
from sealift_signing import documents, gate, publishing, roles, shape
from sealift_signing.acts.asking import Ask
from sealift_signing.documents import Members
from sealift_signing.drafts import Draft, decoded
from sealift_signing.public_key import PublicKey


def sign(draft: Draft, ask: Ask, signers: Iterable[Signer], now: datetime) -> Draft:
    """Each signs, and brings every key card."""
    cards = [sha256(decoded(one)).hexdigest() for one in draft.statements]
    for signer in signers:
        key = PublicKey.from_tuf(signer.public_key)
        draft = gate.sign(gate.examine(draft, ask, None, now, key, cards), signer)
    return draft


def carry_out(app: App, wanted: Wanted, signers: Sequence[Signer]) -> Accepted | None:
    """From draft to submission; None where it is published so already."""
    hub = app.hub
    with hub.reading() as connection:
        made = drafting.draft(hub, connection, wanted)
        keyids = frozenset(PublicKey.from_tuf(one.public_key).keyid for one in signers)
        if drafting.is_published(connection, made, keyids):
            return None
    return app.submit(sign(made, wanted.ask, signers, hub.now()), at_hub=True)


def draft_renewal(
    connection: Connection, role: str, signers: Sequence[Signer], now: datetime
) -> Change:
    """A signed renewal, to be published by a test itself."""
    wanted = teams.renewal(role)
    made = drafting.draft_at(connection, wanted, now)
    return submitting.change_of(connection, sign(made, wanted.ask, signers, now))


def sign_members(
    connection: Connection, members: Members, signers: Sequence[Signer], now: datetime
) -> Change:
    """Whatever list the stewards sign, with or without an act of that kind."""
    role, found = roles.team_role(members.team), stored(connection)
    data = shape.write(members)
    expires = publishing.expiry(now, Repository(connection).lifetime(role))
    before = found.base(role).metadata if found.rows.newest(role) else None
    metadata: Metadata[Any] = (
        publishing.following(before, expires=expires)
        if before
        else publishing.first_targets(expires=expires)
    )
    path = documents.members_path(members.team)
    publishing.list_document(metadata.signed, path, data)
    publishing.sign(metadata, signers)
    publishing.check_publishable(metadata, role, found.head(roles.TARGETS).metadata.signed)
    return Change({role: metadata}, {path: data})
