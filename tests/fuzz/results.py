"""Work orders and results of builders: what another machine carried back, signed as it may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from sealift_registry.conversion import result_rules
from sealift_registry.conversion.build_result import BuildResult, provenance_details
from sealift_registry.conversion.build_run import parity
from sealift_registry.conversion.recipe import recipe_for
from sealift_registry.conversion.result_rules import Judged
from sealift_registry.conversion.work_order import ORDER, WorkOrder, read_order
from sealift_registry.frameworks.supported import BY_FORMAT, CONVERTERS
from sealift_registry.proof.proof_report import ProofReport
from sealift_signing import canonical, shape, statements
from sealift_signing.documents import FleetKeys, MachineKey
from sealift_signing.statements import Check, Evidence, Signed, subject
from sealift_signing.vocabulary import instant
from tests.fuzz.parsers import KEYS, example, numbered, selected
from tests.fuzz.target import Target

BUILDER, SCANNER = "builder-1", "scanner-1"
FLEET = FleetKeys(
    1,
    (),
    (
        MachineKey(KEYS.public(BUILDER).text, BUILDER, "builder", "active"),
        MachineKey(KEYS.public(SCANNER).text, SCANNER, "scanner", "active"),
    ),
)
Json = Any


@cache
def _order() -> WorkOrder:
    return read_order(example("order.json"))


@cache
def _said() -> BuildResult:
    signed = result_rules.read_result(example("result.json"))
    return signed.predicate


def _evidence() -> list[Json]:
    """The kinds of evidence of a variant that was built, each with its verdict, checks, details."""
    order, said = _order(), _said()
    report = shape.read(ProofReport, example("proof-report.json"), what="it")
    proof = parity(report, order.artifact)
    recipe = recipe_for(BY_FORMAT["skops"], CONVERTERS["skops"], "skops", {"onnx": "1.23.2"})
    whole = provenance_details(shape.to_json(recipe), order.source.manifest, BUILDER)
    checks = [shape.to_json(Check("it", "pass", "It was looked at."))]
    files = [shape.to_json(one) for one in said.files]
    return [
        {"kind": "scan", "verdict": "pass", "checks": checks, "details": {"files": files}},
        {
            "kind": "parity",
            "verdict": proof.verdict,
            "checks": [shape.to_json(one) for one in proof.checks],
            "details": proof.details,
            "tools": dict(proof.tools),
        },
        {"kind": "provenance", "verdict": "pass", "checks": checks, "details": whole},
    ]


def _signed(said: BuildResult) -> Signed[BuildResult]:
    about = [subject(ORDER, _order().digest())]
    return result_rules.read_result(statements.sign(said, about, KEYS[BUILDER]))


def _judged(said: BuildResult) -> Judged:
    result = _signed(said)
    machine = result_rules.machine_of(result, FLEET)
    judged = result_rules.judge(result, machine, [_order()], instant(_said().made))
    result_rules.check_size(judged)
    return judged


def _read_order(data: bytes) -> None:
    assert shape.write(read_order(data)) == data


def _read_result(data: bytes) -> None:
    result = result_rules.read_result(data)
    result_rules.machine_of(result, FLEET)
    # Nobody's input was signed with this key: whoever gets here forged it.
    raise AssertionError("a signature that nobody made")


def _result(data: bytes) -> None:
    """What whoever has a builder's key could say in a result."""
    value = shape.parsed(data, what="it")
    judged = _judged(shape.from_json(BuildResult, value, what="it"))
    assert judged.said.artifact == _order().artifact


def _of_result(data: bytes) -> None:
    """What whoever has both keys could say in the evidence."""
    value, signed = canonical.decode(data, what="it"), []
    for one in value[:8] if isinstance(value, list) else ():
        whole = {**_least(), **one} if isinstance(one, dict) else _least()
        found = shape.from_json(Evidence, whole, what="it")
        by = KEYS[SCANNER if found.kind == "scan" else BUILDER]
        about = [subject(_order().artifact, str(_said().manifest))]
        body = statements.sign(found, about, by)
        signed.append(statements.read(Evidence, body, what="it"))
    said = shape.to_json(_said()) | {"evidence": [one.sha256 for one in signed]}
    judged = _judged(shape.from_json(BuildResult, said, what="it"))
    done = result_rules.with_evidence(judged, signed, _said().files, FLEET)
    assert {one.predicate.kind for one in done.evidence} >= result_rules.BUILT
    assert done.report is not None
    assert done.report.verdict == "pass"


def _least() -> dict[str, Json]:
    return {
        "format": 1,
        "requires": [],
        "organisation": _order().organisation,
        "machine": "it",
        "made": _said().made,
        "tools": {},
    }


def _seeds() -> list[bytes]:
    make: Callable[[], list[bytes]] = numbered(
        [example("order.json")],
        [example("result.json")],
        [shape.write(_said())],
        [canonical.encode(json.loads(json.dumps(_evidence())))],
    )
    return make()


def whole() -> None:
    """That the last seed is a result that counts: else nothing behind it would be tried."""
    _of_result(_seeds()[-1][1:])


RESULTS = Target(
    "results", selected(_read_order, _read_result, _result, _of_result), _seeds, "json", 65_536
)
