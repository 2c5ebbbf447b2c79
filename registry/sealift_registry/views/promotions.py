"""Promotions: a list of them, and all about one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sealift_registry.audit.page_query import PageBounds
from sealift_registry.catalog import pages
from sealift_registry.catalog.pages import PagePlace, PromotionFilter
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.promotion import comparison_checks
from sealift_registry.promotion.status import Counted, Counting, PromotionStatus, status_of
from sealift_registry.views.comments import Comment, comments
from sealift_registry.views.pages import FalseRow, Page, page_rows, told_or_refused

MOST_COMMENTS = 20
"""That are told with a promotion; the log has the others, too."""


@dataclass(frozen=True)
class PromotionView:
    """All about a promotion.

    Attributes:
        stale: what is told first of its comparisons: they are old, or its request leaves them out.
        comments: what people said of it last, the oldest first.
        older_comments: whether they said more before.
        untold_comments: those of the last that are not what was signed.
    """

    status: PromotionStatus
    stale: tuple[str, ...]
    comments: tuple[Comment, ...] = ()
    older_comments: bool = False
    untold_comments: tuple[FalseRow, ...] = ()


def promotions(
    connection: Connection, now: datetime, wanted: PromotionFilter, place: PagePlace
) -> Page[Counted]:
    """A page of promotions, each as its approvals count now; its evidence is not looked at."""
    rows, after = page_rows(
        place,
        lambda part: pages.promotion_rows(connection, wanted, part),
        lambda row: promotion_id(row.number),
    )
    requests, counting = pages.Requests(connection, rows), Counting(connection, now)

    def counted(row: pages.AnyRow) -> Counted:
        promotion = requests.promotion(row)
        return counting.counted(promotion, requests.approvals(promotion.number))

    told, refused = told_or_refused(rows, counted, lambda row: promotion_id(row.number))
    return Page(told, refused, after)


def promotion(connection: Connection, now: datetime, number: int) -> PromotionView:
    """All about one promotion.

    Raises:
        NotFoundError: there is none of that number.
        RefusedError: the hub lacks something that its request names, or has something else.
    """
    found = status_of(connection, number, now)
    told_first = comparison_checks.stale_lines(
        connection, lambda state, other: status_of(state, other, now), found
    )
    said = comments(connection, number, PageBounds(MOST_COMMENTS, None, newest_first=True))
    older = said.after is not None
    last = tuple(reversed(said.rows))
    return PromotionView(found, tuple(told_first), last, older, said.refused)
