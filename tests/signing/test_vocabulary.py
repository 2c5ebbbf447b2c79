"""Each word has one spelling, and nothing else is taken for it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_signing import vocabulary
from sealift_signing.errors import MalformedError
from sealift_signing.vocabulary import CatalogPath, Spelling, instant, moment, sentence

RIGHT = [
    (vocabulary.NAME, "a"),
    (vocabulary.NAME, "cpu-x86_64"),
    (vocabulary.NAME, "a" * 64),
    (vocabulary.SHA256, "0" * 64),
    (vocabulary.MOMENT, "2026-11-20T12:00:00.000001Z"),
    (vocabulary.CATALOG_PATH, "catalog/vision/digits/3/cpu-x86_64"),
    (vocabulary.CATALOG_PATH, f"catalog/{'a' * 64}/{'b' * 64}/999999999999999/source"),
    (vocabulary.MODEL, "vision/digits"),
    (vocabulary.MEDIUM_PATH, "metadata/1.root.json"),
    (vocabulary.PUBLIC_KEY, "ed25519:" + "0a" * 32),
    (vocabulary.PUBLIC_KEY, "ecdsa-p256:04" + "0a" * 64),
    (vocabulary.ROLE, "timestamp"),
    (vocabulary.ROLE, f"catalog.{'a' * 64}"),
    (vocabulary.ROLE_KIND, "team"),
    (vocabulary.TRANSFER_ID, f"{'a' * 64}-000042"),
    (vocabulary.PURPOSE, "approve:production"),
    (vocabulary.SENTENCE, "Zwei Sätze.\n\tUnd ein 😀."),
    (vocabulary.SENTENCE, "x" * 2000),
    (vocabulary.DECIMAL, "-0.5e-07"),
]
WRONG = [
    (vocabulary.NAME, ""),
    (vocabulary.NAME, "a" * 65),
    (vocabulary.NAME, "A"),
    (vocabulary.NAME, "a..b"),
    (vocabulary.NAME, "-a"),
    (vocabulary.NAME, "a\n"),
    (vocabulary.NAME, "a/b"),
    (vocabulary.NAME, "ä"),
    (vocabulary.SHA256, "A" * 64),
    (vocabulary.SHA256, "0" * 63),
    (vocabulary.MOMENT, "2026-11-20T12:00:00Z"),
    (vocabulary.MOMENT, "2026-11-20T12:00:00.000000+00:00"),
    (vocabulary.MOMENT, "2026-02-30T12:00:00.000000Z"),
    (vocabulary.MOMENT, "2026-11-20T24:00:00.000000Z"),
    (vocabulary.MOMENT, "2026-11-20T12:00:60.000000Z"),
    (vocabulary.MOMENT, "٢٠٢٦-11-20T12:00:00.000000Z"),
    (vocabulary.CATALOG_PATH, "catalog/vision/digits/0/cpu"),
    (vocabulary.CATALOG_PATH, "catalog/vision/digits/03/cpu"),
    (vocabulary.CATALOG_PATH, "catalog/vision/../3/cpu"),
    (vocabulary.CATALOG_PATH, "catalog/vision/digits/3/cpu/x"),
    (vocabulary.CATALOG_PATH, f"catalog/{'a' * 65}/digits/3/cpu"),
    (vocabulary.CATALOG_PATH, "catalog/vision/digits/3/cpu\n"),
    (vocabulary.MODEL, "vision"),
    (vocabulary.MEDIUM_PATH, "../x"),
    (vocabulary.MEDIUM_PATH, "a/../x"),
    (vocabulary.MEDIUM_PATH, "/x"),
    (vocabulary.MEDIUM_PATH, "a//x"),
    (vocabulary.MEDIUM_PATH, "a/.x"),
    (vocabulary.MEDIUM_PATH, "a\\x"),
    (vocabulary.MEDIUM_PATH, "a" * 513),
    (vocabulary.PUBLIC_KEY, "ed25519:" + "0A" * 32),
    (vocabulary.PUBLIC_KEY, "ecdsa-p256:02" + "0a" * 32),
    (vocabulary.ROLE, "team."),
    (vocabulary.ROLE, "team.../../x"),
    (vocabulary.ROLE, "fleet.x"),
    (vocabulary.ROLE_KIND, "nobody"),
    (vocabulary.TRANSFER_ID, "a" * 81),
    (vocabulary.PURPOSE, "approve"),
    (vocabulary.PURPOSE, "request:production"),
    (vocabulary.SENTENCE, ""),
    (vocabulary.SENTENCE, "x" * 2001),
    (vocabulary.SENTENCE, "\x1b[2J"),
    (vocabulary.SENTENCE, "one\rtwo"),
    (vocabulary.SENTENCE, "safe\u202efas"),
    (vocabulary.SENTENCE, "a\x9bb"),
    (vocabulary.DECIMAL, "01"),
    (vocabulary.DECIMAL, "NaN"),
]


@pytest.mark.parametrize("spelling,text", RIGHT)
def test_a_right_spelling_is_read(spelling: Spelling, text: str) -> None:
    assert spelling.matches(text)


@pytest.mark.parametrize("spelling,text", WRONG)
def test_a_wrong_spelling_is_refused(spelling: Spelling, text: str) -> None:
    assert not spelling.matches(text)


def test_a_catalog_path_is_taken_apart_and_put_together() -> None:
    path = CatalogPath.parse("catalog/vision/digits/3/cpu-x86_64")
    assert path == CatalogPath("vision", "digits", 3, "cpu-x86_64")
    assert str(path) == "catalog/vision/digits/3/cpu-x86_64"
    assert (path.full_model, path.full_version) == ("vision/digits", "vision/digits/3")
    assert not path.is_source
    assert CatalogPath.parse("catalog/vision/digits/3/source").is_source


def test_a_wrong_catalog_path_is_not_taken_apart() -> None:
    with pytest.raises(MalformedError) as error:
        CatalogPath.parse("catalog/vision/digits/3")
    assert error.value.code == "bad-catalog-path"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_read_as_it_was_written(when: datetime) -> None:
    assert instant(moment(when)) == when


def test_a_time_is_written_in_utc() -> None:
    when = datetime(2026, 11, 20, 12, tzinfo=timezone(timedelta(hours=2)))
    assert moment(when) == "2026-11-20T10:00:00.000000Z"


def test_a_time_without_its_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        moment(datetime(2026, 11, 20, 12))  # noqa: DTZ001 - the mistake itself


def test_a_wrong_time_is_not_read() -> None:
    with pytest.raises(MalformedError) as error:
        instant("yesterday")
    assert error.value.code == "bad-time"


@given(st.text())
def test_any_text_can_be_made_a_sentence(text: str) -> None:
    assert vocabulary.SENTENCE.matches(sentence(text))


def test_a_sentence_keeps_what_it_may() -> None:
    assert sentence("All well.\nReally.") == "All well.\nReally."
    assert sentence("red: \x1b[31mno") == "red:  [31mno"
    assert sentence("x" * 3000).endswith("x…")
