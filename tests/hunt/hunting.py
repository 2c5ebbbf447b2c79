"""One number is hunted: a model is drawn, converted, proved and judged; or its mutants are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from typing import Any, Literal

import numpy as np

from tests.hunt import models, product
from tests.hunt.draws import Array
from tests.hunt.judge import ROWS, Judgement, judged
from tests.hunt.mutants import ANSWERS, MUTANTS, SEEN_BY, Told, mutated
from tests.hunt.original import Drawn, UnfitError

GOLDENS = 20
"""Rows that are given as goldens."""

WHOLE = 7
"""One model of so many is proved by way of files and documents, with expected answers."""

Truth = Literal["right", "merged", "wrong", "unknown"]


@dataclass(frozen=True)
class Tried:
    """What became of one model.

    Attributes:
        seed: that makes it again.
        converter: its name.
        family: of models.
        words: what it is.
        loads: skops' own list lets it in; true of every other format.
        outcome: what Sealift does with it; `unfit` where there was no model.
        said: what Sealift says of it.
        truth: by the judge.
        judgement: the judge's figures.
        seconds: of the processor, that the proof took.
    """

    seed: int
    converter: str
    family: str
    words: str = ""
    loads: bool = True
    outcome: str = "unfit"
    said: str = ""
    seen: tuple[str, ...] = ()
    truth: Truth = "unknown"
    judgement: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        return self.outcome, self.truth


@dataclass(frozen=True)
class Mutant:
    """What became of one mutant of a right variant.

    Attributes:
        seed: of the model.
        converter: its name.
        kind: of mutant.
        changes: ordinary rows, by the judge.
        caught: by goldens and probes.
        without: by goldens alone.
        seen: the checks that failed.
    """

    seed: int
    converter: str
    kind: str
    changes: bool
    caught: bool
    without: bool
    seen: tuple[str, ...]

    @property
    def by_its_check(self) -> bool:
        """One of the checks that should see it did."""
        return bool(SEEN_BY.get(self.kind, ANSWERS) & set(self.seen))


def tried(seed: int, folder: Path) -> Tried:
    """Draw, convert, prove and judge the model of this number."""
    return _tried(seed, folder)[0]


def _tried(seed: int, folder: Path) -> tuple[Tried, Drawn | None]:
    converter, family, _ = models.family(seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            drawn = models.drawn(seed, folder)
        except UnfitError as bad:
            return Tried(seed, converter, family, said=str(bad)[:300]), None
        return of(drawn, folder, seed, family), drawn


def of(drawn: Drawn, folder: Path, seed: int = 0, family: str = "") -> Tried:
    """Convert, prove and judge a model; the variant lies in `folder`."""
    variant, seconds = folder / "variant.onnx", 0.0
    found: Judgement | None = None
    with product.every_type_trusted():
        verdict = product.converted(drawn.path, drawn.form, variant)
        if verdict.outcome == "signed":
            goldens = product.goldens(drawn.rows.fresh(GOLDENS, 0))
            begun = process_time()
            verdict = _proved(drawn, variant, goldens, whole=seed % WHOLE == 0)
            seconds = process_time() - begun
            found = _judged(drawn, variant.read_bytes())
    return Tried(
        seed=seed,
        converter=drawn.converter,
        family=family,
        words=drawn.words,
        loads=product.loads(drawn.path, drawn.form),
        outcome=verdict.outcome,
        said=verdict.words,
        seen=verdict.seen,
        truth=_truth(found),
        judgement=None if found is None else asdict(found),
        seconds=round(seconds, 3),
    )


def _proved(
    drawn: Drawn, variant: Path, goldens: dict[str, Array], *, whole: bool
) -> product.Verdict:
    if not whole:
        return product.proved(drawn.path, drawn.form, variant, goldens)
    said = drawn.original(drawn.rows.fresh(GOLDENS, 0))
    expected = said.numbers if said.labels is None else said.labels
    assert expected is not None
    return product.proved_whole(drawn.path, drawn.form, variant, goldens, expected)


def _judged(drawn: Drawn, variant: bytes) -> Judgement:
    rows = drawn.rows.fresh(ROWS)
    return judged(drawn.original, variant, rows, computes=drawn.computes)


def _truth(found: Judgement | None) -> Truth:
    if found is None or (found.is_open and not found.is_wrong):
        return "unknown"
    return "wrong" if found.is_wrong else "merged" if found.merges else "right"


def mutants(seed: int, folder: Path) -> Iterator[Mutant]:
    """The mutants of the model of this number, one of each kind; none where it is not signed."""
    model, drawn = _tried(seed, folder)
    if drawn is None or model.key != ("signed", "right"):
        return
    right, path = (folder / "variant.onnx").read_bytes(), folder / "mutant.onnx"
    told = Told(drawn.rows.fresh(200, 2), drawn.original(drawn.rows.fresh(200, 2)).numbers)
    goldens = product.goldens(drawn.rows.fresh(GOLDENS, 0))
    with product.every_type_trusted(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for at, kind in enumerate(MUTANTS):
            mutant = mutated(right, kind, 100 * seed + at, told)
            if mutant is None:
                continue
            path.write_bytes(mutant)
            found = _judged(drawn, mutant)
            if found.does_not_run:
                continue  # no runtime was ever fooled by it
            changes = found.is_wrong
            whole = product.proved(drawn.path, drawn.form, path, goldens)
            plain = product.proved(drawn.path, drawn.form, path, goldens, probes=False)
            caught, without = (one.outcome != "signed" for one in (whole, plain))
            yield Mutant(seed, model.converter, kind, changes, caught, without, whole.seen)
