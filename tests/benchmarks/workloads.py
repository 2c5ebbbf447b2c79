"""What is carried: 2 GB in four files, and a thousand small files; a tenth of it when quick.

Models are made once and kept in the folder that is measured. Hubs and sites are made anew by each
run, so that they are of the code that is measured.
"""

from __future__ import annotations

import shutil
import sys
from functools import cache
from pathlib import Path

from sealift_sync import packs
from tests.benchmarks import organisations, weights
from tests.benchmarks.carrying import Carried
from tests.benchmarks.racing import tell
from tests.registry.hub_fixture import copied

GB = 1_000_000_000
LARGE, LARGE_FILES = 2 * GB, 4
SMALL, SMALL_FILES = 16_000_000, 1_000
PART = 10
"""What part of it is measured when quick."""
ROUNDS, QUICK_ROUNDS = 5, 2


def rounds(*, quick: bool) -> int:
    """How often each command is run."""
    return QUICK_ROUNDS if quick else ROUNDS


@cache
def large(top: Path, *, quick: bool) -> Carried:
    """A few large files. `top` is the folder that all benchmarks of this run work in."""
    size = LARGE // PART if quick else LARGE
    return _carried(top, f"large-{size}", [size // LARGE_FILES] * LARGE_FILES)


@cache
def small(top: Path, *, quick: bool) -> Carried:
    """Many small files."""
    sizes = _small_sizes(quick=quick)
    return _carried(top, f"small-{len(sizes)}", sizes)


@cache
def loose(top: Path, *, quick: bool) -> Carried:
    """The same files, each of which is a blob of its own, as they would be without packs."""
    sizes = _small_sizes(quick=quick)
    worth, packs.WORTH_PACKING = packs.WORTH_PACKING, sys.maxsize
    try:
        return _carried(top, f"small-{len(sizes)}", sizes, "loose")
    finally:
        packs.WORTH_PACKING = worth


def _small_sizes(*, quick: bool) -> list[int]:
    part = PART if quick else 1
    return weights.spread(SMALL // part, SMALL_FILES // part)


@cache
def tiny(top: Path) -> Carried:
    """Next to nothing: what is measured is everything else."""
    return _carried(top, "tiny", [weights.ROW * weights.GOLDEN_ROWS])


def _carried(top: Path, name: str, sizes: list[int], how: str = "carried") -> Carried:
    tell(f"making the model {name}, and a hub that may send it")
    model = weights.make(top / "models" / name, sizes)
    folder = top / f"{how}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    _MADE.append(folder)
    acme = copied(founded(top), folder / "acme")
    return Carried(organisations.with_model(acme, model), model, folder)


@cache
def founded(top: Path) -> Path:
    """An organisation for all of them to begin with: its keys' rounds of PBKDF2 take seconds."""
    folder = top / "founded"
    _MADE.append(folder)
    organisations.founded(folder).close()
    return folder


_MADE: list[Path] = []


def forget() -> None:
    """Remove what was made but the models."""
    for made in (large, small, loose, tiny, founded):
        made.cache_clear()
    while _MADE:
        shutil.rmtree(_MADE.pop(), ignore_errors=True)
