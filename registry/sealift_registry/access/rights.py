"""Who may do what: the table of roles and actions, as data, and the one rule that reads it.

What somebody may *sign* is no part of it: that follows from documents which people signed, and the
hub's use cases count it by the same rules as a site. Here stands who may look, put in, operate,
administer, and hand in what was signed (docs/reference/rights.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sealift_registry.access.calling import Caller, Grant, Held, Reach, Role, Where

LIMITS: Mapping[Role, frozenset[str]] = {
    "viewer": frozenset({"team", "site"}),
    "publisher": frozenset({"team"}),
    "auditor": frozenset({"team", "site"}),
    "operator": frozenset(),
    "administrator": frozenset(),
}
"""What a grant of each role may be limited to."""

ROLE_WORDS: Mapping[Role, str] = {
    "viewer": "looks at models, promotions and sites",
    "publisher": "takes versions in, and asks for conversions",
    "auditor": "reads the log, and all that a viewer sees",
    "operator": "sees to jobs, exports and what comes home",
    "administrator": "sees to accounts and rights, and to nothing else",
}


@dataclass(frozen=True)
class ActionRule:
    """Who may do something. Each member adds some; nobody may who is in none.

    Attributes:
        words: what it is, after `may`.
        roles: who was granted one of them, where that reaches so far.
        anybody: who is signed in.
        own: the account whose own thing it is.
        members: who is a member or steward of its team, by what was signed last.
        dispatchers: who is a dispatcher of its site.
        fleet: who administers the fleet.
        signers: who holds any office, where it is about no team and no site.
        tokens: whether a token may do it at all.
        people: whether it takes somebody who proved a key of theirs.
    """

    words: str
    roles: frozenset[Role] = frozenset()
    anybody: bool = False
    own: bool = False
    members: bool = False
    dispatchers: bool = False
    fleet: bool = False
    signers: bool = False
    tokens: bool = True
    people: bool = False


def _roles(*names: Role) -> frozenset[Role]:
    return frozenset(names)


_SEES = _roles("viewer", "publisher", "auditor")


def _of_team(words: str) -> ActionRule:
    return ActionRule(words, _SEES, members=True)


def _of_site(words: str) -> ActionRule:
    return ActionRule(words, _roles("viewer", "auditor"), dispatchers=True, fleet=True)


def _to_all(words: str) -> ActionRule:
    return ActionRule(words, anybody=True)


def _to_administrators(words: str) -> ActionRule:
    return ActionRule(words, _roles("administrator"), tokens=False)


def _signed(words: str) -> ActionRule:
    return ActionRule(
        words, members=True, dispatchers=True, fleet=True, signers=True, tokens=False, people=True
    )


BIND = "me.bind"

ACTIONS: Mapping[str, ActionRule] = {
    "me.read": _to_all("read who one is, and what one may"),
    BIND: ActionRule("prove a key, so that an account is a person's", anybody=True, tokens=False),
    "me.password": ActionRule("choose another password", own=True, tokens=False),
    "session.manage-own": ActionRule("list and end one's sessions", own=True, tokens=False),
    "token.manage-own": ActionRule("make, list and revoke one's tokens", own=True, tokens=False),
    "next.read": _to_all("read what is missing next, of what one may read about"),
    "team.read": _of_team("read a team's list of people"),
    "model.read": _of_team("read about models"),
    "version.read": _of_team("read about versions and their forms"),
    "evidence.read": _of_team("read evidence"),
    "promotion.read": _of_team("read about promotions"),
    "blob.read": _of_team("fetch files of versions"),
    "version.ingest": ActionRule("take versions in", _roles("publisher")),
    "conversion.ask": ActionRule("ask for conversions", _roles("publisher")),
    "upload.write": ActionRule("upload files for versions", _roles("publisher")),
    "promotion.comment": ActionRule(
        "comment on promotions", _roles("viewer"), members=True, tokens=False
    ),
    "draft.make": _signed("have something drafted, to sign it"),
    "submission.make": _signed("hand in what was signed"),
    "site.read": _of_site("read about sites"),
    "assignment.read": _of_site("read what sites should run"),
    "transfer.read": _of_site("read about transfers"),
    "receipt.read": _of_site("read what sites sent home"),
    "export.ask": ActionRule("have bundles written", _roles("operator"), dispatchers=True),
    "receipt.take": ActionRule("take in what came home", _roles("operator"), dispatchers=True),
    "job.read": ActionRule("read about jobs", _roles("publisher", "operator"), own=True),
    "job.cancel": ActionRule("cancel jobs", _roles("operator"), own=True),
    "job.retry": ActionRule("have jobs done again", _roles("operator"), own=True),
    "audit.read": ActionRule("read the log's entries", _roles("auditor")),
    "checkpoint.read": _to_all("read the log's checkpoints, and proofs of its growth"),
    "hardware-target.read": _to_all("read about hardware targets"),
    "policy.read": _to_all("read the policy"),
    "settings.read": ActionRule("read the hub's settings", _roles("administrator", "auditor")),
    "account.read": _to_administrators("read about accounts"),
    "account.invite": _to_administrators("invite somebody, or a program"),
    "account.disable": _to_administrators("disable accounts"),
    "right.grant": _to_administrators("grant rights to others"),
    "right.revoke": _to_administrators("revoke rights"),
    "session.revoke-any": _to_administrators("end anybody's sessions"),
    "token.make-program": _to_administrators("make tokens of programs' accounts"),
    "token.revoke-any": _to_administrators("revoke anybody's tokens"),
    "metrics.read": ActionRule("read the server's counts", _roles("operator", "administrator")),
}
"""Every action that a route may declare."""

SCOPES = frozenset(name for name, rule in ACTIONS.items() if rule.tokens)
"""What a token may be for."""


def may(action: str, caller: Caller, held: Held, where: Where) -> bool:
    """Whether somebody may do something there. Of an action that is not in the table nobody may."""
    rule = ACTIONS.get(action)
    if rule is None or not _let_in(rule, action, caller):
        return False
    if rule.anybody or (rule.own and where.owner == caller.account):
        return True
    if any(one.role in rule.roles and one.covers(where) for one in caller.grants):
        return True
    return _by_office(rule, held, where)


def reach(action: str, caller: Caller, held: Held) -> Reach:
    """How far an action goes for somebody, for lists: rows beyond it are left out."""
    rule = ACTIONS.get(action)
    if rule is None or not _let_in(rule, action, caller):
        return Reach()
    grants = [one for one in caller.grants if one.role in rule.roles]
    return Reach(
        everything=rule.anybody or any(_is_whole(one) for one in grants),
        # Of what has a team and a site, a grant that names both reaches neither list as a whole.
        teams=frozenset(one.team for one in grants if one.team and not one.site)
        | (held.teams if rule.members else frozenset()),
        sites=frozenset(one.site for one in grants if one.site and not one.team)
        | (held.sites if rule.dispatchers else frozenset()),
        owner=caller.account if rule.own else None,
        all_sites=rule.fleet and held.fleet,
    )


def _is_whole(one: Grant) -> bool:
    return one.team is None and one.site is None


def _let_in(rule: ActionRule, action: str, caller: Caller) -> bool:
    """Whether what somebody is signed in with can do it at all."""
    if caller.scopes is not None and action not in caller.scopes:
        return False
    is_token = caller.by == "token" or caller.kind == "service"
    if is_token and not rule.tokens:
        return False
    return not rule.people or caller.person is not None


def _by_office(rule: ActionRule, held: Held, where: Where) -> bool:
    if rule.members and where.team is not None and where.team in held.teams:
        return True
    if rule.dispatchers and where.site is not None and where.site in held.sites:
        return True
    if rule.fleet and where.site is not None and held.fleet:
        return True
    return rule.signers and held.any and where.team is None and where.site is None
