"""Hardware targets: classes of machines that variants are for, each described by a data file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, Protocol

from sealift_signing import shape
from sealift_signing.errors import FailedError, MalformedError, NotFoundError, RefusedError
from sealift_signing.vocabulary import PORTABLE, SOURCE, ArtifactPolicy, Count, Name, Sentence


@dataclass(frozen=True)
class RowProfile:
    """How many rows one request may have: the least, the usual number, the most."""

    min: Count
    opt: Count
    max: Count


@dataclass(frozen=True)
class HardwareLimits:
    """What a machine of this class can hold.

    Attributes:
        model_bytes: all files of a variant together.
    """

    model_bytes: Count


@dataclass(frozen=True)
class HardwareTarget:
    """A document: a class of machine (docs/how-to/describe-a-hardware-target.md).

    Attributes:
        format: of this document.
        id: `cpu-x86_64`; the last part of a variant's catalog path.
        description: for people.
        os: `linux`.
        arch: as `uname -m` spells it.
        device: the kind of device that computes.
        vendor: of the device; `any` where it does not matter.
        compute_capability: of a GPU; absent for a processor.
        cpu_features: that must be there, as /proc/cpuinfo spells them.
        runtime: what runs the model.
        runtime_version: which releases of it are asked for (`runtimes.ranges`): two ends, one
            release, or the one that is installed with Sealift.
        execution_provider: of the runtime.
        precision: of what the variant takes and answers.
        rows: of one request.
        limits: of the machine.
        artifact_policy: what travels.
    """

    format: Literal[1]
    id: Name
    description: Sentence
    os: Name
    arch: Sentence
    device: Literal["cpu", "gpu", "npu"]
    vendor: Name
    compute_capability: Sentence | None
    cpu_features: tuple[Sentence, ...]
    runtime: Name
    runtime_version: Sentence
    execution_provider: Sentence
    precision: Literal["fp32"]
    rows: RowProfile
    limits: HardwareLimits
    artifact_policy: ArtifactPolicy


class _DataFile(Protocol):
    """A file on disk or in the installed package."""

    @property
    def name(self) -> str: ...
    def is_file(self) -> bool: ...
    def read_text(self, encoding: str) -> str: ...


def load_all(extra: Path | None = None) -> dict[str, HardwareTarget]:
    """Every hardware target by its id: those that come with Sealift, and those in `extra`.

    Args:
        extra: a folder of further `.toml` files; it need not exist.

    Raises:
        RefusedError: a file with an unknown field, a wrong value, or an id that is taken.
        FailedError: a file that cannot be read.
    """
    found: dict[str, HardwareTarget] = {}
    for file in _data_files(extra):
        target = _load(file)
        if target.id in found:
            raise _bad(file, f"the id {target.id!r} is already taken")
        found[target.id] = target
    return found


def get(wanted: str, extra: Path | None = None) -> HardwareTarget:
    """The hardware target with the id `wanted`.

    Raises:
        NotFoundError: there is none of that id.
    """
    known = load_all(extra)
    if wanted not in known:
        raise NotFoundError(
            "hardware-target-unknown",
            f"There is no hardware target {wanted!r}.",
            subject=wanted,
            next_step=f"Known: {', '.join(sorted(known))}.",
        )
    return known[wanted]


def policy_of(wanted: str, extra: Path) -> str:
    """The artifact policy of one hardware target, whatever else lies in `extra`.

    One that comes with Sealift is what it is, and one that is no more is portable: of that most is
    asked.

    Raises:
        RefusedError: its own file is not understood.
        FailedError: it cannot be read.
    """
    found = find_target(wanted, extra)
    return PORTABLE if found is None else found.artifact_policy


def find_target(wanted: str, extra: Path) -> HardwareTarget | None:
    """One hardware target, whatever else lies in `extra`; None where it is no more.

    Raises:
        RefusedError: its own file is not understood.
        FailedError: it cannot be read.
    """
    for file in (*_data_files(None), extra / f"{wanted}.toml"):
        if file.name == f"{wanted}.toml" and file.is_file():
            return _load(file)
    return None


def _data_files(extra: Path | None) -> Iterator[_DataFile]:
    ours = (files("sealift_registry.conversion") / "hardware_targets").iterdir()
    for file in sorted(ours, key=lambda one: one.name):
        if file.name.endswith(".toml"):
            yield file
    if extra is not None and extra.is_dir():
        yield from sorted(extra.glob("*.toml"))


def _load(file: _DataFile) -> HardwareTarget:
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as bad:
        raise FailedError(
            "hardware-target-unreadable",
            f"The hardware target file {file.name} could not be read: {bad.strerror}.",
            subject=file.name,
            next_step="Check its permissions.",
        ) from bad
    except ValueError as bad:
        raise _bad(file, str(bad)) from bad
    try:
        target = shape.from_json(HardwareTarget, said, what=file.name)
    except MalformedError as bad:
        raise _bad(file, bad.what.rstrip(".")) from bad
    _check(file, target, said)
    return target


def _check(file: _DataFile, target: HardwareTarget, said: Mapping[str, object]) -> None:
    if target.id == SOURCE:
        raise _bad(file, f"no hardware target may be called {SOURCE!r}")
    if file.name != f"{target.id}.toml":
        raise _bad(file, f"its id {said['id']!r} is not its name")
    if not 1 <= target.rows.min <= target.rows.opt <= target.rows.max:
        raise _bad(file, "its rows do not rise from min over opt to max")


def _bad(file: _DataFile, why: str) -> RefusedError:
    return RefusedError(
        "hardware-target-malformed",
        f"The hardware target file {file.name} is not understood: {why}.",
        subject=file.name,
        next_step="Correct it, using cpu-x86_64.toml as an example.",
    )
