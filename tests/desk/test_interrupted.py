"""Killed at any moment of signing and run again: it converges, and nothing is signed twice."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from unittest import mock

from sealift_signing import disk, drafts
from tests.desk.every_act import Case, every_act
from tests.desk.people import Home
from tests.desk.test_alone import at_home
from tests.desks import TEAM, Acme

ROLE = f"team.{TEAM}"
CALLS = ("open", "fsync", "replace", "rename")
"""Calls to the system by which something of a memory or a signed draft comes to be on the disk."""


class Killed(BaseException):
    """As a kill -9: no handler of ours may catch it, and nothing is written after it."""


class Killer:
    """Lets so many of these calls through, and ends everything at the next."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, real):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        def call(*given, **named):  # type: ignore[no-untyped-def]  # noqa: ANN002, ANN003, ANN202
            if self.left <= 0:
                raise Killed
            self.left -= 1
            return real(*given, **named)

        return call


def killed_after(home: Home, left: int, words: list[str]) -> bool:
    """Whether the command was killed at the call after so many."""
    killer = Killer(left)
    with (
        mock.patch("os.open", killer(os.open)),
        mock.patch("os.fsync", killer(os.fsync)),
        mock.patch.object(Path, "replace", killer(Path.replace)),
        mock.patch.object(Path, "rename", killer(Path.rename)),
        mock.patch.object(Path, "mkdir", killer(Path.mkdir)),
    ):
        try:
            home(*words)
        except Killed:
            return True
    return False


def test_t0_130_signing_is_killed_at_every_write(acme: Acme, tmp_path: Path) -> None:
    draft = acme.draft("renew", ROLE)
    whole = acme.sign(draft, "anna")
    for left in range(60):
        home = Home(acme, "anna", tmp_path / f"anna-{left}")
        home.trusts()
        _, words = at_home(Case(draft, "anna"), home, 0)
        killed = killed_after(home, left, words)
        home(*words)
        assert home.read("0.signed") == whole
        assert len(home.memory.organisations()[0].signed) == 1
        if not killed:
            break
    assert 8 < left < 60


def test_t0_133_a_statement_is_made_once_however_often_it_is_killed(tmp_path: Path) -> None:
    """Made anew it has another date: two approvals by one person, of which neither is the one."""
    acme = Acme()
    case = next(one for one in every_act(acme) if one.draft.act == "approve")
    home = Home(acme, "carla", tmp_path / "carla")
    home.trusts()
    _, words = at_home(case, home, 0)
    seen = set()
    for left in range(60):
        killed = killed_after(home, left, words)
        seen |= {once.digest for once in home.memory.organisations()[0].signed}
        acme.later(minutes=1)
        if not killed:
            break
    assert left < 60
    assert len(seen) == 1
    assert {part.digest for part in home.read("0.signed").parts} == seen
    assert acme.now - timedelta(minutes=left + 1) < acme.now


def test_t0_137_a_memory_is_begun_though_it_is_killed_at_every_write(
    acme: Acme, tmp_path: Path
) -> None:
    for left in range(200):
        home = Home(acme, "anna", tmp_path / f"anna-{left}")
        home.takes(acme.draft("renew", ROLE), "look.draft")
        words = ["trust", acme.organisation.root.digest, "look.draft", "--alone"]
        if not killed_after(home, left, words):
            break
        home(*words)
        (known,) = home.memory.organisations()
        assert home.memory.offer(known).lineages.keys() == {"targets", ROLE}
    assert 10 < left < 200


def test_what_is_left_of_a_kill_is_no_memory(acme: Acme, tmp_path: Path) -> None:
    home = Home(acme, "anna", tmp_path / "anna")
    home.trusts()
    (known,) = home.memory.organisations()
    partial = home.folder / "trust" / (known.organisation + disk.PARTIAL)
    partial.mkdir()
    assert home.memory.organisations() == (known,)
    assert drafts.LARGEST
