"""What a model's folder holds: the model, its data, and what lies beside them."""

from __future__ import annotations

from pathlib import Path

from sealift_registry.frameworks.framework import ModelFolder
from sealift_registry.frameworks.supported import BY_FORMAT, FRAMEWORKS
from sealift_registry.intake.formats import PICKLE, recognise
from sealift_registry.intake.incoming_folder import walk
from sealift_registry.intake.side_files import is_side_file
from sealift_signing.errors import RefusedError


def survey(folder: Path) -> ModelFolder:
    """Sort the files in `folder` by what they are for.

    Raises:
        RefusedError: a pickle, no model, several models, or a file that belongs to none.
    """
    formats = {path: recognise(file) for path, file in walk(folder)}
    models = {path: found for path, found in formats.items() if found in BY_FORMAT}
    others = [path for path in formats if path not in models]
    kinds = set(models.values())
    framework = BY_FORMAT[next(iter(kinds))] if len(kinds) == 1 else None
    # An ONNX model's external data is raw numbers, which may look like anything.
    data = framework is not None and framework.has_data and len(models) == 1
    for path in others:
        if formats[path] == PICKLE and not data:
            raise _pickle(path)
    if not models:
        raise _no_model(others)
    if framework is None or (len(models) > 1 and not framework.in_parts):
        raise _several(models)
    strangers = tuple(path for path in others if not is_side_file(path))
    if strangers and not data:
        raise _stranger(strangers[0])
    side = tuple(path for path in others if is_side_file(path))
    return ModelFolder(kinds.pop(), tuple(models), strangers, side)


def _pickle(path: str) -> RefusedError:
    if is_side_file(path):
        return RefusedError(
            "pickle",
            f"{path} would run as a pickle: whoever loads it as one runs what its lines name.",
            subject=path,
            next_step="Where it is a list of words, begin it otherwise, such as with a capital "
            "letter or an empty line; else remove it from the model's folder. Ingest again.",
        )
    return RefusedError(
        "pickle",
        f"{path} is a pickle: loading it runs whatever code its author put in, so Sealift does "
        "not take it in.",
        subject=path,
        next_step=f"Save the model in a format without code and ingest that: {_instead()}.",
    )


def _instead() -> str:
    """What to save instead of a pickle: for each framework what is its own, and for the rest."""
    own = [one.instead for one in FRAMEWORKS if one.instead]
    rest = " or ".join(one.name for one in FRAMEWORKS if not one.instead)
    return f"{', '.join(own)}, {rest} for the rest"


def _no_model(others: list[str]) -> RefusedError:
    shown = ", ".join(others[:3]) or "nothing"
    return RefusedError(
        "format",
        f"No model of a known format is there; found: {shown}.",
        subject=others[0] if others else "",
        next_step=f"The known formats are {_known()}, told by their content.",
    )


def _known() -> str:
    *first, last = (one.files for one in FRAMEWORKS)
    return f"{', '.join(first)} and {last}"


def _several(models: dict[str, str]) -> RefusedError:
    shown = " and ".join(f"{path} ({found})" for path, found in list(models.items())[:2])
    return RefusedError(
        "format",
        f"There is more than one model: {shown}.",
        subject=next(iter(models)),
        next_step="Ingest each as a model of its own.",
    )


def _stranger(path: str) -> RefusedError:
    return RefusedError(
        "side-files",
        f"{path} is neither a model nor a file that is known to lie beside one.",
        subject=path,
        next_step="Remove it from the model's folder, and ingest again.",
    )
