"""What an S3 server, the way there, or the lack of credentials said: as a sentence with a code."""

from __future__ import annotations

import errno
from collections.abc import Callable
from socket import gaierror
from typing import Any

from sealift_signing.drawing import word
from sealift_signing.errors import FailedError

SILENCE = 60.0
"""Seconds without a word after which a connection is given up."""
PASSES = frozenset(
    {
        *("InternalError", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException"),
        *(
            "RequestTimeout",
            "OperationAborted",
            "ConditionalRequestConflict",
            "RequestLimitExceeded",
        ),
        *("BandwidthLimitExceeded", "XMinioServerNotInitialized", "TooManyRequests", "Busy"),
    }
)
"""Codes of servers that say: later."""
PASSING_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504})
_NOT_THERE = frozenset({"NoSuchKey", "NotFound", "404", "NoSuchVersion"})
_NOT_ALLOWED = 405
ENDPOINT = "its address (blobs.endpoint, or the option that names it)"
"""How a sentence names what the server is asked at: in settings, or by whoever has no hub yet."""
_LONGEST_WORD = 100
"""Characters of a server's word that are shown."""
_EXISTS = frozenset({"PreconditionFailed", "412"})
_WRONG_BYTES = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"})


def response_of(error: BaseException) -> dict[str, Any]:
    """What the server answered; empty where it did not."""
    found = getattr(error, "response", None)
    return found if isinstance(found, dict) else {}


def code_of(error: BaseException) -> str:
    """The server's own word for what is wrong."""
    found = response_of(error).get("Error")
    return str(found.get("Code") or "") if isinstance(found, dict) else ""


def has_word(error: BaseException) -> bool:
    """Whether there is a word: to HEAD there is only the status, which botocore has as a word."""
    return code_of(error) not in {"", str(status_of(error))}


def status_of(error: BaseException) -> int:
    """The HTTP status; 0 where nothing was answered."""
    return int(response_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)


def is_html(answer: dict[str, Any]) -> bool:
    """Whether somebody on the way answered with a page for people."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return "text/html" in str(headers.get("content-type", "")).lower()


def is_missing(error: BaseException) -> bool:
    """Whether the server says that the object is not there; not of a bucket, nor of a page.

    Where the newest version is a mark that it was deleted, some answer 405.
    """
    answer = response_of(error)
    if is_html(answer):
        return False
    if status_of(error) == _NOT_ALLOWED:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return str(headers.get("x-amz-delete-marker", "")).lower() == "true"
    return status_of(error) in {0, 404} and code_of(error) in _NOT_THERE


def exists(error: BaseException) -> bool:
    """Whether a condition was not met: something is there already, or is another by now."""
    return code_of(error) in _EXISTS or status_of(error) == 412  # noqa: PLR2004 - HTTP's own number


def arrived_wrong(error: BaseException) -> bool:
    """Whether the server found that what arrived is not what was sent."""
    return code_of(error) in _WRONG_BYTES


def passes(error: BaseException) -> bool:
    """Whether to ask again makes sense: the server is busy, or nothing came back."""
    code, status = code_of(error), status_of(error)
    if code or status:
        if _is_full(code, status):
            return False
        return code in PASSES or status in PASSING_STATUSES or arrived_wrong(error)
    kind = type(error).__name__
    return kind in _CUT or (isinstance(error, OSError) and error.errno != errno.ENOSPC)


_CUT = {
    *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionError"),
    *("ConnectionClosedError", "HTTPClientError", "IncompleteReadError", "ProtocolError"),
    *("ResponseStreamingError", "IncompleteRead", "ResponseParserError", "ProxyConnectionError"),
}
"""Errors of botocore and urllib3 after which nobody knows what the server did."""


def never_arrived(error: BaseException) -> bool:
    """Whether nobody was reached: refused, no such name, no way there."""
    return type(error).__name__ in _UNREACHED or (
        isinstance(error, OSError)
        and (isinstance(error, gaierror) or error.errno in _NO_WAY)
        and not status_of(error)
    )


_UNREACHED = {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"}
_SILENT = {"ReadTimeoutError", "TimeoutError"}
_NO_WAY = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}


def denies(code: str) -> bool:
    """Whether this word of a server's means that these credentials are of no use for that."""
    return _SAID.get(code) in {_skewed, _region, _expired, _unknown, _forbidden}


def said(error: BaseException, where: str, silence: float = SILENCE) -> FailedError:
    """The error for what went wrong at the store `where`, whose silence was borne so long."""
    answer, code, status = response_of(error), code_of(error), status_of(error)
    kind = type(error).__name__
    if is_html(answer) or kind == "ResponseParserError":
        return _SAID["html"](where)
    if _is_full(code, status):
        return _SAID["full"](where)
    if kind in _SILENT and not status:
        return _silent(where, silence)
    if kind == "SSLError" and not _is_of_certificate(error):
        return _no_tls(where)
    found = _SAID.get(code) or _SAID.get(kind) or _SAID.get(str(status))
    if found is None and (status in PASSING_STATUSES or code in PASSES):
        found = _SAID["busy"]
    if found is None and never_arrived(error):
        found = _unreachable
    if found is None and (kind in _CUT or isinstance(error, OSError)):
        found = _SAID["cut"]
    if found is not None:
        return found(where)
    words = code or kind
    return FailedError(
        "blobs-failed",
        f"The store of blobs {where} answered {word(words, _LONGEST_WORD)}.",
        subject=where,
        next_step="Find it in your S3 server's documentation, and see: sealift blobs check",
    )


def _is_full(code: str, status: int) -> bool:
    return status == 507 or code in {"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded"}  # noqa: PLR2004 - HTTP's own number


def _is_of_certificate(error: BaseException) -> bool:
    """Whether a handshake ended for want of trust: else the other side spoke no TLS of ours."""
    return "certificate" in str(error).lower()


def _skewed(where: str) -> FailedError:
    return FailedError(
        "blobs-clock",
        f"The clock of this machine and that of the store of blobs {where} are more than a quarter "
        "of an hour apart, so that it refuses everything.",
        subject=where,
        next_step="Set the clock that is wrong; `date -u` shows this machine's.",
    )


def _region(where: str) -> FailedError:
    return FailedError(
        "blobs-region",
        f"The bucket of {where} is in another region than was asked.",
        subject=where,
        next_step="Set its region: blobs.region, the option that names it, or AWS_REGION.",
    )


def _expired(where: str) -> FailedError:
    return FailedError(
        "blobs-credentials-expired",
        f"The credentials for the store of blobs {where} have expired.",
        subject=where,
        next_step="Get new ones as you got these (aws sso login, for one), and run it again.",
    )


def nobody(where: str) -> FailedError:
    """The error where no credentials are named."""
    return FailedError(
        "blobs-no-credentials",
        f"Nobody says with which credentials the store of blobs {where} is to be asked.",
        subject=where,
        next_step="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; what boto3 "
        "finds counts, and settings.toml holds no keys.",
    )


def _unknown(where: str) -> FailedError:
    return FailedError(
        "blobs-wrong-credentials",
        f"The store of blobs {where} does not know these credentials, or their secret is wrong.",
        subject=where,
        next_step="Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE.",
    )


def _forbidden(where: str) -> FailedError:
    return FailedError(
        "blobs-forbidden",
        f"These credentials may not do that at the store of blobs {where}.",
        subject=where,
        next_step="See what is missing with: sealift blobs check. Then have whoever keeps the "
        "bucket allow it.",
    )


def _no_bucket(where: str) -> FailedError:
    return FailedError(
        "blobs-no-bucket",
        f"The bucket of {where} does not exist.",
        subject=where,
        next_step="Check its name. The bucket of a hub that is to be is made with: "
        "sealift blobs init --blobs URL",
    )


def _unreachable(where: str) -> FailedError:
    return FailedError(
        "blobs-unreachable",
        f"The store of blobs {where} cannot be reached.",
        subject=where,
        next_step=f"Check the network, {ENDPOINT} and HTTPS_PROXY; "
        "then run it again: nothing is lost.",
    )


def _cut(where: str) -> FailedError:
    return FailedError(
        "blobs-cut-off",
        f"The connection to the store of blobs {where} was cut off again and again.",
        subject=where,
        next_step="Check the network and what lies between, and run it again: nothing is lost.",
    )


def _tls(where: str) -> FailedError:
    return FailedError(
        "blobs-tls",
        f"The certificate of the store of blobs {where} is not trusted here.",
        subject=where,
        next_step="Give your authority's certificates in AWS_CA_BUNDLE=FILE, or check that "
        "nobody else answers at that address.",
    )


def _no_tls(where: str) -> FailedError:
    return FailedError(
        "blobs-no-tls",
        f"What answers for the store of blobs {where} speaks no TLS, or none that this machine "
        "takes.",
        subject=where,
        next_step=f"Check {ENDPOINT}: where the server has no "
        "certificate, it begins with http://, and the port is its own.",
    )


def _silent(where: str, seconds: float) -> FailedError:
    return FailedError(
        "blobs-silent",
        f"The store of blobs {where} was reached, and answered nothing within {seconds:g} "
        "seconds, however often it was asked.",
        subject=where,
        next_step="Look whether the server hangs, and at what lies between; then run it again: "
        "nothing is lost.",
    )


def _busy(where: str) -> FailedError:
    return FailedError(
        "blobs-busy",
        f"The store of blobs {where} says again and again that it is busy or failing.",
        subject=where,
        next_step="Look at the server, and run it again later: nothing is lost.",
    )


def _full(where: str) -> FailedError:
    return FailedError(
        "blobs-full",
        f"The store of blobs {where} has no room left.",
        subject=where,
        next_step="Make room there, or raise its quota, and run it again: nothing is lost.",
    )


def _html(where: str) -> FailedError:
    return FailedError(
        "blobs-not-s3",
        f"What answers for the store of blobs {where} is no S3 server: a proxy or a login page, it "
        "seems.",
        subject=where,
        next_step=f"Check {ENDPOINT}, HTTPS_PROXY and NO_PROXY.",
    )


def no_ranges(where: str) -> FailedError:
    """The error for a server that gives whole objects only."""
    return FailedError(
        "blobs-no-ranges",
        f"The store of blobs {where} does not give parts of what it holds, which large models "
        "need.",
        subject=where,
        next_step="Use another S3 server, or remove the proxy that takes Range away.",
    )


def _archived(where: str) -> FailedError:
    return FailedError(
        "blobs-archived",
        f"The store of blobs {where} has moved a blob to an archive (Glacier), from where it is "
        "not read at once.",
        subject=where,
        next_step="Have it restored from the archive, and take the prefix out of the bucket's "
        "lifecycle rules; `sealift blobs fsck` names all that cannot be read.",
    )


def _not_taken(where: str) -> FailedError:
    return FailedError(
        "blobs-request-refused",
        f"The store of blobs {where}, or a proxy before it, does not take a request as S3 has it, "
        "whoever asks.",
        subject=where,
        next_step=f"Check that {ENDPOINT} is that of the S3 API, and what the "
        "proxy lets pass: HEAD, PUT, DELETE, Range, Expect, and 8 MiB at once.",
    )


_SAID: dict[str, Callable[[str], FailedError]] = {
    "RequestTimeTooSkewed": _skewed,
    **dict.fromkeys(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        _region,
    ),
    "301": _region,
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), _expired),
    **dict.fromkeys(
        ("UnauthorizedSSOTokenError", "SSOTokenLoadError", "RequestExpired", "TokenRetrievalError"),
        _expired,
    ),
    **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError"), nobody),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"), _unknown),
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "403", "401"), _forbidden),
    **dict.fromkeys(("Forbidden", "Unauthorized", "UnauthorizedAccess"), _forbidden),
    **dict.fromkeys(("MethodNotAllowed", "NotImplemented", "405", "501"), _not_taken),
    **dict.fromkeys(("MissingContentLength", "407", "411", "413", "414", "417", "431"), _not_taken),
    **dict.fromkeys(("InvalidRange", "416"), no_ranges),
    **dict.fromkeys(("InvalidObjectState", "ObjectNotInActiveTierError"), _archived),
    "NoSuchBucket": _no_bucket,
    **dict.fromkeys(sorted(_UNREACHED), _unreachable),
    **dict.fromkeys(("SSLError", "SSLCertVerificationError"), _tls),
    "busy": _busy,
    "cut": _cut,
    "full": _full,
    "html": _html,
}
