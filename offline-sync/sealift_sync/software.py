"""What this software is and reads; requests and receipts tell the hub, which writes accordingly."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("sealift-offline-sync")
    except PackageNotFoundError:
        return "unknown"


SOFTWARE = f"sealift-offline-sync {_version()}"
READS = ("transfer:1",)
