"""What an operator does next where a version did not start, or a runtime answers otherwise.

It is the last that a command says: whoever reads no more than that knows how to go on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sealift_signing.drawing import pasted
from sealift_sync.cli import telling

if TYPE_CHECKING:
    from sealift_sync.site.running.activation import Activation
    from sealift_sync.site.running.choices import Place

MENDED = "Next: mend what is named, then:"


def try_again(places: Collection[Place]) -> None:
    """What to do where a new version was not switched to."""
    for place in places:
        words = ("sealift-site", "activate", place.model, "--group", place.group)
        telling.say(f"{MENDED} {pasted([*words, '--reason', 'what was mended'])}")


def not_switched(activations: Collection[Activation]) -> list[Place]:
    """Where a new version was not switched to."""
    return [one.place for one in activations if one.outcome == "switched-back"]


def ask_again(failed: Mapping[Place, int | None]) -> None:
    """What to do where what runs is answered otherwise than it must.

    Args:
        failed: the places, and the version that a rollback would go to in each.
    """
    if not failed:
        return
    words = ["sealift-site", "check"]
    if len(failed) == 1:
        (place,) = failed
        words += [place.model, "--group", place.group]
    telling.say(f"{MENDED} {pasted(words)}")
    for place, fallback in failed.items():
        if fallback is not None:
            back = pasted(["sealift-site", "rollback", place.model, "--group", place.group])
            telling.say(f"Or go back: {back} --reason TEXT")
