"""The file in which a builder's machine says what it builds, where it asks and where it puts it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift_registry.storage.s3_address import S3Address, s3_address
from sealift_signing import disk
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, UsageError

_SECTIONS: Mapping[str, Mapping[str, bool]] = {
    "builder": {"name": True, "hardware_targets": True, "keys": True, "work": True},
    "database": {"url": True},
    "blobs": {"url": True, "endpoint": False, "region": False},
    "inbox": {"url": True},
}
"""What it says, and whether it must; credentials are none of it."""
DOCS = "See docs/how-to/build-on-another-machine.md"


@dataclass(frozen=True)
class BuilderFile:
    """A builder's settings.

    Attributes:
        name: of its builder's key in fleet/keys.json.
        hardware_targets: what it builds for.
        keys: the folder of its keys.
        work: a folder to work in.
        database: the hub's, as a builder's role.
        blobs: where the hub's blobs are, which it reads.
        inbox: where it puts what it built.
    """

    name: str
    hardware_targets: tuple[str, ...]
    keys: Path
    work: Path
    database: str
    blobs: S3Address
    inbox: S3Address


def read(path: Path) -> BuilderFile:
    """The settings in the file at `path`; paths in it are from where it lies.

    Raises:
        UsageError: it says something else than it must.
        FailedError: it cannot be read.
    """
    path = path.absolute()  # its processes work in other folders
    try:
        given = tomllib.loads(disk.read(path).decode())
    except OSError as bad:
        raise FailedError(
            "builder-file-unreadable",
            f"{path} could not be read: {bad.strerror}.",
            subject=str(path),
            next_step="Name the builder's settings: --settings FILE",
        ) from bad
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as bad:
        raise _wrong(path, f"it is no TOML ({bad})") from bad
    unknown = set(given) - set(_SECTIONS)
    if unknown:
        raise _wrong(path, f"nothing is called {word(min(unknown))}")
    said = {name: _section(path, given, name) for name in _SECTIONS}
    builder, blobs = said["builder"], said["blobs"]
    endpoint, region = blobs.get("endpoint", ""), blobs.get("region", "")
    return BuilderFile(
        name=builder["name"],
        hardware_targets=tuple(builder["hardware_targets"].split()),
        keys=path.parent / builder["keys"],
        work=path.parent / builder["work"],
        database=said["database"]["url"],
        blobs=s3_address(blobs["url"], endpoint, region),
        inbox=s3_address(said["inbox"]["url"], endpoint, region),
    )


def _section(path: Path, given: Mapping[str, object], name: str) -> dict[str, str]:
    section, known = given.get(name), _SECTIONS[name]
    if not isinstance(section, dict):
        raise _wrong(path, f"it has no [{name}]")
    for one in section:
        if one not in known:
            raise _wrong(path, f"nothing is called {word(f'{name}.{one}')}")
    found = {}
    for one, is_needed in known.items():
        value = section.get(one, "")
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            value = " ".join(value)
        if not isinstance(value, str) or (is_needed and not value):
            raise _wrong(path, f"{name}.{one} is not there, or no text")
        found[one] = value
    return found


def _wrong(path: Path, why: str) -> UsageError:
    return UsageError(
        "bad-builder-file",
        f"{path} are no settings of a builder: {why}.",
        subject=str(path),
        next_step=DOCS,
    )
