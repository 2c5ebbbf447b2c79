"""How long it takes until a command begins to do something: what every use of it costs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import workloads
from tests.benchmarks.carrying import VERIFY
from tests.benchmarks.figures import Claim, Line, Measured, over_rounds, shares
from tests.benchmarks.organisations import BIN
from tests.benchmarks.racing import Act, Contestant, Place, Step, race

COMMANDS = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
"""A test holds that it lists every command."""
PYTHON = "python -c pass"
SITE, HUB = "sealift-site --help", "sealift --help"
SMALL = f"{VERIFY} of a small bundle"
PROMISED = {SITE: 0.15, HUB: 0.25, SMALL: 0.5}
"""Seconds, at most."""


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Every command's `--help`, and one that does little; when quick, only what was promised."""
    carried = workloads.tiny(folder.parent)
    us, medium = carried.organisation, carried.medium
    starts = [_start(PYTHON, sys.executable, "-I", "-c", "pass", control=True)]
    starts += [_help(words) for words in ([] if quick else commands())]
    starts += [_help("sealift"), _help("sealift-site")]
    verify = us.verify(medium)
    starts.append(_start(SMALL, *verify.command))
    found = race(starts, workloads.rounds(quick=quick), folder)
    for one in found.values():
        yield one if one.control else replace(one, shares=shares(one, {}, {}))
    for name, most in PROMISED.items():
        yield _claim(found[name], most)


def commands() -> list[str]:
    """The words of every command: `sealift team add`."""
    return re.findall(r"(?m)^### (sealift.*)$", COMMANDS.read_text(encoding="utf-8"))


def _claim(one: Measured, most: float) -> Claim:
    each = [timing.wall for timing in one.rounds]
    return over_rounds("4", one.name, "s", each, most=most)


def _help(words: str) -> Contestant:
    program, *rest = words.split()
    return _start(f"{words} --help", BIN / program, *rest, "--help")


def _start(name: str, *command: str | Path, control: bool = False) -> Contestant:
    def steps(_place: Place) -> Iterator[Step | Act]:
        yield Step(command)

    return Contestant(name, 0, steps, control=control)
