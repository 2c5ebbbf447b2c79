"""Models: a list of them, each with the version that was taken in last."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sealift_registry.catalog import pages
from sealift_registry.catalog.filed_page import FiledPage
from sealift_registry.catalog.pages import PagePlace, VersionFilter, VersionHead
from sealift_registry.views.pages import Page, page_rows, told_or_refused


def models(connection: Connection, wanted: VersionFilter, place: PagePlace) -> Page[VersionHead]:
    """A page of models, by their newest versions, as the log has those."""
    heads, after = page_rows(
        place, lambda part: pages.models(connection, wanted, part), lambda head: str(head.ref.of)
    )
    artifacts = pages.artifacts(connection, [head.ref for head in heads])
    filed = FiledPage(connection, heads)

    def row(head: VersionHead) -> VersionHead:
        paths = (str(one.path) for one in artifacts[head.ref])
        return replace(head, made=filed.check(head, paths))

    rows, refused = told_or_refused(heads, row, lambda head: str(head.ref))
    return Page(rows, refused, after)
