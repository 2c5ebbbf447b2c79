"""Refusals from inside of other people's libraries, which wrap whatever goes wrong in theirs."""

from __future__ import annotations

from sealift_signing.errors import RefusedError


class MisledError(RefusedError):
    """A source would have led us where it may not."""


def raise_misled(bad: BaseException) -> None:
    """Raise the MisledError that `bad`, another library's error, was made of, if it was.

    Raises:
        MisledError: it was.
    """
    cause: BaseException | None = bad
    while cause is not None:
        if isinstance(cause, MisledError):
            raise cause from None
        cause = cause.__cause__ or cause.__context__
