"""Writes docs/reference/rights.md: who may do what over the server, from the table that decides it.

Run it after a change of sealift_registry.access.rights:
.venv/bin/python docs/reference/make_rights.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sealift_registry.access.calling import ROLES
from sealift_registry.access.rights import ACTIONS, LIMITS, ROLE_WORDS, ActionRule

PAGE = Path(__file__).parent / "rights.md"

HEAD = """# Rights

Who may do what over the [server](../how-to/serve-the-hub.md). At the hub's own shell, whoever
owns the machine may do all of it.

Nobody is ever granted the right to *sign*. Who may ask for a promotion, approve, object,
dispatch, or hold a role follows from documents that people signed, and the hub counts each
signature by the same rules as a site. Here stands who may look, take versions in, operate,
administer, and hand in what was signed. How people get in is told in [people and
rights](../how-to/people-and-rights.md).

Written by `docs/reference/make_rights.py` from `sealift_registry.access.rights`.

## What is granted

An administrator grants these to an account, or takes them away, and whoever runs the hub does.
Nobody grants themselves anything.

| role | for whom | may be granted for one alone |
|---|---|---|
"""

TABLE = """
A grant for one team reaches what is that team's, and nothing that is of no team. An administrator
has nothing else by being one.

## What follows from what was signed

An account that is [bound to a person](../how-to/people-and-rights.md#whose-account-it-is) may do
these by what that person holds in documents that were signed last; the moment somebody leaves a
team, it is gone.

| who | is |
|---|---|
| the team's people | its stewards, and who may ask for promotions or approve them |
| the site's dispatchers | who holds the role of that site |
| the fleet's administrators | who holds the role `fleet` |
| who holds any office | any of these, and who holds `root`, `targets` or `recall`; of the hub |

## Actions

The first column is what a token's scopes are named by. Where a token cannot do something, no
scope is for it: that takes people. Each refusal of somebody who is signed in is an [entry of the
log](../explanation/log.md), `access.refused`.

| action | is to | who may | by a token |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join(_roles()) + "\n" + TABLE + "\n".join(_actions()) + "\n"


def _roles() -> Iterator[str]:
    for role in ROLES:
        limits = " or ".join(sorted(LIMITS[role], reverse=True)) or "no: for the hub"
        yield f"| `{role}` | {ROLE_WORDS[role]} | {limits} |"


def _actions() -> Iterator[str]:
    for name, rule in ACTIONS.items():
        who = ", ".join(_who(rule))
        if rule.people:
            who += "; with an account that is bound to them"
        yield f"| `{name}` | {rule.words} | {who} | {'yes' if rule.tokens else 'no'} |"


def _who(rule: ActionRule) -> Iterator[str]:
    if rule.anybody:
        yield "anybody who is signed in"
    yield from (f"`{role}`" for role in ROLES if role in rule.roles)
    said = {
        "whose it is": rule.own,
        "the team's people": rule.members,
        "the site's dispatchers": rule.dispatchers,
        "the fleet's administrators": rule.fleet,
        "who holds any office": rule.signers,
    }
    yield from (words for words, is_so in said.items() if is_so)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
