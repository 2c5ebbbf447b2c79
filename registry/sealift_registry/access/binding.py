"""Whose account it is: a challenge that a person answers with any key that entitles them now.

The answer is the act `bind-account`, signed at the person's desk. It counts for this organisation,
server, account and challenge alone, once, until its end; the log says whose account it is then.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from sealift_registry.access import granting, offices, standing, tables
from sealift_registry.access.calling import Caller
from sealift_registry.access.rights import BIND
from sealift_registry.access.standing import ACCOUNT, BOUND, Standing
from sealift_registry.access.told_refusals import REFUSED
from sealift_registry.trust import signed_log
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import stored
from sealift_signing import drafts, statements
from sealift_signing.account_binding import NAME, AccountBinding
from sealift_signing.acts.material import Ask
from sealift_signing.approvals import LARGEST_LEAD
from sealift_signing.canonical import Json
from sealift_signing.drafts import Draft
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Signed
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant, moment

MINUTES = 30
"""How long a challenge waits; the statement allows an hour at most."""


class TwoAccountsError(RefusedError):
    """Somebody would have two accounts."""


def wanted(hub: Hub, caller: Caller, server: str) -> Wanted:
    """What is to be drafted for whoever is signed in: the act, with a challenge given out now.

    Raises:
        FailedError: the challenge could not be kept.
    """
    now, challenge = hub.latest(), secrets.token_hex(32)
    ends, t = moment(now + timedelta(minutes=MINUTES)), tables.account_challenge
    with hub.database.in_words(), hub.database.writing() as connection, connection.begin():
        connection.execute(
            delete(t).where((t.c.account == caller.account) | (t.c.ends < moment(now)))
        )
        row = {"challenge": challenge, "account": caller.account, "ends": ends}
        connection.execute(insert(t).values(**row))
    facts = {"challenge": (challenge,), "until": (ends,)}
    return Wanted(Ask("bind-account", (caller.name, server)), facts=facts)


def take(hub: Hub, caller: Caller, server: str, draft: Draft) -> Standing:
    """Bind the account that somebody is signed in with to whoever signed this.

    Raises:
        RefusedError: it is for another organisation, server, account or challenge, over, used, or
            by a key of nobody's now; or the account is somebody else's; or the person has another
            account that can be used.
    """
    signed = _statement(draft)
    said, keyid = signed.predicate, signed.envelope.keyid

    def action(connection: Connection) -> tuple[Entry, Standing]:
        of = standing.known(connection, caller.name)
        if of.id != caller.account or not of.enabled or of.kind != "person":
            raise _refused("the account is another one by now", caller.name)
        _check_for_us(hub, connection, signed, of, server)
        person, key = _owner(connection, keyid)
        statements.verify(signed, key, what="the binding")
        _check_nobody_elses(of, person)
        _check_once(connection, person, of, said)
        t = tables.account_challenge
        connection.execute(delete(t).where(t.c.challenge == said.challenge))
        data: dict[str, Json] = {"account": of.id, "person": person, "keyid": keyid}
        data |= {"challenge": said.challenge, "statement": signed.sha256}
        terms = {**granting.terms(of), "person": person}
        entry = hub.entry(BOUND, caller.name, data, terms)
        return entry, of.after(entry)

    try:
        return hub.commit(action).result
    except TwoAccountsError:
        told: dict[str, Json] = {"account": caller.account, "action": BIND, "by": caller.by}
        told |= {"credential": caller.credential}
        hub.commit_entry(hub.entry(REFUSED, caller.name, told, {ACCOUNT: caller.name}))
        raise


def _statement(draft: Draft) -> Signed[AccountBinding]:
    parts = [one for one in draft.parts if one.name == NAME]
    if draft.act != "bind-account" or len(parts) != 1 or len(draft.parts) != 1:
        raise _refused("it is another act", draft.act)
    return statements.read(AccountBinding, drafts.to_envelope(parts[0]), what="the binding")


def _check_for_us(
    hub: Hub, connection: Connection, signed: Signed[AccountBinding], of: Standing, server: str
) -> None:
    """Check that it answers a challenge that waits, of this account, here."""
    said, now, t = signed.predicate, hub.latest(), tables.account_challenge
    if said.organisation != Repository(connection).organisation():
        raise _refused("it is for another organisation", of.name)
    if said.server != server:
        raise _refused("it is for another server", of.name)
    if said.account != of.name or signed.subjects != (said.subject(),):
        raise _refused("it is for another account", of.name)
    row = connection.execute(select(t).where(t.c.challenge == said.challenge)).first()
    if row is None or row.account != of.id or row.ends != said.ends:
        raise _refused("it answers no challenge that waits", of.name)
    if now >= instant(said.ends) or instant(said.made) > now + LARGEST_LEAD:
        raise _refused("its time is over", of.name)


def _owner(connection: Connection, keyid: str) -> tuple[str, PublicKey]:
    """Who holds an office by this key now, and the key."""
    known = offices.read(connection).by_person
    found = {
        (person, one.key.text): one.key
        for person, held in known.items()
        for one in held
        if one.key.keyid == keyid
    }
    lost = {text for _, text in stored(connection).compromised()}
    if len(found) != 1 or any(text in lost for _, text in found):
        raise RefusedError(
            "key-of-nobody",
            f"The key {keyid[:12]} entitles nobody to anything by what is signed now, so whose the "
            "account would be is not known.",
            subject=keyid[:12],
            next_step="Have somebody entitle you by your key card first: a team's stewards "
            "(sealift team approver --help), or whoever holds the role; then sign in with --bind "
            "again.",
        )
    (((person, _), key),) = found.items()
    return person, key


def _check_nobody_elses(of: Standing, person: str) -> None:
    """Check that the account is this person's already, or nobody's: it is not taken from anybody.

    Raises:
        RefusedError: it is another person's.
    """
    if of.person not in {None, person}:
        raise RefusedError(
            "account-is-anothers",
            f"The account {of.name} is {of.person}'s, and the key that signed this is {person}'s.",
            subject=of.name,
            next_step=f"Sign in with {person}'s own account. Where {of.name} was bound by mistake, "
            f"have it invited again, which binds it to nobody: sealift account recover {of.name}",
        )


def _check_once(connection: Connection, person: str, of: Standing, said: AccountBinding) -> None:
    """Check that nobody else's account is this person's, and that it was not taken before."""
    for entry in list(signed_log.every(connection, (BOUND,), ("person", person), b"")):
        if entry.data.get("challenge") == said.challenge:
            raise _refused("it was taken before", of.name)
        others = [term.value for term in entry.terms if term.kind == standing.STANDING]
        for other in (standing.standing(connection, name) for name in others):
            if other and other.id != of.id and other.enabled and other.person == person:
                raise TwoAccountsError(
                    "person-has-account",
                    f"{person} has an account that can be used: {other.name}.",
                    subject=person,
                    next_step="Sign in with that one, or have an administrator disable it first.",
                )


def _refused(why: str, subject: str) -> RefusedError:
    return RefusedError(
        "binding-refused",
        f"What was signed binds nothing here: {why}.",
        subject=subject,
        next_step="Ask for a new challenge, and sign that; see docs/how-to/people-and-rights.md",
    )
