"""`sealift person`: who leaves a team, who comes back, and whose key is another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import click

from sealift_registry.cli.cards import read_cards
from sealift_registry.cli.delivery import any_software_option
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.cli.signing import Signing, carry_out, set_aside_versions, signing_options
from sealift_signing.acts.names import GIVEN, OLD, ONLY, WITHOUT_LIST
from sealift_signing.drawing import word

Details = Mapping[str, tuple[str, ...]]
STEWARDS_KEY = "With --at-hub or --server: a steward's key; once for each signature."
without_list_option = click.option(
    f"--{WITHOUT_LIST}",
    "without_list",
    is_flag=True,
    help="Nothing of before goes on counting; sites with older software read that.",
)


@sealift.group()
def person() -> None:
    """Say who leaves a team or comes back, and with which key."""


@person.group("key")
def person_key() -> None:
    """Give somebody another key."""


@command(person, "retire", example="sealift person retire vision carla", at_server=True)
@click.argument("team")
@click.argument("who", metavar="PERSON")
@without_list_option
@any_software_option
@signing_options(STEWARDS_KEY)
def person_retire(
    session: Session, *, team: str, who: str, without_list: bool, any_software: bool, how: Signing
) -> None:
    """Retire somebody who signs nothing new; signed by stewards.

    What they asked for and approved goes on counting, until it ends: it is listed, and shown before
    it is signed. Nothing else counts, whatever its date. Whose key somebody else may have is
    compromised instead: sealift person compromised.
    """
    details = _flag(without_list=without_list)
    _sign(session, "retire-person", (team, who), how, details=details, any_software=any_software)


@command(person, "compromised", example="sealift person compromised vision carla", at_server=True)
@click.argument("team")
@click.argument("who", metavar="PERSON")
@click.option(f"--{ONLY}", metavar="KEY", help="Only this key of theirs. [default: all]")
@any_software_option
@signing_options(STEWARDS_KEY)
def person_compromised(
    session: Session, *, team: str, who: str, only: str | None, any_software: bool, how: Signing
) -> None:
    """Have nothing count of keys that others may have.

    Stewards sign it. Nothing that such a key ever signed counts, whenever it was, for ever. What
    falls by it is shown before it is signed. Whoever comes back gets a new key: sealift person
    reinstate.
    """
    details: Details = {ONLY: (only,)} if only else {}
    _sign(session, "call-compromised", (team, who), how, details=details, any_software=any_software)


@command(person, "reinstate", example="sealift person reinstate vision carla.card", at_server=True)
@click.argument("team")
@click.argument("card", metavar="CARD")
@any_software_option
@signing_options(STEWARDS_KEY)
def person_reinstate(
    session: Session, *, team: str, card: str, any_software: bool, how: Signing
) -> None:
    """Take somebody back, with a new key; signed by stewards.

    CARD is of the new key, with which they may do what they could before. No key of before becomes
    active again.
    """
    _with_card(session, "reinstate-person", team, card, how, any_software=any_software)


@command(person_key, "add", example="sealift person key add vision carla.card", at_server=True)
@click.argument("team")
@click.argument("card", metavar="CARD")
@any_software_option
@signing_options(STEWARDS_KEY)
def key_add(session: Session, *, team: str, card: str, any_software: bool, how: Signing) -> None:
    """Give somebody a key beside theirs; signed by stewards.

    CARD is of the new key, with which they may do what they can with the others.
    """
    _with_card(session, "add-key", team, card, how, any_software=any_software)


@command(
    person_key, "replace", example="sealift person key replace vision carla.card", at_server=True
)
@click.argument("team")
@click.argument("card", metavar="CARD")
@click.option(f"--{OLD}", metavar="KEY", help="Which of theirs, where there are several.")
@without_list_option
@any_software_option
@signing_options(STEWARDS_KEY)
def key_replace(
    session: Session,
    *,
    team: str,
    card: str,
    old: str | None,
    without_list: bool,
    any_software: bool,
    how: Signing,
) -> None:
    """Have a new key in place of one; signed by stewards.

    CARD is of the new key. The old one is retired, as with a person who leaves: what it signed goes
    on counting, and a new laptop voids nothing. One that was lost or stolen is compromised instead.
    """
    details = _flag(without_list=without_list) | ({OLD: (old,)} if old else {})
    _with_card(session, "replace-key", team, card, how, details, any_software=any_software)


@command(
    person_key, "remove", example="sealift person key remove vision carla 7a9f0e99", at_server=True
)
@click.argument("team")
@click.argument("who", metavar="PERSON")
@click.argument("key")
@without_list_option
@any_software_option
@signing_options(STEWARDS_KEY)
def key_remove(
    session: Session,
    *,
    team: str,
    who: str,
    key: str,
    without_list: bool,
    any_software: bool,
    how: Signing,
) -> None:
    """Retire one of several keys; signed by stewards.

    KEY is its text, or the first digits of its id, 8 at least.
    """
    details = _flag(without_list=without_list)
    _sign(session, "remove-key", (team, who, key), how, details=details, any_software=any_software)


def _flag(*, without_list: bool) -> dict[str, tuple[str, ...]]:
    return {WITHOUT_LIST: (GIVEN,)} if without_list else {}


def _with_card(
    session: Session,
    act: str,
    team: str,
    card: str,
    how: Signing,
    details: Details = MappingProxyType({}),
    *,
    any_software: bool,
) -> None:
    ((who, data),) = read_cards([card])
    _sign(
        session,
        act,
        (team, who),
        how,
        details=details,
        cards={card: data},
        any_software=any_software,
    )


def _sign(
    session: Session,
    act: str,
    about: tuple[str, ...],
    how: Signing,
    *,
    details: Details,
    any_software: bool,
    cards: dict[str, bytes] | None = None,
) -> None:
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

    given = cards or {}
    asked = Asked(Ask(act, about, details), tuple(given.values()), set_aside_versions(how.over))
    asked = replace(asked, any_software=any_software)
    done = carry_out(session, asked, how, list(given))
    if done is None:
        return
    team, who = about[:2]
    data = {**done.data, "team": team, "person": who}
    words = (*done.lines, _WORDS[act].format(who=word(who), team=word(team)))
    session.terminal.answer(_COMMANDS[act], data, words)


_WORDS = {
    "retire-person": "{who} is retired in team {team}.",
    "call-compromised": "Nothing of what was called compromised counts in team {team} any more.",
    "reinstate-person": "{who} is active in team {team} again, with the new key.",
    "add-key": "{who} has another key in team {team}.",
    "replace-key": "{who} has a new key in team {team}, and the old one signs nothing new.",
    "remove-key": "That key of {who} signs nothing new in team {team}.",
}
_COMMANDS = {
    "retire-person": "person-retire",
    "call-compromised": "person-compromised",
    "reinstate-person": "person-reinstate",
    "add-key": "person-key-add",
    "replace-key": "person-key-replace",
    "remove-key": "person-key-remove",
}
