"""What somebody without any key of ours would have people believe: the next version of a role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tuf.api.metadata import Metadata, Root

from sealift_registry.trust.submitting import READERS
from sealift_signing import canonical, publishing, roles
from sealift_signing.canonical import Json
from sealift_signing.errors import SealiftError
from sealift_signing.organisation import Files, Organisation
from tests.desks import Paper
from tests.poisonings.claims import Beheaded, Claims, claims
from tests.poisonings.world import OTHER_THIEF, THIEF, World


@dataclass(frozen=True)
class Forged:
    """A version of a role that its holders never signed, or did not sign last.

    Attributes:
        label: what is wrong with it.
        data: the file.
        documents: what it lists that was never published, by path.
    """

    role: str
    version: int
    label: str
    data: bytes
    documents: Mapping[str, bytes]

    def over(self, files: Paper) -> Files:
        """`files`, in which it is the newest version of its role."""
        paper = files.copy()
        for path, body in self.documents.items():
            paper.documents[path, sha256(body).hexdigest()] = body
        if self.role == roles.ROOT and self.version > max(paper.roles[roles.ROOT]):
            paper.roles[roles.ROOT][self.version] = self.data
            return paper
        return Beheaded(paper, self.role, self.data)


def forgeries(world: World, paper: Paper) -> Iterator[Forged]:
    """For each role that people sign: each member of its document, and whom it delegates to."""
    organisation = Organisation(paper)
    for role in peoples(organisation):
        yield from _documents(world, organisation, role)
        yield from _delegations(world, organisation, role)
        yield from _elsewhere(world, organisation, role)


def older(paper: Paper) -> Iterator[Forged]:
    """For each role an older version, genuine: the newest by which something is gained."""
    organisation = Organisation(paper)
    for role in peoples(organisation):
        numbers = sorted(paper.roles[role], reverse=True)
        now = claims(organisation)
        found = [(number, _seen(paper, role, number)) for number in numbers[1:]]
        gaining = [n for n, then in found if then and (then.rights - now.rights)]
        gaining += [n for n, then in found if then and (now.limits - then.limits)]
        for number in sorted({numbers[1], *gaining[:1]} if numbers[1:] else set()):
            yield Forged(
                role, number, f"version {number - numbers[0]}", paper.roles[role][number], {}
            )


def _seen(paper: Paper, role: str, number: int) -> Claims | None:
    try:
        return claims(Organisation(Beheaded(paper, role, paper.roles[role][number])))
    except SealiftError:
        return None


def peoples(organisation: Organisation) -> list[str]:
    """The roles that people sign and that have more than one version, or a document."""
    named = [*organisation.delegated(roles.TEAM), *organisation.delegated(roles.SITE)]
    there = [role for role in named if organisation.has(role)]
    return [roles.ROOT, roles.TARGETS, roles.FLEET, roles.RECALL, *there]


# ---------------------------------------------------------------------- documents


def _documents(world: World, organisation: Organisation, role: str) -> Iterator[Forged]:
    if role == roles.ROOT:
        return
    read = READERS[roles.kind(role)]
    for path in organisation.head(role).targets.targets:
        data = organisation.document(role, path)
        assert data is not None
        for label, changed in changes(world, canonical.decode(data, what=path)):
            body = canonical.encode(changed)
            try:
                read(body, role.partition(".")[2])
            except SealiftError:
                continue  # nobody reads it
            metadata = _next(world, organisation, role)
            publishing.list_document(metadata.signed, path, body)
            yield _forged(world, role, f"{path}: {label}", metadata, {path: body})


def changes(world: World, value: Json, where: str = "") -> Iterator[tuple[str, Json]]:
    """`value` with one member of it another, each beside the place of that member."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            for label, changed in changes(world, inner, f"{where}.{name}"):
                yield label, {**value, name: changed}
            yield f"{where}.{name} gone", {k: v for k, v in value.items() if k != name}
            if isinstance(inner, Mapping):
                yield f"{where} one more", {**value, THIEF: inner}
    elif isinstance(value, list | tuple):
        for place in sorted({0, len(value) - 1} if value else set()):
            for label, changed in changes(world, value[place], f"{where}[{place}]"):
                yield label, [*value[:place], changed, *value[place + 1 :]]
            yield f"{where}[{place}] gone", [*value[:place], *value[place + 1 :]]
        if value:
            yield f"{where} one more", [*value, _stolen(world, value[0])]
    else:
        yield from ((f"{where} = {shown}", one) for shown, one in _others(world, value))


def _others(world: World, value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, bool):
        yield str(not value), not value
    elif isinstance(value, int):
        yield from (("1", 1) for _ in range(value != 1))
        yield "twice", 2 * value
    elif isinstance(value, str):
        if _is_key(value):
            yield "a thief's key", world.public(THIEF).text
        elif value in {"active", "retired", "compromised"}:
            yield from ((one, one) for one in ("active", "retired") if one != value)
        else:
            yield "another", _another(value)
    else:
        yield "something", "something"


def _stolen(world: World, value: Json) -> Json:
    """`value`, made somebody else's: another's key, and other names."""
    if isinstance(value, Mapping):
        return {name: _stolen(world, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [inner if _is_purpose(inner) else _stolen(world, inner) for inner in value]
    if isinstance(value, str) and _is_key(value):
        return world.public(THIEF).text
    if isinstance(value, str) and value in {"active", "retired", "file", "scanner", "log"}:
        return "active" if value == "retired" else value
    return _another(value) if isinstance(value, str) else value


def _is_purpose(value: Json) -> bool:
    return isinstance(value, str) and (value == "request" or value.startswith("approve:"))


def _is_key(value: str) -> bool:
    return value.startswith(("ed25519:", "ecdsa"))


def _another(value: str) -> str:
    if value.endswith("Z") and "T" in value:
        return f"2020{value[4:]}"
    return f"{'e' if value[:1] == 'f' else 'f'}{value[1:]}"


# ---------------------------------------------------------------------- delegations


def _delegations(world: World, organisation: Organisation, role: str) -> Iterator[Forged]:
    for name in named_in(organisation.head(role).metadata):
        for label, change in (("handed over", hand_over), ("threshold 1", lower)):
            metadata = _next(world, organisation, role)
            if not change(world, metadata, name):
                continue
            yield _forged(world, role, f"{name} {label}", metadata, {})
            if role == roles.ROOT:  # of which no walk passes over one that nobody signed
                metadata = _copy(organisation.root.data)
                metadata.signatures.clear()
                change(world, metadata, name)
                yield _forged(world, role, f"{name} {label}, in its place", metadata, {})


def named_in(metadata: Metadata[Any]) -> list[str]:
    """The roles that a version gives to somebody."""
    signed = metadata.signed
    if isinstance(signed, Root):
        return list(signed.roles)
    return list((signed.delegations.roles or {}) if signed.delegations else {})


def hand_over(world: World, metadata: Metadata[Any], name: str) -> bool:
    """Give a role to two thieves."""
    held = {who: world.public(who) for who in (THIEF, OTHER_THIEF)}
    if isinstance(metadata.signed, Root):
        metadata.signed.roles[name].keyids.clear()
        for who, key in held.items():
            metadata.signed.add_key(publishing.named_key(key, who), name)
        return True
    publishing.delegate(metadata.signed, name, 2 if roles.kind(name) == roles.TEAM else 1, held)
    return True


def lower(_world: World, metadata: Metadata[Any], name: str) -> bool:
    """Let one of a role's holders do; whether more were needed."""
    signed = metadata.signed
    found = signed.roles if isinstance(signed, Root) else signed.delegations.roles
    before, found[name].threshold = found[name].threshold, 1
    return bool(before > 1)


# ---------------------------------------------------------------------- others'


def _elsewhere(world: World, organisation: Organisation, role: str) -> Iterator[Forged]:
    """The genuine version of another role, and the genuine one with a number far ahead."""
    if role == roles.ROOT:
        return
    other = next(one for one in peoples(organisation)[1:] if one != role)
    metadata = _copy(organisation.head(other).data)
    metadata.signed.version = organisation.head(role).version + 1
    yield _forged(world, role, f"that of {other}", metadata, {})
    far = _next(world, organisation, role)
    far.signed.version = 9 * 10**14
    yield _forged(world, role, "far ahead", far, {})


def _next(world: World, organisation: Organisation, role: str) -> Metadata[Any]:
    before = organisation.head(role).metadata
    expires = publishing.expiry(world.now, 80)
    return publishing.following(_copy(publishing.to_bytes(before)), expires=expires)


def _copy(data: bytes) -> Metadata[Any]:
    found: Metadata[Any] = Metadata.from_bytes(data)
    return found


def _forged(
    world: World, role: str, label: str, metadata: Metadata[Any], listed: Mapping[str, bytes]
) -> Forged:
    publishing.sign(metadata, [world.signer(THIEF)])
    return Forged(role, metadata.signed.version, label, publishing.to_bytes(metadata), listed)
