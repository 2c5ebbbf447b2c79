"""What the refusals and silences of an S3 server mean, in our own errors; for every reader of one.

boto3 and s3fs tell one fault by many exceptions, often wrapped in one of DVC's: the chain of causes
is looked through for the first that says something.
"""

from __future__ import annotations

from collections.abc import Iterator

from sealift_registry.storage.s3_faults import denies
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import FailedError, NotFoundError, SealiftError

_LONGEST_CHAIN = 20


def missing(package: str) -> FailedError:
    """The error where what reads S3 is not installed."""
    return FailedError(
        "s3-missing",
        f"Reading from S3 needs the package {package}, which is not installed here.",
        subject=package,
        next_step="Install it: pip install 'sealift-registry[s3]'.",
    )


def as_ours(bad: BaseException, place: str) -> SealiftError | None:
    """What `bad` says of the S3 server at `place`; None where it says nothing of a server.

    An object that is not there is for the caller to tell: it knows whose it was.
    """
    try:
        from botocore import exceptions as aws
    except ImportError:
        return None
    unnamed = (
        aws.CredentialRetrievalError,
        aws.NoCredentialsError,
        aws.PartialCredentialsError,
        aws.ProfileNotFound,
        aws.TokenRetrievalError,
        aws.UnauthorizedSSOTokenError,
    )
    for one in _chain(bad):
        if isinstance(one, aws.ClientError):
            return _answered(str(one.response.get("Error", {}).get("Code", "")), place)
        if isinstance(one, unnamed):
            return _denied(place, first_line(one))
        broken = isinstance(
            one, (aws.ConnectionError, aws.HTTPClientError, aws.IncompleteReadError)
        )
        if broken or type(one).__module__.startswith("aiohttp."):  # as s3fs hands it on
            return _unreachable(place, type(one).__name__)
    return None


def _chain(bad: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = bad
    for _ in range(_LONGEST_CHAIN):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def _answered(code: str, place: str) -> SealiftError | None:
    if denies(code):
        return _denied(place, code)
    if code == "NoSuchBucket":
        return NotFoundError(
            "s3-bucket-unknown",
            f"The S3 server has no such bucket: {place}.",
            subject=place,
            next_step="Check the bucket's name, and which server is asked (AWS_ENDPOINT_URL_S3, or "
            "the remote's endpointurl).",
        )
    return None


def _denied(place: str, why: str) -> FailedError:
    return FailedError(
        "s3-denied",
        f"The S3 server lets us read nothing at {place} ({why}).",
        subject=place,
        next_step="Give credentials that may read it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "AWS_PROFILE or, for DVC, those in .dvc/config.local; and check this machine's clock.",
    )


def _unreachable(place: str, why: str) -> FailedError:
    return FailedError(
        "s3-unreachable",
        f"The S3 server did not answer, or stopped answering, for {place} ({why}).",
        subject=place,
        next_step="Check its address and that it runs, and AWS_CA_BUNDLE where its certificate is "
        "your own; then run the command again: nothing was kept.",
    )
