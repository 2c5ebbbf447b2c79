"""A model as it is shown: its newest versions, and which of them is listed for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealift_registry.catalog.page_sizes import USUAL
from sealift_registry.shown import lists
from sealift_registry.shown.told import Told

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.trust.hub import Hub


def told(hub: Hub, connection: Connection, ref: ModelRef) -> Told:
    """All about a model.

    Raises:
        NotFoundError: there is no such model.
    """
    from sealift_registry.catalog.pages import PagePlace

    newest = PagePlace(USUAL, None, newest_first=True)
    asked = lists.Asked(None, ref, None, None, newest)
    page = lists.told(lists.Here(hub, {}), connection, "versions", asked)
    listed = _listed(page.data["versions"])
    lines = list(page.lines)
    if page.data["beyond"] is not None:
        lines[-1] = f"There is more:  sealift list versions --model {ref} --newest-first"
    first = [f"{ref}", *(f"  for {stage:11}  {version}" for stage, version in listed.items())]
    if not listed:
        first.append("  None of its newest versions is listed for a stage.")
    data = {"model": str(ref), "listed": listed, **page.data}
    return Told(data, [*first, "", *lines], page.refused)


def _listed(rows: list[dict[str, Any]]) -> dict[str, str]:
    """By each stage the newest version that is listed for it; the rows begin with the newest."""
    found: dict[str, str] = {}
    for row in rows:
        for stage in row["listed"].split(", "):
            if stage != "-":
                found.setdefault(stage, row["version"])
    return dict(sorted(found.items()))
