"""The process of one attempt at a job: it is told which, does its steps, and answers.

A worker starts it (`job_child`), and it ends with that one attempt: what takes too much memory, or
hangs, or crashes takes nothing else with it. All that it commits is refused as soon as another
attempt has begun, or the job has ended.

What is said on the way is one JSON object a line, with one member. First comes the order to begin,
then a question for each step, which is answered by what was recorded, or by `make`. Standard input
stays open for as long as the worker lives: when it ends, so does this process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TextIO, cast

from sealift_registry.jobs import folders, records
from sealift_registry.jobs.job import Attempt, Problem
from sealift_registry.jobs.problems import problem_of
from sealift_registry.jobs.steps import Made
from sealift_registry.workers import channel
from sealift_registry.workers.descendants import kill_below
from sealift_signing import canonical, command_end, command_start, file_access
from sealift_signing.clock import ClockError
from sealift_signing.errors import FailedError, SealiftError

if TYPE_CHECKING:
    from sealift_registry.kinds import Kind

OFTEN = 0.5
"""Seconds between two reports of progress."""


def main() -> NoReturn:
    """Do the one attempt that standard input names, and end the process."""
    from sealift_registry.kinds import KINDS

    serve(KINDS)


def serve(kinds: Mapping[str, Kind[Any]]) -> NoReturn:
    """As `main`, of these kinds of jobs."""
    line = _Line(channel.claim_stdin(), channel.claim_stdout())
    command_start.spare_what_is_loaded()
    asked = line.hear()
    try:
        with file_access.closed_to_others():
            command_start.open_log_file(None, "sealift", "worker")
            _work(asked, kinds, line)
    except BaseException as bad:  # noqa: BLE001 - the last place: whatever it is, it is told
        line.say("problem", vars(_problem(bad)))
    # As in `channel.serve`: what native libraries do after the work is not wanted.
    sys.stderr.flush()
    os._exit(0)


def _work(asked: channel.Document, kinds: Mapping[str, Kind[Any]], line: _Line) -> None:
    from sealift_registry.app import App, open_app
    from sealift_registry.audit.moved import MovedHubError
    from sealift_registry.audit.restored_backup import RestoredHubError

    attempt, kind = Attempt(**asked["attempt"]), kinds.get(asked["kind"])
    if kind is None:  # this software is older than the worker that began it
        line.say("unknown", asked["kind"])
        return
    try:
        app = open_app(Path(asked["home"]), os.environ)
    except SealiftError as bad:
        line.say("unready", vars(problem_of(bad, final=False)))
        return
    with closing(app):
        app.hub.log.stated = date.fromisoformat(asked["today"]) if asked["today"] else None
        if app.hub.claims is not None:  # its finished steps rest on what they took in
            app.hub.claims.belong_to_job(asked["key"])
        at_work = App(records.at_work(app.hub, attempt))
        with folders.held(app.hub.home.work, asked["key"]) as folder:
            steps = PipedSteps(folder, line)
            try:
                result = kind.run(at_work, asked["arguments"], asked["actor"], steps)
            except (ClockError, MovedHubError, RestoredHubError) as bad:  # whatever is asked for
                line.say("unready", vars(problem_of(bad, final=False)))
                return
            canonical.encode(result, what="What came of it")
    line.say("done", result)


class _Line:
    """What is said between this process and the worker."""

    def __init__(self, asker: BinaryIO, out: TextIO) -> None:
        self._heard: SimpleQueue[channel.Document] = SimpleQueue()
        self._out = out
        self._saying = threading.Lock()
        threading.Thread(target=self._listen, args=(asker,), daemon=True).start()

    def _listen(self, asker: BinaryIO) -> None:
        for line in asker:
            self._heard.put(json.loads(line))
        kill_below()
        channel.end_all()

    def hear(self) -> channel.Document:
        """What the worker says next."""
        return self._heard.get()

    def say(self, member: str, value: object) -> None:
        """Tell the worker something."""
        with self._saying:
            self._out.write(json.dumps({member: value}) + "\n")
            self._out.flush()


class PipedSteps:
    """Steps that are recorded by the worker (`Steps`).

    Args:
        folder: of the job.
        line: to the worker.
    """

    def __init__(self, folder: Path, line: _Line) -> None:
        self._folder = folder
        self._line = line
        self._told = -OFTEN

    @property
    def folder(self) -> Path:
        """Of the job."""
        return self._folder

    @property
    def keeps(self) -> bool:
        """Yes: the next attempt may be made here."""
        return True

    def step(self, name: str, make: Callable[[], Made], *, of: str = "") -> Made:
        """As `Steps.step`; of a step that was made of something else, the worker begins anew."""
        self._line.say("step", [name, of])
        answer = self._line.hear()
        if "said" not in answer:
            self._line.say("made", make())
            answer = self._line.hear()
        return cast("Made", answer["said"])

    def progress(self, subject: str, done: int, total: int) -> None:
        """As `Steps.progress`; the worker is told twice a second."""
        now = time.monotonic()
        if now - self._told >= OFTEN:
            self._told = now
            self._line.say("progress", [subject, done, total])


def _problem(bad: BaseException) -> Problem:
    """What people are told, and whether the same again would fail the same."""
    if isinstance(bad, MemoryError):
        told: SealiftError = FailedError(
            "job-memory",
            "There was not enough memory.",
            next_step="Give the worker's machine more, or have fewer jobs done there at once.",
        )
    elif isinstance(bad, SealiftError):
        told = bad
    elif isinstance(bad, OSError):
        told = command_end.unreadable(bad)
    else:
        told = command_end.unexpected(cast("Exception", bad), "sealift")
    return problem_of(told, final=not isinstance(told, FailedError))


if __name__ == "__main__":
    main()
