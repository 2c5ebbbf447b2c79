"""Enrolments, assignments and transfers, each by whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery import assignments, enrolling
from sealift_registry.delivery.sites import Sites
from sealift_registry.trust.hub_drafts import Wanted
from sealift_signing import statements
from sealift_signing.acts.material import Ask
from sealift_signing.drafts import Draft
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import SiteRequest
from sealift_signing.words import words_of
from tests.poisonings.world import DISPATCHER, FLEET, GROUP, STAGE, TARGET, World


def enroll(world: World, request: bytes, *, first: bool = False) -> bytes:
    """The answer to a site that asks; its administrator knows the words that the site printed."""
    cards = [world.card(DISPATCHER)] if first else []
    known = world.app.hardware_targets
    wanted = enrolling.wanted(request, STAGE, [DISPATCHER], cards, known)
    asked = statements.read(SiteRequest, request, what="the request")
    expects = (words_of(asked.sha256), f"promoted to {STAGE}", world.public(DISPATCHER).text)
    world.carry_out(wanted, [FLEET], cards=cards, expects=expects)
    with world.app.hub.reading() as connection:
        return Sites(connection).get(asked.predicate.site).answer


def assign(world: World, site: str, ref: VersionRef) -> None:
    """Have the site's one host group run `ref`."""
    wanted = assignments.wanted(world.app.hub, site, ref, {GROUP: TARGET}, None)
    world.carry_out(wanted, [DISPATCHER], expects=(f"Assign {ref} to {site}",))


def export(world: World, site: str) -> Path:
    """The bundle, on the medium."""
    medium = world.folder / "medium"
    medium.mkdir(exist_ok=True)
    hand = Hand(world)
    return world.app.exports.export(site, medium, hand, lambda _n, _s: lambda _c: None).folder


@dataclass(frozen=True)
class Hand:
    """The dispatcher, who signs a transfer while it is written."""

    world: World

    @property
    def key(self) -> PublicKey:
        return self.world.public(DISPATCHER)

    def check(self, draft: Draft, ask: Ask) -> None:
        self.world.desk(DISPATCHER).check(draft, ask, self.world.signer(DISPATCHER))

    def sign(self, draft: Draft, ask: Ask) -> Draft:
        draft = self.world.transit(self.world, draft, Wanted(ask, facts=draft.facts))
        signed = self.world.desk(DISPATCHER).sign(draft, ask, self.world.signer(DISPATCHER))
        self.world.given.append(signed)
        return signed
