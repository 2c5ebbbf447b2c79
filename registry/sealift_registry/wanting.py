"""Acts as people ask for them, at the hub's shell or from a desk: what the hub drafts of each.

Whoever asks names an act of the closed list, and brings what the hub does not have: key cards, a
site's request, versions that are to be set aside. One table says which room drafts it. Nothing
here decides whether it may be signed: the gate of whoever signs does, and submitting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion
from sealift_registry.delivery import (
    assignments,
    check_row_permission,
    enrolling,
    retiring,
    site_software,
)
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.trust import builders, key_rotation, teams
from sealift_registry.trust.hub_drafts import Drafted, Wanted, drafted, unchecked
from sealift_registry.trust.machines import own_machine
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_registry.trust.unchanged import is_published
from sealift_registry.views import people_changes, policy_changes
from sealift_signing import drafts, statements
from sealift_signing.acts import names
from sealift_signing.acts.assigning import NO_FALLBACK
from sealift_signing.acts.assignment_changes import needs_both
from sealift_signing.acts.builders import keys_of
from sealift_signing.acts.check_rows import STAY, TRAVEL
from sealift_signing.acts.material import Ask, SetAsideVersion, check_card
from sealift_signing.acts.policies import policy_after
from sealift_signing.counting_rules import rule_of
from sealift_signing.drafts import Draft
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, RefusedError, UsageError
from sealift_signing.evidence import EVIDENCE_PURPOSE, REGRESSION
from sealift_signing.statements import KeyCard, SiteRequest
from sealift_signing.vocabulary import moment

if TYPE_CHECKING:
    from sealift_registry.app import App
    from sealift_registry.workers.channel import Progress

LARGEST_NUMBER = 15
"""Digits of a version's number."""


@dataclass(frozen=True)
class Asked:
    """An act, and all that whoever asks for it brings.

    Attributes:
        ask: the act, as the person names it.
        cards: key cards that it is to carry.
        aside: versions of a role that are to be set aside.
        request: a site's, to be enrolled.
        any_software: go on although a site said that it cannot read, or try, what it would get.
        other_keys: make other keys than those of an earlier draft.
    """

    ask: Ask
    cards: tuple[bytes, ...] = ()
    aside: tuple[SetAsideVersion, ...] = ()
    request: bytes = b""
    any_software: bool = False
    other_keys: bool = False

    def named_cards(self) -> tuple[teams.Card, ...]:
        """The cards beside their owners, each signed with its own key.

        Raises:
            MalformedError, RefusedError: one is none, or is damaged.
        """
        return tuple((_owner(one), one) for one in self.cards)


def _owner(card: bytes) -> str:
    found = statements.read(KeyCard, card, what="a key card")
    check_card(found)
    return found.predicate.owner


def silent(_subject: str, _done: int, _total: int) -> None:
    """Nobody is told how far it is."""


Make = Callable[["App", Asked, "Progress"], Wanted]
Already = Callable[[Connection, Draft, "frozenset[str] | None"], AcceptedSubmission | None]


def wanted(app: App, asked: Asked, told: Progress = silent) -> Wanted:
    """What the hub is to draft; of a request, once its versions were compared (`told` how far).

    Raises:
        UsageError: there is no such act, it is named otherwise, or it is drafted elsewhere.
        NotFoundError: it names what is not there.
        RefusedError: a gate; or what was brought is damaged, or another's.
        FailedError: something could not be read, or recorded.
    """
    names.act(asked.ask)
    if asked.ask.act in ELSEWHERE:
        raise UsageError(
            "drafted-elsewhere",
            f"{asked.ask.act} is not drafted by being asked for.",
            subject=asked.ask.act,
            next_step=ELSEWHERE[asked.ask.act],
        )
    made = MAKE[asked.ask.act](app, asked, told)
    return replace(made, check=unchecked) if asked.any_software else made


def draft(app: App, asked: Asked, told: Progress = silent) -> Drafted | AcceptedSubmission:
    """The draft, for whoever signs it elsewhere; or what is published already, and just now.

    Raises:
        UsageError, NotFoundError, RefusedError, FailedError: as `wanted`, and as the act.
    """
    what = wanted(app, asked, told)
    with app.hub.reading() as connection:
        made = drafted(app.hub, connection, what)
        unchanged = already(asked.ask.act)(connection, made.draft, None)
        first = told_first(app, connection, asked.ask) if unchanged is None else ()
    if unchanged is None:
        return replace(made, warnings=(*first, *made.warnings))
    app.hub.copy_metadata()  # an earlier run may have been killed before it did
    return unchanged


def told_first(app: App, connection: Connection, ask: Ask) -> tuple[str, ...]:
    """What whoever is about to sign an act is told first, in lines, beside what the act says."""
    if ask.act == "approve":
        promotions = app.promotions
        status = promotions.status(connection, parse_promotion(ask.object[0]))
        return tuple(promotions.stale(connection, status))
    if ask.act == "request" and not _may_compare(app, connection):
        return ("This hub has no active builder's key, and compares nothing with what is listed.",)
    if ask.act == "set-check-rows":
        team, whether = ask.object
        sites = tuple(one.id for one in check_row_permission.sites_of(connection, team))
        return check_row_permission.told_first(team, sites, travel=whether == TRAVEL)
    return ()


def already(act: str) -> Already:
    """What is said where a draft of this act would only say again what is published."""
    return ALREADY.get(act, unchanged_of)


def unchanged_of(
    connection: Connection, made: Draft, keyids: frozenset[str] | None
) -> AcceptedSubmission | None:
    """What is said where a draft would publish what is published already, and just now."""
    if not is_published(connection, made, keyids):
        return None
    (part,) = (one for one in made.parts if one.kind == drafts.ROLE)
    signed = drafts.to_metadata(part).signed
    sentence = f"{part.name} was signed so within the hour, and stays."
    data = {"role": part.name, "version": signed.version - 1, "expires": moment(signed.expires)}
    return AcceptedSubmission(new=False, sentence=sentence, data=data)


# ---------------------------------------------------------------------- people and teams


def _add_team(app: App, asked: Asked, _told: Progress) -> Wanted:
    team, *people = asked.ask.object
    cards = asked.named_cards()
    _check_owners(people, cards)
    return teams.team(app.hub, team, cards, asked.aside)


def _set_stewards(_app: App, asked: Asked, _told: Progress) -> Wanted:
    team, *people = asked.ask.object
    return teams.stewards(team, people, asked.named_cards(), asked.aside)


def _add_approver(_app: App, asked: Asked, _told: Progress) -> Wanted:
    team, _ = asked.ask.object
    stages = asked.ask.details.get("stage", ())
    return teams.approver(team, _one_card(asked), stages, asked.aside)


def _add_requester(_app: App, asked: Asked, _told: Progress) -> Wanted:
    return teams.requester(asked.ask.object[0], _one_card(asked), asked.aside)


def _person(app: App, asked: Asked, _told: Progress) -> Wanted:
    """What becomes of somebody or of their keys, with all that they signed, and what falls."""
    ask, (team, who) = asked.ask, asked.ask.object[:2]
    _check_owners([who] if ask.act in NEEDS_CARD else [], asked.named_cards())
    with app.hub.reading() as connection:
        own = [] if ask.act in KEEPS_NOTHING else people_changes.signed_by(connection, team, who)
        carried, now = (*asked.cards, *own), app.hub.now()
        would = people_changes.after(connection, now, ask, carried)
        takes = names.CONSEQUENCE in names.act(ask).facts
        said = people_changes.consequences(connection, now, would) if takes else ()
        concerned = check_row_permission.sites_of(connection, team)
    return Wanted(
        ask,
        statements=carried,
        facts={names.CONSEQUENCE: said} if said else {},
        others=asked.aside,
        check=lambda state, made: _check_read(state, concerned, ask, made),
    )


def _check_read(
    connection: Connection, sites: Sequence[EnrolledSite], ask: Ask, made: Draft
) -> None:
    """Check that the team's sites read what is said of single keys; else say what can be done."""
    try:
        site_software.check_members(connection, sites, ask.object[0], made)
    except RefusedError as bad:
        if names.WITHOUT_LIST in {one.name for one in names.act(ask).options}:
            bad.next_step += (
                f" Or add --{names.WITHOUT_LIST}: then nothing of before goes on counting, and "
                "what falls is approved again."
            )
        raise


def _set_check_rows(app: App, asked: Asked, _told: Progress) -> Wanted:
    team, whether = asked.ask.object
    if whether not in {TRAVEL, STAY}:
        raise UsageError(
            "check-rows-word",
            f"Check rows {TRAVEL} or {STAY}; {word(whether)} is neither.",
            subject=whether,
            next_step=f"Say {TRAVEL} or {STAY}.",
        )
    return check_row_permission.wanted(app.hub, team, asked.aside, travel=whether == TRAVEL)


def _renew(_app: App, asked: Asked, _told: Progress) -> Wanted:
    return teams.renewal(asked.ask.object[0], asked.aside)


def _rotate_keys(app: App, asked: Asked, _told: Progress) -> Wanted:
    status = asked.ask.value("status") or "retired"
    with app.hub.reading() as connection:
        what = asked.ask.object[0]
        return key_rotation.wanted(
            app.hub, connection, what, status, asked.aside, anew=asked.other_keys
        )


def _policy(app: App, asked: Asked, _told: Progress) -> Wanted:
    with app.hub.reading() as connection:
        before = Repository(connection).policy()
        after = policy_after(before, asked.ask)
        said = policy_changes.consequences(connection, app.hub.now(), before, after)
    return Wanted(
        asked.ask,
        facts={names.CONSEQUENCE: said} if said else {},
        others=asked.aside,
        check=lambda state, made: site_software.check_policy(state, Sites(state).all(), made),
    )


def _one_card(asked: Asked) -> teams.Card:
    cards = asked.named_cards()
    _check_owners(asked.ask.object[1:], cards)
    return cards[0]


def _check_owners(people: Sequence[str], cards: Sequence[teams.Card]) -> None:
    """Check that just those who are named come with a card, each.

    Raises:
        UsageError: others do, or somebody does not.
    """
    if sorted(people) != sorted(who for who, _ in cards):
        whose = ", ".join(word(who) for who, _ in cards) or "nobody"
        raise UsageError(
            "cards-of-others",
            f"Named are {', '.join(map(word, people))}, and the cards are of {whose}.",
            subject=", ".join(people),
            next_step="Give one key card of each who is named; its owner makes it: "
            "sealift-sign card PERSON --key FILE",
        )


# ---------------------------------------------------------------------- machines


def _add_builder(_app: App, asked: Asked, _told: Progress) -> Wanted:
    (name,), cards = asked.ask.object, asked.named_cards()
    expected = set(keys_of(name).values())
    if len(cards) != len(expected) or {who for who, _ in cards} != expected:
        said = " and ".join(word(who) for who, _ in cards) or "nobody"
        raise UsageError(
            "builder-cards",
            f"The cards are of {said}, and not those of the builder {word(name)}.",
            subject=name,
            next_step="Give the card that is called like the builder, and that of its scanner, "
            "whose name ends with -scanner.",
        )
    return builders.added(name, cards, asked.aside)


def _remove_builder(_app: App, asked: Asked, _told: Progress) -> Wanted:
    status = asked.ask.value("status") or "retired"
    return builders.removed(asked.ask.object[0], status, asked.aside)


# ---------------------------------------------------------------------- promotion


def _request(app: App, asked: Asked, told: Progress) -> Wanted:
    version, stage = asked.ask.object
    ref, promotions = VersionRef.parse(version), app.promotions
    with app.hub.reading() as connection:
        promotions.check_askable(connection, ref, stage)
        compares = _asks_for_comparison(connection, stage) or _may_compare(app, connection)
    if compares:
        app.comparisons.compare(ref, stage, told)
    despite = asked.ask.details.get("despite", ())
    with app.hub.reading() as connection:
        return promotions.request_wanted(connection, ref, stage, asked.ask.value("reason"), despite)


def _asks_for_comparison(connection: Connection, stage: str) -> bool:
    rule = rule_of(Repository(connection).policy(), stage)
    asked = (rule.evidence, *(rule.evidence_by_policy or {}).values())
    return any(REGRESSION in kinds for kinds in asked)


def _may_compare(app: App, connection: Connection) -> bool:
    """Whether this hub signs what it compares: where builders are elsewhere alone it has no key."""
    try:
        own_machine(app.hub, connection, EVIDENCE_PURPOSE[REGRESSION])
    except FailedError as bad:
        if bad.code != "online-key-missing":
            raise
        return False
    return True


def _approve(app: App, asked: Asked, _told: Progress) -> Wanted:
    number, ask = parse_promotion(asked.ask.object[0]), asked.ask
    days = ask.value("days")
    given = _number(days, "days") if days else None
    with app.hub.reading() as connection:
        meaning, reason = ask.value("meaning"), ask.value("reason")
        return app.promotions.approval_wanted(connection, number, meaning, reason, given)


def _object(app: App, asked: Asked, _told: Progress) -> Wanted:
    number = parse_promotion(asked.ask.object[0])
    with app.hub.reading() as connection:
        return app.promotions.objection_wanted(connection, number, asked.ask.value("reason"))


# ---------------------------------------------------------------------- sites


def _enroll(app: App, asked: Asked, _told: Progress) -> Wanted:
    (site,), ask = asked.ask.object, asked.ask
    made = enrolling.wanted(
        asked.request,
        ask.value("stage"),
        ask.details.get("dispatcher", ()),
        asked.named_cards(),
        app.hardware_targets,
        asked.aside,
    )
    said = statements.read(SiteRequest, asked.request, what="the site's request").predicate
    if said.site != site:
        raise RefusedError(
            "request-of-another",
            f"The request is of the site {word(said.site)}, and {word(site)} is named.",
            subject=site,
            next_step="Give the file that this site wrote, or name the other.",
        )
    return made


def _assign(app: App, asked: Asked, _told: Progress) -> Wanted:
    (site, version), details = asked.ask.object, asked.ask.details
    back, reason = "back" in details, asked.ask.value("reason")
    if back != bool(reason):
        raise needs_both(version)
    groups = dict(_pair(one) for one in details.get("for", ()))
    given = details.get("fallback")
    fallbacks = None if given is None else [_number(one, "fallback") for one in _some(given)]
    return assignments.wanted(
        app.hub, site, VersionRef.parse(version), groups, fallbacks, asked.aside, back=reason
    )


def _unassign(app: App, asked: Asked, _told: Progress) -> Wanted:
    site, model = asked.ask.object
    groups, reason = asked.ask.details.get("group", ()), asked.ask.value("reason")
    ref = str(ModelRef.parse(model))
    return retiring.wanted(app.hub, site, ref, groups, reason, asked.aside)


def _some(fallbacks: tuple[str, ...]) -> tuple[str, ...]:
    return () if fallbacks == (NO_FALLBACK,) else fallbacks


def _pair(text: str) -> tuple[str, str]:
    group, equals, target = text.partition("=")
    if not (group and equals and target):
        raise UsageError(
            "bad-pair",
            f"{word(text)} is not GROUP=HARDWARE-TARGET.",
            subject=text,
            next_step="Write GROUP=HARDWARE-TARGET.",
        )
    return group, target


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= LARGEST_NUMBER):
        raise UsageError(
            "bad-number",
            f"{word(text)} is not a number.",
            subject=name,
            next_step="Write it in digits only, such as 7.",
        )
    return int(text)


NEEDS_CARD = frozenset({"reinstate-person", "add-key", "replace-key"})
"""Of the acts upon a person those by which a key enters."""
KEEPS_NOTHING = frozenset({"call-compromised", "reinstate-person", "add-key"})
"""Those that go by nothing that the person signed."""

MAKE: Mapping[str, Make] = {
    "renew": _renew,
    "add-team": _add_team,
    "set-stewards": _set_stewards,
    "add-approver": _add_approver,
    "add-requester": _add_requester,
    **dict.fromkeys(names.OF_PEOPLE, _person),
    "set-check-rows": _set_check_rows,
    "set-stage": _policy,
    "remove-stage": _policy,
    "set-lifetime": _policy,
    "rotate-keys": _rotate_keys,
    "add-builder": _add_builder,
    "remove-builder": _remove_builder,
    "enroll": _enroll,
    "assign": _assign,
    "unassign": _unassign,
    "request": _request,
    "approve": _approve,
    "object": _object,
}
"""Which room drafts an act."""
ELSEWHERE: Mapping[str, str] = {
    "transfer": "A bundle is drafted where it is written: sealift export --help",
    "bind-account": "A server drafts it for whoever signs in there.",
}
"""Acts that nobody can ask for, each with how it comes to be."""
ALREADY: Mapping[str, Already] = {
    "enroll": enrolling.already,
    "assign": assignments.already,
    "unassign": assignments.already,
}
