"""A seeded sample of the hunt, of which `make hunt` is the whole; `-s` shows its tables."""

from pathlib import Path

import pytest

from tests.hunt import hunting
from tests.hunt.hunting import Mutant, Tried
from tests.hunt.report import summary

pytestmark = pytest.mark.long

MODELS, MUTATED = range(20_000, 20_400), range(30_000, 30_100)
"""The hunt's own numbers begin at 0: these are others."""


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> list[Tried]:
    found = [hunting.tried(seed, tmp_path_factory.mktemp("hunt")) for seed in MODELS]
    print(summary(found, []))  # noqa: T201 - what is seen with -s
    return found


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> list[Mutant]:
    folder: Path = tmp_path_factory.mktemp("mutants")
    found = [one for seed in MUTATED for one in hunting.mutants(seed, folder)]
    print(summary([], found))  # noqa: T201 - what is seen with -s
    return found


def test_p0_87_of_a_sample_nothing_is_signed_and_wrong(tried: list[Tried]) -> None:
    assert [vars(one) for one in tried if one.key == ("signed", "wrong")] == []


def test_p0_87_of_a_sample_nothing_breaks(tried: list[Tried]) -> None:
    assert [vars(one) for one in tried if one.outcome == "broken"] == []


def test_p0_88_of_a_sample_one_in_a_hundred_right_ones_is_stopped(tried: list[Tried]) -> None:
    right = [one for one in tried if one.truth == "right" and one.outcome != "refused"]
    stopped = [vars(one) for one in right if one.outcome == "stopped"]
    assert len(right) > len(MODELS) / 4
    assert len(stopped) <= max(len(right) / 100, 1), stopped


def test_p0_89_of_a_sample_of_mutants_95_in_a_hundred_are_seen(mutants: list[Mutant]) -> None:
    changing = [one for one in mutants if one.changes]
    kinds: dict[str, set[str]] = {}
    for one in changing:
        kinds.setdefault(one.converter, set()).add(one.kind)
    assert {name: len(found) >= 10 for name, found in kinds.items()} == dict.fromkeys(
        ("sklearn", "lightgbm", "xgboost", "none"), True
    )
    seen = sum(one.caught and one.by_its_check for one in changing)
    assert seen >= 0.95 * len(changing), [vars(one) for one in changing if not one.by_its_check]
    assert sum(one.without for one in changing) < 0.95 * len(changing)
