"""One small story, told by every document: made by real signing, with keys that anybody can make.

Each key is the SHA-256 of a published sentence, and every time is fixed: the examples are the same
bytes wherever this runs. Nothing real may ever trust these keys.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256

import proof_examples
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from sealift_registry.conversion import hardware
from sealift_registry.conversion.build_result import BuildResult
from sealift_registry.conversion.work_order import (
    OrderedSource,
    PromisedReleases,
    WhatIsRead,
    WorkOrder,
)
from sealift_signing import documents as docs
from sealift_signing import (
    drafts,
    features,
    organisation_memory,
    publishing,
    roles,
    shape,
    version_links,
)
from sealift_signing import statements as stated
from sealift_signing.account_binding import AccountBinding
from sealift_signing.policy import Policy, StageRule
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint, entry, extract
from sealift_signing.transparency.merkle import leaf_hash
from sealift_signing.vocabulary import moment
from sealift_sync import check_rows
from sealift_sync.check_rows import tensor

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TEAM, MODEL, SITE, GROUP, TARGET = "vision", "digits", "plant-7", "inspection", "cpu-x86_64"
VARIANT = f"catalog/{TEAM}/{MODEL}/3/{TARGET}"
SOURCE = f"catalog/{TEAM}/{MODEL}/3/source"
TRANSFER = f"{SITE}-000042"


@dataclass(frozen=True)
class Example:
    """A document's bytes as they travel, and whose key signed them; "" where TUF does."""

    data: bytes
    signer: str = ""


@cache
def signer(name: str) -> CryptoSigner:
    """The signer whose private key is the SHA-256 of a sentence with `name` in it."""
    seed = sha256(f"The key of {name} in Sealift's examples. Trust it in nothing.".encode())
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed.digest()))


def public(name: str) -> PublicKey:
    """The public half of a signer."""
    return PublicKey.from_tuf(signer(name).public_key)


def digest(words: str) -> str:
    """A digest of something that the examples do not show."""
    return sha256(words.encode()).hexdigest()


def before(**span: float) -> str:
    """A time before the story's now."""
    return moment(NOW - timedelta(**span))


@cache
def examples() -> Mapping[str, Example]:
    """Every document by its file name, in the order of the journey."""
    told: dict[str, Example] = {}
    root = _root()
    organisation = sha256(root).hexdigest()
    told["policy.json"] = Example(shape.write(_policy()))
    told["members.json"] = Example(shape.write(_members()))
    told["keys.json"] = Example(shape.write(_fleet_keys()))
    told["recall.json"] = Example(shape.write(_recalls()))
    told["lineage.json"] = Example(shape.write(_lineage()))
    told["version.json"] = Example(shape.write(_version(organisation)))
    told["memory.json"] = Example(shape.write(_shared(organisation, root)))
    told["known.json"] = Example(shape.write(_known(organisation, root)))
    log = checkpoint.Checkpoint(
        checkpoint.hub_origin(organisation), 1204, bytes.fromhex(digest("the log"))
    )
    told["checkpoint.txt"] = Example(checkpoint.sign(log, signer("hub-log")), "hub-log")
    told |= _evidence(organisation)
    told |= _promotion(organisation, log, told)
    told |= _enrolment(organisation, root)
    told["assignment.json"] = Example(shape.write(_assignment(told)))
    told |= _journey(organisation, told)
    told["check-rows.json"] = Example(_check_rows().partition(b"\n")[0])
    told["proof-report.json"] = Example(shape.write(proof_examples.proof_report()))
    told["runtimes-report.json"] = Example(shape.write(proof_examples.runtimes_report()))
    told["regression-report.json"] = Example(shape.write(proof_examples.regression_report()))
    told |= _built(organisation)
    told["entry.json"] = Example(entry.body_of(_entry(told)))
    told["extract.json"] = Example(shape.write(_extract(organisation)))
    return told


def _root() -> bytes:
    holders = {
        roles.ROOT: (2, ("rosa", "rolf", "ruth")),
        roles.TARGETS: (2, ("tina", "toni", "tara")),
        roles.SNAPSHOT: (1, ("hub-snapshot",)),
        roles.TIMESTAMP: (1, ("hub-timestamp",)),
    }
    metadata = publishing.first_root(
        {
            role: (threshold, {name: public(name) for name in names})
            for role, (threshold, names) in holders.items()
        },
        expires=publishing.expiry(NOW, roles.LIFETIMES_DAYS[roles.ROOT]),
    )
    publishing.sign(metadata, [signer("rosa"), signer("rolf")])
    return publishing.to_bytes(metadata)


def _policy() -> Policy:
    production = StageRule(
        approvals=2,
        requester_may_approve=False,
        evidence=("scan", "parity"),
        key_classes=("file", "hardware"),
        meanings=("validated", "accepts the risk"),
        longest_validity_days=365,
    )
    staging = replace(production, approvals=1)
    return Policy(
        format=1,
        requires=(),
        organisation_name="Example Works",
        stages={"staging": staging, "production": production},
        lifetimes_days=roles.LIFETIMES_DAYS,
    )


def _members() -> docs.Members:
    def person(name: str, printed: str, *purposes: str) -> docs.Person:
        return docs.Person(
            name, printed, "active", (docs.MemberKey(public(name).text, "file", purposes),)
        )

    return docs.Members(
        format=1,
        requires=(),
        team=TEAM,
        people=(
            person("anna", "Anna Arendt", "request"),
            person("bert", "Bert Brandt", "approve:production", "approve:staging"),
            person("carla", "Carla Cruz", "approve:production"),
        ),
        withdrawn=(
            docs.Withdrawal(
                id="w-1",
                stage="production",
                sha256=None,
                model=f"{TEAM}/{MODEL}",
                below=2,
                reason="Trained on mislabelled images.",
                made=before(days=30),
            ),
        ),
    )


def _fleet_keys() -> docs.FleetKeys:
    machines = (
        ("hub-log", "log"),
        ("scanner-1", "scanner"),
        ("builder-1", "builder"),
        (SITE, "site"),
    )
    return docs.FleetKeys(
        1,
        (),
        tuple(
            docs.MachineKey(public(name).text, name, purpose, "active")  # type: ignore[arg-type]
            for name, purpose in machines
        ),
    )


def _recalls() -> docs.RecallList:
    recall = docs.Recall(
        "r-1", digest("vision/digits/1"), "Mistakes 7 for 1 on glossy labels.", before(days=2)
    )
    return docs.RecallList(1, (), (recall,))


def _version(organisation: str) -> drafts.RoleVersion:
    carried = drafts.CarriedDocument("teams/vision/members.json", drafts.encoded(b"{...}"))
    data, below = drafts.encoded(b"{...}"), _lineage().versions
    return drafts.RoleVersion(1, (), organisation, "team.vision", data, (carried,), below, ())


def _shared(organisation: str, root: bytes) -> drafts.Shared:
    whole = _version(organisation)
    role = drafts.CarriedRole(whole.role, whole.data, whole.lineage)
    chain = (drafts.encoded(root),)
    return drafts.Shared(1, (), organisation, chain, (role,), (), whole.documents)


def _known(organisation: str, root: bytes) -> organisation_memory.OrganisationMemory:
    pinned = version_links.VersionId(1, digest("what is signed of root 1"))
    newest = organisation_memory.KnownRole(
        "team.vision",
        4,
        digest("team.vision 4"),
        digest("its link"),
        digest("its file"),
        "ben.memory",
        before(days=1),
    )
    once = organisation_memory.SignedOnce(
        "team.vision",
        5,
        digest("team.vision 5"),
        "add-approver vision carla",
        digest("anna's key"),
        digest("the signed draft"),
        moment(NOW),
        settled=False,
    )
    return organisation_memory.OrganisationMemory(
        format=1,
        requires=(),
        organisation=organisation,
        name="Acme",
        root=pinned,
        root_file=sha256(root).hexdigest(),
        alone=False,
        roles=(newest,),
        older=(),
        signed=(once,),
        compromised=(),
    )


def _lineage() -> version_links.Lineage:
    """Of version 4 of team.vision, the third that names what it follows."""
    first = version_links.Follows(1, digest("version 1"), None, ())
    given_up = version_links.VersionId(2, digest("a version 2 that was given up"))
    second = version_links.Follows(2, digest("version 2"), version_links.link(first), (given_up,))
    return version_links.Lineage(1, (), roles.team_role(TEAM), (second, first))


def _subjects() -> tuple[stated.Subject, ...]:
    return (
        stated.subject(VARIANT, digest(VARIANT)),
        stated.subject(SOURCE, digest(SOURCE)),
    )


def _sign(said: stated.Predicate, subjects: tuple[stated.Subject, ...], by: str) -> Example:
    return Example(stated.sign(said, subjects, signer(by)), by)


def _evidence(organisation: str) -> dict[str, Example]:
    scan = stated.Evidence(
        format=1,
        requires=(),
        organisation=organisation,
        kind="scan",
        verdict="pass",
        checks=(
            stated.Check("format", "pass", "An ONNX model, as its content says."),
            stated.Check("operators", "pass", "Only operators of ai.onnx and ai.onnx.ml."),
        ),
        tools={"onnx": "1.23.2"},
        machine="Linux, x86_64",
        made=before(hours=5),
        details={"files": 1},
    )
    parity = stated.Evidence(
        format=1,
        requires=(),
        organisation=organisation,
        kind="parity",
        verdict="pass",
        checks=(stated.Check("labels", "pass", "All 50 labels are equal."),),
        tools={"onnxruntime": "1.31.1"},
        machine="Linux, x86_64",
        made=before(hours=4),
        details={"largest_difference": "8e-7", "rows": 50},
    )
    return {
        "scan.json": _sign(scan, _subjects()[:1], "scanner-1"),
        "parity.json": _sign(parity, _subjects()[:1], "builder-1"),
    }


def _promotion(
    organisation: str, log: checkpoint.Checkpoint, told: Mapping[str, Example]
) -> dict[str, Example]:
    request = stated.Request(
        format=1,
        requires=(),
        organisation=organisation,
        team=TEAM,
        model=MODEL,
        version=3,
        stage="production",
        source_record=digest("the source record"),
        evidence=tuple(_named(told[name]) for name in ("scan.json", "parity.json")),
        log=stated.CheckpointSeen(log.origin, log.size, log.root.hex()),
        person="anna",
        reason="Reads glossy labels, which version 2 did not.",
        made=before(hours=3),
        despite=(),
    )
    asked = _sign(request, _subjects(), "anna")
    approval = stated.Approval(
        format=1,
        requires=(),
        organisation=organisation,
        team=TEAM,
        model=MODEL,
        version=3,
        stage="production",
        request=_named(asked),
        person="bert",
        meaning="validated",
        reason="Compared on the November images.",
        made=before(hours=2),
        valid_until=moment(NOW + timedelta(days=360)),
        measured=(stated.Measured(VARIANT, "Linux, x86_64"),),
    )
    binding = AccountBinding(
        format=1,
        requires=(),
        organisation=organisation,
        server="https://hub.acme.example",
        account="bert",
        challenge=digest("a challenge"),
        made=moment(NOW),
        ends=moment(NOW + timedelta(minutes=30)),
    )
    return {
        "request.json": asked,
        "approval.json": _sign(approval, _subjects(), "bert"),
        "account-binding.json": _sign(binding, (binding.subject(),), "bert"),
    }


def _built(organisation: str) -> dict[str, Example]:
    report = proof_examples.proof_report()
    order = WorkOrder(
        format=1,
        requires=(),
        organisation=organisation,
        software="0.1.0",
        artifact=VARIANT,
        hardware_target=hardware.get(TARGET),
        source=OrderedSource(
            manifest=digest(SOURCE),
            format="skops",
            model_files=tuple(one.path for one in report.source_files),
            data_files=(),
            files=report.source_files,
        ),
        goldens=report.goldens,
        existing=None,
        runtimes=PromisedReleases(
            asked=">=1.17.3,<=1.31.1",
            oldest="1.17.3",
            newest="1.31.1",
            without={"1.26.0": "It answers wrongly on some processors."},
            oldest_reads=WhatIsRead(9, {"ai.onnx": 20, "ai.onnx.ml": 4}),
        ),
        replaces_runtimes=False,
        proof_seconds=600,
    )
    result = BuildResult(
        format=1,
        requires=(),
        organisation=organisation,
        artifact=VARIANT,
        goldens=report.goldens,
        machine="builder-1",
        made=before(hours=4),
        outcome="built",
        manifest=digest(VARIANT),
        files=report.variant_files,
        evidence=tuple(digest(f"the {kind}") for kind in ("scan", "parity", "provenance")),
        untried=("onnxruntime 1.17.3 was not tried. There is no environment of it.",),
        refusal=None,
    )
    about = (stated.subject("order.json", order.digest()),)
    return {
        "order.json": Example(shape.write(order)),
        "result.json": _sign(result, about, "builder-1"),
    }


def _enrolment(organisation: str, root: bytes) -> dict[str, Example]:
    reads = features.reads(features.AT_A_SITE)
    request = stated.SiteRequest(
        format=1,
        requires=(),
        site=SITE,
        groups={GROUP: TARGET},
        key=public(SITE).text,
        nonce=digest("a random number"),
        made=before(days=9),
        software="sealift-offline-sync 0.1.0",
        reads=reads,
    )
    key = stated.subject(f"sites/{SITE}/key", sha256(public(SITE).raw).hexdigest())
    asked = _sign(request, (key,), SITE)
    answer = stated.SiteAnswer(
        format=1,
        requires=(),
        organisation=organisation,
        site=SITE,
        stage="production",
        request=_named(asked),
        roots=(base64.b64encode(root).decode(),),
        pins=stated.Pins(2, {"root": 2, "targets": 2, "team": 2}, (TEAM,), ()),
        floors={"fleet": 4, "targets": 2},
        made=before(days=8),
    )
    about = stated.subject(f"sites/{SITE}/request", _named(asked))
    return {"site-request.json": asked, "site-answer.json": _sign(answer, (about,), "flora")}


def _assignment(told: Mapping[str, Example]) -> docs.Assignment:
    variant = docs.AssignedArtifact(
        path=VARIANT,
        sha256=digest(VARIANT),
        request=_named(told["request.json"]),
        approvals=(_named(told["approval.json"]), digest("the approval by carla")),
        evidence=(_named(told["scan.json"]), _named(told["parity.json"])),
    )
    models = {f"{TEAM}/{MODEL}": docs.ModelAssignment(current=variant, fallbacks=())}
    return docs.Assignment(
        format=1,
        requires=(),
        site=SITE,
        enrolment=_named(told["site-answer.json"]),
        groups={GROUP: docs.GroupAssignment(TARGET, models)},
    )


def _journey(organisation: str, told: Mapping[str, Example]) -> dict[str, Example]:
    assigned = told["assignment.json"].data
    paths = {
        f"targets/{docs.assignment_path(SITE)}": assigned,
        f"statements/{_named(told['request.json'])}.json": told["request.json"].data,
    }
    transfer = stated.Transfer(
        format=1,
        requires=(),
        organisation=organisation,
        id=TRANSFER,
        site=SITE,
        enrolment=_named(told["site-answer.json"]),
        made=before(hours=1),
        base=(),
        previous=f"{SITE}-000041",
        files=tuple(
            stated.CarriedFile(path, len(data), sha256(data).hexdigest())
            for path, data in paths.items()
        ),
        log=told["checkpoint.txt"].data.decode(),
        site_log=None,
    )
    about = stated.subject(docs.assignment_path(SITE), sha256(assigned).hexdigest())
    sent = _sign(transfer, (about,), "dora")
    receipt = stated.Receipt(
        format=1,
        requires=(),
        organisation=organisation,
        site=SITE,
        enrolment=_named(told["site-answer.json"]),
        transfer=TRANSFER,
        made=moment(NOW),
        artifacts=(
            stated.ArtifactOutcome(
                GROUP, VARIANT, digest(VARIANT), "installed", "installed", "Approved by two."
            ),
        ),
        inventory=(digest(VARIANT),),
        lost=(),
        running={GROUP: {f"{TEAM}/{MODEL}": 2}},
        roles={"root": 1, "targets": 2, "fleet": 4, f"site.{SITE}": 42},
        trusted_time=moment(NOW),
        unprotected=(),
        overrides=(),
        software="sealift-offline-sync 0.1.0",
        reads=features.reads(features.AT_A_SITE),
        log="",
    )
    carried = stated.subject(f"transfers/{TRANSFER}", _named(sent))
    return {"transfer.json": sent, "receipt.json": _sign(receipt, (carried,), SITE)}


def _check_rows() -> bytes:
    """A file of one row; the page shows its header."""
    labels = check_rows.ExpectedOutput("label", tensor("int64", (1,), (7,)), "labels", shown=True)
    near = tensor("float64", (1, 2), (1e-6, 1e-6))
    scores = check_rows.ExpectedOutput(
        "scores", tensor("float32", (1, 2), (0, 1)), "numbers", near, shown=True
    )
    pixels = check_rows.GivenInput("pixels", tensor("float32", (1, 4), (0, 4, 16, 8)))
    return check_rows.pack(
        check_rows.CheckRowsContent(1, alone=False, inputs=(pixels,), outputs=(labels, scores))
    )


def _entry(told: Mapping[str, Example]) -> entry.Entry:
    return entry.Entry(
        format=1,
        requires=(),
        id="019a9f2b-6c00-7a51-8f0e-3b1d5c7e9a10",
        at=before(hours=2),
        type="promotion.approved",
        actor="bert",
        site=None,
        terms=(entry.Term("model", f"{TEAM}/{MODEL}/3"), entry.Term("promotion", "P-000017")),
        data={"approval": _named(told["approval.json"])},
    )


def _extract(organisation: str) -> extract.Extract:
    """A site's log of one entry, on its way home."""
    body = entry.body_of(
        entry.Entry(
            format=1,
            requires=(),
            id="019a9f2b-6c00-7a51-8f0e-3b1d5c7e9a11",
            at=moment(NOW),
            type="site.enrolled",
            actor="the operator at this site",
            site=SITE,
            terms=(),
            data={},
        )
    )
    said = checkpoint.Checkpoint(checkpoint.site_origin(organisation, SITE), 1, leaf_hash(body))
    note = checkpoint.sign(said, signer(SITE)).decode()
    return extract.Extract(1, (), 0, (), (body.decode(),), (), note, {"carrier": "by hand"})


def _named(example: Example) -> str:
    return sha256(example.data).hexdigest()
