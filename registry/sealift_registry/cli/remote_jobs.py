"""`sealift job` of a hub behind its server: what it tells of jobs, and what it is told to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import sleep
from typing import TYPE_CHECKING, Any

from sealift_registry.cli import remote
from sealift_registry.cli.terminal import Subjects
from sealift_registry.client import faults
from sealift_registry.client.address import address_of
from sealift_registry.client.answers import theirs
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import (
    FailedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)
from sealift_signing.vocabulary import NAME

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session
    from sealift_sync.progress import Phases

LOOK = 1.0
"""Seconds between two looks at a job that is watched."""
UNTAKEN = frozenset({"no-worker", "host"})
"""Why a job waits that no worker takes."""
PATIENCE = 3
"""Looks after which that is said."""
ENDS = frozenset({"done", "failed", "cancelled", "set-aside"})
GOES_ON = frozenset({"waits", "works", "waits-again"})
KINDS = frozenset({"ingest", "convert", "export"})
"""Kinds of jobs, whose results are called as what their commands answer."""
COUNTED = frozenset({"ingest", "export"})
_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){0,9}")
_BY_EXIT_CODE: Mapping[int, type[SealiftError]] = {
    one.exit_code: one for one in (RefusedError, UsageError, NotFoundError, FailedError)
}


def watch(session: Session, name: str) -> None:
    """Watch a job until it ends, and end as it did.

    Raises:
        SealiftError: the job's, or the server's.
    """
    said, result = _ended(session, name)
    as_json, kind = session.terminal.as_json, _text(said, "kind")
    lines = () if as_json else came(session, name)
    # Whoever reads it goes by what it is called: what a server could call it is of a closed list.
    called = kind if kind in KINDS else "job"
    session.terminal.answer(called, remote.without_schema(result), lines)


def result(session: Session, name: str) -> Mapping[str, Any]:
    """What a job came to, once it has ended.

    Raises:
        SealiftError: the job's, or the server's.
    """
    return _ended(session, name)[1]


def came(session: Session, name: str) -> list[str]:
    """What came of a job, of all that is shown of it: it stands last, behind an empty line."""
    lines = session.remote.lines(address_of("jobs", name))
    return lines[lines.index("") + 1 :] if "" in lines else lines


def cancel(session: Session, name: str) -> None:
    """Take a job back."""
    said = session.remote.order(address_of("jobs", name, "cancel"))
    job, by, ended = (word(_text(said, one)) for one in ("job", "by", "ended"))
    line = f"{job} was cancelled by {by} at {ended}."
    session.terminal.answer("job-cancel", remote.without_schema(said), line)


def retry(session: Session, name: str) -> None:
    """Ask again for what a job was to do."""
    said = session.remote.order(address_of("jobs", name, "retry"))
    made, old = word(_text(said, "job")), word(_text(said, "retries"))
    what = f"{made} does again what {old} was to do"
    lines = [f"{what}." if said.get("new") is True else f"{what}, already."]
    lines.append(f"  Watch it:  sealift job watch {pasted([made])}")
    session.terminal.answer("job-retry", remote.without_schema(said), lines)


@contextmanager
def going_on(session: Session, name: str) -> Iterator[None]:
    """Have whoever stops waiting be told that the job goes on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        again, back = (
            pasted(["sealift", "job", one, "--server", str(session.server), name])
            for one in ("watch", "cancel")
        )
        stop.add_note(
            f"Only the waiting: {word(name)} was asked for, and goes on. See it with: {again} Or "
            f"take it back: {back}"
        )
        raise


class _Watching:
    """Tells whoever waits how a job stands, as it changes."""

    def __init__(self, session: Session, phases: Phases, name: str) -> None:
        self._note = session.terminal.note
        self._phases = phases
        self._name = word(name)
        self._told = ""
        self._step = ""
        self._untaken = 0
        self._subjects: Subjects | None = None

    def tell(self, said: Mapping[str, Any]) -> None:
        """How it stands now."""
        state = word(_text(said, "state").replace("-", " "))
        if state != self._told:
            self._told = state
            self._note(f"{self._name} {state}.")
        self._tell_why(said)
        standing = said.get("standing")
        if not isinstance(standing, dict):
            return
        step = word(_text(standing, "step"))
        if self._subjects is None or step != self._step:
            self._step = step
            counted = said.get("kind") in COUNTED
            self._subjects = Subjects(self._phases, step, counted=counted)
        done, total = _number(standing, "done"), _number(standing, "total")
        self._subjects(word(_text(standing, "subject")), done, total)

    def _tell_why(self, said: Mapping[str, Any]) -> None:
        """That nobody takes it, once it is so for a while: a worker may be about to start."""
        waits = said.get("waits")
        reason = _text(waits, "reason") if isinstance(waits, dict) else ""
        self._untaken = self._untaken + 1 if reason in UNTAKEN else 0
        if self._untaken != PATIENCE:
            return
        where = "the one machine that can do it" if reason == "host" else "the hub's machine"
        self._note(
            f"{self._name} waits for a worker, and none is there that takes it. It begins once one "
            f"is started on {where}, where the hub's home lies:"
        )
        queue = _text(said, "queue")
        if NAME.matches(queue):  # a server names it, and it is there to be pasted
            self._note(f"  {pasted(['sealift', 'worker', '--queue', queue])}")


def _ended(session: Session, name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A job that was watched until it was done, and its result; else what a command would raise."""
    path = address_of("jobs", name)
    with session.terminal.phases() as phases:
        watching = _Watching(session, phases, name)
        while _text(said := session.remote.members(path), "state") not in ENDS:
            if _text(said, "state") not in GOES_ON:
                raise faults.odd(str(session.server), "without saying how the job stands")
            watching.tell(said)
            sleep(LOOK)
    made, problem = said.get("result"), said.get("problem")
    if said.get("state") == "done" and isinstance(made, dict):
        return said, made
    if isinstance(problem, dict) and _CODE.fullmatch(_text(problem, "code")):
        kind_of = _BY_EXIT_CODE.get(_number(problem, "exit_code"), RefusedError)
        what, subject, step = (_text(problem, one) for one in ("what", "subject", "next"))
        raise theirs(kind_of, _text(problem, "code"), what, subject, step)
    state = word(_text(said, "state").replace("-", " "))
    raise RefusedError(
        "job-ended",
        f"{word(name)} has ended: {state}.",
        subject=name,
        next_step=f"See what came of it with: sealift job show {pasted([name])} --server "
        f"{pasted([str(session.server)])}",
    )


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name)
    return found if isinstance(found, str) else ""


def _number(said: Mapping[str, Any], name: str) -> int:
    found = said.get(name)
    return found if isinstance(found, int) else 0
