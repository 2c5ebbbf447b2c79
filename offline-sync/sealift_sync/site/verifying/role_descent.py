"""Step (4) of an import, beside the floors: do people's roles descend from what is kept here?

A number says only which of two versions is the newer one. People who were offered an old base sign
a higher number in which a removal never happened (`version_links` has the rules).

`recall` is exempt, for a recall must reach a site from whichever officer made it: whatever is wrong
with its past is said, and what any authentic version recalls stays recalled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from tuf.api.metadata import Metadata, Targets

from sealift_signing import roles, version_links
from sealift_signing.errors import RefusedError
from sealift_signing.roles import RECALL, ROOT
from sealift_signing.tuf_walk import Keep, RoleKey, read_metadata
from sealift_signing.version_links import Follows

Lineages = Callable[[str], bytes | None]
"""The lineage of a role as the bundle carries it; None if it carries none."""

Signers = Callable[[str, str, Metadata[Targets]], Iterable[str]]
"""The people who signed a role's version, as its delegator names them."""


def check_descent(
    kept: Mapping[RoleKey, bytes], walked: Iterable[Keep], lineages: Lineages, signers: Signers
) -> tuple[str, ...]:
    """Check that what was `walked` descends from what this site `kept`; returns what is to say.

    Roots are no business of this: their whole chain travels, and none of it is skipped.

    Raises:
        ForkedError, MissingError, WentBackError, MalformedError: as `version_links.check_descends`.
    """
    remarks: list[str] = []
    for one in walked:
        if one.role == ROOT or roles.is_online(one.role):
            continue
        try:
            before = kept.get((one.delegator, one.role))
            remarks += _check(one, before, lineages(one.role), signers)
        except RefusedError as bad:
            if one.role != RECALL:
                raise
            remarks.append(f"{bad.what} All that was ever recalled stays recalled.")
    return tuple(remarks)


def to_keep(kept: Mapping[RoleKey, bytes], walked: Iterable[Keep]) -> tuple[Keep, ...]:
    """What of `walked` is to be kept: all but a list of recalls that is older than the one kept."""
    return tuple(one for one in walked if one.role != RECALL or not _is_older(one, kept))


def _check(one: Keep, kept: bytes | None, carried: bytes | None, signers: Signers) -> Iterator[str]:
    newer = read_metadata(one.data, one.role, Targets)
    lineage: tuple[Follows, ...] = ()
    if carried is not None:
        lineage = version_links.read_lineage(carried, one.role, newer.signed)
    if kept is None or kept == one.data:
        return
    before = read_metadata(kept, one.role, Targets)
    held, linked = version_links.named(before), version_links.follows_of(before.signed) is not None
    descent = version_links.check_descends(one.role, held, newer, lineage, linked=linked)
    if descent.set_aside is not None:
        people = " and ".join(signers(one.delegator, one.role, newer))
        yield (
            f"{one.role}: {held}, which this site went by, is given up: version "
            f"{descent.set_aside} set it aside. This site goes by "
            f"{version_links.named(newer)} from now on, which {people} signed."
        )


def _is_older(one: Keep, kept: Mapping[RoleKey, bytes]) -> bool:
    before = kept.get((one.delegator, one.role))
    return (
        before is not None and one.version < read_metadata(before, RECALL, Targets).signed.version
    )
