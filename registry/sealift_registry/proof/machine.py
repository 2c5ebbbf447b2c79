"""Where a proof was made, and what ran the variant there: parts of its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sealift_signing.vocabulary import Count, Name, Sentence


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    Attributes:
        arch: as `uname -m` spells it.
        cpu: the processor's own name.
        os: with its version.
        software: package → version, of all that computed.
    """

    arch: Sentence
    cpu: Sentence
    os: Sentence
    software: Mapping[Sentence, Sentence]


@dataclass(frozen=True)
class Operator:
    """One kind of operator, and what ran it.

    Attributes:
        domain: of the operator; `ai.onnx` is the default one.
        operator: its name.
        provider: the runtime's execution provider that its nodes were placed on.
        nodes: how many of them.
    """

    domain: Sentence
    operator: Sentence
    provider: Sentence
    nodes: Count


@dataclass(frozen=True)
class ProofRuntime:
    """What ran the variant.

    Attributes:
        name: of the runtime.
        version: of it.
        ir: the version of ONNX's file format that the variant is written in.
        opsets: operator domain → the version of its operators.
        operators: where each ran, as far as the runtime says.
    """

    name: Name
    version: Sentence
    ir: Count
    opsets: Mapping[Sentence, Count]
    operators: tuple[Operator, ...]
