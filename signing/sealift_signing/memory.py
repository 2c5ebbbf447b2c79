"""The signer's memory on a disk: what was verified of each organisation, and all that was signed.

    SEALIFT_TRUST, else $XDG_CONFIG_HOME/sealift, else ~/.config/sealift     mode 0700
      ORGANISATION/known.json       what is known (`OrganisationMemory`), mode 0600
      ORGANISATION/files/SHA256     whole versions of roles, and every signed draft
      lock                          held while something is read, changed and written

A file is written aside, flushed and renamed; what `known.json` names is there before it is named.
A memory that is damaged is refused by name: begun anew in silence, it would believe what is old.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from sealift_signing import disk, drafts, file_access, locks, memory_folder, shape, version_links
from sealift_signing.drafts import Draft, RoleVersion, decoded
from sealift_signing.errors import (
    MalformedError,
    NotFoundError,
    RefusedError,
    SealiftError,
)
from sealift_signing.gate import ExaminedDraft
from sealift_signing.memory_files import MemoryFiles
from sealift_signing.memory_updates import (
    MemoryComparison,
    Offer,
    VerifiedVersions,
    begin,
    learn,
    seen_in,
)
from sealift_signing.organisation import Organisation
from sealift_signing.organisation_memory import KnownRole, OrganisationMemory, SignedOnce
from sealift_signing.public_key import PublicKey
from sealift_signing.roles import ROOT
from sealift_signing.version_links import Follows, VersionId
from sealift_signing.vocabulary import SHA256, moment
from sealift_signing.words import same_fingerprint

KNOWN, LOCK = "known.json", "lock"
NO_FILE = "0" * 64
"""The sha256 of no file: of a memory that is just begun."""


class Memory:
    """The memory in `folder`, which is made when something is first kept."""

    def __init__(self, folder: Path, told: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        self._told = told
        self._held = False

    @classmethod
    def located(
        cls, environment: Mapping[str, str], told: Callable[[str], None] = lambda _: None
    ) -> Memory:
        """The memory of whoever runs this; `told` where another command has to be waited for.

        Raises:
            UsageError: nothing says where it is: there is no home.
        """
        if environment.get("SEALIFT_TRUST"):
            return cls(Path(environment["SEALIFT_TRUST"]), told)
        given = environment.get("XDG_CONFIG_HOME")
        return cls(
            (Path(given) if given else memory_folder.home(environment) / ".config") / "sealift",
            told,
        )

    # ------------------------------------------------------------------ reading

    def organisations(self) -> tuple[OrganisationMemory, ...]:
        """All that are known.

        Raises:
            MalformedError: one is damaged.
        """
        if not self.folder.is_dir():
            return ()
        named = sorted(one.name for one in self.folder.iterdir() if SHA256.matches(one.name))
        found = map(self.known, named)
        return tuple(one for one in found if one is not None)

    def known(self, organisation: str) -> OrganisationMemory | None:
        """What is known of an organisation, the sha256 of its root 1; None if it is not known.

        Raises:
            MalformedError: it is damaged, or was removed in part.
            FailedError: it cannot be read.
        """
        place = self._place(organisation)
        if not place.exists():
            return None
        path = place / KNOWN
        data = memory_folder.read(path)
        try:
            found = shape.read(OrganisationMemory, data or b"", what=str(path))
        except MalformedError as bad:
            raise memory_folder.damaged(path) from bad
        if found.organisation != organisation:
            raise memory_folder.damaged(path)
        return found

    def file(self, known: OrganisationMemory, digest: str) -> bytes:
        """A file that is kept.

        Raises:
            MalformedError: it is damaged or gone.
        """
        path = self._place(known.organisation) / memory_folder.FILES / digest
        data = memory_folder.read(path)
        if data is None or sha256(data).hexdigest() != digest:
            raise memory_folder.damaged(path)
        return data

    def version(self, known: OrganisationMemory, file: str) -> RoleVersion:
        """A version of a role, whole."""
        return shape.read(
            RoleVersion, self.file(known, file), what=f"the remembered version {file}"
        )

    def whole(self, known: OrganisationMemory, role: str, number: int | None) -> RoleVersion:
        """A version of a role as it is kept, or its newest; of two of one number the newer.

        Raises:
            NotFoundError: it is not known here.
        """
        if role == ROOT:
            newest = self.version(known, known.root_file)
            roots = newest.roots[:number]
            if number is None or number == len(roots):
                return replace(newest, data=roots[-1], roots=roots)
        found = [one for one in (*known.older, *known.roles) if one.role == role]
        named = [one for one in found if number in {None, one.version}]
        if not named:
            numbers = ", ".join(str(one.version) for one in found)
            known_here = ", ".join(("root", *(one.role for one in known.roles)))
            raise NotFoundError(
                "no-head",
                f"No version of {role} is known here."
                if number is None
                else f"Version {number} of {role} is not known here.",
                subject=role,
                next_step=f"Known: {numbers or known_here}.",
            )
        return self.version(known, named[-1].file)

    def draft(self, known: OrganisationMemory, one: SignedOnce) -> Draft:
        """What was signed, as it was signed."""
        return drafts.read(self.file(known, one.file), what=f"the remembered draft {one.file}")

    def offer(self, known: OrganisationMemory) -> Offer:
        """All that is remembered, as files to verify things by, or to give to a colleague."""
        files = MemoryFiles(known, lambda file: self.version(known, file))
        former = {(one.role, one.version): files.data(one) for one in known.older}
        return Offer(files, files.lineages, former, "what is known here")

    def named(self, known: OrganisationMemory, role: str) -> tuple[VersionId, ...]:
        """Every version of a role whose digest is known, the newest first.

        Several of one number stand in it where one was signed here and is not the published one.
        """
        found = {one.named for one in (*known.roles, *known.older) if one.role == role}
        found |= {one.named for one in known.signed if one.name == role}
        found |= self.past(known, role)
        return tuple(sorted(found, reverse=True))

    def past(self, known: OrganisationMemory, role: str) -> frozenset[VersionId]:
        """What the newest version of a role is or descends from, as far as that is known."""
        if role == ROOT:
            return frozenset(one.named for one in Organisation(self.offer(known).files).roots)
        newest = known.role(role)
        below = frozenset(one.predecessor for one in self._follows(known, role))
        return below | {newest.named} if newest else below

    def set_aside(self, known: OrganisationMemory, role: str) -> frozenset[VersionId]:
        """What the newest version of a role, or one that it descends from, has set aside."""
        return frozenset(named for one in self._follows(known, role) for named in one.set_aside)

    def _follows(self, known: OrganisationMemory, role: str) -> tuple[Follows, ...]:
        if role == ROOT:
            roots = Organisation(self.offer(known).files).roots
            return tuple(one.follows for one in roots if one.follows)
        newest = known.role(role)
        if newest is None:
            return ()
        whole = self.version(known, newest.file)
        first = version_links.follows_of(drafts.spelled_role(role, decoded(whole.data)).signed)
        return (first, *whole.lineage) if first else ()

    # ------------------------------------------------------------------ keeping

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Nobody else changes this memory until the block ends."""
        if self._held:
            yield
            return
        path = self.folder / LOCK
        with ExitStack() as stack:
            try:
                self.folder.mkdir(mode=file_access.FOLDER, parents=True, exist_ok=True)
                for sentence in file_access.close_home(self.folder, ours=_is_ours):
                    self._told(sentence)
                stack.enter_context(locks.held(path, self._told))
            except OSError as bad:
                raise disk.unwritable(path, bad) from bad
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def begin(
        self, offer: Offer, typed: str, now: datetime, *, alone: bool = False
    ) -> OrganisationMemory:
        """A new memory of the organisation whose fingerprint somebody typed from paper.

        Args:
            offer: what it begins from: a colleague's memory, a hub's own files, or a draft.
            typed: the fingerprint of the newest root, as eight words or 64 digits.
            now: the clock here.
            alone: it is a draft, with nobody's memory to compare it with.

        Raises:
            RefusedError: another fingerprint; or the organisation is known already, otherwise than
                by this very command.
        """
        organisation = Organisation(offer.files, former=True)
        root = organisation.root
        _check_fingerprint(typed, organisation, offer.source)
        with self.hold():
            place = self._place(organisation.id)
            name = organisation.policy().organisation_name
            known = OrganisationMemory(
                1, (), organisation.id, name, root.named, NO_FILE, alone, (), (), (), ()
            )
            aside = place.with_name(place.name + disk.PARTIAL)
            memory_folder.remove(aside)  # of one that was interrupted: nothing was known by it yet
            known = self._taken(known, begin(organisation, offer), offer.source, now, aside)
            if place.exists():
                memory_folder.remove(aside)
                return self._begun_before(known)
            memory_folder.write(aside / KNOWN, shape.write(known))
            aside.rename(place)
            disk.flush_folder(place.parent)
            return known

    def _begun_before(self, known: OrganisationMemory) -> OrganisationMemory:
        """What is known, if that is `known` and no more: a run was killed when it had begun it."""
        found = self.known(known.organisation)
        if found is not None and _undated(found) == _undated(known):
            return found
        raise RefusedError(
            "known-already",
            f"The organisation {known.organisation} is known here already.",
            subject=known.organisation,
            next_step="Compare it with a colleague's memory: sealift-sign learn FILE",
        )

    def marked(self, known: OrganisationMemory) -> str:
        """The mark of the files that this memory writes for colleagues; made with the first."""
        with self.hold():
            known = self.known(known.organisation) or known
            if known.mark is None:
                known = self._keep(known, replace(known, mark=secrets.token_hex(32)))
        return known.mark or ""

    def remember(
        self, examined: ExaminedDraft, source: str, now: datetime
    ) -> OrganisationMemory | None:
        """Keep what was verified of a draft; None where its organisation is not known."""
        with self.hold():
            known = self.known(examined.draft.organisation)
            if known is None:
                return None
            return self._keep(known, self._taken(known, seen_in(examined), source, now))

    def learn(self, theirs: Offer, now: datetime) -> MemoryComparison:
        """Take what `theirs` has that descends from what is known; forks are told.

        Raises:
            NotFoundError: its organisation is not known.
            RefusedError: it stands on another root; or is said to be a colleague's, and is a file
                that this memory wrote itself.
        """
        with self.hold():
            organisation = Organisation(theirs.files).id
            known = self.known(organisation)
            if known is None:
                raise not_trusted(organisation)
            if theirs.colleague and theirs.mark is not None and theirs.mark == known.mark:
                raise _own(theirs.source)
            found = learn(known, self.offer(known), theirs)
            after = self._taken(known, found.seen, theirs.source, now)
            self._keep(known, replace(after, alone=known.alone and not theirs.colleague))
            return found

    def keep_signed(
        self, examined: ExaminedDraft, signed: Draft, key: PublicKey, now: datetime
    ) -> None:
        """Keep what was just signed, before it is written anywhere else."""
        with self.hold():
            known = self.known(signed.organisation)
            if known is None:
                raise not_trusted(signed.organisation)
            file = memory_folder.keep(self._place(known.organisation), drafts.write(signed))
            after = known.with_settled(examined.settles)
            for part in signed.parts:
                role = part.kind == drafts.ROLE
                version = int(drafts.to_metadata(part).signed.version) if role else 0
                act, when = str(examined.ask), moment(now)
                once = SignedOnce(
                    part.name, version, part.digest, act, key.keyid, file, when, settled=False
                )
                after = after.with_signed(once)
            self._keep(known, after)

    def _keep(self, before: OrganisationMemory, after: OrganisationMemory) -> OrganisationMemory:
        if after != before:
            path = self._place(after.organisation) / KNOWN
            memory_folder.write(path, shape.write(after))
        return after

    def _taken(
        self,
        known: OrganisationMemory,
        seen: VerifiedVersions,
        source: str,
        now: datetime,
        place: Path | None = None,
    ) -> OrganisationMemory:
        """`known` with what was seen; the files of it are there when this returns."""
        where, when = place or self._place(known.organisation), moment(now)
        newer = known.root_file == NO_FILE or seen.roots[-1].version > known.root.version
        if newer:
            whole = _root_version(seen)
            file = memory_folder.keep(where, shape.write(whole))
            known = replace(known.with_root(seen.roots[-1], file), root_file=file)
        heads = []
        for head, version in seen.versions:
            before = known.role(head.role)
            if before is not None and before.digest == head.digest:
                kept = self.version(known, before.file)
                if not _is_more(version, kept):
                    continue
            heads.append((head, memory_folder.keep(where, shape.write(version))))
        known = known.with_heads(heads, source, when).with_compromised(seen.compromised)
        return known.with_older(self._older(where, known, seen, source, when))

    def _older(
        self, where: Path, known: OrganisationMemory, seen: VerifiedVersions, source: str, when: str
    ) -> Iterator[KnownRole]:
        have = {one.digest for one in (*known.roles, *known.older)}
        for one in seen.former:
            metadata = drafts.spelled_role(one.role, decoded(one.data))
            digest, link = (
                version_links.digest(metadata),
                version_links.link(version_links.follows_of(metadata.signed)),
            )
            if digest not in have:
                whole = RoleVersion(1, (), known.organisation, one.role, one.data, (), (), ())
                file = memory_folder.keep(where, shape.write(whole))
                yield KnownRole(one.role, one.version, digest, link, file, source, when)

    def _place(self, organisation: str) -> Path:
        return self.folder / organisation


def _is_ours(name: str) -> bool:
    """Whether what is called so in the folder is a memory's: people may name one of theirs."""
    return name == LOCK or SHA256.matches(name)


def _is_more(found: RoleVersion, kept: RoleVersion) -> bool:
    """Whether a version is wholer than the same one that is kept."""
    return (len(found.documents), len(found.lineage)) > (len(kept.documents), len(kept.lineage))


def _root_version(seen: VerifiedVersions) -> RoleVersion:
    data = tuple(drafts.encoded(one.data) for one in seen.roots)
    return RoleVersion(1, (), seen.organisation, ROOT, data[-1], (), (), data)


def _undated(known: OrganisationMemory) -> OrganisationMemory:
    """`known`, whenever it was seen."""
    roles, older = (
        tuple(replace(one, seen="") for one in found) for found in (known.roles, known.older)
    )
    return replace(known, roles=roles, older=older)


def _check_fingerprint(typed: str, organisation: Organisation, source: str) -> None:
    if same_fingerprint(typed, organisation.root.digest):
        return
    older = [one for one in organisation.roots if same_fingerprint(typed, one.digest)]
    if older:
        raise RefusedError(
            "fingerprint-old",
            f"This is the fingerprint of root {older[0].version}; the newest root of {source} is "
            f"{organisation.root.version}.",
            subject=ROOT,
            next_step="Have a holder of root tell you the fingerprint of the newest root.",
        )
    raise RefusedError(
        "fingerprint-differs",
        f"No root of {source} has this fingerprint: it is another organisation, or older than "
        "your paper.",
        subject=ROOT,
        next_step="Compare the fingerprint with a holder of root, and type all of it.",
    )


def not_trusted(organisation: str) -> SealiftError:
    """The error where nobody said by what the organisation is pinned."""
    return NotFoundError(
        "not-trusted",
        f"The organisation {organisation} is not trusted here yet.",
        subject=organisation,
        next_step="Begin a memory here, with the fingerprint from paper. A colleague who has one "
        "runs sealift-sign share FILE, and you: sealift-sign trust FINGERPRINT FILE. Where nobody "
        "has one yet, the hub writes FILE: sealift fingerprint --out FILE; and you: sealift-sign "
        "trust FINGERPRINT FILE --alone",
    )


def _own(source: str) -> RefusedError:
    return RefusedError(
        "own-memory",
        f"{source} was written by this memory itself: it shows nothing of what a colleague knows.",
        subject=source,
        next_step="Have a colleague write what they know, on their machine: sealift-sign share "
        "FILE",
    )
