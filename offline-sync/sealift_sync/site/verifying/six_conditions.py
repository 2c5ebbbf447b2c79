"""Step (6) of an import: the six conditions, for every host group and artifact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from sealift_signing import roles
from sealift_signing.approvals import ApprovalTally
from sealift_signing.documents import AssignedArtifact, Recall, Withdrawal
from sealift_signing.errors import RefusedError
from sealift_signing.site_rules import (
    ConditionFacts,
    HeldError,
    capped_pins,
    check_pinned_policy,
    judge,
)
from sealift_signing.statements import ArtifactOutcome
from sealift_signing.vocabulary import CatalogPath
from sealift_sync.artifact import Artifact, index_digests, read_manifest
from sealift_sync.bundle import layout
from sealift_sync.bundle.quarantine import Quarantine
from sealift_sync.site.running import downgrades
from sealift_sync.site.running.choices import covering
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.records import Current, Installed
from sealift_sync.site.verifying.rows_in_evidence import named_rows
from sealift_sync.site.verifying.tuf_metadata import Visit


@dataclass(frozen=True)
class Judged:
    """One artifact in one host group: what becomes of it, and why.

    Attributes:
        fate: `new` is to be installed; `kept` was and stays; `held` is not installed.
        artifact: what its manifest says; None of what is held, or is kept and not carried.
        checks: the digests of its check rows, as verified evidence names them.
    """

    group: str
    path: CatalogPath
    sha256: str
    fate: Literal["new", "kept", "held"]
    code: str
    words: str
    despite: tuple[str, ...] = ()
    artifact: Artifact | None = None
    checks: tuple[str, ...] = ()

    @property
    def outcome(self) -> ArtifactOutcome:
        """As the receipt tells it."""
        told: Literal["installed", "held"] = "held" if self.fate == "held" else "installed"
        return ArtifactOutcome(
            self.group, str(self.path), self.sha256, told, self.code, self.words[:2000]
        )


class Judge:
    """Judges the artifacts of one visit, with what this site knows besides."""

    def __init__(
        self, bundle: Quarantine, site: OpenSite, visit: Visit, recalls: tuple[Recall, ...]
    ) -> None:
        self._bundle = bundle
        self._visit = visit
        self._withdrawn = withdrawals(site, visit)
        self._installed = {(i.group, str(i.path), i.sha256): i for i in site.state.installed()}
        self._current = site.state.current()
        recalled = site.state.recalls() | {recall.sha256: recall for recall in recalls}
        self._facts = facts(bundle, site, visit, recalled, self._withdrawn)

    def all(self) -> tuple[Judged, ...]:
        """The fate of everything that the assignment names, in its order.

        Raises:
            RefusedError: a statement or manifest is forged or damaged, or the policy fell below
                this site's pins: the whole transfer is refused.
        """
        check_pinned_policy(self._facts, self._visit.walk.root, self._visit.walk.targets)
        seen: dict[tuple[str, str, str], Judged] = {}
        for group, _, artifact in self._visit.assignment.artifacts():
            key = (group, artifact.path, artifact.sha256)
            if key not in seen:
                seen[key] = self._one(group, artifact)
        for one in self._unassigned():
            seen.setdefault((one.group, str(one.path), one.sha256), one)
        for one in self._no_more():
            seen[one.group, str(one.path), one.sha256] = one
        return tuple(seen.values())

    def _no_more(self) -> Iterator[Judged]:
        """What runs and is assigned no more: nothing but a recall, or a name, stops it."""
        runs: list[Current] = list(self._current.values())
        for one, code, words in downgrades.no_longer_assigned(self._visit.assignment, runs):
            place = (one.group, str(one.path), one.sha256)
            before = self._installed.get(place)
            if before is not None and one.sha256 not in self._facts.recalled:
                yield Judged(one.group, one.path, one.sha256, "kept", code, words, before.despite)

    def _unassigned(self) -> Iterator[Judged]:
        """What the bundle carries and nobody assigned: not installed, and not passed over."""
        assigned = {artifact.sha256 for _, _, artifact in self._visit.assignment.artifacts()}
        for digest in index_digests(self._bundle.read(layout.INDEX)):
            if digest in assigned:
                continue
            path = self._read(digest, f"the manifest {digest[:12]}").path
            fitting = [name for name, form in self._facts.groups.items() if form == path.form]
            carried = AssignedArtifact(str(path), digest, digest, (), ())
            for group in fitting or sorted(self._facts.groups)[:1]:
                yield self._one(group, carried)

    def _one(self, group: str, artifact: AssignedArtifact) -> Judged:
        path, digest = artifact.parsed, artifact.sha256
        before = self._installed.get((group, artifact.path, digest))
        try:
            approved = judge(self._facts, group, artifact)
            self._check_not_back(group, artifact)
            manifest = self._kept(digest) if before else self._manifest(path, digest)
        except HeldError as reason:
            if before is None or reason.code in {"recalled", "goes-back"}:
                return Judged(group, path, digest, "held", reason.code, str(reason))
            return _stays(before, reason, self._kept(digest))
        despite = covering(self._withdrawn.get(path.team, ()), path, digest, self._facts.stage)
        fate: tuple[Literal["new", "kept"], str] = ("new", "installed")
        if before is not None:
            fate = ("kept", "installed-already")
        rows = named_rows(self._facts, artifact)
        return Judged(group, path, digest, *fate, _words(approved), despite, manifest, rows)

    def _check_not_back(self, group: str, artifact: AssignedArtifact) -> None:
        """What is assigned to run is no lower than what runs, unless the dispatcher said so.

        Raises:
            HeldError: it is.
        """
        path, visit = artifact.parsed, self._visit
        given = visit.assignment.of(group, path.full_model)
        if given is None or given.current != artifact:
            return  # a fallback
        running = self._current.get((group, path.full_model))
        recalled = self._facts.recalled.keys()
        why = downgrades.why_held(visit.assignment, group, path, artifact.sha256, running, recalled)
        if why:
            raise HeldError(
                "goes-back",
                f"{path.full_version} is held: {why}",
                subject=str(path),
                next_step="Where it is meant, have it assigned with --back and a reason.",
            )

    def _manifest(self, path: CatalogPath, digest: str) -> Artifact:
        """What the manifest says that TUF and the approvals signed for.

        Raises:
            HeldError: it was made for another path: approved under one name, shipped as another.
            RefusedError: it is not there, or damaged.
        """
        artifact = self._read(digest, f"the manifest of {path}")
        if artifact.path != path:
            raise HeldError(
                "manifest-of-another",
                f"The manifest assigned as {path} was made for {artifact.path}.",
                subject=str(path),
            )
        return artifact

    def _kept(self, digest: str) -> Artifact | None:
        """What is installed already consists of: the medium may carry a part that it has lost."""
        carried = self._bundle.has(layout.blob_file(digest))
        return self._read(digest, f"the manifest {digest[:12]}") if carried else None

    def _read(self, digest: str, what: str) -> Artifact:
        data = self._bundle.read(layout.blob_file(digest))
        if sha256(data).hexdigest() != digest:
            raise RefusedError(
                "manifest-damaged",
                f"{what[0].upper()}{what[1:]} is damaged: its bytes are not those of its digest.",
                subject=digest,
                next_step="Copy the bundle again, or have it exported again.",
            )
        return read_manifest(data, what=what)


def facts(
    bundle: Quarantine,
    site: OpenSite,
    visit: Visit,
    recalled: Mapping[str, Recall],
    withdrawn: Mapping[str, tuple[Withdrawal, ...]],
) -> ConditionFacts:
    """What the six conditions look at."""
    known = site.enrolment
    return ConditionFacts(
        organisation=known.organisation,
        site=known.site,
        stage=known.stage,
        groups=known.groups,
        pins=capped_pins(site.state.pins(known.pins)),
        now=site.trusted_time(),
        policy=visit.policy,
        members=visit.members,
        fleet=visit.fleet,
        assignment=visit.assignment,
        catalog=visit.catalog,
        withdrawn=withdrawn,
        recalled=recalled,
        machine_keys=visit.machine_keys,
        compromised={team: visit.barred(roles.team_role(team)) for team in visit.members},
        statement=lambda digest: bundle.get(layout.statement_file(digest)),
    )


def withdrawals(site: OpenSite, visit: Visit) -> dict[str, tuple[Withdrawal, ...]]:
    """Every withdrawal that this site ever saw, and those of this visit, by team.

    By team, because a team's stewards may demote their own models and nobody else's.
    """
    found = site.state.withdrawals()
    for team, members in visit.members.items():
        found[team] = tuple(dict.fromkeys((*found.get(team, ()), *members.withdrawn)))
    return found


def _stays(before: Installed, reason: HeldError, artifact: Artifact | None) -> Judged:
    """What is installed is never taken away because a date passed or a rule changed."""
    words = f"Stays installed, though it would not be installed now: {reason}"
    place = (before.group, before.path, before.sha256)
    return Judged(*place, "kept", reason.code, words, before.despite, artifact)


def _words(approved: ApprovalTally) -> str:
    until: datetime | None = approved.valid_until
    ends = f", valid until {until:%Y-%m-%d}" if until else ""
    return f"Approved by {' and '.join(sorted(approved.people))}{ends}."
