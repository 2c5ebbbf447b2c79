"""The closed list itself: every act by its name, with what a person says when they name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sealift_signing.acts import assigning, carrying, promoting, renewing, sites, teams
from sealift_signing.acts.asking import Ask, Material, Prepared
from sealift_signing.drafts import Draft
from sealift_signing.errors import UsageError, shown
from sealift_signing.organisation import Organisation

Prepare = Callable[[Organisation, Ask, Material], Prepared]


@dataclass(frozen=True)
class Option:
    """An option of an act: part of what is named, never taken from the draft alone."""

    name: str
    metavar: str
    words: str
    many: bool = False


@dataclass(frozen=True)
class Act:
    """An act of the list.

    Attributes:
        prepare: computes what is signed, and its words.
        object: the names of what it is done to; the last may be repeated where `repeats`.
        words: one sentence, for help.
        own: a person's own statement, which is made when it is signed.
        facts: what the hub adds to it, by name, and whoever signs is shown.
        after: what whoever signed is told of what came to be by it.
    """

    prepare: Prepare
    object: tuple[str, ...]
    words: str
    options: tuple[Option, ...] = ()
    repeats: bool = False
    own: bool = False
    facts: tuple[str, ...] = ()
    after: Callable[[Draft], tuple[str, ...]] = lambda _signed: ()


REASON = Option("reason", "WORDS", "Why, in your own words.")

ACTS: Mapping[str, Act] = {
    "renew": Act(renewing.renew, ("ROLE",), "Sign a role again as it stands."),
    "add-team": Act(
        teams.add_team,
        ("TEAM", "STEWARD"),
        "Add a team with these stewards.",
        repeats=True,
        facts=("catalog-key",),
    ),
    "set-stewards": Act(
        teams.set_stewards,
        ("TEAM", "STEWARD"),
        "Have just these be the stewards of a team.",
        repeats=True,
    ),
    "add-approver": Act(
        teams.add_approver,
        ("TEAM", "PERSON"),
        "Let a person approve.",
        (Option("stage", "STAGE", "Only for this stage. [default: all]", many=True),),
    ),
    "add-requester": Act(teams.add_requester, ("TEAM", "PERSON"), "Let a person ask."),
    "enroll": Act(
        sites.enroll,
        ("SITE",),
        "Answer a site that asks to be enrolled.",
        (
            Option("stage", "STAGE", "It takes what is promoted to this stage."),
            Option("dispatcher", "PERSON", "Who assigns to it and exports for it.", many=True),
        ),
        after=sites.answer_words,
    ),
    "assign": Act(
        assigning.assign,
        ("SITE", "VERSION"),
        "Say what a site's host groups should run.",
        (
            Option("for", "GROUP=HARDWARE-TARGET", "A host group.", many=True),
            Option("fallback", "VERSION", "What to go back to, or none.", many=True),
        ),
    ),
    "transfer": Act(carrying.transfer, ("TRANSFER",), "Vouch for a bundle that was written."),
    "request": Act(
        promoting.ask_for,
        ("VERSION", "STAGE"),
        "Ask for a version to be promoted.",
        (REASON, Option("despite", "DIGEST", "A withdrawal that this sets aside.", many=True)),
        own=True,
        facts=("artifact", "source-record", "log-origin", "log-size", "log-root"),
    ),
    "approve": Act(
        promoting.approve_it,
        ("P-NUMBER",),
        "Approve a request.",
        (
            Option("meaning", "WORDS", "What your signature means, as the policy words it."),
            REASON,
            Option("days", "N", "How long it is valid. [default: the policy's longest]"),
        ),
        own=True,
        facts=(promoting.LABEL,),
    ),
    "object": Act(
        promoting.object_to,
        ("P-NUMBER",),
        "Say why you do not approve a request.",
        (REASON,),
        own=True,
        facts=(promoting.LABEL,),
    ),
}


def act(ask: Ask) -> Act:
    """The act that `ask` names, its object and options being of its kind.

    Raises:
        UsageError: no such act, or it is named otherwise.
    """
    found = ACTS.get(ask.act)
    if found is None:
        raise UsageError(
            "no-act",
            f"{shown(ask.act)} is none of the acts that can be signed.",
            subject=ask.act,
            next_step=f"They are: {', '.join(ACTS)}.",
        )
    count = len(ask.object)
    enough = count >= len(found.object) if found.repeats else count == len(found.object)
    known = {one.name: one for one in found.options}
    odd = [
        name
        for name, given in ask.details.items()
        if name not in known or not given or (len(given) > 1 and not known[name].many)
    ]
    if not enough or odd:
        raise UsageError(
            "bad-act",
            f"{ask.act} is named with {' '.join(found.object)}"
            + "".join(f" --{one.name}" for one in found.options)
            + ".",
            subject=str(ask),
            next_step=f"See: sealift-sign {ask.act} --help",
        )
    return found
