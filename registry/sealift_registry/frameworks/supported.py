"""The frameworks that Sealift knows. A new one is a module beside this one, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from sealift_registry.frameworks.framework import (
    LOADED_WHERE_FOUND,
    Converter,
    Format,
    Framework,
)

MODULES = (
    "onnx_graph",
    "scikit_learn",
    "xgboost_trees",
    "lightgbm_trees",
    "tensors",
)
"""Each has a `FRAMEWORK`. Sentences name them in this order."""

FRAMEWORKS: tuple[Framework, ...] = tuple(
    import_module(f"sealift_registry.frameworks.{name}").FRAMEWORK for name in MODULES
)

BY_FORMAT: Mapping[str, Framework] = {
    form.name: framework for framework in FRAMEWORKS for form in framework.formats
}
"""The framework of each format."""

CONVERTERS: Mapping[str, Converter] = {
    name: one.converter for name, one in BY_FORMAT.items() if one.converter is not None
}
"""The converter of each format that has one."""

IN_ORDER: tuple[Format, ...] = tuple(
    sorted(
        (form for framework in FRAMEWORKS for form in framework.formats),
        key=lambda form: not form.marked,
    )
)
"""The formats as a file is tried for them: those with a mark of their own come first."""

PACKAGES = tuple(dict.fromkeys(package for one in FRAMEWORKS for package in one.packages))

NEEDED_BY_NONE = tuple(
    package for package in LOADED_WHERE_FOUND if not any(package in one.needs for one in FRAMEWORKS)
)
"""What a worker need not find, of whatever format the model is."""


def as_it_is(form: str) -> bool:
    """Whether a variant of a model of the format `form` is a copy of it."""
    return form in CONVERTERS and CONVERTERS[form].takes_as_it_is


def absent(form: str) -> tuple[str, ...]:
    """What a worker for models of the format `form` need not find."""
    framework = BY_FORMAT.get(form)
    return NEEDED_BY_NONE if framework is None else framework.absent
