"""`--detach`: a job is asked for, and whoever works at jobs does it.

No engine is loaded for that. A job is wanted because its row says so, and workers look at the rows:
so there is nothing that could fail after the row is written, and nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import click

from sealift_registry.cli.session import F, Session, user
from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.jobs.records import Wanted

ORDINARY = 5
"""As `jobs.job.ORDINARY`, which a command that is not detached does not load."""


def detach_options(function: F) -> F:
    """`--detach` and `--priority`: the command is given `detached`, its priority or None."""

    def run(*args: object, detach: bool, priority: int | None, **given: object) -> object:
        if priority is not None and not detach:
            raise UsageError(
                "priority-alone",
                "--priority is given, and there is no job to have it.",
                subject="--priority",
                next_step="Give --detach as well, or leave --priority out.",
            )
        return function(*args, detached=(priority or ORDINARY) if detach else None, **given)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__dict__.update(vars(function))
    help_text = f"With --detach: 1 comes first.  [default: {ORDINARY}]"
    made = click.option("--priority", type=click.IntRange(1, 9), metavar="1-9", help=help_text)(run)
    made = click.option(
        "--detach", is_flag=True, help="Ask for a job that a worker does, and do not wait for it."
    )(made)
    return cast("F", made)


def ask(session: Session, wanted: Sequence[Wanted]) -> None:
    """Ask for jobs; say how to watch them, and how to have them done where nobody does."""
    from sealift_registry.jobs.asking_once import ask_once
    from sealift_registry.jobs.dbos_watching import watched
    from sealift_registry.shown import job_asked

    hub = session.app.hub
    jobs = [ask_once(hub, one, user()) for one in wanted]
    seen = watched(hub)
    told = job_asked.told(jobs, [bool(seen.takers(one.order)) for one, _ in jobs])
    session.terminal.answer("job-asked", told.data, told.lines)
