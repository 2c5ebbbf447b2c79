"""What came of an ingestion, as it is shown: when it was waited for, and later as a job's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealift_signing.drawing import word


def ingested_lines(made: Mapping[str, Any]) -> list[str]:
    """The version that it became, and what is still missing of it."""
    aliases, goldens = made["aliases"], made.get("goldens")
    state = "is new" if made["new"] else "was here already; nothing was added"
    if not made["new"] and aliases:
        state = f"was here already; now also known as {', '.join(map(word, aliases))}"
    if made.get("restored"):
        state = "had been discarded, and is here again"
    lines = [
        f"{made['version']} {state} ({word(made['source'])}, {made['format']}).",
        f"  source record  {made['source_record'][:12]}",
        f"  goldens        {goldens[:12] if goldens else 'none yet'}",
    ]
    if "goldens_words" in made:
        lines.append(f"                 {made['goldens_words']}")
    if not goldens:
        lines.append("  Next: ingest it again with --goldens FILE.npz, which converting needs.")
    return lines
