"""The recipe: how a variant is built, exactly enough to build the same bytes again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from sealift_registry.frameworks.framework import AS_IT_IS, Converter, Framework
from sealift_signing import shape
from sealift_signing.shape import Opaque
from sealift_signing.vocabulary import Count, Name, Sentence


@dataclass(frozen=True)
class Recipe:
    """A document: how a variant is built.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        converter: `sklearn`, `xgboost`, `lightgbm`, or `none` where the source is taken as it is.
        source_format: what it starts from, as the scanner calls it.
        precision: of what the variant takes and answers.
        opsets: the newest version of each ONNX operator domain that the variant may use.
        shapes: each input's axes; a word where the length is free.
        options: of the converter.
        toolchain: package → version, of all that has a say in the bytes.
    """

    DOCUMENT: ClassVar[str] = "recipe"

    format: Literal[1]
    requires: tuple[str, ...]
    converter: Name
    source_format: Name
    precision: Name
    opsets: Mapping[Sentence, Count]
    shapes: Mapping[Sentence, tuple[Sentence, ...]]
    options: Opaque
    toolchain: Mapping[Sentence, Sentence]

    def digest(self) -> str:
        """The sha256 of the canonical document."""
        return hashlib.sha256(shape.write(self)).hexdigest()


OPSETS: Mapping[str, int] = {"ai.onnx": 15, "ai.onnx.ml": 3}
"""Pinned, so that a newer converter does not by itself ask for a newer runtime at the sites; 15 is
the newest that onnxmltools 1.16 writes."""


def recipe_for(
    framework: Framework, converter: Converter, source_format: str, toolchain: Mapping[str, str]
) -> Recipe:
    """The recipe for one source format; conversion to fp32 is the only kind so far."""
    return Recipe(
        format=1,
        requires=(),
        converter=converter.name,
        source_format=source_format,
        precision="fp32",
        opsets={} if converter.name == AS_IT_IS else OPSETS,
        shapes=framework.goldens,
        options=dict(converter.options),
        toolchain=toolchain,
    )
