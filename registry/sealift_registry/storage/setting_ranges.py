"""Which numbers the hub's settings may be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.storage.home import Settings

LONGEST_FRESHNESS = 365
"""Days. Beyond a year a stolen online key would hold a site at something old for too long."""
LONGEST_PROOF = 240
"""Minutes; whoever waits for longer waits for something that hangs."""
LONGEST_RETENTION = 36_500
"""Days."""
MOST_PORTS = 65_535
_RANGES = (
    (
        "delivery",
        "freshness_days",
        LONGEST_FRESHNESS,
        "days",
        "as many days as a medium may be on its way",
    ),
    (
        "conversion",
        "proof_minutes",
        LONGEST_PROOF,
        "minutes",
        "as many minutes as a conversion may take longer",
    ),
    (
        "retention",
        "job_days",
        LONGEST_RETENTION,
        "days",
        "for how many days a job that ended is still shown",
    ),
    ("server", "port", MOST_PORTS, "as a port", "a port that nobody else listens on"),
)
"""Settings that are numbers: the most of each, in which unit, and what to choose."""


def check_ranges(settings: Settings, path: Path) -> None:
    """Check that each setting that is a number is in its range.

    Raises:
        UsageError: one is not.
    """
    for section, name, most, unit, what in _RANGES:
        if not 1 <= getattr(getattr(settings, section), name) <= most:
            raise UsageError(
                "bad-setting",
                f"{section}.{name} in {path} must be 1 to {most:,} {unit}.",
                subject=f"{section}.{name}",
                next_step=f"Choose {what}.",
            )
