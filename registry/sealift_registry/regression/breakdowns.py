"""Whose doing it is that a comparison found nothing, and whether that is an answer."""

from __future__ import annotations

from collections.abc import Iterator

from sealift_registry.regression.regression_report import Broke, RegressionReport, Side


def no_answer(said: RegressionReport) -> str:
    """Why it compares nothing, where that may be the candidate's own doing; empty where it is not.

    Whoever asks could have their model break off on the rows on which it is wrong. That the listed
    version does is nobody's fault who asks.
    """
    if said.listed is None:
        return ""
    for nothing, broke, on in _sets(said, said.listed):
        if broke in CANDIDATES:
            return f"this version breaks down on {on}"
        if nothing == "broke-down" and broke is None:
            return f"it broke down on {on}, and whose doing it is was not found out"
    return ""


CANDIDATES = ("candidate", "both")
"""Who broke down, where the candidate did."""


def _sets(said: RegressionReport, listed: Side) -> Iterator[tuple[str | None, Broke | None, str]]:
    """Of both sets of rows why nothing was found, whose doing it is, and which they are."""
    rows = said.proved_by
    if rows is not None:
        yield (
            rows.nothing,
            rows.broke,
            f"the golden rows by which version {listed.version} was approved",
        )
    yield said.nothing, said.broke, "its own golden rows"


def breaks_down(said: RegressionReport, listed: Side) -> Iterator[str]:
    """On which rows the candidate does, which nobody may overlook."""
    why = None if said.proved_by is None else said.proved_by.why
    reasons = (why, said.why) if said.proved_by is not None else (said.why,)
    for (_, broke, on), reason in zip(_sets(said, listed), reasons, strict=True):
        if broke in CANDIDATES:
            both = f", and so does version {listed.version}" if broke == "both" else ""
            because = f": {reason.rstrip('.')}" if reason else ""
            yield f"This version BREAKS DOWN on {on}{both}{because}. NOT COMPARED on them."
