"""Enrolment: a site asks, a fleet administrator answers, and both tell each other eight words."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from securesystemslib.signer import Signer
from sqlalchemy import Connection, func, insert, select
from tuf.api.metadata import Root

from sealift_registry.delivery import enrolments, tables
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Change, Repository, sign_enough
from sealift_registry.trust.unchanged import JUST_NOW
from sealift_signing import documents, owners, publishing, roles, shape, statements
from sealift_signing.acts.teams import check_name
from sealift_signing.canonical import Json
from sealift_signing.documents import FleetKeys, MachineKey
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.public_key import PublicKey
from sealift_signing.publishing import Holders
from sealift_signing.site_rules import raised_pins
from sealift_signing.statements import Pins, Signed, SiteAnswer, SiteRequest, subject
from sealift_signing.transparency.entry import Entry
from sealift_signing.tuf_walk import read_metadata
from sealift_signing.vocabulary import instant, moment
from sealift_signing.words import fingerprint, words_of


@dataclass(frozen=True)
class Site:
    """A site as it was last enrolled, by its own signature and a fleet administrator's."""

    organisation: str
    id: str
    enrolment: str
    stage: str
    request: Signed[SiteRequest]
    answer: bytes
    made: str

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

    def all(self) -> list[Site]:
        """Every site, by id.

        Raises:
            RefusedError: a row of one of them is of no enrolment that was signed.
        """
        names = select(tables.site.c.id).distinct().order_by(tables.site.c.id)
        return [self.get(name) for name in self._connection.execute(names).scalars().all()]

    def get(self, name: str) -> Site:
        """One site.

        Raises:
            NotFoundError: no such site is enrolled.
            RefusedError: a row of it is of no enrolment that was signed.
        """
        rows = self._connection.execute(select(tables.site).where(tables.site.c.id == name)).all()
        found = enrolments.current(self._repository, rows)
        if found is None:
            raise NotFoundError(
                "no-site",
                f"No site {name} is enrolled.",
                subject=name,
                next_step="Enrol it with: sealift site enroll FILE --stage STAGE",
            )
        said = found.answer.predicate
        return Site(
            organisation=said.organisation,
            id=name,
            enrolment=found.answer.sha256,
            stage=said.stage,
            request=found.request,
            answer=found.answer.envelope.data,
            made=said.made,
        )


class Enrolment:
    """The use case."""

    def __init__(self, hub: Hub, hardware_targets: Collection[str]) -> None:
        self._hub = hub
        self._hardware_targets = hardware_targets

    def enroll(self, data: bytes, stage: str, dispatchers: Holders, signer: Signer) -> Site:
        """Answer the site request `data`: the site may take what is promoted to `stage`.

        Answered so just now, it gets the same answer, and nothing is published.

        Args:
            data: the request's envelope, as the site wrote it.
            stage: one of the policy's.
            dispatchers: who may assign to it and export for it.
            signer: a fleet administrator's key.

        Raises:
            RefusedError: the request is damaged, or for a hardware target nobody knows.
            NotFoundError: no such stage.
        """
        request = self._checked(data)
        with self._hub.reading() as connection:
            repository = Repository(connection)
            if stage not in repository.policy().stages:
                raise NotFoundError(
                    "no-stage",
                    f"The policy has no stage {stage}.",
                    subject=stage,
                    next_step=f"Its stages are: {', '.join(sorted(repository.policy().stages))}.",
                )
            change = self._draft_fleet(repository, request, dispatchers, signer)
            answer = self._answer(repository, request, stage, signer)
            again = self._just_enrolled(connection, data, answer, dispatchers)
            if again is not None:
                return again

        def action(connection: Connection) -> tuple[Entry, Site]:
            _check_owners(Repository(connection), request, dispatchers)
            self._hub.publish(connection, change)
            row = {
                "id": request.predicate.site,
                "enrolment": sha256(answer).hexdigest(),
                "stage": stage,
                "request": data,
                "answer": answer,
                "made": self._made(connection, request.predicate.site),
            }
            connection.execute(insert(tables.site).values(**row))
            site = Sites(connection).get(request.predicate.site)
            return self._entry(connection, site, signer), site

        site = self._hub.commit(action).result
        self._hub.copy_metadata()
        return site

    def _just_enrolled(
        self, connection: Connection, data: bytes, answer: bytes, dispatchers: Holders
    ) -> Site | None:
        """The site, if this very request was answered a moment ago as it would be by `answer`.

        The command may have been cut before the answer was written to its file; run again, it must
        not make a second enrolment beside the one that is in the log.
        """
        fleet = Repository(connection).targets(roles.FLEET).signed
        for site in Sites(connection).all():
            fresh = self._hub.now() - instant(site.made) <= JUST_NOW
            same = site.request.envelope.data == data and _trusted(site.answer) == _trusted(answer)
            if fresh and same:
                held = roles.keyholders(fleet, roles.site_role(site.id))
                if {k.raw for k in held.keys} == {k.raw for k in dispatchers.values()}:
                    return site
        return None

    def _made(self, connection: Connection, site: str) -> str:
        """Now, but always after the site's last enrolment, for the newest of them counts."""
        query = select(func.max(tables.site.c.made)).where(tables.site.c.id == site)
        last = connection.execute(query).scalar()
        now = self._hub.now()
        return moment(max(now, instant(last) + timedelta(microseconds=1)) if last else now)

    def _checked(self, data: bytes) -> Signed[SiteRequest]:
        request = _read(data)
        said = request.predicate
        check_name(said.site, "site")
        key = PublicKey.parse(said.key)
        if not request.about(f"sites/{said.site}/key", sha256(key.raw).hexdigest()):
            raise RefusedError(
                "request-of-another",
                "The site request is not about the site's own key.",
                subject=said.site,
                next_step="Have the site make a new one: sealift-site init --request FILE",
            )
        if not said.groups:
            raise RefusedError(
                "no-groups",
                f"The request of site {said.site} names no host group, so nothing could run there.",
                subject=said.site,
                next_step="At the site: sealift-site init --id ID --group NAME=HARDWARE-TARGET …",
            )
        for group, hardware_target in said.groups.items():
            if hardware_target not in self._hardware_targets:
                raise NotFoundError(
                    "no-hardware-target",
                    f"Host group {group} asks for the hardware target {hardware_target}, which "
                    "this hub does not know.",
                    subject=hardware_target,
                    next_step=f"Known are: {', '.join(sorted(self._hardware_targets))}.",
                )
        return request

    def _draft_fleet(
        self,
        repository: Repository,
        request: Signed[SiteRequest],
        dispatchers: Holders,
        signer: Signer,
    ) -> Change:
        """`fleet` with the site's role and key; an earlier enrolment's key is retired."""
        said = request.predicate
        if not dispatchers:
            raise UsageError(
                "no-dispatcher",
                "It is not known who dispatches to this site.",
                next_step="Give --dispatcher PERSON=PUBLIC-KEY.",
            )
        fleet = publishing.following(
            repository.targets(roles.FLEET),
            expires=publishing.expiry(self._hub.now(), repository.lifetime(roles.FLEET)),
        )
        publishing.delegate(fleet.signed, roles.site_role(said.site), 1, dispatchers)
        data = shape.write(_with_site(repository.fleet_keys(), said.site, said.key))
        documents.read_fleet_keys(data)
        publishing.list_document(fleet.signed, documents.FLEET_KEYS_PATH, data)
        sign_enough(fleet, roles.FLEET, [signer], repository.targets().signed)
        return Change({roles.FLEET: fleet}, {documents.FLEET_KEYS_PATH: data})

    def _answer(
        self, repository: Repository, request: Signed[SiteRequest], stage: str, signer: Signer
    ) -> bytes:
        said = request.predicate
        rule = repository.policy().stages[stage]
        root, targets = repository.root().signed, repository.targets().signed
        answer = SiteAnswer(
            format=1,
            requires=(),
            organisation=repository.organisation(),
            site=said.site,
            stage=stage,
            request=request.sha256,
            roots=tuple(base64.b64encode(body).decode() for body in repository.roots()),
            pins=raised_pins(Pins(0, {}, (), ()), rule, root, targets),
            floors=repository.versions(),
            made=moment(self._hub.now()),
        )
        about = subject(f"sites/{said.site}/request", request.sha256)
        return statements.sign(answer, [about], signer)

    def _entry(self, connection: Connection, site: Site, signer: Signer) -> Entry:
        data: dict[str, Json] = {
            "site": site.id,
            "stage": site.stage,
            "enrolment": site.enrolment,
            "request": site.request.sha256,
            "groups": site.groups,
        }
        actor = Repository(connection).who(roles.FLEET, [signer])
        return self._hub.entry("site.enrolled", actor, data, {"site": site.id}, site.id)


def _trusted(answer: bytes) -> tuple[str, tuple[str, ...], Pins]:
    """What a site trusts by `answer`, but for the floors, which rise with the enrolment itself."""
    said = statements.read(SiteAnswer, answer, what="an answer").predicate
    return said.stage, said.roots, said.pins


def _read(data: bytes) -> Signed[SiteRequest]:
    """The request in `data`, signed by the key that it names."""
    what = "The site request"
    try:
        request = statements.read(SiteRequest, data, what=what)
        statements.verify(request, PublicKey.parse(request.predicate.key), what=what)
    except RefusedError as bad:
        bad.next_step = "Carry it again, or have the site write it again: sealift-site init --help"
        raise
    return request


def _check_owners(
    repository: Repository, request: Signed[SiteRequest], dispatchers: Holders
) -> None:
    """Check that the keys that enrolling enters are nobody else's in the whole organisation."""
    said = request.predicate
    site = f"site {said.site}"
    owners.check_machine_enters(repository.stored, site, PublicKey.parse(said.key))
    for person, key in dispatchers.items():
        owners.check_enters(repository.stored, person, key)


def _with_site(fleet: FleetKeys, site: str, key: str) -> FleetKeys:
    """`fleet` with the site's key; that of an earlier enrolment is retired.

    Raises:
        RefusedError: the key is another machine's, which would lose it, or is known to be stolen.
    """
    for known in fleet.keys:
        same_site = (known.purpose, known.name) == ("site", site)
        if known.key == key and (not same_site or known.status == "compromised"):
            raise RefusedError(
                "key-of-another",
                f"The key of site {site} is that of {known.name} ({known.purpose}, "
                f"{known.status}).",
                subject=site,
                next_step="Have the site begin again in a new home, which makes it a new key.",
            )
    kept = tuple(
        MachineKey(k.key, k.name, k.purpose, "retired")
        if (k.purpose, k.name, k.status) == ("site", site, "active")
        else k
        for k in fleet.keys
        if k.key != key
    )
    return FleetKeys(1, (), (*kept, MachineKey(key, site, "site", "active")))
