"""Where journeys happen: the folders of a real hub and two real sites, beside their reckoning."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import Signer

from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry
from tests.journeys.hub_oracle import HubReckoning
from tests.journeys.said import Blobs, Homebound, Parcel
from tests.journeys.site_oracle import SiteReckoning
from tests.registry.hub_fixture import (
    APPROVERS,
    REQUESTER,
    Acme,
)
from tests.site_on_paper import SiteOnPaper
from tests.stores import copy_tree

VERSIONS = (1, 2, 3)
GROUPS = {"plant-7": ("line-1",), "plant-8": ("line-1", "line-2")}
ASKERS = (REQUESTER, APPROVERS[0])
"""One of them approves too, and never what she asked for herself."""
NODDERS = (*APPROVERS, "gina")
MEDIA = 3


@dataclass
class Cargo:
    """What lies on one medium: bundles by the names of their folders, returns by their sizes."""

    parcels: dict[str, Parcel] = field(default_factory=dict)
    returns: dict[str, dict[int, Homebound]] = field(default_factory=dict)


@dataclass
class Reckoning:
    """All that is foretold."""

    hub: HubReckoning
    sites: dict[str, SiteReckoning]
    homes: dict[str, str]
    """The folder of each site's present home."""
    media: list[Cargo]


@dataclass(frozen=True)
class Start:
    """Where every journey starts: a folder to copy, its reckoning, and what never changes.

    Attributes:
        digests: of every version's variant, the manifest's.
        blobs: of every version's variant, all but the manifest; files: those that are shown.
        signers: of people and offline roles, opened once: a key of theirs is dear to open.
    """

    folder: Path
    reckoning: Reckoning
    digests: dict[int, str]
    blobs: Blobs
    files: Blobs
    signers: dict[str, Signer]


class Ground:
    """A copy of the start, in which a journey goes on."""

    def __init__(self, start: Start, folder: Path, happened: Counter[str] | None = None) -> None:
        copy_tree(start.folder, folder, symlinks=True)
        self.folder = folder
        self.start = start
        self.happened = Counter[str]() if happened is None else happened
        self.reckoning = deepcopy(start.reckoning)
        self.acme = Acme(folder, opened=start.signers)
        self.plants = {
            site: SiteOnPaper(folder / self.reckoning.homes[site], known.now)
            for site, known in self.reckoning.sites.items()
        }
        self.backups: dict[str, tuple[Path, SiteReckoning]] = {}
        self.astray: dict[str | None, int] = {}
        self.copies: list[tuple[Path, Parcel]] = []
        self.floors: dict[str, dict[str, int]] = {site: {} for site in self.plants}
        self.acme.app.hub.log.clock = lambda: self.hub.now
        self.shift_hub(timedelta())

    @property
    def hub(self) -> HubReckoning:
        """The hub, as it is reckoned."""
        return self.reckoning.hub

    def close(self) -> None:
        self.acme.close()
        remove(self.folder)

    def medium(self, number: int) -> Path:
        folder = self.folder / "media" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # ------------------------------------------------------------------ clocks

    def wait(self, **span: float) -> None:
        """Time passes everywhere."""
        self.shift_hub(timedelta(**span))
        for site in self.plants:
            self.shift_site(site, timedelta(**span))

    def set_clock(self, site: str | None, days: int) -> None:
        """Of a site, or of the hub: so many days beside the time that everybody else has."""
        span = timedelta(days=days - self.astray.get(site, 0))
        self.astray[site] = days
        if site is None:
            self.shift_hub(span)
        else:
            self.shift_site(site, span)

    def shift_hub(self, span: timedelta) -> None:
        """Whoever works there takes the date that the clock says for true, and says so."""
        self.hub.now += span
        self.acme.app.hub.log.stated = self.hub.now.date()

    def shift_site(self, site: str, span: timedelta) -> None:
        self.plants[site].now += span
        self.reckoning.sites[site].now = self.plants[site].now

    # ------------------------------------------------------------------ comparing

    @contextmanager
    def foretold(self, deed: str, *, allowed: bool) -> Iterator[None]:
        """What is done within is refused, or not, as it was foretold."""
        self.happened[deed if allowed else f"no {deed}"] += 1
        if allowed:
            yield
            return
        with pytest.raises(SealiftError) as caught:
            yield
        assert caught.value.exit_code in {1, 2, 3}, caught.value

    def logged(self, site: str, expected: Counter[str]) -> list[str]:
        """The site's log goes on where it was, by the entries expected; the types of all."""
        known = self.reckoning.sites[site]
        entries = self.plants[site].entries()
        ids = tuple(entry.id for entry in entries)
        assert ids[: len(known.log)] == known.log
        types = list(map(_kind, entries))
        assert Counter(types[len(known.log) :]) == +expected
        known.log = ids
        return types


def _kind(entry: Entry) -> str:
    switches = {"model.activated", "model.stopped", "model.activation-failed"}
    return "switched" if entry.type in switches else entry.type


def remove(folder: Path) -> None:
    """Remove a folder, read-only ones in it too."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
