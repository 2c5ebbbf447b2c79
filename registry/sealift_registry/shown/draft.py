"""A draft that was written, as it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sealift_signing.drawing import word


def draft_lines(made: Mapping[str, Any], then: Sequence[str]) -> list[str]:
    """Where it lies, who signs it and how; and what comes after."""
    return [
        *made["warnings"],
        f"The draft is written to {word(made['draft'])}; nothing is signed yet.",
        f"{made['holders']}, where their key is:",
        f"  {made['sign']}",
        "Then, with all that was signed:",
        *(f"  {one}" for one in then),
    ]
