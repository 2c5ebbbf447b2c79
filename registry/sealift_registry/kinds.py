"""The kinds of jobs: what each is asked with, and the use case that does it.

The same function is run for a person who waits (`in_foreground`) and by whoever works at jobs. It
answers what the command answers under `--json`, so that a job that is looked at later says the same
(`cli.shown`). Nothing secret is among what a job is asked with: an order is kept, and in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.jobs import plain
from sealift_registry.jobs.job import ORDINARY
from sealift_registry.jobs.records import Wanted
from sealift_registry.jobs.steps import Made, Steps
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.shape import Dataclass
from sealift_signing.vocabulary import Name, Sentence

if TYPE_CHECKING:
    from sealift_registry.app import App
    from sealift_registry.conversion.building import Built
    from sealift_registry.workers.channel import Progress

HOUR = 60 * 60

A = TypeVar("A", bound=Dataclass)


@dataclass(frozen=True)
class Kind(Generic[A]):
    """A kind of job.

    Attributes:
        name: of it, as orders have it.
        arguments: the type of what it is asked with.
        work: does it for a person, in steps, and answers what the command does.
        seconds: that an attempt at it may take.
        goes_on: whether the same command goes on where one that was killed had stopped.
    """

    name: str
    arguments: type[A]
    work: Callable[[App, A, str, Steps], Made]
    seconds: int
    goes_on: bool = False

    def run(self, app: App, arguments: Mapping[str, Json], actor: str, steps: Steps) -> Made:
        """Do a job that was asked with `arguments`.

        Raises:
            MalformedError: those are none of this kind.
            SealiftError: as the use case.
        """
        what = f"what a job of the kind {self.name} was asked with"
        return self.work(app, shape.from_json(self.arguments, arguments, what=what), actor, steps)

    def in_foreground(self, app: App, arguments: A, actor: str, progress: Progress) -> Made:
        """Do it now, for a person who waits.

        Raises:
            SealiftError: as the use case.
        """
        same = f"{self.name} {shape.write(arguments).decode()}" if self.goes_on else ""
        with plain.in_foreground(app.hub.home.work, progress, same) as steps:
            return self.work(app, arguments, actor, steps)


# ---------------------------------------------------------------------- convert


@dataclass(frozen=True)
class ConvertArguments:
    """What a variant is built with.

    Attributes:
        version: of which one.
        hardware_target: for which.
    """

    version: Sentence
    hardware_target: Name


def _convert(app: App, asked: ConvertArguments, actor: str, steps: Steps) -> Made:
    ref = VersionRef.parse(asked.version)
    return _converted(app.conversion.convert(ref, asked.hardware_target, actor, steps))


def _converted(done: Built) -> Made:
    from sealift_signing.more_member import first_words

    row = done.artifact
    evidence: Json = {one.predicate.kind: one.predicate.verdict for one in done.evidence}
    made: Json = {
        "path": str(row.path),
        "sha256": row.sha256,
        "new": done.new,
        "evidence": evidence,
        "untried": list(done.untried),
        "told_first": list(first_words(done.evidence)),
    }
    return {"artifacts": [made]}


CONVERT = Kind("convert", ConvertArguments, _convert, 6 * HOUR, goes_on=True)


def convert_wanted(app: App, asked: ConvertArguments, priority: int = ORDINARY) -> Wanted:
    """A job that builds a variant, for whoever has that kind of machine.

    Raises:
        NotFoundError: no such version or hardware target, or no goldens yet.
        RefusedError: what its hardware target promises is no range.
    """
    ref = VersionRef.parse(asked.version)
    app.conversion.order(ref, asked.hardware_target)  # what is wrong by now is said now
    return Wanted(
        kind=CONVERT.name,
        arguments=shape.to_json(asked),
        queue=asked.hardware_target,
        priority=priority,
        seconds=CONVERT.seconds,
        terms={"model": str(ref.of)},
    )


KINDS: Mapping[str, Kind[Any]] = {one.name: one for one in (CONVERT,)}
"""Every kind that this software does, by its name."""
