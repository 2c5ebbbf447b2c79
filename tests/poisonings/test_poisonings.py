"""Acceptance 2 of issue 11: a year of honest people at a hub that somebody else fills.

Every poisoning is generated: from the database's schema, from roles and their documents, from the
members of a draft, and from the files of the home. Each is played by everybody who signs; nobody
gains a right, no role changes hands, no removal is undone and nothing unapproved runs. Each is
played again with the gate taken out, and succeeds, or is listed harmless (`harmless`).

`make test` plays a seeded sample, `make test-long` all of them, in SHARDS parts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from unittest import mock

import pytest

from tests.poisonings import (
    documents,
    drafts,
    files,
    gateless,
    harmless,
    online,
    playing,
    recording,
    rows,
    year,
)
from tests.poisonings.playing import Quarter
from tests.poisonings.poisoning import Poisoning
from tests.poisonings.recording import Record

SHARDS = 16
SEED = 11
LEAST = 60
WORST = (
    "forged row: team.vision: teams/vision/members.json: .people one more",
    "old row: team.vision",
    "forged draft: targets: team.vision handed over",
)
"""Played whatever the seed says: what the issue saw."""
FIRST = ("row: tuf_", "old ")


@pytest.fixture(autouse=True, scope="module")
def _hasty() -> Iterator[None]:
    """No power is cut here."""
    with mock.patch.object(os, "fsync"):
        yield


@pytest.fixture(scope="module")
def quarters(_hasty: None, tmp_path_factory: pytest.TempPathFactory) -> list[Quarter]:
    """The organisation at the end of each quarter of its year."""
    folder = tmp_path_factory.mktemp("year")
    (folder / "year").mkdir()
    worlds = year.quarters(folder / "year")
    return [
        playing.quarter(world, number + 2, folder / f"honest-{number}")
        for number, world in enumerate(worlds)
    ]


@pytest.fixture(scope="module")
def first(_hasty: None, tmp_path_factory: pytest.TempPathFactory) -> Quarter:
    """The end of the first quarter, in which each role once took something away."""
    folder = tmp_path_factory.mktemp("quarter")
    (folder / "year").mkdir()
    (world,) = year.quarters(folder / "year", rounds=1)
    return playing.quarter(world, 2, folder / "honest")


def generated(found: Quarter) -> list[Poisoning]:
    """Every poisoning of that organisation, in an order that is always the same."""
    made = [
        p for kind in (rows, documents, drafts, files, online) for p in kind.poisonings(found.world)
    ]
    return sorted({one.name: one for one in made}.values(), key=lambda one: one.name)


def check(found: Quarter, poisoning: Poisoning, folder: Path) -> Record:
    """Play it with the gate and without."""
    one = recording.record(found, poisoning, folder)
    recording.keep(one)
    return one


def sampled(made: list[Poisoning]) -> list[Poisoning]:
    """What the issue saw, and one of each kind."""
    chosen = [next(p for p in made if p.name.startswith(name)) for name in WORST]
    random = Random(SEED)  # noqa: S311 - a seed for a test
    kinds = (
        [one for one in made if one.name.startswith(k)]
        for k in ("row: ", "draft: ", "file: ", "online: ")
    )
    return [*chosen, *map(random.choice, kinds)]


@pytest.mark.timeout(900)
def test_t0_194_a_sample_of_poisonings_gains_nothing(first: Quarter, tmp_path: Path) -> None:
    made = generated(first)
    print(*(one.name for one in made), sep="\n")  # noqa: T201 - for whoever asks with -s
    assert len(made) >= LEAST, Counter(one.name.partition(":")[0] for one in made)
    assert not harmless.idle([one.name for one in made])
    played = [check(first, one, tmp_path / "played") for one in sampled(made)]
    assert not [one.wrong for one in played if one.wrong]
    assert all(one.outside for one in played[: len(WORST)])


def test_f2_129_what_is_taken_out_is_there() -> None:
    """A check that got another name would be found out by the whole sweep alone."""
    with gateless.taken_out():
        assert gateless.UNASKED


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_t0_195_no_poisoning_of_a_whole_year_gains_anything(
    quarters: list[Quarter], tmp_path: Path, shard: int
) -> None:
    """Each poisoning in one quarter of the year, by turns; a role's rows in the first.

    It is there that each role took something away, which an older version would give back.
    """
    made = generated(quarters[0])
    Random(SEED).shuffle(made)  # noqa: S311 - a seed for a test
    later = [{one.name: one for one in generated(found)} for found in quarters]
    known, played = recording.known(), []
    for number, one in enumerate(made):
        if number % SHARDS != shard or one.name in known:
            continue
        place = 0 if one.name.startswith(FIRST) else number // SHARDS % len(quarters)
        there = later[place].get(one.name)
        found, poisoning = (quarters[place], there) if there else (quarters[0], one)
        played.append(check(found, poisoning, tmp_path / str(number)))
    assert not [one.wrong for one in played if one.wrong]
    assert known or sum(bool(one.outside) for one in played) >= LEAST / SHARDS
