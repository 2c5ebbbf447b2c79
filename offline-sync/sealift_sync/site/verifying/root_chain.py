"""The roots on a medium, beside those that this site trusts: the whole chain travels.

A root of a number that is trusted already is the same one, or a fork: the root's keyholders signed
two. They may set one of them aside, in the other or in a later root. Keys that a root took away
could undo it so; therefore those who hold the root that is to give way sign for that, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from tuf.api.metadata import Root

from sealift_signing.errors import RefusedError
from sealift_signing.roles import ROOT
from sealift_signing.tuf_walk import MissingError, WentBackError, check_signed, read_metadata
from sealift_signing.version_links import digest, follows_of, named
from sealift_sync.bundle import layout
from sealift_sync.bundle.quarantine import Quarantine

_ROOT_FILE = re.compile(rf"{layout.METADATA}/([1-9][0-9]{{0,8}})\.root\.json")


@dataclass(frozen=True)
class Chain:
    """How the roots of a bundle continue those that this site trusts.

    Attributes:
        common: the number of the newest root that both have: the walk begins there.
        newest: the number of the newest root that the bundle holds; 0 where it holds none.
        remarks: what people here should know of it.
    """

    common: int
    newest: int
    remarks: tuple[str, ...] = ()

    def check_reached(self, number: int) -> None:
        """Check that the walk came to the newest: else the bundle passes on an older one."""
        if self.newest > number:
            raise _no_link(self.newest, number + 1)


def check_root_chain(
    bundle: Quarantine, known: Mapping[int, bytes], without: frozenset[bytes] = frozenset()
) -> Chain:
    """Check the roots that the bundle holds against those this site trusts already.

    `without` are the raw keys whose signatures do not count.

    Raises:
        WentBackError: a properly signed root of a known number that is another one: a fork.
        RefusedError: a root of a known number that nobody signed, or a gap in the chain.
    """
    carried = {
        number: bundle.read(layout.metadata_file(ROOT, number))
        for number in sorted(_root_numbers(bundle))
    }
    common = max(known)
    remarks: tuple[str, ...] = ()
    for number, data in carried.items():
        if number in known and not _is_same(data, known[number]):
            remarks = (_given_way(number, carried, known, without),)
            common = number - 1
            break
    newest = max(carried, default=0)
    later = [number for number in carried if number > common]
    for wanted, number in enumerate(later, start=common + 1):
        if number != wanted:
            raise _no_link(newest, wanted)
    return Chain(common, newest, remarks)


def _is_same(data: bytes, known: bytes) -> bool:
    """Whether the same was signed, be it by other keyholders as well."""
    try:
        return data == known or digest(read_metadata(data, ROOT, Root)) == digest(
            read_metadata(known, ROOT, Root)
        )
    except RefusedError:
        return False


def _given_way(
    number: int,
    carried: Mapping[int, bytes],
    known: Mapping[int, bytes],
    without: frozenset[bytes],
) -> str:
    """The sentence about the root that this site trusts, and that one of `carried` sets aside."""
    held = read_metadata(known[max(known)], ROOT, Root)
    for later in (data for one, data in carried.items() if number > 1 and one >= number):
        root = read_metadata(later, ROOT, Root)
        said = follows_of(root.signed)
        if said is not None and named(held) in said.set_aside:
            check_signed(held.signed, ROOT, root, without=without)
            return (
                f"root: {named(held)}, which this site went by, is given up: {named(root)} set it "
                "aside, and enough keyholders of both signed for that. This site goes "
                "by the newest root from now on; `sealift-site status` has its fingerprint."
            )
    raise _forked(number, carried[number], known)


def _root_numbers(bundle: Quarantine) -> set[int]:
    matches = (_ROOT_FILE.fullmatch(path) for path in bundle.below(layout.METADATA))
    return {int(match[1]) for match in matches if match}


def _no_link(newest: int, missing: int) -> RefusedError:
    return MissingError(
        "root-link-missing",
        f"The bundle holds root {newest}, and root {missing}, which leads to it, is missing.",
        subject=f"{missing}.root.json",
        next_step="Copy the whole bundle again, or have it exported again.",
    )


def _forked(number: int, data: bytes, known: Mapping[int, bytes]) -> RefusedError:
    """Damage, or the worst that can happen: the root's keyholders signed two of one number."""
    found = sha256(data).hexdigest()
    signer = read_metadata(known[max(number - 1, 1)], ROOT, Root).signed
    try:
        check_signed(signer, ROOT, read_metadata(data, ROOT, Root))
    except RefusedError:
        return RefusedError(
            "root-differs",
            f"Root {number} on the medium is not the one this site trusts, and nobody entitled "
            "to signed it.",
            subject=f"{number}.root.json",
            next_step="Do not use this medium; have the bundle copied or exported again.",
        )
    return WentBackError(
        "root-forked",
        f"Root {number} on the medium (sha256 {found}) is signed, and is not the root {number} "
        "that this site trusts: the root's keyholders signed two.",
        subject=f"{number}.root.json",
        next_step="Keep this medium as evidence, and call the root's keyholders. A later root that "
        "sets one of the two aside is taken.",
    )
