"""The whole journey with hostile words in every text that there is: no line is theirs.

Which texts there are, the types of documents say. So one that is new is tried by itself, where the
journey reads it; else it has to be named here, with a reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_signing import shape
from sealift_signing.documents import RecallList
from sealift_signing.errors import RefusedError
from tests import models
from tests.registry.hub_fixture import MODEL, assigned, founded, stocked
from tests.words.listening import TRIED, Words, listening
from tests.words.planting import endless, free, planted
from tests.words.story import BUILDS, LOOKS, SHELL, Story

MOST = 30_000
"""Characters that a line may have, whatever a document says."""

__all__ = ["assigned", "founded", "stocked"]

REQUIRES = {name for name in free() if name.endswith(".requires")}
"""What a document needs; what is not known is refused before anything else of it is told."""
COMPARED = {name for names in (*LOOKS, *BUILDS) for name in names}
"""What must be as it was written, or nothing goes on; exchanged where somebody only looks."""
REMEMBERED = {"SignedOnce.act", "SignedOnce.name", "KnownRole.source"}
"""What a memory holds it wrote itself."""
TYPED = {
    *("GoneBack.reason", "Retired.reason", "OrganisationMemory.name"),
    *("ConvertArguments.version", "IngestArguments.model", "JobOrder.arguments"),
    *("IngestArguments.goldens", "IngestArguments.onnx", "JobOrder.asked_by"),
    *("ExportArguments.medium", "ExportArguments.draft"),
    *("JobOrder.host", "JobOrder.host_name", "JobEnd.by", "JobEnd.host_name"),
    *("JobEnd.software", "Problem.subject", "Problem.what", "Problem.next"),
}
"""What is hostile as it is written: by who types it, as the policy says it, or in jobs."""
SETTINGS = {
    *(f"HardwareTarget.{name}" for name in ("arch", "execution_provider", "cpu_features")),
    *(f"HardwareTarget.{name}" for name in ("description", "runtime_version")),
    *("ReleasePins.numpy", "ReleasePins.opsets", "_Releases.numpy", "_Releases.onnxruntime"),
    *("_Bad.reason", "_Bad.release", "WhatIsRead.opsets"),
    *(f"PromisedReleases.{name}" for name in ("asked", "newest", "oldest", "without")),
}
"""What whoever set the hub up wrote, and goes by."""
KEPT = REQUIRES | COMPARED | REMEMBERED | TYPED | SETTINGS
BUILT = {
    *("GoldenArray.dtype", "GoldenArray.name", "ProofReport.reference", "OutputProof.name"),
    *("Findings.classes", "Findings.never", "Findings.told_first", "Findings.words"),
    *("WorstRow.output", "WorstRow.source", "WorstRow.variant"),
    *("Operator.domain", "Operator.operator", "Operator.provider"),
    *("ProofRuntime.opsets", "ProofRuntime.version"),
    *("Machine.arch", "Machine.cpu", "Machine.os", "Machine.software"),
    *("HardwareTarget.compute_capability", "Recipe.opsets", "Recipe.shapes", "Recipe.toolchain"),
    *("ScanCheck.next_step", "ScanCheck.subject", "ScanCheck.words", "ScanReport.tools"),
    *("SourceRecord.aliases", "SourceRecord.locator", "SourceRecord.source_version"),
}
"""What is read when a model is taken in and built, which takes a while: `make test-long` does."""


ELSEWHERE = {
    *("RuntimesReport.asked", "RuntimesReport.without"),
    *("Tried.release", "Tried.software", "Tried.words"),
    *("Comparison.classes_gone", "Comparison.classes_new", "Comparison.outputs"),
    *(
        "Comparison.software",
        "OnRows.outputs",
        "ProvedBy.why",
        "RegressionReport.why",
        "_Answer.why",
    ),
    *("BuildResult.untried", "Refusal.next_step", "Refusal.subject", "Refusal.what"),
    "WorkOrder.software",
}
"""What is found on other releases of a runtime, what a new version changes, and what another
machine says that builds: test_promised_runtimes.py, test_regression.py, test_regression_rows.py and
test_built_elsewhere.py have the cases."""


ROWS = {"CheckInput.name", "CheckOutput.name"}
"""Names of a model's inputs and outputs, in check rows: test_check_rows.py has the case."""


ACCOUNTS = {
    *("Declared.account", "Declared.name"),
    *(
        f"{kind}Row.{name}"
        for kind in ("", "Invitation", "Secret", "Session", "Token")
        for name in ("account", "id")
    ),
    *("SecretRow.password", "SecretRow.seal", "SessionRow.csrf", "SessionRow.era"),
    *("SessionRow.note", "TokenRow.era", "TokenRow.note", "TokenRow.scopes"),
    *("NamedReference.reference", "NamedReference.revision"),
}
"""What a server keeps of accounts and uploads: ids and hashes that it made itself. A note is drawn
when it is taken in, and a file is called as files on a medium are. What is asked of a named source
is in test_g2_260_asking_for_models.py."""


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.desk.days.shlex", SHELL)


def told(story: Story, words: Words, *, whole: bool) -> set[str]:
    """Play it, and check all that was told; the texts that were tried."""
    try:
        with planted(words, KEPT) as seen, listening(words) as heard:
            story.play(whole=whole)
        for names, looks in {**LOOKS, **(BUILDS if whole else {})}.items():
            with planted(words, free() - set(names)) as more, listening(words) as looked:
                story.look(looks)
            seen |= more
            heard.lines += looked.lines
    finally:
        story.days.close()
    assert len(heard.lines) > 500
    heard.check()
    return seen


@pytest.mark.timeout(300)
def test_t1_50_no_words_in_any_document_are_a_line_of_ours(assigned: Path, tmp_path: Path) -> None:
    words = Words(first=7)
    story = Story(assigned, tmp_path, words)
    seen = told(story, words, whole=False)
    left = REQUIRES | REMEMBERED | TYPED | SETTINGS | BUILT | ELSEWHERE | ROWS | ACCOUNTS
    assert free() - seen - left == set(), "a new text has no case"
    assert left <= free()


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, len(TRIED), 3))
def test_t1_50_none_of_all_words_in_any_document_is(
    assigned: Path, tmp_path: Path, first: int
) -> None:
    words = Words(first)
    story = Story(assigned, tmp_path, words)
    seen = told(story, words, whole=True)
    assert seen > BUILT


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, len(TRIED), 12))
def test_t1_54_no_words_in_a_model_are_a_line_of_ours(
    assigned: Path, tmp_path: Path, first: int
) -> None:
    words = Words(first)
    story = Story(assigned, tmp_path, words)
    with listening(words) as heard:
        story.wordy()
    story.days.close()
    assert len(heard.lines) > 50
    heard.check()


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("more", ["x" * 1_000_000, "x \n" * 300_000], ids=["word", "lines"])
def test_t1_55_a_megabyte_in_a_document_is_told_in_few_words(
    assigned: Path, tmp_path: Path, more: str
) -> None:
    words = Words()
    story = Story(assigned, tmp_path, words)
    with planted(words, KEPT), listening(words):
        story.play(whole=False)
    words.more = more
    path = models.tiny_onnx(tmp_path / "new.onnx", 3)
    for name in endless() - REQUIRES:
        with planted(words, free() - {name}) as seen, listening(words) as heard:
            story.look(("show", "carry"))
            story.hub("ingest", "onnx", str(path), "--as", MODEL, code=None)
        assert seen == {name}
        assert not [f"{said}: {line[:200]}" for said, line in heard.lines if len(line) > MOST]
    story.days.close()


def test_t1_52_what_a_document_needs_is_told_in_one_line() -> None:
    words = Words()
    needs = words("RecallList.requires")
    data = shape.write(RecallList(1, (needs,), ()))
    with pytest.raises(RefusedError) as caught:
        shape.read(RecallList, data, what="recall.json")
    assert words.bare(caught.value.what) == ""
    assert "RecallList" in caught.value.what
