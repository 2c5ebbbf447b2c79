"""A draft of every act that there is, with who signs it and what they add."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

from sealift_signing import documents, drafts, roles, statements
from sealift_signing.drafts import Draft
from sealift_signing.statements import (
    CarriedFile,
    Check,
    Evidence,
    SiteRequest,
    Subject,
    Transfer,
)
from sealift_signing.vocabulary import moment
from tests.desks import SITE, STEWARDS, TEAM, Acme
from tests.trust import GROUP, MODEL, STAGE, TARGET, Promotion

VERSION = f"{TEAM}/{MODEL}/3"
PATHS = [f"catalog/{VERSION}/{TARGET}", f"catalog/{VERSION}/source"]


_MORE_STEWARDS = ("sam", "sid", "sol", "stu", "sue", "syd")


@dataclass(frozen=True)
class Case:
    """A draft, who signs it, and what they type beside its name and object."""

    draft: Draft
    signer: str
    options: tuple[str, ...] = ()


def _subjects() -> tuple[Subject, ...]:
    return tuple(statements.subject(one, sha256(one.encode()).hexdigest()) for one in PATHS)


def _evidence(acme: Acme, kind: str, by: str) -> bytes:
    said = Evidence(
        1,
        (),
        acme.organisation.id,
        kind,
        "pass",
        (Check(f"{kind}-check", "pass", "Looked at."),),
        {"looker": "1.0"},
        "x86_64, Linux 6.1",
        moment(acme.now),
        {},
    )
    return statements.sign(said, _subjects()[:1], acme.keys[by])


def _site_request(acme: Acme) -> bytes:
    key = acme.keys.public("site-key")
    about = statements.subject(f"sites/{SITE}/key", sha256(key.raw).hexdigest())
    said = SiteRequest(
        1, (), SITE, {GROUP: TARGET}, key.text, "4" * 64, moment(acme.now), "test", ()
    )
    return statements.sign(said, [about], acme.keys["site-key"])


def _envelope(signed: Draft, name: str) -> bytes:
    part = signed.part(name)
    assert part is not None
    return drafts.to_envelope(part)


def every_act(acme: Acme) -> Iterator[Case]:
    """A draft of each act, over an organisation in which the ones before were published."""
    catalog = (acme.keys.public("hub-catalog").text,)
    acme.trusting(*STEWARDS, "tina", "toni", "flora", "rita", "carla", "emil", "dora")
    two = ("gina", "hans")
    yield Case(acme.draft("renew", roles.RECALL), "olga")
    yield Case(
        acme.draft("add-team", "sound", *two, cards=two, facts={"catalog-key": catalog}), "tina"
    )
    new = tuple(acme.keys.public(one).text for one in ("new-snapshot", "new-timestamp"))
    for what, facts, signer in (
        ("freshness", {"key": new, "version": ("7", "9")}, "rosa"),
        ("catalog", {"key": new[:1], "version": ("7",)}, "tara"),
        ("log", {"key": new[:1], "size": ("12",)}, "frank"),
    ):
        gone = {"status": ("compromised",)}
        made = acme.draft("rotate-keys", what, facts=facts, details=gone)
        yield Case(made, signer, ("--status", "compromised"))
    yield from _policy(acme)
    shop = ("shop-2", "shop-2-scanner")
    yield Case(acme.draft("add-builder", "shop-2", cards=shop), "flora")
    acme.publish(("flora",), "add-builder", "shop-2", cards=shop)
    gone = {"status": ("compromised",)}
    made = acme.draft("remove-builder", "shop-2", details=gone)
    yield Case(made, "flora", ("--status", "compromised"))
    acme.publish(("flora",), "remove-builder", "shop-2", details=gone)
    yield Case(acme.draft("set-stewards", TEAM, *STEWARDS, "gina", cards=["gina"]), "toni")
    yield Case(acme.draft("add-approver", TEAM, "carla", cards=["carla"]), "anna")
    yield Case(acme.draft("add-requester", TEAM, "rita", cards=["rita"]), "ben")
    for act, name in (
        ("add-requester", "rita"),
        ("add-approver", "carla"),
        ("add-approver", "emil"),
    ):
        acme.publish(STEWARDS, act, TEAM, name, cards=[name])
    travel = acme.draft("set-check-rows", TEAM, "travel", facts={"site": (SITE,)})
    yield Case(travel, "ben")
    asks = {"challenge": ("8" * 64,), "until": (moment(acme.now + timedelta(minutes=30)),)}
    yield Case(acme.draft("bind-account", "carla", "https://hub.example", facts=asks), "carla")
    yield from _people(acme)
    yield from _promotion(acme)


def _policy(acme: Acme) -> Iterator[Case]:
    said = {"consequence": ("P-000001, vision/digits/3: would count until 2027-01-01",)}
    like, meant = {"like": (STAGE,)}, {"before-people": ("yes",)}
    stricter = acme.draft("set-stage", "pilot", facts=said, details={**like, **meant})
    yield Case(stricter, "toni", ("--like", STAGE, "--before-people"))
    acme.publish(("tina", "toni"), "set-stage", "pilot", details={**like, **meant})
    yield Case(acme.draft("remove-stage", "pilot", facts=said), "toni")
    acme.publish(("tina", "toni"), "remove-stage", "pilot")
    yield Case(acme.draft("set-lifetime", "team", "90", facts=said), "toni")
    acme.publish(("tina", "toni"), "set-lifetime", "team", "90")


def _people(acme: Acme) -> Iterator[Case]:
    """Somebody leaves, comes back, and has other keys; what she approved came along.

    In a team of its own, for each act is signed by another steward.
    """
    named = _MORE_STEWARDS
    facts = {"catalog-key": (acme.keys.public("hub-catalog").text,)}
    acme.publish(("tina", "toni"), "add-team", "light", *named, cards=named, facts=facts)
    acme.trusting(*_MORE_STEWARDS)
    stewards = _MORE_STEWARDS[:4]
    acme.publish(stewards, "add-approver", "light", "greta", cards=["greta"])
    case = Promotion(keys=acme.keys, now=acme.now, organisation=acme.organisation.id)
    approval = case.carried[case.approve("1" * 64, "greta", team="light")]
    said = {"consequence": ("P-000001, light/digits/3: is approved all the same until 2027-01-01",)}
    card = replace(acme.person("greta"), signer=acme.keys["greta-2"]).card(acme.now)
    known, key = ("light", "greta"), acme.keys.public("greta")
    yield Case(acme.draft("add-key", *known, statements=[card]), "sam")
    new = [card, approval]
    yield Case(acme.draft("replace-key", *known, facts=said, statements=new), "sid")
    acme.publish(stewards, "add-key", *known, statements=[card])
    gone = acme.draft("remove-key", *known, key.keyid[:8], facts=said, statements=[approval])
    yield Case(gone, "sol")
    only = {"only": (key.text,)}
    lost = acme.draft("call-compromised", *known, facts=said, details=only)
    yield Case(lost, "stu", ("--only", key.text))
    yield Case(acme.draft("retire-person", *known, facts=said, statements=[approval]), "sue")
    acme.publish(stewards, "retire-person", *known, statements=[approval])
    card = replace(acme.person("greta"), signer=acme.keys["greta-3"]).card(acme.now)
    yield Case(acme.draft("reinstate-person", *known, statements=[card]), "syd")


def _promotion(acme: Acme) -> Iterator[Case]:
    evidence = [_evidence(acme, "scan", "scanner-1"), _evidence(acme, "parity", "builder-1")]
    facts = {
        "artifact": tuple(f"{one.name} {one.sha256}" for one in _subjects()),
        "source-record": ("5" * 64,),
        "log-origin": ("hub.example",),
        "log-size": ("12",),
        "log-root": ("6" * 64,),
    }
    why = ("--reason", "Better on dim images.")
    reason = {"reason": (why[1],)}
    asked = acme.draft("request", VERSION, STAGE, facts=facts, statements=evidence, details=reason)
    yield Case(asked, "rita", why)
    request = _envelope(acme.sign(asked, "rita"), "request")
    carried, label = [request, *evidence], {"promotion": ("P-000001",)}
    given = {**reason, "meaning": ("validated",)}
    approve = acme.draft("approve", "P-000001", facts=label, statements=carried, details=given)
    yield Case(approve, "carla", (*why, "--meaning", "validated"))
    objected = acme.draft("object", "P-000001", facts=label, statements=carried, details=reason)
    yield Case(objected, "emil", why)
    approvals = [_envelope(acme.sign(approve, name), "approval") for name in ("carla", "emil")]
    yield from _delivery(acme, [*carried, *approvals])


def _delivery(acme: Acme, promoted: list[bytes]) -> Iterator[Case]:
    asked, how = _site_request(acme), {"stage": (STAGE,), "dispatcher": ("dora",)}
    enroll = acme.draft("enroll", SITE, cards=["dora"], statements=[asked], details=how)
    yield Case(enroll, "flora", ("--stage", STAGE, "--dispatcher", "dora"))
    signed = acme.sign(enroll, "flora")
    acme.submit(signed)
    answer, group = _envelope(signed, "site-answer"), f"{GROUP}={TARGET}"
    given = [*promoted, answer, asked]
    assign = acme.draft("assign", SITE, VERSION, statements=given, details={"for": (group,)})
    yield Case(assign, "dora", ("--for", group))
    acme.submit(acme.sign(assign, "dora"))
    model, why = VERSION.rpartition("/")[0], ("--reason", "It misreads sevens.")
    stop = acme.draft(
        "unassign", SITE, model, statements=[answer, asked], details={"reason": (why[1],)}
    )
    yield Case(stop, "dora", why)
    said = Transfer(
        1,
        (),
        acme.organisation.id,
        f"{SITE}-000001",
        SITE,
        sha256(answer).hexdigest(),
        moment(acme.now),
        (f"{SITE}-000007",),
        f"{SITE}-000009",
        (CarriedFile("index.json", 2, "7" * 64),),
        "a checkpoint",
        "what a site said",
    )
    path = documents.assignment_path(SITE)
    listed = acme.organisation.document(roles.site_role(SITE), path)
    assert listed is not None
    body = statements.payload(said, [statements.subject(path, sha256(listed).hexdigest())])
    yield Case(acme.draft("transfer", said.id, parts={"transfer": body}), "dora")
