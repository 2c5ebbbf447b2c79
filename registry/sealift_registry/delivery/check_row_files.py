"""Which files of check rows go to a site with what is assigned there, and what needs them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.delivery import site_software
from sealift_registry.delivery.holdings import inventory
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.proof.proof_report import named_check_rows, never_run
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.teams import lets_check_rows_travel
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    assignment_path,
    read_assignment,
)
from sealift_signing.drafts import Draft, decoded
from sealift_signing.drawing import pasted
from sealift_signing.errors import RefusedError
from sealift_signing.features import CHECK_ROWS, unread
from sealift_signing.statements import Evidence
from sealift_signing.vocabulary import CatalogPath, counted


@dataclass(frozen=True)
class CheckRowFiles:
    """Files of check rows of what is assigned to a site.

    Attributes:
        travelling: the digests of those that a bundle carries.
        staying: sentences about those that it does not, and why.
        untried: artifacts that were never run on their architecture, and of which none travel.
    """

    travelling: frozenset[str]
    staying: tuple[str, ...]
    untried: tuple[AssignedArtifact, ...] = ()


def of(
    hub: Hub, connection: Connection, site: EnrolledSite, assigned: Sequence[AssignedArtifact]
) -> CheckRowFiles:
    """Which files of check rows travel to `site` with what is assigned there.

    All of them in every bundle, for they are small: only where the team lets them out, and the
    site's software reads them. None that stays at home is a reason to refuse: a site that is sent
    none does as it did before there were any. But what was never run on its architecture is named:
    see `check_untried`.
    """
    proofs = {one.path: _proof(connection, one) for one in assigned}
    rows_of = {path: named_check_rows(details) for path, details in proofs.items()}
    named = {CatalogPath.parse(path): one.sha256 for path, one in rows_of.items() if one}
    repository, staying = Repository(connection), list[str]()
    kept = [
        team
        for team in sorted({path.team for path in named})
        if not lets_check_rows_travel(repository, team)
    ]
    for team in kept:
        count = _counted(sum(path.team == team for path in named))
        staying.append(
            f"Check rows of {count} stay at home: team {team} does not let them travel. "
            f"It would with: sealift team check-rows {pasted([team])} --travel"
        )
    out = {path: rows for path, rows in named.items() if path.team not in kept}
    if out and unread([CHECK_ROWS.full], site_software.software_of(connection, site).reads):
        staying.append(
            f"Check rows of {_counted(len(out))} stay at home: the software of {site.id} does not "
            f"read them. Sealift {CHECK_ROWS.since} does, or newer."
        )
        out = {}
    there = frozenset(hub.home.blobs.sizes(frozenset(out.values())))
    lost = sum(rows not in there for rows in out.values())
    if lost:
        staying.append(
            f"Check rows of {_counted(lost)} stay at home: their file is missing from the hub's "
            "own store. What brings it back says: sealift blobs fsck"
        )
    untried = {
        one.path: one
        for one in assigned
        if never_run(proofs[one.path]) and out.get(one.parsed) not in there
    }
    return CheckRowFiles(there, tuple(staying), tuple(untried.values()))


def _proof(connection: Connection, one: AssignedArtifact) -> Mapping[str, Any]:
    """The details of the proof that the evidence of an assigned artifact names; none without."""
    catalog = Catalog(connection)
    for digest in one.evidence:
        said = catalog.statement(Evidence, digest).predicate
        if said.kind == "parity":
            details: Mapping[str, Any] = said.details
            return details
    return {}


def check_untried(
    found: CheckRowFiles, known: Collection[str], site: EnrolledSite, *, whatever: bool
) -> tuple[str, ...]:
    """Check that what was never run on its architecture comes with rows by which `site` tries it.

    Args:
        found: what travels there.
        known: digests of artifacts that the site has already, which are not sent for the first
            time: nothing that stops a model waits for them.
        site: to which it would go.
        whatever: it is sent all the same, and only told.

    Raises:
        RefusedError: nobody would ever have run it before it is used.
    """
    new = [one for one in found.untried if one.sha256 not in known]
    if not new:
        return ()
    named = ", ".join(one.path for one in new)
    untried = RefusedError(
        "never-run",
        f"{named} was never run on its architecture, and {site.id} could not try it either: no "
        f"check rows would travel with it. {' '.join(found.staying)}".rstrip(),
        subject=named,
        next_step="Mend that; or convert it at a hub on a machine of that architecture. Where "
        "the rest must go at once, as with a recall, add --any-software.",
    )
    if not whatever:
        raise untried
    return (f"Written all the same: {untried.what}",)


def check_assignment(
    hub: Hub, connection: Connection, site: EnrolledSite, before: Assignment, made: Draft
) -> None:
    """Check the same of what `made` has a dispatcher assign to `site`, and `before` has not.

    Raises:
        RefusedError: as `check_untried`.
    """
    known = {one.sha256 for _, _, one in before.artifacts()}
    known |= inventory(connection, site)
    path = assignment_path(site.id)
    for one in (one for part in made.parts for one in part.documents if one.path == path):
        said = read_assignment(decoded(one.data), site.id)
        found = of(hub, connection, site, [artifact for _, _, artifact in said.artifacts()])
        check_untried(found, known, site, whatever=False)


def _counted(number: int) -> str:
    return counted(number, "artifact")
