"""Who may use a route. Each says it; one that does not is closed, and no server starts with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from sealift_registry.access.told_failures import BY_CODE
from sealift_registry.storage.within import ALL, Within
from sealift_registry.web import cookies, door, refusals, same_site
from sealift_registry.web.callers import Caller, Reach, Way, Where, signed_out
from sealift_signing import events
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

ACTION, WHERE, OPEN, LISTED, ONCE = "action", "where", "open", "listed", "once"
JSON = "application/json"
OWN = {"request", "state", "data"}
"""What a function is given and no address holds."""
Connection = ASGIConnection[Any, Any, Any, Any]
Finds = Callable[["Served", Connection], Where]

Part = Literal["team", "site", "owner"]
"""What the rows of a list may be of."""
NOTHING = Within(everything=False)
"""No row: who would see none is refused, as of a thing that is not theirs."""

DESK, TOKEN = "sls_", "slt_"
"""How the secrets of desks' sessions and of tokens begin."""


def later(_served: Served, _connection: Connection) -> Where:
    """What a request is about is said by its body, whose reader checks it (`writing.once`)."""
    return Where()


LATER: Finds = later
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def open_to_all(why: str) -> dict[str, Any]:
    """A route that anybody may use, and why."""
    return {OPEN: why}


def allowed(action: str, where: Finds | None = None) -> dict[str, Any]:
    """A route for those who may do `action`; `where` finds what it is about.

    Without it that is what the route's own address names: a team, a site, or the hub as a whole.
    """
    return {ACTION: action, WHERE: where or _by_address}


def listed(action: str, by: Collection[Part], where: Finds | None = None) -> dict[str, Any]:
    """A route of a list for those who may do `action`: to each the rows that they may read.

    Args:
        action: as `allowed`.
        by: what its rows are of, by which they are left out.
        where: finds to what it is narrowed down; what it finds must be theirs.
    """
    return allowed(action, where) | {LISTED: frozenset(by)}


def is_declared(said: Mapping[str, Any]) -> bool:
    """Whether a route says who may use it."""
    return bool(said.get(ACTION)) != bool(said.get(OPEN))


def says_once(handler: BaseRouteHandler) -> bool:
    """Whether a route that changes something says how a repeat is known, or why not."""
    methods: set[str] = getattr(handler, "http_methods", set())
    return READS.issuperset(methods) or bool(handler.opt.get(ONCE))


def is_options(handler: BaseRouteHandler) -> bool:
    """Whether a route is Litestar's own, which says what methods an address has."""
    return getattr(handler, "http_methods", None) == {"OPTIONS"}


async def check_allowed(connection: Connection, handler: BaseRouteHandler) -> None:
    """Check that whoever asks may; it is remembered who that is.

    Raises:
        SealiftError: nobody is signed in, or they may not.
    """
    if is_options(handler):
        return
    served: Served = connection.app.state.served
    if handler.opt.get(OPEN):
        served.limits.take("address", door.address(connection))
        check_kind(connection, handler)
        return
    if not handler.opt.get(ACTION):
        raise signed_out()
    served.limits.check("address", door.address(connection))
    await sync_to_thread(_check, connection, handler)


def check_kind(connection: Connection, handler: BaseRouteHandler) -> None:
    """Check that a body that is read as JSON says that it is.

    What says that it is text, a browser sends for any page, and asks nobody.

    Raises:
        UsageError: it says something else.
    """
    if "data" in handler.parsed_fn_signature.parameters and not is_json(connection):
        raise refusals.wrong_media_type(_kind(connection), JSON)


def is_json(connection: Connection) -> bool:
    """Whether a body is sent that says that it is JSON."""
    return _kind(connection) == JSON


def _kind(connection: Connection) -> str:
    return connection.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_known(connection: Connection, handler: BaseRouteHandler) -> None:
    """Check that nothing is asked that would silently mean nothing.

    Raises:
        UsageError: something is.
    """
    known = _parameters(handler)
    asked = [name for name, _ in connection.query_params.multi_items()]
    for name in asked:
        if name not in known:
            raise refusals.unknown_parameter(name, sorted(known))
        if asked.count(name) > 1 and not known[name]:
            raise refusals.given_twice(name)


def _parameters(handler: BaseRouteHandler) -> dict[str, bool]:
    """What a route can be asked, by its name in the address; and whether more than once.

    Of what is there twice a guard might judge the one, and the route answer the other.
    """
    return {
        getattr(one.kwarg_definition, "name", None) or name: one.is_non_string_collection
        or any(inner.is_non_string_collection for inner in one.inner_types)
        for name, one in handler.parsed_fn_signature.parameters.items()
        if name not in OWN
    }


def _check(connection: Connection, handler: BaseRouteHandler) -> None:
    """Who asks is known first: whatever is then refused is told of with their name."""
    served: Served = connection.app.state.served
    connection.state.caller = caller = _known(served, connection)
    served.limits.take("account", caller.account)
    if caller.by == "browser":
        _check_own_page(connection, handler, caller)
    check_known(connection, handler)
    check_kind(connection, handler)
    finds: Finds = handler.opt[WHERE]
    if finds is LATER:
        return
    action, where = str(handler.opt[ACTION]), finds(served, connection)
    by: frozenset[Part] | None = handler.opt.get(LISTED)
    if by is not None and where == Where():
        reach = served.gatekeeper.reach(caller, action)
        connection.state.within = within = _within(reach, by, caller.name)
        if within != NOTHING:
            return
    served.gatekeeper.check(caller, action, where)


def _within(reach: Reach, by: frozenset[Part], name: str) -> Within:
    """The rows of a list that somebody sees whom an action takes so far."""
    return Within(
        everything=reach.everything,
        teams=reach.teams if "team" in by else frozenset(),
        sites=reach.sites if "site" in by else frozenset(),
        all_sites=reach.all_sites and "site" in by,
        asked_by=name if reach.owner and "owner" in by else "",
    )


def within_of(connection: Connection) -> Within:
    """The rows that whoever asks is told of: all of those to which they narrowed a list down."""
    found: Within = getattr(connection.state, "within", ALL)
    return found


def where_of(connection: Connection, read: Where | None) -> Where:
    """What a request is about: as its route finds it, or as it was `read` in its body.

    Raises:
        RuntimeError: a route leaves it to its body, and nobody read it there, or the reverse.
    """
    finds: Finds = connection.route_handler.opt[WHERE]
    if (finds is LATER) != (read is not None):
        msg = f"{connection.scope['path']} was not asked about what it is about"
        raise RuntimeError(msg)
    return read if read is not None else finds(connection.app.state.served, connection)


def caller_of(connection: Connection) -> Caller:
    """Who asks; known once a guard let them in."""
    found: Caller = connection.state.caller
    return found


def known_beyond(served: Served, connection: Connection) -> Caller:
    """Who asks for what has no route: no guard of one let them in.

    Raises:
        SealiftError: nobody is signed in; they asked too much; or another site's page asked.
    """
    served.limits.check("address", door.address(connection))
    caller = _known(served, connection)
    served.limits.take("account", caller.account)
    if caller.by == "browser":
        same_site.check(connection, served.url, caller.csrf)
    return caller


def _known(served: Served, connection: Connection) -> Caller:
    """Who asks; of somebody whom nobody knows it is counted.

    Raises:
        SealiftError: nobody is signed in by what is shown.
    """
    try:
        secret, way = _shown(connection, served.url)
    except SealiftError:
        served.limits.take("address", door.address(connection))
        raise
    try:
        return served.gatekeeper.caller(secret, way)
    except SealiftError as bad:
        served.limits.take("address", door.address(connection))
        if bad.code in BY_CODE:
            events.tell("access", "credential-refused", "warning", way=way)
            served.failures.note(BY_CODE[bad.code])
        raise


def _check_own_page(connection: Connection, handler: BaseRouteHandler, caller: Caller) -> None:
    """Check that what a browser sends was asked for by a page of this server; else it is logged.

    Raises:
        CrossSiteError: it was not.
    """
    served: Served = connection.app.state.served
    try:
        same_site.check(connection, served.url, caller.csrf)
    except same_site.CrossSiteError:
        served.gatekeeper.tell_refused(caller, str(handler.opt[ACTION]), Where())
        raise


def _shown(connection: Connection, url: str) -> tuple[str, Way]:
    """What is shown to be let in, once.

    Raises:
        SealiftError: nothing is; or two things, of which one would be judged and another meant.
    """
    given = connection.headers.getall("authorization", [])
    kept = cookies.shown(connection, url)
    if given and kept:
        raise refusals.two_sign_ins()
    if len(kept) == 1:
        return kept[0], "browser"
    if kept or len(given) != 1:
        raise signed_out()
    scheme, _, secret = given[0].partition(" ")
    if scheme.lower() != "bearer":
        raise signed_out()
    secret = secret.strip()
    if secret.startswith(DESK):
        return secret, "desk"
    if secret.startswith(TOKEN):
        return secret, "token"
    raise signed_out()


def _by_address(_served: Served, connection: Connection) -> Where:
    """What an address names."""
    named = connection.path_params
    return Where(team=named.get("team"), site=named.get("site"))
