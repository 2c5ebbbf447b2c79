"""Which answers may be shown: none that may be a value of the row itself.

Evidence travels to sites, and refusals are logged; whoever reads them may not see the data. What a
scaler answers is the row.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sealift_registry.frameworks.framework import ModelFacts
from sealift_registry.proof.comparing import Answers, Scale, flat, is_labels
from sealift_registry.proof.expected_answers import width

WITHHELD = "withheld"
ANOTHER = "another"
AWAY = " away"


def shown_outputs(goldens: Answers, by: Mapping[str, Scale], facts: ModelFacts) -> set[str]:
    """The outputs whose answers may be shown, by the source's answers to the goldens.

    Those of a model that predicts; probabilities; and the one output of labels beside scores, if it
    has no more of them than there are scores.
    """
    if facts.predicts:
        return set(goldens)
    found = {name for name, one in by.items() if one.probabilities}
    labels = [name for name, one in goldens.items() if is_labels(one)]
    if len(labels) == 1:
        told = flat(goldens[labels[0]])
        names = np.unique(told.astype(str))
        known = set(facts.classes)
        few = len(names) <= width(goldens) or (bool(known) and set(names.tolist()) <= known)
        found |= set(labels) if told.shape[1] == 1 and few else set()
    return found
