"""What a fitted scikit-learn model is made of: its parts, their parameters, and their trees.

An estimator is Any to us. What is read are the attributes that training leaves, and not what the
constructor was told, where the two differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sealift_registry.frameworks import tree_ensembles
from sealift_registry.frameworks.framework import Array, ModelFacts, Tree
from sealift_registry.frameworks.scikit_learn_table import IN_THE_MIDDLE, LARGE_LABELS, TABLE
from sealift_registry.frameworks.scikit_learn_training import TRAINING
from sealift_registry.frameworks.tree_ensembles import Grown

Estimator: TypeAlias = Any
Pairs: TypeAlias = Iterator[tuple[str, str]]

PASSED_ON = frozenset({"passthrough", "drop"})
FINEST = 24
"""Bits of a whole number that every float32 has."""


def name_of(estimator: Estimator) -> str:
    """Its class, as a person would name it."""
    return type(estimator).__name__


def last_of(estimator: Estimator) -> Estimator:
    """What answers: a pipeline's last step."""
    steps = getattr(estimator, "steps", None)
    return last_of(steps[-1][1]) if steps else estimator


def parts_of(estimator: Estimator) -> Iterator[Estimator]:
    """`estimator` and all in it, in the order of their work; what is no estimator is left out."""
    yield estimator
    for part in inner(estimator):
        yield from parts_of(part)


def inner(estimator: Estimator) -> Iterator[Estimator]:
    """What `estimator` itself is made of."""
    known = TABLE.get(name_of(estimator))
    for attribute in known.parts if known else ():
        yield from _estimators(getattr(estimator, attribute))


def _estimators(value: Any) -> Iterator[Estimator]:  # noqa: ANN401 - what an attribute holds
    """The estimators in a list, an array or a tuple of a name and one."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _estimators(one)
    elif hasattr(value, "get_params"):
        yield value
    elif hasattr(value, "ravel"):
        # Boosted trees lie in an array, and so may a list of columns.
        yield from (one for one in value.ravel() if hasattr(one, "get_params"))


# -------------------------------------------------------------------- what must be honoured


def parameters(estimator: Estimator) -> list[tuple[str, str]]:
    """Of each part its class, or its parameters that are not converted whatever they are."""
    found: dict[tuple[str, str], None] = {}
    whole = _Whole(estimator)
    for part in parts_of(estimator):
        name = name_of(part)
        if name not in TABLE:
            found["class", name] = None
            continue
        for parameter, value in (*_asked(part), *_fitted(part, whole)):
            found[f"{name} {parameter}", value] = None
    return list(found)


def _asked(part: Estimator) -> Pairs:
    name = name_of(part)
    let = TABLE[name].free | TRAINING.get(name, frozenset())
    for parameter, value in part.get_params(deep=False).items():
        if parameter not in let:
            yield parameter, name_of(value) if hasattr(value, "get_params") else str(value)


def _fitted(part: Estimator, whole: _Whole) -> Pairs:
    for parameter in TABLE[name_of(part)].values:
        if parameter in READ:
            yield from ((parameter, value) for value in READ[parameter](part, whole))


class _Whole:
    """The model that the parts are of, of which some things are asked once."""

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator

    def is_followed(self, part: Estimator) -> bool:
        """Whether another part takes what `part` makes, and not what it answers."""
        return id(part) in {id(one) for one in _followed(self._estimator, followed=False)}

    def answers_several(self) -> bool:
        """Whether it answers several numbers a row."""
        shape: tuple[int, ...] = self._estimator.predict(thinkable_row(self._estimator)).shape
        return len(shape) > 1


def _followed(part: Estimator, *, followed: bool) -> Iterator[Estimator]:
    """The parts in `part` that are asked for columns, and it itself where it is `followed`."""
    if followed:
        yield part
    name = name_of(part)
    known = TABLE.get(name)
    for attribute in known.parts if known else ():
        inner = list(_estimators(getattr(part, attribute)))
        for one in inner:
            beside = name in {"ColumnTransformer", "FeatureUnion"}
            before = name == "Pipeline" and one is not inner[-1]
            goes_on = followed and name in {"Pipeline", "GridSearchCV"}
            yield from _followed(one, followed=beside or before or goes_on)


def thinkable_row(estimator: Estimator) -> Array:
    """A row that `estimator` may answer: ones, and categories where it knows them by name."""
    import numpy as np

    row = np.ones((1, estimator.n_features_in_))
    for column, known in facts(estimator).categories.items():
        row[0, column] = known[0]
    return row


def _classes(part: Estimator, _: _Whole) -> Iterator[str]:
    """The kind of labels that it answers."""
    import numpy as np

    binarizer = getattr(part, "_label_binarizer", None) or getattr(part, "label_binarizer_", None)
    several = str(getattr(binarizer, "y_type_", "")).startswith("multilabel")
    if several or isinstance(part.classes_, list):
        yield "several labels a row"
        return
    classes = np.asarray(part.classes_)
    if len(classes) < 2:  # noqa: PLR2004 - one class alone
        yield "one alone"
    elif classes.dtype.kind == "b":
        yield "True and False"
    elif classes.dtype.kind in "iuf":
        whole = bool((classes == np.floor(classes)).all() and (np.abs(classes) < 2**53).all())
        narrow = bool((np.abs(classes) < 2**31).all())
        yield ("whole numbers" if narrow else LARGE_LABELS) if whole else "fractions"
    else:
        yield "words" if all(isinstance(one, str) for one in classes) else "of several kinds"


def _categories(part: Estimator, _: _Whole) -> Iterator[str]:
    """What is known by name, as a column of float32 would hold it."""
    import numpy as np

    for known in part.categories_:
        if known.dtype.kind not in "iufb":
            yield "words"
            continue
        numbers = known.astype(np.float64)
        if not np.isfinite(numbers).all():
            yield "missing"
        elif (numbers.astype(np.float32).astype(np.float64) != numbers).any():
            yield "finer than float32"
        else:
            whole = bool((numbers == np.floor(numbers)).all())
            yield "whole numbers" if whole else "fractions that float32 has"


def _columns(part: Estimator, _: _Whole) -> Iterator[str]:
    """Whether columns are left; and how a ColumnTransformer calls its own."""
    import numpy as np

    if name_of(part) == "ColumnTransformer":
        yield from (_called(columns) for _, _, columns in part.transformers_)
    elif name_of(part) == "SimpleImputer":
        yield "without those that were empty" if gone(part).any() else "all"
    else:
        count = np.count_nonzero(part.get_support())
        yield "several" if count > 1 else ("none", "one alone")[count]


def _called(columns: Any) -> str:  # noqa: ANN401 - scikit-learn takes many kinds
    """How a ColumnTransformer calls columns: the converter knows numbers that count from 0."""
    import numpy as np

    if isinstance(columns, slice):
        ends = [one for one in (columns.start, columns.stop) if one is not None]
        fine = columns.stop is not None and all(type(one) is int and one >= 0 for one in ends)
        return "by their numbers" if fine and columns.step in {None, 1} else "by a slice"
    listed = columns.tolist() if isinstance(columns, np.ndarray) else columns
    if not isinstance(columns, list) or not listed:
        return "by their numbers" if columns in ([], ()) else "otherwise than by a list"
    if all(type(one) is int and one >= 0 for one in listed):
        return "by their numbers"
    return "by their names" if all(isinstance(one, str) for one in listed) else "by a mask"


def gone(imputer: Estimator) -> Array:
    """Which columns an imputer leaves out, for nothing was in them when it was trained."""
    import numpy as np

    numbers = np.asarray(imputer.statistics_, np.float64)
    gone: Array = np.isnan(numbers)
    return gone


def filled(imputer: Estimator, columns: Array) -> Array:
    """What comes out of an imputer that is given `columns`; that one was missing is computed."""
    import numpy as np

    indicator = imputer.indicator_
    beside = 0 if indicator is None else len(indicator.features_)
    made: Array = np.concatenate([columns[~gone(imputer)], np.full(beside, -1)])
    return made


def _left_out(part: Estimator, _: _Whole) -> Iterator[str]:
    dropped = any(one == "drop" for _, one in part.transformer_list if isinstance(one, str))
    yield "a part" if dropped else "nothing"


def _kinds(part: Estimator, _: _Whole) -> Iterator[str]:
    for attribute in TABLE[name_of(part)].parts:
        for one in _estimators(getattr(part, attribute)):
            yield name_of(last_of(one))


READ: Mapping[str, Callable[[Estimator, _Whole], Iterable[str]]] = {
    "categories": _categories,
    "classes": _classes,
    "columns": _columns,
    "fitted_metric": lambda part, _: (str(part.effective_metric_),),
    "left_out": _left_out,
    "place": lambda part, whole: (
        (IN_THE_MIDDLE,) if whole.is_followed(part) else ("as what answers",)
    ),
    "of": _kinds,
    "targets": lambda _, whole: ("several" if whole.answers_several() else "one",),
    "stack_methods": lambda part, _: map(str, part.stack_method_),
}
"""What is read from a fitted part, by the parameter that the table has it under."""


# -------------------------------------------------------------------- trees, edges, categories


def grown(estimator: Estimator) -> list[Grown]:
    """All trees in `estimator`, in the order of its parts."""
    return [_grown(part) for part in parts_of(estimator) if hasattr(part, "tree_")]


def _grown(part: Estimator) -> Grown:
    import numpy as np

    found = part.tree_
    inner = found.children_left >= 0
    return tree_ensembles.grown(
        feature=np.where(inner, found.feature, -1),
        threshold=found.threshold,
        left=np.where(inner, found.children_left, 0),
        right=np.where(inner, found.children_right, 0),
        missing=found.missing_go_to_left.astype(bool),
    )


@dataclass
class _Found:
    """What is gathered on the way through a model's parts."""

    width: int
    trees: list[Tree] = field(default_factory=list)
    edges: dict[int, set[float]] = field(default_factory=dict)
    categories: dict[int, Sequence[float]] = field(default_factory=dict)
    may_tie: bool = False
    stored: Array | None = None


def facts(estimator: Estimator) -> ModelFacts:
    """See `framework.Model.facts`."""
    import numpy as np

    found = _Found(estimator.n_features_in_)
    _through(estimator, np.arange(estimator.n_features_in_), found)
    classes = getattr(estimator, "classes_", ())
    return ModelFacts(
        trees=found.trees,
        edges={column: sorted(edges) for column, edges in sorted(found.edges.items())},
        categories=dict(sorted(found.categories.items())),
        classes=[] if isinstance(classes, list) else [str(one) for one in classes],
        may_tie=found.may_tie,
        stored=found.stored if found.stored is not None else _stored_behind(estimator),
        predicts=hasattr(estimator, "predict"),
    )


def _through(part: Estimator, columns: Array, found: _Found) -> Array:
    """The raw columns that come out of `part`, given those that go in; -1 is a computed one."""
    name = name_of(part) if not isinstance(part, str) else part
    if name in PASSED_ON:
        return columns if name == "passthrough" else columns[:0]
    if hasattr(part, "tree_"):
        _tree(part, columns, found)
    _edges(part, name, columns, found)
    if name == "Pipeline":
        for _, step in part.steps:
            columns = _through(step, columns, found)
        return columns
    if name in {"ColumnTransformer", "FeatureUnion"}:
        return side_by_side(part, columns, lambda one, given: _through(one, given, found))
    if name in {"SimpleImputer", "FunctionTransformer"}:
        return filled(part, columns) if name == "SimpleImputer" else columns
    if hasattr(part, "get_support"):
        selected: Array = columns[part.get_support(indices=True)]
        return selected
    return _within(part, name, columns, found)


def _within(part: Estimator, name: str, columns: Array, found: _Found) -> Array:
    """Through what `part` is made of; what comes out of it is computed."""
    import numpy as np

    if "Neighbors" in name:
        found.may_tie = True
        _stored(part, columns, found)
    of_each = getattr(part, "estimators_features_", None)
    known = TABLE.get(name)
    for attribute in known.parts if known else ():
        derived = attribute == "final_estimator_"
        for number, one in enumerate(_estimators(getattr(part, attribute))):
            seen = columns if of_each is None else columns[of_each[number]]
            _through(one, np.full(_takes(one), -1) if derived else seen, found)
    return np.full(width(part), -1)


def _stored(part: Estimator, columns: Array, found: _Found) -> None:
    """The rows that `part` measures distances from, where it is fed raw columns."""
    import numpy as np

    known = getattr(part, "_fit_X", None)
    if isinstance(known, np.ndarray) and (columns >= 0).all():
        found.stored = np.full((len(known), found.width), np.nan)
        found.stored[:, columns] = known


def _stored_behind(estimator: Estimator) -> Array | None:
    """The same of a pipeline, where its steps can be gone back through."""
    import numpy as np

    if name_of(estimator) != "Pipeline" or len(estimator.steps) < 2:  # noqa: PLR2004 - one before it
        return None
    known = getattr(last_of(estimator), "_fit_X", None)
    if not isinstance(known, np.ndarray):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            back = np.asarray(estimator[:-1].inverse_transform(known), dtype=np.float64)
    except Exception:  # noqa: BLE001 - a step that has no way back may say so in any way
        return None
    return back if back.shape == (len(known), estimator.n_features_in_) else None


def neighbours(estimator: Estimator) -> tuple[Estimator | None, Sequence[Estimator]]:
    """The nearest neighbours that answer, if any do, and the steps that a row takes before."""
    steps = [one for _, one in getattr(estimator, "steps", [("", estimator)])]
    last = steps[-1]
    return (last, steps[:-1]) if hasattr(last, "kneighbors") else (None, ())


def side_by_side(
    part: Estimator, columns: Array, through: Callable[[Estimator, Array], Array]
) -> Array:
    """What comes out of parts that lie beside each other; weighed, it is computed."""
    import numpy as np

    if name_of(part) == "FeatureUnion":
        sides = [(one, columns) for _, one in part.transformer_list]
        weights = part.transformer_weights
    else:
        sides = [(one, _chosen(columns, chosen)) for _, one, chosen in part.transformers_]
        weights = part.transformer_weights
    out = [through(one, given) for one, given in sides]
    whole: Array = np.concatenate(out) if out else columns[:0]
    return np.full(len(whole), -1) if weights else whole


def _chosen(columns: Array, chosen: Any) -> Array:  # noqa: ANN401 - scikit-learn takes many kinds
    """The columns of a ColumnTransformer's part; computed ones where it calls them by name."""
    import numpy as np

    if isinstance(chosen, list) and any(isinstance(one, str) for one in chosen):
        return np.full(len(chosen), -1)
    picked: Array = columns[chosen if isinstance(chosen, slice) else np.asarray(chosen, int)]
    return picked


def _takes(part: Estimator) -> int:
    return int(getattr(part, "n_features_in_", 0))


def width(part: Estimator) -> int:
    """How many columns come out of a transformer; none of what is none."""
    if not hasattr(part, "transform"):
        return 0
    try:
        return len(part.get_feature_names_out())
    except (AttributeError, ValueError):
        return _takes(part)


def _tree(part: Estimator, columns: Array, found: _Found) -> None:
    """The tree of `part` where it is fed raw columns."""
    import numpy as np

    one = _grown(part)
    tree = one.tree
    inner = tree.feature >= 0
    raw = np.where(inner, columns[tree.feature], -1)
    if (raw[inner] < 0).any():
        found.may_tie = True
    else:
        found.trees.append(Tree(raw, tree.threshold, tree.left, tree.right, one.missing))


def _edges(part: Estimator, name: str, columns: Array, found: _Found) -> None:
    """The values at which `part` takes another turn, and those that it knows by name."""
    import numpy as np

    told: Sequence[Any] = ()
    if name == "KBinsDiscretizer":
        told = [edges[1:-1] for edges in part.bin_edges_]
    elif name in {"Binarizer", "BernoulliNB"}:
        told = [(getattr(part, "threshold", getattr(part, "binarize", None)),)] * len(columns)
    elif name == "MinMaxScaler" and part.clip:
        told = list(zip(part.data_min_, part.data_max_, strict=True))
    elif name == "QuantileTransformer":
        told = [(one[0], one[-1]) for one in part.quantiles_.T]
    elif name in {"OneHotEncoder", "OrdinalEncoder"}:
        for column, known in zip(columns, part.categories_, strict=True):
            numbers = known.astype(float) if known.dtype.kind in "iufb" else np.zeros(0)
            if column >= 0 and np.isfinite(numbers).any():
                found.categories[int(column)] = numbers[np.isfinite(numbers)].tolist()
    for column, edges in zip(columns, told, strict=True) if told else ():
        if column >= 0 and None not in tuple(edges):
            found.edges.setdefault(int(column), set()).update(map(float, edges))
