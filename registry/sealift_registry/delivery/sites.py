"""Sites, each as it was last enrolled: by its own signature and a fleet administrator's."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from sqlalchemy import Connection, select
from tuf.api.metadata import Root

from sealift_registry.delivery import enrolments, filed, tables
from sealift_registry.delivery.enrolments import SiteEnrolment
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import once_read
from sealift_signing import roles, statements
from sealift_signing.errors import NotFoundError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Signed, SiteAnswer, SiteRequest
from sealift_signing.tuf_walk import read_metadata
from sealift_signing.words import fingerprint, words_of


@dataclass(frozen=True)
class EnrolledSite:
    """A site as it was last enrolled, by its own signature and a fleet administrator's.

    Attributes:
        enrolment: the sha256 of the answer that counts.
        earlier: those of the answers before it.
    """

    organisation: str
    id: str
    enrolment: str
    stage: str
    request: Signed[SiteRequest]
    answer: bytes
    made: str
    earlier: frozenset[str]

    @property
    def groups(self) -> dict[str, str]:
        """Its host groups, each with its hardware target."""
        return dict(self.request.predicate.groups)

    @property
    def key(self) -> PublicKey:
        """The key that signs its receipts and its log."""
        return PublicKey.parse(self.request.predicate.key)

    @property
    def words(self) -> str:
        """The eight words of the answer: whoever installs the site types them there."""
        return words_of(self.enrolment)

    @property
    def request_words(self) -> str:
        """The eight words of its request: the site printed the same."""
        return words_of(self.request.sha256)

    @property
    def fingerprint(self) -> str:
        """The organisation's, by the newest root of the answer: it is typed there from paper."""
        answer = statements.read(SiteAnswer, self.answer, what=f"the answer to {self.id}")
        root = base64.b64decode(answer.predicate.roots[-1])
        return fingerprint(read_metadata(root, roles.ROOT, Root))


class Sites:
    """The sites of this hub, read through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._repository = Repository(connection)

    def all(self) -> list[EnrolledSite]:
        """Every site, by id.

        Raises:
            RefusedError: a row of one of them is of no enrolment that was signed.
        """
        return [self.get(name) for name in self.names()]

    def names(
        self,
        limit: int | None = None,
        after: str | None = None,
        stage: str | None = None,
        within: Within = ALL,
    ) -> list[str]:
        """The ids of those that have a row, in order: `limit` of them, `after` one, of a stage."""
        t = tables.site
        names = select(t.c.id).where(*within.of_sites(t.c.id)).distinct().order_by(t.c.id)
        names = names.limit(limit)
        if after is not None:
            names = names.where(t.c.id > after)
        if stage is not None:
            names = names.where(t.c.stage == stage)
        return list(self._connection.execute(names).scalars())

    def get(self, name: str) -> EnrolledSite:
        """One site.

        Raises:
            NotFoundError: no such site is enrolled.
            RefusedError: a row of it is of no enrolment that was signed.
        """
        every = self.enrolments(name)
        found = enrolments.current(self._repository, name, every)
        if found is None:
            raise NotFoundError(
                "no-site",
                f"No site {name} is enrolled.",
                subject=name,
                next_step="Enrol it with: sealift site enroll FILE --stage STAGE. A site that "
                "believes that it is enrolled was so by what this hub lost or gave up: it asks "
                "again, in a new home.",
            )
        return _enrolled(name, found, every)

    def each(self, name: str) -> list[EnrolledSite]:
        """A site as it was enrolled each time; the last of them is as it is now.

        Raises:
            NotFoundError: no such site is enrolled.
            RefusedError: as `get`.
        """
        now, every = self.get(name), self.enrolments(name)
        former = [one for one in every if one.answer.sha256 != now.enrolment]
        former.sort(key=lambda one: (one.answer.predicate.made, one.answer.sha256))
        return [*(_enrolled(name, one, every) for one in former), now]

    def enrolments(self, name: str) -> list[SiteEnrolment]:
        """Every enrolment of a site, also those that count no more.

        Raises:
            RefusedError: a row is of none that was signed, or one that the log names has none.
        """
        return once_read(self._connection, f"enrolments of {name}", lambda: self._enrolments(name))

    def _enrolments(self, name: str) -> list[SiteEnrolment]:
        t = tables.site
        query = select(t).where(t.c.id == name).order_by(t.c.enrolment)
        rows = self._connection.execute(query).all()
        found = [enrolments.verified(self._repository, row) for row in rows]
        there = {one.answer.sha256 for one in found}
        # Without its newest an earlier one would count again, and perhaps for another stage.
        for digest in sorted(filed.enrolments(self._connection, name) - there):
            raise enrolments.missing(name, f"{digest[:12]}, which the log names")
        return found


def _enrolled(name: str, found: SiteEnrolment, every: list[SiteEnrolment]) -> EnrolledSite:
    """A site by one of its enrolments."""
    said = found.answer.predicate
    return EnrolledSite(
        organisation=said.organisation,
        id=name,
        enrolment=found.answer.sha256,
        stage=said.stage,
        request=found.request,
        answer=found.answer.envelope.data,
        made=said.made,
        earlier=frozenset(
            one.answer.sha256
            for one in every
            if one.answer.predicate.made <= said.made and one.answer.sha256 != found.answer.sha256
        ),
    )
