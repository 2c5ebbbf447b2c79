"""Mallory again, who changes what people are asked to sign: the hub's rows, and the drafts.

He invents somebody, enters them among a team's people without any steward's signature, and waits
for a routine renewal. The hub's own programs refuse the row; so he writes drafts with his own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from sqlalchemy import insert

from sealift_registry.app import App, open_app
from sealift_registry.trust import hub_drafts, teams
from sealift_registry.trust.stored import stored
from sealift_registry.trust.tables import tuf_document, tuf_metadata
from sealift_signing import drafts, publishing, roles
from sealift_signing.desk.cards import make_card
from sealift_signing.drafts import CarriedRole, Draft, DraftPart, encoded


def forge(home: Path, team: str, invented: str, into: Mapping[str, Path]) -> None:
    """Enter `invented` among the approvers of `team`, in rows and in two drafts of its renewal.

    Args:
        home: of the stolen hub.
        team: whose list is forged.
        invented: somebody whom nobody knows.
        into: where the draft goes that stands on the forged list (`forged`), and the one that
            stands on the real list, and has the forged one signed (`swapped`).
    """
    role = roles.team_role(team)
    with _opened(home) as app, app.hub.reading() as connection:
        base = stored(connection).head(role).metadata
        renewal = hub_drafts.draft(app.hub, connection, teams.renewal(role))
        card = (invented, _card(invented, app.hub.now()))
        entering = hub_drafts.draft(app.hub, connection, teams.approver(team, card))
    (part,) = entering.parts
    unsigned = publishing.to_bytes(drafts.to_metadata(part))
    base.signatures.clear()
    _insert(home, role, base.signed.version + 1, unsigned, part)
    _write(into["forged"], _standing_on(renewal, role, unsigned, part))
    _write(into["swapped"], replace(renewal, parts=(part,)))


def _card(invented: str, now: datetime) -> bytes:
    return make_card(invented, CryptoSigner.generate_ed25519(), "file", now)


def _insert(home: Path, role: str, version: int, body: bytes, part: DraftPart) -> None:
    """The rows, behind the hub's back."""
    with _opened(home) as app, app.hub.engine.begin() as connection:
        row = {"role": role, "version": version, "body": body}
        connection.execute(insert(tuf_metadata).values(**row))
        for one in part.documents:
            data = drafts.decoded(one.data)
            named = {"path": one.path, "sha256": sha256(data).hexdigest(), "body": data}
            connection.execute(insert(tuf_document).values(**named))


def _standing_on(draft: Draft, role: str, forged: bytes, part: DraftPart) -> Draft:
    """`draft` with the forged list as what it stands on."""
    there = tuple(
        CarriedRole(role, encoded(forged), one.lineage) if one.role == role else one
        for one in draft.roles
    )
    kept = {one.path: one for one in (*draft.documents, *part.documents)}
    return replace(draft, roles=there, documents=tuple(kept.values()))


def _write(path: Path, draft: Draft) -> None:
    path.write_bytes(drafts.write(draft))


@contextmanager
def _opened(home: Path) -> Iterator[App]:
    app = open_app(home, {})
    try:
        yield app
    finally:
        app.close()
