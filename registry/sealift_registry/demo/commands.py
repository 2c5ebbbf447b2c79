"""Running the real commands, as the people of the story would type them in the demo's folder.

Every command is a process of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from sealift_registry.demo.cast import memory, place
from sealift_registry.demo.folder import Folder
from sealift_registry.demo.story import DemoFailedError, Ran, Story
from sealift_registry.demo.surroundings import environment
from sealift_registry.demo.training import Training
from sealift_registry.demo.voices import Later
from sealift_signing.lists import in_columns

T = TypeVar("T")

UNSHARE = ("unshare", "-rn")
"""A user and a network namespace of its own: no interface but a dead loopback."""

DESK = {"SEALIFT_TRUST": "memory"}
"""What `sealift-sign` finds in a person's folder."""

SIGNED = "Signed: "
"""How the line begins that names the signed file."""

LONGEST = 20
"""Lines of a command's output that are shown, unless the story asks for others."""

EVERYTHING = 1000
"""Lines: also those that a command notes on the way to its answer."""

MOST = 60
"""Lines that are shown of a command that did not end as it must."""


@dataclass(frozen=True)
class Hands:
    """Whoever types commands in the demo's folder, and tells of them."""

    folder: Folder
    story: Story
    training: Training

    def hub(
        self, who: str, *arguments: str, show: int = LONGEST, since: str = "", home: str = "hub"
    ) -> Ran:
        """`sealift …`, which must succeed."""
        command, theirs = ("sealift", *arguments), memory(who)
        return self.run(
            who, command, show=show, since=since, SEALIFT_HOME=home, SEALIFT_TRUST=theirs
        )

    def desk(self, who: str, *arguments: str, show: int = LONGEST, expect: int = 0) -> Ran:
        """`sealift-sign …` in that person's folder, with their memory."""
        (ran,) = self.desks([who], *arguments, show=show, expect=expect)
        return ran

    def desks(
        self, people: Sequence[str], *arguments: str, show: int = LONGEST, expect: int = 0
    ) -> list[Ran]:
        """`sealift-sign …` by several people at the same time, each in their own folder.

        In what is typed `{}` stands for whoever types it. All of them are shown the same.
        """
        typed = [("sealift-sign", *(one.replace("{}", who) for one in arguments)) for who in people]
        with ThreadPoolExecutor(len(people)) as pool:
            running = [
                pool.submit(self.quietly, who, command, place(who), **DESK)
                for who, command in zip(people, typed, strict=True)
            ]
            ran: list[Ran] = []
            for who, command, one in zip(people, typed, running, strict=True):
                self.story.started(who, command)
                since = SIGNED if ran else ""
                ran.append(self.ended(one.result(), show=show, since=since, expect=expect))
        return ran

    def likewise(self, people: Sequence[str], *commands: Sequence[str]) -> None:
        """Each of `people` types `commands`, as somebody did before, all at the same time.

        Raises:
            DemoFailedError: one ended otherwise than it must.
        """

        def play(who: str) -> None:
            for command in commands:
                typed = ("sealift-sign", *(word.replace("{}", who) for word in command))
                ran = self.quietly(who, typed, place(who), **DESK)
                if ran.exit_code:
                    raise _ended_otherwise(ran, 0)

        with (
            self.working("+".join(people), "do the same, each in a folder of their own"),
            ThreadPoolExecutor(len(people)) as pool,
        ):
            list(pool.map(play, people))

    def site(self, who: str, *arguments: str, show: int = LONGEST, home: str = "site") -> Ran:
        """`sealift-site …`, without a network, which must succeed."""
        command = (*self.away, "sealift-site", *arguments)
        return self.run(who, command, show=show, SEALIFT_SITE_HOME=home)

    def refused_hub(self, who: str, *arguments: str, home: str = "hub") -> Ran:
        """`sealift …`, which must be refused by a rule."""
        return self.run(who, ("sealift", *arguments), expect=1, SEALIFT_HOME=home)

    def refused_site(self, who: str, *arguments: str, home: str = "site") -> Ran:
        """`sealift-site …`, which must be refused by a rule."""
        command = (*self.away, "sealift-site", *arguments)
        return self.run(who, command, expect=1, SEALIFT_SITE_HOME=home)

    @cached_property
    def away(self) -> tuple[str, ...]:
        """How commands are cut off from every network: a namespace, where that is allowed."""
        if shutil.which(UNSHARE[0]) is None:
            return ()
        tried = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
        return () if tried.returncode else UNSHARE

    def run(
        self,
        who: str,
        command: Sequence[str],
        *,
        expect: int = 0,
        show: int = LONGEST,
        since: str = "",
        **variables: str,
    ) -> Ran:
        """Run `command`, tell of it, and insist on its exit code.

        Raises:
            DemoFailedError: it ended otherwise.
        """
        self.story.started(who, command)
        return self.ended(
            self.quietly(who, command, **variables), expect=expect, show=show, since=since
        )

    def ended(self, ran: Ran, *, expect: int = 0, show: int = LONGEST, since: str = "") -> Ran:
        """Tell how a command ended, and insist on its exit code.

        Of what it said, `show` lines are shown, from the one that begins with `since`.

        Raises:
            DemoFailedError: it ended otherwise.
        """
        wanted = ran.exit_code == expect
        lines = _worth_reading(ran, everything=show >= EVERYTHING)
        first = next((n for n, line in enumerate(lines) if line.startswith(since)), 0)
        shown = lines[first : first + show] if wanted else lines[:MOST]
        self.story.ran(ran, shown, len(lines) - len(shown))
        if not wanted:
            raise _ended_otherwise(ran, expect)
        return ran

    @contextmanager
    def beside(self, flow: Callable[[Hands], T]) -> Iterator[Future[T]]:
        """Let `flow` be played by the same hands while the body is; its result, once it has.

        What it tells is told when both have ended, so that the two do not mix.
        """
        later = Later()
        theirs = replace(self, story=self.story.told_by(later))
        try:
            with ThreadPoolExecutor(1) as other:
                running = other.submit(flow, theirs)
                yield running
                running.result()
        finally:
            later.tell_to(self.story.voice)
            self.story.steps += theirs.story.steps

    @contextmanager
    def working(self, who: str, what: str) -> Iterator[None]:
        """Tell of work that is no command of Sealift's."""
        self.story.started(who, (f"({what})",))
        began = time.perf_counter()
        yield
        self.story.worked(who, what, time.perf_counter() - began, [])

    def quietly(self, who: str, command: Sequence[str], where: str = ".", **variables: str) -> Ran:
        """Run `command` in `where` without a word."""
        began = time.perf_counter()
        done = subprocess.run(
            _programs(command),
            cwd=self.folder.root / where,
            env=environment(self.folder, variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        seconds = time.perf_counter() - began
        return Ran(who, tuple(command), done.returncode, seconds, done.stdout, done.stderr)


def _programs(command: Sequence[str]) -> list[str]:
    """`command` with our own programs taken from the environment that the demo runs in."""
    before = len(UNSHARE) if tuple(command[: len(UNSHARE)]) == UNSHARE else 0
    ours = {"python": sys.executable}
    for name in ("sealift", "sealift-sign", "sealift-site", "dvc"):
        ours[name] = str(Path(sys.executable).with_name(name))
    name, *arguments = command[before:]
    return [*command[:before], ours.get(name, name), *arguments]


def _worth_reading(ran: Ran, *, everything: bool) -> list[str]:
    """The answer, and on request what was noted on the way; of a hub's refusal, its error."""
    said = ran.said if ran.exit_code or everything else ran.out
    lines = _in_columns(said.strip("\n").splitlines())
    errors = [n for n, line in enumerate(lines) if line.startswith("Error: ")]
    return lines[errors[0] :] if ran.exit_code and errors else lines


def _in_columns(lines: list[str]) -> list[str]:
    """Tables that the site's commands print with tabs when they are piped, in columns again."""
    rows = [line.split("\t") for line in lines]
    count = max(map(len, rows), default=0)
    wide = [row for row in rows if len(row) == count > 1]
    drawn = iter(in_columns(wide[0], wide[1:]) if wide else ())
    return [next(drawn) if len(row) == count > 1 else "  ".join(row) for row in rows]


def _ended_otherwise(ran: Ran, expect: int) -> DemoFailedError:
    name = " ".join(word for word in ran.command if word not in UNSHARE)
    if expect and not ran.exit_code:
        what = f"`{name}` succeeded, and it must be refused."
    else:
        last = (ran.said.splitlines() or ["nothing"])[-1]
        what = (
            f"`{name}` ended with exit code {ran.exit_code}; it must be {expect}. It said: {last}"
        )
    return DemoFailedError("demo-failed", what, subject=name, next_step="Please report this.")
