"""What is said of every framework, what its module offers, and what they share in refusing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from sealift_registry.frameworks.content import Told
from sealift_registry.workers.quoting import first_line
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import ARTIFACT_POLICY, NAME

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

LABEL, PROBABILITIES, VARIABLE = "label", "probabilities", "variable"

INPUT = "inputs"
"""What the input of a converted model is called, as in the goldens."""

TABLE: Mapping[str, tuple[str, ...]] = {INPUT: ("rows", "features")}
"""Goldens of one table."""

AS_IT_IS = "none"
"""The converter of what is ONNX already."""

TIE = 1e-5
"""Two scores or distances nearer than that (as a part of them, or of their spread) are as good."""
LONGEST_VALUE = 80
MOST_VALUES = 12
"""Of a parameter, that a refusal names."""
WITHOUT_CONVERTER = (
    "Train a model that can be converted. Or export this one to ONNX yourself, and ingest the file "
    "with goldens that hold `expected`, the answers of the trained model itself: without them the "
    "file is compared with itself alone, and nobody sees what the export dropped."
)
"""What to do where nothing converts a model."""
"""Characters of a parameter's value in a sentence."""

HALF = 0.5

LOADED_WHERE_FOUND = ("pandas", "sklearn")
"""What libraries import wherever they find it, slowly, and most models have no use of."""


# -------------------------------------------------------------------- the record


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        name: in the catalog, in evidence and in recipes, for good: `xgboost-ubj`.
        told: whether a file is one, by its content.
        marked: whether it begins as no other does. What has no such mark is tried last.
    """

    name: str
    told: Told
    marked: bool = True


@dataclass(frozen=True)
class Converter:
    """How a framework's models become ONNX.

    Attributes:
        name: in recipes and provenance; `none` where the model is taken as it is.
        load: makes a model of a file that passed the scan; it also answers for the source.
        packages: that have a say in the bytes; `a|b` where one comes under two names.
        options: that the recipe gives it.
        honours: parameter → its values that it is known to convert faithfully. A model with another
            parameter or value is refused by its name.
    """

    name: str
    load: Load
    packages: tuple[str, ...]
    options: Mapping[str, bool] = field(default_factory=dict)
    honours: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def takes_as_it_is(self) -> bool:
        """Whether a variant is a copy of the source: what was lost before is lost in both."""
        return self.name == AS_IT_IS


@dataclass(frozen=True)
class Framework:
    """All that is particular to one framework.

    Attributes:
        name: as its makers spell it.
        files: what sentences call its files.
        instead: what to save and not a pickle, in the words of a list; empty where it is for
            models of every kind.
        formats: of its files.
        checks: what the scanner looks at, by the check's name and in order: what is cheap and what
            could mislead the next comes first.
        packages: that read its models; their versions stand in the evidence.
        policies: the artifact policies of hardware targets that a model of it can be made for.
        converter: None where its models cannot become ONNX.
        reference: what computes the source's own answers, where that is not the framework itself.
        goldens: the arrays that are asked for, with the meaning of each axis; empty where the model
            says what its inputs are called.
        needs: of `LOADED_WHERE_FOUND`, what it cannot do without.
        is_archive: its files are zip archives, and are not refused for being one.
        in_parts: one model may lie in several files.
        has_data: raw numbers may lie beside the model, and look like anything.
    """

    name: str
    files: str
    instead: str
    formats: tuple[Format, ...]
    checks: Mapping[str, ScannerCheck]
    packages: tuple[str, ...]
    policies: frozenset[str]
    converter: Converter | None = None
    reference: str = ""
    goldens: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: TABLE)
    needs: tuple[str, ...] = ()
    is_archive: bool = False
    in_parts: bool = False
    has_data: bool = False

    def __post_init__(self) -> None:
        """Check the words that stand in documents: a wrong one would be told of something else."""
        names = [*self.checks, *(one.name for one in self.formats)]
        wrong = [one for one in names if not NAME.matches(one)]
        wrong += [one for one in self.policies if not ARTIFACT_POLICY.matches(one)]
        if wrong:
            msg = f"{self.name}: {wrong[0]!r} is spelled as no document may have it"
            raise ValueError(msg)

    @property
    def absent(self) -> tuple[str, ...]:
        """What a worker for its models need not find; it is hidden from the libraries."""
        return tuple(one for one in LOADED_WHERE_FOUND if one not in self.needs)


# -------------------------------------------------------------------- the scanner's part


@dataclass(frozen=True)
class ModelFolder:
    """The files of a folder by what they are for; paths are relative to it.

    Attributes:
        format: of the model.
        model_files: the model; more than one only where the format allows it to be split.
        data_files: an ONNX model's external data, if the scanner finds it to be that.
        side_files: known by name; their content is still to be looked at.
    """

    format: str
    model_files: tuple[str, ...]
    data_files: tuple[str, ...]
    side_files: tuple[str, ...]

    @property
    def model(self) -> str:
        """The path of the model, or of its first part."""
        return self.model_files[0]


class ScannerCheck(Protocol):
    """One thing that the scanner looks at, in its process and nowhere else."""

    def __call__(self, folder: Path, survey: ModelFolder, /) -> str:
        """What it found in order, in words.

        Raises:
            RefusedError: what it found wrong.
        """


# -------------------------------------------------------------------- the model's part


@dataclass(frozen=True)
class Tree:
    """One tree that is asked of the raw input, its nodes numbered from the root, 0.

    Attributes:
        feature: that each node asks of; -1 at a leaf. Whole numbers, as long as there are nodes.
        threshold: that each node compares with, as doubles; anything at a leaf.
        left: the node for what is at most the threshold (or less, as the framework has it).
        right: the node for what is more.
        missing: whether what is missing goes left, at each node; None where that is not known.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing: Array | None = None


@dataclass(frozen=True)
class ModelFacts:
    """What a fitted model says of itself: it tells which rows would show a wrong conversion.

    Attributes:
        trees: those that are fed the raw input, of which no arithmetic was made before.
        edges: column → values at which a fitted parameter takes another turn (bins, clips, a
            binarizer's threshold), of columns that no arithmetic was made of before.
        categories: column → the values that the model knows of it, where it knows some by name.
        classes: the labels that it can answer; empty where it answers no labels.
        may_tie: two answers may be equally right: trees that are fed what was computed before,
            nearest neighbours.
        stored: rows that the model remembers and measures distances from; NaN in a column that it
            does not look at.
        predicts: its numbers are made of all of a row; where not, they may be values of it, and are
            shown to nobody.
        no_promise: nothing in it says what is right where something is missing; a framework's own
            answer is what is right.
    """

    trees: Sequence[Tree] = ()
    edges: Mapping[int, Sequence[float]] = field(default_factory=dict)
    categories: Mapping[int, Sequence[float]] = field(default_factory=dict)
    classes: Sequence[str] = ()
    may_tie: bool = False
    stored: Array | None = None
    predicts: bool = False
    no_promise: bool = False


class Model(Protocol):
    """A model that has been loaded."""

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The model's outputs for `inputs`, by output name; the first axis counts the rows.

        Raises:
            RefusedError: the inputs do not fit the model.
        """

    def facts(self) -> ModelFacts:
        """What of it tells which rows to try; where nothing is known, nothing is said."""


@runtime_checkable
class Tying(Model, Protocol):
    """A model that can say of rows whether two answers to them are equally right."""

    def ties(self, inputs: Mapping[str, Array]) -> Array:
        """By row, whether what decides the answer is as near to another (`TIE`).

        Raises:
            RefusedError: the inputs do not fit the model.
        """


@runtime_checkable
class Deciding(Model, Protocol):
    """A model whose labels follow from other numbers than the shares that it answers with."""

    def decisions(self, inputs: Mapping[str, Array]) -> Array | None:
        """A number a class, of which the largest decides; None where the shares do.

        Raises:
            RefusedError: the inputs do not fit the model.
        """


@runtime_checkable
class Convertible(Model, Protocol):
    """A model that can also be converted."""

    def parameters(self) -> Sequence[tuple[str, str]]:
        """What of it the converter must be known to honour: parameters and their values.

        They are read from what was fitted, and not from what was asked for. One parameter may come
        several times, where a model has several parts.
        """

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - onnx is Any to us
        """The converted model, an onnx.ModelProto.

        Args:
            opsets: the newest version of each operator domain that it may use.
            options: of the converter, as the recipe has them.

        Raises:
            RefusedError: there is no converter for the model or a part of it, which is named.
        """


class Load(Protocol):
    """How a framework's model is loaded."""

    def __call__(self, path: Path, /) -> Model:
        """The model in the file at `path`.

        Raises:
            RefusedError: it holds what must not be loaded, or cannot be read.
        """


def check_honoured(framework: Framework, model: Convertible) -> None:
    """Nothing is left of `model` that its framework's converter is not known to honour.

    Raises:
        RefusedError: a parameter or a value that the record does not have, by its name.
    """
    honours = framework.converter.honours if framework.converter else {}
    for parameter, value in model.parameters():
        known = honours.get(parameter, frozenset())
        if value not in known:
            what = f"{framework.name}'s {parameter} {word(value, LONGEST_VALUE)}"
            raise no_converter(what, _honoured(known))


def _honoured(known: frozenset[str]) -> str:
    """What could stand there instead; where that is much, or a parameter nobody tried, nothing."""
    shown = ", ".join(word(one, LONGEST_VALUE) for one in sorted(known))
    return f"known to be right: {shown}" if 0 < len(known) <= MOST_VALUES else ""


def only_input(inputs: Mapping[str, Array]) -> Array:
    """The one array of `inputs`, as rows of features.

    Raises:
        RefusedError: there are several, or it is no table.
    """
    if len(inputs) != 1:
        raise RefusedError(
            "goldens-inputs",
            f"The model takes one table of features; the goldens hold {len(inputs)} arrays.",
            subject=", ".join(sorted(inputs)),
            next_step="Give goldens with one array called `inputs`, its rows being examples.",
        )
    (found,) = inputs.values()
    return found.reshape(len(found), -1)


def decided(found: Array, *, two: bool, several: bool) -> dict[str, Array]:
    """The outputs of a model that answers with numbers alone.

    Args:
        found: the numbers.
        two: whether each is the probability of the second of two classes.
        several: whether a row of them has one for each class.
    """
    import numpy as np

    if two:
        labels = (found > HALF).astype(np.int64)  # as LGBMClassifier and XGBClassifier decide
        return {LABEL: labels, PROBABILITIES: np.stack([1 - found, found], axis=1)}
    if several:
        return {LABEL: found.argmax(axis=1), PROBABILITIES: found}
    return {VARIABLE: found}


def unfit(bad: Exception, subject: str, given: Array, features: int | None) -> RefusedError:
    """The refusal of goldens at which a model broke off with `bad`.

    Never in the words of `bad`: libraries quote values of the rows, and refusals are logged.

    Args:
        bad: what the framework raised.
        subject: what the model is.
        given: the rows.
        features: that the model takes, where it says so.
    """
    return RefusedError(
        "goldens-unfit",
        f"The model does not take the goldens: {_why(bad, given.shape[1], features)}.",
        subject=subject,
        next_step="Give goldens with as many features as the model was trained on, with no "
        "category that it does not know, and with missing values only where it takes them.",
    )


def _why(bad: Exception, have: int, features: int | None) -> str:
    if features is not None and have != features:
        return f"it takes {features} features, and they have {have}"
    return f"it broke off with {type(bad).__name__}"


def no_converter(kind: str, why: str = "") -> RefusedError:
    """The refusal for a model, or a part of one, that no converter knows."""
    because = f" ({why})" if why else ""
    return RefusedError(
        "converter-unknown",
        f"There is no converter for {kind}{because}.",
        subject=kind,
        next_step=WITHOUT_CONVERTER,
    )


@contextmanager
def converting(kind: str) -> Iterator[None]:
    """What a converter says of a model that it does not know becomes the refusal of `kind`.

    Raises:
        RefusedError: there is no converter, or it broke down.
    """
    try:
        yield
    except (RefusedError, MemoryError):
        raise
    except Exception as bad:
        # Converters meet what they do not know with any class of error, asserts and names among
        # them; and nothing is left half done.
        raise no_converter(kind, first_line(bad)) from bad
