"""The closed list itself: what each act computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sealift_signing.acts import (
    accounts,
    assigning,
    builders,
    carrying,
    check_rows,
    names,
    offices,
    people,
    policies,
    promoting,
    renewing,
    rotating,
    sites,
    teams,
    unassigning,
)
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.drafts import Draft
from sealift_signing.organisation import Organisation
from sealift_signing.statements import KeyCard

Prepare = Callable[[Organisation, Ask, Material], Prepared]

PREPARE: Mapping[str, Prepare] = {
    "renew": renewing.renew,
    "add-team": teams.add_team,
    "set-stewards": teams.set_stewards,
    "add-approver": teams.add_approver,
    "add-requester": teams.add_requester,
    **dict.fromkeys(names.OF_PEOPLE, people.change),
    "set-check-rows": check_rows.set_check_rows,
    "set-stage": policies.set_stage,
    "remove-stage": policies.remove_stage,
    "set-lifetime": policies.set_lifetime,
    "rotate-keys": rotating.rotate,
    "add-builder": builders.add_builder,
    "remove-builder": builders.remove_builder,
    "enroll": sites.enroll,
    "assign": assigning.assign,
    "unassign": unassigning.unassign,
    "transfer": carrying.transfer,
    "request": promoting.ask_for,
    "approve": promoting.approve_it,
    "object": promoting.object_to,
    "bind-account": accounts.bind,
}
"""By the act's name; `names` says what each is named with."""

AFTER: Mapping[str, Callable[[Draft], tuple[str, ...]]] = {"enroll": sites.answer_words}


def prepare(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """What is signed where somebody asks for an act, and its words.

    Raises:
        UsageError: no such act, or it is named otherwise.
        RefusedError: the organisation as it stands does not allow it.
    """
    names.act(ask)
    prepared = PREPARE[ask.act](organisation, ask, material)
    cards = [one.predicate for one in material.carried.of_kind(KeyCard)]
    told = tuple(offices.warnings(organisation, prepared.parts, cards))
    return replace(prepared, words=(*prepared.words, *told), warnings=told)


def after(signed: Draft) -> tuple[str, ...]:
    """What whoever signed is told of what came to be by it."""
    return AFTER[signed.act](signed) if signed.act in AFTER else ()
