"""Requests, approvals and objections, each by the person whose statement it is."""

from __future__ import annotations

from sealift_registry.catalog.reference import VersionRef, parse_promotion
from tests.poisonings.world import MODEL, STAGE, TEAM, World

MEANING = "validated"


def ask(world: World, version: int, by: str, reason: str) -> int:
    """Ask for a version to be promoted; the number of the promotion."""
    ref = VersionRef(TEAM, MODEL, version)
    with world.app.hub.reading() as connection:
        wanted = world.app.promotions.request_wanted(connection, ref, STAGE, reason)
    expects = (f"Ask for {ref} to be promoted to {STAGE}", reason)
    return parse_promotion(str(world.carry_out(wanted, [by], expects=expects).data["promotion"]))


def approve(world: World, number: int, version: int, by: str, reason: str) -> None:
    """Approve a promotion; its approver knows which version it is of, and why it was asked for."""
    with world.app.hub.reading() as connection:
        wanted = world.app.promotions.approval_wanted(connection, number, MEANING, "It was tested.")
    world.carry_out(wanted, [by], expects=(_about(version), reason))


def object_to(world: World, number: int, version: int, by: str, reason: str) -> None:
    """Say why somebody would not approve."""
    with world.app.hub.reading() as connection:
        wanted = world.app.promotions.objection_wanted(connection, number, "It fails at night.")
    world.carry_out(wanted, [by], expects=(_about(version), reason))


def _about(version: int) -> str:
    return f"{TEAM}/{MODEL}/{version} to {STAGE}, asked for by "
