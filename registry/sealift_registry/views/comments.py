"""Comments on promotions, as the log has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.audit.page_query import PageBounds
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.promotion.comments import COMMENTED
from sealift_registry.views import log_entries
from sealift_registry.views.pages import Page
from sealift_signing.transparency.entry import Term
from sealift_signing.transparency.question import Question


@dataclass(frozen=True)
class Comment:
    """What somebody said of a promotion.

    Attributes:
        seq: the number of its entry.
        account: under which name they were signed in.
        person: whose key they had proved; None: nobody's.
    """

    seq: int
    at: str
    account: str
    person: str | None
    text: str


def comments(connection: Connection, number: int, place: PageBounds) -> Page[Comment]:
    """A page of the comments on a promotion, each as the log's key signed it.

    Raises:
        NotFoundError: there is no such promotion.
        FailedError: the log is not the one that was signed.
    """
    Catalog(connection).promotion(number)
    question = Question(type=COMMENTED, terms=(Term("promotion", promotion_id(number)),))
    page = log_entries.page(connection, question, place)
    rows = []
    for seq, entry in page.rows:
        said = entry.data if isinstance(entry.data, Mapping) else {}
        person = said.get("person")
        rows.append(
            Comment(
                seq,
                entry.at,
                entry.actor,
                None if person is None else str(person),
                str(said.get("text", "")),
            )
        )
    return Page(tuple(rows), page.refused, page.after)
