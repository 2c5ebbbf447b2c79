"""`sealift worker`: does the jobs that wait, on this host, for as long as it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import plain, word
from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.job_attempt import Happened
    from sealift_registry.storage.host import Host
    from sealift_registry.worker import Worker

MOST_SLOTS = 64


@command(sealift, "worker", example="sealift worker --queue hub --queue cpu-x86_64")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="QUEUE",
    help="Take jobs of this queue: hub, or a hardware target. May be given more than once.  "
    "[default: all]",
)
@click.option(
    "--slots",
    type=click.IntRange(1, MOST_SLOTS),
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="Do so many jobs at once.",
)
@click.option("--once", is_flag=True, help="Do what waits now, and end: for cron.")
@click.option(
    "--grace",
    type=click.IntRange(0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="Give what runs so long to finish, when told to end.",
)
def worker(
    session: Session, *, queues: tuple[str, ...], slots: int, once: bool, grace: int
) -> None:
    """Do jobs that were asked for with --detach.

    Each is done in a process of its own. Ctrl-C or SIGTERM ends the worker: it takes no more jobs,
    and what does not finish in time is killed and left to the next worker, which goes on with it.
    A second one ends it at once. Jobs read their sources with what this environment has for MLflow,
    Git and S3. With --json it prints one object a line.
    """
    made = _worker(session, queues, slots)
    _tell_begin(session, made)
    with _ended_by_signals(made):
        made.run(once=once, grace=float(grace))
    _tell(session, "over", {}, "The worker has ended.")


def _worker(session: Session, queues: Sequence[str], slots: int) -> Worker:
    """The worker that was asked for; what is missing for it is said before anything is done."""
    from sealift_registry.job_attempt import Attempts
    from sealift_registry.jobs.opening import open_engine
    from sealift_registry.kinds import KINDS
    from sealift_registry.storage.host import this_host
    from sealift_registry.worker import Worker

    hub = session.app.hub
    known = _queues(session)
    for name in queues:
        if name not in known:
            raise _no_queue(name, known)
    with hub.database.writing():  # two commands that need an id first must not differ
        here = this_host(hub.home.root)
    _share_log_file()
    import threading

    telling = threading.Lock()

    def told(happened: Happened) -> None:
        with telling, suppress(OSError):  # nobody reads any more; the jobs go on
            _tell_job(session, happened)

    def noted(text: str) -> None:
        with telling, suppress(OSError):
            session.terminal.note(text)

    stated = hub.log.stated
    attempts = Attempts(
        hub,
        open_engine(hub.home, hub.database),
        f"{here.id[:8]}-{os.getpid()}-{os.urandom(4).hex()}",
        here,
        KINDS.keys(),
        told,
        today=stated.isoformat() if stated else None,
    )
    return Worker(attempts, list(dict.fromkeys(queues)) or known, slots, noted)


def _queues(session: Session) -> list[str]:
    """Every queue that there is here."""
    from sealift_registry.jobs.job import HUB

    return [HUB, *sorted(session.app.hardware_targets)]


def _no_queue(name: str, known: Sequence[str]) -> UsageError:
    return UsageError(
        "no-queue",
        f"There is no queue {word(name)}.",
        subject=name,
        next_step=f"There are: {', '.join(map(word, known))}. A hardware target of your own is "
        "described in the home's folder hardware-targets.",
    )


def _share_log_file() -> None:
    """Have the processes of jobs write to the log file that `--log-file` names."""
    named = click.get_current_context().find_root().params.get("log_file")
    if named is not None:
        from sealift_signing.log_file import VARIABLE

        os.environ[VARIABLE] = str(Path(named).absolute())


@contextmanager
def _ended_by_signals(made: Worker) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the worker in order; a terminal that is closed does not."""
    import signal

    def stop(*_: object) -> None:
        made.stop()

    asked: dict[int, Any] = {signal.SIGTERM: stop, signal.SIGINT: stop}
    asked[signal.SIGHUP] = signal.SIG_IGN
    before = {number: signal.signal(number, handler) for number, handler in asked.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ---------------------------------------------------------------------- what is said


def _tell(session: Session, event: str, data: dict[str, Any], text: str | list[str]) -> None:
    with suppress(OSError):
        session.terminal.answer("worker", {"event": event, **data}, text)


def _tell_begin(session: Session, made: Worker) -> None:
    here: Host = made.attempts.here
    data = {"queues": list(made.queues), "slots": made.slots, "host": here.name}
    several = "" if made.slots == 1 else f", {made.slots} at once"
    names = ", ".join(map(word, made.queues))
    lines = [f"Takes jobs on {plain(here.name)}{several}, of the queues: {names}"]
    _tell(session, "ready", data, lines)


def _tell_job(session: Session, happened: Happened) -> None:
    """One line of what happened to a job, and two where something was wrong."""
    job, problem = happened.job, happened.problem
    data = {
        "job": job.id,
        "kind": job.order.kind,
        "attempt": happened.attempt,
        "seconds": happened.seconds,
        "again": happened.again or None,
        "code": problem.code if problem else None,
        "what": problem.what if problem else None,
    }
    lines = [f"{job.id} {_words(happened)}"]
    if problem is not None:
        lines += [f"  {plain(problem.what)}"]
        lines += [f"  Next: {plain(problem.next)}"] if happened.what != "again" else []
    _tell(session, happened.what.replace(" ", "-"), data, lines)


def _words(happened: Happened) -> str:
    order, what = happened.job.order, happened.what
    after = f", after {happened.seconds:.1f} s"
    if what == "begun":
        count = "" if happened.attempt == 1 else f", attempt {happened.attempt}"
        return f"begun: {word(order.kind)}, asked for by {word(order.asked_by)}{count}"
    if what == "again" and happened.problem and happened.problem.code == "waits-for-builder":
        return "waits for a builder on another machine"
    if what == "again":
        return f"did not succeed{after}; it is tried again at {happened.again} or later"
    if what == "left":
        return f"left: this Sealift does not know {word(order.kind)}, and a newer one will"
    return {
        "done": f"done{after}",
        "failed": f"failed{after}",
        "set-aside": "set aside: it was tried too often",
        "ended": "stopped: it was cancelled, or has ended elsewhere",
        "given back": "given back: another attempt will go on with it",
        "refused": f"refused{after}: what attempt {happened.attempt} came to counts for nothing",
        "put off": "put off: it could not be begun, and waits",
    }[what]
