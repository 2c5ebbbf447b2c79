"""Which numbers the hub's settings may be, and which variables say any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def check_variables(
    prefix: str, sections: Mapping[str, Sequence[str]], environment: Mapping[str, str]
) -> None:
    """Check that each variable that looks like a setting is one.

    A misspelt variable is a setting not in force; a site's own variables are none of ours.

    Raises:
        UsageError: one is none.
    """
    known = {
        f"{prefix}{name}__{setting}".upper()
        for name, settings in sections.items()
        for setting in settings
    }
    ours = tuple(f"{prefix}{name}__".upper() for name in sections)
    for variable in sorted(environment):
        if variable.startswith(ours) and variable not in known:
            raise UsageError(
                "unknown-setting",
                f"The environment sets {variable}, which is not a setting.",
                subject=variable,
                next_step="Check its spelling in docs/reference/settings.md, or unset it.",
            )
