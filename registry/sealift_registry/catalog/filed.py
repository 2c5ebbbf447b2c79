"""What entries of the log say was filed: requests, approvals, objections, evidence and listings.

A statement says nothing of another one that is not there. So whoever goes by all objections to a
promotion, or by all evidence about an artifact, asks the log which there are: one whose row was
taken out is not passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sealift_registry.catalog.logged import BUILT, INGESTED, REQUESTED, RESTORED
from sealift_registry.catalog.reference import ModelRef, VersionRef, promotion_id
from sealift_registry.trust import signed_log
from sealift_registry.trust.stored import once_read
from sealift_signing.errors import RefusedError
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SOURCE, CatalogPath

APPROVED = "promotion.approved"
OBJECTED = "promotion.objected"
MEASURED = "variant.measured"
COMPARED = "variant.compared"
STATEMENTS = {REQUESTED: "request", APPROVED: "approval", OBJECTED: "objection"}
"""The entries about what a person signed, and what that is."""
ABOUT_ARTIFACTS = (INGESTED, BUILT, MEASURED, COMPARED, RESTORED)
"""The entries that name evidence."""

Evidence = Mapping[str, frozenset[str]]
"""Of each artifact, by its path, the evidence that the log names."""


class Listed(NamedTuple):
    """That an artifact was listed for a stage, because of a promotion."""

    path: str
    stage: str
    promotion: str

    @property
    def form(self) -> str:
        """Of the version that the path names."""
        return CatalogPath.parse(self.path).form


def statement_of(entry: Entry) -> str | None:
    """The sha256 of what an entry says that a person signed.

    None of an entry from before approvals and objections were named in any.
    """
    data: Mapping[str, Any] = entry.data
    found = data.get("sha256") or data.get(STATEMENTS[entry.type])
    return found if isinstance(found, str) else None


def evidence_of(entry: Entry) -> tuple[str, frozenset[str]]:
    """The path of the artifact that an entry is about, and the evidence that it names."""
    data: Mapping[str, Any] = entry.data
    if entry.type == INGESTED:
        path = str(VersionRef.parse(data["version"]).path(SOURCE))
    else:
        path = data["artifact"]
    said = data.get("evidence", {}) if entry.type in {BUILT, RESTORED} else data
    return path, frozenset(said[kind] for kind in EVIDENCE_PURPOSE if said.get(kind))


def listed_by(entry: Entry) -> Iterator[Listed]:
    """What an approval says is listed, for it is enough or was before."""
    data: Mapping[str, Any] = entry.data
    if entry.type == APPROVED and data.get("listed") is True:
        for one in data["artifacts"]:
            if not CatalogPath.parse(one["path"]).is_source:
                yield Listed(one["path"], data["stage"], data["promotion"])


def check_promotion(connection: Connection, number: int) -> None:
    """Check of a promotion that has no row that nobody asked for it.

    Raises:
        RefusedError: the log says that somebody did.
        FailedError: the log is not the one that was signed.
    """
    name = promotion_id(number)
    for _ in _about(connection, REQUESTED, name):
        raise signed_log.missing(f"the promotion {name}", f"promotion WHERE number = {number}")


def check_statements(
    connection: Connection, number: int, kind: str, digests: Collection[str]
) -> None:
    """Check that the approvals of a promotion, or the objections to it, are all there.

    Args:
        connection: of one state of the hub.
        number: of the promotion.
        kind: of the entries that name them.
        digests: those that have rows.

    Raises:
        RefusedError: one that the log names is not.
        FailedError: the log is not the one that was signed.
    """
    name, what = promotion_id(number), STATEMENTS[kind]
    for entry in _about(connection, kind, name):
        digest = statement_of(entry)
        if digest is not None and digest not in digests:
            raise signed_log.missing(
                f"the {what} {digest[:12]} by {entry.actor}, about {name}",
                f"{what} WHERE sha256 = '{digest}'",
            )


def check_no_version(connection: Connection, ref: VersionRef) -> None:
    """Check of a version that has no row that none was taken in.

    Raises:
        RefusedError: the log says that it was.
        FailedError: the log is not the one that was signed.
    """
    if _taken_in(connection, ref) is not None:
        raise signed_log.missing(f"the version {ref}", row_of(ref))


def check_version(
    connection: Connection, ref: VersionRef, source: bytes, says: Mapping[str, str]
) -> str:
    """When a version was taken in, as its row says: whoever may add rows adds a version, too.

    Args:
        connection: of one state of the hub.
        ref: the version.
        source: its source record.
        says: what its row says by the names that the entry has for it.

    Raises:
        RefusedError: the log says otherwise.
        FailedError: the log is not the one that was signed.
    """
    entry = _taken_in(connection, ref)
    digest = sha256(source).hexdigest()
    if entry is None or not says_so(entry.data, says) or digest != says["source_record"]:
        raise signed_log.not_logged(f"the version {ref}", row_of(ref))
    return entry.at


def says_so(data: Mapping[str, Any], says: Mapping[str, str]) -> bool:
    """Whether an entry has all these members."""
    return all(data.get(name) == one for name, one in says.items())


def check_artifacts(connection: Connection, ref: VersionRef, paths: Collection[str]) -> None:
    """Check that the forms of a version are those that the log names; `paths` have rows.

    Raises:
        RefusedError: one that the log names has none, or the log names none of one.
        FailedError: the log is not the one that was signed.
    """
    check_same_artifacts(named_evidence(connection, ref).keys(), set(paths))


def check_same_artifacts(named: AbstractSet[str], there: AbstractSet[str]) -> None:
    """Check that the artifacts that the log has `named` are those that have rows.

    Raises:
        RefusedError: they are not.
    """
    for path in sorted(named - there):
        raise _no_artifact(path)
    for path in sorted(there - named):
        raise signed_log.not_logged(f"the artifact {path}", f"artifact WHERE path = '{path}'")


def check_evidence(connection: Connection, path: CatalogPath, digests: Collection[str]) -> None:
    """Check that the evidence about an artifact is all there; `digests` have rows.

    Raises:
        RefusedError: some that the log names is not.
        FailedError: the log is not the one that was signed.
    """
    ref = VersionRef(path.team, path.model, path.version)
    named = named_evidence(connection, ref).get(str(path), frozenset())
    for digest in sorted(named - set(digests)):
        raise signed_log.missing(
            f"the evidence {digest[:12]} about {path}", f"evidence WHERE sha256 = '{digest}'"
        )


def check_no_artifact(connection: Connection, path: CatalogPath) -> None:
    """Check of an artifact that has no row that none was made.

    Raises:
        RefusedError: the log says that it was.
        FailedError: the log is not the one that was signed.
    """
    ref = VersionRef(path.team, path.model, path.version)
    if str(path) in named_evidence(connection, ref):
        raise _no_artifact(str(path))


def check_listings(
    connection: Connection,
    model: ModelRef,
    there: Collection[Listed],
    is_asked: Callable[[Listed], bool],
) -> None:
    """Check that all that was listed of a model is noted, as far as it `is_asked` for.

    Raises:
        RefusedError: something that the log says was listed is not `there`.
        FailedError: the log is not the one that was signed.
    """
    for one in sorted(_listings(connection, model)):
        if is_asked(one) and one not in there:
            raise signed_log.missing(
                f"{one.path} listed for {one.stage} because of {one.promotion}",
                f"listing WHERE path = '{one.path}' AND stage = '{one.stage}'",
            )


def named_evidence(connection: Connection, ref: VersionRef) -> Evidence:
    """The artifacts of a version that the log names, each with the evidence about it.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    found: dict[str, frozenset[str]] = {}
    for entry in _about_version(connection, ref):
        path, digests = evidence_of(entry)
        found[path] = found.get(path, frozenset()) | digests
    return found


def _no_artifact(path: str) -> RefusedError:
    return signed_log.missing(f"the artifact {path}", f"artifact WHERE path = '{path}'")


def _taken_in(connection: Connection, ref: VersionRef) -> Entry | None:
    """The entry of when a version was taken in; None where the log does not say that it was."""
    return next((one for one in _about_version(connection, ref) if one.type == INGESTED), None)


def _about_version(connection: Connection, ref: VersionRef) -> tuple[Entry, ...]:
    """The entries that name evidence about a version."""
    stem, term = str(ref.path("")), ("model", str(ref.of))

    def read() -> tuple[Entry, ...]:
        # Each names the version or a path of it; longer numbers that begin so are among them.
        found = signed_log.every(connection, ABOUT_ARTIFACTS, term, str(ref).encode())
        return tuple(one for one in found if evidence_of(one)[0].startswith(stem))

    return once_read(connection, f"entries about {ref}", read)


def row_of(ref: VersionRef) -> str:
    """Where the row of a version is in the database, in words."""
    where = f"team = '{ref.team}' AND model = '{ref.model}' AND number = {ref.number}"
    return f"model_version WHERE {where}"


def _listings(connection: Connection, model: ModelRef) -> frozenset[Listed]:
    term = ("model", str(model))

    def read() -> frozenset[Listed]:
        found = signed_log.every(connection, (APPROVED,), term, b'"listed":true')
        return frozenset(one for entry in found for one in listed_by(entry))

    return once_read(connection, f"listings of {model}", read)


def _about(connection: Connection, kind: str, name: str) -> Iterator[Entry]:
    """The entries of a kind about a promotion: those that say so themselves."""
    for entry in signed_log.every(connection, (kind,), ("promotion", name), name.encode()):
        if entry.data.get("promotion") == name:
            yield entry
