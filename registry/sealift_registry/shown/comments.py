"""Comments on promotions, as they are shown: words that nobody signed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sealift_registry.shown.told import Told, refusal_data, refusal_lines
from sealift_registry.views.comments import Comment
from sealift_registry.views.pages import Page
from sealift_signing.drawing import drawn, word


def told(page: Page[Comment]) -> Told:
    """A page of them."""
    lines = comment_lines(page.rows) or ([] if page.refused else ["Nobody has said anything."])
    lines += refusal_lines(page.refused)
    if page.after is not None:
        lines += ["", f"There may be more: add --beyond {page.after}"]
    data = {
        "comments": comments_data(page.rows),
        "refused": refusal_data(page.refused),
        "beyond": page.after,
    }
    return Told(data, lines, page.refused)


def comment_lines(comments: Iterable[Comment]) -> list[str]:
    """Each on a line of its own, whatever it holds."""
    return [f"  {one.at[:19]}Z {_who(one)}: {drawn(one.text)}" for one in comments]


def _who(one: Comment) -> str:
    """By whom it is: an account, and the person by whose key it is theirs."""
    if one.person in {None, one.account}:
        return word(one.account)
    return f"{word(one.account)} ({word(str(one.person))})"


def comments_data(comments: Iterable[Comment]) -> list[dict[str, Any]]:
    """The same, for machines."""
    return [
        {
            "entry": one.seq,
            "at": one.at,
            "account": one.account,
            "person": one.person,
            "text": one.text,
        }
        for one in comments
    ]
