"""What a stranger's exception says, short enough to stand in one of our sentences."""

from __future__ import annotations


def first_line(bad: BaseException) -> str:
    """The first line of what `bad` says, without its full stop; its class where it says nothing."""
    lines = str(bad).strip().splitlines() or [type(bad).__name__]
    return lines[0].strip().rstrip(".:")[:300]
