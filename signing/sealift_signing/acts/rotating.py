"""`rotate-keys WHAT`: what the hub signs with by itself gives way to new keys.

    freshness   the keys of snapshot and timestamp        signed by root's holders
    catalog     the key that lists artifacts, all teams'   signed by targets' holders
    log, scanner, builder                                 signed by a fleet administrator

The hub makes the new keys and says at which number it stands. New keys have signed nothing yet, so
whatever number they go on from, nothing old comes back; a number of the hub's invention only bars
the hub itself. Snapshot and timestamp go together, for each names the other's number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from tuf.api.metadata import Root, Targets

from sealift_signing import compromised, documents, floors, key_owners, publishing, roles, shape
from sealift_signing.acts import versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.acts.names import FRESHNESS, LOST, MACHINES, ROTATED
from sealift_signing.documents import LOG_STARTS, FleetKeys, LogStart, MachineKey, Status
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError, UsageError
from sealift_signing.organisation import Organisation
from sealift_signing.public_key import PublicKey
from sealift_signing.vocabulary import counted

STATUSES: tuple[Status, ...] = ("retired", "compromised")


def rotate(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`rotate-keys WHAT [--status retired|compromised]`.

    Raises:
        UsageError: the hub has no such keys.
        RefusedError: a key is not new, or somebody else's.
    """
    (what,) = ask.object
    check_hubs(what)
    if what == FRESHNESS:
        return _freshness(organisation, ask, material)
    return (_machine if what in MACHINES else _catalog)(organisation, ask, material)


def check_hubs(what: str) -> None:
    """Check that the hub signs something with keys that are called so.

    Raises:
        UsageError: it does not.
    """
    if what not in ROTATED:
        raise UsageError(
            "no-such-keys",
            f"The hub has no keys of its own called {what}.",
            subject=what,
            next_step=f"They are: {', '.join(ROTATED)}.",
        )


def _freshness(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    changed = (roles.SNAPSHOT, roles.TIMESTAMP)
    before = cast("Root", organisation.root.metadata.signed)
    old = [roles.keyholders(before, role).keys for role in changed]
    keys = _new_keys(organisation, material, key_owners.HUB, len(changed), old, (roles.ROOT,))
    numbers = _numbers(material, changed)
    metadata = versions.next_version(organisation, roles.ROOT, material)
    root = cast("Root", metadata.signed)
    for role, key, number in zip(changed, keys, numbers, strict=True):
        publishing.hand_on(root, role, {key_owners.HUB: key}, number + 1)
    status = _call(root, ask, old)
    words = (
        "Replace the keys with which the hub signs what is newest.",
        f"{wording.becomes(roles.ROOT, root)}.",
        *_told(changed, keys, old, numbers),
        *_meaning(status),
        "root said before:",
        *wording.indented(wording.stands(organisation, roles.ROOT)),
    )
    return Prepared((versions.unsigned(roles.ROOT, metadata),), words)


def _catalog(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    changed = organisation.delegated(roles.CATALOG)
    if not changed:
        raise NotFoundError(
            "no-catalog",
            "There is no team yet, and so nothing is listed with the catalog's key.",
            subject=roles.CATALOG,
            next_step="Add one with: sealift team add NAME --steward CARD …",
        )
    owner = organisation.head(roles.TARGETS).targets
    old = [roles.keyholders(owner, role).keys for role in changed]
    (key,) = _new_keys(organisation, material, key_owners.HUB, 1, old, (roles.TARGETS, roles.ROOT))
    numbers = _numbers(material, changed)
    metadata = versions.next_version(organisation, roles.TARGETS, material)
    signed = versions.targets_of(metadata.signed)
    for role, number in zip(changed, numbers, strict=True):
        publishing.delegate(signed, role, 1, {key_owners.HUB: key}, number + 1)
    status = _call(signed, ask, old)
    words = (
        "Replace the key with which the hub lists every team's artifacts.",
        f"{wording.becomes(roles.TARGETS, signed)}.",
        *_told(changed, [key] * len(changed), old, numbers),
        *_meaning(status),
    )
    return Prepared((versions.unsigned(roles.TARGETS, metadata),), words)


def _machine(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    (what,) = ask.object
    known = organisation.fleet_keys()
    old = [one for one in known.keys if is_hubs(one, what) and one.status == "active"]
    if not old:
        raise NotFoundError(
            "no-machine",
            f"{documents.FLEET_KEYS_PATH} lists no active key of the hub's {what}.",
            subject=what,
            next_step="See what it lists, by drafting: sealift renew fleet",
        )
    name = old[-1].name
    held = [tuple(PublicKey.parse(one.key) for one in old)]
    above = (roles.FLEET, roles.TARGETS, roles.ROOT)
    (key,) = _new_keys(organisation, material, name, 1, held, above)
    status = status_of(ask)
    starts = LogStart(_entries(material, "size"), old[-1].key) if what == "log" else None
    entered = MachineKey(key.text, name, old[-1].purpose, "active", starts)
    after = _with_machine(known, old, status, entered)
    path, data = documents.FLEET_KEYS_PATH, shape.write(after)
    documents.read_fleet_keys(data)
    signed, part = versions.listing(organisation, roles.FLEET, material, path, data)
    words = (
        f"Replace the key of the hub's {what}.",
        f"{wording.becomes(roles.FLEET, signed)}.",
        *wording.indented(
            f"new: {line}" for line in wording.fleet_keys(FleetKeys(1, (), (entered,)))
        ),
        *wording.indented(f"{status}: {one.key}" for one in old),
        *wording.indented(_machine_meaning(status, starts)),
        *wording.indented(_given_up(starts, material)),
        "Besides, the fleet's keys stay:",
        *wording.indented(wording.fleet_keys(replace(known, keys=_others(known, old)))),
    )
    return Prepared((part,), words)


def is_hubs(one: MachineKey, what: str) -> bool:
    """Whether this is the key of the hub's own log, scanner or builder."""
    # There is one log; of scanners and builders others may have some, too.
    return one.purpose == what and (what == "log" or one.name == MACHINES[what])


def _others(known: FleetKeys, gone: Sequence[MachineKey]) -> tuple[MachineKey, ...]:
    return tuple(one for one in known.keys if one not in gone)


def _with_machine(
    known: FleetKeys, old: Sequence[MachineKey], status: Status, entered: MachineKey
) -> FleetKeys:
    gone = tuple(replace(one, status=status) for one in old)
    starts = entered.starts is not None
    requires = tuple(sorted({*known.requires, *((LOG_STARTS,) if starts else ())}))
    return replace(known, requires=requires, keys=(*_others(known, old), *gone, entered))


def _machine_meaning(status: Status, starts: LogStart | None) -> Iterable[str]:
    if starts is not None:
        yield (
            f"The hub says that its log has {counted(starts.size, 'entry', 'entries')}. By the new "
            "key no site takes fewer, and what it saw by the old key no longer bars it."
        )
    elif status == "compromised":
        yield (
            "Evidence that the old key signed never counts again: what rests on it is not newly "
            "installed anywhere, until it is made and approved again."
        )
    else:
        yield "Evidence that the old key signed still counts where a request names it."


def _given_up(starts: LogStart | None, material: Material) -> Iterable[str]:
    """What nobody could guess from numbers: that what the hub acknowledged is gone."""
    if starts is None or LOST not in material.facts:
        return
    lost = counted(_entries(material, LOST), "entry", "entries")
    yield (
        f"ENTRIES ARE LOST: a log of {lost} was signed, and the hub's database does not hold it. "
        f"The log goes on from its {counted(starts.size, 'entry', 'entries')}; what else was "
        "acknowledged is given up, unless a backup or another server still has it: ask first."
    )
    yield "Two people of fleet sign this; where one person alone holds it, that one."


def status_of(ask: Ask) -> Status:
    """What keys become that are given up.

    Raises:
        UsageError: something else is said.
    """
    said = ask.value("status", "retired")
    for one in STATUSES:
        if one == said:
            return one
    raise UsageError(
        "bad-status",
        f"A key that is given up is retired or compromised, not {said}.",
        subject=said,
        next_step="Say --status compromised where somebody else may have the old key.",
    )


def _new_keys(
    organisation: Organisation,
    material: Material,
    owner: str,
    count: int,
    old: Sequence[Sequence[PublicKey]],
    above: tuple[str, ...],
) -> tuple[PublicKey, ...]:
    """The keys that the hub made; none is in use, another's, or was ever called compromised."""
    keys = tuple(PublicKey.parse(text) for text in material.facts.get("key", ()))
    if len(keys) != count:
        raise MalformedError(
            "bad-draft", f"The draft names {len(keys)} new keys, not {count}.", subject="key"
        )
    used = {one.raw for held in old for one in held}
    for key in keys:
        key_owners.check_machine_enters(organisation, owner, key)
        material.check_not_lost(owner, key, *above)
        if key.raw in used:
            raise RefusedError(
                "nothing-changes",
                f"{key.text} is in use already, and is not a new key.",
                subject=key.text,
                next_step="Have it drafted again, with: sealift key rotate WHAT --other-keys",
            )
    return keys


def _numbers(material: Material, changed: Sequence[str]) -> tuple[int, ...]:
    """At which version each role stands, as the hub says; the next one can still be counted."""
    said = material.facts.get("version", ())
    numbers = tuple(int(one) for one in said if one.isascii() and one.isdigit())
    right = len(numbers) == len(said) == len(changed) and all(
        one < floors.LARGEST for one in numbers
    )
    if not right:
        raise MalformedError(
            "bad-draft",
            f"The draft does not say at which version each of {', '.join(changed)} stands.",
            subject="version",
        )
    return numbers


def _entries(material: Material, name: str) -> int:
    said = material.fact(name)
    if not (said.isascii() and said.isdigit() and int(said) <= floors.LARGEST):
        raise MalformedError(
            "bad-draft", "The draft does not say how long the hub's log is.", subject=name
        )
    return int(said)


def _call(signed: Root | Targets, ask: Ask, old: Iterable[Iterable[PublicKey]]) -> Status:
    """Call the old keys compromised, if they are; what was called so before stays."""
    status = status_of(ask)
    if status == "compromised":
        known = signed.unrecognized_fields.get(compromised.FIELD, [])
        texts = {one.text for held in old for one in held}
        signed.unrecognized_fields[compromised.FIELD] = sorted({*known, *texts})
    return status


def _told(
    changed: Sequence[str],
    keys: Sequence[PublicKey],
    old: Sequence[Sequence[PublicKey]],
    numbers: Sequence[int],
) -> Iterable[str]:
    for role, key, held, number in zip(changed, keys, old, numbers, strict=True):
        before = ", ".join(one.text for one in held) or "nobody"
        yield f"  {role}: {key.text} (NEW, in place of {before})"
        yield f"    from version {number + 1} on: the hub says that it stands at version {number}"


def _meaning(status: Status) -> Iterable[str]:
    if status == "compromised":
        yield "  The old keys are called COMPROMISED: they never come back."
    yield "  By the new keys a site takes no version below these numbers, whatever it has seen by"
    yield "  the old ones; so whoever counted far ahead with those no longer bars any site."
    yield "  Does the number surprise you? A number far too high bars the hub itself: ask first."
