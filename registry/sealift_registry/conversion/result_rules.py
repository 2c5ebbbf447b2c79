"""Whether a result is one of an order: rules over documents, which open nothing.

A result may come from anywhere. It counts for what an active builder of fleet/keys.json vouches
for, of an order that this hub made, and as a whole: whatever follows from what is vouched for is
computed again here, so that no part of it says other than the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sealift_registry.conversion.build_result import BUILDER, BuildResult, provenance_details
from sealift_registry.conversion.convert import MODEL, name_as_it_is
from sealift_registry.conversion.recipe import Recipe, recipe_for
from sealift_registry.conversion.work_order import ORDER, OrderedSource, WorkOrder
from sealift_registry.frameworks.supported import BY_FORMAT, CONVERTERS, as_it_is
from sealift_registry.proof.models import ModelFile
from sealift_registry.proof.picture import picture
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.proof.prove import is_sound
from sealift_registry.runtimes.ranges import ONNX_RUNTIME
from sealift_registry.runtimes.runtimes_report import KIND as RUNTIMES
from sealift_registry.runtimes.runtimes_report import RuntimesReport
from sealift_signing import shape, statements
from sealift_signing.documents import FleetKeys, MachineKey
from sealift_signing.drawing import word
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.evidence import EVIDENCE_PURPOSE, entitled_machine
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import instant

WHAT = "the result"
AHEAD = timedelta(minutes=5)
"""That the clocks of two machines may differ. What is dated later would hide what is found then."""
BUILT = frozenset({"scan", "parity", "provenance"})
MEASURED = frozenset({"parity"})
"""Kinds of evidence without which nothing was built, or measured; of runtimes there may be more."""

ANEW = "Run the work order again, on a machine that nobody else writes to."


@dataclass(frozen=True)
class Judged:
    """A result that counts.

    Attributes:
        said: what it says.
        machine: that vouches for it.
        order: that it is of.
        evidence: all of it, in the order in which the result names it.
        report: of the proof; None where nothing was proved.
        recipe: of a variant that was built; else None.
        digest: the sha256 of what was signed, whoever spells its signature how.
    """

    said: BuildResult
    machine: MachineKey
    order: WorkOrder
    evidence: tuple[Signed[Evidence], ...] = ()
    report: ProofReport | None = None
    recipe: Recipe | None = None
    digest: str = ""


def is_of_result(code: str) -> bool:
    """Whether an error says of a result that it does not count, and nothing of the variant."""
    return code.startswith("result-") and code != "result-overtaken"


def read_result(body: bytes) -> Signed[BuildResult]:
    """The result that `body` spells; nobody has verified it.

    Raises:
        MalformedError: it spells none.
        RefusedError: it requires what this software does not know.
    """
    return statements.read(BuildResult, body, what=WHAT)


def machine_of(result: Signed[BuildResult], fleet: FleetKeys) -> MachineKey:
    """(1) The machine whose active builder's key signed `result`, under that key's own name.

    Raises:
        RefusedError: it is signed by no such key, or says another name.
        BadSignatureError: the signature is wrong.
    """
    keyid = result.envelope.keyid
    for machine in fleet.of(BUILDER):
        key = PublicKey.parse(machine.key)
        if key.keyid != keyid or key.fault:
            continue
        statements.verify(result, key, what=WHAT)
        if machine.status != "active":
            raise _signer(f"the key of {machine.name}, which is {machine.status}")
        if result.predicate.machine != machine.name:
            raise _signer(f"{machine.name}, and says that {word(result.predicate.machine)} ran it")
        return machine
    raise _signer(f"the key {keyid[:12]}, which is none of an active builder")


def judge(
    result: Signed[BuildResult],
    machine: MachineKey,
    orders: Iterable[WorkOrder],
    now: datetime,
) -> Judged:
    """(2) The order that `result` is of, and (3) that it is dated no later than now.

    Args:
        result: as it was read.
        machine: that vouches for it (`machine_of`).
        orders: those that this hub made, or would make now.
        now: by the hub's clock.

    Raises:
        RefusedError: it is of none of them, or dated later than now, or says two things at once.
    """
    said = result.predicate
    order = next((one for one in orders if result.about(ORDER, one.digest())), None)
    if order is None or len(result.subjects) != 1:
        raise RefusedError(
            "result-of-another-order",
            f"The result for {said.artifact} is of an order that this hub would not make now: its "
            "source, goldens, hardware target or software are others, or it was never made here.",
            subject=said.artifact,
            next_step="Have the work order written again, and run it again.",
        )
    same = said.organisation, said.artifact, said.goldens
    if same != (order.organisation, order.artifact, order.goldens) or not _is_one(said, order):
        raise MalformedError("bad-result", "The result contradicts its order.", subject=WHAT)
    if instant(said.made) > now + AHEAD:
        raise RefusedError(
            "result-from-later",
            f"The result for {said.artifact} is dated {said.made}, and by the hub's clock that is "
            "still to come.",
            subject=said.artifact,
            next_step=f"Set the clock of {machine.name} right, and run the work order again.",
        )
    digest = sha256(result.envelope.payload).hexdigest()
    return Judged(said, machine, order, digest=digest)


def _is_one(said: BuildResult, order: WorkOrder) -> bool:
    """Whether what a result says belongs to its outcome."""
    if said.outcome == "refused":
        nothing = (said.manifest, said.files, said.evidence, said.untried) == (None, (), (), ())
        return nothing and said.refusal is not None
    if said.refusal is not None or said.manifest is None:
        return False
    if said.outcome == "measured":
        return said.manifest == order.existing and not said.files
    return order.existing is None and tuple(one.path for one in said.files) == _paths(order.source)


def _paths(source: OrderedSource) -> tuple[str, ...]:
    """The files of a variant of `source`, the model first: no converter writes others."""
    if as_it_is(source.format):
        return (name_as_it_is(source.model_files[0]), *source.data_files)
    return (MODEL,)


def check_size(judged: Judged) -> None:
    """(4) The variant is one that its hardware target holds.

    Raises:
        RefusedError: it is larger.
    """
    size, target = sum(one.size for one in judged.said.files), judged.order.hardware_target
    if size > target.limits.model_bytes:
        raise _wrong(judged, f"its variant has {size:,} bytes, more than {target.id} takes")


def with_evidence(
    judged: Judged,
    evidence: Sequence[Signed[Evidence]],
    files: Sequence[ModelFile],
    fleet: FleetKeys,
) -> Judged:
    """(5) The evidence is what the result names, about its variant, by the machine's own keys.

    Args:
        judged: the result.
        evidence: as it was read.
        files: of the variant, the model among them.
        fleet: the keys of machines that count.

    Raises:
        RefusedError: something is lacking, is another thing's, or says other than the rest.
        BadSignatureError: a signature is wrong.
    """
    said = judged.said
    kinds = [one.predicate.kind for one in evidence]
    needed = BUILT if said.outcome == "built" else MEASURED
    more = {RUNTIMES} if judged.order.runtimes is not None else set()
    if len(set(kinds)) != len(kinds) or not needed <= set(kinds) <= needed | more:
        raise _wrong(judged, "its evidence is not of the kinds that belong to it")
    if tuple(one.sha256 for one in evidence) != said.evidence:
        raise _wrong(judged, "its evidence is not the one that it names")
    for one in evidence:
        _check_signer(judged, one, fleet)
    by_kind = {one.predicate.kind: one.predicate for one in evidence}
    report = _proof(judged, by_kind["parity"], files)
    recipe = None
    if said.outcome == "built":
        if not all(by_kind[kind].passed for kind in BUILT):
            raise _wrong(judged, "not all of its evidence passed")
        _check_scanned(judged, by_kind["scan"], files)
        recipe = _recipe(judged, by_kind["provenance"])
    if RUNTIMES in by_kind:
        _check_runtimes(judged, by_kind[RUNTIMES], report)
    return replace(judged, evidence=tuple(evidence), report=report, recipe=recipe)


def _check_signer(judged: Judged, one: Signed[Evidence], fleet: FleetKeys) -> None:
    said, kind = judged.said, one.predicate.kind
    machine = entitled_machine(one, fleet)
    if machine is None or machine.status != "active":
        raise _signer(f"no active key for {kind} evidence")
    if EVIDENCE_PURPOSE[kind] == BUILDER and machine != judged.machine:
        raise _signer(f"{judged.machine.name}, and its {kind} evidence by {machine.name}")
    about = len(one.subjects) == 1 and one.about(said.artifact, str(said.manifest))
    same = one.predicate.organisation, one.predicate.made
    if not about or same != (said.organisation, said.made):
        raise _wrong(judged, f"its {kind} evidence is about something else")


def _proof(judged: Judged, parity: Evidence, files: Sequence[ModelFile]) -> ProofReport:
    """What the proof found, which follows from nothing but itself, and belongs to the order."""
    order, details = judged.order, dict(_details(judged, parity))
    drawing = details.pop("picture", None)
    report = shape.from_json(ProofReport, details, what="the proof of the result")
    compared = report.hardware_target, report.goldens, report.source_files
    wanted = order.hardware_target.id, order.goldens, order.source.compared
    if compared != wanted or set(report.variant_files) != set(files):
        raise _wrong(judged, "its proof is of other files or goldens")
    follows = (report.verdict, report.evidence(), dict(report.machine.software))
    if (
        not is_sound(report)
        or follows != (parity.verdict, parity.checks, dict(parity.tools))
        or drawing != sha256(picture(report.findings, order.artifact)).hexdigest()
    ):
        raise _wrong(judged, "its proof contradicts itself")
    return report


def _check_scanned(judged: Judged, scan: Evidence, files: Sequence[ModelFile]) -> None:
    looked = _details(judged, scan).get("files")
    if not isinstance(looked, list | tuple) or len(looked) != len(files):
        raise _wrong(judged, "its scan is of other files")
    found = {
        shape.from_json(ModelFile, one, what="the scan of the result")
        for one in looked
        if isinstance(one, Mapping)
    }
    if found != set(files):
        raise _wrong(judged, "its scan is of other files")


def _recipe(judged: Judged, provenance: Evidence) -> Recipe:
    """The recipe that the variant was built by: this software's, but for the toolchain."""
    order, details = judged.order, _details(judged, provenance)
    said = details.get("recipe")
    if not isinstance(said, Mapping):
        raise _wrong(judged, "its provenance names no recipe")
    recipe = shape.from_json(Recipe, said, what="the recipe of the result")
    source, name = order.source, judged.machine.name
    framework, converter = BY_FORMAT.get(source.format), CONVERTERS.get(source.format)
    if framework is None or converter is None:
        raise _wrong(judged, "there is no converter of its source")
    ours = recipe_for(framework, converter, source.format, recipe.toolchain)
    whole = provenance_details(shape.to_json(ours), source.manifest, name)
    if recipe.digest() != ours.digest() or dict(details) != whole:
        raise _wrong(judged, "its provenance is of another recipe, source or machine")
    return recipe


def _check_runtimes(judged: Judged, runtimes: Evidence, report: ProofReport) -> None:
    asked, details = judged.order.runtimes, _details(judged, runtimes)
    said = shape.from_json(RuntimesReport, details, what="the releases of the result")
    if asked is None:
        raise _wrong(judged, "it tried releases that nobody promises")
    passed = all(one.verdict == "pass" for one in said.tried)
    found = said.hardware_target, said.runtime, said.asked, said.goldens, dict(said.without)
    target = judged.order.hardware_target.id
    wanted = target, ONNX_RUNTIME, asked.asked, judged.order.goldens, dict(asked.without)
    ends = {str(one) for one in asked.ends}
    follows = (said.measured_on_target, "pass" if passed else "fail")
    if (
        found != wanted
        or not {one.release for one in said.tried} <= ends
        or follows != (report.measured_on_target, runtimes.verdict)
    ):
        raise _wrong(judged, "it tried other releases than the order names")


def _details(judged: Judged, one: Evidence) -> Mapping[str, Any]:
    if not isinstance(one.details, Mapping):
        raise _wrong(judged, f"its {one.kind} evidence has no details")
    return one.details


def _signer(by: str) -> RefusedError:
    return RefusedError(
        "result-signer",
        f"The result is signed by {by}.",
        subject=WHAT,
        next_step="Have the fleet administrators enter the machine's keys in fleet/keys.json, one "
        "as builder and one as scanner; or run the work order on a machine whose keys are there.",
    )


def _wrong(judged: Judged, why: str) -> RefusedError:
    return RefusedError(
        "result-contradicts",
        f"The result for {judged.said.artifact} by {judged.machine.name} is not taken: {why}.",
        subject=judged.said.artifact,
        next_step=ANEW,
    )
