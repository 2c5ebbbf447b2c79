"""The transfer statement: drafted of one state of the hub, before any file of it is written.

So the gate can refuse before gigabytes are written, and what is signed in the end differs from what
it saw then by the files and the date alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from sealift_registry.delivery import site_records, transfers
from sealift_registry.delivery.bundle_contents import BundleContents
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.trust import hub_drafts
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.hub_drafts import Wanted
from sealift_signing import documents, statements
from sealift_signing.acts.carrying import TRANSFER
from sealift_signing.acts.material import Ask
from sealift_signing.drafts import Draft, encoded
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import CarriedFile, Transfer, subject
from sealift_signing.vocabulary import moment
from sealift_sync.bundle import layout


class TransferSigner(Protocol):
    """Whoever signs a transfer while it is written: the dispatcher, through the gate."""

    @property
    def key(self) -> PublicKey:
        """Their key."""
        ...

    def check(self, draft: Draft, ask: Ask) -> None:
        """Check that it could be signed, signing nothing."""
        ...

    def sign(self, draft: Draft, ask: Ask) -> Draft:
        """It, signed."""
        ...


def unwritten(
    hub: Hub, connection: Connection, site: EnrolledSite, load: BundleContents, transfer: str
) -> Draft:
    """The draft of a transfer of which no file is written yet.

    Raises:
        RefusedError: as the act.
    """
    now = hub.now()
    contents, path = load.contents, documents.assignment_path(site.id)
    about = subject(path, sha256(contents.targets[path]).hexdigest())
    said = Transfer(
        format=1,
        requires=load.requires,
        organisation=site.organisation,
        id=transfer,
        site=site.id,
        enrolment=site.enrolment,
        made=moment(now),
        base=load.base,
        previous=transfers.previous(connection, site, transfer),
        files=(),
        log=contents.log[Path(layout.HUB_CHECKPOINT).name].decode(),
        site_log=site_records.note(connection, site),
    )
    body = statements.payload(said, (about,))
    ask = Ask("transfer", (transfer,))
    return hub_drafts.draft_at(connection, Wanted(ask, parts={TRANSFER: body}), now)


def written(draft: Draft, files: Sequence[CarriedFile], now: datetime) -> Draft:
    """The same, now that `files` are on the medium."""
    part = draft.parts[0]
    said, subjects = statements.read_payload(Transfer, part.data, what="the transfer")
    made = moment(now)
    body = statements.payload(replace(said, files=tuple(files), made=made), subjects)
    return replace(draft, made=made, parts=(replace(part, payload=encoded(body)),))


def ask_of(draft: Draft) -> Ask:
    """The act that a transfer's draft is of."""
    return Ask(draft.act, draft.object, draft.details)
