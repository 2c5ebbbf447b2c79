"""Poisonings of drafts on their way: each act by each member of a draft.

The file is written anew after it was changed, so that its `check` is right: this is no damage.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sealift_registry.trust.hub_drafts import Wanted
from sealift_signing import canonical, drafts, publishing, roles, statements
from sealift_signing.canonical import Json
from sealift_signing.desk.cards import make_card
from sealift_signing.drafts import (
    CarriedDocument,
    CarriedRole,
    Draft,
    DraftPart,
    FormerVersion,
    PartSignature,
    Superseded,
    decoded,
    encoded,
    spelled_role,
)
from sealift_signing.errors import SealiftError
from sealift_signing.statements import KeyCard
from tests.desks import Paper
from tests.poisonings import year
from tests.poisonings.claims import paper_of
from tests.poisonings.forging import Forged, changes, forgeries, hand_over, lower, named_in, older
from tests.poisonings.poisoning import Poisoning
from tests.poisonings.world import SITE, THIEF, World

Change = tuple[str, Callable[[World, Draft], Draft]]


def poisonings(world: World) -> Iterator[Poisoning]:
    """Everything that can be done to a draft of each act."""
    paper = paper_of(world)
    round_ = max(world.versions())
    forged = {one.role: one for one in forgeries(world, paper) if one.label.endswith(HANDED)}
    old = {one.role: one for one in older(paper)}
    for step, draft in _seen(world, round_):
        for label, change in _changes(world, paper, draft, forged, old):
            yield Poisoning(
                f"draft: {draft.act} ({step}): {label}",
                transit=partial(_changed, draft.act, change),
                steps=NEEDS.get(step, (step,)),
            )


NEEDS = {"assign": ("promote", "assign"), "export": ("promote", "assign", "export")}
"""What is done before a step, without which there is nothing to do."""
KEYID = re.compile("[0-9a-f]{64}")
DEEPEST = 1
HANDED = (".people one more", "handed over", ".recalls[0] gone", ".groups", "one more")


def _seen(world: World, round_: int) -> Iterator[tuple[str, Draft]]:
    """A draft of each act, as an honest hub writes it, and the step of the routine that asks."""
    seen: dict[str, tuple[str, Draft]] = {}
    for step in year.ROUTINE:
        with TemporaryDirectory() as folder:
            honest = world.copied(Path(folder) / "honest")

            def look(_world: World, draft: Draft, _wanted: Wanted, at: str = step) -> Draft:
                seen.setdefault(f"{draft.act} {at}", (at, draft))
                return draft

            *before, _ = NEEDS.get(step, (step,))
            for one in before:
                year.play(honest, round_, (one,))
            honest.transit = look
            year.play(honest, round_, (step,))
            honest.close()
    yield from seen.values()


def _changed(
    act: str,
    change: Callable[[World, Draft], Draft],
    world: World,
    draft: Draft,
    _wanted: Wanted,
) -> Draft:
    if draft.act != act:
        return draft
    return drafts.read(drafts.write(change(world, draft)))


def _changes(
    world: World, paper: Paper, draft: Draft, forged: dict[str, Forged], old: dict[str, Forged]
) -> Iterator[Change]:
    found = [*_named(draft), *_roots(draft), *_roles(draft, forged, old), *_documents(world, draft)]
    found += [*_statements(world, draft), *_former(draft, paper), *_parts(world, draft, forged)]
    for label, change in found:
        try:
            made = drafts.read(drafts.write(change(world, draft)))
        except SealiftError:
            continue  # no draft at all
        if made != draft:
            yield label, change


def _is(label: str, **values: Any) -> Change:  # noqa: ANN401 - any member of a draft
    return label, lambda _world, draft: dataclasses.replace(draft, **values)


def _named(draft: Draft) -> Iterator[Change]:
    """What the draft says that it is of, when it was made, and what the hub adds."""
    yield _is("requires", requires=("another",))
    yield _is("organisation", organisation="e" * 64)
    yield _is("act", act="renew" if draft.act != "renew" else "assign")
    for place, word in enumerate(draft.object):
        other = (*draft.object[:place], f"{word}x", *draft.object[place + 1 :])
        yield _is(f"object[{place}]", object=other)
    yield _is("object one more", object=(*draft.object, "x"))
    for kind in ("details", "facts"):
        given = dict(getattr(draft, kind))
        yield _is(f"{kind} one more", **{kind: {**given, "more": ("x",)}})
        for name, values in given.items():
            changed = (*values[:-1], _other(values[-1]))
            yield _is(f"{kind}.{name}", **{kind: {**given, name: changed}})
            yield _is(
                f"{kind}.{name} gone", **{kind: {k: v for k, v in given.items() if k != name}}
            )
    for label, year_ in (("long ago", "2020"), ("ahead", "2099")):
        yield _is(f"made {label}", made=f"{year_}{draft.made[4:]}")


def _other(text: str) -> str:
    path, space, digest = text.partition(" ")
    return (
        f"{path} {'e' * len(digest)}" if space else f"{text[:-1]}{'1' if text[-1] != '1' else '2'}"
    )


def _roots(draft: Draft) -> Iterator[Change]:
    yield _is("roots: last gone", roots=draft.roots[:-1])
    yield _is("roots: first again", roots=(*draft.roots, draft.roots[0]))


def _roles(draft: Draft, forged: dict[str, Forged], old: dict[str, Forged]) -> Iterator[Change]:
    for place, one in enumerate(draft.roles):
        rest = (*draft.roles[:place], *draft.roles[place + 1 :])
        yield _is(f"{one.role} gone", roles=rest)
        if one.lineage:
            yield _is(f"{one.role} without a past", roles=_sorted(rest, replace(one, lineage=())))
        for label, other in (("forged", forged.get(one.role)), ("older", old.get(one.role))):
            if other is not None:
                listed = tuple(
                    CarriedDocument(path, encoded(body)) for path, body in other.documents.items()
                )
                paths = {document.path for document in listed}
                kept = tuple(d for d in draft.documents if d.path not in paths)
                changed = _sorted(rest, CarriedRole(one.role, encoded(other.data), ()))
                yield _is(f"{one.role} {label}", roles=changed, documents=(*kept, *listed))
    carried = {one.role for one in draft.roles}
    for role, other in old.items():
        if role not in carried and role != "root":
            more = _sorted(draft.roles, CarriedRole(role, encoded(other.data), ()))
            yield _is(f"{role} as well", roles=more)
            break


def _sorted(rest: tuple[CarriedRole, ...], one: CarriedRole) -> tuple[CarriedRole, ...]:
    return tuple(sorted((*rest, one), key=lambda carried: carried.role))


def _documents(world: World, draft: Draft) -> Iterator[Change]:
    for place, one in enumerate(draft.documents):
        rest = (*draft.documents[:place], *draft.documents[place + 1 :])
        yield _is(f"{one.path} gone", documents=rest)
        value = canonical.decode(decoded(one.data), what=one.path)
        label, changed = _worst(world, value)
        body = CarriedDocument(one.path, encoded(canonical.encode(changed)))
        yield _is(f"{one.path}: {label}", documents=(*rest, body))
    more = CarriedDocument("teams/other/members.json", encoded(b"{}"))
    yield _is("a document more", documents=(*draft.documents, more))


def _worst(world: World, value: Json) -> tuple[str, Json]:
    found = list(changes(world, value))
    more = [one for one in found if one[0].endswith("one more")]
    return min(more, key=lambda one: one[0].count("."), default=found[0])


def _statements(world: World, draft: Draft) -> Iterator[Change]:
    for place, text in enumerate(draft.statements):
        data = decoded(text)
        kind = statements.predicate_type(data, what="it").rpartition("/")[2]
        rest = (*draft.statements[:place], *draft.statements[place + 1 :])
        yield _is(f"statement {place} gone", statements=rest)
        if statements.predicate_type(data, what="it") == KeyCard.PREDICATE_TYPE:
            owner = statements.read(KeyCard, data, what="it").predicate.owner
            card = make_card(owner, world.signer(THIEF), "file", world.now)
            yield _is(f"the card of {owner} a thief's", statements=(*rest, encoded(card)))
        else:
            flipped = data.replace(b'"sig":"', b'"sig":"AA', 1)
            yield _is(f"statement {place} ({kind}) forged", statements=(*rest, encoded(flipped)))
    card = make_card(THIEF, world.signer(THIEF), "file", world.now)
    yield _is("a card more", statements=(*draft.statements, encoded(card)))


def _former(draft: Draft, paper: Paper) -> Iterator[Change]:
    role = next((one.role for one in draft.roles), "targets")
    data = encoded(paper.roles[role][min(paper.roles[role])])
    yield _is("a former version more", former=(*draft.former, FormerVersion(role, 1, data)))
    yield _is("something set aside", superseded=(Superseded(role, data, ()),))


def _parts(world: World, draft: Draft, forged: dict[str, Forged]) -> Iterator[Change]:
    """What is to be signed: another role's bytes, later dates, more of it."""
    thief = world.public(THIEF)
    for place, part in enumerate(draft.parts):
        rest = (*draft.parts[:place], *draft.parts[place + 1 :])
        value = canonical.decode(part.data, what=part.name)
        for label, changed in _payloads(world, value):
            other = replace(part, payload=encoded(canonical.encode(changed)))
            yield _is(f"{part.name}: {label}", parts=_parted(rest, other))
        for label, other in (*_handed(world, part), *_listed(world, part)):
            yield _is(f"{part.name}: {label}", parts=_parted(rest, other))
        signed = PartSignature(thief.keyid, encoded(b"0" * 64))
        yield _is(f"{part.name} signed", parts=_parted(rest, replace(part, signatures=(signed,))))
        yield _is(f"{part.name} gone", parts=rest)
        name = roles.site_role(SITE) if part.name == "transfer" else "recall"
        if part.name != name:
            second = _second(name, part, forged.get(name))
            yield _is(f"{part.name} and a second act", parts=(*draft.parts, second))
    if not draft.parts:
        role = draft.roles[0]
        signed_part = decoded(role.data)
        more = DraftPart("role", role.role, encoded(signed_part), (), ())
        yield _is("a part more", parts=(more,))


def _handed(world: World, part: DraftPart) -> Iterator[tuple[str, DraftPart]]:
    """The next version, in which somebody else holds a role."""
    if part.kind != drafts.ROLE:
        return
    for name in named_in(drafts.to_metadata(part)):
        for label, change in (("handed over", hand_over), ("threshold 1", lower)):
            metadata = drafts.to_metadata(part)
            if change(world, metadata, name):
                payload = encoded(metadata.signed_bytes)
                yield f"{name} {label}", replace(part, payload=payload)


def _listed(world: World, part: DraftPart) -> Iterator[tuple[str, DraftPart]]:
    """The next version, whose document says more, and is the one that it lists."""
    for number, document in enumerate(part.documents):
        said = canonical.decode(decoded(document.data), what=document.path)
        for label, changed in changes(world, said):
            if not label.endswith(("one more", "thief's key", "= active")):
                continue
            body = canonical.encode(changed)
            metadata = drafts.to_metadata(part)
            publishing.list_document(metadata.signed, document.path, body)
            other = CarriedDocument(document.path, encoded(body))
            listed = (*part.documents[:number], *part.documents[number + 1 :], other)
            payload = encoded(metadata.signed_bytes)
            yield f"{document.path}: {label}", replace(part, payload=payload, documents=listed)


def _second(name: str, part: DraftPart, other: Forged | None) -> DraftPart:
    """Another version of a role; of what the same person holds, the dispatcher's."""
    if name == "recall" or other is None:
        return DraftPart("role", name, part.payload, (), ())
    payload = spelled_role(name, other.data).signed_bytes
    listed = tuple(CarriedDocument(path, encoded(body)) for path, body in other.documents.items())
    return DraftPart("role", name, encoded(payload), listed, ())


def _parted(rest: tuple[DraftPart, ...], one: DraftPart) -> tuple[DraftPart, ...]:
    return (*rest, one)


def _payloads(world: World, value: Json) -> Iterator[tuple[str, Json]]:
    """The next version with later dates, another number, and with a thief's key in it."""
    assert isinstance(value, dict)
    if "expires" in value:
        yield "lasts for ever", {**value, "expires": "2099-01-01T00:00:00Z"}
        version = value["version"]
        assert isinstance(version, int)
        yield "far ahead", {**value, "version": version + 1000}
    for label, changed in changes(world, value):
        short = KEYID.sub("KEY", label)
        wanted = label.endswith(("threshold = 1", "gone")) and label.count(".") <= DEEPEST
        if wanted or "thief" in label or ".keyids[0] gone" in label:
            yield short, changed
