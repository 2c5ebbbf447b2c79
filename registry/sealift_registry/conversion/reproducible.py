"""The same model makes the same bytes: what converters leave to chance is settled here."""

from __future__ import annotations

from typing import Any

ROWS = "rows"
PRODUCER = "sealift"
IR_VERSION = 8
"""Of the file: the one that ONNX had with the operators of `recipe.OPSETS`. Converters write the
newest that their ONNX knows, which a runtime of another year refuses: 1.17 reads 9 and no more."""


def reproducible_bytes(model: Any) -> bytes:  # noqa: ANN401 - onnx is Any to us
    """The bytes of `model`, an onnx.ModelProto that a converter made.

    Converters name a graph after a random number, import a domain twice, in the order of a set,
    and say of some outputs that they have one row.

    Raises:
        ValueError: it is longer than protobuf can write (2 GB).
    """
    newest: dict[str, int] = {}
    for opset in model.opset_import:
        newest[opset.domain] = max(newest.get(opset.domain, 0), opset.version)
    del model.opset_import[:]
    for domain in sorted(newest):
        model.opset_import.add(domain=domain, version=newest[domain])
    model.ir_version = IR_VERSION
    model.graph.name = "model"
    model.doc_string = model.graph.doc_string = ""
    model.producer_name, model.producer_version = PRODUCER, ""
    for value in (*model.graph.input, *model.graph.output):
        _free_rows(value)
    return bytes(model.SerializeToString(deterministic=True))


def _free_rows(value: Any) -> None:  # noqa: ANN401 - onnx is Any to us
    """The first axis counts the rows, and any number of rows may be asked for at once."""
    axes = value.type.tensor_type.shape.dim
    if axes:
        axes[0].Clear()
        axes[0].dim_param = ROWS
