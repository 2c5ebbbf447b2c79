"""Drafts over the hub's rows: what people are asked to sign, with all that it stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from sealift_registry.trust import lost_entries, readiness, replaced_keys
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.stored import Rows, Stored, stored
from sealift_signing import drafting, roles
from sealift_signing.acts.material import Ask, Carried, Material, Prepared, SetAsideVersion
from sealift_signing.acts.names import CONSEQUENCE, OF_PEOPLE
from sealift_signing.drafts import ROLE, Draft
from sealift_signing.errors import NoKeyError, NotSignedEnoughError, RefusedError
from sealift_signing.public_key import PublicKey


def unchecked(_connection: Connection, _draft: Draft) -> None:
    """Nothing else must hold of a draft than what its act says."""


@dataclass(frozen=True)
class Wanted:
    """An act that is to be drafted: as a person names it, and what the hub brings to it.

    Attributes:
        ask: the act.
        statements: envelopes that it may name; those that it does are carried.
        facts: what the hub adds, and whoever signs is shown.
        parts: statements that the hub wrote, by name.
        others: versions that are to be set aside.
        check: what else must hold of the draft before anybody is asked to sign it.
    """

    ask: Ask
    statements: tuple[bytes, ...] = ()
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, bytes] = field(default_factory=dict)
    others: tuple[SetAsideVersion, ...] = ()
    check: Callable[[Connection, Draft], None] = unchecked


@dataclass(frozen=True)
class Drafted:
    """A draft, and what whoever has it drafted is told of it."""

    draft: Draft
    warnings: tuple[str, ...]


def drafted(hub: Hub, connection: Connection, wanted: Wanted) -> Drafted:
    """As `draft`, with what is told of it."""
    _check_ready(hub, connection, wanted.ask)
    now = hub.now()
    made, prepared = _composed(connection, wanted, now)
    replaced = replaced_keys.warnings(stored(connection), made)
    told = made.facts.get(CONSEQUENCE, ()) if wanted.ask.act in OF_PEOPLE else ()
    return Drafted(made, (*prepared.warnings, *replaced, *told))


def draft(hub: Hub, connection: Connection, wanted: Wanted) -> Draft:
    """The draft of `wanted`, of one state of the hub, made now.

    Raises:
        RefusedError, NotFoundError, UsageError: as the act; or what it stands on is nobody's; or
            the hub could take in nothing that is signed of it.
    """
    _check_ready(hub, connection, wanted.ask)
    return draft_at(connection, wanted, hub.now())


def draft_at(connection: Connection, wanted: Wanted, now: datetime) -> Draft:
    """As `draft`, made at `now`."""
    made, _ = _composed(connection, wanted, now)
    return made


def _check_ready(hub: Hub, connection: Connection, ask: Ask) -> None:
    """A draft bears the hub's date, and whoever signs it does so for nothing if none is taken."""
    readiness.check(hub, connection, replaces_key=readiness.replaces_log(ask.act, ask.object))


def _composed(connection: Connection, wanted: Wanted, now: datetime) -> tuple[Draft, Prepared]:
    material = Material(
        made=now,
        now=now,
        carried=Carried(wanted.statements),
        facts=wanted.facts,
        parts=wanted.parts,
        others=wanted.others,
        compromised=stored(connection).compromised(),
    )
    try:
        found = drafting.compose(Rows(connection), wanted.ask, material)
    except RefusedError:
        _check_rows(stored(connection))
        raise
    wanted.check(connection, found[0])
    return found


def check_enough(
    connection: Connection, made: Draft, keys: Iterable[PublicKey], *, at_hub: bool
) -> None:
    """Check that whoever has `keys` could sign all of `made`, before anything is signed.

    `at_hub` is whether that was asked for by this option, for the advice.

    A signature that is not enough is not lost: its number is taken, and whoever made it remembers.

    Raises:
        NotSignedEnoughError, NoKeyError: they could not; those who can are named.
    """
    raw = {key.raw for key in keys}
    found = stored(connection)
    for part in made.parts:
        if part.kind != ROLE:
            continue
        owner = found.head(roles.delegator(part.name)).metadata.signed
        held = roles.keyholders(owner, part.name)
        count = len(raw & {key.raw for key in held.keys})
        wanted = max(held.threshold, lost_entries.needed(connection, made))
        if count < wanted:
            kind, code = (NotSignedEnoughError, "not-signed-enough") if count else _NOBODY
            raise kind(
                code,
                f"{part.name} is signed by {wanted} people, and {count} of these keys may.",
                subject=part.name,
                next_step=f"Sign with {wanted} of the keys of: {', '.join(held.people)}; "
                f"name each with --key. Or leave out {'--at-hub' if at_hub else '--key'}, and have "
                "each sign elsewhere.",
            )


_NOBODY: tuple[type[RefusedError], str] = (NoKeyError, "no-key")


def _check_rows(found: Stored) -> None:
    """Name the row that nobody signed, where one is why nothing can be drafted."""
    for role in found.rows.roles():
        if roles.is_known(role) and not roles.is_online(role):
            found.base(role)
