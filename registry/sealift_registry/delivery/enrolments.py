"""What a row says of a site's enrolment, believed as far as it was signed.

A stage that somebody wrote into a column would be a stage that nobody chose, and a site that nobody
enrolled would be one to export to. So the site's own signature, that of a fleet administrator and
the delegation by `fleet` are looked at before a word of it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Row

from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import RowError
from sealift_signing import roles, statements
from sealift_signing.errors import NoKeyError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Signed, SiteAnswer, SiteRequest

NEXT = (
    "Somebody changed the database, or it is damaged. See all that is wrong with it with: "
    "sealift audit fsck; then restore it from a backup."
)


@dataclass(frozen=True)
class SiteEnrolment:
    """A site's request, and the answer to it that a fleet administrator signed."""

    request: Signed[SiteRequest]
    answer: Signed[SiteAnswer]


def verified(repository: Repository, row: Row[tuple[object, ...]]) -> SiteEnrolment:
    """What was signed of the enrolment in `row`.

    Raises:
        RefusedError: nobody who may signed it, or the row says something else; the site is named.
    """
    try:
        enrolled = _read(repository, row)
    except RowError:
        raise  # of a role: that is what is wrong, and it has a name of its own
    except RefusedError as bad:
        raise RefusedError(
            "site-row-not-signed",
            f"The enrolment {str(row.enrolment)[:12]} of site {row.id}, as the database has it, is "
            f"not what was signed: {bad.what}",
            subject=str(row.id),
            next_step=NEXT,
        ) from bad
    return enrolled


def current(
    repository: Repository, site: str, found: Sequence[SiteEnrolment]
) -> SiteEnrolment | None:
    """The one of a site's enrolments that counts; None where it has none.

    Raises:
        RefusedError: `fleet` lists the key of none of them as the site's.
    """
    active = [one for one in found if _is_active(repository, one)]
    if found and not active:
        raise missing(site, "with the key that fleet lists as the site's")
    return max(active, key=lambda one: one.answer.predicate.made, default=None)


def missing(site: str, which: str) -> RefusedError:
    """The error where an enrolment that there must be is not in the database."""
    return RefusedError(
        "site-row-missing",
        f"The database has no enrolment of site {site} {which}: its row is missing.",
        subject=site,
        next_step=NEXT,
    )


def _is_active(repository: Repository, enrolled: SiteEnrolment) -> bool:
    """Whether `fleet` lists the key of this enrolment as the site's."""
    said = enrolled.request.predicate
    return any(
        (one.key, one.name, one.purpose, one.status) == (said.key, said.site, "site", "active")
        for one in repository.sound_fleet().keys
    )


def _read(repository: Repository, row: Row[tuple[object, ...]]) -> SiteEnrolment:
    name, answered = str(row.id), bytes(row.answer)
    request = statements.read(SiteRequest, bytes(row.request), what=f"the request of {name}")
    answer = statements.read(SiteAnswer, answered, what=f"the answer to {name}")
    statements.verify(
        request, PublicKey.parse(request.predicate.key), what=f"the request of {name}"
    )
    _check_administrator(repository, answer, f"the answer to {name}")
    said = answer.predicate
    columns = (row.id, row.enrolment, row.stage, repository.organisation())
    if columns != (said.site, sha256(answered).hexdigest(), said.stage, said.organisation):
        raise RefusedError("row-differs", "its columns say something other than the answer.")
    about = answer.about(f"sites/{name}/request", request.sha256)
    if (request.predicate.site, said.request) != (name, request.sha256) or not about:
        raise RefusedError("row-differs", "its answer is to another request.")
    if roles.site_role(name) not in repository.delegated(roles.SITE):
        raise RefusedError("row-differs", "fleet delegates no role of that site.")
    return SiteEnrolment(request, answer)


def _check_administrator(repository: Repository, answer: Signed[SiteAnswer], what: str) -> None:
    """A fleet administrator signed it, by any targets that there were: they come and go."""
    for targets in repository.stored.authentic(roles.TARGETS):
        for key in roles.keyholders(targets.metadata.signed, roles.FLEET).keys:
            if key.keyid == answer.envelope.keyid:
                statements.verify(answer, key, what=what)
                return
    raise NoKeyError("no-key", f"No fleet administrator signed {what}.", subject=what)
