"""What to do about a check of the proof that failed."""

from __future__ import annotations

from collections.abc import Mapping

INSTEAD = (
    "Leave out the part of the model that is converted wrongly (an option, a step, a column). An "
    "ONNX file that the same library exports is wrong in the same way."
)
"""What to do about a check that failed, where nothing better is known."""

OF_ONE_FILE = (
    "An operator of the file is computed otherwise than ONNX says: export the model with other "
    "operators or for another opset, and give goldens that hold `expected`, the answers of the "
    "trained model itself."
)
"""The same, where source and variant are one file."""

UNLIKE = (
    "Train a model that answers one label or a fixed number of numbers for each row; or export "
    "this one to ONNX yourself, and ingest that with goldens that hold `expected`, the answers of "
    "the trained model itself."
)
"""What to do where the outputs are not the same ones."""

NEAR = (
    "Subtract the mean from what the model is trained to answer, and train it again: of answers so "
    "far from zero, 32 bits hold too little of what they move by. Whoever reads its answers adds "
    "the mean again."
)
"""What to do where 32 bits hold too little of what the answers move by."""

ADVICE: Mapping[str, str] = {
    "missing": "Fill in what is missing before the model, where it is used as where it was "
    "trained, or train it with an imputer in it.",
    "categories": "Give each category a number from 0 on before the model, as where it was "
    "trained.",
    "merging": "Train the model on numbers that 32 bits tell apart: subtract what is common to "
    "all values of a column, and train again.",
    "expected": "Give goldens whose `expected` is spelled as the labels that the model was "
    "trained on, and ingest it again with --goldens FILE.npz.",
    "batches": "What the model answers to a row depends on the rows that come with it, or on how "
    "many they are: export it so that each row is answered for itself, with no softmax, mean or "
    "normalization over the axis that counts the rows.",
}
