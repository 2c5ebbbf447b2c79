"""A person as they are shown."""

from __future__ import annotations

from typing import Any

from sealift_registry.views.people import PersonView


def person_lines(view: PersonView) -> list[str]:
    """Every office that somebody holds, in words."""
    several = len({one.key.raw for one in view.offices}) > 1
    lines = [f"{view.person}, {'several keys' if several else 'one key'}"]
    for one in view.offices:
        lines += [f"  {one.name}", f"    with the key {one.key.keyid[:12]}"]
    return lines


def person_data(view: PersonView) -> dict[str, Any]:
    """The same, for machines."""
    return {
        "person": view.person,
        "offices": [
            {"office": one.name, "place": one.place, "keyid": one.key.keyid} for one in view.offices
        ],
    }
