"""The hub, for what somebody who is signed in changes: in their name, and only while they may.

Most of what is changed is known again by a key (`writing.once`). Here is the rest: what cannot have
an effect twice, or whose body holds a password, of which not even a digest is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from litestar.openapi.datastructures import ResponseSpec

from sealift_registry.access.calling import Caller
from sealift_registry.trust.hub import Hub, OnBehalf
from sealift_registry.web import guarding, request_ids
from sealift_registry.web.answering import Asking, Reads, served_by
from sealift_registry.web.callers import Where

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

UNCACHED = {"cache-control": "no-store"}


def spec(shape: type, words: str, status: int = 200) -> dict[int, ResponseSpec]:
    """What is answered where it goes well, for the description."""
    return {status: ResponseSpec(shape, generate_examples=False, description=words)}


def beside_a_write(reads: Reads) -> dict[str, Any]:
    """How a read is declared at whose address something is written, too: it is asynchronous.

    Of two handlers at one address that run in threads Litestar 2.25 wraps the first twice.
    """
    return {name: one for name, one in reads.declared().items() if name != "sync_to_thread"}


def caller_of(request: Asking) -> Caller:
    """Who asks, with all that is known of how."""
    return cast("Caller", guarding.caller_of(request))


def own(_served: Served, connection: guarding.Connection) -> Where:
    """What is of the account that asks."""
    return Where(owner=connection.state.caller.account)


def hub_of(request: Asking) -> Hub:
    """The hub, each of whose commits asks whether the caller may, and names them and the request.

    It is asked in the thread of the request.
    """
    served, caller = served_by(request), caller_of(request)
    action = str(request.route_handler.opt[guarding.ACTION])
    may = served.gatekeeper.guard(caller, action, guarding.where_of(request, None))
    behalf = OnBehalf(caller.name, request_ids.current())
    return replace(served.app.hub, guard=may, on_behalf=behalf)
