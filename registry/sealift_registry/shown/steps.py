"""What is missing next."""

from __future__ import annotations

from collections.abc import Sequence

from sealift_registry.guide import Step
from sealift_registry.shown.told import Told


def told(steps: Sequence[Step]) -> Told:
    """A sentence and a command each."""
    lines = [line for step in steps for line in ("", step.sentence, f"  {step.command}")][1:]
    data = {"missing": [{"sentence": s.sentence, "command": s.command} for s in steps]}
    return Told(data, lines or ["Nothing is missing."])
