"""What an S3 server answers, looked at before anything is made of it.

botocore hands on what came: members may be absent, of any size, or of a time without a zone; and
where it cannot read an answer at all, it raises what Python raised. Here that is an error of ours,
`blobs-odd-answer`, which names the store and what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sealift_registry.storage import s3_faults
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)
"""What Python raises over an answer that botocore cannot read: RecursionError, too."""
LARGEST_SIZE = 2**63 - 1
"""Bytes: what a database counts to. No server has objects as large."""
LONGEST_NAME = 4096
"""Characters of a key, a tag or the name of an upload; S3's own have 1,024."""
LONGEST_WORD = 100
"""Characters of a server's word that are shown."""
_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")
_DECLARED = re.compile(rb"<!ENTITY")
_UNCHANGED = frozenset({"", "identity", "aws-chunked"})

Looks = Callable[[Any], bool]


def odd(where: str, what: str) -> FailedError:
    """The error for an answer that is none of S3's; `what` says why."""
    return FailedError(
        "blobs-odd-answer",
        f"The store of blobs {where} answered what no S3 server answers: {what}.",
        subject=where,
        next_step=f"Check {s3_faults.ENDPOINT} and what lies between; else use "
        "another S3 server, or a newer release of it.",
    )


def check(operation: str, answer: Mapping[str, Any], where: str) -> None:
    """Check that an answer has what is made use of.

    Raises:
        FailedError: it has not.
    """
    for name, is_one in _MEMBERS.get(operation, {}).items():
        if not is_one(answer.get(name)):
            raise odd(where, f"{operation} without a {name} that is one")
    listed, members = _LISTS.get(operation, ("", {}))
    for entry in answer.get(listed) or ():
        for name, is_one in members.items():
            if not is_one(entry.get(name)):
                raise odd(where, f"a list with an entry without a {name} that is one")


def part(answer: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """First and last byte of the part that was answered, and the size of all (RFC 9110, 14.4).

    None where the answer is no part.
    """
    said = _RANGE.fullmatch(str(answer.get("ContentRange") or ""))
    return None if said is None else (int(said[1]), int(said[2]), int(said[3]))


def tag(answer: Mapping[str, Any]) -> str:
    """The tag by which an object is known not to have changed; empty where there is none.

    A proxy that compresses makes it weak (`W/"…"`), and no server finds a weak one to be the same
    (RFC 9110, 13.1.1): it is the server's own without that.
    """
    return str(answer.get("ETag") or "").removeprefix("W/")


def server_time(answer: Mapping[str, Any]) -> datetime | None:
    """What time it is there; None where it does not tell."""
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        found = parsedate_to_datetime(str(said))
        return found if found.tzinfo else found.replace(tzinfo=UTC)  # "-0000" is UTC, too
    except UNREADABLE:
        return None


def look(response_dict: dict[str, Any], where: str) -> None:
    """Look at an answer before botocore reads it.

    Raises:
        FailedError: somebody compressed it, or its XML declares entities.
    """
    encoding = str(response_dict["headers"].get("content-encoding", "")).strip().lower()
    if not _UNCHANGED.issuperset(one.strip() for one in encoding.split(",")):
        raise _compressed(where, encoding)
    body = response_dict["body"]
    if isinstance(body, bytes) and _DECLARED.search(body):
        raise odd(where, "XML that declares entities")


def _compressed(where: str, encoding: str) -> FailedError:
    return FailedError(
        "blobs-compressed",
        f"What the store of blobs {where} answers comes compressed "
        f"({word(encoding, LONGEST_WORD)}), which was not asked for: those are not its bytes.",
        subject=where,
        next_step="Have the proxy that does it leave that server's answers as they are, or see "
        "with which Content-Encoding the objects were uploaded.",
    )


def unread(bad: Exception, where: str) -> FailedError:
    """The error for an answer over which Python raised something."""
    said = word(str(bad).partition("\n")[0], LONGEST_WORD) if str(bad) else ""
    return odd(where, f"{type(bad).__name__} {said}".strip())


def _is_size(found: Any) -> bool:  # noqa: ANN401 - whatever botocore made of it
    return type(found) is int and 0 <= found <= LARGEST_SIZE


def _is_size_or_none(found: Any) -> bool:  # noqa: ANN401 - whatever botocore made of it
    return found is None or _is_size(found)


def _is_name(found: Any) -> bool:  # noqa: ANN401 - whatever botocore made of it
    return isinstance(found, str) and 0 < len(found) <= LONGEST_NAME


def _is_moment(found: Any) -> bool:  # noqa: ANN401 - whatever botocore made of it
    return isinstance(found, datetime) and found.tzinfo is not None


def _is_part_or_none(found: Any) -> bool:  # noqa: ANN401 - whatever botocore made of it
    said = part({"ContentRange": found})
    return found is None or (said is not None and said[0] <= said[1] < said[2] <= LARGEST_SIZE)


_MEMBERS: dict[str, dict[str, Looks]] = {
    "head_object": {"ContentLength": _is_size},
    "get_object": {"ContentLength": _is_size_or_none, "ContentRange": _is_part_or_none},
    "create_multipart_upload": {"UploadId": _is_name},
    "upload_part": {"ETag": _is_name},
}
_LISTS: dict[str, tuple[str, dict[str, Looks]]] = {
    "list_objects_v2": ("Contents", {"Key": _is_name, "Size": _is_size}),
    "list_multipart_uploads": (
        "Uploads",
        {"Key": _is_name, "UploadId": _is_name, "Initiated": _is_moment},
    ),
}
