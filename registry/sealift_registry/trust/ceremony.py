"""Setting up trust: who holds which role, the first metadata, and the policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Signer

from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Change
from sealift_signing import documents, file_access, keys, publishing, roles, shape
from sealift_signing.desk.cards import make_card
from sealift_signing.documents import FleetKeys, MachineKey, RecallList
from sealift_signing.errors import FailedError, UsageError
from sealift_signing.keys import Passphrases
from sealift_signing.policy import POLICY_PATH, Policy, StageRule
from sealift_signing.publishing import Holders
from sealift_signing.vocabulary import SENTENCE
from sealift_sync import durable

OFFLINE_HOLDERS: Mapping[str, tuple[int, int]] = {
    roles.ROOT: (2, 3),
    roles.TARGETS: (2, 3),
    roles.FLEET: (1, 2),
    roles.RECALL: (1, 2),
    "dispatcher": (1, 1),
}
"""Per role kept outside the home: how many must sign, and how many keys are made."""

MEANINGS = ("validated", "accepts the risk")
DISPATCHER = "dispatcher"


def policy_of(name: str, *, solo: bool) -> Policy:
    """The policy that a new organisation starts with; `solo` is for one person alone.

    Raises:
        UsageError: no document may hold this name.
    """
    if not SENTENCE.matches(name):
        raise UsageError(
            "bad-organisation-name",
            f"The organisation's name must be {SENTENCE.words}.",
            subject="name",
            next_step="Give such a name with --name.",
        )
    stages = {
        stage: StageRule(
            approvals=1 if solo else approvals,
            requester_may_approve=solo,
            evidence=("scan", "parity"),
            key_classes=("file", "hardware"),
            meanings=MEANINGS,
            longest_validity_days=365,
        )
        for stage, approvals in (("staging", 1), ("production", 2))
    }
    return Policy(1, (), name, stages, dict(roles.LIFETIMES_DAYS))


@dataclass(frozen=True)
class Offices:
    """Who holds each offline role, and the signers that are at hand for setting up."""

    holders: Mapping[str, tuple[int, Holders]]
    signers: Mapping[str, list[Signer]]


def check_offline(root: Path, folder: Path, passphrases: Passphrases) -> None:
    """Check that offline keys for the hub at `root` can be made in `folder`, making none.

    Raises:
        UsageError: the folder is in the home, or nobody says the keys' passphrase.
        FailedError: a key file is there already.
    """
    if folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            "offline-keys-in-home",
            f"{folder} is in the hub's home: whoever copies the home would have every key.",
            subject=str(folder),
            next_step="Choose a folder outside it, best on a medium that can be locked away.",
        )
    for role in OFFLINE_HOLDERS:
        for path in _paths(folder, role).values():
            if path.exists() or path.with_name(f"{path.name}.pub").exists():
                raise FailedError(
                    "key-exists",
                    f"{path} exists already, and a key is never overwritten.",
                    subject=str(path),
                    next_step="Choose another folder with --offline-keys.",
                )
            passphrases.of(path)


def make_offline_keys(folder: Path, passphrases: Passphrases, made: list[Path]) -> Offices:
    """Make every offline key in `folder`, one file each, to be carried to their holders.

    Each file is added to `made` once it is there.
    """
    holders, signers = {}, {}
    for role, (threshold, _) in OFFLINE_HOLDERS.items():
        paths = _paths(folder, role)
        public = {}
        for name, path in paths.items():
            public[name] = keys.new_key(path, passphrases.of(path))
            made.append(path)
        holders[role] = (threshold, public)
        at_hand = list(paths.values())[:threshold]
        signers[role] = [keys.open_signer(str(path), passphrases) for path in at_hand]
    return Offices(holders, signers)


def write_cards(folder: Path, offices: Offices, made: list[Path], now: datetime) -> None:
    """Write the key card of each dispatcher beside the key: a first enrolment goes by it."""
    for signer, (name, path) in zip(
        offices.signers[DISPATCHER], _paths(folder, DISPATCHER).items(), strict=True
    ):
        card = path.with_name(f"{name}.card")
        durable.write(card, make_card(name, signer, "file", now), mode=file_access.SHOWN_FILE)
        made.append(card)


def _paths(folder: Path, role: str) -> dict[str, Path]:
    """The key files of an offline role, by the names of their holders."""
    _, count = OFFLINE_HOLDERS[role]
    return {f"{role}-{n}": folder / f"{role}-{n}.pem" for n in range(1, count + 1)}


def first_offline_key(folder: Path) -> Path:
    """The public half of the first of them that was made in `folder`: one of root's."""
    path = next(iter(_paths(folder, roles.ROOT).values()))
    return path.with_name(f"{path.name}.pub")


def one_person(person: str, online: OnlineKeys) -> Offices:
    """Every offline role held by one key, kept in the home: `sealift init --solo`."""
    public = {person: online.create_key("solo")}
    signer = [online.signer("solo")]
    return Offices(
        dict.fromkeys(OFFLINE_HOLDERS, (1, public)), dict.fromkeys(OFFLINE_HOLDERS, signer)
    )


def first_metadata(offices: Offices, online: OnlineKeys, policy: Policy, now: datetime) -> Change:
    """Version 1 of root, targets, fleet and recall, signed, with their documents."""
    root = publishing.first_root(
        {role: offices.holders[role] for role in (roles.ROOT, roles.TARGETS)}
        | {role: (1, {"hub": online.public(role)}) for role in (roles.SNAPSHOT, roles.TIMESTAMP)},
        expires=_until(now, policy, roles.ROOT),
    )
    publishing.sign(root, offices.signers[roles.ROOT])
    change = Change({roles.ROOT: root})
    targets = publishing.first_targets(expires=_until(now, policy, roles.TARGETS))
    for role in (roles.FLEET, roles.RECALL):
        publishing.delegate(targets.signed, role, *offices.holders[role])
    listed = {
        roles.TARGETS: (targets, POLICY_PATH, shape.write(policy)),
        roles.FLEET: (
            publishing.first_targets(expires=_until(now, policy, roles.FLEET)),
            documents.FLEET_KEYS_PATH,
            shape.write(machine_keys(online)),
        ),
        roles.RECALL: (
            publishing.first_targets(expires=_until(now, policy, roles.RECALL)),
            documents.RECALL_PATH,
            shape.write(RecallList(1, (), ())),
        ),
    }
    for role, (metadata, path, data) in listed.items():
        publishing.list_document(metadata.signed, path, data)
        publishing.sign(metadata, offices.signers[role])
        change.metadata[role] = metadata
        change.documents[path] = data
    return change


def machine_keys(online: OnlineKeys) -> FleetKeys:
    """keys.json of a new organisation: the hub's own log, scanner and builder."""
    made = (
        MachineKey(online.public("log").text, "hub", "log", "active"),
        MachineKey(online.public("scanner").text, "hub-scanner", "scanner", "active"),
        MachineKey(online.public("builder").text, "hub-builder", "builder", "active"),
    )
    return FleetKeys(1, (), made)


def person_id(text: str) -> str:
    """A person's id made of a login name: whatever no id may hold is left out."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].rstrip("-") or "me"


def _until(now: datetime, policy: Policy, role: str) -> datetime:
    return publishing.expiry(now, policy.lifetimes_days[role])
