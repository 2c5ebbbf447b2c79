"""Conversion: from a scanned source to a variant for one hardware target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealift_registry.conversion import external_data
from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.conversion.recipe import Recipe, recipe_for
from sealift_registry.conversion.toolchains import Toolchain, current
from sealift_registry.frameworks.framework import AS_IT_IS, Converter, Framework
from sealift_registry.frameworks.supported import BY_FORMAT, CONVERTERS, NEEDED_BY_NONE
from sealift_registry.proof.models import ENDING, SourceModel, VariantModel, model_file
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.runner import Worker, WorkerLimits, ask
from sealift_signing import shape
from sealift_signing.errors import FailedError, RefusedError

MODEL = f"model{ENDING}"
"""What a converted model's file is called."""


@dataclass(frozen=True)
class Conversion:
    """A variant, and the recipe that it was built by."""

    recipe: Recipe
    variant: VariantModel


def convert(
    source: SourceModel,
    target: HardwareTarget,
    into: Path,
    progress: Progress = lambda _path, _done, _total: None,
) -> Conversion:
    """Build the variant of `source` for the hardware target `target` in the empty folder `into`.

    Raises:
        RefusedError: no converter knows this format, model or operator, which is named; or the
            variant is larger than the machine can hold.
        FailedError: the converter failed, or is not installed.
    """
    framework, converter = _converter(source, target)
    toolchain = current(converter)
    recipe = recipe_for(framework, converter, source.format, toolchain.pins)
    try:
        into.mkdir(parents=True, exist_ok=True)
        if converter.name == AS_IT_IS:
            paths = _take_as_it_is(source, toolchain, into, progress)
        else:
            _run(source, recipe, toolchain, into, progress)
            paths = (MODEL,)
        files = tuple(model_file(into, path) for path in paths)
    except OSError as bad:
        raise FailedError(
            "variant-unwritable",
            f"The variant could not be written to {into}: {bad.strerror}.",
            subject=str(into),
            next_step="Check the free space and the permissions of Sealift's home.",
        ) from bad
    variant = VariantModel(into, paths[0], files)
    _check_size(variant, target)
    return Conversion(recipe, variant)


def _converter(source: SourceModel, target: HardwareTarget) -> tuple[Framework, Converter]:
    if target.artifact_policy != "portable":
        raise RefusedError(
            "policy-unbuildable",
            f"The hardware target {target.id} takes artifacts {target.artifact_policy!r}, which "
            "this version of Sealift does not build.",
            subject=target.id,
            next_step="Choose a hardware target with the artifact policy 'portable'.",
        )
    framework, converter = BY_FORMAT.get(source.format), CONVERTERS.get(source.format)
    if framework is None or converter is None or target.artifact_policy not in framework.policies:
        raise RefusedError(
            "converter-unknown",
            f"There is no converter yet for {source.format}.",
            subject=source.format,
            next_step=f"Formats that can be converted: {', '.join(sorted(CONVERTERS))}.",
        )
    return framework, converter


def _take_as_it_is(
    source: SourceModel, toolchain: Toolchain, into: Path, progress: Progress
) -> tuple[str, ...]:
    """Write an ONNX source anew, and copy its data, under their own names: it is found by them.

    The model is what its fields say, and nothing that is beside them: no unknown field, in which a
    file of another kind may lie, travels. Nor does a data file that begins as one of another kind:
    a page stands before it. The model's own name is given the ending that runtimes look for, if it
    lacks it.
    """
    model = name_as_it_is(source.model)
    (into / model).parent.mkdir(parents=True, exist_ok=True)
    request = {
        "source": str((source.folder / source.model).absolute()),
        "target": str((into / model).absolute()),
    }
    ask(_worker(toolchain), "rewrite", request, progress, work=into.parent)
    for path in source.data_files:
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        external_data.copy(source.folder / path, into / path)
        progress(path, 0, 0)
    return (model, *source.data_files)


def name_as_it_is(model: str) -> str:
    """What the model's file is called in a variant that is taken as it is."""
    return model if model.endswith(ENDING) else model + ENDING


def _run(
    source: SourceModel, recipe: Recipe, toolchain: Toolchain, into: Path, progress: Progress
) -> None:
    request = {
        "source": str((source.folder / source.model).absolute()),
        "target": str((into / MODEL).absolute()),
        "recipe": shape.to_json(recipe),
    }
    ask(_worker(toolchain), "convert", request, progress, work=into.parent)


def _worker(toolchain: Toolchain) -> Worker:
    return Worker(
        module="sealift_registry.conversion.convert_worker",
        name="the converter",
        limits=WorkerLimits(seconds=1800),
        interpreter=toolchain.interpreter,
        absent=NEEDED_BY_NONE,
    )


def _check_size(variant: VariantModel, target: HardwareTarget) -> None:
    size = sum(file.size for file in variant.files)
    if size > target.limits.model_bytes:
        raise RefusedError(
            "variant-too-big",
            f"The variant has {size:,} bytes; the hardware target {target.id} takes at most "
            f"{target.limits.model_bytes:,}.",
            subject=target.id,
            next_step="Choose a hardware target that holds it.",
        )
