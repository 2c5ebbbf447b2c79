"""What an export answers, for machines; what people read is made of the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealift_signing.canonical import Json

if TYPE_CHECKING:
    from pathlib import Path

    from sealift_registry.delivery.exports import DraftedBundle, Exported
    from sealift_registry.delivery.preparing import Ready


def exported_data(made: Exported) -> dict[str, Json]:
    """A bundle that was written whole."""
    return {
        "transfer": made.transfer,
        "folder": str(made.folder),
        "files": made.files,
        "bytes": made.size,
        "again": made.again,
        "unprotected": list(made.unprotected),
        "warnings": list(made.warnings),
        **carried_data(made.ready),
    }


def waiting_data(made: DraftedBundle, medium: Path) -> dict[str, Json]:
    """A bundle that waits on `medium` for its signature."""
    return {
        "transfer": made.transfer,
        "medium": str(medium),
        "files": made.files,
        "bytes": made.size,
        "warnings": list(made.warnings),
        **carried_data(made.ready),
    }


def carried_data(ready: Ready) -> dict[str, Json]:
    """What is carried, and what stays at home."""
    load = ready.load
    return {
        "artifacts": [str(path) for path in load.artifacts],
        "left_out": {
            "blobs": len(load.left_out),
            "bytes": sum(load.left_out.values()),
            "base": list(load.base),
        },
        "check_rows": {"files": len(load.contents.checks), "staying": list(load.rows.staying)},
    }
