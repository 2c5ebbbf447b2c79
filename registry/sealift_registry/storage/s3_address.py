"""Where blobs are kept on S3, as settings name it: nothing is asked of a server here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

SCHEME = "s3://"
_AT = " at "
"""Between a prefix and its server, for people; neither holds a space."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*")
"""Letters that every server and every proxy leaves as they are."""
_REGION = re.compile(r"[A-Za-z0-9-]{0,63}")
"""As botocore takes them: OpenStack's are called RegionOne, or NL."""
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?|.*:.*")
"""Such as botocore asks; a name with an underscore, which compose may give, it does not."""


@dataclass(frozen=True)
class S3Address:
    """A prefix in a bucket.

    Attributes:
        endpoint: the server's address; empty for Amazon's own, or what the environment says.
        region: empty for what the environment says.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""

    @property
    def where(self) -> str:
        """As people know it."""
        return f"{self.url}{_AT}{self.endpoint}" if self.endpoint else self.url

    @property
    def url(self) -> str:
        """As settings have it."""
        return SCHEME + "/".join(filter(None, (self.bucket, self.prefix)))

    def key(self, name: str) -> str:
        """The key of an object of this name below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name


def place_named(where: str) -> S3Address:
    """The address of which `S3Address.where` is this; its region is not said there.

    Raises:
        UsageError: it is none.
    """
    url, _, endpoint = where.partition(_AT)
    return s3_address(url, endpoint)


def s3_address(url: str, endpoint: str = "", region: str = "") -> S3Address:
    """The address that `url` names, `s3://bucket/prefix`.

    Raises:
        UsageError: one of them is none.
    """
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    prefix = prefix.removesuffix("/")
    named = url.startswith(SCHEME) and _BUCKET.fullmatch(bucket) and ".." not in url
    if not named or (prefix and not _PREFIX.fullmatch(prefix)):
        raise UsageError(
            "bad-blobs-url",
            f"{word(url)} does not say where blobs are kept.",
            subject=word(url),
            next_step="Write it as s3://BUCKET/PREFIX, of letters, digits and -_. in blobs.url; "
            "leave it empty to keep blobs in the home.",
        )
    if endpoint:
        _check_endpoint(endpoint)
    check_region(region)
    return S3Address(bucket, prefix, endpoint.removesuffix("/"), region)


def check_region(region: str) -> None:
    """Check that `region` may be one; it may be empty.

    Raises:
        UsageError: it may not.
    """
    if not _REGION.fullmatch(region):
        raise UsageError(
            "bad-blobs-region",
            f"{word(region)} is no region of an S3 server.",
            subject=word(region),
            next_step="Write it as your provider does, such as eu-central-1, in blobs.region, or "
            "where it stands: AWS_REGION, AWS_DEFAULT_REGION, the profile.",
        )


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_one = urlsplit(""), False
    named = _HOST.fullmatch(parts.hostname or "")
    whole = parts.scheme in {"http", "https"} and named and port_is_one
    # A password in an address would be printed with every message.
    if not whole or parts.username or parts.query or parts.fragment or parts.path.strip("/"):
        raise bad_endpoint()


def bad_endpoint() -> UsageError:
    """The error for an endpoint that is none; it may hold a password, and is not shown."""
    return UsageError(
        "bad-blobs-endpoint",
        "blobs.endpoint is not the address of an S3 server.",
        subject="the endpoint",
        next_step="Write it as https://HOST or https://HOST:PORT, with no user and no path, and "
        "no underscore in HOST; credentials come from the environment "
        "(docs/how-to/keep-blobs-on-s3.md).",
    )
