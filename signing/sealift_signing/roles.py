"""The role layout: which roles there are, who delegates them, and what each may list.

TUF lets a delegation's paths be almost anything; ours are fixed here, once, and a site checks them
again. Role names are for ever: TUF can never forget one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from tuf.api.metadata import Root, Targets

from sealift_signing import compromised, floors
from sealift_signing.documents import FLEET_KEYS_PATH, RECALL_PATH, assignment_path, members_path
from sealift_signing.errors import MalformedError, shown
from sealift_signing.policy import POLICY_PATH, Policy
from sealift_signing.public_key import PublicKey
from sealift_signing.tuf_walk import PERSON_FIELD
from sealift_signing.vocabulary import CATALOG_PATH, NAME, SHA256, SOURCE

ROOT, TIMESTAMP, SNAPSHOT, TARGETS = "root", "timestamp", "snapshot", "targets"
FLEET, RECALL = "fleet", "recall"
TEAM, CATALOG, SITE = "team", "catalog", "site"
TOP_ROLES = (ROOT, TIMESTAMP, SNAPSHOT, TARGETS)

LIFETIMES_DAYS: Mapping[str, int] = {
    ROOT: 730,
    TARGETS: 365,
    TEAM: 180,
    CATALOG: 90,
    FLEET: 365,
    SITE: 90,
    RECALL: 90,
    SNAPSHOT: 30,
    TIMESTAMP: 30,
}
"""How long a signature of each kind of role lasts, in days, unless the policy says otherwise."""


QUORUM = 2
"""The least number of people who sign a role that people share; in solo there is but one."""


def team_role(team: str) -> str:
    """The role of a team's stewards."""
    return f"{TEAM}.{team}"


def catalog_role(team: str) -> str:
    """The hub's online role that lists a team's artifacts."""
    return f"{CATALOG}.{team}"


def site_role(site: str) -> str:
    """The dispatcher's role for one site."""
    return f"{SITE}.{site}"


def kind(role: str) -> str:
    """`team` for `team.vision`, `root` for `root`: what lifetimes are kept by."""
    return role.partition(".")[0]


def whose(role: str) -> str:
    """The team or site that a role is of: `vision` of `team.vision`; empty for the others."""
    return role.partition(".")[2]


def is_known(role: str) -> bool:
    """Whether our layout has such a role, spelled so: `team.../../x` is none."""
    if role in {*TOP_ROLES, FLEET, RECALL}:
        return True
    family, _, name = role.partition(".")
    return family in {TEAM, CATALOG, SITE} and NAME.matches(name)


def is_online(role: str) -> bool:
    """Whether the hub signs this role by itself; all others are signed by people."""
    return role in {SNAPSHOT, TIMESTAMP} or kind(role) == CATALOG


def delegator(role: str) -> str:
    """The role that delegates `role`; trust is keyed by this pair, never by the name alone."""
    if role in TOP_ROLES:
        return ROOT
    return FLEET if kind(role) == SITE else TARGETS


def above(role: str) -> tuple[str, ...]:
    """Every role by whose word `role` is held, up to root: `fleet`, targets and root of a site's.

    What one of them says of a key of `role` holds; what a role says of those above it does not.
    """
    found = [delegator(role)]
    while found[-1] != ROOT:
        found.append(delegator(found[-1]))
    return tuple(found)


def paths(role: str) -> list[str]:
    """The path patterns that `role`'s delegation carries (TUF specification §4.5).

    Raises:
        MalformedError: our layout delegates no such role.
    """
    if not is_known(role) or role in TOP_ROLES:
        raise MalformedError(
            "no-such-role", f"There is no delegated role {shown(role)}.", subject=role
        )
    name = whose(role)
    return {
        TEAM: [members_path(name)],
        CATALOG: [f"catalog/{name}/*/*/*"],
        FLEET: [FLEET_KEYS_PATH, "sites/*/*"],
        SITE: [assignment_path(name)],
        RECALL: [RECALL_PATH],
    }[kind(role)]


def check_layout(role: str, signed: Targets) -> None:
    """Check that a targets role lists and delegates only what our layout gives it.

    Raises:
        MalformedError: a path that is not this role's, a digest that is not SHA-256 alone, a
            delegation that this role may not make, keys called compromised that are not its own,
            or a floor where there is none.
    """
    floors.check_stated(role, signed)
    if role not in {TARGETS, FLEET} and compromised.FIELD in signed.unrecognized_fields:
        raise MalformedError(
            "bad-compromised",
            f"The role {role} delegates to nobody, and may call no key compromised.",
            subject=role,
        )
    for path, target in signed.targets.items():
        if not _may_list(role, path):
            raise MalformedError(
                "path-not-of-role", f"The role {role} may not list {shown(path)}.", subject=path
            )
        if set(target.hashes) != {"sha256"} or not SHA256.matches(target.hashes["sha256"]):
            raise MalformedError(
                "digest-not-sha256",
                f"{role} lists {path} with digests other than a single SHA-256.",
                subject=path,
            )
    if signed.delegations is None:
        return
    if signed.delegations.succinct_roles:
        raise MalformedError("bad-delegation", f"{role} delegates to hash bins.", subject=role)
    for name, spec in (signed.delegations.roles or {}).items():
        if not _may_delegate(role, name) or spec.paths != paths(name):
            raise MalformedError(
                "bad-delegation",
                f"The role {role} may not delegate {shown(name)} so.",
                subject=name,
            )
        _check_reachable(name, keyholders(signed, name))


def _may_delegate(role: str, name: str) -> bool:
    return is_known(name) and delegator(name) == role


def _check_reachable(role: str, holders: Keyholders) -> None:
    if holders.real_threshold < holders.threshold:
        raise MalformedError(
            "threshold-unreachable",
            f"{role} needs {holders.threshold} signatures of distinct people, and only "
            f"{holders.real_threshold} could sign.",
            subject=role,
        )


def _may_list(role: str, path: str) -> bool:
    if role == TARGETS:
        return path == POLICY_PATH
    if role == FLEET:
        return path == FLEET_KEYS_PATH
    if kind(role) == CATALOG:
        if not CATALOG_PATH.matches(path):
            return False
        _, team, _, _, form = path.split("/")
        return catalog_role(team) == role and form != SOURCE
    return [path] == paths(role)


@dataclass(frozen=True)
class Keyholders:
    """The keys and the threshold that a delegator gives a role, duplicates of a key folded."""

    threshold: int
    keys: tuple[PublicKey, ...]
    people: tuple[str, ...]

    @property
    def real_threshold(self) -> int:
        """How many people must really act: never more than there are keys and people."""
        return min(self.threshold, len(self.keys), len(self.people))


def keyholders(signed: Root | Targets, role: str) -> Keyholders:
    """Who holds `role` by the word of its delegator `signed`.

    Raises:
        MalformedError: `signed` delegates no such role.
    """
    spec = floors.delegated(signed).get(role)
    if spec is None:
        raise MalformedError(
            "no-such-role", f"Nothing delegates a role {shown(role)}.", subject=role
        )
    held = holders(signed, role).values()
    keys = {key.raw: key for _, key in held}
    people = {person for person, _ in held}
    return Keyholders(spec.threshold, tuple(keys.values()), tuple(sorted(people)))


def holders(signed: Root | Targets, role: str) -> dict[str, tuple[str, PublicKey]]:
    """Each key of `role` by its id, and whose it is, by the word of the role's delegator.

    A key that the delegator does not hold is nobody's, and signs nothing.
    """
    spec = floors.delegated(signed).get(role)
    found = {}
    for keyid in spec.keyids if spec else ():
        with suppress(ValueError):
            key = signed.get_key(keyid)
            public = PublicKey.from_tuf(key)
            person = str(key.unrecognized_fields.get(PERSON_FIELD, public.text))
            found[keyid] = (person, public)
    return found


def key_set(signed: Root | Targets, role: str) -> str:
    """The name of the set of keys that hold `role`: its floor is kept by it."""
    return floors.key_set(keyholders(signed, role).keys)


def named_keys(signed: Root | Targets, role: str) -> dict[str, PublicKey]:
    """Who holds `role` by the word of its delegator, each with their key."""
    return dict(holders(signed, role).values())


def quorum(holders: int) -> int:
    """How many of so many holders must sign a role that people share: more than half, and two.

    Any two such quorums have a holder in common, who remembers what they signed: two halves could
    sign two versions of one number, and nobody would have signed twice.
    """
    return max(QUORUM, holders // 2 + 1)


def unprotected(
    root: Root, targets: Targets, policy: Policy, teams: Iterable[str]
) -> tuple[str, ...]:
    """Why one person, or one stolen key, could promote alone; empty where none could.

    Or why two halves of a role's holders could sign two versions of it, each of which verifies.

    Computed from the verified metadata at every use, never read from a flag: a set-up for one
    person says so on every bundle and receipt until it is really changed.
    """
    reasons = [
        f"one signature suffices for {role}"
        for role in (ROOT, TARGETS)
        if keyholders(root, role).real_threshold == 1
    ]
    reasons += [
        f"one steward suffices for team {team}"
        for team in teams
        if keyholders(targets, team_role(team)).real_threshold == 1
    ]
    reasons += [
        _two_halves(keyholders(root, role), f"holders suffice for {role}")
        for role in (ROOT, TARGETS)
    ]
    reasons += [
        _two_halves(keyholders(targets, team_role(team)), f"stewards suffice for team {team}")
        for team in teams
    ]
    reasons += [
        f"who requests {name} may approve it"
        for name, rule in sorted(policy.stages.items())
        if rule.requester_may_approve
    ]
    online, offline = _split_keys(root, targets)
    if offline & online:
        reasons.append("the hub's online key is also an offline one")
    return tuple(reason for reason in reasons if reason)


def _two_halves(holders: Keyholders, what: str) -> str:
    """That two quorums need not meet, of a role that people share; empty if they do."""
    many, least = min(len(holders.keys), len(holders.people)), holders.real_threshold
    if least == 1 or least >= quorum(many):
        return ""
    return f"{least} of {many} {what}: two halves could sign two versions"


def _split_keys(root: Root, targets: Targets) -> tuple[set[bytes], set[bytes]]:
    """The raw keys that the hub signs with by itself, and those that people keep."""
    online: set[bytes] = set()
    offline: set[bytes] = set()
    for owner, names in ((root, TOP_ROLES), (targets, tuple(floors.delegated(targets)))):
        for name in names:
            keys = {key.raw for key in keyholders(owner, name).keys}
            (online if is_online(name) else offline).update(keys)
    return online, offline
