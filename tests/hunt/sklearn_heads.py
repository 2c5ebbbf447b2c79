"""Estimators of scikit-learn with the options that people give them, and some that few do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.hunt.data import Task
from tests.hunt.draws import Draws

Estimator: TypeAlias = Any


@dataclass(frozen=True)
class Head:
    """What a pipeline ends in.

    Attributes:
        estimator: not yet trained.
        task: that it is for.
        takes_missing: it knows what to do where there is no value.
        least: `zero` where it takes no numbers below zero, `codes` where it takes codes only.
    """

    estimator: Estimator
    task: Task
    takes_missing: bool = False
    least: str = ""


def _either(draws: Draws) -> Task:
    return "classes" if draws.chance(0.5) else "numbers"


def linear(draws: Draws) -> Head:
    from sklearn import linear_model as lm
    from sklearn import svm

    alpha, intercept = draws.size(1e-4, 1), draws.chance(0.85)
    if draws.chance(0.5):
        made: Estimator = draws.made(
            (
                lambda: lm.LinearRegression(fit_intercept=intercept),
                lambda: lm.LinearRegression(positive=True),
                lambda: lm.Ridge(alpha, fit_intercept=intercept),
                lambda: lm.Lasso(alpha),
                lambda: lm.ElasticNet(alpha, l1_ratio=draws.between(0.1, 0.9)),
                lm.BayesianRidge,
                lambda: lm.HuberRegressor(max_iter=300),
                lambda: lm.SGDRegressor(alpha=alpha, random_state=1),
                lambda: svm.LinearSVR(C=draws.size(0.01, 10)),
                lm.Lars,
                lambda: lm.LassoLars(alpha),
                lm.OrthogonalMatchingPursuit,
                lm.ARDRegression,
                lambda: lm.TheilSenRegressor(max_subpopulation=200, random_state=1),
                lambda: lm.RANSACRegressor(random_state=1),
                lambda: lm.QuantileRegressor(quantile=0.3, alpha=0.01),
            )
        )
        return Head(made, "numbers")
    if draws.chance(0.25):
        made = draws.made(
            (
                lambda: lm.PoissonRegressor(alpha=alpha),
                lambda: lm.GammaRegressor(alpha=alpha),
                lambda: lm.TweedieRegressor(power=draws.pick((0, 1, 1.5, 2)), alpha=alpha),
            )
        )
        return Head(made, "positive")
    weight = draws.pick((None, None, "balanced"))
    made = draws.made(
        (
            lambda: lm.LogisticRegression(C=draws.size(0.01, 100), class_weight=weight),
            lambda: lm.LogisticRegression(solver="liblinear", C=draws.size(0.01, 100)),
            lambda: lm.LogisticRegression(fit_intercept=False),
            lambda: lm.RidgeClassifier(alpha, class_weight=weight),
            lambda: lm.SGDClassifier(
                loss=draws.pick(("hinge", "log_loss", "modified_huber", "perceptron")),
                alpha=alpha,
                random_state=1,
            ),
            lambda: svm.LinearSVC(C=draws.size(0.01, 10), fit_intercept=intercept),
            lambda: lm.Perceptron(random_state=1),
        )
    )
    return Head(made, "classes")


def discriminant(draws: Draws) -> Head:
    from sklearn import discriminant_analysis as da
    from sklearn.neighbors import NearestCentroid

    made = draws.made(
        (
            da.LinearDiscriminantAnalysis,
            lambda: da.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
            lambda: da.QuadraticDiscriminantAnalysis(reg_param=draws.size(1e-3, 0.5)),
            NearestCentroid,
        )
    )
    return Head(made, "classes")


def tree(draws: Draws) -> Head:
    from sklearn import tree as trees

    task = _either(draws)
    kinds = {
        "classes": (trees.DecisionTreeClassifier, trees.ExtraTreeClassifier),
        "numbers": (trees.DecisionTreeRegressor, trees.ExtraTreeRegressor),
    }[task]
    options: dict[str, Any] = {
        "max_depth": draws.pick((None, 2, 4, 8)),
        "min_samples_leaf": draws.pick((1, 1, 5)),
        "random_state": draws.whole(0, 99),
    }
    if task == "classes":
        options["class_weight"] = draws.pick((None, None, "balanced"))
    return Head(draws.pick(kinds)(**options), task, takes_missing=True)


def forest(draws: Draws) -> Head:
    from sklearn import ensemble

    task = _either(draws)
    kinds = {
        "classes": (ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier),
        "numbers": (ensemble.RandomForestRegressor, ensemble.ExtraTreesRegressor),
    }[task]
    made = draws.pick(kinds)(
        n_estimators=draws.pick((1, 3, 10, 25)),
        max_depth=draws.pick((None, 3, 6)),
        max_features=draws.pick((1.0, "sqrt")),
        random_state=draws.whole(0, 99),
    )
    return Head(made, task, takes_missing=True)


def boosting(draws: Draws) -> Head:
    from sklearn import ensemble

    task = _either(draws)
    rate, rounds = draws.size(0.03, 1), draws.pick((1, 5, 20))
    some: Mapping[str, Any] = {"learning_rate": rate, "random_state": 1}
    if draws.chance(0.4):
        made: Estimator = {
            "classes": ensemble.GradientBoostingClassifier,
            "numbers": ensemble.GradientBoostingRegressor,
        }[task](
            n_estimators=rounds,
            max_depth=draws.pick((1, 3, 5)),
            subsample=draws.pick((1.0, 0.7)),
            loss=draws.pick(
                {
                    "classes": ("log_loss", "log_loss", "exponential"),
                    "numbers": ("squared_error", "absolute_error", "huber", "quantile"),
                }[task]
            ),
            init=draws.pick((None, None, None, "zero")),
            **some,
        )
        return Head(made, task)
    if draws.chance(0.6):
        options: dict[str, Any] = {"max_iter": rounds, "max_leaf_nodes": draws.pick((5, 15, 31))}
        options["min_samples_leaf"] = draws.pick((5, 20))
        options["categorical_features"] = draws.pick((None, None, None, [0]))
        if task == "classes":
            made = ensemble.HistGradientBoostingClassifier(**some, **options)
            return Head(made, task, takes_missing=True)
        loss = draws.pick(("squared_error", "absolute_error", "poisson", "gamma", "quantile"))
        if loss == "quantile":
            options["quantile"] = 0.8
        made = ensemble.HistGradientBoostingRegressor(loss=loss, **some, **options)
        positive = loss in ("poisson", "gamma")
        return Head(made, "positive" if positive else "numbers", takes_missing=True)
    made = {
        "classes": ensemble.AdaBoostClassifier,
        "numbers": ensemble.AdaBoostRegressor,
    }[task](n_estimators=draws.pick((1, 5, 15)), **some)
    return Head(made, task)


def vectors(draws: Draws) -> Head:
    from sklearn import svm

    kernel = draws.pick(("rbf", "rbf", "linear", "poly", "sigmoid"))
    options: dict[str, Any] = {
        "kernel": kernel,
        "gamma": draws.pick(("scale", 0.1, "auto")),
        "max_iter": 20_000,  # on what nobody scaled it would go on for ever
    }
    if kernel == "poly":
        options |= {"degree": draws.pick((2, 3)), "coef0": draws.pick((0.0, 1.0))}
    if draws.chance(0.55):
        wide = draws.pick(("ovr", "ovr", "ovo"))
        balanced = draws.pick((None, "balanced"))
        options |= {"decision_function_shape": wide, "class_weight": balanced}
        made: Estimator = draws.made(
            (
                lambda: svm.SVC(C=draws.size(0.1, 30), **options),
                lambda: svm.NuSVC(nu=0.2, **(options | {"class_weight": None})),
            )
        )
        return Head(made, "classes")
    made = draws.made(
        (
            lambda: svm.SVR(C=draws.size(0.1, 30), **options),
            lambda: svm.NuSVR(C=draws.size(0.1, 30), **options),
        )
    )
    return Head(made, "numbers")


def neighbours(draws: Draws) -> Head:
    from sklearn import neighbors

    task = _either(draws)
    options: dict[str, Any] = {
        "n_neighbors": draws.pick((1, 3, 5, 8)),
        "weights": draws.pick(("uniform", "uniform", "distance")),
        "algorithm": draws.pick(("auto", "brute", "kd_tree")),
    }
    options |= draws.pick(
        ({}, {"p": 1}, {"metric": "manhattan"}, {"metric": "chebyshev"}, {"p": 3}, {})
    )
    kind = {
        "classes": neighbors.KNeighborsClassifier,
        "numbers": neighbors.KNeighborsRegressor,
    }[task]
    return Head(kind(**options), task)


def bayes(draws: Draws) -> Head:
    from sklearn import naive_bayes as nb

    alpha = draws.pick((1.0, 0.1, 1e-3))
    made, least = draws.pick(
        (
            (nb.GaussianNB(), ""),
            (nb.GaussianNB(var_smoothing=1e-3), ""),
            (nb.BernoulliNB(alpha=alpha, binarize=draws.pick((0.0, 0.5, 1.0))), ""),
            (nb.MultinomialNB(alpha=alpha, fit_prior=draws.chance(0.7)), "zero"),
            (nb.ComplementNB(alpha=alpha, norm=draws.chance(0.3)), "zero"),
            (nb.CategoricalNB(alpha=alpha, min_categories=9001), "codes"),
        )
    )
    return Head(made, "classes", least=least)


def layers(draws: Draws) -> Head:
    from sklearn import neural_network as nn

    task = _either(draws)
    kind = {"classes": nn.MLPClassifier, "numbers": nn.MLPRegressor}[task]
    made = kind(
        hidden_layer_sizes=draws.pick(((8,), (16, 8), (4, 4, 4))),
        activation=draws.pick(("relu", "tanh", "logistic", "identity")),
        max_iter=draws.pick((20, 100)),
        random_state=1,
    )
    return Head(made, task)


def wrapped(draws: Draws) -> Head:
    """One estimator within another."""
    from sklearn import calibration, compose, ensemble, multiclass, multioutput

    inner = draws.pick((linear, tree, vectors, bayes, forest, boosting))(draws)
    while inner.least or inner.task not in ("classes", "numbers"):
        inner = draws.pick((linear, tree, vectors, forest))(draws)
    one, other = inner.estimator, tree(draws)
    while other.task != inner.task:
        other = tree(draws)
    both = [("first", one), ("second", other.estimator)]
    if inner.task == "classes":
        made: Estimator = draws.made(
            (
                lambda: calibration.CalibratedClassifierCV(
                    one, method=draws.pick(("sigmoid", "isotonic")), cv=2
                ),
                lambda: multiclass.OneVsRestClassifier(one),
                lambda: multiclass.OneVsOneClassifier(one),
                lambda: ensemble.VotingClassifier(both, voting=draws.pick(("hard", "soft"))),
                lambda: ensemble.StackingClassifier(both, cv=2),
                lambda: ensemble.BaggingClassifier(
                    one, n_estimators=4, max_features=draws.pick((1.0, 0.7)), random_state=1
                ),
            )
        )
        return Head(made, "classes")
    made = draws.made(
        (
            lambda: ensemble.VotingRegressor(both),
            lambda: ensemble.StackingRegressor(both, cv=2),
            lambda: ensemble.BaggingRegressor(
                one, n_estimators=4, max_features=draws.pick((1.0, 0.7)), random_state=1
            ),
            lambda: compose.TransformedTargetRegressor(one),
            lambda: multioutput.MultiOutputRegressor(one),
        )
    )
    return Head(made, "numbers")


def other(draws: Draws) -> Head:
    """What is seldom delivered, and can be."""
    from sklearn import cluster, cross_decomposition, dummy, gaussian_process, mixture

    among: tuple[tuple[Estimator, Task], ...] = (
        (cluster.KMeans(draws.whole(2, 6), n_init=1, random_state=1), "numbers"),
        (mixture.GaussianMixture(2, random_state=1), "numbers"),
        (gaussian_process.GaussianProcessRegressor(alpha=0.1), "numbers"),
        (cross_decomposition.PLSRegression(1), "numbers"),
        (dummy.DummyRegressor(), "numbers"),
        (dummy.DummyClassifier(), "classes"),
    )
    made, task = draws.pick(among)
    return Head(made, task)


HEADS: Mapping[str, Callable[[Draws], Head]] = {
    "linear": linear,
    "discriminant": discriminant,
    "tree": tree,
    "forest": forest,
    "boosting": boosting,
    "vectors": vectors,
    "neighbours": neighbours,
    "bayes": bayes,
    "layers": layers,
    "wrapped": wrapped,
    "other": other,
}
