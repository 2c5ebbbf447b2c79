"""Nothing that others see changes unnoticed: documents, errors, entries, settings, commands, keys.

`recorded/` is how all of it was at one commit, and stays so; `changes.txt` names each change since,
with a reason. `answer` and `entry-data` are what was heard in one journey of every command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.registry.hub_fixture import _no_settings, assigned, founded, stocked
from tests.surface import collecting, kept
from tests.surface.answers import Answers, listening
from tests.surface.played import Played

pytestmark = pytest.mark.timeout(600)
__all__ = ["_no_settings", "assigned", "founded", "stocked"]

COLLECTED: dict[str, Callable[[], Iterator[str]]] = {
    "command": collecting.commands,
    "document": collecting.documents,
    "entry": collecting.entries,
    "error": collecting.errors,
    "setting": collecting.settings,
}
ELSEWHERE = {
    # They answer as `ingest onnx` does.
    *("sealift ingest mlflow", "sealift ingest dvc", "sealift ingest named"),
    *("sealift blobs init", "sealift migrate"),
    *("sealift db init", "sealift db upgrade", "sealift db check"),
    *("sealift worker", "sealift builder run", "sealift serve"),  # they answer an object a line
    *("sealift policy show", "sealift settings"),  # with what a document, and a file, has
    # Asked of a server alone.
    *("sealift login", "sealift logout", "sealift whoami"),
    *("sealift account take", "sealift account password"),
    "sealift-sign bind-account",  # a server drafts it
}
"""Commands that need a server or a repository, or answer otherwise."""
RECORDED = "b13f7c592518fb0c1d78aa2eafca85bdf24b08312172bd6acb27768621bd316a"
"""The digest of all that was recorded."""


@pytest.fixture(scope="session")
def heard(assigned: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What every command answered."""
    played = Played(assigned, tmp_path_factory.mktemp("surface"))
    try:
        with listening() as answers:
            played.play()
    finally:
        played.days.close()
    return answers


@pytest.mark.parametrize("kind", COLLECTED)
def test_f1_73_what_others_see_is_what_is_kept(kind: str) -> None:
    found = set(COLLECTED[kind]())
    assert found
    assert not (told := kept.told(kind, found)), told


@pytest.mark.parametrize("kind", ["answer", "entry-data"])
def test_f1_74_what_commands_answer_is_what_is_kept(heard: Answers, kind: str) -> None:
    found = heard.lines if kind == "answer" else heard.entries
    assert not (told := kept.told(kind, found)), told


def test_f1_75_every_command_answers_in_the_journey(heard: Answers) -> None:
    words = {one.words for one in collecting.maker("make_commands").commands()}
    silent = {one for one in words if not any(_runs(line, one) for line in heard.commands)}
    assert silent == ELSEWHERE


def _runs(line: str, words: str) -> bool:
    """Whether a command line, which may begin with options of the program's, runs this command."""
    program, *names = words.split()
    given = [one for one in line.split() if one in names or one == program]
    return line.startswith(f"{program} ") and given[: len(names) + 1] == [program, *names]


def test_f1_75_entries_that_were_written_are_of_types_that_were_found(heard: Answers) -> None:
    found = set(collecting.entries())
    begun = tuple(one.removesuffix("…") for one in found if one.endswith("…"))
    written = {one.partition(": ")[0] for one in heard.entries}
    types = {".".join(one.split(".")[:2]).removesuffix("[]") for one in written}
    assert types
    assert {one for one in types if one not in found and not one.startswith(begun)} == set()


def test_f1_76_what_was_recorded_stays_as_it_was() -> None:
    """It is what everything since is compared with; a change has its own line in changes.txt."""
    files = sorted(kept.RECORDED.glob("*.txt"))
    assert {one.stem for one in files} == kept.KINDS.keys()
    assert sha256(b"".join(one.read_bytes() for one in files)).hexdigest() == RECORDED


def test_f1_76_each_change_is_one_and_has_its_reason() -> None:
    for kind in kept.KINDS:
        lines = kept.recorded(kind)
        for one in kept.changes():
            if one.kind == kind:
                assert (one.line in lines) == (one.sign == "-"), one
                (lines.remove if one.sign == "-" else lines.add)(one.line)
    for one in kept.changes():
        assert one.kind in kept.KINDS, one
        assert kept.REASON.fullmatch(one.reason), one


@pytest.mark.parametrize("kind", kept.KINDS)
def test_f1_76_a_line_that_came_or_went_is_told_with_what_to_do(kind: str) -> None:
    known = kept.expected(kind)
    assert kept.told(kind, known) == ""
    gone = min(known)
    told = kept.told(kind, known - {gone})
    assert told.startswith("What users, sites and files see has changed")
    assert "breaks whoever goes by it" in told
    assert told.endswith(f"\n- {kind} {gone}")
    told = kept.told(kind, known | {"something new"})
    assert "breaks" not in told
    assert told.endswith(f"\n+ {kind} something new")


def test_f1_77_a_change_is_named_once_and_then_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = min(kept.recorded("error"))
    file = tmp_path / "changes.txt"
    file.write_text(
        f"# Words.\n\nA reason that says why it is so.\n- error {gone}\n+ error x: exit 1\n"
    )
    monkeypatch.setattr(kept, "CHANGES", file)
    assert kept.expected("error") == kept.recorded("error") - {gone} | {"x: exit 1"}
    assert {one.reason for one in kept.changes()} == {"A reason that says why it is so."}


def test_f1_77_keys_that_somebody_chose_are_no_keys_of_ours() -> None:
    answers = Answers()
    said = '{"schema": "sealift/x/1", "by_site": {"plant-7": 1}, "runs": [{"model": "a/b"}]}'
    answers.hear("sealift", ["x", "--json"], said, "")
    assert answers.lines == {
        "sealift sealift/x/1: object",
        "sealift sealift/x/1.by_site: object",
        "sealift sealift/x/1.by_site.*: number",
        "sealift sealift/x/1.runs: list",
        "sealift sealift/x/1.runs[]: object",
        "sealift sealift/x/1.runs[].model: text",
    }
