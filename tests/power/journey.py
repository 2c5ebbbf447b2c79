"""A hub, a site and a medium below one folder, and the two commands whose runs are cut."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sealift_registry.audit.reading import LogReader
from sealift_registry.trust.repository import Repository
from sealift_signing import statements
from sealift_signing.memory import Memory
from sealift_signing.statements import Transfer
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.verdict import Verdict
from sealift_sync.bundle import layout
from sealift_sync.durable import PARTIAL
from sealift_sync.site.log.log_reader import SiteLogReader
from tests.interruptions.pictures import picture
from tests.power.cutting import Cut
from tests.power.recording import TRUST, Recording, record
from tests.registry.hub_fixture import PASSPHRASE, SITE, Acme, copied
from tests.site_on_paper import SiteOnPaper


@dataclass(frozen=True)
class Journey:
    """What lies below `folder`: `hub/`, `site/`, `medium/`, and the people's keys."""

    folder: Path

    @property
    def plant(self) -> SiteOnPaper:
        return SiteOnPaper(self.folder / "site", datetime.now(UTC))

    @contextmanager
    def hub(self) -> Iterator[Acme]:
        acme = Acme(self.folder)
        try:
            yield acme
        finally:
            acme.close()

    @property
    def bundles(self) -> list[Path]:
        """The folders on the medium that bear a bundle's name."""
        top = self.folder / "medium" / layout.SEALIFT
        names = sorted(one.name for one in top.iterdir()) if top.is_dir() else []
        return [top / name for name in names if layout.is_transfer_id(name)]

    @property
    def export(self) -> Sequence[str]:
        """The command line of an export."""
        at = self.folder
        given = ["--home", f"{at}/hub", "--passphrase-file", f"{at}/pass"]
        key = f"{at}/offline/dispatcher-1.pem"
        return ["sealift", "export", SITE, "--to", f"{at}/medium", "--key", key, *given]

    @property
    def take(self) -> Sequence[str]:
        """The command line of an import."""
        return ["sealift-site", "--home", f"{self.folder}/site", "import", f"{self.folder}/medium"]


def about_to_export(stocked: Path, folder: Path) -> Journey:
    """The site runs version 1, the hub knows that, and version 2 is assigned."""
    acme = copied(stocked, folder)
    journey = Journey(folder)
    (folder / "pass").write_text(f"{PASSPHRASE}\n")
    for number in (1, 2):
        acme.promoted(number)
    acme.enrol(journey.plant)
    acme.assign(1)
    journey.plant.take(acme.export().folder)
    acme.app.returns.receive(acme.returned(journey.plant))
    acme.assign(2)
    acme.trusted(Memory(folder.with_name(TRUST)))
    acme.close()
    shutil.rmtree(folder / "medium")
    (folder / "medium").mkdir()
    return journey


def about_to_import(stocked: Path, folder: Path) -> Journey:
    """The same, and version 2 is on the medium."""
    journey = about_to_export(stocked, folder)
    with journey.hub() as acme:
        acme.export()
    return journey


def recorded(journey: Journey, command: Sequence[str], weakened: str = "nothing") -> Recording:
    """Run a command uncut, and record it."""
    before = journey.folder.with_name("before")
    # Unlike shutil.copytree, it keeps hard links, of which the site's models are made.
    subprocess.run(["cp", "-a", str(journey.folder), str(before)], check=True)
    return record(journey.folder, before, weakened, *command)


def is_whole(bundle: Path) -> bool:
    """Whether every file that its transfer.json lists is there as listed."""
    try:
        data = (bundle / layout.TRANSFER).read_bytes()
        listed = statements.read(Transfer, data, what="transfer.json").predicate.files
        return all(
            sha256((bundle / one.path).read_bytes()).hexdigest() == one.sha256 for one in listed
        )
    except OSError:
        return False


def hub_log(acme: Acme) -> Verdict:
    """What a check of the hub's whole log says."""
    hub = acme.app.hub
    with hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
    return LogReader(hub.database).fsck(hub.online.public("log"), origin)


def site_log(plant: SiteOnPaper) -> Verdict:
    """What a check of the site's whole log says."""
    with plant.opened() as site:
        return SiteLogReader(site.state.connection).fsck(site.key, site.origin)


def check_log(verdict: Verdict, cut: Cut) -> None:
    """It verifies, and all that was acknowledged is in it."""
    assert verdict.findings == ()
    assert verdict.size >= cut.committed, "an acknowledged entry is lost"


def leftovers(folder: Path) -> list[str]:
    """Temporary names that are still there."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(PARTIAL) or path.parent.name in {"incoming", "quarantine"}
    ]


def state(journey: Journey) -> dict[str, list[str]]:
    """All that there is, without what differs between two runs of the same command."""
    return picture(journey.folder)
