"""What the proof tells people, and what it may not tell; and that it counts nothing for shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sealift_registry import summary
from sealift_registry.frameworks.known import CONVERTERS
from sealift_registry.proof.proving import Plan
from sealift_registry.proof.telling import ALONE
from sealift_registry.trust.drafting import draft
from sealift_signing import gate
from sealift_signing.drawing import drawn
from tests.registry.hub_fixture import TARGET, Acme, version
from tests.registry.proof_models import linear, proof, rows

COPY = Plan(as_it_is=True)


# -------------------------------------------------------------------- a file against itself


def test_p0_150_a_file_that_was_compared_with_itself_alone_is_told_first() -> None:
    found = proof(linear(), linear(), plan=COPY)
    assert found.verdict == "pass"
    assert found.told_first == (ALONE,)
    assert "compared with itself" in ALONE
    assert "`expected`" in ALONE
    assert proof(linear(), linear()).told_first == ()


def test_p0_150_what_the_trained_model_answers_is_more_than_the_file_itself() -> None:
    goldens = rows()
    right = linear()(goldens)["variable"]
    assert proof(linear(), linear(), goldens, right, plan=COPY).told_first == ()
    nobody_knows = np.full(len(goldens), np.nan)
    assert ALONE in proof(linear(), linear(), goldens, nobody_knows, plan=COPY).told_first
    unfit = proof(linear(), linear(), goldens, np.zeros((len(goldens), 7)), plan=COPY)
    assert unfit.told_first[-1] == ALONE
    wrong = proof(linear(), linear(), goldens, right[::-1], plan=COPY)
    assert wrong.told_first[0].startswith("THE ANSWERS ARE WRONG")


def test_p0_150_only_onnx_is_taken_as_it_is() -> None:
    assert {name for name, one in CONVERTERS.items() if one.takes_as_it_is} == {"onnx"}


def _told(acme: Acme) -> dict[str, Sequence[str]]:
    """What each place says before all else."""
    number = acme.request(1)
    with acme.app.hub.reading() as connection:
        hub, promotions = acme.app.hub, acme.app.promotions
        wanted = promotions.approval_wanted(connection, number, "validated", "tested")
        made = draft(hub, connection, wanted)
        words = gate.examine(made, wanted.ask, None, hub.now(), acme.public("carla")).words
        _, _, version_lines = summary.of(hub, promotions, connection, str(version(1)))
    return {
        "approve": words,
        "promotion": summary.standing_lines(acme.standing(number)),
        "version": version_lines,
    }


def test_p0_150_whoever_promotes_approves_or_looks_reads_it_first(acme: Acme) -> None:
    acme.ingest(1, acme.goldens())
    acme.convert(1)
    said = _told(acme)
    for lines in said.values():
        assert lines[0] == f"LOOK AT THIS FIRST, of {version(1).path(TARGET)}: {drawn(ALONE)}"
    noted = [line for lines in said.values() for line in lines if line.lstrip().startswith("note")]
    assert len(noted) == 3
    passed = [line for line in said["version"] if line.lstrip().startswith("pass")]
    assert passed
    assert not [line for line in passed if ALONE in line]
