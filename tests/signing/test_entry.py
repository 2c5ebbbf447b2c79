"""Entries: their bytes, their ids and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.transparency.entry import (
    ENTRY_ID,
    LARGEST_BODY,
    Entry,
    Term,
    body_of,
    new_entry,
    read_entry,
    uuid7,
)

NOON = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)


def example() -> Entry:
    return new_entry(
        "promotion.requested",
        "anna",
        NOON,
        {"promotion": "P-000001", "artifacts": ["x", "y"]},
        [Term("model", "vision/digits"), Term("person", "anna"), Term("person", "anna")],
        site="north",
    )


def test_bytes_are_canonical_and_read_back() -> None:
    entry = example()
    body = body_of(entry)
    assert read_entry(body) == entry
    assert body.startswith(
        b'{"actor":"anna","at":"2026-11-20T12:00:00.250000Z","data":{"artifacts"'
    )
    assert entry.terms == (Term("model", "vision/digits"), Term("person", "anna"))


def test_a_site_that_is_not_named_is_absent() -> None:
    body = body_of(new_entry("trust.initialised", "hub", NOON, {}))
    assert b'"site"' not in body
    assert read_entry(body).site is None


def test_times_are_kept_in_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    assert new_entry("a.b", "anna", there, {}).at == "2026-11-20T12:00:00.250000Z"
    with pytest.raises(ValueError, match="zone"):
        new_entry("a.b", "anna", NOON.replace(tzinfo=None), {})


@pytest.mark.parametrize(
    "change",
    [
        {"type": "promotion"},
        {"type": "Promotion.requested"},
        {"type": "promotion..requested"},
        {"actor": ""},
        {"site": "no spaces"},
        {"id": "01234567-89ab-4def-8123-456789abcdef"},
        {"at": "2026-11-20"},
        {"terms": (Term("Kind", "value"),)},
        {"terms": (Term("kind", ""),)},
        {"terms": (Term("kind", "value"), Term("kind", "value"))},
        {"data": {"half": 0.5}},
        {"data": {"nothing": None}},
        {"format": 2},
    ],
)
def test_what_is_not_an_entry_has_no_bytes(change: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        body_of(replace(example(), **change))


def test_an_entry_is_not_a_place_for_large_things() -> None:
    entry = new_entry("a.b", "anna", NOON, {"text": "x" * LARGEST_BODY})
    with pytest.raises(RefusedError, match=r"the most is 65,536") as refused:
        body_of(entry)
    assert refused.value.subject == entry.id


def test_other_spellings_are_not_read() -> None:
    body = body_of(example())
    for wrong in (body + b" ", body.replace(b",", b", ", 1), b"{}", b"", b"\xff"):
        with pytest.raises(MalformedError):
            read_entry(wrong)


def test_ids_are_uuids_of_version_7_in_the_order_of_time() -> None:
    ids = [uuid7(NOON + timedelta(milliseconds=n)) for n in range(50)]
    assert all(ENTRY_ID.matches(text) for text in ids)
    assert ids == sorted(ids)
    stamp = int(ids[0].replace("-", "")[:12], 16)
    assert stamp == int(NOON.timestamp() * 1000)
    assert len({uuid7(NOON) for _ in range(1000)}) == 1000
