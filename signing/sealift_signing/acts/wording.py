"""The words that whoever signs reads, computed from the bytes that they sign.

Text that somebody else wrote is drawn (`drawing.drawn`), so that no name or reason can pass for a
line of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha256

from tuf.api.metadata import Root, Targets

from sealift_signing import compromised, documents, floors, version_links
from sealift_signing.acts import policy_words
from sealift_signing.approvals import REQUEST
from sealift_signing.documents import (
    Assignment,
    FleetKeys,
    MachineKey,
    MemberKey,
    Members,
    Person,
    RecallList,
    Withdrawal,
)
from sealift_signing.drawing import drawn
from sealift_signing.organisation import Head, Organisation
from sealift_signing.policy import read_policy
from sealift_signing.public_key import PublicKey
from sealift_signing.roles import (
    FLEET,
    RECALL,
    TARGETS,
    TEAM,
    Keyholders,
    keyholders,
    kind,
    named_keys,
    whose,
)
from sealift_signing.vocabulary import counted, moment


def base(head: Head, now: datetime) -> str:
    """What is stood on: `team.vision, version 6 (1f2e3d4c5b6a), signed by anna and ben, …`."""
    ended = "EXPIRED on" if head.expires <= now else "valid until"
    who = " and ".join(head.signers) or "nobody"
    return (
        f"{head.role}, version {head.version} ({head.digest[:12]}), signed by {who}, {ended} "
        f"{moment(head.expires)[:10]}"
    )


def becomes(role: str, signed: Root | Targets) -> str:
    """What is signed: `team.vision becomes version 7, valid until …`."""
    return f"{role} becomes version {signed.version}, valid until {moment(signed.expires)}"


def purposes(given: Iterable[str]) -> str:
    """What a key may do, in words: `approve for production and staging, request promotions`."""
    stages, others = [], []
    for one in given:
        act, _, stage = one.partition(":")
        if stage:
            stages.append(stage)
        else:
            others.append("request promotions" if act == REQUEST else act)
    approves = [f"approve for {' and '.join(stages)}"] if stages else []
    return ", ".join(approves + others) or "nothing"


def key(text: str) -> str:
    """A key as people compare it: whole."""
    return PublicKey.parse(text).text


def holders(held: Keyholders) -> str:
    """Who holds a role, and how many of them sign."""
    return f"{held.threshold} of {', '.join(held.people)}"


def person(one: Person) -> list[str]:
    """A person of a team, with every key."""
    name = "" if one.printed_name == one.id else f" {drawn(one.printed_name)}"
    status = "" if one.status == "active" else f" ({one.status.upper()})"
    return [f"{one.id}{name}{status}", *(line for key in one.keys for line in _member_key(key))]


def _member_key(one: MemberKey) -> list[str]:
    """One key of a person; of a retired one with all that goes on counting."""
    held = f"{purposes(one.purposes)} with the {one.key_class} key {one.key}"
    if one.status is None:
        return [f"  may {held}"]
    counts = one.counts or ()
    after = "" if one.counts is None else f"; {counted(len(counts), 'statement')} of it count on"
    return [
        f"  could {held} ({one.status.upper()}){after}",
        *(f"    counts on until {still.until}: {still.sha256}" for still in counts),
    ]


def withdrawal(one: Withdrawal) -> str:
    """What was withdrawn, and why."""
    what = f"the artifact {one.sha256}" if one.sha256 else f"{one.model} below version {one.below}"
    return f"{one.id}, of {what} from {one.stage}, {one.made}: {drawn(one.reason)} ({one.digest})"


def members(found: Members) -> list[str]:
    """A team's people and withdrawals."""
    lines = [line for one in found.people for line in person(one)]
    lines += [f"withdrawn: {withdrawal(one)}" for one in found.withdrawn]
    if found.check_rows is not None:
        lines.append("check rows TRAVEL with the team's models: values of rows leave the hub")
    return lines or ["nobody"]


def fleet_keys(found: FleetKeys) -> list[str]:
    """Our machines."""
    return [
        f"{one.name} ({one.purpose}, {one.status}): {one.key}{_log_start(one)}"
        for one in sorted(found.keys, key=lambda one: (one.purpose, one.name, one.key))
    ]


def _log_start(one: MachineKey) -> str:
    said = one.starts
    return f", from entry {said.size} of the log on, after {said.follows}" if said else ""


def assignment(found: Assignment) -> list[str]:
    """What each host group of a site should run, and go back to."""
    lines = []
    for group, given in sorted(found.groups.items()):
        lines.append(f"host group {group} ({given.hardware_target})")
        for model, versions in sorted(given.models.items()):
            behind = ", ".join(str(one.parsed.version) for one in versions.fallbacks)
            lines.append(
                f"  {model}: runs version {versions.current.parsed.version}, "
                f"goes back to {behind or 'nothing'}"
            )
            lines += [f"    {one.path}  {one.sha256}" for one in versions.artifacts]
    lines = lines or ["nothing"]
    lines += [
        f"goes back: {one.model} in host group {one.group}, where it runs version {one.version} or "
        f"a lower one: {drawn(one.reason)}"
        for one in found.back or ()
    ]
    return lines + [
        f"stops: {one.model} in host group {one.group}, until it is assigned there again: "
        f"{drawn(one.reason)}"
        for one in found.retire or ()
    ]


def recalls(found: RecallList) -> list[str]:
    """What must stop."""
    return [f"{one.id}: {one.sha256}: {drawn(one.reason)}" for one in found.recalls] or ["nothing"]


Documents = Callable[[str], bytes | None]
"""A document by its path; None where it is not at hand."""


def contents(role: str, signed: Root | Targets, document: Documents) -> list[str]:
    """All that a version of `role` says, the documents that it lists included."""
    lines = [
        f"calls compromised: {one}" for one in signed.unrecognized_fields.get(compromised.FIELD, [])
    ]
    own = {version_links.FIELD, compromised.FIELD}
    lines += [
        f"says besides, under a name that is not known here: {drawn(str(one))}"
        for one in sorted(signed.unrecognized_fields.keys() - own)
    ]
    if isinstance(signed, Root):
        return [*lines, *(line for one in sorted(signed.roles) for line in _held(signed, one))]
    for path, target in sorted(signed.targets.items()):
        data = document(path)
        if data is None or sha256(data).hexdigest() != target.hashes["sha256"]:
            lines.append(f"{path}: not at hand ({target.hashes['sha256']})")
        else:
            lines += _document(role, data)
    lines += [line for one in sorted(floors.delegated(signed)) for line in _held(signed, one)]
    return lines or ["nothing"]


def _held(signed: Root | Targets, role: str) -> list[str]:
    """Who holds a role, each with their key."""
    keys = sorted(named_keys(signed, role).items())
    floor = floors.stated(signed, role)
    from_there = f", from version {floor} on" if floor else ""
    return [
        f"{role}: {holders(keyholders(signed, role))}{from_there}",
        *(f"  {who}: {one.text}" for who, one in keys),
    ]


def stands(organisation: Organisation, role: str) -> list[str]:
    """All that the newest version of `role` says."""
    signed = organisation.head(role).metadata.signed
    return contents(role, signed, lambda path: organisation.document(role, path))


def _document(role: str, data: bytes) -> list[str]:
    name = whose(role)
    if role == TARGETS:
        return policy_words.policy(read_policy(data))
    if role == FLEET:
        return fleet_keys(documents.read_fleet_keys(data))
    if role == RECALL:
        return recalls(documents.read_recalls(data))
    if kind(role) == TEAM:
        return members(documents.read_members(data, name))
    return assignment(documents.read_assignment(data, name))


def blocks(lines: Iterable[str]) -> list[tuple[str, ...]]:
    """Lines with those further in that belong to each: a person with their keys."""
    found: list[list[str]] = []
    for line in lines:
        if found and line.startswith(" "):
            found[-1].append(line)
        else:
            found.append([line])
    return [tuple(one) for one in found]


def indented(lines: Iterable[str], by: int = 2) -> list[str]:
    """Lines further in."""
    return [f"{' ' * by}{line}" for line in lines]
