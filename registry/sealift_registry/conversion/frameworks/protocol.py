"""What every framework's module offers, and what they share in refusing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sealift_registry.conversion.recipe import Recipe
from sealift_signing.errors import RefusedError

Array = np.ndarray[Any, Any]

LABEL, PROBABILITIES, VARIABLE = "label", "probabilities", "variable"


class Model(Protocol):
    """A model that has been loaded."""

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The model's outputs for `inputs`, by output name; the first axis counts the rows.

        Raises:
            RefusedError: the inputs do not fit the model.
        """


class Convertible(Model, Protocol):
    """A model that can also be converted."""

    def to_onnx(self, recipe: Recipe) -> Any:  # noqa: ANN401 - onnx is Any to us
        """The converted model, an onnx.ModelProto.

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


def no_converter(kind: str, why: str = "") -> RefusedError:
    """The refusal for a model, or a part of one, that no converter knows."""
    because = f" ({why})" if why else ""
    return RefusedError(
        "converter-unknown",
        f"There is no converter for {kind}{because}.",
        subject=kind,
        next_step="Train a model that can be converted, or export this one to ONNX yourself and "
        "ingest the ONNX file.",
    )
