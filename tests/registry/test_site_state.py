"""The entries that still say something say all that the whole log does, whatever it holds."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sealift_registry.delivery import site_entries
from sealift_registry.delivery.site_state import (
    Pointer,
    Says,
    SiteState,
    state_of_log,
    state_of_pointers,
)
from sealift_signing.transparency.entry import Entry, body_of, read_entry
from tests.registry.site_logs import log, lost_since, plainly

SEEDS = range(60)
SIZE = 60


def answers(state: SiteState) -> Any:  # noqa: ANN401 - to be compared
    return (
        {place: one.what for place, one in state.runs.items()},
        {place: one.what for place, one in state.failed.items()},
        {place: one.what for place, one in state.checks.items()},
        None if state.heard is None else state.heard.what,
        {place: (one.what.version, one.what.reason) for place, one in state.back.items()},
        None if state.refused is None else state.refused.what.code,
    )


def drawn(seed: int) -> list[Entry]:
    return [read_entry(body_of(one)) for one in log(seed, SIZE)]


@pytest.mark.parametrize("seed", SEEDS)
def test_f2_031_the_state_answers_as_the_whole_log_does_after_each_entry(seed: int) -> None:
    entries, state = drawn(seed), SiteState()
    for seq, one in enumerate(entries):
        state.read(seq, one)
        assert answers(state) == plainly(entries[: seq + 1]).answers(), seq
    changes = [one for one in map(site_entries.software, entries) if one is not None]
    assert (state.software.what if state.software else None) == (changes[-1] if changes else None)
    for size in range(SIZE):
        told = [blobs for seq, blobs in state.lost.items() if seq >= size]
        found = None if None in told else set().union(*(blobs or () for blobs in told))
        assert found == lost_since(entries, size)


@pytest.mark.parametrize("seed", SEEDS)
def test_f2_032_the_entries_pointed_to_alone_say_the_same(seed: int) -> None:
    entries, state = drawn(seed), SiteState()
    for seq, one in enumerate(entries):
        state.read(seq, one)
        if seq % 7 == 3:
            state.read_receipt(seq - 2)
        pointers = sorted(state.pointers())
        read = {pointer.seq: entries[pointer.seq] for pointer in pointers}
        assert state_of_pointers(pointers, read) == state, seq


@pytest.mark.parametrize("seed", SEEDS)
def test_f2_033_a_log_that_comes_home_in_parts_says_what_it_says_as_a_whole(seed: int) -> None:
    dice, entries = random.Random(seed), drawn(seed)  # noqa: S311 - a test's
    state, seq, receipt = SiteState(), 0, 0
    while seq < SIZE:
        for one in entries[seq : seq + dice.randint(0, 9)]:
            state.read(seq, one)
            seq += 1
        if dice.random() < 0.4:
            receipt = max(receipt, dice.randint(0, seq))
            state.read_receipt(receipt)
        pointers = sorted(state.pointers())
        back = state_of_pointers(pointers, {one.seq: entries[one.seq] for one in pointers})
        assert back is not None
        state = back
    assert state == state_of_log(entries, receipt)
    assert state.pointers() == state_of_log(entries, receipt).pointers()


@pytest.mark.parametrize("seed", SEEDS)
def test_f2_034_a_pointer_that_claims_what_its_entry_does_not_say_is_none(seed: int) -> None:
    """Another place, version, kind or entry: what is left is what the entries say, or nothing."""
    dice, entries = random.Random(seed), drawn(seed)  # noqa: S311 - a test's
    honest = sorted(state_of_log(entries).pointers())
    everything = dict(enumerate(entries))
    for place, one in enumerate(honest):
        for changed in (
            one._replace(version=one.version + 1),
            one._replace(model="vision/other"),
            one._replace(group="line-9"),
            one._replace(says=dice.choice([says for says in Says if says != one.says])),
        ):
            told = [*honest[:place], changed, *honest[place + 1 :]]
            found = state_of_pointers(told, everything)
            assert found is None or found.pointers() == set(told)
            if changed.says == one.says:
                assert found is None, changed
    twice = [*honest, Pointer(Says.HEARD, "", "", 0, 0)]
    assert state_of_pointers(twice, everything) is None


def test_f2_035_places_that_stopped_and_checks_of_the_past_leave_nothing_behind() -> None:
    """However often a site switches and checks, as many entries say what is as places run."""
    state = state_of_log(drawn(7) + [one for seed in range(20) for one in drawn(seed)])
    assert len(state.pointers() - {one for one in state.pointers() if one.says == Says.LOST}) <= 21
