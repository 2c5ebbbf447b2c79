"""Transfers whose draft is out being signed, kept so that the same draft is given again.

Two drafts of one transfer differ by their times, and a signature on one is of no use to the other.
What is kept decides nothing: it is given to whoever signs, who verifies it, and to nobody else.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.delivery import transfers
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.jobs.records import said_before
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.signed_log import Data
from sealift_signing import drafts, statements
from sealift_signing.acts.carrying import TRANSFER
from sealift_signing.drafts import Draft
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Subject, Transfer
from sealift_signing.vocabulary import site_of
from sealift_sync import durable

FOLDER = "waiting"


@dataclass(frozen=True)
class UnsignedTransfer:
    """A transfer that waits on `medium` for its signature, with the draft that was given out."""

    medium: Path
    draft: Draft
    transfer: Transfer
    subjects: tuple[Subject, ...]

    def about(self, path: str, digest: str) -> bool:
        """Whether it carries just this under `path`."""
        return any((one.name, one.sha256) == (path, digest) for one in self.subjects)


def keep(hub: Hub, medium: Path, draft: Draft) -> None:
    """Remember the draft of a transfer that lies on `medium`, and of its site no other.

    Raises:
        FailedError: it could not be written.
    """
    said = {"medium": str(medium.absolute()), "draft": drafts.write(draft).decode()}
    path = _file(hub, draft.object[0])
    durable.write(path, json.dumps(said).encode())
    for other in path.parent.glob("*.json"):
        if other != path and site_of(other.stem) == site_of(path.stem):
            forget(hub, other.stem)


def forget(hub: Hub, transfer: str) -> None:
    """It waits no more: it was recorded, or another took its place."""
    with suppress(OSError):
        _file(hub, transfer).unlink(missing_ok=True)


def kept(hub: Hub, transfer: str) -> UnsignedTransfer | None:
    """What waits as `transfer`; None where nothing that can be read is kept of it."""
    try:
        found = json.loads(_file(hub, transfer).read_bytes())
        draft = drafts.read(found["draft"].encode(), what=transfer)
        part = draft.part(TRANSFER)
        if part is None:
            return None
        said, subjects = statements.read_payload(Transfer, part.data, what=transfer)
        return UnsignedTransfer(Path(found["medium"]), draft, said, tuple(subjects))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SealiftError):
        return None


def draft_file(hub: Hub, site: str) -> Path:
    """Where the draft for a site is written that nobody named a file for."""
    return hub.home.root / FOLDER / f"{site}.draft"


def newest(hub: Hub, connection: Connection, site: EnrolledSite) -> UnsignedTransfer | None:
    """What waits for `site`: its newest transfer, where that is of its enrolment and not signed."""
    found = transfers.newest(connection, site)
    if found is None or found.body is not None or found.enrolment != site.enrolment:
        return None
    return kept(hub, found.id)


def begun_by_this_job(hub: Hub, transfer: str) -> bool:
    """Whether an attempt at the job that is at work began it, and was ended after its draft."""

    def ours(said: Data) -> bool:
        return said.get("transfer") == transfer

    with hub.reading() as connection:
        return said_before(hub, connection, (transfers.BEGUN,), ours) is not None


def _file(hub: Hub, transfer: str) -> Path:
    return hub.home.root / FOLDER / f"{transfer}.json"
