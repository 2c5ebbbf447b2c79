"""What the server itself refuses, before any use case is asked: how something was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from sealift_signing.drawing import plain, word
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError
from sealift_signing.vocabulary import counted

Places = tuple[tuple[str, str], ...]

PAGE = "/docs"
"""Where the server describes itself."""


def no_such_resource(path: str) -> NotFoundError:
    """There is nothing at an address."""
    return NotFoundError(
        "no-such-resource",
        f"There is nothing at {word(path)}.",
        subject=path,
        next_step=f"What there is, is described at {PAGE} of this server.",
    )


def method_not_allowed(method: str, path: str, allowed: Sequence[str]) -> UsageError:
    """Something at an address cannot be done."""
    return UsageError(
        "method-not-allowed",
        f"{word(method)} cannot be done at {word(path)}.",
        subject=path,
        next_step=f"What can be done there: {', '.join(allowed)}."
        if allowed
        else f"What can be done is described at {PAGE} of this server.",
    )


class UnfitError(UsageError):
    """What was sent is not what is asked for.

    Attributes:
        places: where in it something is wrong, and what.
    """

    places: Places = ()


def bad_request(what: str, places: Places = ()) -> UnfitError:
    """What was sent is not what is asked for, in its address or its headers, or is not JSON."""
    found = UnfitError(
        "bad-request",
        f"What was sent is not what this asks for: {what}.",
        next_step=f"What this asks for is described at {PAGE} of this server.",
    )
    found.places = places
    return found


def bad_body(places: Places) -> UnfitError:
    """A body is JSON, and not what is asked for."""
    said = "; ".join(f"{word(where)}: {plain(what)}" for where, what in places)
    found = UnfitError(
        "bad-body",
        f"The body is not what this asks for: {said or 'it does not fit'}.",
        next_step=f"What this asks for is described at {PAGE} of this server.",
    )
    found.places = places
    return found


def not_acceptable(asked: str, given: Sequence[str]) -> UsageError:
    """An answer of a kind that there is not."""
    return UsageError(
        "not-acceptable",
        f"There is no such answer here as {word(asked)}.",
        subject=asked,
        next_step=f"There is: {', '.join(given)}.",
    )


def changed_since(subject: str) -> RefusedError:
    """It is not what whoever asks has seen."""
    return RefusedError(
        "changed-since",
        "It has changed since you read it.",
        subject=subject,
        next_step="Read it again, and decide by what it says now.",
    )


def match_needed(subject: str) -> RefusedError:
    """Something is to be changed, and nobody says what it was when they read it."""
    return RefusedError(
        "if-match-needed",
        "It is not said which state of it is to be changed.",
        subject=subject,
        next_step="Read it, and send the ETag of what was answered in If-Match.",
    )


def key_needed() -> UsageError:
    """Something is to be done, and a repeat of it could not be told from another one."""
    return UsageError(
        "once-key-needed",
        "This takes an Idempotency-Key, by which a repeat is known, and none that fits was sent.",
        next_step="Send one Idempotency-Key of 8 to 128 letters and digits, such as a random "
        "UUID: a new one for each new request, the same one to ask again.",
    )


def unknown_parameter(name: str, known: Sequence[str]) -> UsageError:
    """Something is asked that means nothing here."""
    return UsageError(
        "unknown-parameter",
        f"There is no parameter {word(name)} here.",
        subject=name,
        next_step=f"There are: {', '.join(known)}." if known else "Leave it out.",
    )


def given_twice(name: str) -> UsageError:
    """Something is asked twice that can be asked once."""
    return UsageError(
        "twice",
        f"{name} is given twice.",
        subject=name,
        next_step="Give it once; which one was meant cannot be told.",
    )


def two_sign_ins() -> UsageError:
    """A request that shows a browser's session and something else besides."""
    return UsageError(
        "two-sign-ins",
        "This shows a browser's cookie and an Authorization header, and it is one of them that "
        "counts.",
        next_step="Send one of the two.",
    )


def wrong_media_type(given: str, wanted: str) -> UsageError:
    """A body of another kind than can be taken."""
    return UsageError(
        "wrong-media-type",
        f"A body of the kind {word(given or 'none')} is not taken here.",
        subject=given,
        next_step=f"Send {wanted}, and say so in Content-Type.",
    )


def body_too_large(most: int) -> RefusedError:
    """More bytes than are taken."""
    return RefusedError(
        "body-too-large",
        f"At most {counted(most, 'byte')} are taken here.",
        next_step="Send less at once; large files are uploaded in parts.",
    )


def head_too_large(most: int) -> RefusedError:
    """A request whose headers are too long."""
    return RefusedError(
        "head-too-large",
        f"The address and the headers of a request are at most {counted(most, 'byte')} together.",
        next_step="Send shorter ones.",
    )


def not_http() -> UsageError:
    """Bytes that are no request."""
    return UsageError(
        "not-http",
        "What was sent is no request of HTTP/1.1.",
        next_step="See whether the address is right, and whether it begins with http or https.",
    )


def no_one_host() -> UsageError:
    """A request that says not which server it is for, or names two."""
    return UsageError(
        "one-host",
        "A request of HTTP/1.1 names in Host which server it is for, and names one.",
        next_step="Send one Host; a proxy passes it on.",
    )


def unknown_coding() -> FailedError:
    """A body whose end could not be told."""
    return FailedError(
        "unknown-coding",
        "Of the ways to send a body in pieces, chunked alone is known here.",
        next_step="Say Transfer-Encoding: chunked, or how long it is in Content-Length.",
    )


def encoded() -> UsageError:
    """A body that was made smaller on its way."""
    return UsageError(
        "content-coding",
        "A body is taken as it is, and in no coding.",
        next_step="Leave Content-Encoding out, and send the body uncompressed.",
    )


def expects_too_much() -> UsageError:
    """An expectation that nobody knows."""
    return UsageError(
        "unknown-expectation",
        "Of what a request may expect, 100-continue alone is known here.",
        next_step="Leave Expect out.",
    )


def body_too_slow(seconds: int) -> RefusedError:
    """A body of which too little came."""
    return RefusedError(
        "body-too-slow",
        f"Of what was announced next to nothing came in {counted(seconds, 'second')}.",
        next_step="Send it again; a file goes on behind what came.",
    )


def full() -> FailedError:
    """More connections than the server can have."""
    return FailedError(
        "server-full",
        "As many are connected to this server as it can have, and each of them is being answered.",
        next_step="Ask again in a moment. Whoever runs the server can let it open more files: "
        "LimitNOFILE of its unit, or ulimit -n.",
    )


class ClientGoneError(RefusedError):
    """Whoever asks went away before all of what they send was here; nobody hears an answer."""


def client_gone() -> ClientGoneError:
    """Whoever asks went away amid what they send."""
    return ClientGoneError(
        "client-gone",
        "Whoever asked went away before all of it was here.",
        next_step="Ask again.",
    )


class TooManyError(RefusedError):
    """More requests than one may make; after `retry_after` seconds there is an answer again."""

    retry_after: int = 1


def too_many(seconds: int) -> TooManyError:
    """More requests than one may make."""
    made = TooManyError(
        "too-many-requests",
        "This caller asks more than the server answers anybody.",
        next_step=f"Ask again in {counted(seconds, 'second')}.",
    )
    made.retry_after = seconds
    return made


def unexpected(request: str) -> FailedError:
    """A fault of ours; its particulars are in the log of events, for whoever mends it."""
    return FailedError(
        "server-unexpected",
        "Something went wrong at the server that Sealift did not expect.",
        subject=request,
        next_step="Tell whoever runs the server this request's id: its log says more.",
    )


def stopping() -> FailedError:
    """A server that ends."""
    return FailedError(
        "server-stopping",
        "This server ends, and takes nothing more.",
        next_step="Ask again in a moment.",
    )
