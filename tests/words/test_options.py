"""Whatever is typed as an option or an argument, no line of the answer is its own.

People paste what others sent them, and complete the names of files that others brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
import pytest

from sealift_registry.cli.at_hub import _given_away
from sealift_registry.cli.group import sealift
from sealift_registry.cli.run import run as run_hub
from sealift_signing.desk.cli.group import sign
from sealift_signing.desk.cli.run import run as run_desk
from sealift_sync.cli.commands import site
from sealift_sync.cli.run import run as run_site
from tests.desk import days as commands
from tests.desk.days import Days
from tests.registry.hub_fixture import assigned, copied, founded, stocked
from tests.words.listening import TRIED, Words, listening
from tests.words.strings import BARRED, LINES

__all__ = ["assigned", "founded", "stocked"]

PROGRAMS = {
    "sealift": (sealift, run_hub),
    "sealift-sign": (sign, run_desk),
    "sealift-site": (site, run_site),
}
GIVEN = {
    **dict.fromkeys(("MODEL", "TEAM/MODEL"), "vision/tiny"),
    **dict.fromkeys(("VERSION", "TEAM/MODEL/VERSION"), "vision/tiny/1"),
    **dict.fromkeys(("GROUP=HARDWARE-TARGET", "NAME=HARDWARE-TARGET"), "line-1=cpu-x86_64"),
    **dict.fromkeys(("PROMOTION", "P-NUMBER"), "P-1"),
    "SITE": "plant-7",
    "STAGE": "production",
    "ROLE": "team.vision",
    "TEAM": "vision",
    "PERSON": "carla",
    "STEWARD": "anna",
    "WHAT": "freshness",
    "DIR": "medium",
    "TRANSFER": "plant-7-000001",
    "KEY": "people/anna.pem",
    "WHICH-KEY": "7a9f0e99",
    "CARD": "gina.card",
    "TEXT": "because",
    "ROLE=VERSION": "root=1",
    "URI": "models:/x/1",
}
"""What stands for each other thing that a command needs, by what its help calls it."""
SHARED = {"home", "passphrase_file"}
"""Of every command: one command's suffices."""
SLOW = {("sealift", "ingest", "mlflow"), ("sealift", "ingest", "dvc")}
"""They start other programs, and have tests of their own."""
MOST = 30_000
"""Characters that a command may answer with, whatever is typed."""


@dataclass(frozen=True)
class Text:
    """One text that a command takes."""

    command: tuple[str, ...]
    parameter: click.Parameter
    needed: tuple[click.Parameter, ...]

    @property
    def name(self) -> str:
        return f"{' '.join(self.command)} {self.parameter.opts[-1]}"

    def line(self, text: str) -> list[str]:
        """The command with `text` in its place, and what else it needs."""
        options, arguments = [], []
        for one in self.needed:
            value = text if one is self.parameter else _plausible(one)
            if isinstance(one, click.Option):
                options += [one.opts[-1], value]
            else:
                arguments.append(value)
        return [*self.command[1:], *options, "--", *arguments]


def _plausible(one: click.Parameter) -> str:
    return GIVEN.get((one.metavar or one.name or "").upper().rstrip(".…"), "medium")


def texts() -> Iterator[Text]:
    """Every text that any command takes."""
    for name, (program, _) in PROGRAMS.items():
        shared = set(SHARED)
        for words, one in leaves(program, (name,)):
            params = [p for p in one.params if not getattr(p, "is_flag", False)]
            for parameter in params:
                free = isinstance(parameter.type, click.types.StringParamType | click.Path)
                if not free or (parameter.name in SHARED and parameter.name not in shared):
                    continue
                shared.discard(str(parameter.name))
                needed = tuple(p for p in params if p.required or p is parameter)
                yield Text(words, parameter, needed)


def leaves(
    one: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(one, click.Group):
        yield words, one
        return
    for name, inner in one.commands.items():
        yield from leaves(inner, (*words, name))


@pytest.fixture
def place(assigned: Path, tmp_path: Path) -> Path:
    copied(assigned, tmp_path).close()
    (tmp_path / "medium").mkdir(exist_ok=True)
    days = Days(tmp_path)
    days.trusting("anna")
    days.person("gina").card()
    days.close()
    return tmp_path


def tried(place: Path, text: str, one: Text) -> list[str]:
    """Run a command with `text` as one of its texts; what is wrong with what comes of it."""
    program = one.command[0]
    environment = {
        "SEALIFT_HOME": str(place / "hub"),
        "SEALIFT_SITE_HOME": str(place / "site"),
        "SEALIFT_TRUST": str(place / "trust"),
        "SEALIFT_PASSPHRASE_ANNA": "correct horse",
    }
    line = one.line(text)
    if one.parameter.name in SHARED:
        line = [
            one.parameter.opts[-1],
            text,
            *[w for w in line if w not in {one.parameter.opts[-1], text}],
        ]
    out, err, _ = commands.said(PROGRAMS[program][1], line, place, environment)
    assert "Traceback" not in err, (one.name, err)
    long = len(out) + len(err) > MOST
    return [f"{one.name}: {len(out):,} and {len(err):,} characters"] if long else []


@pytest.mark.timeout(300)
def test_t1_51_no_text_that_is_typed_is_a_line_of_ours(place: Path) -> None:
    """A seeded third of all texts; of each command at least one."""
    random, some = Random(51), list[Text]()  # noqa: S311 - a seed for a test
    for one in texts():
        if random.random() < 0.3 or one.command not in {other.command for other in some}:
            some.append(one)
    check(place, some, first=3)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(0, len(TRIED), 4))
def test_t1_51_none_of_all_is(place: Path, first: int) -> None:
    check(place, texts(), first)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "text", [*BARRED, "x " * 500_000, "x" * 1_000_000], ids=lambda t: ascii(t)[:9]
)
def test_t1_51_what_no_document_holds_is_refused_in_few_words(place: Path, text: str) -> None:
    words = Words()
    words.made |= {text, f"ok{text}{LINES}"}
    found = []
    with listening(words) as heard:
        for one in texts():
            if one.command not in SLOW:
                found += tried(place, f"ok{text}{LINES}", one)
    assert not found, "\n".join(found)
    heard.check()


def check(place: Path, those: Iterable[Text], first: int) -> None:
    """Try each of the texts, with a hostile one in its place."""
    words, found = Words(first), []
    with listening(words) as heard:
        for one in those:
            if one.command not in SLOW:
                found += tried(place, words(one.name.replace(" ", ".")), one)
    assert not found, "\n".join(found)
    assert len(heard.lines) > 100
    heard.check()


def test_t1_51_a_key_that_is_opened_at_the_hub_is_told_within_a_line() -> None:
    words = Words()
    assert words.bare(_given_away([words.named("key", ".pem"), "anna.pem"])) == ""
    assert len(_given_away(["x " * 500_000])) < MOST
