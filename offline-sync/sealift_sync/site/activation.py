"""Making an installed version current: one link, then the host group's own hook and health check.

The link is switched first, because a server reloads what it finds there; if the hook or the check
fails, it is switched back and the hook runs again. What was recalled is never switched back to:
where nothing else can take its place, nothing runs. What was committed is what the log says, and
the links follow it.

A server that holds a model in memory stops because a hook told it so. Where that failed, it is
remembered: every import runs the hook again, and until it succeeds nobody reads that all is well.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from sealift_signing import closing
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Term
from sealift_sync.site.models import ModelTree
from sealift_sync.site.opened import Site
from sealift_sync.site.reserve import A_HOOKS
from sealift_sync.site.standing import Choice, Place, Standing
from sealift_sync.site.state import Current

LONGEST_QUOTE = 300
"""Characters of a command's output that an error and the log quote."""

MOST_OUTPUT = 16 * 1024 * 1024
"""Bytes of a command's output that are held in memory, and what it prints until we look again."""
LOOK = 0.1
"""Seconds between two looks at it."""

LACKING = {"no-blob", "blob-damaged"}
"""The store has lost what should be shown: to try again changes nothing, and another may do."""


@dataclass(frozen=True)
class Activation:
    """What was done in one place, and how it ended; `already` means nothing was to be done.

    `untold` is why whoever serves what was stopped may still do so: what the hook said.
    """

    place: Place
    before: int | None
    after: int | None
    outcome: Literal["activated", "already", "stopped", "switched-back"]
    words: str
    untold: str = ""

    @property
    def went_well(self) -> bool:
        """Whether what was meant to happen did."""
        return self.outcome != "switched-back" and not self.untold


class _CommandFailedError(Exception):
    """A hook or health check that did not succeed; its text says why."""


def activate(site: Site, reason: str, *, tell_again: bool = False) -> tuple[Activation, ...]:
    """Bring what runs in line with what should run; every change is an entry of its own.

    Args:
        site: the site.
        reason: why now, for the log: a transfer's id, or the words of who rolled back.
        tell_again: run the hook again where something was stopped and it failed.

    Raises:
        FailedError: a place could not be switched; all others were.
    """
    tree = ModelTree(site.home, lost=site.state.lost())
    standing = Standing(site.state, site.enrolment)
    tree.repair(standing.current.values())
    done: list[Activation] = []
    failed: SealiftError | None = None
    for place in sorted(site.state.untold()) if tell_again else ():
        try:
            done.append(stop_again(site, tree, Place(*place), reason))
        except SealiftError as bad:
            failed = failed or bad
    for place, _ in standing.wanted():
        try:
            done += _settle(site, tree, place, reason)
        except SealiftError as bad:  # one place that fails must not keep a recall from another
            failed = failed or bad
    if failed:
        raise failed
    return tuple(done)


def _settle(site: Site, tree: ModelTree, place: Place, reason: str) -> Iterator[Activation]:
    """Switch `place` to what should run there; where that fails after a recall, to what is next.

    It ends, because what failed is not wanted again.
    """
    while True:
        standing = Standing(site.state, site.enrolment)
        choice, running = standing.wants(place), standing.current.get(place)
        before = Choice(running.path, running.sha256) if running else None
        if choice == before:
            return
        retired = standing.retired(place)
        why = f"{reason}: retired: {drawn(retired.reason, 500)}" if retired else reason
        done = switch(site, tree, place, before, choice, why)
        yield done
        if done.outcome != "switched-back" or done.after is not None:
            return


def stop_again(site: Site, tree: ModelTree, place: Place, reason: str) -> Activation:
    """Run the hook of a place where nothing runs once more, for it failed.

    Raises:
        FailedError: it could not be logged.
    """
    return switch(site, tree, place, None, None, reason)


def switch(
    site: Site,
    tree: ModelTree,
    place: Place,
    before: Choice | None,
    after: Choice | None,
    reason: str,
    otherwise: Callable[[], None] = lambda: None,
) -> Activation:
    """Switch one place from `before` to `after`, or back again if what watches over it objects.

    Args:
        site: the site.
        tree: its models.
        place: where.
        before: what runs there.
        after: what shall run there, or None for nothing.
        reason: why, for the log.
        otherwise: what else is written, in the same transaction, where it was not activated.

    Raises:
        FailedError: it could not be linked or logged; the link is as it was.
    """
    settings = site.home.settings.group(place.group)
    recalled = before is not None and before.sha256 in site.state.recalls()
    back = None if recalled else before
    failure = untold = ""
    try:
        try:
            if after is not None:
                tree.check_not_lost(after)
            tree.switch(place, after)
            _run(settings.hook, "hook", site, tree, place, after)
            if after is not None:
                _run(settings.health_check, "health check", site, tree, place, after)
        except _CommandFailedError as bad:
            failure = str(bad)
        except SealiftError as bad:
            if after is None or not (recalled or bad.code in LACKING):
                raise
            failure = bad.what  # a fallback that cannot be shown does not keep a recalled one
        if failure and after is not None:
            tree.switch(place, back)
            untold = _hook_again(site, tree, place, back)
            failure += untold
        elif failure:
            untold = failure
        done = _told(place, before, after, back, failure)
        if done.after is None:
            done = replace(done, untold=untold.strip())
        _commit(site, done, after, reason, otherwise)
    except (SealiftError, KeyboardInterrupt):
        with suppress(SealiftError):  # what went wrong first is what must be told
            tree.switch(place, back)
        raise
    return done


def _told(
    place: Place, before: Choice | None, after: Choice | None, back: Choice | None, failure: str
) -> Activation:
    was = before.path.version if before else None
    where = f"{place.model} in host group {place.group}"
    if after is None:
        words = f"{where} stopped; nothing runs there now."
        if failure:
            words = f"{where} stopped. But its server was not told, and may still run it: {failure}"
        return Activation(place, was, None, "stopped", words)
    if failure:
        stays = back.path.version if back else None
        told = f"switched back to version {stays}" if back else "nothing runs there"
        words = f"{where}: version {after.path.version} failed, {told}. {failure}"
        return Activation(place, was, stays, "switched-back", words)
    words = f"{where} runs version {after.path.version}."
    return Activation(place, was, after.path.version, "activated", words)


def _commit(
    site: Site,
    done: Activation,
    after: Choice | None,
    reason: str,
    otherwise: Callable[[], None],
) -> None:
    """State and log entry together; the links already are what this says."""
    place = done.place
    kinds = {"activated": "activated", "stopped": "stopped", "switched-back": "activation-failed"}
    terms = [Term("model", place.model), Term("host-group", place.group)]
    if after is not None:
        terms.append(Term("artifact", after.sha256))
    data: dict[str, Json] = {
        "before": done.before or 0,
        "after": done.after or 0,
        "words": done.words,
        "reason": reason,
    }
    with site.state.transaction():
        if done.outcome == "switched-back" and after is not None:
            site.state.add_failure(*place, after.sha256, done.words)
            if done.after is None:
                site.state.clear_current(*place)
        elif after is None:
            site.state.clear_current(*place)
        else:
            site.state.set_current(Current(place.group, after.path, after.sha256, site.clock()))
        if done.outcome != "activated":
            otherwise()
        site.state.set_untold(*place, done.untold)
        site.record(site.entry(f"model.{kinds[done.outcome]}", data, terms))


def _hook_again(site: Site, tree: ModelTree, place: Place, before: Choice | None) -> str:
    """Whatever the hook loaded must be unloaded again, so it runs once more."""
    try:
        _run(site.home.settings.group(place.group).hook, "hook", site, tree, place, before)
    except _CommandFailedError as bad:
        return f" After switching back, {bad}"
    return ""


def _run(
    command: tuple[str, ...],
    what: str,
    site: Site,
    tree: ModelTree,
    place: Place,
    choice: Choice | None,
) -> None:
    if not command:
        return
    seconds = site.home.settings.group(place.group).timeout_seconds
    environment = _environment(tree, place, choice)
    with _output() as output, site.reserve.resting(A_HOOKS):
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=site.home.models,
                start_new_session=True,
                umask=closing.callers_umask(),
            )
        except OSError as bad:
            raise _CommandFailedError(
                f"The {what} {command[0]} could not be started: {bad.strerror or bad}."
            ) from bad
        try:
            code = _wait(process, output, seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise _CommandFailedError(
                f"The {what} {command[0]} took longer than {seconds} seconds."
            ) from None
        except KeyboardInterrupt:
            _end(process)  # it is in a session of its own, where Ctrl-C does not reach it
            raise
        if code:
            said = _quote(output)
            raise _CommandFailedError(f"The {what} {command[0]} ended with {code}{said}.")


def _output() -> IO[bytes]:
    """Where a command's output goes: into memory, so that no full disk makes it fail.

    Elsewhere than on Linux into a file; where there is no room for one, it is not quoted.
    """
    try:
        found = _unnamed()
    except OSError:
        return Path(os.devnull).open("r+b")
    # After something was dropped, a command goes on at the end, and not beyond a hole.
    fcntl.fcntl(found, fcntl.F_SETFL, fcntl.fcntl(found, fcntl.F_GETFL) | os.O_APPEND)
    return found


def _unnamed() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("output"), "w+b")
    return tempfile.TemporaryFile()


def _wait(process: subprocess.Popen[bytes], output: IO[bytes], seconds: float) -> int:
    """The command's exit code. Of what it prints meanwhile, which may have no end, the end is kept.

    Raises:
        TimeoutExpired: it takes longer than so many seconds.
    """
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        try:
            return process.wait(max(min(left, LOOK), 0))
        except subprocess.TimeoutExpired:
            if left <= LOOK:
                raise
        _drop(output.fileno())


def _drop(output: int) -> None:
    """Drop what a command printed but for its end, where it is much: memory has an end, too."""
    found = os.fstat(output)
    if found.st_blocks * 512 > MOST_OUTPUT:
        last = os.pread(output, LONGEST_QUOTE, max(found.st_size - LONGEST_QUOTE, 0))
        os.ftruncate(output, 0)
        os.write(output, last)


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _quote(output: IO[bytes]) -> str:
    """The end of what a command printed, which may be whatever a server sent it."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(size - LONGEST_QUOTE, 0))
    text = output.read().decode("utf-8", "replace")
    said = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f": {drawn(said)}" if said else ""


def _environment(tree: ModelTree, place: Place, choice: Choice | None) -> Mapping[str, str]:
    """What a command finds out about the switch; the site's passphrase is none of its business."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("SEALIFT_")}
    version = str(choice.path.version) if choice else ""
    return inherited | {
        "SEALIFT_GROUP": place.group,
        "SEALIFT_MODEL": place.model,
        "SEALIFT_VERSION": version,
        "SEALIFT_PATH": str(tree.link(place)) if choice else "",
    }
