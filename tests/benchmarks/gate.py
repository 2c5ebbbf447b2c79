"""What the gate costs a command, in a small organisation and in a large one.

A routine renewal is drafted at the hub, signed by a steward with a memory, and submitted; then a
dispatcher assigns and exports at the hub, with the gate and, in the same round, without it.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks import workloads
from tests.benchmarks.figures import MB, Claim, Line, Measured, Timing, over_rounds, shares
from tests.benchmarks.gate_process import STAGES
from tests.benchmarks.grown import OTHER_GROUP, Grown, grown
from tests.benchmarks.organisations import BIN
from tests.benchmarks.racing import Act, Contestant, Place, Step, race, run, tell
from tests.registry.hub_fixture import MODEL, SITE, STEWARDS, TARGET, TEAM, copied

ROOT = Path(__file__).parents[2]
PROCESS = (sys.executable, "-m", "tests.benchmarks.gate_process")
TEAMS, WEEKS, PART = 100, 520, 10
ROLE = f"team.{TEAM}"
DRAFT, SIGN, SUBMIT = f"sealift renew {ROLE}", f"sealift-sign renew {ROLE}", "sealift submit"
ASSIGN, EXPORT = "sealift assign", "sealift export"
WITHOUT = "without the gate"
PROMISED = {DRAFT: 1.0, ASSIGN: 2.0, EXPORT: 2.0}
"""Seconds that they take at most, also in the large organisation: ten years make nothing slow."""


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """A small organisation, and one of a hundred teams and ten years; a tenth of it when quick."""
    part = PART if quick else 1
    rounds = workloads.rounds(quick=quick)
    for more_teams, weeks in ((0, 1), (TEAMS // part - 1, WEEKS // part)):
        tell(f"an organisation of {more_teams + 1} teams, signed for {weeks} weeks")
        top = folder / f"{more_teams + 1}"
        hub = grown(copied(workloads.founded(folder.parent), top / "acme"), top, more_teams, weeks)
        yield from _costs(hub, rounds, folder)


def _costs(hub: Grown, rounds: int, folder: Path) -> Iterator[Line]:
    stages: dict[str, list[Timing]] = {name: [] for name in STAGES}
    found = race(
        [
            Contestant("renewal", 0, lambda place: _renewal(hub, place, stages)),
            Contestant("gate", 0, lambda place: _delivery(hub, place, "with")),
            Contestant("no gate", 0, lambda place: _delivery(hub, place, "without")),
        ],
        rounds,
        folder,
    )
    for one in found.values():
        yield _named(hub, one)
    for name, most in PROMISED.items():
        what = f"{name}, {hub.size}"
        yield over_rounds("", what, "s", [one.wall for one in found[name].rounds], most=most)
    for name, each in stages.items():
        yield _named(hub, Measured(f"{SIGN}: {name}", 0, tuple(each)))
    yield _share(hub, found[SIGN], stages)
    for name in (ASSIGN, EXPORT):
        yield from _differences(hub, found[name], found[f"{name}, {WITHOUT}"])


def _named(hub: Grown, one: Measured) -> Measured:
    control = one.name.endswith(WITHOUT) or ": " in one.name
    found = {} if control else shares(one, {}, {})
    return Measured(f"{one.name}, {hub.size}", 0, one.rounds, shares=found, control=control)


def _share(hub: Grown, sign: Measured, stages: dict[str, list[Timing]]) -> Claim:
    """What part of `sealift-sign` the gate and the memory are."""
    ours = [stages[name] for name in STAGES[1:]]
    each = [
        100 * sum(one.wall for one in stage) / whole.wall
        for *stage, whole in zip(*ours, sign.rounds, strict=True)
    ]
    what = f"{SIGN}, {hub.size}: its gate and memory, of its time"
    return over_rounds("", what, "%", each)


def _differences(hub: Grown, gate: Measured, without: Measured) -> Iterator[Claim]:
    pairs = list(zip(gate.rounds, without.rounds, strict=True))
    what = f"{gate.name}, {hub.size}: what its gate takes"
    yield over_rounds("", what, "s", [a.wall - b.wall for a, b in pairs])
    share = [100 * (a.wall - b.wall) / a.wall for a, b in pairs]
    yield over_rounds("", f"{what}, of its time", "%", share)
    yield over_rounds("", f"{what}, memory", "MB", [(a.peak - b.peak) / MB for a, b in pairs])


def _renewal(hub: Grown, place: Place, stages: dict[str, list[Timing]]) -> Iterator[Step]:
    """Drafted, signed by one steward who is measured and one who is not, and taken in."""
    us, draft = hub.us, place / "renew.draft"
    home = us.copy_hub(place / "hub")
    at = ("--home", home)
    yield Step((BIN / "sealift", "renew", ROLE, "--draft", draft, *at), part=DRAFT)
    signed = []
    for person in STEWARDS:
        out, told = place / f"{person}.signed", place / "stages.json"
        memory = shutil.copytree(hub.memory, place / f"memory-{person}")
        words = ("sealift-sign", "renew", ROLE, draft, "--yes", "--out", out)
        key = ("--key", us.folder / "people" / f"{person}.pem", *us.passphrase())
        step = Step(
            (*PROCESS, "timed", told, *words, *key),
            cwd=ROOT,
            environment={"SEALIFT_TRUST": str(memory)},
            part=SIGN,
        )
        signed.append(out)
        if person != STEWARDS[0]:
            run(step)
            continue
        yield step
        for name, (wall, cpu) in json.loads(told.read_text(encoding="utf-8")).items():
            stages[name].append(Timing(wall, cpu))
    yield Step((BIN / "sealift", "submit", *signed, *at), part=SUBMIT)


def _delivery(hub: Grown, place: Place, how: str) -> Iterator[Step | Act]:
    """Assigned to a host group that has nothing yet, and exported."""
    home, medium = hub.us.copy_hub(place / "hub"), place / "medium"
    medium.mkdir()
    memory = shutil.copytree(hub.memory, place / "memory")
    groups = ("--for", f"{OTHER_GROUP}={TARGET}")
    for name, words in (
        (ASSIGN, ("assign", SITE, f"{MODEL}/1", *groups)),
        (EXPORT, ("export", SITE, "--to", medium)),
    ):
        yield Step(
            _at_hub(hub, how, home, words),
            cwd=ROOT,
            environment={"SEALIFT_TRUST": str(memory)},
            part=name if how == "with" else f"{name}, {WITHOUT}",
        )


def _at_hub(hub: Grown, how: str, home: Path, words: Sequence[str | Path]) -> list[str | Path]:
    key = ("--key", hub.us.folder / "offline" / "dispatcher-1.pem", *hub.us.passphrase())
    return [*PROCESS, how, "sealift", *words, "--home", home, *key]
