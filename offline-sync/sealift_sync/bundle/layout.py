"""Where things lie on a medium, and how much of each is read at most."""

from __future__ import annotations

from sealift_signing.vocabulary import TRANSFER_ID

SEALIFT = "sealift"
RETURNS = "returns"
TRANSFER = "transfer.json"
READ_ME = "READ-ME-FIRST.txt"
METADATA = "metadata"
TARGETS = "targets"
STATEMENTS = "statements"
CHECKS = "checks"
LOG = "log"
INDEX = "index.json"
OCI_LAYOUT = "oci-layout"
BLOBS = "blobs/sha256"
HUB_CHECKPOINT = f"{LOG}/hub.checkpoint"
RECEIPTS = "receipts"
EXTRACT = f"{LOG}/extract.json"
SITE_CHECKPOINT = f"{LOG}/site.checkpoint"

LARGEST_SMALL_FILE = 32 * 1024 * 1024
MOST_SMALL_FILES = 50_000
LARGEST_SMALL_TOTAL = 512 * 1024 * 1024


def metadata_file(role: str, version: int | None) -> str:
    """TUF's file name of a role's metadata, below `metadata/`."""
    return f"{METADATA}/{role}.json" if version is None else f"{METADATA}/{version}.{role}.json"


def lineage_name(role: str) -> str:
    """What the past of a role that people sign is called, below `metadata/`."""
    return f"{role}.lineage.json"


def lineage_file(role: str) -> str:
    """Where the past of a role that people sign lies."""
    return f"{METADATA}/{lineage_name(role)}"


def target_file(path: str) -> str:
    """Where a document that TUF signs lies."""
    return f"{TARGETS}/{path}"


def statement_file(sha256: str) -> str:
    """Where a statement lies."""
    return f"{STATEMENTS}/{sha256}.json"


def blob_file(sha256: str) -> str:
    """Where a blob lies."""
    return f"{BLOBS}/{sha256}"


def check_file(sha256: str) -> str:
    """Where a file of check rows lies."""
    return f"{CHECKS}/{sha256}"


def is_large(path: str) -> bool:
    """Whether a file is hashed while it is copied, and not held in quarantine before."""
    return path.startswith((f"{BLOBS}/", f"{CHECKS}/"))


def transfer_id(site: str, number: int) -> str:
    """`plant-7-000042`: the 42nd transfer to the site plant-7."""
    return f"{site}-{number:06d}"


def is_transfer_id(text: str) -> bool:
    """Whether `text` is spelled as a transfer's id."""
    return TRANSFER_ID.matches(text) and text.rpartition("-")[2].isdigit()
