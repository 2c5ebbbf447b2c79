"""What a site says that somebody should look at, as it is told over HTTP."""

from __future__ import annotations

from msgspec import Struct


class WentBack(Struct):
    """That somebody at a site had it go back to an earlier version, and why."""

    group: str
    model: str
    before: int
    after: int
    by: str
    at: str
    reason: str


class RefusedThere(Struct):
    """A bundle that a site did not believe, and why not."""

    transfers: list[str]
    code: str
    words: str
    at: str


class HeldThere(Struct):
    """What a site did not install, and why not."""

    group: str
    artifact: str
    code: str
    words: str


class LogSeen(Struct):
    """How far a site's log was seen."""

    size: int
    words: str
