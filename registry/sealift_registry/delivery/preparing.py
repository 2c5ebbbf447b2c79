"""What is exported to a site now: of one state of the hub, and only if the site would take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.delivery import (
    assignments,
    check_row_files,
    site_software,
    transfer_hosts,
    transfers,
    witnesses,
)
from sealift_registry.delivery.bundle_contents import (
    BundleContents,
    check_blobs,
    gather,
    people_roles,
)
from sealift_registry.delivery.expired_approvals import expired_approvals
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.delivery.transfer_statement import unwritten
from sealift_registry.delivery.transfers import Begun
from sealift_registry.trust import catalogs, readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import roles
from sealift_signing.documents import Assignment
from sealift_signing.drafts import Draft
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.vocabulary import moment
from sealift_sync.bundle import layout

RENEW_WITHIN = timedelta(days=45)
"""The hub renews its own catalog roles when less than this is left, so no bundle outlives them."""


@dataclass(frozen=True)
class Order:
    """What is to be exported: for which site, to which medium, `full` or without what it has.

    `key` is that of whoever signs it while it is written; None where nobody does. `any_software` is
    whether it is meant although the site's software does not read it, by the site's word; `anew`,
    whether no earlier run is gone on with.
    """

    site: str
    medium: Path
    key: PublicKey | None
    full: bool
    any_software: bool = False
    anew: bool = False


@dataclass(frozen=True)
class Ready:
    """A site, its assignment and the load for it, all of one state of the hub.

    Attributes:
        draft: what vouches for it, unsigned, with no file written yet.
        newest: the site's newest transfer.
        same: an earlier run's transfer, of the same state, for this run to go on with.
        lapsed: sentences about what the site would not install, or not read.
        unprotected: why one person alone could have made the bundle.
    """

    site: EnrolledSite
    assignment: Assignment
    load: BundleContents
    draft: Draft
    newest: Begun | None
    same: Begun | None
    lapsed: tuple[str, ...]
    unprotected: tuple[str, ...]

    @property
    def left_out(self) -> Mapping[str, int]:
        """The blobs that stay at home, digest to bytes."""
        return self.load.left_out


def prepare(
    hub: Hub, order: Order, transfer: str | None = None, before: Ready | None = None
) -> Ready:
    """What a bundle made now would be, if the site would take it; from one state of the hub.

    Raises:
        RestoredError: what lies on the medium shows that this hub was restored from a backup.

    Args:
        hub: to be asked.
        order: for whom it is.
        transfer: its id, where it has one.
        before: what it would have been a moment ago, to be spared reading the same manifests.
    """
    readiness.notice(hub, witnesses.on_medium(order.medium))
    ready = hub.reading_blobs(partial(_prepared, order, transfer, before))
    contents = replace(ready.load.contents, store=hub.home.blobs)  # to be read from
    check_blobs(contents.store, contents.stored_files().values())
    return replace(ready, load=replace(ready.load, contents=contents))


def _prepared(
    order: Order, transfer: str | None, before: Ready | None, hub: Hub, connection: Connection
) -> Ready:
    readiness.check(hub, connection)
    site = Sites(connection).get(order.site)
    repository = Repository(connection)
    assignment = assignments.current(repository, site)
    _check_assigned(site, assignment)
    assignments.check_assigned(connection, assignment)
    if order.key is not None:
        _check_dispatcher(repository, site, order.key)
    _check_roles(hub, repository, assignment)
    newest = transfers.newest(connection, site)
    same = newest if newest and _goes_on(hub, connection, site, newest) else None
    if transfer is None and same is not None:
        same = None if order.anew else transfer_hosts.checked_here(hub, same, site)
    name = transfer or _next_id(site, newest, same)
    listed = before.load.listed if before else {}
    load = gather(hub, connection, site, assignment, full=order.full, transfer=name, listed=listed)
    told = site_software.check_load(
        connection, site, load.contents, load.requires, whatever=order.any_software
    )
    known, whatever = load.held.manifests, order.any_software
    told += check_row_files.check_untried(load.rows, known, site, whatever=whatever)
    return Ready(
        site,
        assignment,
        load,
        unwritten(hub, connection, site, load, name),
        newest,
        same,
        (*told, *expired_approvals(hub, connection, site, assignment, load.held.manifests)),
        repository.unprotected(),
    )


def _goes_on(hub: Hub, connection: Connection, site: EnrolledSite, newest: Begun) -> bool:
    """Whether a run today may go on with `newest`: nothing would be signed anew for it."""
    days = timedelta(days=hub.home.settings.delivery.freshness_days)
    timestamp = Repository(connection).targets(roles.TIMESTAMP).signed  # has expires, too
    left = timestamp.expires - hub.now()
    return (
        newest.is_fresh(site, hub.now())
        and days - transfers.FRESH < left <= days
        and not renewed(hub, connection).metadata
    )


def _check_roles(hub: Hub, repository: Repository, assignment: Assignment) -> None:
    for role in (roles.ROOT, *people_roles(assignment)):
        expires = repository.targets(role).signed.expires  # root's, too
        if expires <= hub.now():
            raise RefusedError(
                "role-expired",
                f"The signature of {role} expired at {moment(expires)}; the site would refuse "
                "the bundle.",
                subject=role,
                next_step=f"Have it signed again: sealift renew {role}",
            )


def renewed(hub: Hub, connection: Connection) -> Change:
    """The catalog roles that would expire on the way, signed again."""
    repository = Repository(connection)
    change = Change()
    journey = timedelta(days=hub.home.settings.delivery.freshness_days)
    for role in repository.delegated(roles.CATALOG):
        metadata = repository.targets(role)
        if metadata.signed.expires - hub.now() < max(RENEW_WITHIN, journey):
            owner = repository.targets().signed
            again = catalogs.following(repository, role, owner, hub.now())
            catalogs.sign(hub.online, again, role, owner)
            change.metadata[role] = again
    return change


def _next_id(site: EnrolledSite, newest: Begun | None, same: Begun | None) -> str:
    if same is not None and same.body is None:
        return same.id
    return layout.transfer_id(site.id, newest.number + 1 if newest else 1)


def _check_assigned(site: EnrolledSite, assignment: Assignment) -> None:
    if not assignment.groups and not assignment.retire:
        raise NotFoundError(
            "nothing-assigned",
            f"Nothing is assigned to site {site.id}.",
            subject=site.id,
            next_step=f"Assign a version: sealift assign {site.id} TEAM/MODEL/VERSION "
            "--for GROUP=HARDWARE-TARGET",
        )


def _check_dispatcher(repository: Repository, site: EnrolledSite, key: PublicKey) -> None:
    holders = roles.keyholders(repository.targets(roles.FLEET).signed, roles.site_role(site.id))
    if key.raw not in {one.raw for one in holders.keys}:
        raise RefusedError(
            "not-the-dispatcher",
            f"This key is not that of the dispatcher of site {site.id}.",
            subject=site.id,
            next_step="Give --key with the dispatcher's key file.",
        )
