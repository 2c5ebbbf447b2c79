"""Routes about the log: its entries, how far it is signed, and proofs of both."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import QueryParameter

from sealift_registry.audit.reading import LogReader
from sealift_registry.shown import entries
from sealift_registry.shown.told import Told
from sealift_registry.trust import signed_log
from sealift_registry.trust.hub import newest_note
from sealift_registry.views import all_logs
from sealift_registry.web import hub_shapes, places
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by
from sealift_registry.web.guarding import caller_of, within_of
from sealift_signing.errors import UsageError, shown
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.transparency.entry import Term
from sealift_signing.transparency.question import Question, day_or_time

MOST = 10_000
Size = Annotated[int, QueryParameter(ge=1, le=2**53, description="Of how many entries the log is.")]
Actor = Annotated[str | None, QueryParameter(description="Only what they did or signed.")]
Words = Annotated[list[str] | None, QueryParameter(description="Only with this word, KIND=VALUE.")]
When = Annotated[str | None, QueryParameter(description="A day or a time, in UTC.")]


@get(
    f"{API}/log/entries",
    tags=["log"],
    **Reads("audit.read", hub_shapes.Entries, places.entries_asked, ("team", "site")).declared(),
)
def list_entries(
    request: Asking,
    *,
    kind: Annotated[
        str | None,
        QueryParameter(name="type", description="Only of this type; `promotion.*`: all such."),
    ] = None,
    site: Annotated[str | None, QueryParameter(description="Only about this site.")] = None,
    actor: Annotated[
        str | None, QueryParameter(description="Only what they did, or signed.")
    ] = None,
    term: Words = None,
    entry: Annotated[str | None, QueryParameter(name="id", description="Only this one.")] = None,
    since: When = None,
    until: When = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST, description="So many at most.")] = 50,
    beyond: Annotated[
        str | None,
        QueryParameter(
            max_length=200,
            description="Go on after these, as `beyond` named them: 17, plant-7/17, or both.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        QueryParameter(
            max_length=80, description="Only of this log: hub, or a site whose log came home."
        ),
    ] = None,
    oldest_first: Annotated[bool, QueryParameter(description="Begin with the oldest.")] = False,
) -> Response[bytes]:
    """List entries of the hub's log and of sites', as far as those came home, newest first.

    To an auditor of some teams or sites those about them.
    """
    question = Question(
        id=entry,
        type=kind,
        site=site,
        actor=actor,
        terms=tuple(map(_term, term or ())),
        since=None if since is None else day_or_time(since),
        until=None if until is None else day_or_time(until),
    )
    served = served_by(request)
    place = all_logs.LogsPlace(limit, beyond, not oldest_first, at, within_of(request))
    # A name that there is, or not, is told to who may see every name.
    whole = served.gatekeeper.reach(caller_of(request), "audit.read").everything
    with served.app.hub.reading() as connection:
        found = entries.told(connection, question, place, whole=whole)
    return answered(request, found)


def _term(text: str) -> Term:
    kind, equals, value = text.partition("=")
    if not (kind and equals and value):
        raise UsageError(
            "bad-pair",
            f"{shown(text)} is not KIND=VALUE.",
            subject=text,
            next_step="Write KIND=VALUE.",
        )
    return Term(kind, value)


@get(
    f"{API}/log/checkpoint",
    tags=["log"],
    **Reads("checkpoint.read", hub_shapes.Checkpoint).declared(),
)
def show_checkpoint(request: Asking) -> Response[bytes]:
    """Show how far the log is, as its key signed it; as text, the signed note itself."""
    with served_by(request).app.hub.reading() as connection:
        signed_log.signed(connection)
        note = newest_note(connection)
    found = claimed(note)
    data = {"size": found.size, "root": found.root.hex(), "note": note.decode()}
    return answered(request, Told(data, note.decode().splitlines()))


@get(
    f"{API}/log/inclusion",
    tags=["log"],
    **Reads("checkpoint.read", hub_shapes.Proof).declared(),
)
def prove_inclusion(
    request: Asking,
    entry: Annotated[int, QueryParameter(ge=0, le=2**53, description="The entry's number.")],
    size: Size,
) -> Response[bytes]:
    """Show that an entry is in the log of so many entries."""
    reader = _reader(request, size)
    return _proof(request, reader.inclusion_proof(entry, size))


@get(
    f"{API}/log/consistency",
    tags=["log"],
    **Reads("checkpoint.read", hub_shapes.Proof).declared(),
)
def prove_consistency(
    request: Asking,
    old: Annotated[int, QueryParameter(ge=1, le=2**53, description="Of how many entries it was.")],
    size: Size,
) -> Response[bytes]:
    """Show that the log of `size` entries continues that of `old`."""
    reader = _reader(request, size)
    return _proof(request, reader.consistency_proof(old, size))


def _reader(request: Asking, size: int) -> LogReader:
    """A reader of the log, where it is signed so far.

    Raises:
        UsageError: it is not.
    """
    hub = served_by(request).app.hub
    with hub.reading() as connection:
        end = signed_log.signed(connection)
    if size > end.size:
        raise UsageError(
            "beyond-log",
            f"The log has {end.size:,} entries, and {size:,} were asked about.",
            subject=str(size),
            next_step="Ask for what a checkpoint names.",
        )
    return LogReader(hub.database)


def _proof(request: Asking, hashes: tuple[bytes, ...]) -> Response[bytes]:
    said = [one.hex() for one in hashes]
    return answered(request, Told({"hashes": said}, said))


ROUTES: tuple[Any, ...] = (list_entries, show_checkpoint, prove_inclusion, prove_consistency)
