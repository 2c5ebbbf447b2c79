"""What is answered about the hub itself: its jobs, its log, its settings (as `shapes`)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from sealift_registry.web.shapes import Page, Refused, Text


class JobProblem(Struct):
    """What went wrong in a job."""

    code: str
    what: str
    subject: str
    next: str
    exit_code: int
    final: bool


class JobAttempt(Struct):
    """A try at a job."""

    attempt: int
    host: str
    software: str
    begun: str
    problem: JobProblem | None


class JobWaits(Struct):
    """Why a job waits."""

    reason: str
    until: str
    before: int


class JobRow(Struct, kw_only=True):
    """A job."""

    job: str
    kind: str
    about: str
    state: str
    queue: str
    priority: int
    host: Text
    limit_seconds: float
    asked_by: str
    asked: str
    retries: Text
    attempts: list[JobAttempt]
    seconds: float | None
    waits: JobWaits | None
    ended: Text
    ended_by: Text
    problem: JobProblem | None


class Jobs(Page):
    """Jobs."""

    jobs: list[JobRow]


class JobStanding(Struct):
    """How far a job is."""

    step: str
    subject: str
    done: int
    total: int
    at: str


class JobCancelled(Struct):
    """A job that was taken back; `new`: just now."""

    job: str
    state: str
    by: str
    ended: str
    new: bool


class JobRetried(Struct):
    """A job that does again what another was to do; `new`: asked for just now."""

    job: str
    retries: str
    queue: str
    new: bool


class JobShown(JobRow, kw_only=True):
    """All about a job."""

    arguments: dict[str, Any]
    retried_by: Text
    standing: JobStanding | None
    result: dict[str, Any] | None


class TermShown(Struct):
    """A word that an entry is found by."""

    kind: str
    value: str


class EntryShown(Struct, kw_only=True):
    """An entry of a log.

    Attributes:
        log: whose: `hub`, or the site.
        seq: its number there.
    """

    log: str
    seq: int
    format: int
    requires: list[str]
    id: str
    at: str
    type: str
    actor: str
    site: str | UnsetType = UNSET
    terms: list[TermShown]
    data: Any


class HomeLogShown(Struct):
    """A site's log, as far as it came home: attested by the site's key, as of a receipt.

    Attributes:
        entries: so many of them came home.
        receipt: the newest that had come home by then; empty where none had.
        taken_in: when.
    """

    log: str
    site: str
    enrolment: str
    entries: int
    receipt: str
    taken_in: str


class Entries(Struct):
    """Entries of the hub's log and of sites'.

    Attributes:
        logs: the sites' logs that were asked.
        beyond: what goes on behind these, where there may be more.
    """

    entries: list[EntryShown]
    logs: list[HomeLogShown]
    refused: list[Refused]
    beyond: str | None


class RunsThere(Struct):
    """What a host group of a site should run of a model, and what it does by the site's own log.

    Attributes:
        assigned: the version that should run; none where nothing should.
        runs: the version that does; 0: none; none: nothing came home that says so.
        since: when the site says that it switched to it.
        heard: when the newest entry of the site's log was made.
        receipt: the newest transfer whose receipt had come home.
    """

    site: str
    group: str
    model: str
    assigned: int | None
    runs: int | None
    since: str | None
    heard: str | None
    receipt: str | None


class OverviewShown(Struct):
    """What runs where, at every site at once.

    Attributes:
        places: each host group and model; of a version, where it runs.
        elsewhere: where the version is assigned, and is not known to run.
    """

    places: list[RunsThere]
    elsewhere: list[RunsThere]
    refused: list[Refused]


class StepShown(Struct):
    """Something that is missing, and the command that does it."""

    sentence: str
    command: str


class Missing(Struct):
    """What is missing next."""

    missing: list[StepShown]


class Checkpoint(Struct):
    """How far the log is, as its key signed it.

    Attributes:
        size: how many entries it has.
        root: of its tree, in hexadecimal.
        note: the signed note (C2SP).
    """

    size: int
    root: str
    note: str


class Proof(Struct):
    """Hashes that show something of the log's tree, in hexadecimal (RFC 9162, section 2.1)."""

    hashes: list[str]


class PolicyShown(Struct):
    """policy.json as the targets role signed it."""

    policy: dict[str, Any]


class SettingsShown(Struct):
    """The hub's settings, by section; what looks like a secret is struck out (`***`).

    Where things are is told to administrators alone.
    """

    settings: dict[str, dict[str, str | int | bool]]
