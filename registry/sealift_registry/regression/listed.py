"""What is listed for a stage, and the rows by which people approved it."""

from __future__ import annotations

from dataclasses import dataclass

from sealift_registry.catalog.catalog import ArtifactRow


@dataclass(frozen=True)
class Listed:
    """A variant that is listed.

    Attributes:
        artifact: the variant.
        goldens: the digest of those on which it was proved, as whoever approved it was shown; None
            where no proof was. What the version has now may be others, and nobody approved by them.
    """

    artifact: ArtifactRow
    goldens: str | None
