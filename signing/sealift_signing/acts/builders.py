"""`add-builder` and `remove-builder`: machines elsewhere that build, and vouch for what they built.

A builder has two keys, one for what it built and one for the scan of it; the fleet's administrators
enter both, by cards that it made with them. Evidence by these keys counts as the hub's own does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from sealift_signing import documents, key_owners, roles, shape
from sealift_signing.acts import rotating, teams, versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.acts.names import MACHINES
from sealift_signing.documents import FleetKeys, MachineKey
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.organisation import Organisation
from sealift_signing.public_key import PublicKey


def keys_of(name: str) -> Mapping[Literal["builder", "scanner"], str]:
    """What the keys of the builder `name` are called, by their purposes."""
    return {"builder": name, "scanner": f"{name}-scanner"}


def add_builder(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`add-builder BUILDER`: a machine whose builds and evidence count.

    Raises:
        RefusedError: there is one of that name, or a key is another's.
        NotFoundError: a card is not there.
    """
    (name,) = ask.object
    teams.check_name(name, "builder")
    known = organisation.fleet_keys()
    if any(one.name in keys_of(name).values() for one in known.keys):
        raise RefusedError(
            "builder-known",
            f"{documents.FLEET_KEYS_PATH} names a machine {name} already.",
            subject=name,
            next_step="Give the new one another name: whoever reads evidence tells them apart.",
        )
    entered = []
    for purpose, owner in keys_of(name).items():
        key = PublicKey.parse(material.carried.card(owner).predicate.key)
        key_owners.check_machine_enters(organisation, owner, key)
        material.check_not_lost(owner, key, roles.FLEET, roles.TARGETS, roles.ROOT)
        entered.append(MachineKey(key.text, owner, purpose, "active"))
    after = replace(known, keys=(*known.keys, *entered))
    meaning = (
        "Evidence by these keys counts as the hub's own: whoever owns that machine can say of any "
        "variant that it is faithful, and of any file that its scan found nothing."
    )
    return _prepared(
        organisation,
        material,
        f"Let the machine {name} build variants, and vouch for them.",
        (known, after),
        meaning,
    )


def remove_builder(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`remove-builder BUILDER [--status retired|compromised]`: what it builds counts no more.

    Raises:
        NotFoundError: there is no such builder.
        RefusedError: it is one of the hub's own machines.
    """
    (name,) = ask.object
    known, status = organisation.fleet_keys(), rotating.status_of(ask)
    if name in MACHINES.values():
        raise RefusedError(
            "own-machine",
            f"{name} is the hub itself.",
            subject=name,
            next_step="Replace its key: sealift key rotate builder, or scanner",
        )
    gone = [one for one in known.keys if one.name in keys_of(name).values() and _is_ours(one)]
    if not any(one.name == name and one.purpose == "builder" for one in gone):
        raise NotFoundError(
            "no-builder",
            f"{documents.FLEET_KEYS_PATH} names no builder {name}.",
            subject=name,
            next_step="See whom it names, by drafting: sealift renew fleet",
        )
    after = replace(
        known,
        keys=tuple(replace(one, status=status) if one in gone else one for one in known.keys),
    )
    meaning = (
        "Evidence that its keys signed never counts again: what rests on it is not newly installed "
        "anywhere, until it is made and approved again."
        if status == "compromised"
        else "Nothing that it builds is taken any more; evidence that it signed still counts where "
        "a request names it."
    )
    words = f"Take nothing more from the machine {name}."
    return _prepared(organisation, material, words, (known, after), meaning)


def _is_ours(one: MachineKey) -> bool:
    """Whether a key is one of a builder's, as `add-builder` enters them."""
    return one.purpose in {"builder", "scanner"}


def _prepared(
    organisation: Organisation,
    material: Material,
    sentence: str,
    lists: tuple[FleetKeys, FleetKeys],
    meaning: str,
) -> Prepared:
    before, after = lists
    path, data = documents.FLEET_KEYS_PATH, shape.write(after)
    documents.read_fleet_keys(data)
    signed, part = versions.listing(organisation, roles.FLEET, material, path, data)
    changed = tuple(one for one in after.keys if one not in before.keys)
    stay = tuple(one for one in after.keys if one in before.keys)
    words = (
        sentence,
        f"{wording.becomes(roles.FLEET, signed)}.",
        *wording.indented(
            f"new: {line}" for line in wording.fleet_keys(replace(after, keys=changed))
        ),
        *wording.indented([meaning]),
        "Besides, the fleet's keys stay:",
        *wording.indented(wording.fleet_keys(replace(after, keys=stay))),
    )
    return Prepared((part,), words)
