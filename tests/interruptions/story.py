"""A hub, a site and a medium on which each command is about to be run, and how each ends uncut."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sealift_signing.memory import Memory
from tests import models
from tests.interruptions.launcher import Cut, Ended, Launcher
from tests.interruptions.pictures import differences, picture
from tests.registry.hub_fixture import GROUP, MODEL, PASSPHRASE, SITE, TARGET, TEAM, Acme, copied
from tests.site_on_paper import SiteOnPaper


@dataclass(frozen=True)
class Step:
    """A command of the story, in the words that run it.

    Attributes:
        hours: how far the clock is ahead when it runs.
    """

    name: str
    words: Sequence[str]
    hours: int = 0


@dataclass
class Told:
    """A step run uncut: what it did at its points, and what there is afterwards."""

    step: Step
    points: tuple[str, ...] = ()
    after: dict[str, list[str]] = field(default_factory=dict)


SWEPT = (
    *("ingest", "convert", "promote", "approve"),
    *("export", "import", "rollback", "return", "receive"),
)
"""The commands that are cut at every point, and of which `make test` cuts each once."""
ALSO = ("approve first", "assign", "sign second")
"""Further ones, which are cut at every point by `make test-long` only."""
SIGNING = ("draft", "sign", "submit", "entitle")
"""How a signature comes to be; `entitle` does all of it at the hub."""
ANSWERED = ("answer", "enroll at the hub")
"""How a site gets its answer, in a file that is new."""
MEETING = ("trust", "share", "learn", "write", "again")
"""What is done with memories: commands of `sealift-sign` that change a memory or hand it out."""


def steps(at: Path) -> list[Step]:
    """The story: version 3 goes all the way, and the site goes back from it to version 1."""
    hub = ["sealift", "--home", str(at / "hub"), "--passphrase-file", str(at / "pass")]
    site = ["sealift-site", "--home", str(at / "site")]

    def by_hub(words: str, key: str = "") -> list[str]:
        signed = ["--key", str(at / key)] if key else []
        command, *more = words.format(at=at, model=MODEL, site=SITE, team=TEAM).split()
        return ["sealift", *command.split("/"), *more, *hub[1:], *signed]

    def by_site(words: str) -> list[str]:
        return [*site, *words.format(at=at, model=MODEL).split()]

    def by_desk(words: str, key: str) -> list[str]:
        act = words.format(at=at, team=TEAM).split()
        out = at / f"gina.{key}.signed"
        signed = ["--key", str(at / f"people/{key}.pem"), "--out", str(out), "--yes"]
        return ["sealift-sign", *act, *signed, *hub[3:]]

    add = "team/approver {team} {at}/"
    sign = "add-approver {team} gina {at}/gina.draft --card {at}/gina.card"
    two = ["--key", str(at / "people/anna.pem"), "--key", str(at / "people/ben.pem")]
    saying = "--meaning validated --reason tested --yes --at-hub"
    dispatcher = "offline/dispatcher-1.pem"
    return [
        Step("draft", by_hub(f"{add}gina.card --draft {{at}}/gina.draft")),
        Step("sign", by_desk(sign, "anna")),
        Step("sign second", by_desk(sign, "ben")),
        Step("submit", by_hub("submit {at}/gina.anna.signed {at}/gina.ben.signed")),
        Step("entitle", [*by_hub(f"{add}hilda.card --at-hub"), *two]),
        Step(
            "ingest",
            by_hub("ingest/onnx {at}/tiny-3.onnx --as {model} --goldens {at}/goldens-1.npz"),
        ),
        Step("convert", by_hub(f"convert {{model}}/3 --for {TARGET}")),
        Step(
            "promote",
            by_hub("promote {model}/3 --to production --reason b --at-hub", "people/dora.pem"),
        ),
        Step("approve first", by_hub(f"approve P-2 {saying}", "people/carla.pem")),
        Step("approve", by_hub(f"approve P-2 {saying}", "people/emil.pem")),
        Step(
            "assign",
            by_hub(f"assign {{site}} {{model}}/3 --for {GROUP}={TARGET}", dispatcher),
        ),
        Step("export", by_hub("export {site} --to {at}/medium", dispatcher)),
        Step("import", by_site("import {at}/medium")),
        Step("rollback", by_site("rollback {model} --reason wrong")),
        Step("return", by_site("return --to {at}/medium")),
        Step("receive", by_hub("receive {at}/medium")),
    ]


def other_keys(acme: Acme, who: str = "gina") -> None:
    """Make somebody's further keys, each with a card that is called like it."""
    for number in (2, 3, 4):
        card = acme.card(who, acme.new_key(f"{who}-{number}"))[1]
        (acme.folder / f"{who}-{number}.card").write_bytes(card)


class Story:
    """The story below `folder`: what there is before each step is kept, to begin there again.

    Everything happens in `folder`/case, because paths are remembered.
    """

    def __init__(self, folder: Path, launcher: Launcher) -> None:
        self.case = folder / "case"
        self.launcher = launcher
        self._kept = folder / "kept"
        self.told: dict[str, Told] = {}
        self.last = Ended(0, (), "", "", 0.0)

    def tell(self, stocked: Path) -> None:
        """Play it once, uncut."""
        self._begin(stocked)
        self._kept.mkdir()
        for step in steps(self.case):
            self.play(step)

    def tell_instead(self, name: str, words: Sequence[str], instead_of: str) -> None:
        """Play another step where `instead_of` stands, which is cut under its own `name` then."""
        self.reset(instead_of)
        home = ["--home", str(self.case / "hub"), "--passphrase-file", str(self.case / "pass")]
        self.play(Step(name, ["sealift", *words, *home]))

    def tell_next(
        self, name: str, begins: str, first: Sequence[Sequence[str]], words: Sequence[str]
    ) -> None:
        """Play `first` where the step `begins` would begin, and then another step, `name`."""
        self.begin_again(begins, first)
        self.play(Step(name, words))

    def begin_again(self, begins: str, first: Sequence[Sequence[str]]) -> None:
        """Go back to where the step `begins` would begin, and play `first`, which is not cut."""
        self.reset(begins)
        for one in first:
            ended = self.launcher.run(one)
            assert ended.code == 0, ended.err

    def play(self, step: Step) -> None:
        """Run a step from where the one before it ended, and keep what there was before."""
        self._copy(self.case, self._kept / step.name)
        self.last = ended = self.launcher.run(step.words, hours=step.hours)
        assert ended.code == 0, (step.name, ended.err)
        self.told[step.name] = Told(step, ended.points, picture(self.case))

    def reset(self, name: str) -> None:
        """What there was before a step."""
        self._copy(self._kept / name, self.case)

    def cut(self, name: str, cut: Cut) -> tuple[Ended, list[str]]:
        """Cut a step, and run it again; how it was cut, and what is wrong afterwards, in words."""
        step = self.told[name].step
        self.reset(name)
        first = self.launcher.run(step.words, cut, step.hours)
        return first, self.problems(name, self.launcher.run(step.words, hours=step.hours))

    def problems(self, name: str, again: Ended) -> list[str]:
        """What differs from the step run uncut, in words; `again` is how its last run ended."""
        if again.code != 0:
            return [f"exit code {again.code}: {again.out} {again.err}"]
        found = differences(self.told[name].after, picture(self.case))
        for words in self.checks(name):
            said = self.launcher.run(words)
            if said.code != 0:
                found.append(f"{' '.join(words[:1])} audit fsck: {said.out} {said.err}")
        return found

    def checks(self, name: str) -> list[list[str]]:
        """The commands that verify what the step wrote."""
        if name.startswith(("draft ", "sign ")) or name in MEETING:
            return []  # the picture has all rows, what is remembered, and what signed files hold
        if name in {"import", "rollback", "return"}:
            return [["sealift-site", "--home", str(self.case / "site"), "audit", "fsck"]]
        checks = [["sealift", "audit", "fsck", "--home", str(self.case / "hub")]]
        if name in {"export", "submit transfer"}:
            medium = str(self.case / "medium")
            checks.append(["sealift-site", "--home", str(self.case / "site"), "verify", medium])
        return checks

    def _begin(self, stocked: Path) -> None:
        """A site that runs version 1, whose receipt has come home; version 2 is there, too."""
        acme = copied(stocked, self.case)
        (self.case / "tmp").mkdir()
        (self.case / "pass").write_text(f"{PASSPHRASE}\n")
        models.tiny_onnx(self.case / "tiny-3.onnx", 3)
        plant = SiteOnPaper(self.case / "site", datetime.now(UTC))
        acme.trusted(Memory(self.case / "trust"))
        acme.promoted(1)
        acme.enrol(plant)
        acme.assign(1)
        plant.now = datetime.now(UTC)
        plant.take(acme.export().folder)
        acme.app.returns.receive(acme.returned(plant))
        for person in ("gina", "hilda", "shop-2", "shop-2-scanner"):
            acme.new_key(person)
        for person in ("anna", "gina", "hilda", "shop-2", "shop-2-scanner"):
            (self.case / f"{person}.card").write_bytes(acme.card(person)[1])
        other_keys(acme)
        acme.close()
        shutil.rmtree(self.case / "medium")
        (self.case / "medium").mkdir()

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        # Unlike shutil.copytree, it keeps hard links, of which the site's models are made.
        if target.exists():
            subprocess.run(["rm", "-rf", str(target)], check=True)
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)
