"""Of each class of scikit-learn, the parameters that have no say in a graph of their own.

Training leaves nothing of them but the numbers that are converted. One that a newer scikit-learn
adds to a class is not among them, and refuses it: also where another class has one of that name.
"""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[str, str] = {
    "AdaBoostClassifier": "n_estimators random_state",
    "AdaBoostRegressor": "n_estimators random_state",
    "ARDRegression": (
        "alpha_1 alpha_2 compute_score copy_X fit_intercept lambda_1 lambda_2 max_iter "
        "threshold_lambda tol verbose"
    ),
    "BaggingClassifier": (
        "bootstrap bootstrap_features max_features max_samples n_estimators n_jobs "
        "oob_score random_state verbose warm_start"
    ),
    "BaggingRegressor": (
        "bootstrap bootstrap_features max_features max_samples n_estimators n_jobs "
        "oob_score random_state verbose warm_start"
    ),
    "BayesianRidge": (
        "alpha_1 alpha_2 alpha_init compute_score copy_X fit_intercept lambda_1 "
        "lambda_2 lambda_init max_iter tol verbose"
    ),
    "BernoulliNB": "alpha class_prior fit_prior force_alpha",
    "Binarizer": "copy",
    "ColumnTransformer": "n_jobs verbose verbose_feature_names_out",
    "ComplementNB": "alpha class_prior fit_prior force_alpha",
    "DecisionTreeClassifier": (
        "ccp_alpha class_weight criterion max_depth max_features max_leaf_nodes "
        "min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf monotonic_cst random_state splitter"
    ),
    "DecisionTreeRegressor": (
        "ccp_alpha criterion max_depth max_features max_leaf_nodes "
        "min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf monotonic_cst random_state splitter"
    ),
    "ElasticNet": (
        "alpha copy_X fit_intercept l1_ratio max_iter positive precompute random_state "
        "selection tol warm_start"
    ),
    "ElasticNetCV": (
        "alphas copy_X cv eps fit_intercept l1_ratio max_iter n_jobs positive "
        "precompute random_state selection tol verbose"
    ),
    "ExtraTreeClassifier": (
        "ccp_alpha class_weight criterion max_depth max_features max_leaf_nodes "
        "min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf monotonic_cst random_state splitter"
    ),
    "ExtraTreeRegressor": (
        "ccp_alpha criterion max_depth max_features max_leaf_nodes "
        "min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf monotonic_cst random_state splitter"
    ),
    "ExtraTreesClassifier": (
        "bootstrap ccp_alpha class_weight criterion max_depth max_features "
        "max_leaf_nodes max_samples min_impurity_decrease min_samples_leaf "
        "min_samples_split min_weight_fraction_leaf monotonic_cst n_estimators n_jobs "
        "oob_score random_state verbose warm_start"
    ),
    "ExtraTreesRegressor": (
        "bootstrap ccp_alpha criterion max_depth max_features max_leaf_nodes "
        "max_samples min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf monotonic_cst n_estimators n_jobs oob_score "
        "random_state verbose warm_start"
    ),
    "FeatureUnion": "n_jobs verbose verbose_feature_names_out",
    "FunctionTransformer": "check_inverse",
    "GammaRegressor": "alpha fit_intercept max_iter solver tol verbose warm_start",
    "GaussianNB": "priors var_smoothing",
    "GaussianRandomProjection": "compute_inverse_components eps random_state",
    "GradientBoostingClassifier": (
        "ccp_alpha criterion max_depth max_features max_leaf_nodes "
        "min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf n_estimators n_iter_no_change random_state subsample "
        "tol validation_fraction verbose warm_start"
    ),
    "GradientBoostingRegressor": (
        "alpha ccp_alpha criterion max_depth max_features max_leaf_nodes "
        "min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf n_estimators n_iter_no_change random_state subsample "
        "tol validation_fraction verbose warm_start"
    ),
    "GridSearchCV": (
        "cv error_score n_jobs param_grid pre_dispatch refit return_train_score scoring verbose"
    ),
    "HuberRegressor": "alpha epsilon fit_intercept max_iter tol warm_start",
    "IncrementalPCA": "batch_size copy",
    "KBinsDiscretizer": "quantile_method random_state subsample",
    "KernelPCA": (
        "alpha copy_X eigen_solver fit_inverse_transform iterated_power max_iter n_jobs "
        "random_state remove_zero_eig tol"
    ),
    "KNeighborsClassifier": "leaf_size n_jobs",
    "KNeighborsRegressor": "leaf_size n_jobs",
    "Lars": (
        "copy_X eps fit_intercept fit_path jitter n_nonzero_coefs precompute random_state verbose"
    ),
    "LarsCV": "copy_X cv eps fit_intercept max_iter max_n_alphas n_jobs precompute verbose",
    "Lasso": (
        "alpha copy_X fit_intercept max_iter positive precompute random_state selection "
        "tol warm_start"
    ),
    "LassoCV": (
        "alphas copy_X cv eps fit_intercept max_iter n_jobs positive precompute "
        "random_state selection tol verbose"
    ),
    "LassoLars": (
        "alpha copy_X eps fit_intercept fit_path jitter max_iter positive precompute "
        "random_state verbose"
    ),
    "LassoLarsCV": (
        "copy_X cv eps fit_intercept max_iter max_n_alphas n_jobs positive precompute verbose"
    ),
    "LassoLarsIC": (
        "copy_X criterion eps fit_intercept max_iter noise_variance positive precompute verbose"
    ),
    "LinearDiscriminantAnalysis": (
        "covariance_estimator priors shrinkage solver store_covariance tol"
    ),
    "LinearRegression": "copy_X fit_intercept n_jobs positive tol",
    "LinearSVC": (
        "C class_weight dual fit_intercept intercept_scaling max_iter penalty "
        "random_state tol verbose"
    ),
    "LinearSVR": (
        "C dual epsilon fit_intercept intercept_scaling max_iter random_state tol verbose"
    ),
    "LogisticRegression": (
        "C class_weight dual fit_intercept intercept_scaling l1_ratio max_iter n_jobs "
        "penalty random_state solver tol verbose warm_start"
    ),
    "LogisticRegressionCV": (
        "Cs class_weight cv dual fit_intercept intercept_scaling l1_ratios max_iter "
        "n_jobs penalty random_state refit scoring solver tol use_legacy_attributes "
        "verbose"
    ),
    "MaxAbsScaler": "copy",
    "MinMaxScaler": "copy",
    "MLPClassifier": (
        "alpha batch_size beta_1 beta_2 early_stopping epsilon learning_rate_init "
        "max_fun max_iter momentum n_iter_no_change nesterovs_momentum power_t "
        "random_state shuffle solver tol validation_fraction verbose warm_start"
    ),
    "MLPRegressor": (
        "alpha batch_size beta_1 beta_2 early_stopping epsilon learning_rate_init "
        "max_fun max_iter momentum n_iter_no_change nesterovs_momentum power_t "
        "random_state shuffle solver tol validation_fraction verbose warm_start"
    ),
    "MultinomialNB": "alpha class_prior fit_prior force_alpha",
    "MultiOutputRegressor": "n_jobs",
    "MultiTaskElasticNet": (
        "alpha copy_X fit_intercept l1_ratio max_iter random_state selection tol warm_start"
    ),
    "MultiTaskElasticNetCV": (
        "alphas copy_X cv eps fit_intercept l1_ratio max_iter n_jobs random_state "
        "selection tol verbose"
    ),
    "MultiTaskLasso": "alpha copy_X fit_intercept max_iter random_state selection tol warm_start",
    "MultiTaskLassoCV": (
        "alphas copy_X cv eps fit_intercept max_iter n_jobs random_state selection tol verbose"
    ),
    "NeighborhoodComponentsAnalysis": "callback max_iter random_state tol verbose warm_start",
    "Normalizer": "copy",
    "NuSVC": "cache_size class_weight max_iter nu random_state shrinking tol verbose",
    "NuSVR": "C cache_size max_iter nu shrinking tol verbose",
    "OneVsRestClassifier": "n_jobs verbose",
    "OrthogonalMatchingPursuit": "fit_intercept n_nonzero_coefs precompute tol",
    "OrthogonalMatchingPursuitCV": "copy cv fit_intercept max_iter n_jobs verbose",
    "PassiveAggressiveClassifier": (
        "C average class_weight early_stopping fit_intercept max_iter n_iter_no_change "
        "n_jobs random_state shuffle tol validation_fraction verbose warm_start"
    ),
    "PassiveAggressiveRegressor": (
        "C average early_stopping epsilon fit_intercept max_iter n_iter_no_change "
        "random_state shuffle tol validation_fraction verbose warm_start"
    ),
    "PCA": "copy iterated_power n_oversamples power_iteration_normalizer random_state tol",
    "Perceptron": (
        "alpha class_weight early_stopping eta0 fit_intercept l1_ratio max_iter "
        "n_iter_no_change n_jobs penalty random_state shuffle tol validation_fraction "
        "verbose warm_start"
    ),
    "Pipeline": "memory transform_input verbose",
    "PLSRegression": "copy max_iter tol",
    "PoissonRegressor": "alpha fit_intercept max_iter solver tol verbose warm_start",
    "PowerTransformer": "copy",
    "QuadraticDiscriminantAnalysis": (
        "covariance_estimator priors reg_param shrinkage solver store_covariance tol"
    ),
    "QuantileRegressor": "alpha fit_intercept quantile solver solver_options",
    "QuantileTransformer": "copy n_quantiles random_state subsample",
    "RandomForestClassifier": (
        "bootstrap ccp_alpha class_weight criterion max_depth max_features "
        "max_leaf_nodes max_samples min_impurity_decrease min_samples_leaf "
        "min_samples_split min_weight_fraction_leaf monotonic_cst n_estimators n_jobs "
        "oob_score random_state verbose warm_start"
    ),
    "RandomForestRegressor": (
        "bootstrap ccp_alpha criterion max_depth max_features max_leaf_nodes "
        "max_samples min_impurity_decrease min_samples_leaf min_samples_split "
        "min_weight_fraction_leaf monotonic_cst n_estimators n_jobs oob_score "
        "random_state verbose warm_start"
    ),
    "RANSACRegressor": (
        "is_data_valid is_model_valid max_skips max_trials min_samples random_state "
        "residual_threshold stop_n_inliers stop_probability stop_score"
    ),
    "Ridge": "alpha copy_X fit_intercept max_iter positive random_state solver tol",
    "RidgeClassifier": (
        "alpha class_weight copy_X fit_intercept max_iter positive random_state solver tol"
    ),
    "RidgeClassifierCV": "alphas class_weight cv fit_intercept scoring store_cv_results",
    "RidgeCV": "alpha_per_target alphas cv fit_intercept gcv_mode scoring store_cv_results",
    "RobustScaler": "copy quantile_range",
    "SelectFdr": "alpha",
    "SelectFpr": "alpha",
    "SelectFromModel": "importance_getter max_features norm_order prefit",
    "SelectFwe": "alpha",
    "SGDClassifier": (
        "alpha average class_weight early_stopping epsilon eta0 fit_intercept l1_ratio "
        "max_iter n_iter_no_change n_jobs penalty power_t random_state shuffle tol "
        "validation_fraction verbose warm_start"
    ),
    "SGDRegressor": (
        "alpha average early_stopping epsilon eta0 fit_intercept l1_ratio max_iter "
        "n_iter_no_change penalty power_t random_state shuffle tol validation_fraction "
        "verbose warm_start"
    ),
    "SimpleImputer": "copy",
    "StackingClassifier": "cv n_jobs verbose",
    "StackingRegressor": "cv n_jobs verbose",
    "StandardScaler": "copy",
    "SVC": "C cache_size class_weight max_iter random_state shrinking tol verbose",
    "SVR": "C cache_size epsilon max_iter shrinking tol verbose",
    "TargetEncoder": "cv random_state shuffle",
    "TheilSenRegressor": (
        "fit_intercept max_iter max_subpopulation n_jobs n_subsamples random_state tol verbose"
    ),
    "TruncatedSVD": "n_iter n_oversamples power_iteration_normalizer random_state tol",
    "TweedieRegressor": "alpha fit_intercept max_iter solver tol verbose warm_start",
    "VotingRegressor": "n_jobs verbose",
}

TRAINING: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split()) for name, words in _WORDS.items()
}
"""Class → such parameters of it."""
