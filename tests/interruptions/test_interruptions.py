"""A command that is killed, stopped, or run twice at once ends as if it had run once, undisturbed.

`make test` kills each command at a point that depends on SEED, and stops and runs some of them at
once; `make test-long` does so at every point.
To see one again: AT=17:before .venv/bin/python -m pytest tests/interruptions -k 'once and ingest'
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pytest

from sealift_signing.acts import names
from tests.interruptions import acts
from tests.interruptions.launcher import Cut
from tests.interruptions.pictures import picture
from tests.interruptions.points import When
from tests.interruptions.story import ALSO, ANSWERED, MEETING, SIGNING, SWEPT, Story
from tests.sources import DvcRepository

SEED = os.environ.get("SEED", "1")
AT = os.environ.get("AT", "")
WHENS: tuple[When, ...] = ("before", "after")
TWICE = ("ingest", "convert", "promote", "approve", "import", "receive", "sign", "submit")
"""The commands of which a second run adds nothing, so that two at once must not either."""

Trial = Callable[[Story, str, Cut], list[str]]
"""Disturbs a command at a point, runs it again, and says in words what is wrong afterwards."""


# -------------------------------------------------------------------- killed


def killed(story: Story, command: str, cut: Cut) -> list[str]:
    first, problems = story.cut(command, cut)
    if not first.cut:
        problems = [f"it was not killed, and ended with {first.code}: {first.err}", *problems]
    return problems


@pytest.mark.parametrize("command", SWEPT)
def test_killed_once_and_run_again(story: Story, command: str) -> None:
    assert wrong(story, command, killed, drawn(story, command)) == []


@pytest.mark.parametrize("command", SIGNING)
def test_t0_70_draft_sign_and_submit_converge(story: Story, command: str) -> None:
    """Nothing is signed twice, nothing is published twice, and the log has one entry."""
    assert wrong(story, command, killed, drawn(story, command)) == []


@pytest.mark.long
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("command", [*SWEPT, *ALSO, *SIGNING])
def test_killed_at_every_point_and_run_again(story: Story, command: str, when: When) -> None:
    assert wrong(story, command, killed, every(story, command, when)) == []


# -------------------------------------------------------------------- every act that is signed


@pytest.fixture(scope="session")
def acted(story: Story) -> Story:
    acts.play(story)
    return story


def test_every_act_of_the_closed_list_is_cut() -> None:
    assert {one.act for one in acts.ACTS} == names.ACTS.keys() - acts.AT_SERVERS


@pytest.mark.parametrize("door", ["draft", "sign", "submit"])
def test_t0_71_some_acts_are_killed_at_a_door(acted: Story, door: str) -> None:
    """`make test-long` kills each act at each point of each door."""
    steps = [step for one in acts.ACTS for step in acts.names(one) if step.startswith(door)]
    draw = random.Random(f"{SEED} {door}")  # noqa: S311 - steps, not secrets
    for step in draw.sample(steps, 2):
        assert wrong(acted, step, killed, drawn(acted, step)) == []


def test_t0_180_memories_meet_and_sites_are_answered_though_killed(acted: Story) -> None:
    draw = random.Random(f"{SEED} meeting")  # noqa: S311 - commands, not secrets
    for command in draw.sample([*ANSWERED, *MEETING], 2):
        assert wrong(acted, command, killed, drawn(acted, command)) == []


@pytest.mark.long
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("one", acts.ACTS, ids=lambda one: one.name)
def test_t0_72_every_act_is_killed_at_every_point_of_every_door(
    acted: Story, one: acts.Signed, when: When
) -> None:
    told = []
    for step in acts.names(one):
        told += wrong(acted, step, killed, every(acted, step, when))
    assert told == []


@pytest.mark.long
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("command", [*ANSWERED, *MEETING])
def test_t0_181_memories_meet_and_sites_are_answered_though_killed_at_every_point(
    acted: Story, command: str, when: When
) -> None:
    assert wrong(acted, command, killed, every(acted, command, when)) == []


@pytest.mark.long
@pytest.mark.parametrize("when", WHENS)
def test_fetching_is_killed_at_every_fourth_point_and_run_again(
    story: Story, dvc_repository: DvcRepository, mlflow_store: str, when: When
) -> None:
    """Another process fetches, with caches and temporary folders of its library's own."""
    dvc = ["dvc", str(dvc_repository.path), "--path", "models/digits.txt", "--rev", "v1"]
    mlflow = ["mlflow", "models:/digits/1", "--tracking", mlflow_store]
    for source in (dvc, mlflow):
        name = f"ingest {source[0]}"
        story.tell_instead(name, ["ingest", *source, "--as", "vision/digits"], "ingest")
        assert wrong(story, name, killed, every(story, name, when)[::4]) == []


def test_the_picture_sees_what_a_rerun_must_not_leave(story: Story) -> None:
    """That is: a file of a temporary name, a lost one, a damaged blob, a row too many."""
    story.reset("promote")
    (story.case / "hub/work").mkdir(exist_ok=True)
    (story.case / "hub/work/left").write_bytes(b"")
    # A picture, which nothing reads on the way to a promotion.
    blobs = (story.case / "hub/blobs/sha256").iterdir()
    blob = next(one for one in blobs if one.read_bytes().startswith(b"<svg"))
    blob.chmod(0o644)
    blob.write_bytes(b"rotten")
    next((story.case / "hub/metadata").glob("*.snapshot.json")).unlink()
    words = story.told["promote"].step.words
    assert story.launcher.run([*words, "--reason", "another"]).code == 0
    found = "\n".join(story.problems("promote", story.launcher.run(words)))
    assert "names has hub/work/left" in found
    assert f"names lacks hub/blobs/sha256/{blob.name} whole" in found
    assert ".snapshot.json" in found
    assert "hub.promotion has 3" in found
    assert "hub.log_entry has" in found


# -------------------------------------------------------------------- stopped by Ctrl-C

NOTHING = "Stopped. Nothing was changed."
UNSEEN = ("hub/blobs/", "hub/metadata/", "hub/work/", "site/store/", "site/lock")
"""Where something may lie that nothing refers to yet; empty folders may stay anywhere."""


def stopped(story: Story, command: str, cut: Cut) -> list[str]:
    words = story.told[command].step.words
    story.reset(command)
    before = picture(story.case)
    first = story.launcher.run(words, Cut(cut.point, cut.when, "stop"))
    after = picture(story.case)
    problems = []
    if first.code not in {0, 130} or "Traceback" in first.err:  # 0: all had been done by then
        problems.append(f"ended with {first.code}: {first.err}")
    true = seen(before) == seen(after) if NOTHING in first.err else before != after
    if first.code == 130 and not true:
        problems.append(f"says {first.err}")
    return problems + story.problems(command, story.launcher.run(words))


def seen(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rows of every table, and the names of the files that anybody looks at."""
    names = (name for name in found["names"] if not name.startswith(UNSEEN))
    return found | {"names": [name for name in names if not name.endswith("/")]}


@pytest.mark.parametrize("command", ["approve", "export"])
def test_stopped_once_and_run_again(story: Story, command: str) -> None:
    assert wrong(story, command, stopped, drawn(story, command)) == []


@pytest.mark.long
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("command", SWEPT)
def test_stopped_at_every_point_and_run_again(story: Story, command: str, when: When) -> None:
    assert wrong(story, command, stopped, every(story, command, when)) == []


# -------------------------------------------------------------------- twice at once


def twice(story: Story, command: str, cut: Cut) -> list[str]:
    """One is held still at a point while the other runs, and then goes on."""
    words = story.told[command].step.words
    story.reset(command)
    first, second = story.launcher.run_during(words, Cut(cut.point, cut.when, "pause"), words)
    problems = [] if first.paused else ["it was not held still"]
    if first.code != 0:
        problems.append(f"the first ended with {first.code}: {first.err}")
    return problems + story.problems(command, second)


@pytest.mark.parametrize("command", ["promote", "import"])
def test_twice_at_once(story: Story, command: str) -> None:
    assert wrong(story, command, twice, drawn(story, command)) == []


@pytest.mark.long
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("command", TWICE)
def test_twice_at_once_at_every_point(story: Story, command: str, when: When) -> None:
    assert wrong(story, command, twice, every(story, command, when)) == []


# -------------------------------------------------------------------- a rollback during an import

AGAIN = "import again"


@pytest.fixture
def imported_again(story: Story) -> Story:
    """What is imported is assigned already, and in the store: a rollback away from it holds."""
    if AGAIN not in story.told:
        export = [*story.told["export"].step.words, "--full"]
        story.tell_next(AGAIN, "rollback", [export], story.told["import"].step.words)
    return story


def beside(story: Story, command: str, cut: Cut) -> list[str]:
    """The import is held still while somebody goes back; whichever is first, both have happened."""
    story.reset(command)
    site = ["sealift-site", "--home", str(story.case / "site")]
    words, back = story.told[command].step.words, story.told["rollback"].step.words
    ended = story.launcher.run_during(words, Cut(cut.point, cut.when, "pause"), back)
    looked = [story.launcher.run([*site, *one]) for one in (["fsck"], ["audit", "fsck"])]
    status = story.launcher.run([*site, "status", "--json"])
    said = json.loads(status.out)
    found = (said["last_transfer"], [one["version"] for one in said["runs"]])
    problems = [] if ended[0].paused else ["it was not held still"]
    problems += [
        f"ended with {one.code}: {one.out} {one.err}" for one in (*ended, *looked) if one.code
    ]
    return problems if found == ("plant-7-000003", [1]) else [*problems, str(found)]


def test_a_rollback_during_an_import(imported_again: Story) -> None:
    assert wrong(imported_again, AGAIN, beside, drawn(imported_again, AGAIN)) == []


@pytest.mark.long
@pytest.mark.parametrize("when", WHENS)
def test_a_rollback_during_an_import_at_every_point(imported_again: Story, when: When) -> None:
    assert wrong(imported_again, AGAIN, beside, every(imported_again, AGAIN, when)) == []


# -------------------------------------------------------------------- points


def drawn(story: Story, command: str) -> Iterator[Cut]:
    """One of a command's points; or the one that AT names."""
    if AT:
        point, _, when = AT.partition(":")
        yield Cut(int(point), cast("When", when))
        return
    draw = random.Random(f"{SEED} {command}")  # noqa: S311 - points, not secrets
    yield Cut(draw.randint(1, len(story.told[command].points)), draw.choice(WHENS))


def every(story: Story, command: str, when: When) -> list[Cut]:
    return [Cut(number, when) for number in range(1, len(story.told[command].points) + 1)]


def wrong(story: Story, command: str, trial: Trial, cuts: Iterable[Cut]) -> list[str]:
    """What is wrong after any of `cuts`, with how to see it again."""
    told = []
    points = story.told[command].points
    for cut in cuts:
        where = f"{command} AT={cut.point}:{cut.when} ({points[cut.point - 1]})"
        told += [f"{where}: {problem}" for problem in trial(story, command, cut)]
    return told
