"""Errors as they are answered: RFC 9457's problems, with Sealift's own codes.

One table says which error is which status. Nothing else does.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping
from typing import Any

import msgspec

from sealift_registry.storage.database import says_full
from sealift_registry.web import refusals, request_ids
from sealift_signing import events
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
ERRORS = f"{refusals.PAGE}/errors"
"""Where the server lists its codes."""

NO_ROOM = 507
DEEPEST = 8
"""Causes that are followed."""

BY_CODE: Mapping[str, int] = {
    "signed-out": 401,
    "sign-in-failed": 401,
    "no-invitation": 401,
    "forbidden": 403,
    "cross-site": 403,
    "wrong-password": 403,
    "browser-needs-tls": 403,
    "not-bound": 403,
    "token-without-scope": 403,
    "no-such-resource": 404,
    "method-not-allowed": 405,
    "not-acceptable": 406,
    "once-other-body": 409,
    "once-under-way": 409,
    "once-answer-lost": 409,
    "body-too-slow": 408,
    "changed-since": 412,
    "body-too-large": 413,
    "wrong-media-type": 415,
    "content-coding": 415,
    "bad-body": 422,
    "if-match-needed": 428,
    "too-many-requests": 429,
    "sign-in-throttled": 429,
    "unknown-expectation": 417,
    "head-too-large": 431,
    "client-gone": 499,
    "server-unexpected": 500,
    "unknown-coding": 501,
    "unexpected": 500,
    "database-full": 507,
    "blobs-full": 507,
    "disk-full": 507,
}
"""The status of an error by its code, where its kind alone does not tell."""
BY_KIND: tuple[tuple[type[SealiftError], int], ...] = (
    (UsageError, 400),
    (MalformedError, 400),
    (NotFoundError, 404),
    (FailedError, 503),
    (RefusedError, 409),
)
"""The status of any other, by its kind; the first that fits."""


class Place(msgspec.Struct):
    """Where in what was sent something is wrong, and what."""

    where: str
    what: str


class Problem(msgspec.Struct, omit_defaults=False):
    """Why something was not done (RFC 9457).

    Attributes:
        type: what this kind of problem is, as an address of this server.
        title: one sentence: what happened.
        status: the status of the answer.
        code: which never changes for this kind of problem.
        subject: the thing that it is about; may be empty.
        next: what to do now.
        request: the id of the request, by which the server's log tells more.
        places: where in what was sent something is wrong.
    """

    type: str
    title: str
    status: int
    code: str
    subject: str
    next: str
    request: str
    places: list[Place] = []


def status_of(error: SealiftError) -> int:
    """The status of an answer that tells of `error`."""
    if error.code in BY_CODE:
        return BY_CODE[error.code]
    if _has_no_room(error):
        return NO_ROOM
    return next((status for kind, status in BY_KIND if isinstance(error, kind)), 409)


def _has_no_room(error: SealiftError) -> bool:
    """Whether it comes of a disk that is full, or a quota: as a disk or a database says it."""
    cause = error.__cause__
    for _ in range(DEEPEST):
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return True
        if isinstance(cause, SealiftError) and BY_CODE.get(cause.code) == NO_ROOM:
            return True
        if cause is None or says_full(cause):
            return cause is not None
        cause = cause.__cause__
    return False


def problem(error: SealiftError) -> Problem:
    """What is answered of `error`."""
    places = getattr(error, "places", ())
    return Problem(
        type=f"{ERRORS}#{error.code}",
        title=error.what,
        status=status_of(error),
        code=error.code,
        subject=error.subject,
        next=error.advice,
        request=request_ids.current(),
        places=[Place(where, what) for where, what in places],
    )


def told(error: BaseException) -> SealiftError:
    """Any error in words, with what to do about it; whoever runs the server is told of ours."""
    if isinstance(error, SealiftError):
        return error
    if isinstance(error, OSError):
        from sealift_signing import command_end

        found = command_end.unreadable(error)
        found.__cause__ = error
        return found
    request = request_ids.current()
    events.tell(
        "web",
        "request-broken",
        "error",
        request=request,
        error=type(error).__name__,
        places=[f"{one.filename}:{one.lineno} {one.name}" for one in _frames(error)],
    )
    return refusals.unexpected(request)


def _frames(error: BaseException) -> traceback.StackSummary:
    """Where it was raised, without a value of anybody's: only our places."""
    return traceback.StackSummary.extract(
        traceback.walk_tb(error.__traceback__), lookup_lines=False
    )[-20:]  # type: ignore[return-value]  # a slice of a list of frames


def headers(error: SealiftError) -> dict[str, str]:
    """The headers that an answer of `error` has besides."""
    found: dict[str, str] = {}
    if status_of(error) == 401:  # noqa: PLR2004 - RFC 9110, section 11.6.1
        found["www-authenticate"] = "Bearer"
    wait: Any = getattr(error, "retry_after", None)
    if wait is not None:
        found["retry-after"] = str(int(wait))
    return found
