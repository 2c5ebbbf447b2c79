"""The hub and the desks as they were before there was a gate.

The hub drafts what follows its newest row, whoever wrote it, and counts what it is told to; whoever
signs goes by the draft. Sites and the oracles verify as ever. Each name that is taken out here is
one that a poisoning has to get past; with all of them out it must succeed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery.enrolments import SiteEnrolment
from sealift_registry.trust import stored
from sealift_signing import gate, statements
from sealift_signing.drafts import Draft, DraftFiles, DraftPart
from sealift_signing.gate import ExaminedDraft
from sealift_signing.organisation import Organisation
from sealift_signing.statements import Evidence, Request, SiteAnswer, SiteRequest

Loose = Any


def _nothing(*_args: object, **_more: object) -> None:
    return None


def _yes(*_args: object, **_more: object) -> bool:
    return True


def _blind(draft: Draft, ask: Loose, known: Loose, now: Loose, key: Loose, *more: Loose) -> Loose:
    """Whoever signs takes the bytes as they come; a statement of one's own is made of them."""
    parts: tuple[DraftPart, ...] = draft.parts
    if not parts:
        return _EXAMINE(draft, ask, None, now, key, *more)
    organisation = Organisation(DraftFiles(draft), former=True)
    return ExaminedDraft(draft, ask, parts, (), (), organisation.root, (), ())


_EXAMINE = gate.examine

UNREAD = [
    "sealift_signing.organisation.check_signed",
    "sealift_signing.organisation._check_number",
    "sealift_registry.trust.stored.check_signed",
    "sealift_registry.trust.stored.Stored._check_number",
]
"""How the hub, and whoever signs, verify what they read."""
UNASKED = [
    "sealift_signing.gate._check_named",
    "sealift_signing.gate._check_date",
    "sealift_signing.gate._check_nothing_else",
    "sealift_signing.gate_history.check_past",
    "sealift_signing.gate._check_key",
    "sealift_signing.gate.check_act",
    "sealift_signing.gate_history.check_absent",
    "sealift_signing.acts.teams._check_catalog_key",
    "sealift_registry.trust.submitting.check_follows",
    "sealift_registry.trust.submitting._check_enough",
    "sealift_registry.trust.repository.check_follows",
    "sealift_registry.trust.repository.publishing.check_publishable",
    "sealift_registry.delivery.enrolments._check_administrator",
    "sealift_registry.promotion.gates.check_all_signed",
    "sealift_registry.promotion.gates._check_signed",
]
"""What is checked of a draft, and of what comes back."""


def _somebody(*_args: object, **_more: object) -> str:
    return "somebody"


def _document(organisation: Loose, role: str, path: str) -> bytes | None:
    """What is there under the digest that a role lists, whether it has it or not."""
    listed = organisation.head(role).targets.targets.get(path)
    if listed is None:
        return None
    found: bytes | None = organisation._files.document(path, listed.hashes["sha256"])
    return found


def _statement(catalog: Catalog, kind: Loose, digest: str) -> Loose:
    return statements.read(kind, catalog.statement_body(digest), what="it")


def _evidence(catalog: Catalog, path: Loose) -> list[Loose]:
    rows = catalog._connection.exec_driver_sql(
        "SELECT sha256 FROM evidence WHERE path = ?", (str(path),)
    )
    found = [_statement(catalog, Evidence, row.sha256) for row in rows]
    return sorted(found, key=lambda one: (one.predicate.made, one.predicate.kind))


def _promotion(catalog: Catalog, row: Loose) -> Promotion:
    """What its columns say."""
    ref = VersionRef(row.team, row.model, row.version)
    request = _statement(catalog, Request, row.request)
    return Promotion(row.number, ref, row.stage, row.person, row.made, request)


def _enrolled(_repository: object, row: Loose) -> SiteEnrolment:
    request = statements.read(SiteRequest, bytes(row.request), what="it")
    return SiteEnrolment(request, statements.read(SiteAnswer, bytes(row.answer), what="it"))


BELIEVED = {
    "sealift_signing.organisation.Organisation._document": _document,
    "sealift_signing.acts.carried_evidence._machine": _somebody,
    "sealift_registry.trust.repository.Repository.signer_of": _somebody,
    "sealift_registry.catalog.catalog.Catalog.statement": _statement,
    "sealift_registry.catalog.catalog.Catalog.evidence": _evidence,
    "sealift_registry.catalog.catalog.Catalog.promotion_of_row": _promotion,
    "sealift_registry.delivery.enrolments._read": _enrolled,
}
"""What the hub reads is gone by as it is; columns say what is so."""


@contextmanager
def unread() -> Iterator[None]:
    """Nobody verifies what a hub or a draft holds."""
    with ExitStack() as stack:
        for name in UNREAD:
            stack.enter_context(mock.patch(name, _nothing))
        for kept in (stored._VERIFIED, stored._ROOTS):
            kept.clear()
            stack.callback(kept.clear)
        yield


@contextmanager
def taken_out() -> Iterator[None]:
    """No gate at all."""
    with unread(), ExitStack() as stack:
        for name in UNASKED:
            stack.enter_context(mock.patch(name, _nothing))
        for name, instead in BELIEVED.items():
            stack.enter_context(mock.patch(name, instead))
        stack.enter_context(mock.patch("tests.poisonings.year.SURVIVED", (Exception,)))
        stack.enter_context(mock.patch("sealift_signing.gate.examine", _blind))
        stack.enter_context(mock.patch("tests.poisonings.world.Reader.agree", _yes))
        stack.enter_context(mock.patch("sealift_signing.desk.signing.Desk._before", _nothing))
        stack.enter_context(
            mock.patch("sealift_signing.memory.Memory.remember", lambda _s, _f, *_m: _f and None)
        )
        stack.enter_context(mock.patch("sealift_signing.desk.signing.Desk._known", _nothing))
        stack.enter_context(mock.patch("sealift_signing.desk.signing.Desk._sign", _sign))
        yield


def _sign(_desk: Loose, found: ExaminedDraft, signer: Loose, *_m: object, **_n: object) -> Draft:
    return gate.sign(found, signer)
