"""What Sealift knows of the frameworks that models come from: one record and one module for each.

`supported` lists them, and every table is made from the records. They are read in the hub's own
process, so nothing here imports a framework, or NumPy, but in a function that runs in a worker.

A model's answers are given under the names of the converted model's outputs, so that the two can
be laid side by side: `label` and `probabilities` of a classifier, `variable` of anything else.
"""
