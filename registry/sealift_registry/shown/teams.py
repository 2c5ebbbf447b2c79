"""Teams, and who may do what in each."""

from __future__ import annotations

from collections.abc import Sequence

from sealift_registry.shown.told import Told, refusal_data, refusal_lines
from sealift_registry.views.pages import FalseRow
from sealift_registry.views.people import TeamView
from sealift_signing.lists import in_columns


def told(found: Sequence[TeamView], refused: Sequence[FalseRow]) -> Told:
    """All teams."""
    headings = ("team", "person", "status", "keys", "may")
    stewards: list[tuple[str, ...]] = [
        (one.name, who, "active", "", "steward") for one in found for who in one.stewards
    ]
    rows: list[tuple[str, ...]] = [
        (
            one.name,
            person.id,
            person.status,
            ", ".join(sorted({key.key_class for key in person.keys})),
            ", ".join(sorted({use for key in person.keys for use in key.purposes})),
        )
        for one in found
        for person in one.people or ()
    ]
    add = "Add one with: sealift team add NAME --steward CARD …"
    lines = [f"There is no team yet. {add}"]
    if stewards or rows:
        lines = in_columns(headings, sorted(stewards + rows))
    counting = [one for one in found if one.name not in {false.name for false in refused}]
    lines += [
        f"Check rows of team {one.name} "
        f"{'travel with its models' if one.check_rows_travel else 'stay at the hub'}."
        for one in counting
    ]
    data = {
        "stewards": {one.name: list(one.stewards) for one in found},
        "people": [dict(zip(headings, row, strict=True)) for row in rows],
        "check_rows": {one.name: "travel" if one.check_rows_travel else "stay" for one in counting},
        "refused": refusal_data(refused),
    }
    lines += refusal_lines(refused, "who may do what in team {}")
    return Told(data, lines, refused)
