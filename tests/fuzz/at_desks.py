"""What `sealift-sign` reads: drafts, a colleague's memory and its own; and what it makes of them.

Nobody's key is stolen here: whatever an input says, nothing is signed but what the act makes, and
nothing is learned but what the organisation's people signed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from sealift_signing import drafts, gate, memory_updates, shape, version_links
from sealift_signing.acts.material import Ask
from sealift_signing.acts.names import ACTS
from sealift_signing.drafts import Draft, RoleVersion, Shared
from sealift_signing.drawing import plain
from sealift_signing.errors import SealiftError
from sealift_signing.gate import ExaminedDraft
from sealift_signing.memory_updates import everything, offered, read_offer
from sealift_signing.organisation import Organisation
from sealift_signing.organisation_memory import OrganisationMemory
from sealift_signing.wrong_file import reading
from tests.desk.every_act import Case, every_act
from tests.desks import Acme
from tests.fuzz.organisation import FixedKeys
from tests.fuzz.parsers import example, numbered, selected
from tests.fuzz.target import Target

LARGEST_SEED = 34_000
"""Bytes: a draft that carries all that an assignment goes by."""


@dataclass(frozen=True)
class Desk:
    """A draft at its signer's, and what comes of it as the hub wrote it."""

    case: Case
    known: OrganisationMemory
    acme: Acme
    found: ExaminedDraft

    def examine(self, draft: Draft) -> ExaminedDraft:
        said, person = self.case.draft, self.acme.person(self.case.signer)
        person.known = self.known
        return self.acme.examine(draft, person.name, Ask(said.act, said.object, said.details))


@cache
def _story() -> tuple[tuple[Desk, ...], Acme]:
    """A desk for each act, over what stood when it was drafted; the organisation in the end."""
    acme, desks = Acme(keys=FixedKeys()), []
    for case in every_act(acme):
        person = acme.person(case.signer)
        if person.known is None:
            acme.trusting(case.signer)
        assert person.known is not None
        desks.append(Desk(case, person.known, acme, acme.examine(case.draft, case.signer)))
    return tuple(desks), acme


@cache
def _shared() -> bytes:
    """What somebody who has seen all tells a colleague."""
    offer = everything(_story()[1].paper, "the hub")
    return shape.write(
        memory_updates.shared(offer, Organisation(offer.files, former=True), "0" * 64)
    )


# -------------------------------------------------------------------- the files themselves


def _draft(data: bytes) -> None:
    with reading(data, "a file", "draft"):
        found = drafts.read(data, what="a file")
    assert drafts.write(found) == data


def _any(data: bytes) -> None:
    with reading(data, "a file", "draft", "version"):
        found = drafts.read_any(data, what="a file")
    assert (shape.write(found) if isinstance(found, RoleVersion) else drafts.write(found)) == data


def _offer(data: bytes) -> None:
    with reading(data, "a file", "memory", "draft"):
        found = read_offer(data, what="a file")
    assert (shape.write(found) if isinstance(found, Shared) else drafts.write(found)) == data
    _learned(found)


def _known(data: bytes) -> None:
    found = shape.read(OrganisationMemory, data, what="a memory")
    assert shape.write(found) == data
    assert all(found.role(one.role) == one for one in found.roles)


# -------------------------------------------------------------------- what comes of them


def _learned(found: Draft | Shared) -> None:
    """Learn it, by somebody who knows nothing yet, and by somebody who knows the organisation."""
    acme = _story()[1]
    offer = offered(found, "a file", colleague=isinstance(found, Shared))
    theirs = Organisation(offer.files, former=True)
    if theirs.root.digest != acme.organisation.root.digest:
        return  # nobody types the fingerprint of another organisation
    _check_genuine(memory_updates.begin(theirs, offer))
    root = acme.organisation.root
    known = OrganisationMemory(
        1, (), acme.organisation.id, "Acme", root.named, "0" * 64, False, (), (), (), ()
    )
    told = memory_updates.learn(known, everything(acme.paper, "the hub"), offer)
    _check_genuine(told.seen)
    assert all(plain(line) == line for line in told.lines)


def _check_genuine(seen: memory_updates.VerifiedVersions) -> None:
    """Whatever is kept of a role, its holders signed it."""
    for head, _ in seen.versions:
        assert head.digest in _signed(), head.role


@cache
def _signed() -> frozenset[str]:
    paper = _story()[1].paper
    return frozenset(
        version_links.digest(drafts.spelled_role(role, data))
        for role, versions in paper.roles.items()
        for data in versions.values()
    )


def _examined(data: bytes) -> None:
    """A draft with a check that is right, as whoever owns the hub writes it, before its signer."""
    draft = drafts.read(drafts.write(shape.read(Draft, data, what="a file")))
    desks = _story()[0]
    named = [one for one in desks if one.case.draft.act == draft.act]
    desk = next(
        (one for one in named if one.case.draft.object == draft.object), (*named, *desks)[0]
    )
    with suppress(SealiftError):
        gate.check_act(draft)
    taken, before = desk.examine(draft), desk.found
    assert all(plain(line) == line for line in taken.words)
    assert taken.ask == before.ask
    # What a hub says in facts, and of a transfer, no computing can check; it is shown.
    computed = not ACTS[draft.act].own and draft.act != "transfer"
    if computed and draft.facts == desk.case.draft.facts:
        assert _undated(taken) == _undated(before), draft.act


def _undated(found: ExaminedDraft) -> list[object]:
    """What is signed, but for the dates that follow from when it was drafted."""
    said: list[object] = []
    for part in found.parts:
        signed = drafts.to_metadata(part).signed
        signed.expires = found.root.metadata.signed.expires
        said.append((part.name, signed.to_dict(), part.documents))
    return said


def _seeds() -> list[bytes]:
    whole = [drafts.write(one.case.draft) for one in _story()[0]]
    desk = _story()[0][0]
    signed = gate.sign(desk.found, desk.acme.keys[desk.case.signer])
    few = [whole[0], drafts.write(signed)]
    version, known = [example("version.json")], [example("known.json")]
    return numbered(few, version, [_shared(), *few[:1]], known, whole)()


DRAFTS = Target(
    "drafts", selected(_draft, _any, _offer, _known, _examined), _seeds, "json", 2 * LARGEST_SEED
)
