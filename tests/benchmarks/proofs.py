"""What the rows that a proof makes cost, beside the proof of the goldens alone.

Both are whole proofs, as whoever converts waits for them: a process is started, both models are
loaded and answer. Beside them, how much memory the proof of a large network takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from sealift_registry.conversion import hardware
from sealift_registry.conversion.convert import convert
from sealift_registry.proof.models import SourceModel
from tests import models
from tests.benchmarks import workloads
from tests.benchmarks.figures import MB, Claim, Line, Measured, over_rounds, shares
from tests.benchmarks.gate import ROOT
from tests.benchmarks.proof_process import GOLDENS, ROWS, SOME
from tests.benchmarks.racing import Contestant, Place, Step, race, tell
from tests.registry import proof_peak

PROCESS = (sys.executable, "-m", "tests.benchmarks.proof_process")
AIM = 3.0
"""Times the goldens' own time, in the median of the models."""
LARGE, QUICK_LARGE = 1000, 100
"""Megabytes of a network's weights."""
FACTOR = 4.0
"""So many times its size the proof of a large one takes at most."""
NETWORK = "network"


@dataclass(frozen=True)
class Proof:
    """A model that is proved.

    Attributes:
        name: as the report has it.
        folder: in which its files and its goldens lie.
        form: of the source.
        source: its file.
        variant: what was made of it.
    """

    name: str
    folder: Path
    form: str
    source: str
    variant: str

    def steps(self, how: str) -> Callable[[Place], Iterator[Step]]:
        """The proof, of goldens alone or of all rows."""
        words = (how, self.folder, self.form, self.source, self.variant)
        return lambda _place: iter([Step((*PROCESS, *words), cwd=ROOT)])


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Each model both ways in turns, and a network of 1 GB once; a tenth of that when quick."""
    proofs = [made(folder / "models", name) for name in MODELS]
    found = race(
        [
            Contestant(_named(one, how), 0, one.steps(how))
            for one in proofs
            for how in (GOLDENS, ROWS)
        ],
        workloads.rounds(quick=quick),
        folder / "race",
    )
    yield from (_shared(one) for one in found.values())
    yield from _claims(proofs, found)
    yield from _large(folder / NETWORK, QUICK_LARGE if quick else LARGE)


def _named(one: Proof, how: str) -> str:
    return f"prove {one.name}: {'goldens alone' if how == GOLDENS else 'all rows'}"


def _shared(one: Measured) -> Measured:
    return replace(one, shares=shares(one, {}, {}))


def _claims(proofs: list[Proof], found: dict[str, Measured]) -> Iterator[Claim]:
    ratios = []
    for one in proofs:
        alone, whole = (found[_named(one, how)].rounds for how in (GOLDENS, ROWS))
        each = [b.wall / a.wall for a, b in zip(alone, whole, strict=True)]
        ratios.append(median(each))
        yield over_rounds("", f"{one.name}: all rows, against goldens alone", "x", each)
        more = [(b.peak - a.peak) / MB for a, b in zip(alone, whole, strict=True)]
        yield over_rounds("", f"{one.name}: what rows take of memory", "MB", more)
    what = "all rows, against goldens alone, the median of these models"
    yield Claim("", what, median(ratios), "x", aim=AIM, low=min(ratios), high=max(ratios))


def _large(folder: Path, megabytes: int) -> Iterator[Line]:
    """The memory of a large network's proof."""
    path = proof_peak.network(folder, megabytes)
    one = Proof(f"a network of {megabytes} MB", folder, "onnx", path.name, path.name)
    name, size = f"prove {one.name}", path.stat().st_size
    measured = race([Contestant(name, 0, one.steps(SOME))], 1, folder / "race")[name]
    yield _shared(measured)
    yield Claim("", f"{one.name}: peak memory", measured.peak / size, "x", most=FACTOR)


# -------------------------------------------------------------------- the models


def made(top: Path, name: str) -> Proof:
    """The model of a name in `MODELS`, with its variant and goldens."""
    tell(f"making {name}")
    form, file, write = MODELS[name]
    folder = top / file
    folder.mkdir(parents=True)
    write(folder / file)
    if form != "onnx":
        models.digits_goldens(folder / "goldens.npz")
    source = SourceModel(folder, form, (file,))
    built = convert(source, hardware.get("cpu-x86_64"), folder / "variant")
    return Proof(name, folder, form, file, f"variant/{built.variant.model}")


def _forest(path: Path) -> Path:
    """A forest that was exported where it was trained: skops trusts no tree of scikit-learn's."""
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestClassifier

    with np.load(models.digits_goldens(path.with_name("goldens.npz"), 1000)) as digits:
        rows, labels = digits["inputs"], digits["labels"]
    forest = RandomForestClassifier(100, max_depth=8, random_state=1).fit(rows, labels)
    options = {id(forest): {"zipmap": False}}
    path.write_bytes(to_onnx(forest, rows[:1], options=options).SerializeToString())
    np.savez(path.with_name("goldens.npz"), X=rows[-20:])
    return path


def _perceptron(path: Path) -> Path:
    """Trained without the optimizers that skops does not trust."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return models.skops(
        make_pipeline(StandardScaler(), MLPClassifier((64,), solver="lbfgs", random_state=1)), path
    )


def _convolution(path: Path) -> Path:
    """A small network of convolutions over the digits' pictures, with goldens beside it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(1)

    def weight(name: str, *shape: int) -> Any:  # noqa: ANN401 - onnx is Any to us
        return numpy_helper.from_array(draw.normal(size=shape).astype(np.float32) / 3, name)

    nodes = [
        helper.make_node("Conv", ["X", "one"], ["a"], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "two"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("MatMul", ["e", "last"], ["Y"]),
    ]
    given = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1, 8, 8])
    told = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 10])
    weights = [weight("one", 8, 1, 3, 3), weight("two", 16, 8, 3, 3), weight("last", 16, 10)]
    graph = helper.make_graph(nodes, "convolution", [given], [told], weights)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    digits = models.digits_goldens(path.with_name("digits.npz"))
    with np.load(digits) as rows:
        np.savez(path.with_name("goldens.npz"), X=rows["inputs"].reshape(-1, 1, 8, 8))
    return path


MODELS: dict[str, tuple[str, str, Callable[[Path], Path]]] = {
    "scaler and logistic regression": ("skops", "logreg.skops", models.digits_logreg_skops),
    "a forest of 100 trees, in ONNX": ("onnx", "forest.onnx", _forest),
    "LightGBM": ("lightgbm", "lightgbm.txt", models.lightgbm_digits),
    "XGBoost": ("xgboost-ubj", "xgboost.ubj", models.xgboost_digits),
    "a perceptron": ("skops", "perceptron.skops", _perceptron),
    "small convolutions": ("onnx", "convolution.onnx", _convolution),
}
"""Format, file and maker of each."""
