"""A site of a hub that has grown, and its log: what runs, how it was checked, what was imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from securesystemslib.signer import Signer

from sealift_signing.canonical import Json
from sealift_signing.clock import EARLIEST
from sealift_signing.documents import AssignedArtifact, Assignment, ModelAssignment
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, site_origin
from sealift_signing.transparency.entry import Term, body_of, new_entry
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash

GROUP, TARGET, STAGE = "line-1", "cpu-x86_64", "production"
RUNTIME = "1.22.0"
CHECKED = "All 8 check rows were answered as they must be."


@dataclass
class Plant:
    """One site, as it stands so far.

    Attributes:
        enrolment: the sha256 of the answer to its request.
        transfer: the id of its one transfer.
        bundle: the sha256 of that one's transfer.json.
    """

    name: str
    number: int
    signer: Signer
    enrolment: str = ""
    enrolled: datetime = EARLIEST
    assignment: Assignment | None = None
    transfer: str = ""
    bundle: str = ""

    @property
    def has_answered(self) -> bool:
        """Whether a receipt and its log came home."""
        return self.number % 5 < 3

    @property
    def has_bundle(self) -> bool:
        """Whether anything was exported for it."""
        return self.number % 5 < 4

    @property
    def has_failed(self) -> bool:
        """Whether the last switch there failed."""
        return self.number % 10 == 7

    @property
    def artifacts(self) -> list[AssignedArtifact]:
        """What it is assigned."""
        assert self.assignment is not None
        return [one for _, _, one in self.assignment.artifacts()]


class SiteLog:
    """The log of a site, from its enrolment on."""

    def __init__(self, plant: Plant, organisation: str) -> None:
        self.bodies: list[bytes] = []
        self.note_at_import = b""
        self._plant = plant
        self._organisation = organisation
        self._now = plant.enrolled

    def checkpoint(self) -> tuple[Checkpoint, bytes]:
        """What the site signs of what is there, and the signed note."""
        root = Frontier().extended(map(leaf_hash, self.bodies)).root
        origin = site_origin(self._organisation, self._plant.name)
        said = Checkpoint(origin, len(self.bodies), root)
        return said, checkpoint.sign(said, self._plant.signer)

    def write(self, entries: int, until: datetime) -> None:
        """So many entries: checks of what runs, then an import and the switches that follow it."""
        plant, step = self._plant, (until - self._now) / entries
        assert plant.assignment is not None
        current = [m.current for _, m in _models(plant.assignment)]
        before = [m.fallbacks[0] if m.fallbacks else None for _, m in _models(plant.assignment)]
        told: dict[str, Json] = {"organisation": self._organisation, "stage": STAGE}
        self._add("site.enrolled", told, ())
        self._now += step
        for artifact in filter(None, before):
            self._switch(artifact, 0)
            self._now += step
        while len(self.bodies) < entries - len(current) - 1:
            self._check([one for one in before if one is not None], len(self.bodies))
            self._now += step
        self._imported()
        _, self.note_at_import = self.checkpoint()
        for n, (artifact, earlier) in enumerate(zip(current, before, strict=True)):
            self._now = min(self._now + step, until)
            version = earlier.parsed.version if earlier else 0
            failed = plant.has_failed and n == len(current) - 1
            self._switch(artifact, version, failed=failed)

    def _add(self, kind: str, data: Mapping[str, Json], terms: Sequence[Term]) -> None:
        site = self._plant.name
        self.bodies.append(body_of(new_entry(kind, "operator", self._now, data, terms, site)))

    def _switch(self, artifact: AssignedArtifact, before: int, *, failed: bool = False) -> None:
        path = artifact.parsed
        runs = f"{path.full_model} in host group {GROUP}"
        words = f"{runs} runs version {path.version}."
        if failed:
            words = (
                f"{runs}: version {path.version} failed, switched back to version {before}. "
                "The health check ended with 1."
            )
        data: dict[str, Json] = {
            "before": before,
            "after": before if failed else path.version,
            "words": words,
            "reason": self._plant.transfer,
        }
        if not failed:
            data["checked"] = {"outcome": "passed", "runtime": RUNTIME, "words": CHECKED}
        terms = [
            Term("model", path.full_model),
            Term("host-group", GROUP),
            Term("artifact", artifact.sha256),
        ]
        self._add("model.activation-failed" if failed else "model.activated", data, terms)

    def _check(self, running: Sequence[AssignedArtifact], number: int) -> None:
        failed = number % 50 == 0
        checked: list[Json] = [
            {
                "model": one.parsed.full_model,
                "group": GROUP,
                "version": one.parsed.version,
                "outcome": "failed" if failed else "passed",
                "runtime": RUNTIME,
                "words": "1 row of 8 differs." if failed else CHECKED,
            }
            for one in running
        ]
        terms = [Term("model", one.parsed.full_model) for one in running]
        self._add("model.checked", {"checked": checked}, terms)

    def _imported(self) -> None:
        plant = self._plant
        data: dict[str, Json] = {
            "transfer": plant.transfer,
            "counts": {"installed": len(plant.artifacts)},
            "held": [],
        }
        terms = [Term("transfer", plant.transfer)]
        terms += [
            Term("model", name) for name in sorted({a.parsed.full_model for a in plant.artifacts})
        ]
        self._add("transfer.imported", data, terms)


def _models(assignment: Assignment) -> Iterator[tuple[str, ModelAssignment]]:
    return (one for group in assignment.groups.values() for one in sorted(group.models.items()))
