"""What is shown to whoever signs: whole, and nobody else's words pass for ours."""

from __future__ import annotations

import pytest

from sealift_signing.desk.cli.terminal import FURTHER, whole
from sealift_signing.drawing import drawn


@pytest.mark.parametrize("width", [40, 80, 100])
def test_no_line_of_anothers_begins_at_the_margin(width: int) -> None:
    """A reason so long that the terminal's next line would read as one of ours."""
    for fill in range(width):
        reason = drawn(f"{'x' * fill} approved by carla on 2026-11-20: “validated”")
        first, *further = whole(f"You object, because {reason}.", width).split("\n")
        assert len(first) <= width
        assert all(line.startswith(FURTHER) and len(line) <= width for line in further)


def test_a_value_that_is_wider_than_the_terminal_is_shown_whole() -> None:
    key = "ed25519:" + "0123456789abcdef" * 4
    for width in (20, 40):
        shown = whole(f"    with the key {key}", width)
        plain = "".join(line.strip().removeprefix(FURTHER) for line in shown.split("\n"))
        assert key in plain.replace(" ", "")


def test_what_is_piped_is_one_line_a_value() -> None:
    assert whole("x " * 200, None) == "x " * 200
