"""Accounts as they are shown: what each is, may do, and can be signed in with; never a secret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sealift_registry.access.rows import SessionRow, TokenRow
from sealift_registry.access.standing import Standing
from sealift_registry.shown.told import Told
from sealift_signing.drawing import word
from sealift_signing.lists import in_columns

Sessions = Sequence[tuple[SessionRow, str | None]]
"""Those of an account, each with when it was used last."""
Tokens = Sequence[tuple[TokenRow, str | None]]


def listed(every: Iterable[Standing]) -> Told:
    """All accounts."""
    accounts = list(every)
    if not accounts:
        return Told(
            {"accounts": []},
            ["There is no account yet. Invite somebody: sealift account invite NAME"],
        )
    rows = [
        (
            *(one.name, one.kind, one.words, one.person or "", one.invited_by),
            ", ".join(map(str, _grants(one))),
        )
        for one in accounts
    ]
    lines = in_columns(("account", "kind", "stands", "person", "invited by", "granted"), rows)
    return Told({"accounts": [data(one) for one in accounts]}, lines)


def data(of: Standing) -> dict[str, Any]:
    """An account, for machines."""
    return {
        "account": of.name,
        "id": of.id,
        "kind": of.kind,
        "state": of.words,
        "person": of.person,
        "keyid": of.keyid,
        "invited_by": of.invited_by,
        "grants": [one.spelled for one in _grants(of)],
    }


def lines(of: Standing) -> list[str]:
    """An account, for people."""
    what = "a person's" if of.kind == "person" else "a program's"
    found = [f"{of.name}, {what} account: {of.words}"]
    if of.person:
        found.append(f"  bound to {of.person}, by the key {(of.keyid or '')[:12]}")
    elif of.kind == "person":
        found.append("  bound to nobody: it hands in nothing that was signed")
        has = "took the invitation" if of.secret else "takes the invitation"
        found.append(f"  whoever {has} has it; {word(of.invited_by)} invited them")
    found += [f"  {one}" for one in _grants(of)] or ["  granted nothing"]
    return found


def whole(of: Standing, sessions: Sessions, tokens: Tokens) -> Told:
    """An account with what it is signed in with."""
    told = [*lines(of)]
    if sessions:
        told += ["", "Sessions:", *_session_lines(sessions)]
    if tokens:
        told += ["", "Tokens:", *_token_lines(tokens)]
    said = {
        **data(of),
        "sessions": [session_data(one, seen) for one, seen in sessions],
        "tokens": [token_data(one, used) for one, used in tokens],
    }
    return Told(said, told)


def own_sessions(sessions: Sessions, current: str) -> Told:
    """The sessions of an account, to itself; `current` is the id of the one that asks."""
    said = [{**session_data(one, seen), "current": one.id == current} for one, seen in sessions]
    return Told({"sessions": said}, _session_lines(sessions, current))


def own_tokens(tokens: Tokens) -> Told:
    """The tokens of an account, to itself."""
    said = [token_data(one, used) for one, used in tokens]
    return Told({"tokens": said}, _token_lines(tokens) or ["There is no token."])


def _session_lines(sessions: Sessions, current: str = "") -> list[str]:
    return [
        f"  {one.id}, {one.way}, {one.note}: until {one.ends}, last used {seen or one.made}"
        + (" (this one)" if one.id == current else "")
        for one, seen in sessions
    ]


def _token_lines(tokens: Tokens) -> list[str]:
    told = []
    for one, used in tokens:
        last = f"last used {used}" if used else "never used"
        told += [f"  {one.id}, {one.note}: until {one.ends}, {last}"]
        told += [f"    for {', '.join(one.scopes)}"]
    return told


def session_data(one: SessionRow, seen: str | None) -> dict[str, Any]:
    """A session, for machines."""
    return {
        "session": one.id,
        "way": one.way,
        "note": one.note,
        "made": one.made,
        "ends": one.ends,
        "seen": seen,
    }


def token_data(one: TokenRow, used: str | None) -> dict[str, Any]:
    """A token, for machines."""
    return {
        "token": one.id,
        "note": one.note,
        "scopes": list(one.scopes),
        "made": one.made,
        "ends": one.ends,
        "used": used,
    }


def _grants(of: Standing) -> list[Any]:
    return sorted(of.grants.values(), key=lambda one: one.spelled)
