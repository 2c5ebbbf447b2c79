"""What the environment and the files of AWS say of an S3 server: credentials, region, certificates.

boto3's own chain finds the credentials: in the environment, a profile, a program, single sign-on,
a role, the machine. Each of these fails in its own way, and none of them is the server's fault, nor
a disk's.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from sealift_registry.storage import s3_faults
from sealift_registry.storage.s3_address import S3Address, check_region
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, SealiftError, UsageError

_EXPIRED = frozenset({"SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError"})
_NOBODY = frozenset({"NoCredentialsError", "PartialCredentialsError"})
_LONGEST_WORDS = 300


@contextmanager
def told(where: str) -> Iterator[None]:
    """Where whatever boto3's chain raises becomes an error of ours.

    Raises:
        FailedError: something did.
    """
    try:
        yield
    except SealiftError:
        raise
    except Exception as bad:
        raise _said(bad, where) from bad


def _said(bad: Exception, where: str) -> FailedError:
    kind = type(bad).__name__
    found = s3_faults.said(bad, where)
    if kind in _EXPIRED | _NOBODY or found.code == "blobs-credentials-expired":
        return found
    # Of what is not botocore's own only the kind is told: nobody knows what else stands in it.
    theirs = type(bad).__module__.partition(".")[0] in {"botocore", "boto3"}
    words = str(bad).partition("\n")[0] if theirs or isinstance(bad, OSError) else kind
    return FailedError(
        "blobs-aws-settings",
        f"What AWS_… variables and ~/.aws say of the store of blobs {where} cannot be used: "
        f"{word(words, _LONGEST_WORDS)}.",
        subject=where,
        next_step="Check AWS_PROFILE and what that profile names: a program, a role, a region, "
        "single sign-on. `aws sts get-caller-identity` tries it.",
    )


def find(session: Any, where: str) -> Any:  # noqa: ANN401 - boto3's, and botocore's
    """The credentials that the chain finds: once found they are renewed by themselves.

    Raises:
        FailedError: it finds none, or fails.
    """
    with told(where):
        found = session.get_credentials()
    if found is None:
        raise s3_faults.nobody(where)
    return found


def keys(credentials: Any, where: str) -> Any:  # noqa: ANN401 - botocore's
    """The keys of now; renewed before, where they end soon.

    Raises:
        FailedError: they cannot be, or are none that a request could have.
    """
    with told(where):
        found = credentials.get_frozen_credentials()
    named = {"key id": found.access_key, "secret": found.secret_key, "session token": found.token}
    for name, value in named.items():
        if value is not None and (not value.isascii() or not value.isprintable() or " " in value):
            raise FailedError(
                "blobs-wrong-credentials",
                f"The {name} for the store of blobs {where} holds a space, the end of a line or "
                "another character that none has.",
                subject=where,
                next_step="Copy it again without what stands around it: AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or the file that holds them.",
            )
    return found


def region(session: Any, address: S3Address) -> str:  # noqa: ANN401 - boto3's
    """The region that settings, the environment or the profile name; empty where none does.

    Raises:
        UsageError: it is none.
        FailedError: the profile cannot be read.
    """
    with told(address.where):
        found = address.region or session.region_name or os.environ.get("AWS_REGION") or ""
    check_region(str(found))
    return str(found)


def certificates(session: Any, address: S3Address) -> str | None:  # noqa: ANN401 - boto3's
    """The file with the authorities that are trusted; None where it is the usual ones.

    Raises:
        FailedError: it cannot be read, or holds none.
    """
    if address.endpoint.startswith("http:"):
        return None
    with told(address.where):
        named = session._session.get_config_variable("ca_bundle")  # noqa: SLF001 - boto3 tells nobody
    named = named or os.environ.get("REQUESTS_CA_BUNDLE")
    if not named:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=named)
    except (OSError, ValueError) as bad:  # ssl.SSLError is an OSError, too
        why = getattr(bad, "strerror", None) or type(bad).__name__
        raise FailedError(
            "blobs-ca-bundle",
            f"The certificates in {word(str(named), _LONGEST_WORDS)} cannot be used: {why}.",
            subject=str(named),
            next_step="Name a file of PEM certificates that may be read in AWS_CA_BUNDLE, or in "
            "ca_bundle of the profile.",
        ) from bad
    return str(named)


def check_endpoint(endpoint: str) -> None:
    """Check the address that the environment or the profile names.

    Raises:
        UsageError: it is none.
    """
    if urlsplit(endpoint).scheme not in {"http", "https"}:
        raise bad_endpoint()


def bad_endpoint() -> UsageError:
    """The error for an address that is none; it may hold a password, and is not shown."""
    return UsageError(
        "bad-aws-endpoint",
        "What AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile names is not the address of an "
        "S3 server.",
        subject="the endpoint",
        next_step="Write it as https://HOST or https://HOST:PORT, or name it in blobs.endpoint.",
    )
