"""`sealift team` and `sealift renew`: what the holders of `targets` and stewards sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sealift_registry.cli import refused_rows, remote
from sealift_registry.cli.cards import own_card, read_cards
from sealift_registry.cli.delivery import any_software_option
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.cli.signing import Signing, carry_out, set_aside_versions, signing_options
from sealift_signing.drawing import pasted

if TYPE_CHECKING:
    from sealift_registry.trust.submitting import AcceptedSubmission
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

CARDS = "A key card; its owner makes it with `sealift key card`."


@sealift.group()
def team() -> None:
    """Add teams, and say who may request and approve."""


@command(
    team,
    "add",
    example="sealift team add vision --steward anna.card --steward ben.card",
    at_server=True,
)
@click.argument("name")
@click.option("--steward", "stewards", multiple=True, metavar="CARD", help="A steward's key card.")
@signing_options("With --at-hub or --server: a key of the targets role; once for each signature.")
def team_add(session: Session, *, name: str, stewards: Sequence[str], how: Signing) -> None:
    """Add a team, and name its stewards.

    The stewards of NAME say who may request and approve: at least two, and more than half of them
    sign each list of members. In a hub for one person, that person is steward, requester and
    approver.
    """
    from sealift_registry.trust.submitting import AcceptedSubmission
    from sealift_signing.acts.material import Ask

    at_desk = session.server is not None
    person = "" if at_desk else session.app.hub.home.settings.keys.person
    cards = read_cards(stewards) or own_card(session, person)
    again = not at_desk and _is_so(session, name, cards)
    if again:
        done: AcceptedSubmission | None = AcceptedSubmission(
            new=False, sentence="", data={"team": name}
        )
    else:
        ask = Ask("add-team", (name, *(who for who, _ in cards)))
        done = carry_out(session, _asked(ask, cards, how), how, stewards)
    if done is None:
        return
    if person and not stewards:
        for act in ("add-requester", "add-approver"):
            carry_out(session, _asked(Ask(act, (name, cards[0][0])), cards[:1], how), how)
    people = [who for who, _ in cards]
    count = f"{len(people)} steward" + ("" if len(people) == 1 else "s")
    data = {**done.data, "team": name, "stewards": people}
    state = "is there already" if again else "is added"
    session.terminal.answer("team-add", data, f"Team {name} {state}, with {count}.")


def _is_so(session: Session, name: str, cards: Sequence[tuple[str, bytes]]) -> bool:
    """Whether the team is there already, with just these stewards."""
    from sealift_registry.trust import teams
    from sealift_registry.trust.repository import Repository

    with session.app.hub.reading() as connection:
        return teams.is_so(Repository(connection), name, cards)


@command(
    team,
    "stewards",
    example="sealift team stewards vision anna ben --card cora.card",
    at_server=True,
)
@click.argument("name")
@click.argument("people", nargs=-1, metavar="PERSON…")
@click.option(
    "--card",
    "cards",
    multiple=True,
    metavar="FILE",
    help=f"Of a new steward, or of a new key. {CARDS}",
)
@signing_options("With --at-hub or --server: a key of the targets role; once for each signature.")
def team_stewards(
    session: Session, *, name: str, people: Sequence[str], cards: Sequence[str], how: Signing
) -> None:
    """Have just these people be the stewards of a team.

    Name everybody who is one from now on; who is new, or lost their key, comes with a card. Until
    the new stewards have signed the team's list again (`sealift renew team.NAME`), nothing of it
    can be exported.
    """
    from sealift_signing.acts.material import Ask

    found = read_cards(cards)
    named = (*people, *(who for who, _ in found if who not in people))
    asked = _asked(Ask("set-stewards", (name, *named)), found, how)
    done = carry_out(session, asked, how, cards)
    if done is not None:
        words = (
            *done.lines,
            f"The stewards of team {name} are: {', '.join(named)}.",
            f"Next, by them: sealift renew team.{name}",
        )
        data = {**done.data, "team": name, "stewards": list(named)}
        session.terminal.answer("team-stewards", data, words)


@command(team, "approver", example="sealift team approver vision carla.card", at_server=True)
@click.argument("name")
@click.argument("card", metavar="CARD")
@click.option(
    "--stage", "stages", metavar="STAGE", multiple=True, help="Only for this stage. [default: all]"
)
@signing_options("With --at-hub or --server: a steward's key; once for each signature.")
def team_approver(
    session: Session, *, name: str, card: str, stages: Sequence[str], how: Signing
) -> None:
    """Let a person approve; signed by the team's stewards.

    CARD is the person's key card.
    """
    from sealift_signing.acts.material import Ask

    (found,) = read_cards([card])
    details = {"stage": tuple(stages)} if stages else {}
    asked = _asked(Ask("add-approver", (name, found[0]), details), [found], how)
    done = carry_out(session, asked, how, [card])
    if done is not None:
        which = ", ".join(stages or _stages(session))
        words = f"{found[0]} may now approve for {which} in team {name}."
        data = {**done.data, "team": name, "person": found[0], "stages": which.split(", ")}
        session.terminal.answer("team-approver", data, words)


@command(team, "requester", example="sealift team requester vision dora.card", at_server=True)
@click.argument("name")
@click.argument("card", metavar="CARD")
@signing_options("With --at-hub or --server: a steward's key; once for each signature.")
def team_requester(session: Session, *, name: str, card: str, how: Signing) -> None:
    """Let a person request promotions; signed by the stewards.

    CARD is the person's key card.
    """
    from sealift_signing.acts.material import Ask

    (found,) = read_cards([card])
    asked = _asked(Ask("add-requester", (name, found[0])), [found], how)
    done = carry_out(session, asked, how, [card])
    if done is not None:
        words = f"{found[0]} may now request promotions in team {name}."
        data = {**done.data, "team": name, "person": found[0]}
        session.terminal.answer("team-requester", data, words)


@command(team, "check-rows", example="sealift team check-rows vision --travel", at_server=True)
@click.argument("name")
@click.option(
    "--travel/--stay",
    "travel",
    default=None,
    help="Whether they leave the hub with the team's models.",
)
@any_software_option
@signing_options("With --at-hub or --server: a steward's key; once for each signature.")
def team_check_rows(
    session: Session, *, name: str, travel: bool | None, any_software: bool, how: Signing
) -> None:
    """Let check rows leave the hub, or stay; signed by the stewards.

    Check rows are at most 64 rows for each variant, goldens among them, with the answers that are
    right: by them a site can try its own runtime. They stay at the hub unless the team lets them
    travel: whoever has the medium or the site can read them. Without an option it says what holds.
    """
    from sealift_registry.delivery import check_row_permission
    from sealift_signing.acts.check_rows import STAY, TRAVEL
    from sealift_signing.acts.material import Ask

    if travel is None:
        _tell_check_rows(session, name)
        return
    sites = () if session.server is not None else _sites_of(session, name)
    if session.server is None:
        session.terminal.note(check_row_permission.told_first(name, sites, travel=travel))
    ask = Ask("set-check-rows", (name, TRAVEL if travel else STAY))
    asked = replace(_asked(ask, (), how), any_software=any_software)
    done = carry_out(session, asked, how)
    if done is not None:
        data = {**done.data, "team": name, "check_rows": ask.object[1]}
        session.terminal.answer("team-check-rows", data | {"sites": list(sites)}, done.more)


def _sites_of(session: Session, name: str) -> tuple[str, ...]:
    """The sites that get what a team has promoted."""
    from sealift_registry.delivery import check_row_permission

    with session.app.hub.reading() as connection:
        return tuple(one.id for one in check_row_permission.sites_of(connection, name))


def _tell_check_rows(session: Session, name: str) -> None:
    """What holds now, and where the rows go by it."""
    from sealift_registry.delivery import check_row_permission

    travel, sites = check_row_permission.permission_of(session.app.hub, name)
    there, command = ", ".join(sites) or "no site yet", f"sealift team check-rows {pasted([name])}"
    lines = [
        f"Check rows of team {name} {'travel with its models' if travel else 'stay at the hub'}.",
        f"Sites that {'get' if travel else 'would get'} them with an export: {there}.",
        f"Change it with: {command} --stay" if travel else f"Change it with: {command} --travel",
    ]
    data = {"team": name, "check_rows": "travel" if travel else "stay", "sites": list(sites)}
    session.terminal.answer("team-check-rows", data, lines)


@command(team, "list", example="sealift team list", at_server=True)
def team_list(session: Session) -> None:
    """List teams, and who may do what in each."""
    from sealift_registry.shown import teams as teams_shown
    from sealift_registry.views import people

    if session.server is not None:
        remote.show(session, "team-list", "/teams")
        return
    with session.app.hub.reading() as connection:
        told = teams_shown.told(*people.teams(connection))
    session.terminal.answer("team-list", told.data, told.lines)
    refused_rows.check(told.refused)


@command(sealift, "renew", example="sealift renew team.vision", at_server=True)
@click.argument("role")
@signing_options("With --at-hub or --server: a key of the role; once for each signature.")
def renew(session: Session, *, role: str, how: Signing) -> None:
    """Sign a role again before its signature expires.

    ROLE is root, targets, fleet, recall, team.NAME or site.ID. The hub renews its own roles itself.
    """
    from sealift_registry.trust.submitting import with_fingerprint
    from sealift_signing.acts.material import Ask

    done = carry_out(session, _asked(Ask("renew", (role,)), (), how), how)
    if done is not None:
        told = with_fingerprint(session.app.hub, done)
        session.terminal.answer("renew", told.data, told.lines)


def _asked(ask: Ask, cards: Sequence[tuple[str, bytes]], how: Signing) -> Asked:
    """An act with these cards, and what the options set aside."""
    from sealift_registry.wanting import Asked

    return Asked(ask, tuple(data for _, data in cards), set_aside_versions(how.over))


def _stages(session: Session) -> tuple[str, ...]:
    from sealift_registry.trust.repository import Repository

    with session.app.hub.reading() as connection:
        return tuple(sorted(Repository(connection).policy().stages))
