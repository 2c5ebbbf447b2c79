"""What would come of it if somebody of a team left, or a key of theirs was lost.

Told before anybody signs it, of all that they asked for and approved. What runs at a site goes on
running, whatever is said of people: it bears on what is newly installed. What a site has is known
as of what came home of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, or_, select

from sealift_registry.catalog import pages, tables
from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.delivery import assignments, holdings, running
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.promotion.status import Counting, doubt_of
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import Rows, stored
from sealift_signing.acts import people
from sealift_signing.acts.material import Ask, Carried, Material
from sealift_signing.approvals import ApprovalTally, Rules, tally
from sealift_signing.documents import Members
from sealift_signing.drawing import cut, plain
from sealift_signing.enough_people import who_may
from sealift_signing.errors import NotFoundError, SealiftError
from sealift_signing.organisation import Organisation
from sealift_signing.statements import Approval, Signed
from sealift_signing.vocabulary import counted, moment

MOST = 40
"""Sentences that are told; of more it is said how many there are."""
_AT_ONCE, _LONGEST = 200, 1000


def signed_by(connection: Connection, team: str, person: str) -> tuple[bytes, ...]:
    """The requests and approvals of a team that say that `person` signed them; none verified."""
    catalog, t, a = Catalog(connection), tables.promotion, tables.approval
    own = select(t.c.request).where(t.c.team == team, t.c.person == person)
    given = (
        select(a.c.sha256)
        .join(t, t.c.number == a.c.promotion)
        .where(t.c.team == team, a.c.person == person)
    )
    found = [one for query in (own, given) for one in connection.execute(query).scalars()]
    return tuple(map(catalog.statement_body, sorted(found)))


def after(
    connection: Connection, now: datetime, ask: Ask, envelopes: Sequence[bytes]
) -> people.Changed:
    """A team's people after an act, of which these are the cards and statements.

    Raises:
        NotFoundError, RefusedError: as the act.
    """
    material = Material(
        made=now,
        now=now,
        carried=Carried(envelopes),
        compromised=stored(connection).compromised(),
    )
    return people.changed(Organisation(Rows(connection), former=True), ask, material)


def consequences(connection: Connection, now: datetime, would: people.Changed) -> tuple[str, ...]:
    """What would be otherwise at `now` with these people: a sentence for each promotion."""
    team = would.members.team
    found = list(_Team(connection, now, team, would.person.id, would.members).told())
    more = len(found) - MOST
    return tuple(found if more <= 0 else [*found[:MOST], f"and {more:,} more"])


@dataclass(frozen=True)
class _Team:
    """A team of which one person is to be another, and its people after that."""

    connection: Connection
    now: datetime
    team: str
    person: str
    after: Members

    def told(self) -> Iterator[str]:
        counting, sites = Counting(self.connection, self.now), _Sites(self.connection)
        numbers = self._concerned()
        for start in range(0, len(numbers), _AT_ONCE):
            rows = pages.promotions_named(self.connection, numbers[start : start + _AT_ONCE])
            requests = pages.Requests(self.connection, rows)
            for row in rows:
                try:
                    promotion = requests.promotion(row)
                    words = self._of(counting, promotion, requests.approvals(row.number), sites)
                except SealiftError as bad:
                    words = f"{promotion_id(row.number)} cannot be counted: {bad.what}"
                if words:
                    yield cut(plain(words), _LONGEST)[0]

    def _concerned(self) -> list[int]:
        """The promotions that the person asked for or approved, the oldest first."""
        t, a = tables.promotion, tables.approval
        approved = select(a.c.promotion).where(a.c.person == self.person)
        by_them = or_(t.c.person == self.person, t.c.number.in_(approved))
        query = select(t.c.number).where(t.c.team == self.team, by_them).order_by(t.c.number)
        return list(self.connection.execute(query).scalars())

    def _of(
        self,
        counting: Counting,
        promotion: Promotion,
        approvals: Sequence[Signed[Approval]],
        sites: _Sites,
    ) -> str:
        """What would be otherwise of a promotion; empty where nothing would."""
        try:
            rules = counting.rules(self.team, promotion.stage)
        except NotFoundError:
            return ""  # the stage is gone, and nothing counts for it
        stands = counting.counted(promotion, approvals)
        if stands.doubt:
            return ""
        rules = replace(rules, members=self.after)
        would, doubt = (
            tally(promotion.request, approvals, rules),
            doubt_of(promotion.request, rules),
        )
        lost = set(stands.tally.people) - set(would.people)
        if not (lost or doubt):
            return ""
        falls = stands.tally.enough and (bool(doubt) or not would.enough)
        first = f"{promotion.id}, {promotion.ref} for {promotion.stage}: "
        what = self._what(would, doubt=doubt, approved=stands.tally.enough)
        again = (
            "" if would.enough and not doubt else self._again(promotion, would, rules, doubt=doubt)
        )
        return f"{first}{what}{again}{sites.words(promotion) if falls else ''}"

    def _what(self, would: ApprovalTally, *, doubt: str, approved: bool) -> str:
        have = f"{len(would.counted)} of {counted(would.needed, 'approval')}"
        if doubt:
            return f"its request counts no more{': NO LONGER APPROVED' if approved else ''}"
        lost = f"loses the approval of {self.person}"
        if would.valid_until is not None:
            until = moment(would.valid_until)[:10]
            return f"{lost}, and is approved all the same until {until}"
        if approved:
            return f"{lost}: NO LONGER APPROVED, with {have}"
        return f"{lost}, and has {have}"

    def _again(
        self, promotion: Promotion, would: ApprovalTally, rules: Rules, *, doubt: str
    ) -> str:
        """Whom to ask."""
        if doubt:
            return "; it is asked for again, and then approved"
        may = who_may(self.after, promotion.stage, rules.rule)
        left = [one for one in may if one not in {*would.people, promotion.person}]
        return f"; to be approved again by: {', '.join(left) or 'nobody who may'}"


class _Sites:
    """What sites have, by what came home of each; read once, and only where something falls."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: dict[str, tuple[EnrolledSite, dict[str, set[str]]]] | None = None

    def words(self, promotion: Promotion) -> str:
        """What becomes of a version at each site that is assigned it, or runs it."""
        ref, found = promotion.ref, dict[str, list[str]]()
        runs = {one.site: one.heard for one in self._running(promotion)}
        for name, heard in runs.items():
            found.setdefault("it runs, and goes on, at", []).append(_as_of(name, heard))
        for site, assigned in self._assigned().values():
            if site.id in runs or str(ref) not in assigned:
                continue
            last = running.last_heard(self._connection, site)
            if last is None:
                found.setdefault("whether it is installed is not known of", []).append(site.id)
                continue
            there = holdings.inventory(self._connection, site)
            kept = assigned[str(ref)] <= there
            words = "it stays installed at" if kept else "it would not be installed at"
            found.setdefault(words, []).append(_as_of(site.id, last))
        return "".join(f"; {words} {', '.join(sorted(names))}" for words, names in found.items())

    def _running(self, promotion: Promotion) -> list[running.RunningAt]:
        return running.where(self._connection, str(promotion.ref.of), promotion.ref.number)

    def _assigned(self) -> dict[str, tuple[EnrolledSite, dict[str, set[str]]]]:
        """Each site, with the manifests that it is assigned, by version."""
        if self._read is None:
            repository = Repository(self._connection)
            self._read = {}
            for site in Sites(self._connection).all():
                versions: dict[str, set[str]] = {}
                for _, _, one in assignments.current(repository, site).artifacts():
                    path = one.parsed
                    name = f"{path.full_model}/{path.version}"
                    versions.setdefault(name, set()).add(one.sha256)
                self._read[site.id] = (site, versions)
        return self._read


def _as_of(site: str, heard: str) -> str:
    return f"{site} (as of {heard[:10]})"
