"""What is told of jobs over a network, without where on the hub's disk it lies.

A job reads what was sent from a folder in the home, and its arguments, its problems and what it is
at name that. Whoever asks from a desk has no use for it, and learns nothing of the machine. What
was signed is given out in its own bytes, and names no place.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sealift_registry.shown.told import Told
from sealift_registry.trust.hub import Hub
from sealift_registry.web import problems

UPLOADED = r"/uploads/(?:[^/\s]+/){1,2}data/"
"""What stands before the name of a file that was sent (`intake.uploads`)."""
HOME = "HOME"
"""What the home is called instead."""


def told(hub: Hub, found: Told) -> Told:
    """The same in words and for machines."""
    return Told(without(hub, found.data), without(hub, list(found.lines)))


def problem(hub: Hub, found: problems.Problem) -> problems.Problem:
    """The same problem."""
    title, subject, step = without(hub, [found.title, found.subject, found.next])
    return msgspec.structs.replace(found, title=title, subject=subject, next=step)


def without(hub: Hub, value: Any) -> Any:  # noqa: ANN401 - JSON
    """The same, with every text that names the home naming it by no path."""
    root = hub.home.root
    roots = "|".join(sorted({re.escape(str(one)) for one in (root, root.resolve())}))
    return _replaced(re.compile(rf"(?:{roots})(?:{UPLOADED}|(?=[/\\W]|\Z))"), value)


def _replaced(pattern: re.Pattern[str], value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return pattern.sub(lambda found: "" if "/uploads/" in found[0] else HOME, value)
    if isinstance(value, dict):
        return {name: _replaced(pattern, one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(pattern, one) for one in value]
    return value
