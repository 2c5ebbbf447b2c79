"""What a builder found out of one variant: the details of three pieces of evidence."""

from __future__ import annotations

from hashlib import sha256

from sealift_registry.proof import proof_report as documents
from sealift_registry.proof.machine import Machine, Operator, ProofRuntime
from sealift_registry.proof.models import ModelFile
from sealift_registry.regression import regression_report as regression
from sealift_registry.runtimes.runtimes_report import RuntimesReport, Tried
from sealift_signing.statements import Check

TARGET = "cpu-x86_64"
SOFTWARE = {"numpy": "2.4.1", "onnxruntime": "1.31.1", "python": "3.12.11"}
GOLDENS = sha256(b"the goldens").hexdigest()
WORDS = (
    "On 20 golden rows and 771 probe rows the variant answers as the source does; the worst "
    "difference is 8e-7 where 0.001 is allowed"
)


def proof_report() -> documents.ProofReport:
    """A proof that passed."""
    machine = Machine("x86_64", "A processor", "Linux 6.12", SOFTWARE)
    operators = (
        Operator("ai.onnx.ml", "LinearClassifier", "CPUExecutionProvider", 1),
        Operator("ai.onnx.ml", "Normalizer", "CPUExecutionProvider", 1),
    )
    opsets = {"ai.onnx": 15, "ai.onnx.ml": 3}
    return documents.ProofReport(
        format=1,
        requires=(),
        hardware_target=TARGET,
        measured_on_target=True,
        machine=machine,
        reference="scikit-learn",
        runtimes=(ProofRuntime("onnxruntime", "1.31.1", 8, opsets, operators),),
        rows=20,
        goldens=GOLDENS,
        findings=_findings(),
        source_files=(ModelFile("model.skops", 48_213, sha256(b"the source").hexdigest()),),
        variant_files=(ModelFile("model.onnx", 6_144, sha256(b"the variant").hexdigest()),),
    )


def _findings() -> documents.Findings:
    checks = (
        Check("goldens", "pass", "20 golden rows: all are answered alike."),
        Check("rounding", "pass", "1 of 791 rows differs by the rounding of 32 bits alone."),
        Check("expected", "pass", "Of 20 expected labels the source gets 95.0% right."),
    )
    probes = (
        documents.KindProof("goldens", 20, 0, 0, 0, 0),
        documents.KindProof("noise", 64, 0, 0, 0, 1),
        documents.KindProof("missing", 0, 129, 0, 0, 0),
    )
    return documents.Findings(
        verdict="pass",
        words=WORDS,
        told_first=(),
        checks=checks,
        rows=20,
        outputs=(_output(),),
        probes=probes,
        worst=_worst(),
        never=("No golden row is answered with 7.",),
        classes=("0", "1", "7"),
        tolerances=documents.Tolerances("1e-4", "1e-5", "2e-7", "0.01", "0.001", "1e-5"),
        merging=documents.Merging(0, 0),
        expected=documents.Expected("labels", 20, "0.95", "0.95", "0.4"),
    )


def _output() -> documents.OutputProof:
    return documents.OutputProof(
        name="probabilities",
        kind="numbers",
        rows=791,
        wrong=0,
        spread="0.31",
        largest_difference="8e-7",
        allowed="0.001",
        differences=(603, 2, 61, 121, 4, 0, 0, 0, 0),
        constant=False,
        verdict="pass",
    )


def _worst() -> documents.WorstRow:
    return documents.WorstRow(
        kind="noise",
        number=11,
        sha256=sha256(b"a row").hexdigest(),
        output="probabilities",
        column=2,
        source="0.4471093",
        variant="0.4471101",
        allowed="0.001",
    )


def runtimes_report() -> RuntimesReport:
    """Both ends of a range."""
    old = {"numpy": "1.26.4", "onnxruntime": "1.17.3", "python": "3.11.14"}
    return RuntimesReport(
        format=1,
        requires=(),
        hardware_target=TARGET,
        runtime="onnxruntime",
        asked=">=1.17.3,<=1.31.1,!=1.26.0",
        measured_on_target=True,
        goldens=GOLDENS,
        tried=tuple(
            Tried(software["onnxruntime"], software, 791, 0, "pass", WORDS)
            for software in (old, SOFTWARE)
        ),
        without={"1.26.0": "It answers forests of two classes wrongly."},
    )


def regression_report() -> regression.RegressionReport:
    """A second version beside the first."""
    sides = [
        regression.Side(number, sha256(f"version {number}".encode()).hexdigest(), *figures)
        for number, *figures in ((2, 6_401, "0.95", 61), (1, 6_144, "0.9", 58))
    ]
    return regression.RegressionReport(
        format=1,
        requires=(),
        stage="production",
        hardware_target=TARGET,
        goldens=GOLDENS,
        candidate=sides[0],
        listed=sides[1],
        nothing=None,
        why=None,
        comparison=regression.Comparison(
            rows=20,
            left_out=0,
            expected="labels",
            labels=regression.LabelChurn(differing=1, tied=0),
            numbers=regression.NumberChurn(median="0.018", largest="0.41", no_number=0, lost=0),
            outputs=(),
            classes_new=(),
            classes_gone=(),
            batch=regression.Batch(rows=20, repeats=30),
            software=SOFTWARE,
            known=20,
        ),
        proved_by=regression.ProvedBy(
            goldens=sha256(b"the goldens of version 1").hexdigest(),
            nothing=None,
            why=None,
            own=regression.Rows(total=20, distinct=20),
            theirs=regression.Rows(total=40, distinct=39),
            both=12,
            otherwise=0,
            found=regression.OnRows(
                rows=40,
                left_out=0,
                expected="labels",
                candidate="0.875",
                listed="0.9",
                labels=regression.LabelChurn(differing=3, tied=0),
                numbers=regression.NumberChurn(median="0.021", largest="0.55", no_number=0, lost=0),
                known=40,
            ),
            unsaid=0,
        ),
    )
