"""What came of each poisoning, and whether that is as it should be."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree

from tests.poisonings import harmless, playing
from tests.poisonings.playing import Outcome, Quarter
from tests.poisonings.poisoning import Poisoning

RECORDS = "SEALIFT_POISONINGS"
"""The environment may name a file: it gets a line for each poisoning, and none is played again."""


@dataclass(frozen=True)
class Record:
    """What came of a poisoning.

    Attributes:
        inside: what was gained with the gate.
        outside: what was gained without.
        reason: why there is nothing to gain, by the pattern that its name has.
        limit: the limit of the threat model because of which it gains in spite of the gate.
        untold: what was wrong with how it was refused.
    """

    name: str
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    reason: str | None
    limit: str | None
    untold: str

    @property
    def wrong(self) -> str:
        """What is not as it should be; empty where all is."""
        if self.inside and not self.limit:
            return f"{self.name} gains with the gate: {self.inside[0]}"
        if self.limit and not self.inside:
            return f"{self.name} gains nothing any more: {self.limit}"
        if self.outside and self.reason:
            return f"{self.name} is no harmless one: {self.outside[0]}"
        if not self.outside and not self.reason and not self.limit:
            return f"{self.name} gains nothing without a gate, and nothing says why"
        return self.untold


def record(found: Quarter, poisoning: Poisoning, folder: Path) -> Record:
    """Play it with the gate and without."""
    name = poisoning.name
    limit = harmless.limit(name)
    inside = playing.play(found, poisoning, folder / "in", gate=True)
    gained = () if limit else playing.play(found, poisoning, folder / "out", gate=False).gained
    told = untold(found, inside, folder / "told") if gained else ""
    rmtree(folder)
    return Record(name, inside.gained, gained, harmless.reason(name), limit, told)


def untold(found: Quarter, inside: Outcome, folder: Path) -> str:
    """What would succeed is refused, by one of our errors, which names what it is about."""
    name = inside.poisoning.name
    if not inside.refused:
        return f"nobody is told of {name}"
    for one in inside.refused:
        if one.code == "unexpected" or not one.what or not (one.subject or one.next_step):
            return f"{name} is refused by a bare {one.code}: {one}"
    kind, _, rest = name.partition(": ")
    if kind.startswith(("forged", "old")):
        role = rest.partition(":")[0]
        said = " ".join(f"{one.what} {one.subject}" for one in inside.refused)
        if role not in said and role not in playing.named(found, inside.poisoning, folder):
            return f"{name} is refused, and nothing names {role}: {said}"
    return ""


def known() -> set[str]:
    """The names of what was played already."""
    path = os.environ.get(RECORDS)
    if not path or not Path(path).exists():
        return set()
    return {json.loads(line)["name"] for line in Path(path).read_text().splitlines()}


def keep(one: Record) -> None:
    """Add it to the file that the environment names."""
    if path := os.environ.get(RECORDS):
        with Path(path).open("a") as file:
            file.write(f"{json.dumps(asdict(one))}\n")
