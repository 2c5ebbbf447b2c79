"""Writing a draft: one act over an organisation's files, with all that it stands on and no more.

The act itself says what it stands on: whatever it read of the organisation is carried. Whoever
signs runs the same act over what is carried, and refuses what it then did not read.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealift_signing import drafts
from sealift_signing.acts import closed_list, versions
from sealift_signing.acts.material import Ask, Material, Prepared, SetAsideVersion, Unsigned
from sealift_signing.drafts import (
    CarriedDocument,
    CarriedRole,
    Draft,
    DraftPart,
    FormerVersion,
    Recording,
    Superseded,
    encoded,
)
from sealift_signing.organisation import Files, Organisation
from sealift_signing.vocabulary import moment


def compose(files: Files, ask: Ask, material: Material) -> tuple[Draft, Prepared]:
    """The draft of the act `ask` over `files`, and what it says.

    Raises:
        RefusedError, NotFoundError, UsageError: as the act.
    """
    recording = Recording(files)
    organisation = Organisation(recording, former=True)
    organisation.policy()  # the lifetimes and stages that every act goes by
    prepared = closed_list.prepare(organisation, ask, material)
    whole = Organisation(files, former=True)
    check_over(whole, prepared, material.others)
    carried = tuple(
        CarriedRole(role, encoded(data), whole.lineage(role, 0))
        for role, data in sorted(recording.roles.items())
    )
    draft = Draft(
        format=1,
        requires=(),
        organisation=organisation.id,
        act=ask.act,
        object=ask.object,
        details=ask.details,
        facts=material.facts,
        made=moment(material.made),
        roots=tuple(encoded(one.data) for one in organisation.roots),
        roles=carried,
        former=tuple(
            FormerVersion(role, version, encoded(data))
            for (role, version), data in sorted(recording.former.items())
        ),
        documents=_documents(sorted(recording.documents.items())),
        statements=tuple(encoded(one) for one in material.carried.used),
        superseded=tuple(map(_superseded, material.others)),
        parts=tuple(map(part_of, prepared.parts)),
        check=drafts.NO_CHECK,
    )
    return drafts.read(drafts.write(draft)), prepared


def check_over(
    organisation: Organisation, prepared: Prepared, others: Iterable[SetAsideVersion]
) -> None:
    """Check what is to be set aside, where all of the past is at hand.

    Raises:
        RefusedError: it is another role's, or what the next version was made from.
    """
    versions.check_role(others, [one.name for one in prepared.parts if one.kind == drafts.ROLE])
    for part in prepared.parts:
        if part.aside and organisation.has(part.name):
            base = organisation.head(part.name)
            versions.check_aside(part.aside, base, organisation.lineage(part.name, 0))


def part_of(unsigned: Unsigned) -> DraftPart:
    """What an act signs, as a draft holds it."""
    documents = _documents(sorted(unsigned.documents.items()))
    kind: drafts.Kind = "role" if unsigned.kind == drafts.ROLE else "statement"
    return DraftPart(kind, unsigned.name, encoded(unsigned.payload), documents, ())


def _superseded(other: SetAsideVersion) -> Superseded:
    return Superseded(other.role, encoded(other.data), _documents(sorted(other.documents.items())))


def _documents(found: Iterable[tuple[str, bytes]]) -> tuple[CarriedDocument, ...]:
    return tuple(CarriedDocument(path, encoded(data)) for path, data in found)
