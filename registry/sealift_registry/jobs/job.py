"""What a job is: what was asked for, by whom, and where it may run; its attempts, and its end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.errors import UsageError, shown
from sealift_signing.shape import Opaque
from sealift_signing.vocabulary import Between, Count, Moment, Name, Sentence

Outcome = Literal["done", "failed", "cancelled", "set-aside"]
"""How a job ends: with a result; refused, or failed too often; taken back by a person; or because
its process died each time."""

Priority = Annotated[int, Between(1, 9)]
"""1 comes first."""

ORDINARY = 5
MOST_ATTEMPTS = 4
"""Attempts of a job, whatever ended them; then it is set aside, and the others go on."""
HUB = "hub"
"""The queue of what any process of the hub can do; a variant's is its hardware target's id."""
LARGEST_ORDER = 1024 * 1024


@dataclass(frozen=True)
class JobOrder:
    """What was asked for.

    Attributes:
        format: of these bytes.
        requires: features that a reader must know.
        key: its random name, for engines.
        kind: `ingest`, `convert`, `export` …: what is done.
        arguments: of that kind; they hold no key, no passphrase and no password.
        queue: who may do it.
        priority: within its queue.
        seconds: how long an attempt may take.
        host: where alone it can be done, because it reads or writes there; absent for anywhere.
        host_name: what people call that.
        asked_by: a login name.
        asked: when.
        retries: the number of the job that this one does again.
    """

    DOCUMENT: ClassVar[str] = "job-order"

    format: Literal[1]
    requires: tuple[str, ...]
    key: Name
    kind: Name
    arguments: Mapping[str, Opaque]
    queue: Name
    priority: Priority
    seconds: Count
    host: Sentence | None
    host_name: Sentence | None
    asked_by: Sentence
    asked: Moment
    retries: Count | None

    def digest(self) -> str:
        """The sha256 of its bytes, which the log has."""
        return sha256(shape.write(self)).hexdigest()


@dataclass(frozen=True)
class Job:
    """A job: its number at this hub, and what was asked for."""

    number: int
    order: JobOrder

    @property
    def id(self) -> str:
        """As people call it: `J-000017`."""
        return job_id(self.number)


@dataclass(frozen=True)
class Attempt:
    """One time that somebody began to work at a job.

    Attributes:
        job: its number.
        number: from 1.
        token: a random word that whoever works at it has.
        host: where, as an id.
        host_name: as people call it.
        worker: which process there.
        software: the release of Sealift.
        made: when it began.
    """

    job: int
    number: int
    token: str
    host: str
    host_name: str
    worker: str
    software: str
    made: str


@dataclass(frozen=True)
class Problem:
    """An error as it is kept: what people are told, and with what next step.

    Attributes:
        code: the error's.
        what: in a sentence.
        subject: what it is about.
        next: what to do.
        final: whether the same again would fail the same.
        exit_code: with which a command would end (docs/reference/exit-codes.md).
    """

    code: Name
    what: str
    subject: str
    next: str
    final: bool
    exit_code: Count = 1


@dataclass(frozen=True)
class JobEnd:
    """How a job ended.

    Attributes:
        format: of these bytes.
        requires: features that a reader must know.
        job: its number.
        outcome: how.
        result: what a command would answer as JSON; absent unless it is done.
        problem: what was wrong; absent where it is done.
        attempt: which attempt ended it; 0 where it was cancelled while none was at work.
        host_name: where that was.
        software: which release of Sealift.
        by: who ended it, where a person did.
        made: when.
    """

    DOCUMENT: ClassVar[str] = "job-end"

    format: Literal[1]
    requires: tuple[str, ...]
    job: Count
    outcome: Outcome
    result: Opaque | None
    problem: Problem | None
    attempt: Count
    host_name: Sentence | None
    software: Sentence
    by: Sentence | None
    made: Moment

    def digest(self) -> str:
        """The sha256 of its bytes, which the log has."""
        return sha256(shape.write(self)).hexdigest()


@dataclass(frozen=True)
class Setback:
    """Why an attempt failed, and when the next one may begin."""

    attempt: int
    problem: Problem
    made: str
    again: str


def job_id(number: int) -> str:
    """`J-000017`."""
    return f"J-{number:06d}"


def parse_job(text: str) -> int:
    """The number of `J-000017`.

    Raises:
        UsageError: another spelling.
    """
    found = re.fullmatch(r"[Jj]-0*([1-9][0-9]{0,14})", text)
    if found is None:
        raise UsageError(
            "bad-job",
            f"{shown(text)} does not name a job.",
            subject=text,
            next_step="Write J-000017, as `sealift job list` prints it.",
        )
    return int(found[1])


def number_in(data: Mapping[str, Json]) -> int | None:
    """The number of the job that an entry of the log speaks of; None where it names none."""
    with suppress(UsageError):
        return parse_job(str(data.get("job")))
    return None
