"""Enrolling a site: its request is drafted into an answer, which a fleet administrator signs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

from sqlalchemy import Connection, insert

from sealift_registry.delivery import tables
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.trust import submitting
from sealift_registry.trust.affected_people import affected_people
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Change
from sealift_registry.trust.stored import stored
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_registry.trust.teams import Card
from sealift_registry.trust.unchanged import is_published
from sealift_signing import drafts, dsse, roles, statements, version_links
from sealift_signing.acts.material import Ask, Carried, SetAsideVersion
from sealift_signing.acts.sites import ANSWER, check_request
from sealift_signing.canonical import Json
from sealift_signing.drafts import Draft, decoded
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.statements import Signed, SiteAnswer, SiteRequest
from sealift_signing.transparency.entry import Entry
from sealift_signing.words import words_of


def wanted(
    request: bytes,
    stage: str,
    people: Sequence[str],
    cards: Sequence[Card],
    hardware_targets: Collection[str],
    aside: Sequence[SetAsideVersion] = (),
) -> Wanted:
    """The answer to a site's request: it may take what is promoted to `stage`.

    Args:
        request: the envelope, as the site wrote it.
        stage: one of the policy's.
        people: who may assign to it and export for it, by name.
        cards: theirs, of those whose key `fleet` does not know.
        hardware_targets: those that this hub knows.
        aside: versions of `fleet` that are to be set aside.

    Raises:
        RefusedError: the request is damaged.
        NotFoundError: it is for a hardware target that nobody knows.
    """
    said = _checked(request, hardware_targets).predicate
    details = {"stage": (stage,)} | ({"dispatcher": tuple(people)} if people else {})
    return Wanted(
        Ask("enroll", (said.site,), details),
        statements=(request, *(card for _, card in cards)),
        others=tuple(aside),
    )


def already(
    connection: Connection, made: Draft, keyids: frozenset[str] | None
) -> AcceptedSubmission | None:
    """The enrolment of a moment ago, if `made` would only make it again.

    The command may have been cut before it said so; run again, it must not make a second enrolment
    beside the one that is in the log.
    """
    part = made.part(ANSWER)
    if part is None or not is_published(connection, made, keyids):
        return None
    said, _ = statements.read_payload(SiteAnswer, part.data, what="the answer")
    with suppress(NotFoundError):
        site = Sites(connection).get(said.site)
        there = statements.read(SiteAnswer, site.answer, what="the answer").predicate
        # But for the floors, which rise with the enrolment itself.
        if there == replace(said, made=there.made, floors=there.floors):
            return accepted(site, new=False)
    return None


def submit(hub: Hub, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
    """Publish the `fleet` that has the site, and keep the answer; what is there stays.

    Raises:
        RefusedError: as `submitting.change_of`; or the answer is not one to what `fleet` says.
    """
    fleet, answer = _parts(draft)
    said, _ = statements.read_payload(SiteAnswer, answer.data, what="the answer")
    named = version_links.named(drafts.to_metadata(fleet))
    with hub.reading() as connection:
        new = not submitting.is_there(stored(connection), roles.FLEET, named)
        change = submitting.change_of(connection, draft) if new else Change()
        actor = submitting.signers_of(connection, fleet)
        people = affected_people(stored(connection), change)
        envelope = submitting.envelope_of(connection, roles.FLEET, answer)
    keyid = dsse.read(envelope, what="the answer").keyid
    if new:
        row = {
            "id": said.site,
            "enrolment": sha256(envelope).hexdigest(),
            "stage": said.stage,
            "request": _request(draft, said),
            "answer": envelope,
            "made": said.made,
        }

        def action(connection: Connection) -> tuple[Entry, None]:
            hub.publish(connection, change)
            connection.execute(insert(tables.site).values(**row))
            site = Sites(connection).get(said.site)  # verified, as whoever reads it will
            _check_counts(site, answer.data)
            data: dict[str, Json] = {
                "site": site.id,
                "stage": site.stage,
                "enrolment": site.enrolment,
                "keyid": keyid,
                "request": site.request.sha256,
                "groups": site.groups,
                "at_hub": at_hub,
            }
            terms = {"site": site.id, "person": people}
            return hub.entry("site.enrolled", actor, data, terms, site.id), None

        hub.commit(action)
    hub.copy_metadata()
    with hub.reading() as connection:
        site = Sites(connection).get(said.site)
    _check_counts(site, answer.data)
    return accepted(site, new=new)


def accepted(site: EnrolledSite, *, new: bool) -> AcceptedSubmission:
    """What is said of a site that is enrolled: the words, by which both ends know it is this."""
    more = (
        *(f"  {group}: {target}" for group, target in sorted(site.groups.items())),
        "",
        "The site printed these words with its request; where it did not, stop here:",
        f"  request      {site.request_words}",
        "Carry the answer to the site, and read its words aloud; they are typed there:",
        f"  answer       {site.words}",
        "The organisation's fingerprint is typed there too, from paper and not from you:",
        f"  fingerprint  {words_of(site.fingerprint)}",
        f"               {site.fingerprint}",
    )
    data: dict[str, Json] = {
        "site": site.id,
        "stage": site.stage,
        "enrolment": site.enrolment,
        "groups": site.groups,
        "request_words": site.request_words,
        "words": site.words,
        "fingerprint": site.fingerprint,
    }
    return AcceptedSubmission(new, f"Site {site.id} is enrolled for {site.stage}.", data, more)


def _checked(data: bytes, hardware_targets: Collection[str]) -> Signed[SiteRequest]:
    try:
        request = check_request(data)
    except RefusedError as bad:
        bad.next_step = bad.next_step or (
            "Carry it again, or have the site write it again: sealift-site init --help"
        )
        raise
    for group, hardware_target in request.predicate.groups.items():
        if hardware_target not in hardware_targets:
            raise NotFoundError(
                "no-hardware-target",
                f"Host group {group} asks for the hardware target {hardware_target}, which "
                "this hub does not know.",
                subject=hardware_target,
                next_step=f"Known: {', '.join(sorted(hardware_targets))}.",
            )
    return request


def _parts(draft: Draft) -> tuple[drafts.DraftPart, drafts.DraftPart]:
    fleet, answer = draft.part(roles.FLEET), draft.part(ANSWER)
    if fleet is None or answer is None or len(draft.parts) > len((fleet, answer)):
        raise RefusedError(
            "draft-says-more",
            "An enrolment signs fleet and the answer to the site, and nothing else.",
            subject=draft.act,
            next_step="Have it drafted again: sealift site enroll FILE --stage STAGE",
        )
    return fleet, answer


def _request(draft: Draft, said: SiteAnswer) -> bytes:
    """The request that was answered, which the draft carries."""
    carried = Carried([decoded(one) for one in draft.statements]).of_kind(SiteRequest)
    found = next((one for one in carried if one.sha256 == said.request), None)
    if found is None:
        raise RefusedError(
            "request-of-another",
            "The draft does not carry the request that its answer is to.",
            subject=said.site,
            next_step="Submit the file as sealift-sign wrote it.",
        )
    return found.envelope.data


def _check_counts(site: EnrolledSite, answer: bytes) -> None:
    """Check that what is submitted is the enrolment by which the site is known."""
    if statements.read(SiteAnswer, site.answer, what="the answer").envelope.payload != answer:
        raise RefusedError(
            "site-moved-on",
            f"Site {site.id} was enrolled again meanwhile; another answer counts.",
            subject=site.id,
            next_step=f"Write it with: sealift site answer {site.id} --out FILE",
        )
