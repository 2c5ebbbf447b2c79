"""Step (1) of an import: recalls first, because they are honoured whatever else is wrong.

A recall needs no fresh timestamp and no whole bundle: it needs a safety officer's signature under
the newest authentic delegation. A carrier who spoils the rest of a bundle does not stop a recall,
and a hub that lets everything expire does not either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Protocol

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import documents, roles
from sealift_signing.compromised import Compromised, barred, entered_by
from sealift_signing.documents import Recall
from sealift_signing.errors import RefusedError
from sealift_signing.roles import RECALL, TARGETS
from sealift_signing.tuf_walk import Need, Walk, check_signed, drive, read_metadata
from sealift_sync.bundle import layout
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.verifying.tuf_metadata import check_document


class SmallFiles(Protocol):
    """Files of a bundle by their path in it, wherever they lie."""

    def get(self, path: str) -> bytes | None:
        """The bytes of a file, or None if it is not there."""

    def below(self, folder: str) -> Iterator[str]:
        """The paths of the files below `folder`."""


@dataclass(frozen=True)
class Grounds:
    """By what a site judges recalls.

    Attributes:
        root: the newest root that it trusts, as bytes.
        targets: the newest top-level targets role that it verified, if any.
        compromised: the keys that it knows to be.
        now: trusted time, which nothing here goes by.
    """

    root: bytes
    targets: bytes | None
    compromised: Compromised
    now: datetime = field(compare=False)

    @classmethod
    def of(cls, site: OpenSite) -> Grounds:
        """Those of `site`, as its state is now."""
        roots = site.state.roots()
        return cls(
            roots[max(roots)],
            site.state.trusted().get((roles.ROOT, TARGETS)),
            site.state.compromised(),
            site.trusted_time(),
        )


def authentic_recalls(bundle: SmallFiles, grounds: Grounds) -> tuple[Recall, ...]:
    """The recalls in `bundle` that an officer signed, each once."""
    found: dict[Recall, None] = {}
    root, lost = _newest_root(bundle, grounds)
    delegating = _newest_targets(bundle, grounds, root, lost)
    data = bundle.get(layout.target_file(documents.RECALL_PATH))
    if delegating is not None and data is not None:
        lost |= entered_by(TARGETS, delegating)
        without = barred(lost, (roles.ROOT, TARGETS))
        for metadata in _signed_by(bundle, RECALL, delegating, without):
            found |= dict.fromkeys(_recalls(data, metadata.signed))
    return tuple(found)


def _newest_targets(
    bundle: SmallFiles, grounds: Grounds, root: Root, lost: Compromised
) -> Targets | None:
    """The newest top-level targets role that the newest reachable root vouches for."""
    without = barred(lost, (roles.ROOT,))
    known = () if grounds.targets is None else (read_metadata(grounds.targets, TARGETS, Targets),)
    found = chain(_signed_by(bundle, TARGETS, root, without), known)
    return max(
        (metadata.signed for metadata in found), key=lambda signed: signed.version, default=None
    )


def _newest_root(bundle: SmallFiles, grounds: Grounds) -> tuple[Root, Compromised]:
    """The newest reachable root, and all that is known to be compromised with it."""
    lost = grounds.compromised
    walk = Walk(grounds.root, {}, grounds.now, check_expiry=False, compromised=lost)

    def roots_only(need: Need) -> bytes | None:
        if need.role != roles.ROOT:
            return None
        return bundle.get(layout.metadata_file(need.role, need.version))

    # It always ends in a refusal, for want of a timestamp; the roots before that are verified.
    with suppress(RefusedError):
        drive(walk.top(), roots_only, lambda _: None)
    return walk.root, walk.compromised


def _signed_by(
    bundle: SmallFiles, role: str, delegator: Root | Targets, without: frozenset[bytes]
) -> Iterator[Metadata[Targets]]:
    """Every authentic version of `role` in the bundle, old ones too: a recall has no floor.

    Signatures of the keys `without` count for none of them: what the site keeps is not in here.
    """
    for path in bundle.below(layout.METADATA):
        version, _, name = path.removeprefix(f"{layout.METADATA}/").partition(".")
        if name != f"{role}.json" or not version.isdigit():
            continue
        data = bundle.get(path)
        if data is None:
            continue
        try:
            metadata = read_metadata(data, role, Targets)
            check_signed(delegator, role, metadata, without=without)
            roles.check_layout(role, metadata.signed)
        except RefusedError:
            continue
        yield metadata


def _recalls(data: bytes, signed: Targets) -> tuple[Recall, ...]:
    listed = signed.targets.get(documents.RECALL_PATH)
    if listed is None:
        return ()
    try:
        check_document(documents.RECALL_PATH, data, listed.length, listed.hashes.get("sha256", ""))
        return documents.read_recalls(data).recalls
    except RefusedError:
        return ()
