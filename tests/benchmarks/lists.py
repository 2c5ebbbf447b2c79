"""What it costs to look at a hub as it grows: lists, what is next, one thing, an export's plan.

Each command is run on hubs of a hundred, a thousand and ten thousand versions, with promotions and
sites in proportion. Told is the processor's time, less that of a command that opens the same hub
and reads nothing of it: what people wait for besides, and how it grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from sealift_registry.app import open_app
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.reference import VersionRef
from tests.benchmarks.figures import Claim, Line, Measured, over_rounds, shares
from tests.benchmarks.grown_catalog import OLDER, references
from tests.benchmarks.grown_hub import TEAMS, Size, build
from tests.benchmarks.organisations import BIN
from tests.benchmarks.racing import Act, Contestant, Place, Step, race, tell
from tests.registry.hub_fixture import TARGET

SIZES, QUICK_SIZES = (100, 1_000, 10_000), (100, 1_000)
ROUNDS, QUICK_ROUNDS = 3, 1
AIM = 0.2
"""Seconds that a list takes, and `next`, beside opening the hub."""
LEAST = 0.01
"""Seconds of processor below which nothing is told apart."""
START, OPEN = "sealift --help", "sealift list hardware-targets"
AIMED = ("sealift list versions", "sealift list promotions", "sealift list sites", "sealift next")
SHOWS = ("sealift show VERSION", "sealift show PROMOTION", "sealift show SITE")
PLAN = "sealift export --plan"
COMMANDS = (*AIMED, *SHOWS, PLAN)
SITE = "plant-0000"


@dataclass(frozen=True)
class Looked:
    """A hub that is looked at: its folder, and what it is asked about."""

    folder: Path
    size: int
    version: str
    promotion: str

    def named(self, command: str) -> str:
        """A command, on this hub."""
        return f"{command}, {self.size:,} versions"

    def contestants(self) -> Iterator[Contestant]:
        """Every command that is measured; the first opens the hub and reads nothing of it."""
        yield self._run(OPEN, "list", "hardware-targets")
        for command in AIMED:
            yield self._run(command, *command.split()[1:])
        for command, what in zip(SHOWS, (self.version, self.promotion, SITE), strict=True):
            yield self._run(command, "show", what)
        yield self._run(PLAN, "export", SITE, "--plan", "--to", self.folder)

    def _run(self, command: str, *words: str | Path) -> Contestant:
        trust = {"SEALIFT_TRUST": str(self.folder / "trust")}
        whole = (BIN / "sealift", "--home", self.folder / "hub", *words)

        def steps(_place: Place) -> Iterator[Step | Act]:
            yield Step(whole, environment=trust)

        return Contestant(self.named(command), 0, steps, control=command == OPEN)


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Every command on every hub; the smaller hubs alone when quick."""
    hubs = [_grown(folder, size) for size in (QUICK_SIZES if quick else SIZES)]
    contestants = [_start(), *(one for hub in hubs for one in hub.contestants())]
    found = race(contestants, QUICK_ROUNDS if quick else ROUNDS, folder / "race")
    yield found[START]
    for command in (OPEN, *COMMANDS):
        for hub in hubs:
            one = found[hub.named(command)]
            yield one if one.control else replace(one, shares=shares(one, {}, {}))
    for command in COMMANDS:
        yield from _claims(command, hubs, found)


def _start() -> Contestant:
    def steps(_place: Place) -> Iterator[Step | Act]:
        yield Step((BIN / "sealift", "--help"))

    return Contestant(START, 0, steps, control=True)


def _grown(folder: Path, size: int) -> Looked:
    tell(f"growing a hub of {size:,} versions")
    acme = build(folder / str(size), Size.of(size))
    ref = next(ref for ref, _ in references(size - 1, TEAMS) if ref.number == OLDER)
    return Looked(acme.folder, size, str(ref), _listed(acme.root, ref))


def _listed(home: Path, ref: VersionRef) -> str:
    """The promotion by which a version is listed."""
    with closing(open_app(home, {})) as app, app.hub.reading() as connection:
        newest, *_ = Catalog(connection).listing(ref.path(TARGET), "production")
        return newest.id


def _claims(command: str, hubs: Sequence[Looked], found: Mapping[str, Measured]) -> Iterator[Claim]:
    """What the command takes beside opening the largest hub; and that, against the smallest."""
    least, *_, most = hubs
    aim = AIM if command in AIMED else None
    large, small = _beyond(command, most, found), _beyond(command, least, found)
    words = f"{most.named(command)}, beside opening the hub"
    yield over_rounds("", words, "s", large, aim=aim)
    growth = [one / other for one, other in zip(large, small, strict=True)]
    yield over_rounds("", f"{command}, {most.size:,} against {least.size:,} versions", "x", growth)


def _beyond(command: str, hub: Looked, found: Mapping[str, Measured]) -> list[float]:
    """Seconds of processor in each round, less those of opening the hub."""
    pairs = zip(found[hub.named(command)].rounds, found[hub.named(OPEN)].rounds, strict=True)
    return [max(one.cpu - opened.cpu, LEAST) for one, opened in pairs]
