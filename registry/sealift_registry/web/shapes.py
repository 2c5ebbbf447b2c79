"""What is answered to who reads: the members that the commands print under `--json`.

They describe answers (OpenAPI), and a test holds that each answer has these members and no other.
Names with a space are columns of a list, which have them on a terminal as well.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from sealift_registry.web.site_shapes import HeldThere, LogSeen, RefusedThere, WentBack

Text = str | None


class Refused(Struct):
    """A row of which nothing is told, and why."""

    code: str
    what: str
    subject: str
    next: str


class Page(Struct, kw_only=True):
    """A page of a list.

    Attributes:
        refused: rows that are left out because they are not what was signed.
        beyond: the last row's name, where there are more: ask again with `beyond`.
    """

    refused: list[Refused]
    beyond: Text


class VersionRow(Struct):
    """A version in a list."""

    version: str
    source: str
    format: str
    variants: str
    discarded: str
    listed: str
    made: str


class Versions(Page):
    """Versions of models."""

    versions: list[VersionRow]


class ModelRow(Struct):
    """A model in a list, by the version that was taken in last."""

    model: str
    newest: str
    source: str
    format: str
    made: str


class Models(Page):
    """Models."""

    models: list[ModelRow]


class ModelShown(Page, kw_only=True):
    """All about a model.

    Attributes:
        listed: by each stage the newest version that is listed for it.
        versions: the newest; a list of its versions has the others, too.
    """

    model: str
    listed: dict[str, str]
    versions: list[VersionRow]


class PromotionRow(Struct):
    """A promotion in a list."""

    promotion: str
    version: str
    stage: str
    approvals: str
    listed: str
    asked_by: str = field(name="asked by")


class Promotions(Page):
    """Promotions that were asked for."""

    promotions: list[PromotionRow]


class SiteRow(Struct):
    """A site in a list."""

    site: str
    stage: str
    enrolled: str
    host_groups: str = field(name="host groups")


class Sites(Page):
    """Sites that are enrolled."""

    sites: list[SiteRow]


class TransferRow(Struct):
    """A transfer in a list."""

    transfer: str
    site: str
    begun: str
    signed: str
    imported: str


class Transfers(Page):
    """Transfers that were begun."""

    transfers: list[TransferRow]


class ReceiptRow(Struct):
    """A receipt in a list.

    Attributes:
        receipt: the sha256 of its envelope.
        made: when its site made it, by the site's clock.
        received: when it came home, as the hub says.
    """

    receipt: str
    transfer: str
    site: str
    made: str
    received: str


class Receipts(Page):
    """Receipts that came home."""

    receipts: list[ReceiptRow]


class PersonRow(Struct):
    """Somebody who holds an office, in a list."""

    person: str
    keys: int
    offices: list[str]


class People(Page):
    """Everybody who holds an office."""

    people: list[PersonRow]


class RoleRow(Struct):
    """A role in a list."""

    role: str
    version: str
    until: str
    state: str
    signed_by: str = field(name="signed by")


class Roles(Page):
    """Roles that people and the hub sign."""

    roles: list[RoleRow]


class HardwareTargetRow(Struct):
    """A hardware target in a list."""

    precision: str
    policy: str
    description: str
    hardware_target: str = field(name="hardware target")


class HardwareTargets(Page):
    """What variants can be built for."""

    hardware_targets: list[HardwareTargetRow]


class MemberRow(Struct):
    """Somebody of a team."""

    team: str
    person: str
    status: str
    keys: str
    may: str


class Teams(Struct):
    """Teams, and who may do what in each."""

    stewards: dict[str, list[str]]
    people: list[MemberRow]
    check_rows: dict[str, str]
    refused: list[Refused]


class Discarded(Struct):
    """Who let the files of something go."""

    by: str
    at: str
    reason: str


class ArtifactShown(Struct):
    """A form of a version."""

    path: str
    sha256: str
    check_rows: int
    told_first: list[str]
    discarded: Discarded | None


class EvidenceShown(Struct):
    """A piece of evidence, and what it says.

    Attributes:
        sha256: of its envelope.
        artifact: the sha256 of the form that it is about.
        signer: our machine that signed it; null where none did, and the hub alone says so.
        details: the whole report.
    """

    sha256: str
    path: str
    artifact: str
    kind: str
    verdict: str
    machine: str
    made: str
    signer: Text
    checks: list[dict[str, Any]]
    details: dict[str, Any]


class EvidenceList(Struct):
    """All evidence about a version."""

    version: str
    evidence: list[EvidenceShown]


class Runs(Struct):
    """Where a version runs."""

    site: str
    group: str
    since: str
    as_of: Text


class ApprovalShown(Struct):
    """An approval that counts."""

    person: str
    meaning: str
    reason: str
    made: str
    valid_until: str
    counts_until: str
    sha256: str


class ObjectionShown(Struct):
    """An objection."""

    person: str
    reason: str
    made: str
    sha256: str


class PromotedArtifact(Struct):
    """A form that a promotion is about, and its evidence."""

    path: str
    sha256: str
    evidence: dict[str, str]
    signers: dict[str, str]
    told_first: list[str]


class PromotionStatus(Struct):
    """A promotion as a version shows it."""

    promotion: str
    version: str
    stage: str
    requester: str
    reason: str
    request: str
    made: str
    despite: list[dict[str, Any]]
    approvals: list[ApprovalShown]
    set_aside: list[str]
    objections: list[ObjectionShown]
    not_heard: list[str]
    doubt: str
    have: int
    need: int
    listed: bool
    artifacts: list[PromotedArtifact]


class CommentShown(Struct):
    """What somebody said of a promotion.

    Attributes:
        entry: the number of its entry in the log.
        person: whose key they had proved.
    """

    entry: int
    at: str
    account: str
    person: Text
    text: str


class Comments(Page):
    """Comments on a promotion."""

    comments: list[CommentShown]


class PromotionShown(PromotionStatus):
    """All about a promotion."""

    regression: list[dict[str, Any]]
    stale: list[str]
    comments: list[CommentShown]
    older_comments: bool


class VersionShown(Struct):
    """All about a version."""

    version: str
    source: dict[str, Any]
    source_record: str
    format: str
    aliases: list[str]
    goldens: Text
    artifacts: list[ArtifactShown]
    check_rows_travel: bool
    promotions: list[PromotionStatus]
    older_promotions: int
    running: list[Runs]


class Assigned(Struct):
    """What a site is to run."""

    group: str
    model: str
    current: str
    fallbacks: list[str]


class Retired(Struct):
    """What a site is to stop."""

    group: str
    model: str
    reason: str


class Running(Struct):
    """What a site says that it runs."""

    group: str
    model: str
    version: int
    since: str


class NotStarted(Struct):
    """What did not start at a site."""

    group: str
    model: str
    runs: int | None
    at: Text
    words: str


class Unlike(Struct):
    """Where a site runs something else than it is to."""

    group: str
    model: str
    runs: int
    assigned: int | None


class SiteCheck(Struct):
    """How a check at a site went."""

    group: str
    model: str
    version: int
    outcome: str
    at: str
    words: str


class SiteShown(Struct):
    """All about a site."""

    site: str
    stage: str
    enrolment: str
    request_words: str
    words: str
    fingerprint: str
    groups: dict[str, str]
    assigned: list[Assigned]
    retired: list[Retired]
    running: list[Running]
    heard: Text
    software: Text
    does_not_read: list[str]
    log: LogSeen | None
    last_receipt: Text
    not_started: list[NotStarted]
    unlike_assigned: list[Unlike]
    checks: list[SiteCheck]
    attention: list[str]
    rolled_back: list[WentBack]
    refused_there: list[RefusedThere]
    held: list[HeldThere]
    more: dict[str, Any] | UnsetType = UNSET


class WaitsOnMedium(Struct):
    """Where a transfer waits for its signature."""

    medium: str
    sha256: str


class TransferShown(Struct):
    """All about a transfer: one that was signed, or one that was only begun."""

    transfer: str
    site: str
    sha256: str | UnsetType = UNSET
    made: str | UnsetType = UNSET
    files: int | UnsetType = UNSET
    bytes: int | UnsetType = UNSET
    receipt: str | UnsetType | None = UNSET
    more: dict[str, Any] | UnsetType = UNSET
    begun: str | UnsetType = UNSET
    waits: WaitsOnMedium | UnsetType | None = UNSET
    elsewhere: str | UnsetType = UNSET


class OfficeShown(Struct):
    """An office that somebody holds."""

    office: str
    place: str
    keyid: str


class PersonShown(Struct):
    """All about a person."""

    person: str
    offices: list[OfficeShown]
