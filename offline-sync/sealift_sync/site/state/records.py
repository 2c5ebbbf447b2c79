"""What the database keeps a row of: artifacts, what runs, rollbacks, imported transfers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sealift_signing.vocabulary import CatalogPath


@dataclass(frozen=True, order=True)
class Installed:
    """An artifact that a host group has; `despite` are the withdrawals that its request names."""

    group: str
    path: CatalogPath
    sha256: str
    despite: tuple[str, ...]
    transfer: str
    installed_at: datetime


@dataclass(frozen=True)
class Current:
    """What a host group runs of one model."""

    group: str
    path: CatalogPath
    sha256: str
    since: datetime


@dataclass(frozen=True)
class RolledBack:
    """That people here went back.

    Attributes:
        assigned: the digest of what was assigned then; the rollback holds while it is.
        away_from: the digest of what ran.
    """

    assigned: str
    away_from: str
    reason: str
    made: datetime


@dataclass(frozen=True)
class Imported:
    """A transfer that was imported, and the receipt for it."""

    transfer_sha256: str
    id: str
    made: datetime
    receipt: bytes
