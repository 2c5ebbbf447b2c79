"""Replacing the keys that this hub signs with by itself: new ones are made, named and taken up.

A new key lies in `keys/next/` until a role or the fleet names it. From the commit in which that is
published the hub signs with whichever file is the key that is named (`OnlineKeys.signer_for`), so
nothing has to happen at once with it; that the files then change places is tidiness, done by
whoever opens the hub next, if this process was cut. The log's new key signs an entry of its own
first: a site takes the log by an active key alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select
from tuf.api.metadata import Root

from sealift_registry.audit import edge
from sealift_registry.audit.edge import Edge, Former
from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.storage.writable import is_read_only
from sealift_registry.trust import catalogs, lost_entries, signed_log, whereabouts
from sealift_registry.trust.hub import Hub, newest_note
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.online_keys import NAMES, OnlineKeys
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.unchanged import JUST_NOW
from sealift_signing import roles, version_links
from sealift_signing.acts.material import Ask, SetAsideVersion
from sealift_signing.acts.names import FRESHNESS, MACHINES
from sealift_signing.acts.rotating import check_hubs, is_hubs
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant

LOG = "log"
ENTRY = "keys.rotated"
NAMING = (ENTRY, "role.restored")
"""The entries that come with a list of the fleet's which names another key of the log."""


def wanted(
    hub: Hub,
    connection: Connection,
    what: str,
    status: str,
    aside: Sequence[SetAsideVersion] = (),
    *,
    anew: bool = False,
) -> Wanted:
    """The act, with keys that this hub makes; those of an earlier draft, unless `anew`."""
    names = _files(what)
    if anew:
        for name in names:
            hub.online.forget_next(name)
    facts = {"key": tuple(hub.online.make_next(name).text for name in names)}
    repository = Repository(connection)
    if what == LOG:
        facts["size"] = (str(whereabouts.edge(connection).size),)
        facts |= lost_entries.facts(connection)
    elif what not in MACHINES:
        versions = repository.versions()
        changed = names if what == FRESHNESS else tuple(repository.delegated(roles.CATALOG))
        facts["version"] = tuple(str(versions.get(role, 0)) for role in changed)
    return Wanted(ask_of(what, status), facts=facts, others=tuple(aside))


def ask_of(what: str, status: str) -> Ask:
    """The act, as a person names it."""
    details = {} if status == "retired" else {"status": (status,)}
    return Ask("rotate-keys", (what,), details)


def just_done(connection: Connection, ask: Ask, now: datetime) -> bool:
    """Whether this very act was published within the hour: whoever says it again means that act.

    A command can be cut after it was written to the log and before it said so.

    Raises:
        FailedError: the log in the database is not the one that was signed.
    """
    entry = next((one.entry for one in signed_log.entries(connection, ENTRY)), None)
    if entry is None:
        return False
    data = entry.data if isinstance(entry.data, Mapping) else {}
    details = {name: list(given) for name, given in ask.details.items()}
    same = (data.get("object"), data.get("details")) == (list(ask.object), details)
    return same and timedelta(0) <= now - instant(entry.at) <= JUST_NOW


def _files(what: str) -> tuple[str, ...]:
    """The key files behind one word, in the order in which the act has their roles."""
    check_hubs(what)
    return (roles.SNAPSHOT, roles.TIMESTAMP) if what == FRESHNESS else (what,)


def with_catalogs(hub: Hub, connection: Connection, change: Change) -> None:
    """Every team's catalog, signed again by the key that the targets of `change` give it."""
    repository, owner = Repository(connection), change.metadata[roles.TARGETS].signed
    for role in repository.delegated(roles.CATALOG):
        if repository.stored.rows.newest(role) is not None:
            catalog = catalogs.following(repository, role, owner, hub.now())
            catalogs.sign(hub.online, catalog, role, owner)
            change.metadata[role] = catalog


def check_has(hub: Hub, what: str, keys: Sequence[str]) -> None:
    """Check that this hub has the keys that were signed for, before anything is published.

    Raises:
        FailedError: it does not.
    """
    for name, text in zip(_files(what), keys, strict=True):
        try:
            hub.online.signer_for(name, [PublicKey.parse(text)])
        except FailedError as bad:
            if not hub.database.is_shared or bad.code != "online-key-missing":
                raise
            raise FailedError(
                "online-key-elsewhere",
                f"This host does not have the key that was signed for: {name}.",
                subject=str(hub.online.path(name)),
                next_step="Submit it on the host that drafted it, which made the key; then copy "
                "the key to the others.",
            ) from bad


def take_up(hub: Hub) -> None:
    """Have every key that was made to follow take its place, once it is named.

    Run again where it was cut, it goes on; mostly there is nothing to do.
    """
    for name in NAMES:
        hub.online.tidy(name)
    pending = [name for name in NAMES if hub.online.following(name) is not None]
    if not pending or is_read_only(hub.home.root):
        return
    with hub.reading() as connection:
        held = {name: held_as(Repository(connection), name) for name in pending}
        origin = hub_origin(Repository(connection).organisation())
    if LOG in pending and hub.online.following(LOG) in held[LOG]:
        _sign_on(hub, held[LOG], origin)
    for name in pending:
        hub.online.take_up(name, held[name])


def _sign_on(hub: Hub, held: Sequence[PublicKey], origin: str) -> None:
    """An entry by the log's new key, if it has signed none yet."""
    with hub.reading() as connection:
        note = newest_note(connection)
    if any(_signed(note, key, origin) for key in held):
        return
    hub.log.take_up()
    hub.commit_entry(hub.entry("log.key-taken-up", "hub", {"key": held[0].text}))


def _signed(note: bytes, key: PublicKey, origin: str) -> bool:
    try:
        checkpoint.verify(note, key, origin)
    except RefusedError:
        return False
    return True


def held_as(repository: Repository, name: str) -> tuple[PublicKey, ...]:
    """The keys that are named for what the hub calls `name`."""
    if name in MACHINES:
        return tuple(
            PublicKey.parse(one.key)
            for one in repository.fleet_keys().keys
            if one.status == "active" and is_hubs(one, name)
        )
    if name == "catalog":
        owner = repository.targets().signed
        catalog = repository.delegated(roles.CATALOG)
        return tuple(key for role in catalog for key in roles.keyholders(owner, role).keys)
    root: Root = repository.root().signed
    return roles.keyholders(root, name).keys


def log_signer(online: OnlineKeys, connection: Connection) -> PublicKey:
    """The log's key of today, by its public half."""
    following = online.following(LOG)
    if following is not None and following in held_as(Repository(connection), LOG):
        return following
    return online.public(LOG)


def followed(connection: Connection, key: PublicKey) -> tuple[PublicKey, ...]:
    """The keys of the log that `key` follows, the oldest first."""
    return tuple(reversed(tuple(_followed(connection, key))))


def former(connection: Connection, key: PublicKey) -> Former:
    """As `followed`, and up to where those sign: the commit that has the fleet name `key`."""
    return Former(followed(connection, key), partial(_named, connection))


def _named(connection: Connection, end: Edge) -> int | None:
    """How many entries the log had after the commit that published the fleet's list of today.

    Where a key that was replaced signed last, that is the list which replaced it. By the first of
    the entries that say so: whoever has that key signs another that says the same.
    """
    fleet = Repository(connection).metadata(roles.FLEET)
    if fleet is None:
        return None
    one = version_links.named(fleet)
    said = {"role": roles.FLEET, "version": one.version, "sha256": one.digest}
    found = [
        under.seq for under in edge.entries(connection, end, *NAMING) if _says(under.entry, said)
    ]
    c = log_checkpoint.c.size
    after = select(func.min(c)).where(c > min(found, default=end.size))
    return connection.execute(after).scalar()


def _says(entry: Entry, published: Mapping[str, object]) -> bool:
    """Whether `published` is among the versions that an entry says were published with it."""
    data = entry.data if isinstance(entry.data, Mapping) else {}
    told = data.get("published")
    versions = told if isinstance(told, Sequence) else ()
    return any(isinstance(one, Mapping) and published.items() <= one.items() for one in versions)


def _followed(connection: Connection, key: PublicKey) -> Iterator[PublicKey]:
    known = {one.key: one.starts for one in Repository(connection).fleet_keys().keys}
    starts = known.pop(key.text, None)
    while starts is not None:
        yield PublicKey.parse(starts.follows)
        starts = known.pop(starts.follows, None)
