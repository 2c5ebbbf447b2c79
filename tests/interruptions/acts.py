"""Every act that is signed, from draft to submission: each command of it is cut at every point.

What is drafted stands here, once for each act of the closed list; the commands that sign are those
that the hub prints.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealift_signing.keys import read_public
from tests.interruptions.story import ANSWERED, MEETING, Step, Story
from tests.registry.hub_fixture import GROUP, MODEL, SITE, TARGET, TEAM

BEGINS = "promote"
"""The step of the story before which the acts are played: version 3 waits to be promoted."""
HOURS = 2
"""How much later that is: what was signed within the hour is not renewed."""


@dataclass(frozen=True)
class Signed:
    """An act as it is drafted.

    Attributes:
        name: of the act, and which one where several are of one kind.
        drafts: the words of the hub's command.
        signers: names of key files; the last signature is the one that suffices.
        submits: what `submit` is told beside the signed files.
    """

    name: str
    drafts: str
    signers: tuple[str, ...]
    submits: str = ""

    @property
    def act(self) -> str:
        """Its name in the closed list."""
        return self.name.split()[0]


AT_SERVERS = {"bind-account"}
"""Acts that no command of the hub drafts: a server does, for whoever signs in."""
STEWARDS, TARGETS = ("anna", "ben"), ("targets-1", "targets-2")
WORDS = "--meaning validated --reason tested"
ACTS = (
    Signed("renew", f"renew team.{TEAM}", STEWARDS),
    Signed("renew root", "renew root", ("root-1", "root-2")),
    Signed("add-team", "team add sound --steward anna.card --steward gina.card", TARGETS),
    Signed("add-approver first", "team approver sound hilda.card", ("anna", "gina")),
    Signed("set-stewards", "team stewards sound anna hilda --card hilda.card", TARGETS),
    Signed("renew after", "renew team.sound", ("anna", "hilda")),
    Signed("add-approver", f"team approver {TEAM} anna.card", STEWARDS),
    Signed("add-requester", f"team requester {TEAM} gina.card", STEWARDS),
    Signed("add-key", f"person key add {TEAM} gina-2.card", STEWARDS),
    Signed("remove-key", f"person key remove {TEAM} gina KEY:gina-2", STEWARDS),
    Signed("replace-key", f"person key replace {TEAM} gina-3.card", STEWARDS),
    Signed("retire-person", f"person retire {TEAM} gina", STEWARDS),
    Signed("reinstate-person", f"person reinstate {TEAM} gina-4.card", STEWARDS),
    Signed("call-compromised", f"person compromised {TEAM} gina", STEWARDS),
    Signed("set-check-rows", f"team check-rows {TEAM} --travel", STEWARDS),
    Signed("set-stage", "policy set pilot --like staging --before-people", TARGETS),
    Signed("remove-stage", "policy remove pilot", TARGETS),
    Signed("set-lifetime", "policy lifetime team 120", TARGETS),
    Signed("request", f"promote {MODEL}/3 --to production --reason better", ("dora",)),
    Signed("object", "object P-2 --reason dark", ("carla",)),
    Signed("approve", f"approve P-2 {WORDS}", ("carla",)),
    Signed("approve last", f"approve P-2 {WORDS}", ("emil",)),
    Signed("rotate-keys", "key rotate freshness --status compromised", ("root-1", "root-2")),
    Signed("rotate-keys catalog", "key rotate catalog", TARGETS),
    Signed("rotate-keys log", "key rotate log --status compromised", ("fleet-1",)),
    Signed("rotate-keys scanner", "key rotate scanner", ("fleet-1",)),
    Signed("add-builder", "builder add shop-2.card shop-2-scanner.card", ("fleet-1",)),
    Signed("remove-builder", "builder remove shop-2 --status compromised", ("fleet-1",)),
    Signed(
        "enroll",
        "site enroll plant-9.request --stage production --dispatcher dispatcher-1",
        ("fleet-1",),
    ),
    Signed("assign", f"assign {SITE} {MODEL}/3 --for {GROUP}={TARGET}", ("dispatcher-1",)),
    Signed("transfer", f"export {SITE} --to medium", ("dispatcher-1",), "--medium medium"),
    Signed("unassign", f"unassign {SITE} {MODEL} --reason misreads", ("dispatcher-1",)),
)
"""In the order in which one follows from the other."""


def with_keys(words: str, folder: Path) -> list[str]:
    """The words of a command, a key in place of each that is named by its file."""
    return [_key(one, folder) if one.startswith("KEY:") else one for one in words.split()]


def _key(word: str, folder: Path) -> str:
    name = word.removeprefix("KEY:")
    return read_public(str(folder / "people" / f"{name}.pem.pub")).text


def play(story: Story) -> None:
    """Play the acts uncut, each from where the one before it ended."""
    asked = [_asks(story.case, name) for name in ("plant-9", "plant-10")]
    early, told = str(story.case / "early.memory"), str(story.case / "told.memory")
    shares = ["sealift-sign", "share"]
    story.begin_again(BEGINS, [*asked, [*shares, early]])
    fingerprint = _told(story, "sealift", "fingerprint", "--home", str(story.case / "hub"))
    for one in ACTS:
        for step in _steps(story, one):
            story.play(step)
    for step in _answers(story.case):
        story.play(step)
    signed = _told(story, "sealift-sign", "signed")["signed"][-1]["sha256"]
    new = ["sealift-sign at a new desk"]
    for name, words in zip(
        MEETING,
        (
            [*new, "trust", fingerprint["fingerprint"], early],
            [*shares, told],
            [*new, "learn", told],
            ["sealift-sign", "write", f"team.{TEAM}", str(story.case / "vision.version")],
            ["sealift-sign", "again", signed, str(story.case / "again.signed")],
        ),
        strict=True,
    ):
        story.play(Step(name, words, HOURS))


def _asks(at: Path, site: str) -> list[str]:
    words = ["sealift-site", "--home", str(at / site), "init", "--id", site]
    return [*words, "--group", f"{GROUP}={TARGET}", "--request", str(at / f"{site}.request")]


def _answers(at: Path) -> Iterator[Step]:
    """A site is answered: what was signed elsewhere is written, or all of it is done at the hub."""
    more = ["--home", str(at / "hub"), "--passphrase-file", str(at / "pass")]
    written, here = ANSWERED
    yield Step(written, ["sealift", "site", "answer", "plant-9", "--out", str(at / "9"), *more])
    words = ["sealift", "site", "enroll", str(at / "plant-10.request"), "--stage", "production"]
    words += ["--dispatcher", "dispatcher-1", "--answer", str(at / "10"), "--at-hub"]
    yield Step(here, [*words, "--key", str(at / "offline/fleet-1.pem"), *more], HOURS)


def _told(story: Story, *words: str) -> Any:  # noqa: ANN401 - what it says under --json
    ended = story.launcher.run([*words, "--json"])
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def names(one: Signed) -> Iterator[str]:
    """The steps of an act, by the names under which they are cut."""
    yield f"draft {one.name}"
    yield from (f"sign {one.name} as {name}" for name in one.signers)
    yield f"submit {one.name}"


def _steps(story: Story, one: Signed) -> Iterator[Step]:
    at, called = story.case, list(names(one))
    passphrase = ["--passphrase-file", str(at / "pass")]
    hub = ["--home", str(at / "hub"), *passphrase]
    draft = at / f"{one.name.replace(' ', '-')}.draft"
    words = [_placed(at, word) for word in with_keys(one.drafts, at)]
    yield Step(called[0], ["sealift", *words, "--draft", str(draft), "--json", *hub], HOURS)
    signs = shlex.split(json.loads(story.last.out)["sign"])
    files = []
    for name, step in zip(one.signers, called[1:], strict=False):
        files.append(draft.with_suffix(f".{name}.signed"))
        key = next(at.glob(f"*/{name}.pem"))
        more = ["--yes", "--out", str(files[-1]), *passphrase]
        yield Step(step, [*signs[:-1], str(key), *more], HOURS)
    submit = [_placed(at, word) for word in one.submits.split()]
    yield Step(called[-1], ["sealift", "submit", *map(str, files), *submit, *hub], HOURS)


def _placed(at: Path, word: str) -> str:
    """A file or folder of the case by its whole path; any other word as it is."""
    return str(at / word) if word.endswith((".card", ".request")) or word == "medium" else word
