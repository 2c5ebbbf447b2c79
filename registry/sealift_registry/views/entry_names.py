"""Why nothing was found: a name that no log knows, or a question that is too narrow.

"No entry matches" would read like "there was none", where a name was only mistyped. So each part of
a question that finds nothing is asked by itself: whatever finds nothing alone is refused by name,
with the nearest that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from sqlalchemy import Connection, select

from sealift_registry.audit.tables import log_entry, log_term
from sealift_registry.delivery.sites import Sites
from sealift_registry.storage.within import ALL
from sealift_registry.views import all_logs
from sealift_registry.views.all_logs import LogsPage, LogsPlace
from sealift_registry.views.nearest import nearest
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError, UsageError
from sealift_signing.transparency.question import KEY, Question, names
from sealift_signing.vocabulary import counted

TYPES = (
    *("access.failed", "access.refused", "access.refused-more", "account.bound"),
    *("account.disabled", "account.invited", "account.opened", "account.password-changed"),
    *("account.recovered", "artifact.discarded", "artifact.restored", "builder.added"),
    *("builder.removed", "conversion.refused", "gc.removed", "gc.removing", "hub.leaving"),
    *("hub.moved", "hub.settings-changed", "intake.refused", "job.asked", "job.ended"),
    *("keys.rotated", "log.key-taken-up", "model.activated", "model.activation-failed"),
    *("model.checked", "model.rolled-back", "model.stopped", "model.tried-again"),
    *("organisation.founded", "policy.changed", "promotion.approved", "promotion.commented"),
    *("promotion.objected", "promotion.requested", "recall.honoured", "request.refused"),
    *("return.accepted", "return.refused", "right.granted", "right.revoked", "role.renewed"),
    *("role.restored", "session.closed", "session.opened", "site.assigned", "site.enrolled"),
    *("site.unassigned", "software.changed", "store.damaged", "store.mended", "team.added"),
    *("team.check-rows-changed", "team.members-changed", "team.stewards-changed"),
    *("token.made", "token.revoked", "transfer.begun", "transfer.exported"),
    *("transfer.imported", "transfer.refused", "variant.built", "variant.compared"),
    *("variant.measured", "version.ingested", "version.seen-again"),
)
"""What hub and sites write entries of, also where none was written yet."""
KINDS = (
    *("person", "team", "model", "promotion", "site", "transfer", "role", KEY, "signed-at"),
    *("job", "request", "account", "session", "token", "artifact", "host-group", "log"),
)
"""The kinds of words that entries are found by."""
MOST_KNOWN = 10_000
"""Names of a kind among which the nearest are looked for."""


def sentence(
    connection: Connection, question: Question, place: LogsPlace, page: LogsPage, *, whole: bool
) -> str:
    """What is said of a page on which there is nothing.

    Args:
        connection: of one state of the hub.
        question: that found nothing.
        place: where it was asked.
        page: what was found.
        whole: whoever asks is told of every name that there is.

    Raises:
        NotFoundError: a name of it is of nothing that there is.
        UsageError: there is no such type of entry, or no such kind of term.
    """
    _check_spelled(connection, question, whole=whole)
    if whole:
        _check_known(connection, question, place)
    if place.beyond is not None:
        return "No further entry is all that was asked for."
    asked = [f"{counted(page.hub, 'entry', 'entries')} of the hub's log"] if page.hub else []
    asked += [f"{counted(one.came.size, 'entry', 'entries')} of {one.name}'s" for one in page.asked]
    of = f": of {', '.join(asked)}" if whole and asked else ""
    return f"No entry is all that was asked for{of}, none."


def _check_spelled(connection: Connection, question: Question, *, whole: bool) -> None:
    """Check that there is such a type, and that there are such kinds of terms.

    Raises:
        UsageError: there is not.
    """
    kind = question.type
    if kind is not None:
        found = _distinct(connection, "type") if whole else ()
        known = {*TYPES, *found}
        stems = {f"{one.partition('.')[0]}.*" for one in known}
        is_family = kind.endswith(".*")
        if not any(one.startswith(kind[:-1]) if is_family else one == kind for one in known):
            raise UsageError(
                "no-such-type",
                f"No entry is of the type {word(kind)}.",
                subject=kind,
                next_step=nearest(
                    kind, known | stems, f"Types begin with: {', '.join(sorted(stems))}."
                ),
            )
    for term in question.terms:
        known = {*KINDS, *(_distinct_kinds(connection) if whole else ())}
        if term.kind not in known:
            raise UsageError(
                "no-such-term",
                f"There is no kind of term {word(term.kind)}.",
                subject=term.kind,
                next_step=nearest(term.kind, known, f"The kinds are: {', '.join(KINDS)}."),
            )


def _check_known(connection: Connection, question: Question, place: LogsPlace) -> None:
    """Check that each name is of something that some log tells of.

    Raises:
        NotFoundError: one is of nothing.
    """
    for part, what, name, known in _parts(connection, question):
        alone = LogsPlace(1, within=ALL, at=place.at)
        if all_logs.page(connection, part, alone).rows:
            continue
        raise NotFoundError(
            "nothing-of-that-name",
            f"No entry tells of {what} {word(name)}.",
            subject=name,
            next_step=nearest(name, known(), "See what there is with: sealift list --help"),
        )


def _parts(
    connection: Connection, question: Question
) -> Iterator[tuple[Question, str, str, Callable[[], Collection[str]]]]:
    """Each name of a question: what asks for it alone, what it is of, and which there are."""
    if question.id is not None:
        yield Question(id=question.id), "the id", question.id, tuple
    if question.site is not None:
        only = Question(site=question.site)
        yield only, "a site", question.site, Sites(connection).names
    if question.actor is not None:

        def actors() -> set[str]:
            return {who for one in _distinct(connection, "actor") for who in names(one)}

        yield Question(actor=question.actor), "anybody called", question.actor, actors
    for term in question.terms:

        def values(kind: str = term.kind) -> list[str]:
            t = log_term.c
            query = select(t.value).where(t.kind == kind).distinct().limit(MOST_KNOWN)
            return list(connection.execute(query).scalars())

        yield Question(terms=(term,)), f"the {term.kind}", term.value, values


def _distinct(connection: Connection, column: str) -> list[str]:
    """The values of a column of the log, each looked up behind the one before it."""
    c = log_entry.c[column]
    found, last = list[str](), ""
    while len(found) < MOST_KNOWN:
        query = select(c).where(c > last).order_by(c).limit(1)
        value = connection.execute(query).scalar()
        if value is None:
            break
        found.append(value)
        last = value
    return found


def _distinct_kinds(connection: Connection) -> list[str]:
    c = log_term.c.kind
    found, last = list[str](), ""
    while value := connection.execute(select(c).where(c > last).order_by(c).limit(1)).scalar():
        found.append(value)
        last = value
    return found
