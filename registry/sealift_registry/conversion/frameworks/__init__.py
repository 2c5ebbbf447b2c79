"""One module for each framework that models come from: load, answer, convert to ONNX.

They import their framework and run only in the conversion's subprocesses. A model's answers are
given under the names of the converted model's outputs, so that the two can be laid side by side:
`label` and `probabilities` of a classifier, `variable` of anything else.
"""
