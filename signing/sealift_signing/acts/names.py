"""The closed list's acts by their names, with what a person says who names one.

This is all that a command's help needs: what an act computes stands in `closed_list`, which loads
TUF.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealift_signing.errors import UsageError, shown

if TYPE_CHECKING:
    from sealift_signing.acts.material import Ask

Details = Mapping[str, tuple[str, ...]]
"""The options of an act, each with its values."""

LOST = "lost"
"""The fact that says how many entries the hub once signed, where its log has lost some of them."""
LABEL = "promotion"
"""The fact that says by which label the hub lists a request; it decides nothing."""


@dataclass(frozen=True)
class Option:
    """An option of an act: part of what is named, never taken from the draft alone.

    Attributes:
        many: it may be given several times.
        ordered: of its values the order means something.
        flag: it is there or not; its one value is no word of anybody's.
    """

    name: str
    metavar: str
    words: str
    many: bool = False
    ordered: bool = False
    flag: bool = False


@dataclass(frozen=True)
class Act:
    """An act of the list.

    Attributes:
        object: the names of what it is done to; the last may be repeated where `repeats`.
        words: one sentence, for help.
        own: a person's own statement, which is made when it is signed.
        facts: what the hub adds to it, by name, and whoever signs is shown.
    """

    object: tuple[str, ...]
    words: str
    options: tuple[Option, ...] = ()
    repeats: bool = False
    own: bool = False
    facts: tuple[str, ...] = ()


REASON = Option("reason", "WORDS", "Why, in your own words.")

GIVEN = "yes"
"""The value of an option that is there or not."""

BEFORE_PEOPLE = "before-people"
"""The option that says that nobody can meet it yet, and that this is meant."""
CONSEQUENCE = "consequence"
"""The fact in which the hub says what would come of it today."""
WITHOUT_LIST = "without-list"
"""The option that says that nothing goes on counting of a key that is retired."""
ONLY, OLD = "only", "old"
"""The options that name one key of a person."""

OF_PEOPLE = (
    *("retire-person", "call-compromised", "reinstate-person"),
    *("add-key", "replace-key", "remove-key"),
)
"""Acts upon somebody of a team."""

FRESHNESS = "freshness"
"""What the keys of snapshot and timestamp are called together."""

MACHINES = {"log": "hub", "scanner": "hub-scanner", "builder": "hub-builder"}
"""The hub's own machines in the fleet's keys: what each is for, and its name there."""

ROTATED = (FRESHNESS, "catalog", *MACHINES)
"""Whatever of the hub's own can be given to new keys."""

_WITHOUT_LIST = Option(
    WITHOUT_LIST, "", "Nothing of before goes on counting; older sites read that.", flag=True
)

ACTS: Mapping[str, Act] = {
    "renew": Act(("ROLE",), "Sign a role again as it stands."),
    "add-team": Act(
        ("TEAM", "STEWARD"),
        "Add a team with these stewards.",
        repeats=True,
        facts=("catalog-key",),
    ),
    "set-stewards": Act(
        ("TEAM", "STEWARD"),
        "Have just these be the stewards of a team.",
        repeats=True,
    ),
    "add-approver": Act(
        ("TEAM", "PERSON"),
        "Let a person approve.",
        (Option("stage", "STAGE", "Only for this stage. [default: all]", many=True),),
    ),
    "add-requester": Act(("TEAM", "PERSON"), "Let a person ask."),
    "retire-person": Act(
        ("TEAM", "PERSON"),
        "Retire somebody who signs nothing new.",
        (_WITHOUT_LIST,),
        facts=(CONSEQUENCE,),
    ),
    "call-compromised": Act(
        ("TEAM", "PERSON"),
        "Have nothing count of keys that somebody else may have.",
        (Option(ONLY, "KEY", "Only this key of theirs. [default: all]"),),
        facts=(CONSEQUENCE,),
    ),
    "reinstate-person": Act(("TEAM", "PERSON"), "Take somebody back, with a new key."),
    "add-key": Act(("TEAM", "PERSON"), "Give somebody another key."),
    "replace-key": Act(
        ("TEAM", "PERSON"),
        "Retire a key of somebody's, who has a new one.",
        (Option(OLD, "KEY", "Which, where there are several."), _WITHOUT_LIST),
        facts=(CONSEQUENCE,),
    ),
    "remove-key": Act(
        ("TEAM", "PERSON", "WHICH-KEY"),
        "Retire one of several keys of somebody's.",
        (_WITHOUT_LIST,),
        facts=(CONSEQUENCE,),
    ),
    "set-check-rows": Act(
        ("TEAM", "WHETHER"),
        "Let check rows travel with a team's models, or stay at the hub.",
        facts=("site",),
    ),
    "set-stage": Act(
        ("STAGE",),
        "Say what a stage asks before anything counts as promoted to it.",
        (
            Option("like", "STAGE", "Take what is not named from this stage."),
            Option("approvals", "N", "How many people approve."),
            Option("evidence", "KIND", "What evidence there must be.", many=True),
            Option("key-class", "CLASS", "Where an approver's key may be kept.", many=True),
            Option("meaning", "WORDS", "What an approval may mean.", many=True, ordered=True),
            Option("days", "N", "How long an approval is valid at most."),
            Option("within", "N", "How many days after its request an approval may be made."),
            Option(BEFORE_PEOPLE, "", "No team could meet it yet, and that is meant.", flag=True),
        ),
        facts=(CONSEQUENCE,),
    ),
    "remove-stage": Act(("STAGE",), "Have nothing promoted to a stage.", facts=(CONSEQUENCE,)),
    "set-lifetime": Act(
        ("KIND", "DAYS"),
        "Say how long signatures of a kind of role last.",
        facts=(CONSEQUENCE,),
    ),
    "rotate-keys": Act(
        ("WHAT",),
        "Replace keys that the hub signs with by itself.",
        (Option("status", "WORD", "What the old keys are: retired or compromised."),),
        facts=("key", "version", "size", LOST),
    ),
    "add-builder": Act(("BUILDER",), "Let a machine elsewhere build, and vouch for what it built."),
    "remove-builder": Act(
        ("BUILDER",),
        "Take nothing more from a machine elsewhere.",
        (Option("status", "WORD", "What its keys are: retired or compromised."),),
    ),
    "enroll": Act(
        ("SITE",),
        "Answer a site that asks to be enrolled.",
        (
            Option("stage", "STAGE", "It takes what is promoted to this stage."),
            Option("dispatcher", "PERSON", "Who assigns to it and exports for it.", many=True),
        ),
    ),
    "assign": Act(
        ("SITE", "VERSION"),
        "Say what a site's host groups should run.",
        (
            Option("for", "GROUP=HARDWARE-TARGET", "A host group.", many=True),
            Option("fallback", "VERSION", "What to go back to, or none.", many=True, ordered=True),
            Option("back", "", "It is lower than before, and that is meant.", flag=True),
            Option("reason", "WORDS", "With --back: why."),
        ),
    ),
    "unassign": Act(
        ("SITE", "MODEL"),
        "Have a site's host groups stop running a model.",
        (REASON, Option("group", "NAME", "Only this host group. [default: all]", many=True)),
    ),
    "transfer": Act(("TRANSFER",), "Vouch for a bundle that was written."),
    "request": Act(
        ("VERSION", "STAGE"),
        "Ask for a version to be promoted.",
        (REASON, Option("despite", "DIGEST", "A withdrawal that this sets aside.", many=True)),
        own=True,
        facts=(
            *("artifact", "artifact-policy", "source-record"),
            *("log-origin", "log-size", "log-root"),
        ),
    ),
    "approve": Act(
        ("P-NUMBER",),
        "Approve a request.",
        (
            Option("meaning", "WORDS", "What your signature means, as the policy words it."),
            REASON,
            Option("days", "N", "How long it is valid. [default: the policy's longest]"),
        ),
        own=True,
        facts=(LABEL,),
    ),
    "object": Act(
        ("P-NUMBER",),
        "Say why you do not approve a request.",
        (REASON,),
        own=True,
        facts=(LABEL,),
    ),
    "bind-account": Act(
        ("ACCOUNT", "SERVER"),
        "Say that an account of a hub's server is yours.",
        own=True,
        facts=("challenge", "until"),
    ),
}


FLAGS = frozenset(one.name for act in ACTS.values() for one in act.options if one.flag)
"""Options that are typed without a value."""

_NUMBERED = re.compile(r"[Pp]-0*([1-9][0-9]{0,8})")


def as_drafted(ask: Ask, about: tuple[str, ...], details: Details) -> Ask:
    """`ask` as a draft spells it, where it names the same otherwise; else as it is.

    A promotion is P-1 and P-000001 alike, and of several stewards the order says nothing.
    """
    found = ACTS.get(ask.act)
    if found is None:
        return ask
    many = {one.name for one in found.options if one.many and not one.ordered}
    spelled = {
        name: tuple(details[name]) if name in many and _same(details.get(name), given) else given
        for name, given in ask.details.items()
    }
    same = _plain(found, about) == _plain(found, ask.object)
    return replace(ask, object=about if same else ask.object, details=spelled)


def _same(one: tuple[str, ...] | None, other: tuple[str, ...]) -> bool:
    return one is not None and sorted(one) == sorted(other)


def _plain(found: Act, about: tuple[str, ...]) -> list[str]:
    """What an act is done to, in one spelling of it."""
    alone = len(found.object) - (1 if found.repeats else 0)
    first = [
        f"P-{int(number[1]):06d}"
        if name == "P-NUMBER" and (number := _NUMBERED.fullmatch(said))
        else said
        for name, said in zip(found.object[:alone], about, strict=False)
    ]
    return [*first, *sorted(about[alone:])]


def act(ask: Ask) -> Act:
    """The act that `ask` names, its object and options being of its kind.

    Raises:
        UsageError: no such act, or it is named otherwise.
    """
    found = ACTS.get(ask.act)
    if found is None:
        raise UsageError(
            "no-act",
            f"{shown(ask.act)} is not one of the acts that can be signed.",
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
