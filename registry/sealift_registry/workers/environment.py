"""What a worker's environment holds: nothing that it was not given by name.

No passphrase (`SEALIFT_PASSPHRASE_…`), token or key that stands in the hub's environment reaches a
process which parses a stranger's file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

CARRIED = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "TZ")
"""Carried into every worker: none of them is a secret, and without PATH no git is found."""

NETWORK = (
    "HOME",  # Git's and the cloud clients' settings are there
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
"""Carried into a worker that fetches, by asking for it."""

S3 = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_CA_BUNDLE",
    "AWS_EC2_METADATA_DISABLED",
)
"""Carried into a worker that reads from S3: who asks, whom, and whose certificates count."""

SILENT = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""No library reports home."""

STEADY = {
    "PYTHONHASHSEED": "0",  # a converter that walks a set must walk it in the same order twice
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "ignore",
    "GIT_TERMINAL_PROMPT": "0",
}


_SECRET = ("ACCESS_KEY", "PASSWORD", "TOKEN")
_SHORTEST_SECRET = 6
"""Characters; a shorter value would be struck out of words that merely contain it."""


def secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values in `environment` that nobody may read in an error, longest first."""
    names = [name for name in environment if any(word in name for word in _SECRET)]
    found = {environment[name] for name in names if not name.endswith("_FILE")}
    return tuple(sorted((one for one in found if len(one) >= _SHORTEST_SECRET), key=len)[::-1])


def scrubbed(work: Path, carry: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker whose temporary files belong into `work`.

    Args:
        work: the worker's own folder; also its HOME, unless `carry` names HOME.
        carry: further variables to copy from this process, where they are set.
        given: variables and values that this worker needs.
    """
    own = {
        "HOME": str(work),
        "TMPDIR": str(work),
        # Else DVC keeps an index under /var/tmp, which anybody on this machine can write to.
        "DVC_SITE_CACHE_DIR": str(work / "dvc"),
    }
    carried = {name: os.environ[name] for name in (*CARRIED, *carry) if name in os.environ}
    return own | carried | SILENT | STEADY | dict(given)
