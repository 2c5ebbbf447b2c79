"""Goldens as a process that runs models reads them: rows, and what is expected of them."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealift_registry.frameworks.framework import Array
from sealift_signing.errors import SealiftError

LABELS = "labels"
EXPECTED = ("expected", LABELS)
"""What the right answers are called in goldens; the second name is the older one."""


@dataclass(frozen=True)
class Goldens:
    """What stands in a file of them.

    Attributes:
        inputs: the rows.
        expected: of them; None where nobody knows it.
        called: what that is called there.
    """

    inputs: dict[str, Array]
    expected: Array | None
    called: str | None


def read(path: Path, inputs: Container[str]) -> Goldens:
    """The goldens of a model that has such inputs.

    An input of the model's own is an input, whatever it is called.
    """
    with np.load(path, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    called = next((one for one in EXPECTED if one in arrays and one not in inputs), None)
    known = None if called is None else arrays.pop(called)
    return Goldens(arrays, known, called)


@contextmanager
def unquoted() -> Iterator[None]:
    """A process's last words are told and logged; a library's may quote values of the rows.

    Raises:
        RuntimeError: whatever broke off, by its class alone.
    """
    try:
        yield
    except (SealiftError, MemoryError):
        raise
    except Exception as bad:  # noqa: BLE001 - libraries raise any class; no word of theirs is kept
        words = f"it broke off with {type(bad).__name__}"
        raise RuntimeError(words).with_traceback(bad.__traceback__) from None
