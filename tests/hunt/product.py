"""Sealift as the hunt sees it: a model's file goes in, a variant and a verdict come out.

Whatever of Sealift the hunt calls is called here, and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np

from sealift_registry.conversion import convert_worker, toolchains
from sealift_registry.conversion.recipe import recipe_for
from sealift_registry.frameworks.framework import INPUT
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.supported import BY_FORMAT, CONVERTERS
from sealift_registry.proof import prove, prove_worker, proving
from sealift_registry.proof.models import SourceModel, VariantModel, model_file
from sealift_registry.proof.probe_rows import MOST_ROWS
from sealift_registry.proof.proof_report import Findings
from sealift_registry.proof.proving import ProofScope
from sealift_registry.workers.channel import Document, Progress
from sealift_signing import shape
from sealift_signing.errors import SealiftError
from tests.hunt.draws import Array

SECONDS = 60.0
"""That the rows of one model may take; those drawn here are small."""

Outcome = Literal["signed", "stopped", "refused", "broken"]


@dataclass(frozen=True)
class Verdict:
    """What Sealift does with a variant.

    Attributes:
        outcome: `stopped` by the proof; `refused` in words, before or beside it; `broken` where
            what was raised is no error of ours.
        words: what it says.
        seen: the checks that failed.
    """

    outcome: Outcome
    words: str = ""
    seen: tuple[str, ...] = ()


def converted(path: Path, form: str, target: Path) -> Verdict:
    """Convert the file at `path` to `target`, as the converter's process does."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if form == "onnx":
                convert_worker.rewrite({"source": str(path), "target": str(target)}, _quiet)
            else:
                recipe = _recipe(form)
                asked = {"source": str(path), "target": str(target), "recipe": recipe}
                convert_worker.convert(asked, _quiet)
    except SealiftError as refused:
        return Verdict("refused", f"{refused.code}: {refused.what}", (refused.code,))
    except Exception as bad:  # noqa: BLE001 - what is no error of ours is a find
        return Verdict("broken", f"{type(bad).__name__}: {bad}"[:300], (type(bad).__name__,))
    return Verdict("signed")


def loads(path: Path, form: str) -> bool:
    """Whether the file would be let in, of whose types skops has a list."""
    if form != "skops":
        return True
    import skops.io

    return not skops.io.get_untrusted_types(file=path)


def proved(
    path: Path, form: str, variant: Path, goldens: Mapping[str, Array], *, probes: bool = True
) -> Verdict:
    """What the proof says of the variant: whether it would be signed.

    Args:
        path: of the source.
        form: of the source.
        variant: its path.
        goldens: by name.
        probes: whether more rows are tried than the goldens.
    """
    seed = hashlib.sha256(variant.read_bytes()).digest()
    most = MOST_ROWS if probes else 0
    plan = ProofScope(seed=seed, seconds=SECONDS, most_rows=most, as_it_is=form == "onnx")

    def findings() -> Findings:
        source, run = CONVERTERS[form].load(path), RuntimeModel(variant)
        return proving.proved(source, run, goldens, None, plan)

    return _told(findings)


def _told(findings: Callable[[], Findings]) -> Verdict:
    """What Sealift does by these findings."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = findings()
    except SealiftError as refused:
        return Verdict("refused", f"{refused.code}: {refused.what}", (refused.code,))
    except Exception as bad:  # noqa: BLE001 - what is no error of ours is a find
        return Verdict("broken", f"{type(bad).__name__}: {bad}"[:300], (type(bad).__name__,))
    if found.verdict == "pass":
        return Verdict("signed", found.words)
    failed = [one for one in found.checks if one.verdict == "fail"]
    said = " ".join(one.words for one in failed)
    return Verdict("stopped", said, tuple(one.name for one in failed))


def proved_whole(
    path: Path, form: str, variant: Path, goldens: Mapping[str, Array], expected: Array
) -> Verdict:
    """As `proved`, by way of the files and documents that a hub has, but for the process.

    Args:
        path: of the source.
        form: of the source.
        variant: its path.
        goldens: by name.
        expected: of each golden row, what is right.
    """
    file = variant.parent / "goldens.npz"
    np.savez(file, expected=expected, **goldens)  # type: ignore[arg-type]  # NumPy has an option of another type
    source = SourceModel(path.parent, form, (path.name,))
    made = VariantModel(variant.parent, variant.name, (model_file(variant.parent, variant.name),))

    def ask(_worker: object, _do: str, request: Document, progress: Progress, **_: object) -> Any:  # noqa: ANN401 - JSON
        return json.loads(json.dumps(prove_worker.prove(request, progress)))

    def report() -> Findings:
        how = prove.How(SECONDS, check_rows=variant.parent / "check_rows")
        with mock.patch.object(prove, "ask", ask):
            return prove.prove(source, made, Target(), file, how=how).findings

    return _told(report)


@dataclass(frozen=True)
class Target:
    """The class of machine that variants are for."""

    id: str = "cpu-x86_64"
    arch: str = platform.machine()


@contextmanager
def every_type_trusted() -> Iterator[None]:
    """skops' list of trusted types is as if it were whole.

    It names few that a tree, a network or an imputer is kept in, and another release of it names
    others: what is converted of them must be right all the same.
    """
    import skops.io

    def load(path: Path) -> SklearnModel:
        untrusted = skops.io.get_untrusted_types(file=path)
        return SklearnModel(skops.io.load(path, trusted=untrusted))

    assert isinstance(CONVERTERS, dict)
    with mock.patch.dict(CONVERTERS, {"skops": replace(CONVERTERS["skops"], load=load)}):
        yield


def goldens(rows: Array) -> dict[str, Array]:
    """Goldens of these rows."""
    return {INPUT: rows}


def _recipe(form: str) -> object:
    framework, converter = BY_FORMAT[form], CONVERTERS[form]
    pins = toolchains.current(converter).pins
    return shape.to_json(recipe_for(framework, converter, form, pins))


def _quiet(_path: str, _done: int, _total: int) -> None:
    """Nobody looks on."""


def converters() -> set[str]:
    """The converters that Sealift has."""
    return {one.name for one in CONVERTERS.values()}
