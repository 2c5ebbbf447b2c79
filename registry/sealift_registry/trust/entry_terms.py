"""The words by which an entry about something that people signed is found.

They are made of what the entry says itself, in one place, so that no use case can forget one: who
signed, with which keys, of which role and team, and whether it was at the hub.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sealift_signing import roles
from sealift_signing.canonical import Json
from sealift_signing.transparency.entry import Entry, Term
from sealift_signing.transparency.question import KEY, names

AT_HUB = Term("signed-at", "hub")
"""Of what was signed on the hub's own machine."""


def with_terms(entry: Entry) -> Entry:
    """`entry`, found by all who signed what it tells of; one of nothing signed stays as it is."""
    if not isinstance(entry.data, Mapping):
        return entry
    keyids, of_roles = _signed(entry.data)
    if not keyids:
        return entry
    people = [one for one in names(entry.actor) if "at_hub" in entry.data and one not in keyids]
    teams = [roles.whose(role) for role in of_roles if roles.kind(role) == roles.TEAM]
    words = (
        *entry.terms,
        *_terms("person", people),
        *_terms("team", teams),
        *_terms("role", of_roles),
        *_terms(KEY, sorted(keyids)),
        *([AT_HUB] if entry.data.get("at_hub") is True else []),
    )
    return replace(entry, terms=tuple(dict.fromkeys(words)))


def _terms(kind: str, values: Iterable[str]) -> list[Term]:
    return [Term(kind, value) for value in values]


def _signed(data: Mapping[str, Json]) -> tuple[set[str], list[str]]:
    """The keys with which people signed what an entry tells of, and the roles that they signed."""
    keyids, of_roles = set(), []
    if isinstance(data.get("keyid"), str):
        keyids.add(str(data["keyid"]))
    published = data.get("published", ())
    for one in published if isinstance(published, list) else ():
        if isinstance(one, Mapping) and not roles.is_online(role := str(one["role"])):
            of_roles.append(role)
            several = one["keyids"]
            keyids |= {str(keyid) for keyid in (several if isinstance(several, list) else ())}
    return keyids, of_roles
