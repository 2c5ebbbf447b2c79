"""`enroll SITE --stage STAGE`: a fleet administrator answers a site that asks.

Two things are signed, and belong together: `fleet` with the site's role and key, and the answer by
which the site will know the organisation. What the answer says of roots, pins and floors is what
was verified here; nothing of it comes from whoever drafted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import cast

from tuf.api.metadata import Root

from sealift_signing import documents, key_owners, publishing, roles, shape, statements
from sealift_signing.acts import versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared, Unsigned
from sealift_signing.acts.teams import check_name
from sealift_signing.counting_rules import rule_of
from sealift_signing.documents import FleetKeys, MachineKey
from sealift_signing.drafts import STATEMENT, Draft, encoded, envelopes
from sealift_signing.errors import MalformedError, RefusedError, UsageError
from sealift_signing.more_member import more_words
from sealift_signing.organisation import Organisation, people_roles
from sealift_signing.policy import StageRule
from sealift_signing.public_key import PublicKey
from sealift_signing.site_rules import raised_pins
from sealift_signing.statements import KeyCard, Pins, Signed, SiteAnswer, SiteRequest, subject
from sealift_signing.vocabulary import moment
from sealift_signing.words import words_of

ANSWER = "site-answer"


def enroll(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`enroll SITE --stage STAGE --dispatcher PERSON…`.

    Raises:
        RefusedError: the request is damaged or another site's; a key is somebody else's.
        NotFoundError: no such stage.
    """
    (site,) = ask.object
    stage, dispatchers = ask.value("stage"), ask.values("dispatcher")
    rule = rule_of(organisation.policy(), stage)
    request = _request(material, site)
    held = _dispatchers(organisation, material, site, dispatchers)
    metadata = versions.next_version(organisation, roles.FLEET, material)
    signed = versions.targets_of(metadata.signed)
    role = roles.site_role(site)
    publishing.delegate(signed, role, 1, held, versions.floor(organisation, role))
    keys = with_site(organisation.fleet_keys(), site, request.predicate.key)
    own = PublicKey.parse(request.predicate.key)
    key_owners.check_machine_enters(organisation, f"site {site}", own)
    material.check_not_lost(f"site {site}", own, roles.FLEET, roles.TARGETS, roles.ROOT)
    data = shape.write(keys)
    publishing.list_document(signed, documents.FLEET_KEYS_PATH, data)
    answer = _answer(organisation, material, request, stage, rule)
    body = statements.payload(answer, [subject(f"sites/{site}/request", request.sha256)])
    fleet = versions.unsigned(roles.FLEET, metadata, {documents.FLEET_KEYS_PATH: data})
    said = request.predicate
    words = (
        f"Enrol the site {site}: it will take what is promoted to {stage}.",
        f"  the words of its request: {words_of(request.sha256)}",
        f"  its key: {said.key}",
        *wording.indented(
            f"host group {group}: {target}" for group, target in sorted(said.groups.items())
        ),
        *wording.indented(f"dispatcher {who}: {one.text}" for who, one in held.items()),
        *wording.indented(more_words(said.more)),
        *wording.indented(_pins_words(answer.pins)),
        *wording.indented(
            f"never below version {number} of {role}"
            for role, number in sorted(answer.floors.items())
        ),
        f"{wording.becomes(roles.FLEET, signed)}.",
    )
    return Prepared((fleet, Unsigned(STATEMENT, ANSWER, roles.FLEET, body)), words)


def with_site(fleet: FleetKeys, site: str, key: str) -> FleetKeys:
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
    entered = MachineKey(key, site, "site", "active")
    if entered in fleet.keys:
        return fleet  # answered again: nothing is entered, and nothing moves
    kept = tuple(
        replace(k, status="retired")
        if (k.purpose, k.name, k.status) == ("site", site, "active")
        else k
        for k in fleet.keys
        if k.key != key
    )
    return replace(fleet, keys=(*kept, entered))


def check_request(data: bytes) -> Signed[SiteRequest]:
    """The site request in `data`, signed by the key that it names and about that key.

    Raises:
        RefusedError: it is not.
    """
    what = "the site request"
    request = statements.read(SiteRequest, data, what=what)
    said = request.predicate
    check_name(said.site, "site")
    key = PublicKey.parse(said.key)
    statements.verify(request, key, what=what)
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
    return request


def _request(material: Material, site: str) -> Signed[SiteRequest]:
    requests = material.carried.of_kind(SiteRequest)
    if len(requests) != 1:
        raise MalformedError(
            "bad-draft",
            "The draft does not carry one site request.",
            subject=site,
            next_step="Do not sign it; have it drafted again.",
        )
    (taken,) = material.carried.take(requests)
    request = check_request(taken.envelope.data)
    if request.predicate.site != site:
        raise RefusedError(
            "other-object",
            f"The request is that of site {request.predicate.site}, not of {site}.",
            subject=site,
            next_step=f"Name the site of the request, or give the request of {site}.",
        )
    return request


def _dispatchers(
    organisation: Organisation, material: Material, site: str, people: tuple[str, ...]
) -> Mapping[str, PublicKey]:
    """Each with the key of their card; without one, what they dispatch with already."""
    if not people:
        raise UsageError(
            "no-dispatcher",
            "It is not known who dispatches to this site.",
            next_step="Give --dispatcher PERSON, with their key card.",
        )
    fleet, there = organisation.head(roles.FLEET).targets, organisation.sites
    here = roles.named_keys(fleet, roles.site_role(site)) if site in there else {}
    known, several = dict(here), set()
    for name in there:
        for who, key in roles.named_keys(fleet, roles.site_role(name)).items():
            if known.setdefault(who, key) != key and who not in here:
                several.add(who)
    cards = {one.predicate.owner for one in material.carried.of_kind(KeyCard)}
    held = {}
    for person in people:
        if person in several - cards:
            raise _which_key(person)
        if person in known and person not in cards:
            held[person] = known[person]
            continue
        card = material.carried.card(person)
        key = PublicKey.parse(card.predicate.key)
        key_owners.check_enters(organisation, person, key)
        material.check_not_lost(person, key, roles.FLEET, roles.TARGETS, roles.ROOT)
        held[person] = key
    return held


def _which_key(person: str) -> RefusedError:
    """Of two keys one may have been stolen, and exchanged at one site only."""
    return RefusedError(
        "which-key",
        f"{person} dispatches to one site with one key and to the next with another.",
        subject=person,
        next_step=f"Give the card of the one that is right: --dispatcher {person}.card",
    )


def _answer(
    organisation: Organisation,
    material: Material,
    request: Signed[SiteRequest],
    stage: str,
    rule: StageRule,
) -> SiteAnswer:
    root = cast("Root", organisation.root.metadata.signed)
    targets = organisation.head(roles.TARGETS).targets
    return SiteAnswer(
        format=1,
        requires=(),
        organisation=organisation.id,
        site=request.predicate.site,
        stage=stage,
        request=request.sha256,
        roots=tuple(encoded(one.data) for one in organisation.roots),
        pins=raised_pins(Pins(0, {}, (), ()), rule, root, targets),
        floors={role: organisation.head(role).version for role in people_roles(organisation)},
        made=moment(material.made),
    )


def answer_words(draft: Draft) -> tuple[str, ...]:
    """What is read aloud once it is signed: the eight words of the answer, as its site hashes it.

    They are of the whole envelope, with the signature in it, so they come to be with it.
    """
    part = draft.part(ANSWER)
    found = [sha256(one).hexdigest() for one in envelopes(part)] if part else []
    return tuple(f"The words of the answer, signed: {words_of(one)}" for one in found)


def _pins_words(pins: Pins) -> list[str]:
    thresholds = (f"{role} {count}" for role, count in sorted(pins.least_thresholds.items()))
    return [f"pins: at least {pins.least_approvals} approvals; signatures: {', '.join(thresholds)}"]
