"""Converters of our own, in doubles, for parts of scikit-learn that skl2onnx has in 32 bits only.

Each is the formula that scikit-learn answers by, from what training left.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from sealift_registry.frameworks.framework import Array
from sealift_registry.frameworks.scikit_learn_nodes import GraphPart, Model, Own

# -------------------------------------------------------------------- what comes before


def _filled(part: GraphPart) -> None:
    """SimpleImputer; that something was missing may be a column beside."""
    from onnx import TensorProto

    missing = part.node("IsNaN", part.given)
    made = part.node("Where", missing, part.numbers([part.model.statistics_]), part.given)
    indicator = part.model.indicator_
    if indicator is not None:
        told = part.node("Gather", missing, part.whole(indicator.features_), axis=1)
        made = part.node("Concat", made, part.node("Cast", told, to=TensorProto.DOUBLE), axis=1)
    part.answer(made)


def _scaled_rows(part: GraphPart) -> None:
    """Normalizer; a row of zeros stays one. Old runtimes have no ReduceL1 of doubles."""
    if part.model.norm == "l2":
        size = part.node("Sqrt", part.node("ReduceSumSquare", part.given, axes=[1], keepdims=1))
    elif part.model.norm == "l1":
        size = part.node("ReduceSum", part.node("Abs", part.given), part.whole([1]), keepdims=1)
    else:
        size = part.node("ReduceMax", part.node("Abs", part.given), axes=[1], keepdims=1)
    none = part.node("Equal", size, part.numbers(0))
    part.answer(part.node("Div", part.given, part.node("Where", none, part.numbers(1), size)))


def _selected(part: GraphPart) -> None:
    """What chooses columns."""
    chosen = part.model.get_support(indices=True)
    part.answer(part.node("Gather", part.given, part.whole(chosen), axis=1))


def _powers(part: GraphPart) -> None:
    """PolynomialFeatures: a product of columns for each column that it makes."""
    import numpy as np

    powers = part.model.powers_
    most, width = max(int(powers.sum(axis=1).max(initial=0)), 1), powers.shape[1]
    factors = np.full((len(powers), most), width)
    for number, row in enumerate(powers):
        columns = np.repeat(np.arange(width), row)
        factors[number, : len(columns)] = columns
    first = part.node("Slice", part.given, *map(part.whole, ([0], [1], [1])))
    ones = part.node("Add", part.node("Mul", first, part.numbers(0)), part.numbers(1))
    given = part.node("Concat", part.given, ones, axis=1)
    made = part.node("Gather", given, part.whole(factors[:, 0]), axis=1)
    for place in range(1, most):
        factor = part.node("Gather", given, part.whole(factors[:, place]), axis=1)
        made = part.node("Mul", made, factor)
    part.answer(made)


def _power(part: GraphPart) -> None:
    """PowerTransformer; a missing value stays missing."""
    import numpy as np

    lambdas = np.asarray(part.model.lambdas_, np.float64)
    if part.model.method == "box-cox":
        made = _raised(part, part.given, lambdas)
    else:
        zero, one = part.numbers(0), part.numbers(1)
        up = _raised(part, part.node("Add", part.node("Max", part.given, zero), one), lambdas)
        low = part.node("Sub", one, part.node("Min", part.given, zero))
        down = part.node("Neg", _raised(part, low, 2 - lambdas))
        positive = part.node("GreaterOrEqual", part.given, zero)
        chosen = part.node("Where", positive, up, down)
        made = part.node("Where", part.node("IsNaN", part.given), part.given, chosen)
    if part.model.standardize:
        scaler = part.model._scaler  # noqa: SLF001 - scikit-learn keeps it nowhere else
        made = part.node("Sub", made, part.numbers([scaler.mean_]))
        made = part.node("Div", made, part.numbers([scaler.scale_]))
    part.answer(made)


def _above(part: GraphPart) -> None:
    """Binarizer."""
    from onnx import TensorProto

    above = part.node("Greater", part.given, part.numbers(part.model.threshold))
    part.answer(part.node("Cast", above, to=TensorProto.DOUBLE))


def _quantiles(part: GraphPart) -> None:
    """QuantileTransformer: the mean of what both ends of equal quantiles lead to."""
    import numpy as np

    model, made = part.model, []
    for at, known in enumerate(np.asarray(model.quantiles_, np.float64).T):
        given = part.node("Gather", part.given, part.whole([at]), axis=1)
        upper = _between(part, given, known, model.references_, "GreaterOrEqual")
        lower = _between(part, given, known, model.references_, "Greater")
        mean = part.node("Mul", part.node("Add", upper, lower), part.numbers(0.5))
        for kind, edge, answer in (("GreaterOrEqual", known[-1], 1), ("LessOrEqual", known[0], 0)):
            beyond = part.node(kind, given, part.numbers(edge))
            mean = part.node("Where", beyond, part.numbers(answer), mean)
        made.append(part.node("Where", part.node("IsNaN", given), given, mean))
    part.answer(part.node("Concat", *made, axis=1))


def _between(part: GraphPart, given: str, known: Array, answers: Array, kind: str) -> str:
    """On the line between the last of `known` that `given` has passed, and the one after it."""
    import numpy as np
    from onnx import TensorProto

    passed = part.node("Cast", part.node(kind, given, part.numbers([known])), to=TensorProto.INT64)
    count = part.node("ReduceSum", passed, part.whole([1]), keepdims=1)
    most = part.node("Min", count, part.whole(len(known) - 1))
    before = part.node("Sub", part.node("Max", most, part.whole(1)), part.whole(1))
    steps = np.diff(known)
    slopes = np.diff(answers) / np.where(steps > 0, steps, 1.0)
    slope, start, answer = (
        part.node("Gather", part.numbers(one), before, axis=0) for one in (slopes, known, answers)
    )
    return part.node("Add", answer, part.node("Mul", part.node("Sub", given, start), slope))


def _raised(part: GraphPart, given: str, lambdas: Array) -> str:
    """(x ** lambda - 1) / lambda, by column; the logarithm where lambda is 0."""
    import numpy as np

    none = np.abs(lambdas) < np.spacing(1.0)
    by = np.where(none, 1.0, lambdas)
    raised = part.node("Pow", given, part.numbers([by]))
    made = part.node("Div", part.node("Sub", raised, part.numbers(1)), part.numbers([by]))
    if not none.any():
        return made
    is_none = part.node("Greater", part.numbers([none]), part.numbers(0.5))
    return part.node("Where", is_none, part.node("Log", given), made)


def _bins(part: GraphPart) -> None:
    """KBinsDiscretizer: how many of the inner edges a value is not below."""
    import numpy as np
    from onnx import TensorProto

    model = part.model
    inner = [np.asarray(edges[1:-1], np.float64) for edges in model.bin_edges_]
    most = max(map(len, inner)) or 1
    edges = np.array([np.pad(one, (0, most - len(one)), constant_values=np.inf) for one in inner])
    given = part.node("Unsqueeze", part.given, part.whole([2]))
    passed = part.node("GreaterOrEqual", given, part.numbers([edges]))
    counted = part.node("Cast", passed, to=TensorProto.DOUBLE)
    bins = part.node("ReduceSum", counted, part.whole([2]), keepdims=0)
    if model.encode != "ordinal":
        columns = [(at, one) for at, many in enumerate(model.n_bins_) for one in range(many)]
        of_each = part.node("Gather", bins, part.whole([at for at, _ in columns]), axis=1)
        equal = part.node("Equal", of_each, part.numbers([[one for _, one in columns]]))
        bins = part.node("Cast", equal, to=TensorProto.DOUBLE)
    part.answer(bins)


def _one_hot(part: GraphPart) -> None:
    """OneHotEncoder: a column for each category, and one for all that are seldom."""
    from onnx import TensorProto

    def is_one_of(at: int, known: list[float]) -> str:
        given = part.node("Gather", part.given, part.whole([at]), axis=1)
        equal = part.node("Equal", given, part.numbers([known]))
        return part.node("Cast", equal, to=TensorProto.DOUBLE)

    made = []
    for at in range(len(part.model.categories_)):
        often, seldom, dropped = _kinds(part.model, at)
        known = is_one_of(at, often)
        rare = []
        if seldom and part.model.handle_unknown == "infrequent_if_exist":
            met = part.node("ReduceSum", known, part.whole([1]), keepdims=1)
            rare = [part.node("Sub", part.numbers(1), met)]
        elif seldom:
            rare = [part.node("ReduceSum", is_one_of(at, seldom), part.whole([1]), keepdims=1)]
        kept = [one for one in range(len(often) + len(rare)) if one != dropped]
        both = part.node("Concat", known, *rare, axis=1)
        made.append(part.node("Gather", both, part.whole(kept), axis=1))
    part.answer(part.node("Concat", *made, axis=1))


def _kinds(model: Model, at: int) -> tuple[list[float], list[float], int | None]:
    """Of a column: which categories have one each, which share one, and what is dropped."""
    known = model.categories_[at].astype(float).tolist()
    shared = getattr(model, "infrequent_categories_", None)
    seldom = [] if shared is None or shared[at] is None else shared[at].astype(float).tolist()
    dropped = None if model.drop_idx_ is None else model._drop_idx_after_grouping[at]  # noqa: SLF001 - the other counts what was grouped
    return [one for one in known if one not in seldom], seldom, dropped


def _numbered(part: GraphPart) -> None:
    """OrdinalEncoder, by tables of float32: what that does not hold is no category."""
    from onnx import TensorProto

    model, made = part.model, []
    unknown = float("nan") if model.unknown_value is None else float(model.unknown_value)
    for at, known in enumerate(model.categories_):
        given = part.node("Gather", part.given, part.whole([at]), axis=1)
        narrow = part.node("Cast", given, to=TensorProto.FLOAT)
        code = part.node(
            "LabelEncoder",
            narrow,
            op_domain="ai.onnx.ml",
            op_version=2,
            keys_floats=known.astype(float).tolist(),
            values_floats=[float(one) for one in range(len(known))],
            default_float=unknown,
        )
        held = part.node("Equal", part.node("Cast", narrow, to=TensorProto.DOUBLE), given)
        wide = part.node("Cast", code, to=TensorProto.DOUBLE)
        made.append(part.node("Where", held, wide, part.numbers(unknown)))
    part.answer(part.node("Concat", *made, axis=1))


def _by_target(part: GraphPart) -> None:
    """TargetEncoder: what was learnt of a category, or of all where it is not known."""
    from onnx import TensorProto

    model, made = part.model, []
    targets = len(model.encodings_) // len(model.categories_)
    for number, learnt in enumerate(model.encodings_):
        at, target = divmod(number, targets)
        given = part.node("Gather", part.given, part.whole([at]), axis=1)
        equal = part.node("Equal", given, part.numbers([model.categories_[at].astype(float)]))
        known = part.node("Cast", equal, to=TensorProto.DOUBLE)
        mean = model.target_mean_ if targets == 1 else model.target_mean_[target]
        moved = part.node("MatMul", known, part.numbers((learnt - mean)[:, None]))
        made.append(part.node("Add", moved, part.numbers(mean)))
    part.answer(part.node("Concat", *made, axis=1))


# -------------------------------------------------------------------- labels and numbers


def _scored(part: GraphPart) -> None:
    """Linear models that answer scores: a class each, or of two classes the second's."""
    import numpy as np

    weights = np.atleast_2d(part.model.coef_)
    scores = part.line(weights, np.atleast_1d(part.model.intercept_))
    if len(part.model.classes_) > 2:  # noqa: PLR2004 - of two, one score decides
        part.best(scores)
    else:
        part.by_sign(scores, part.node("Concat", part.node("Neg", scores), scores, axis=1))


def _descended(part: GraphPart) -> None:
    """SGDClassifier: labels by the scores, also where their shares are all but 1, and alike."""
    if part.model.loss != "log_loss":
        _scored(part)
        return
    scores = part.line(part.model.coef_, part.model.intercept_)
    shares = _share(part, scores)
    if len(part.model.classes_) > 2:  # noqa: PLR2004 - of two, one score decides
        part.label(part.node("ArgMax", scores, axis=1, keepdims=0))
        every = part.node("ReduceSum", shares, part.whole([1]), keepdims=1)
        part.answer(part.node("Div", shares, every), 1)
    else:
        first = part.node("Sub", part.numbers(1), shares)
        part.by_sign(scores, part.node("Concat", first, shares, axis=1))


def _share(part: GraphPart, scores: str) -> str:
    """1 / (1 + exp(-score)): a runtime's own Sigmoid is 0 where that is small, and no share."""
    beyond = part.node("Exp", part.node("Neg", scores))
    return part.node("Div", part.numbers(1), part.node("Add", part.numbers(1), beyond))


def _discriminant(part: GraphPart) -> None:
    """LinearDiscriminantAnalysis: the scores of a line as shares."""
    import numpy as np

    scores = part.line(np.atleast_2d(part.model.coef_), part.model.intercept_)
    if len(part.model.classes_) > 2:  # noqa: PLR2004 - of two, one score decides
        part.label(part.node("ArgMax", scores, axis=1, keepdims=0))
        part.answer(part.node("Softmax", scores, axis=1), 1)
    else:
        second = _share(part, scores)
        first = part.node("Sub", part.numbers(1), second)
        part.by_sign(scores, part.node("Concat", first, second, axis=1))


def _quadratic(part: GraphPart) -> None:
    """QuadraticDiscriminantAnalysis: how far a row lies from each class, as shares."""
    import numpy as np

    model, scores = part.model, []
    for middle, turned, scaled, prior in zip(
        model.means_, model.rotations_, model.scalings_, model.priors_, strict=True
    ):
        away = part.node("Sub", part.given, part.numbers([middle]))
        turned_away = part.node("MatMul", away, part.numbers(turned * scaled**-0.5))
        size = part.node("ReduceSumSquare", turned_away, axes=[1], keepdims=1)
        half = part.node("Mul", size, part.numbers(-0.5))
        scores.append(
            part.node("Add", half, part.numbers(np.log(prior) - np.log(scaled).sum() / 2))
        )
    joined = part.node("Concat", *scores, axis=1)
    part.label(part.node("ArgMax", joined, axis=1, keepdims=0))
    part.answer(part.node("Softmax", joined, axis=1), 1)


def _vectors_of_numbers(part: GraphPart) -> None:
    """SVR and NuSVR."""
    model = part.model
    made = part.node("MatMul", _kernel(part), part.numbers(_dense(model.dual_coef_).T))
    part.answer(part.node("Add", made, part.numbers(model.intercept_)))


def _vectors(part: GraphPart) -> None:
    """SVC and NuSVC by their scores; by their probabilities as skl2onnx has it."""
    if getattr(part.model, "probability", False) is True:  # it may be a word
        from skl2onnx.common._registration import get_converter

        get_converter(part.operator.type)(part.scope, part.operator, part.container)
        return
    import numpy as np

    kernel, classes = _kernel(part), len(part.model.classes_)
    if classes == 2:  # noqa: PLR2004 - one score decides
        made = part.node("MatMul", kernel, part.numbers(_dense(part.model.dual_coef_).T))
        score = part.node("Add", made, part.numbers(part.model.intercept_))
        part.by_sign(score, part.node("Concat", part.node("Neg", score), score, axis=1))
        return
    first, second = np.triu_indices(classes, 1)
    decided = _decided(part, kernel, first, second)
    part.label(_voted(part, decided, first, second, or_even=False, most=True))
    part.answer(_voted(part, decided, first, second, or_even=True, most=False), 1)


def _decided(part: GraphPart, kernel: str, first: Array, second: Array) -> str:
    """Of each two classes a number, above zero for the first."""
    import numpy as np

    weights, classes = _dense(part.model._dual_coef_), len(part.model.classes_)
    ends = np.concatenate([[0], np.cumsum(part.model.n_support_)])
    parts = []
    for low, high in pairwise(ends):
        some = part.node("Slice", kernel, *map(part.whole, ([low], [high], [1])))
        parts.append(part.node("MatMul", some, part.numbers(weights[:, low:high].T)))
    joined = part.node("Concat", *parts, axis=1)
    of_first = part.node("Gather", joined, part.whole(first * (classes - 1) + second - 1), axis=1)
    of_second = part.node("Gather", joined, part.whole(second * (classes - 1) + first), axis=1)
    both = part.node("Add", of_first, of_second)
    return part.node("Add", both, part.numbers(part.model._intercept_))


def _voted(
    part: GraphPart, decided: str, first: Array, second: Array, *, or_even: bool, most: bool
) -> str:
    """Votes of pairs: the class that has most, or all votes and how sure they are."""
    import numpy as np
    from onnx import TensorProto

    classes = len(part.model.classes_)
    ones, others = np.eye(classes)[first], np.eye(classes)[second]
    kind = "GreaterOrEqual" if or_even else "Greater"
    won = part.node("Cast", part.node(kind, decided, part.numbers(0)), to=TensorProto.DOUBLE)
    moved = part.node("MatMul", won, part.numbers(ones - others))
    votes = part.node("Add", moved, part.numbers([others.sum(axis=0)]))
    if most:
        return part.node("ArgMax", votes, axis=1, keepdims=0)
    sure = part.node("MatMul", decided, part.numbers(ones - others))
    size = part.node("Add", part.node("Abs", sure), part.numbers(1))
    return part.node("Add", votes, part.node("Div", sure, part.node("Mul", size, part.numbers(3))))


def _kernel(part: GraphPart) -> str:
    """What each row has in common with each support vector."""
    import numpy as np

    model, vectors = part.model, _dense(part.model.support_vectors_)
    if model.kernel == "rbf":
        middle = vectors.mean(axis=0)
        given, vectors = part.node("Sub", part.given, part.numbers([middle])), vectors - middle
        size = part.node("ReduceSumSquare", given, axes=[1], keepdims=1)
        both = part.node("Add", size, part.numbers([(vectors**2).sum(axis=1)]))
        common = part.node("MatMul", given, part.numbers(2 * vectors.T))
        away = part.node("Max", part.node("Sub", both, common), part.numbers(0))
        return part.node("Exp", part.node("Mul", away, part.numbers(-model._gamma)))  # noqa: SLF001 - as it was fitted
    common = part.node("MatMul", part.given, part.numbers(vectors.T))
    if model.kernel == "linear":
        return common
    scaled = part.node("Mul", common, part.numbers(np.float64(model._gamma)))  # noqa: SLF001 - as it was fitted
    moved = part.node("Add", scaled, part.numbers(model.coef0))
    if model.kernel == "sigmoid":
        return part.node("Tanh", moved)
    return part.node("Pow", moved, part.numbers(model.degree))


def _dense(matrix: Any) -> Array:  # noqa: ANN401 - of what was trained on few numbers, a sparse one
    import numpy as np

    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, np.float64)


SELECTORS = (
    *("GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFromModel", "SelectFwe"),
    *("SelectKBest", "SelectPercentile", "VarianceThreshold"),
)

CONVERTS: Mapping[str, Own] = {
    **dict.fromkeys(SELECTORS, _selected),
    "Binarizer": _above,
    "KBinsDiscretizer": _bins,
    "LinearDiscriminantAnalysis": _discriminant,
    "LinearSVC": _scored,
    "Normalizer": _scaled_rows,
    "NuSVC": _vectors,
    "NuSVR": _vectors_of_numbers,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _numbered,
    "PolynomialFeatures": _powers,
    "PowerTransformer": _power,
    "QuadraticDiscriminantAnalysis": _quadratic,
    "QuantileTransformer": _quantiles,
    "RidgeClassifier": _scored,
    "RidgeClassifierCV": _scored,
    "SGDClassifier": _descended,
    "SVC": _vectors,
    "SVR": _vectors_of_numbers,
    "SimpleImputer": _filled,
    "TargetEncoder": _by_target,
}
"""Class → how it is converted."""
