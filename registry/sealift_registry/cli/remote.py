"""What a hub's server shows, printed as the hub would print it: its lines, or its members.

None of it is ours: each line is drawn anew before it reaches a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sealift_registry.cli.refused_rows import WAITING
from sealift_registry.client.answers import SAYS
from sealift_signing.errors import NotFoundError, RefusedError, SealiftError

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session

Query = Sequence[tuple[str, object]]
FORBIDDEN = "forbidden"
"""The code of what somebody may not see."""


def show(session: Session, command: str, path: str, query: Query = (), *, each: str = "") -> None:
    """Print what is there, and end as the hub's own command would.

    `each` names the member whose objects are printed a line each, where that is asked.

    Raises:
        SealiftError: the server's; or it leaves out a row, and says why.
    """
    asked = list(_asked(query))
    members = session.remote.members(path, asked)
    rows = members.get(each)
    if each:
        found = rows if isinstance(rows, list) else ()
        session.terminal.each(one for one in found if isinstance(one, dict))
    else:
        lines = () if session.terminal.as_json else session.remote.lines(path, asked)
        session.terminal.answer(command, without_schema(members), lines)
    _check_refused(members.get("refused"))


def show_first(session: Session, paths: Mapping[str, str], what: str) -> None:
    """Print the first of these that is there, each by the name of its command.

    What somebody may not see may be there: where nothing else is, that is said.

    Raises:
        NotFoundError: none is.
        SealiftError: the server's.
    """
    hidden: SealiftError | None = None
    for command, path in paths.items():
        try:
            show(session, command, path)
        except NotFoundError:
            continue
        except RefusedError as bad:
            if bad.code != FORBIDDEN:
                raise
            hidden = hidden or bad
            continue
        return
    if hidden is not None:
        raise hidden
    raise NotFoundError(
        "nothing-of-that-name",
        f"Nothing here is called {what}.",
        subject=what,
        next_step="Write TEAM/MODEL/VERSION, P-000001, or the id of a site, a transfer or a "
        "person.",
    )


def without_schema(members: Mapping[str, Any]) -> dict[str, Any]:
    """What a server tells, but for what the object is called: that is ours to say."""
    return {name: value for name, value in members.items() if name != "schema"}


def _asked(query: Query) -> Iterator[tuple[str, str]]:
    """What is asked for; what was not given is not."""
    for name, value in query:
        if value is None or value is False:
            continue
        yield name, "true" if value is True else str(value)


def _check_refused(found: object) -> None:
    """End with the first row that is left out for a fault, as the hub's command does."""
    for one in found if isinstance(found, list) else ():
        said = {k: v for k, v in one.items() if isinstance(v, str)} if isinstance(one, dict) else {}
        if said.get("code") in WAITING:
            continue
        step = said.get("next")
        raise RefusedError(
            "server-left-out",
            f"{SAYS}A row is left out: {said.get('what', 'why is not said')}",
            subject=said.get("subject", ""),
            next_step=f"{SAYS}{step}" if step else "Have whoever runs the hub look at it there.",
        )
