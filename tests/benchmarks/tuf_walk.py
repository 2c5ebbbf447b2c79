"""The walk of TUF at a site, and all of `verify`, in organisations as large as they get.

One has a catalog role that lists 20,000 artifacts, of which the site is assigned 40. The other has
1,000 sites and 200 teams, and the site runs a model of every one of them. Each is walked as it is
on a first visit, and on a later one, when every role that travels was signed anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.figures import MB, Claim, Line, Measured, Timing, over_rounds, shares
from tests.benchmarks.large_organisation import LargeOrganisation
from tests.benchmarks.racing import FailedError, tell

ARTIFACTS, SITES, TEAMS, PART = 20_000, 1_000, 200, 10
ASSIGNED = 40
ROUNDS, QUICK_ROUNDS = 5, 1
MOST_SECONDS, MOST_MB = 1.0, 120.0
ROOT = Path(__file__).parents[2]


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Both organisations; a tenth of each when quick."""
    part, rounds = (PART, QUICK_ROUNDS) if quick else (1, ROUNDS)
    artifacts, sites, teams = ARTIFACTS // part, SITES // part, TEAMS // part
    tell(f"publishing a role of {artifacts:,} artifacts")
    listed = _with_artifacts(folder / "artifacts", artifacts)
    yield from _visits(listed, f"{artifacts:,} artifacts in a role", rounds, MOST_MB)
    tell(f"publishing {sites:,} sites and {teams} teams")
    spread = _with_sites(folder / "sites", sites, teams)
    yield from _visits(spread, f"{sites:,} sites and {teams} teams", rounds, None)


def _with_artifacts(folder: Path, artifacts: int) -> LargeOrganisation:
    organisation = LargeOrganisation(folder)
    hub = organisation.hub
    organisation.assign(hub.promote(model=f"m-{n}") for n in range(ASSIGNED))
    organisation.list_artifacts(artifacts)
    return organisation


def _with_sites(folder: Path, sites: int, teams: int) -> LargeOrganisation:
    organisation = LargeOrganisation(folder)
    names = [f"team-{n:03d}" for n in range(teams)]
    organisation.add_sites(f"site-{n:04d}" for n in range(sites - 1))
    organisation.add_teams(names)
    organisation.assign(organisation.hub.promote(model="m", team=team) for team in names)
    return organisation


def _visits(
    organisation: LargeOrganisation, size: str, rounds: int, most: float | None
) -> Iterator[Line]:
    """A first visit, and a later one after that was imported."""
    first, later = organisation.bundles()
    yield from _visit(organisation, first, size, rounds, most)
    tell("importing the first bundle")
    organisation.site.take(first)
    yield from _visit(organisation, later, f"{size}, a later visit", rounds, most)


def _visit(
    organisation: LargeOrganisation, bundle: Path, size: str, rounds: int, most: float | None
) -> Iterator[Line]:
    tell(size)
    names = {"walk": f"walk, {size}", "verify": f"verify, {size}", "json": "JSON and SHA-256 alone"}
    ran: dict[str, list[Timing]] = {work: [] for work in names}
    for _ in range(rounds):
        for work, found in ran.items():
            found.append(_run(organisation, work, bundle))
    measured = {work: Measured(names[work], 0, tuple(found)) for work, found in ran.items()}
    control = replace(measured["json"], control=True)
    for work in ("walk", "verify"):
        one = measured[work]
        yield replace(one, shares=shares(one, {}, {}, {"JSON": control}))
    yield control
    yield from _claims(measured["walk"], most)


def _claims(walk: Measured, most: float | None) -> Iterator[Claim]:
    walls = [one.wall for one in walk.rounds]
    yield over_rounds("5", walk.name, "s", walls, most=MOST_SECONDS)
    if most is not None:
        peaks = [one.peak / MB for one in walk.rounds]
        yield over_rounds("5", f"{walk.name}, memory", "MB", peaks, most=most)


def _run(organisation: LargeOrganisation, work: str, bundle: Path) -> Timing:
    site, now = organisation.site.root, organisation.hub.now.timestamp()
    module = "tests.benchmarks.tuf_walk_process"
    command = [sys.executable, "-m", module, work, str(site), str(bundle), str(now)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise FailedError(f"{module} {work} failed: {done.stderr[-2_000:]}")
    return Timing(**json.loads(done.stdout))
