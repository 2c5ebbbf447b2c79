"""Poisonings generated from roles and documents: as rows, and as what a draft carries."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256

from sealift_registry.trust.hub_drafts import Wanted
from sealift_signing import drafting, roles
from sealift_signing.acts.material import Carried, Material
from sealift_signing.drafts import STATEMENT, Draft, DraftPart, decoded
from tests.poisonings import gateless
from tests.poisonings.claims import paper_of
from tests.poisonings.forging import Forged, forgeries, older
from tests.poisonings.poisoning import Poisoning
from tests.poisonings.rows import unguarded
from tests.poisonings.world import World

STEPS = {
    roles.ROOT: ("renew root", "renew targets"),
    roles.TARGETS: ("renew targets", "add a team", "set the stewards"),
    roles.FLEET: ("renew fleet", "enrol"),
    roles.RECALL: ("renew recall", "enrol"),
    roles.TEAM: ("renew the team", "add an approver", "promote"),
    roles.SITE: ("promote", "assign", "renew the site"),
}
"""Those steps whose drafts carry a role of each kind; the hub's rows are whole meanwhile."""


def poisonings(world: World) -> Iterator[Poisoning]:
    """Each forged version, and each old one: as the hub's newest row, and in every draft."""
    paper = paper_of(world)
    for kind, found in (("forged", forgeries(world, paper)), ("old", older(paper))):
        for one in found:
            name = f"{one.role}: {one.label}"
            yield Poisoning(f"{kind} row: {name}", partial(_as_row, one))
            yield Poisoning(
                f"{kind} draft: {name}",
                transit=partial(_as_draft, one),
                steps=STEPS[roles.kind(one.role)],
            )


def _as_row(one: Forged, world: World) -> None:
    with closing(sqlite3.connect(world.acme.root / "sealift.db")) as connection, connection:
        unguarded(connection)
        above = "DELETE FROM tuf_metadata WHERE role = ? AND version > ?"
        connection.execute(above, (one.role, one.version))
        row = (one.role, one.version, one.data)
        connection.execute("INSERT OR REPLACE INTO tuf_metadata VALUES (?, ?, ?)", row)
        for path, body in one.documents.items():
            listed = (path, sha256(body).hexdigest(), body)
            connection.execute("INSERT OR REPLACE INTO tuf_document VALUES (?, ?, ?)", listed)


def _as_draft(one: Forged, world: World, draft: Draft, wanted: Wanted) -> Draft:
    """What a hub with other programs would draft over it."""
    paper = paper_of(world)
    if one.role not in paper.roles and one.role != roles.ROOT:
        return draft
    material = Material(
        made=world.now,
        now=world.now,
        carried=Carried(wanted.statements or tuple(map(decoded, draft.statements))),
        facts=wanted.facts,
        parts=wanted.parts or {part.name: part.data for part in draft.parts if is_statement(part)},
        others=wanted.others,
    )
    with gateless.unread():
        made, _ = drafting.compose(one.over(paper), wanted.ask, material)
    return made


def is_statement(part: DraftPart) -> bool:
    return part.kind == STATEMENT
