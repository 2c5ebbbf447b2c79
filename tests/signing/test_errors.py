"""What an error says, to a person and to a program."""

import json

import pytest

from sealift_signing.drawing import drawn
from sealift_signing.errors import (
    LONGEST_TOLD,
    BadSignatureError,
    FailedError,
    MalformedError,
    NoKeyError,
    NotFoundError,
    NotSignedEnoughError,
    RefusedError,
    SealiftError,
    UsageError,
    shown,
)


@pytest.mark.parametrize(
    "kind,exit_code",
    [
        (RefusedError, 1),
        (MalformedError, 1),
        (BadSignatureError, 1),
        (NotSignedEnoughError, 1),
        (NoKeyError, 1),
        (UsageError, 2),
        (NotFoundError, 3),
        (FailedError, 4),
    ],
)
def test_each_kind_has_its_exit_code(kind: type[SealiftError], exit_code: int) -> None:
    assert kind("some-code", "It happened.").exit_code == exit_code


def test_an_error_says_what_happened_and_what_to_do() -> None:
    error = RefusedError("blob-damaged", "It is damaged.", subject="b1", next_step="Copy again.")
    assert str(error) == "It is damaged. Copy again."
    assert error.as_json() == {
        "error": {
            "code": "blob-damaged",
            "what": "It is damaged.",
            "subject": "b1",
            "next": "Copy again.",
        }
    }


def test_an_error_without_a_next_step_ends_with_what_happened() -> None:
    assert str(RefusedError("some-code", "It happened.")) == "It happened."


@pytest.mark.parametrize("value", ["x" * 1_000_000, b"x" * 1_000_000, list(range(1000))])
def test_what_a_stranger_wrote_is_quoted_in_one_line(value: object) -> None:
    assert len(shown(value)) <= 60
    assert shown(value).endswith("…")


def test_what_a_stranger_wrote_cannot_rewrite_a_terminal() -> None:
    assert shown("\x1b[2J\r\n") == r"'\x1b[2J\r\n'"


def test_something_short_is_quoted_whole() -> None:
    assert shown("x" * 58) == repr("x" * 58)


def test_a_subject_that_is_no_unicode_can_still_be_told() -> None:
    told = RefusedError("some-code", "It happened.", subject="caf\udce9/x").as_json()
    assert json.dumps(told, ensure_ascii=False).encode()
    assert told["error"]["subject"] == r"caf\udce9/x"


def test_a_subject_is_cut_before_it_is_looked_at() -> None:
    error = RefusedError("some-code", "It happened.", subject="\x00" * 50_000_000)
    assert error.subject == r"\x00" * 4096 + "…"


def test_a_file_s_name_in_a_sentence_cannot_rewrite_a_terminal() -> None:
    error = RefusedError("some-code", "\x1b[2J/\u202ex\udcff of vision/digits,\n\tthe café's.")
    assert error.what == "\\x1b[2J/\\u202ex\\udcff of vision/digits,\\n\\tthe café's."


@pytest.mark.parametrize(
    "name", ["'ok. Signed by all", '"ok" and "so on', "'a' b 'c'", "'", "“a” b “c”"]
)
def test_t1_79_a_mark_in_a_name_does_not_pass_for_marks_around_it(name: str) -> None:
    error = RefusedError("some-code", f"There is no model {name}.", subject=name)
    assert error.what == f"There is no model {drawn(name)}."


@pytest.mark.parametrize("said", [repr("a b"), repr("it's"), repr("'\"\\"), drawn("a b")])
def test_what_stands_between_marks_is_not_put_between_them_again(said: str) -> None:
    assert RefusedError("some-code", f"{said} is odd.", subject=said).what == f"{said} is odd."


@pytest.mark.parametrize(
    "name", ["approved so far by: emil", "Signed by all", "all's well", "a: ok"]
)
def test_t1_91_a_name_of_plain_words_stands_between_marks(name: str) -> None:
    error = RefusedError("some-code", f"There is no model {name}.", subject=name)
    assert error.what == f"There is no model {drawn(name)}."


@pytest.mark.parametrize("ours", ["this site's request", "statement 0123abcd", "a log entry"])
def test_what_we_call_things_ourselves_stands_bare(ours: str) -> None:
    assert RefusedError("some-code", f"{ours} is odd.", subject=ours).what == f"{ours} is odd."


def test_t1_54_a_name_within_marks_is_not_put_between_marks_again() -> None:
    name = "approved so far"
    error = RefusedError("some-code", f"{name} says: “{name} is odd.”", subject=name)
    assert error.what == f"{drawn(name)} says: “{name} is odd.”"


@pytest.mark.parametrize("marks", ["“”", "''", "()"])
@pytest.mark.parametrize("one", ["x", "\U000e0041", "\n"])
def test_t1_55_no_error_goes_on_for_pages(one: str, marks: str) -> None:
    long = f"{marks[0]}{one * 1_000_000}{marks[1]}"
    error = RefusedError("some-code", f"It holds {long}.", next_step=f"Move {long}.")
    for told in (error.what, error.advice):
        assert len(told) < LONGEST_TOLD + 100
        assert told.endswith("(cut: it is longer than 8,192 characters)")
        assert told.count("“") == told.count("”")
    error = RefusedError("some-code", f"It holds {long}.", subject=long)
    assert len(error.what) < LONGEST_TOLD + 100
    assert error.subject.endswith("…")


def test_t1_55_what_two_paths_of_this_machine_need_is_told_whole() -> None:
    path = "/" + "x" * 4000
    error = FailedError("some-code", f"{path} is not {path}.", subject=path, next_step=path)
    assert error.what == f"“{path}” is not “{path}”."
    assert error.subject == error.next_step == path
