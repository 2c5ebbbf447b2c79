"""`sealift policy`: what each stage asks, and how it is changed by the holders of `targets`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sealift_registry.cli import remote
from sealift_registry.cli.delivery import any_software_option
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.cli.signing import Signing, carry_out, set_aside_versions, signing_options
from sealift_signing.acts.names import BEFORE_PEOPLE, GIVEN
from sealift_signing.errors import RefusedError

if TYPE_CHECKING:
    from sealift_signing.acts.material import Ask
    from sealift_signing.drafts import Draft
    from sealift_signing.organisation_memory import OrganisationMemory

_CHANGES = (
    "like",
    "approvals",
    "evidence",
    "key-class",
    "meaning",
    "days",
    "within",
    BEFORE_PEOPLE,
)
F = TypeVar("F", bound=Callable[..., Any])
TARGETS_KEY = "With --at-hub or --server: a key of the targets role; once for each signature."


@sealift.group()
def policy() -> None:
    """Show what each stage asks, and change it."""


@command(policy, "show", example="sealift policy show", at_server=True)
def policy_show(session: Session) -> None:
    """Show what each stage asks.

    And how long signatures of each kind of role last: the policy as it was signed.
    """
    from sealift_registry.shown import settings as shown
    from sealift_registry.trust.repository import Repository

    if session.server is not None:
        remote.show(session, "policy-show", "/policy")
        return
    with session.app.hub.reading() as connection:
        told = shown.policy(Repository(connection).policy())
    session.terminal.answer("policy-show", told.data, told.lines)


def change_options(function: F) -> F:
    """What a stage is to ask, by options; the function is given one act, `ask`."""

    @functools.wraps(function)
    def run(*args: object, **given: Any) -> object:  # noqa: ANN401 - as click gives them
        from sealift_signing.acts.material import Ask

        details = {name: _given(given.pop(name.replace("-", "_"))) for name in _CHANGES}
        named = {name: values for name, values in details.items() if values}
        return function(*args, ask=Ask("set-stage", (given.pop("stage"),), named), **given)

    options = [
        click.option("--like", metavar="STAGE", help="Of a new stage: what is not named is as in."),
        click.option("--approvals", metavar="N", help="How many people approve."),
        click.option(
            "--evidence",
            metavar="KIND",
            multiple=True,
            help="What evidence there must be, such as scan; once for each kind.",
        ),
        click.option(
            "--key-class",
            metavar="CLASS",
            multiple=True,
            help="Where approvers' keys may be kept: file, hardware; once for each.",
        ),
        click.option(
            "--meaning",
            metavar="WORDS",
            multiple=True,
            help="What an approval may mean; once for each.",
        ),
        click.option("--days", metavar="N", help="How long an approval is valid at most."),
        click.option(
            "--within", metavar="N", help="How many days after its request one may be made."
        ),
        click.option(
            "--before-people",
            is_flag=True,
            help="No team could meet it yet, and that is meant.",
        ),
    ]
    wrapped: Any = run
    for option in reversed([click.argument("stage"), *options]):
        wrapped = option(wrapped)
    decorated: F = wrapped
    return decorated


def _given(value: str | tuple[str, ...] | bool | None) -> tuple[str, ...]:  # noqa: FBT001 - a flag
    """What an option says, as an act spells it; nothing where it was not given."""
    if isinstance(value, bool):
        return (GIVEN,) if value else ()
    if isinstance(value, str):
        return (value,)
    return value or ()


@command(
    policy,
    "set",
    example="sealift policy set pilot --like staging --approvals 1 --before-people",
    at_server=True,
)
@change_options
@any_software_option
@signing_options(TARGETS_KEY)
def policy_set(session: Session, *, ask: Ask, any_software: bool, how: Signing) -> None:
    """Change what a stage asks, or add one.

    Holders of targets sign it. What is not named stays as it is; each list that is named is the
    whole list from then on. What would come of it for all that is approved and open today is told
    before it is signed.
    """
    _change(session, ask, how, any_software=any_software)


@command(policy, "check", example="sealift policy check production --days 90", at_server=True)
@change_options
def policy_check(session: Session, *, ask: Ask) -> None:
    """Say what `policy set` would change.

    It is what whoever signs would be told: each difference, and what would come of it for all that
    is approved, listed and open today.
    """
    from sealift_signing import gate

    draft, known = _offered(session, ask) if session.server is not None else _drafted(session, ask)
    words = gate.looked_at(draft, ask, known, session.now())
    data = {
        "stage": ask.object[0],
        "words": list(words),
        "consequences": list(draft.facts.get("consequence", ())),
    }
    session.terminal.answer("policy-check", data, (*words, "Nothing was changed."))


def _drafted(session: Session, ask: Ask) -> tuple[Draft, None]:
    """What is drafted of this hub's own rows."""
    from sealift_registry import wanting
    from sealift_registry.trust.hub_drafts import draft

    asked = wanting.Asked(ask, any_software=True)
    wanted, hub = wanting.wanted(session.app, asked), session.app.hub
    with hub.reading() as connection:
        return draft(hub, connection, wanted), None


def _offered(session: Session, ask: Ask) -> tuple[Draft, OrganisationMemory | None]:
    """What the server drafts, and what is remembered here of its organisation."""
    from sealift_registry.client.hub import Submitted
    from sealift_signing.memory import Memory

    found = session.remote.draft(ask, any_software=True)
    if isinstance(found, Submitted):
        raise RefusedError(
            "nothing-changes",
            "The server says that the policy was signed so just now.",
            subject=ask.object[0],
            next_step="Look at it with: sealift policy show",
        )
    known = Memory.located(session.environment, session.terminal.note).known(
        found.draft.organisation
    )
    if known is None:
        session.terminal.note(
            "Nothing here knows this organisation: that these are its rules is the server's word."
        )
    return found.draft, known


@command(policy, "remove", example="sealift policy remove pilot", at_server=True)
@click.argument("stage")
@signing_options(TARGETS_KEY)
def policy_remove(session: Session, *, stage: str, how: Signing) -> None:
    """Remove a stage; signed by holders of targets.

    Nothing is promoted to it from then on, and sites that take what is promoted to it install
    nothing new. What runs goes on running.
    """
    from sealift_signing.acts.material import Ask

    _change(session, Ask("remove-stage", (stage,)), how)


@command(policy, "lifetime", example="sealift policy lifetime team 120", at_server=True)
@click.argument("kind")
@click.argument("days")
@signing_options(TARGETS_KEY)
def policy_lifetime(session: Session, *, kind: str, days: str, how: Signing) -> None:
    """Say how long signatures of a role last.

    Holders of targets sign it. KIND is root, targets, team, catalog, fleet, site, recall, snapshot
    or timestamp. It holds for what is signed from then on.
    """
    from sealift_signing.acts.material import Ask

    _change(session, Ask("set-lifetime", (kind, days)), how)


def _change(session: Session, ask: Ask, how: Signing, *, any_software: bool = False) -> None:
    from sealift_registry.shown import settings as shown
    from sealift_registry.trust.repository import Repository
    from sealift_registry.wanting import Asked

    asked = Asked(ask, (), set_aside_versions(how.over))
    done = carry_out(session, replace(asked, any_software=any_software), how)
    if done is None:
        return
    with session.app.hub.reading() as connection:
        told = shown.policy(Repository(connection).policy())
    lines = (done.sentence, "The policy is now:", *(f"  {one}" for one in told.lines))
    session.terminal.answer(f"policy-{_COMMANDS[ask.act]}", done.data, lines)


_COMMANDS = {"set-stage": "set", "remove-stage": "remove", "set-lifetime": "lifetime"}
