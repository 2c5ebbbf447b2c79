"""Toolchains: the Python environment that a converter runs in, and what is pinned in it.

The default is the environment that Sealift itself runs in. Only package metadata is read here;
no converter is imported.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sealift_registry.frameworks.framework import Converter
from sealift_registry.workers.software import installed
from sealift_signing.errors import FailedError


@dataclass(frozen=True)
class Toolchain:
    """An environment for one converter.

    Attributes:
        interpreter: its Python.
        pins: package → version, `python` among them.
    """

    interpreter: str
    pins: Mapping[str, str]


def current(converter: Converter) -> Toolchain:
    """The environment that Sealift runs in, as a toolchain for `converter`.

    Raises:
        FailedError: a package that the converter needs is not installed here.
    """
    pins = dict(_pin(names) for names in converter.packages)
    pins["python"] = python()
    return Toolchain(sys.executable, pins)


def python() -> str:
    """The Python that runs this: `3.11`. Its last number has no say in a model's bytes."""
    return ".".join(platform.python_version_tuple()[:2])


def _pin(names: str) -> tuple[str, str]:
    for found in installed(names.split("|")).items():
        return found
    wanted = names.partition("|")[0]
    raise FailedError(
        "converter-missing",
        f"Converting needs the package {wanted}, which is not installed here.",
        subject=wanted,
        next_step="Install it: pip install 'sealift-registry[convert]'.",
    )
