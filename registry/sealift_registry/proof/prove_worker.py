"""The proof's process: load source and variant, and prove the one against the other."""

from __future__ import annotations

import base64
import platform
from dataclasses import replace
from pathlib import Path

from sealift_registry.frameworks.onnx_graph import written_in
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.supported import BY_FORMAT, CONVERTERS, PACKAGES, as_it_is
from sealift_registry.proof.chosen_check_rows import answerable
from sealift_registry.proof.golden_rows import LABELS, read, unquoted
from sealift_registry.proof.machine import Machine, Operator, ProofRuntime
from sealift_registry.proof.proving import ProofScope, proved
from sealift_registry.runtimes.piped_model import PipedModel
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.software import installed
from sealift_signing import shape
from sealift_signing.vocabulary import sentence

RUNTIME = "onnxruntime"
SOFTWARE = ("numpy", RUNTIME, *PACKAGES)


def prove(request: Document, progress: Progress) -> Document:
    """The parts of a ProofReport that need the models; the caller knows the digests."""
    framework = BY_FORMAT[request["source_format"]]
    progress("loading the source", 0, 0)
    source = CONVERTERS[request["source_format"]].load(Path(request["source"]))
    progress("loading the variant", 0, 0)
    variant = _variant(Path(request["variant"]), request["elsewhere"])
    with unquoted():
        goldens = read(Path(request["goldens"]), variant.inputs)
    kept: list[bytes] = []
    plan = ProofScope(
        bytes.fromhex(request["seed"]),
        float(request["seconds"]),
        as_it_is=as_it_is(request["source_format"]),
        labels_alone=goldens.called == LABELS,
        progress=progress,
        check_rows=kept.append if request["check_rows"] else None,
    )
    with unquoted():
        found = proved(source, variant, goldens.inputs, goldens.expected, plan)
    if kept and isinstance(variant, RuntimeModel) and not answerable(variant.session, kept[0]):
        kept.clear()
    machine = _machine()
    if isinstance(variant, PipedModel):
        machine = replace(machine, software={**machine.software, **variant.software})
    return {
        "format": 1,
        "requires": [],
        "hardware_target": request["hardware_target"],
        "measured_on_target": machine.arch == request["arch"],
        "machine": shape.to_json(machine),
        "reference": framework.reference or framework.name,
        "runtimes": [shape.to_json(_runtime(variant, Path(request["variant"]), machine))],
        "rows": found.rows,
        "findings": shape.to_json(found),
        **({"check_rows": base64.b64encode(kept[0]).decode()} if kept else {}),
    }


def _variant(path: Path, elsewhere: tuple[str, str] | None) -> RuntimeModel | PipedModel:
    if elsewhere is None:
        return RuntimeModel(path)
    release, interpreter = elsewhere
    return PipedModel(release, Path(interpreter), path)


def _runtime(variant: RuntimeModel | PipedModel, path: Path, machine: Machine) -> ProofRuntime:
    ir, opsets = written_in(path)
    placed = variant.placed if isinstance(variant, RuntimeModel) else {}
    operators = tuple(
        Operator(sentence(domain), sentence(operator), sentence(provider), nodes)
        for (domain, operator, provider), nodes in sorted(placed.items())
    )
    said = {sentence(domain): number for domain, number in sorted(opsets.items())}
    return ProofRuntime(RUNTIME, machine.software[RUNTIME], ir, said, operators)


def _machine() -> Machine:
    return Machine(
        arch=platform.machine(),
        cpu=sentence(_cpu()),
        os=sentence(f"{platform.system()} {platform.release()}"),
        software={"python": platform.python_version()} | installed(SOFTWARE),
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or "unknown"


if __name__ == "__main__":
    serve({"prove": prove})
