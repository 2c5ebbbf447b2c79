"""Making a bucket, by the `minio` client: with versions, and object lock where that is asked for.

Nothing else of the hub uses that client. It gets its credentials from boto3's chain, as all else.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from sealift_registry.storage import s3_faults
from sealift_registry.storage.s3_address import S3Address
from sealift_registry.storage.s3_calls import session_of_boto3
from sealift_signing.errors import FailedError, RefusedError

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
    client = _client(address)
    try:
        return _made(client, address, lock_days)
    except Exception as bad:
        if _is_ours(bad):
            raise
        raise _said(bad, address.where) from bad


def _made(client: Any, address: S3Address, lock_days: int | None) -> bool:  # noqa: ANN401 - minio's
    from minio.commonconfig import ENABLED, GOVERNANCE
    from minio.objectlockconfig import DAYS, ObjectLockConfig
    from minio.versioningconfig import VersioningConfig

    bucket = address.bucket
    new = not client.bucket_exists(bucket)
    if new:
        client.make_bucket(bucket, address.region or None, object_lock=lock_days is not None)
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


def _client(address: S3Address) -> Any:  # noqa: ANN401 - minio's
    try:
        import urllib3
        from minio import Minio

        session = session_of_boto3()
    except ImportError as bad:
        raise FailedError(
            "no-minio-client",
            "The client that makes buckets is not installed.",
            subject="minio",
            next_step="Install it: pip install 'sealift-registry[s3-blobs]'",
        ) from bad
    found = session.get_credentials()
    if found is None:
        raise s3_faults.said(_Answer("NoCredentialsError", 0), address.where)
    keys = found.get_frozen_credentials()
    parts = urlsplit(address.endpoint or f"https://{AMAZON}")
    bundle = os.environ.get("AWS_CA_BUNDLE")
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT, read=READ),
        retries=urllib3.Retry(total=ATTEMPTS, backoff_factor=0.2),
        ca_certs=bundle or None,
    )
    return Minio(
        parts.netloc,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token,
        secure=parts.scheme == "https",
        region=address.region or session.region_name,
        http_client=pool,
    )


class _Answer(Exception):  # noqa: N818 - what a server said, as botocore has it
    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        said = {"HTTPStatusCode": status}
        self.response = {"Error": {"Code": code}, "ResponseMetadata": said}


def _said(bad: Exception, where: str) -> FailedError:
    """The sentence for what minio or urllib3 raised."""
    status = getattr(getattr(bad, "response", None), "status", 0) or 0
    code = str(getattr(bad, "code", "") or "")
    if not code:
        reason = type(getattr(bad, "reason", bad)).__name__
        code = "SSLError" if "SSL" in reason else "EndpointConnectionError"
    return s3_faults.said(_Answer(code, int(status)), where)


def _is_ours(bad: Exception) -> bool:
    return isinstance(bad, (FailedError, RefusedError))
