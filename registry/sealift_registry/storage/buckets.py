"""Making a bucket, by the `minio` client: with versions, and object lock where that is asked for.

Nothing else of the hub uses that client. It gets its credentials from boto3's chain, as all else.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from sealift_registry.storage import s3_answers, s3_faults
from sealift_registry.storage.s3_address import S3Address
from sealift_registry.storage.s3_calls import Calls, Patience
from sealift_signing.errors import FailedError, RefusedError, SealiftError

AMAZON = "s3.amazonaws.com"
CONNECT, READ, ATTEMPTS = 10, 60, 3
"""Seconds, and how often it is tried."""


def make(address: S3Address, lock_days: int | None) -> bool:
    """Have the bucket there, with versions; whether it is new.

    Args:
        address: of it.
        lock_days: for how many days the server keeps each version from whoever may not bypass it.

    Raises:
        RefusedError: it is there, and cannot have object lock any more.
        FailedError: it cannot be made.
    """
    calls = Calls(address, Patience(seconds=10.0, attempts=ATTEMPTS, connect=CONNECT, read=READ))
    client = _client(calls)
    with calls.told():
        new = not _is_there(calls)
    try:
        return _made(client, calls, lock_days, new=new)
    except SealiftError:
        raise
    except Exception as bad:
        raise _said(bad, address.where) from bad


def _is_there(calls: Calls) -> bool:
    """Asked by a list, whose refusal has words: those of HEAD are a number."""
    try:
        calls.ask("list_objects_v2", MaxKeys=1)
    except Exception as bad:
        if s3_faults.code_of(bad) in {"NoSuchBucket", "404"} and not s3_faults.is_html(
            s3_faults.response_of(bad)
        ):
            return False
        raise
    return True


def _made(client: Any, calls: Calls, lock_days: int | None, *, new: bool) -> bool:  # noqa: ANN401 - minio's
    from minio.commonconfig import ENABLED, GOVERNANCE
    from minio.objectlockconfig import DAYS, ObjectLockConfig
    from minio.versioningconfig import VersioningConfig

    bucket = calls.address.bucket
    if new:
        client.make_bucket(bucket, _region(calls), object_lock=lock_days is not None)
    elif lock_days is not None and not _has_lock(client, bucket):
        raise RefusedError(
            "bucket-without-lock",
            f"The bucket {bucket} is there already, without object lock, which only a new bucket "
            "gets.",
            subject=bucket,
            next_step="Name a new bucket, or leave out --object-lock-days.",
        )
    client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    if lock_days is not None:
        client.set_object_lock_config(bucket, ObjectLockConfig(GOVERNANCE, lock_days, DAYS))
    return new


def _has_lock(client: Any, bucket: str) -> bool:  # noqa: ANN401 - minio's
    from minio.error import S3Error

    try:
        client.get_object_lock_config(bucket)
    except S3Error as bad:
        if bad.code == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    return True


def _client(calls: Calls) -> Any:  # noqa: ANN401 - minio's
    try:
        import urllib3
        from minio import Minio
    except ImportError as bad:
        raise FailedError(
            "no-minio-client",
            "The client that makes buckets is not installed.",
            subject="minio",
            next_step="Install it: pip install 'sealift-registry[s3-blobs]'",
        ) from bad
    keys = calls.keys()
    parts = urlsplit(calls.client.meta.endpoint_url)
    host = AMAZON if (parts.hostname or "").endswith(".amazonaws.com") else parts.netloc
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT, read=READ),
        retries=urllib3.Retry(total=ATTEMPTS, backoff_factor=0.2),
        ca_certs=calls.certificates,
    )
    return Minio(
        host,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token,
        secure=parts.scheme == "https",
        region=_region(calls),
        http_client=pool,
    )


def _region(calls: Calls) -> str | None:
    """None where nobody names one: `aws-global` is botocore's own word for that."""
    found = str(calls.client.meta.region_name or "")
    return found if found != "aws-global" else None


class _Answer(Exception):  # noqa: N818 - what a server said, as botocore has it
    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        said = {"HTTPStatusCode": status}
        self.response = {"Error": {"Code": code}, "ResponseMetadata": said}


def _said(bad: Exception, where: str) -> FailedError:
    """The sentence for what minio or urllib3 raised."""
    status = getattr(getattr(bad, "response", None), "status", 0) or getattr(bad, "_code", 0) or 0
    code = str(getattr(bad, "code", "") or "")
    room = type(bad).__module__.partition(".")[0]
    if code or status:
        return s3_faults.said(_Answer(code, int(status)), where)
    if room == "urllib3":
        reason = type(getattr(bad, "reason", bad)).__name__
        code = "SSLError" if "SSL" in reason else "EndpointConnectionError"
        return s3_faults.said(_Answer(code, 0), where)
    return s3_answers.unread(bad, where)
