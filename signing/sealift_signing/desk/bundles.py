"""What a medium that came back carries of an organisation: its bundles' metadata and documents.

Nothing of it is believed; it is only read where it lies, and no further than a file may be long.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from sealift_signing import drafts, roles, version_links
from sealift_signing.drafts import LARGEST
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.memory_updates import PEOPLE, Offer
from sealift_signing.version_links import Follows

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # no link, and no pipe that waits for ever


class _Bundle:
    """A bundle's files, as an organisation's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._newest: dict[str, int] = {}
        for one in os.scandir(folder / "metadata"):
            found = re.fullmatch(r"([1-9][0-9]{0,15})\.(.+)\.json", one.name)
            if found and roles.is_known(found[2]):
                self._newest[found[2]] = max(int(found[1]), self._newest.get(found[2], 0))

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        """The role's version."""
        number = self._newest.get(role) if version is None else version
        return None if number is None else _read(self._folder / f"metadata/{number}.{role}.json")

    def document(self, path: str, digest: str) -> bytes | None:
        """The document; whoever asks compares its digest."""
        del digest
        return _read(self._folder / "targets" / path)

    @property
    def lineages(self) -> dict[str, tuple[Follows, ...]]:
        """Each role that people sign, and its past where that is carried and true."""
        found = {}
        for role in self._newest:
            if roles.kind(role) in PEOPLE:
                found[role] = self._lineage(role)
        return found

    def _lineage(self, role: str) -> tuple[Follows, ...]:
        data, carried = self.metadata(role), _read(self._folder / f"metadata/{role}.lineage.json")
        with suppress(RefusedError):  # what is said of it then is that it cannot be compared
            if data and carried:
                return version_links.read_lineage(
                    carried, role, drafts.spelled_role(role, data).signed
                )
        return ()


def offers(folder: Path) -> tuple[Offer, ...]:
    """What each bundle in `folder` carries.

    Raises:
        NotFoundError: there is none.
    """
    places = [folder, *sorted(folder.glob("sealift/*"))]
    found = [one for one in places if (one / "metadata").is_dir()]
    if not found:
        raise NotFoundError(
            "no-bundle",
            f"There is no bundle in {folder}.",
            subject=str(folder),
            next_step="Name the folder that was carried, or a bundle in it.",
        )
    bundles = [(one, _Bundle(one)) for one in found]
    return tuple(Offer(one, one.lineages, {}, place.name) for place, one in bundles)


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, _FILE)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = file.read(LARGEST + 1)
        return data if len(data) <= LARGEST else None
