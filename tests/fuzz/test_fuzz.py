"""What fuzzing left behind, held again at every change; and a short run of it.

`make fuzz` runs each target for ten minutes. Here its corpus and every input that ever broke a
promise are replayed, and Hypothesis tries a few dozen changes of each target's inputs.
"""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from sealift_signing.errors import MalformedError
from tests.fuzz import results
from tests.fuzz import target as promise
from tests.fuzz.inputs import changed, inputs, known
from tests.fuzz.mutating import mutate
from tests.fuzz.parsers import example
from tests.fuzz.tape import Tape
from tests.fuzz.target import CORPUS, CRASHES, BrokenError, Target, check_told, hold
from tests.fuzz.targets import TARGETS

EXAMPLES = {"folder": 25, "bundle": 15, "returns": 15, "walk": 25}
"""Of the short run; the other targets, whose inputs take a millisecond, get more."""


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_what_was_kept_and_what_once_broke_a_promise(target: Target) -> None:
    for path in [*target.crashes, *target.corpus]:
        hold(target, path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_short_run(target: Target) -> None:
    for data in target.seeds():
        hold(target, data)

    @seed(20261121)
    @settings(
        max_examples=EXAMPLES.get(target.name, 60),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target))
    def short(data: bytes) -> None:
        hold(target, data)

    short()


def test_f2_229_a_result_that_counts_is_what_is_changed() -> None:
    """Else nothing behind the first refusal would be tried."""
    results.whole()


def test_the_corpora_are_small_and_all_are_somebodys() -> None:
    kept = [path for target in TARGETS.values() for path in (*target.corpus, *target.crashes)]
    there = {path for top in (CORPUS, CRASHES) for path in top.rglob("*") if path.is_file()}
    assert set(kept) == there, "a folder of no target"
    assert len(kept) < 320
    assert sum(path.stat().st_size for path in kept) < 1_000_000


# ---------------------------------------------------------------- the instruments themselves


def broken(target: Target, data: bytes) -> str:
    with pytest.raises(BrokenError) as told:
        hold(target, data)
    return str(told.value)


def test_a_promise_that_is_broken_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_data: bytes) -> None:
        until = time.process_time() + 0.2
        while time.process_time() < until:
            sum(range(1000))

    with monkeypatch.context() as patch:
        patch.setattr(promise, "MOST_SECONDS", 0.1)
        assert "s for 3 bytes" in broken(Target("it", slow, list, "bytes"), b"abc")
    with monkeypatch.context() as patch:
        # The peak of this process may be far above what a test could ask for.
        patch.setattr(promise, "peak", iter([0, 10**9]).__next__)
        assert "bytes of memory" in broken(Target("it", lambda _data: None, list, "bytes"), b"abc")

    def escapes(_data: bytes) -> None:
        raise KeyError("not ours")

    with pytest.raises(KeyError):
        hold(Target("it", escapes, list, "bytes"), b"")


def test_an_error_that_cannot_be_shown_is_seen() -> None:
    check_told(MalformedError("some-code", "It is wrong."))
    bad = MalformedError("some-code", "x" * 5000)
    with pytest.raises(BrokenError):
        check_told(bad)
    bad.what = "\x1b[2J"
    with pytest.raises(BrokenError):
        check_told(bad)


def test_changes_are_many_and_reach_behind_the_first_check() -> None:
    """Of a hundred changes some are still read, some are refused, and no two are alike."""
    target = TARGETS["documents"]
    others = known(target)
    policy = b"\0" + example("policy.json")
    random = Random(7)  # noqa: S311 - no secret
    made = [changed(target, policy, random, others) for _ in range(100)]
    assert len(set(made)) > 80
    assert made.count(policy) < 20
    read = 0
    for data in made:
        try:
            target.run(data)
            read += 1
        except MalformedError:
            continue
        except Exception:  # noqa: BLE001, S112 - a format of the future, say
            continue
    assert 1 <= read <= 60


def test_what_is_wrapped_is_changed_too() -> None:
    """An envelope's payload is changed within its base64, and wrapped again."""
    envelope = example("receipt.json")
    random = Random(3)  # noqa: S311 - no secret
    made = {mutate(envelope, random) for _ in range(200)}
    inside = [one for one in made if one.startswith(b'{"payload":"eyJ') and one != envelope]
    assert len(inside) > 10


@given(st.binary(max_size=8))
def test_a_tape_never_ends_with_an_error(data: bytes) -> None:
    tape = Tape(data)
    for _ in range(6):
        assert 0 <= tape.below(7) < 7
        assert tape.pick("ab") in "ab"
    assert tape.ended or tape.rest()
