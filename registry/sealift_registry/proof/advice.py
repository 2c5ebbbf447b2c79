"""What to do about a check of the proof that failed."""

from __future__ import annotations

from collections.abc import Mapping

INSTEAD = (
    "Leave out the part of the model that is converted wrongly (an option, a step, a column), or "
    "export the model to ONNX yourself and ingest that."
)
"""What to do about a check that failed, where nothing better is known."""

ADVICE: Mapping[str, str] = {
    "missing": "Fill in what is missing before the model, where it is used as where it was "
    "trained, or train it with an imputer in it; or export it to ONNX yourself and ingest that.",
    "categories": "Give each category a number from 0 on before the model, as where it was "
    "trained; or export the model to ONNX yourself and ingest that.",
    "merging": "Train the model on numbers that 32 bits tell apart: subtract what is common to "
    "all values of a column, and train again.",
    "expected": "Give goldens whose `expected` is spelled as the labels that the model was "
    "trained on, and ingest it again with --goldens FILE.npz.",
    "moving": "Train the model on answers that are not so near to each other (subtract their mean, "
    "divide by their spread), or export it to ONNX yourself and ingest that.",
}
