"""What this software is and reads; requests and receipts tell the hub, which writes accordingly."""

from __future__ import annotations

from functools import cache

from sealift_signing import features

READS = features.reads(features.AT_A_SITE)
"""Every kind of document that a site reads, in its formats and with its features."""


SOFTWARE_CHANGED = "software.changed"
"""The entry of a site's log that says what software it has now, and what that reads."""


@cache
def software() -> str:
    """Its name and version. To look that up takes longer than most commands have."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"sealift-offline-sync {version('sealift-offline-sync')}"
    except PackageNotFoundError:
        return "sealift-offline-sync unknown"
