"""What the benchmark of proofs runs is what it says; nobody looks at a clock."""

import subprocess
from pathlib import Path

from tests.benchmarks.gate import ROOT
from tests.benchmarks.proof_process import GOLDENS, ROWS
from tests.benchmarks.proofs import PROCESS, made


def test_p0_169_a_proof_is_measured_with_the_rows_it_makes_and_without(tmp_path: Path) -> None:
    one = made(tmp_path, "small convolutions")
    names = (one.form, one.source, one.variant)
    ran = {
        how: int(subprocess.check_output([*PROCESS, how, str(one.folder), *names], cwd=ROOT))
        for how in (GOLDENS, ROWS)
    }
    assert ran[GOLDENS] == 20
    assert ran[ROWS] > 500
