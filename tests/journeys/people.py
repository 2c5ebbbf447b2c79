"""What people do at the hub, each deed done and foretold at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from sealift_registry.trust.repository import Change, Repository
from sealift_signing import documents, publishing, roles, shape
from sealift_signing.documents import Members, Recall, RecallList, Status, Withdrawal
from sealift_signing.vocabulary import moment
from tests.journeys.ground import Ground
from tests.journeys.hub_oracle import LONGEST
from tests.registry.hub_fixture import (
    MODEL,
    STAGE,
    STEWARDS,
    TARGET,
    TEAM,
    version,
)
from tests.registry.signing_people import assign as sign_assignment
from tests.registry.signing_people import draft_renewal, sign_enough


class People(Ground):
    """Those who ask, approve, assign, withdraw, recall and renew."""

    # ------------------------------------------------------------------ people at the hub

    def request(self, number: int, person: str, *, despite: bool) -> None:
        named = tuple(self.hub.withdrawn) if despite else ()
        with self.foretold("request", allowed=self.hub.ask(number, person, despite=despite)):
            reason = f"It is better, for the {len(self.hub.asks)}th time."
            made = self.acme.asked(number, by=person, reason=reason, despite=named)
            assert made == len(self.hub.asks)

    def approve(self, number: int, person: str, days: int | None = None) -> None:
        self.wait(seconds=1)
        until = self.hub.now + (timedelta(days=days) if days else LONGEST)
        with self.foretold("approval", allowed=self.hub.nod(number, person, until)):
            reason = f"It was tested by {moment(self.hub.now)}."
            said = self.acme.approved(number, person, "validated", reason, days)
            assert said.listed == (number in self.hub.listed)

    def assign(self, site: str, group: str, order: list[int], *, keep: bool) -> None:
        behind = None if keep else order[1:]
        back = "It is wrong." if self.hub.goes_back(site, group, order[0]) else ""
        allowed = self.hub.assign(site, group, order[:1] if keep else order, keep=keep)
        with self.foretold("assignment", allowed=allowed):
            dispatcher, ref = self.start.signers["dispatcher-1"], version(order[0])
            groups = {group: TARGET}
            sign_assignment(self.acme.app, site, ref, groups, behind, dispatcher, back)

    def change_person(self, person: str, *, active: bool) -> None:
        """The stewards retire somebody, or take somebody back."""

        def edit(members: Members) -> Members:
            status: Status = "active" if active else "retired"
            people = [replace(p, status=status) if p.id == person else p for p in members.people]
            return replace(members, people=tuple(people))

        self.change_members(edit)
        (self.hub.active.add if active else self.hub.active.discard)(person)

    def withdraw(self, number: int, *, below: bool) -> None:
        """The stewards withdraw a version, or all of those below it."""
        name = self.hub.withdraw(range(1, number) if below else (number,))
        one = Withdrawal(
            id=name,
            stage=STAGE,
            sha256=None if below else self.start.digests[number],
            model=MODEL if below else None,
            below=number if below else None,
            reason="It is wrong.",
            made=moment(self.hub.now),
        )
        self.change_members(lambda members: replace(members, withdrawn=(*members.withdrawn, one)))

    def change_members(self, edit: Callable[[Members], Members]) -> None:
        self.acme.change_members(edit)
        self.hub.signed("team")

    def recall(self, number: int) -> None:
        """A safety officer recalls a version."""
        hub = self.acme.app.hub
        with hub.reading() as connection:
            repository = Repository(connection)
            digest = self.start.digests[number]
            one = Recall(f"r-{number}", digest, "It hallucinates.", moment(hub.now()))
            said = repository.stored.recalls()
            data = shape.write(RecallList(1, (), (*said.recalls, one)))
            expires = publishing.expiry(hub.now(), repository.lifetime(roles.RECALL))
            metadata = publishing.following(repository.targets(roles.RECALL), expires=expires)
            publishing.list_document(metadata.signed, documents.RECALL_PATH, data)
            signers = [self.start.signers["recall-1"]]
            sign_enough(metadata, roles.RECALL, signers, repository.targets().signed)
        change = Change({roles.RECALL: metadata}, {documents.RECALL_PATH: data})
        hub.commit_change(change, hub.entry("recall.made", "recall-1", {"sha256": digest}))
        self.hub.signed("recall")
        self.hub.recalled.add(number)

    def renew(self, role: str) -> None:
        """The holders of a role sign it again as it stands."""
        holders = {
            "targets": ("targets-1", "targets-2"),
            "fleet": ("fleet-1",),
            "recall": ("recall-1",),
            "team": STEWARDS,
        }
        hub = self.acme.app.hub
        name = roles.team_role(TEAM) if role == "team" else role
        with hub.reading() as connection:
            signers = [self.start.signers[one] for one in holders[role]]
            change = draft_renewal(connection, name, signers, hub.now())
        hub.commit_change(change, hub.entry("role.renewed", role, {"role": name}))
        self.hub.signed(role)

    def renew_all(self) -> None:
        """Whatever expires within two months is signed again, and so are the assignments."""
        soon = self.hub.now + timedelta(days=60)
        for role in ("targets", "fleet", "recall", "team"):
            if self.hub.expires[role] < soon:
                self.renew(role)
        for site, known in self.hub.sites.items():
            if known.expires and known.expires < soon:
                for group, versions in list(known.given.items()):
                    self.assign(site, group, [versions[0].version], keep=True)
