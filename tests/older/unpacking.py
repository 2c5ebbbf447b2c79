"""How what is kept in archives beside these tests is unpacked."""

import tarfile
from pathlib import Path


def extract(archive: Path, folder: Path) -> None:
    """Unpack an archive of ours; Debian 12's Python, 3.11.2, has no filter to ask for yet."""
    filtered = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as tar:
        tar.extractall(folder, **filtered)  # type: ignore[arg-type]  # noqa: S202 - our own
