"""skops: an archive of plain numbers, and a list of the types that would be made from them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from sealift_registry.intake.survey import Survey
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import RefusedError

LARGEST_UNPACKED = 16 * 1024**3
_MEMBER = re.compile(r"schema\.json|[A-Za-z0-9_-]+\.(npy|npz|json|txt|bin)")


def archive(folder: Path, survey: Survey) -> str:
    """The archive holds nothing but what skops writes, and unpacks to a sensible size.

    Raises:
        RefusedError: another file in it, or too much.
    """
    with zipfile.ZipFile(folder / survey.model) as found:
        members = found.infolist()
    for member in members:
        if not _MEMBER.fullmatch(member.filename):
            raise _refused(
                survey, f"{survey.model} holds {member.filename!r}, which skops does not write."
            )
    unpacked = sum(member.file_size for member in members)
    if unpacked > LARGEST_UNPACKED:
        raise _refused(
            survey,
            f"{survey.model} unpacks to {unpacked:,} bytes; at most {LARGEST_UNPACKED:,} are "
            "taken in.",
        )
    return f"The archive holds {len(members)} files of skops, {unpacked:,} bytes unpacked."


def types(folder: Path, survey: Survey) -> str:
    """Every type in the file is one that skops trusts by itself; none is imported to find out.

    Raises:
        RefusedError: an untrusted type, by its name.
    """
    import skops.io

    try:
        untrusted = skops.io.get_untrusted_types(file=folder / survey.model)
    except MemoryError:
        raise
    except Exception as bad:
        words = f"{survey.model} cannot be read as skops: {first_line(bad)}."
        raise _refused(survey, words) from bad
    if untrusted:
        raise RefusedError(
            "skops-types",
            f"{survey.model} holds the type {untrusted[0]}, which skops does not trust"
            + (f" (nor {len(untrusted) - 1} more)." if len(untrusted) > 1 else "."),
            subject=untrusted[0],
            next_step=_advice(untrusted),
        )
    return "skops trusts every type in the file."


def _advice(untrusted: list[str]) -> str:
    if any(name.startswith("lightgbm.") for name in untrusted):
        return (
            "Log or save its booster instead, which needs no skops: model.booster_ with "
            "mlflow.lightgbm.log_model, or model.booster_.save_model('model.txt')."
        )
    return (
        "Convert the model to ONNX where it was trained (skl2onnx.to_onnx), and ingest the ONNX "
        "file; or train one that has no such part."
    )


def _refused(survey: Survey, words: str) -> RefusedError:
    return RefusedError(
        "skops-archive",
        words,
        subject=survey.model,
        next_step="Save the model again with skops.io.dump, and ingest that.",
    )
