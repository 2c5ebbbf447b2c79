"""The converter's process: load one model, convert it or write it anew, as one ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sealift_registry.conversion import external_data, toolchains
from sealift_registry.conversion.recipe import Recipe
from sealift_registry.conversion.reproducible import reproducible_bytes
from sealift_registry.frameworks.framework import (
    WITHOUT_CONVERTER,
    Convertible,
    check_honoured,
    no_converter,
)
from sealift_registry.frameworks.supported import BY_FORMAT, CONVERTERS
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.quoting import first_line
from sealift_registry.workers.software import installed
from sealift_signing import shape
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError


def convert(request: Document, progress: Progress) -> Document:
    """Convert the file `source` by `recipe` into the file `target`.

    Returns:
        Nothing but that it was done; the caller hashes the file.
    """
    recipe = shape.from_json(Recipe, request["recipe"], what="the recipe")
    _check_toolchain(recipe.toolchain)
    source, target = Path(request["source"]), Path(request["target"])
    progress(source.name, 0, 0)
    content = _written(_load(recipe, source), recipe, source.name)
    _check(content)
    target.write_bytes(content)
    progress(source.name, len(content), len(content))
    return {}


def rewrite(request: Document, progress: Progress) -> Document:
    """Write what the ONNX file `source` says into the file `target`, in one spelling.

    Left out is whatever is no field of ONNX: protobuf keeps that, and writes it out again. Tensors
    that lie outside of it are looked for where `external_data.copy` puts them.
    """
    import onnx

    source, target = Path(request["source"]), Path(request["target"])
    progress(source.name, 0, 0)
    model = onnx.load(str(source), load_external_data=False)
    model.DiscardUnknownFields()
    external_data.move_behind_page(model)
    target.write_bytes(model.SerializeToString(deterministic=True))
    progress(source.name, target.stat().st_size, target.stat().st_size)
    return {}


def _load(recipe: Recipe, source: Path) -> Convertible:
    """The model, of which nothing is left that its converter is not known to honour."""
    converter = CONVERTERS.get(recipe.source_format)
    if converter is None or converter.name != recipe.converter:
        raise no_converter(recipe.converter)
    model = converter.load(source)
    if not isinstance(model, Convertible):
        raise no_converter(recipe.converter)
    check_honoured(BY_FORMAT[recipe.source_format], model)
    return model


def _written(model: Convertible, recipe: Recipe, name: str) -> bytes:
    try:
        return reproducible_bytes(model.to_onnx(recipe.opsets, recipe.options))
    except ValueError as bad:
        raise no_converter(name, first_line(bad)) from bad


def _check(content: bytes) -> None:
    """A converter's fault is found here, and not at a site."""
    import onnx

    try:
        onnx.checker.check_model(content)
    except onnx.checker.ValidationError as bad:
        raise FailedError(
            "converter-broken",
            f"The converter made a file that is not valid ONNX: {first_line(bad)}.",
            next_step=WITHOUT_CONVERTER,
        ) from bad


def _check_toolchain(pins: Mapping[str, str]) -> None:
    """What runs here is what the recipe says."""
    here = installed(pins) | {"python": toolchains.python()}
    for package, wanted in pins.items():
        found = here.get(package, "none")
        if found != wanted:
            raise FailedError(
                "toolchain-differs",
                f"The recipe asks for {word(package)} {word(wanted)}; this toolchain has {found}.",
                subject=package,
                next_step="Install the pinned toolchain (requirements/demo.txt), or convert anew.",
            )


if __name__ == "__main__":
    serve({"convert": convert, "rewrite": rewrite})
