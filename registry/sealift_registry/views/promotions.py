"""Promotions: a list of them, and all about one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sealift_registry.catalog import pages
from sealift_registry.catalog.pages import Place, PromotionFilter
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.promotion import comparison_checks
from sealift_registry.promotion.status import Counted, Counting, PromotionStatus, status_of
from sealift_registry.views.pages import Page, cut, each


@dataclass(frozen=True)
class PromotionView:
    """All about a promotion.

    Attributes:
        stale: what is told first of its comparisons: they are old, or its request leaves them out.
    """

    status: PromotionStatus
    stale: tuple[str, ...]


def promotions(
    connection: Connection, now: datetime, wanted: PromotionFilter, place: Place
) -> Page[Counted]:
    """A page of promotions, each as its approvals count now; its evidence is not looked at."""
    rows, after = cut(
        place,
        lambda part: pages.promotion_rows(connection, wanted, part),
        lambda row: promotion_id(row.number),
    )
    requests, counting = pages.Requests(connection, rows), Counting(connection, now)

    def counted(row: pages.AnyRow) -> Counted:
        promotion = requests.promotion(row)
        return counting.counted(promotion, requests.approvals(promotion.number))

    told, refused = each(rows, counted, lambda row: promotion_id(row.number))
    return Page(told, refused, after)


def promotion(connection: Connection, now: datetime, number: int) -> PromotionView:
    """All about one promotion.

    Raises:
        NotFoundError: there is none of that number.
        RefusedError: the hub lacks something that its request names, or has something else.
    """
    found = status_of(connection, number, now)
    return PromotionView(found, stale(connection, now, found))


def stale(connection: Connection, now: datetime, found: PromotionStatus) -> tuple[str, ...]:
    """What is told first of the comparisons of a promotion that is not listed yet."""
    if found.listed:
        return ()
    made = found.promotion
    held = comparison_checks.current_listing(
        connection, lambda state, number: status_of(state, number, now), made.ref, made.stage
    )
    return tuple(comparison_checks.stale(found.vouched, held))


def signer_of(found: PromotionStatus, digest: str) -> str | None:
    """The machine of ours that signed a piece of evidence; None where none did."""
    machines: Mapping[str, str] = found.machines
    return machines.get(digest)
