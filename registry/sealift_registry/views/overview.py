"""What runs where, at every site at once: now, or as the receipts of some time said it.

What is assigned was signed by a dispatcher. What runs is told by a site's own log, all of which is
read and was signed by its key (`delivery.home_logs`): attested by that key as of a receipt, and no
more. Of an earlier time both are what the hub's log had by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from sqlalchemy import Connection

from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.delivery import assignments, home_logs
from sealift_registry.delivery.home_logs import HomeLog
from sealift_registry.delivery.site_entries import SWITCHES, Place, Running
from sealift_registry.delivery.site_state import SiteState
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust import signed_log
from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import FalseRow
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry, read_entry

ASSIGNED, UNASSIGNED = "site.assigned", "site.unassigned"
_SWITCHED = tuple(f'"type":"{one}"}}'.encode() for one in sorted(SWITCHES))
"""How the bytes of an entry end that says what runs after it."""


@dataclass(frozen=True)
class Asked:
    """What is asked for; None where it is not narrowed down.

    Attributes:
        model: only of this model.
        version: only where this one of it runs.
        site: only at this site.
        until: as it was known before this moment.
        within: which sites whoever asks is told of.
    """

    model: ModelRef | None = None
    version: int | None = None
    site: str | None = None
    until: str | None = None
    within: Within = ALL


@dataclass(frozen=True)
class RunsThere:
    """What a host group of a site should run of a model, and what it does.

    Attributes:
        assigned: the version; 0: none is.
        runs: the version; 0: none does; None: nothing came home that would say so.
        since: when it was switched to, by the site.
        heard: when the newest entry of the site's log was made; None where none came home.
        receipt: the newest transfer whose receipt had come home.
    """

    site: str
    group: str
    model: str
    assigned: int
    runs: int | None
    since: str | None
    heard: str | None
    receipt: str

    @property
    def is_as_assigned(self) -> bool:
        """Whether what runs is what should."""
        return self.runs == self.assigned


@dataclass(frozen=True)
class Overview:
    """What runs where, by site, host group and model.

    Attributes:
        elsewhere: where the version that was asked for is assigned, and does not run.
        refused: the sites of which something is not what was signed.
    """

    rows: tuple[RunsThere, ...]
    elsewhere: tuple[RunsThere, ...]
    refused: tuple[FalseRow, ...]


def overview(connection: Connection, asked: Asked) -> Overview:
    """What runs where.

    Raises:
        FailedError: the hub's log is not the one that was signed.
    """
    sites, found, refused = Sites(connection), list[RunsThere](), list[FalseRow]()
    then = None if asked.until is None else _assigned_then(connection, asked.until)
    for name in sites.names(within=asked.within):
        if asked.site not in {None, name}:
            continue
        try:
            came = home_logs.of_site(connection, name, asked.until)
            found += _of_site(connection, sites.each(name), came.logs, asked, then)
        except SealiftError as bad:
            refused.append(FalseRow(f"site {name}", bad))
            continue
        refused += [FalseRow(f"what came home of {name}", bad) for bad in came.missing]
    if asked.model is not None:
        found = [one for one in found if one.model == str(asked.model)]
    rows, elsewhere = found, list[RunsThere]()
    if asked.version is not None:
        rows = [one for one in found if one.runs == asked.version]
        elsewhere = [one for one in found if one.assigned == asked.version and one not in rows]
    return Overview(tuple(rows), tuple(elsewhere), tuple(refused))


def ref_of(text: str) -> tuple[ModelRef, int | None]:
    """The model, and the version of it, that somebody asks about.

    Raises:
        UsageError: it is spelled like neither.
    """
    if text.count("/") == 1:
        return ModelRef.parse(text), None
    ref = VersionRef.parse(text)
    return ref.of, ref.number


def _of_site(
    connection: Connection,
    every: list[EnrolledSite],
    logs: tuple[HomeLog, ...],
    asked: Asked,
    then: Mapping[str, Mapping[Place, int]] | None,
) -> Iterator[RunsThere]:
    """The rows of a site as it is enrolled, or was."""
    if asked.until is not None:
        until = asked.until
        every = list(takewhile(lambda one: one.made < until, every))
    if not every:
        return
    site = every[-1]
    wanted = _assigned(connection, site) if then is None else then.get(site.enrolment, {})
    log = next((one for one in logs if one.site.enrolment == site.enrolment), None)
    told = _Told() if log is None else _told(connection, log)
    for group, model in sorted({*wanted, *told.runs}):
        running = told.runs.get((group, model))
        yield RunsThere(
            site.id,
            group,
            model,
            wanted.get((group, model), 0),
            None if told.heard is None else running.version if running else 0,
            running.since if running else None,
            told.heard,
            log.came.receipt if log else "",
        )


@dataclass(frozen=True)
class _Told:
    """What a site's log says at its end."""

    runs: Mapping[Place, Running] = field(default_factory=dict)
    heard: str | None = None


def _told(connection: Connection, log: HomeLog) -> _Told:
    """What a log says of what runs.

    Raises:
        RefusedError: it is not what the site signed.
    """
    state, last = SiteState(), b""

    def took(seq: int, _leaf: bytes, body: bytes) -> None:
        nonlocal last
        last = body
        if body.endswith(_SWITCHED):
            state.read(seq, read_entry(body))

    home_logs.read(connection, log, took)
    return _Told({place: one.what for place, one in state.runs.items()}, read_entry(last).at)


def _assigned(connection: Connection, site: EnrolledSite) -> dict[Place, int]:
    """What the site should run now, by what its dispatcher signed."""
    found = assignments.current(Repository(connection), site)
    return {
        (group, model): versions.current.parsed.version
        for group, assigned in found.groups.items()
        for model, versions in assigned.models.items()
    }


def _assigned_then(connection: Connection, until: str) -> dict[str, dict[Place, int]]:
    """What each enrolment should run by the hub's log, before a moment."""
    found: dict[str, dict[Place, int]] = {}
    for entry in reversed(
        [one.entry for one in signed_log.entries(connection, ASSIGNED, UNASSIGNED)]
    ):
        if entry.at < until and isinstance(entry.data, Mapping):
            _apply(found.setdefault(str(entry.data.get("enrolment", "")), {}), entry)
    return found


def _apply(places: dict[Place, int], entry: Entry) -> None:
    """What an entry changes of what an enrolment should run."""
    data, groups = entry.data, entry.data["groups"]
    if entry.type == ASSIGNED:
        ref = VersionRef.parse(str(data["version"]))
        places.update({(group, str(ref.of)): ref.number for group in groups})
        return
    models = [one.value for one in entry.terms if one.kind == "model"]
    for group in groups:
        for model in models:
            places.pop((group, model), None)
