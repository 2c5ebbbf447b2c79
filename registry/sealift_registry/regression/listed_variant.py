"""What is listed for a stage, and the rows by which people approved it."""

from __future__ import annotations

from dataclasses import dataclass

from sealift_registry.catalog.catalog import ArtifactRow
from sealift_registry.regression.regression_report import NoMore


@dataclass(frozen=True)
class ListedVariant:
    """A variant that is listed.

    Attributes:
        artifact: the variant.
        goldens: the digest of those on which it was proved, as whoever approved it was shown; None
            where no proof was. What the version has now may be others, and nobody approved by them.
        no_more: other versions that were listed after it, and count no more; the newest first.
    """

    artifact: ArtifactRow
    goldens: str | None
    no_more: tuple[NoMore, ...] = ()
