"""Run by the benchmark as a process of its own: one proof, and nothing else.

python -m tests.benchmarks.proof_process goldens|rows|some FOLDER FORMAT SOURCE VARIANT

`goldens` makes no rows beside the goldens, in this process only: as a proof did once.
`rows` fails where there was no time for all of them, and `some` does not.
"""

from __future__ import annotations

import platform
import sys
from functools import partial
from pathlib import Path

from sealift_registry.proof import prove_worker
from sealift_registry.proof.proof_report import SECONDS
from sealift_registry.proof.proving import ProofScope

GOLDENS, ROWS, SOME = "goldens", "rows", "some"


def main(how: str, folder: Path, form: str, source: str, variant: str) -> None:
    """Prove the variant, and tell how many rows were run; fail where it is none."""
    if how == GOLDENS:
        vars(prove_worker)["ProofScope"] = partial(ProofScope, most_rows=0)
    request = {
        "source": str(folder / source),
        "source_format": form,
        "variant": str(folder / variant),
        "goldens": str(folder / "goldens.npz"),
        "hardware_target": "here",
        "arch": platform.machine(),
        "seed": "5ea11f70",
        "seconds": SECONDS,
        "elsewhere": None,
        "check_rows": False,
    }
    found = prove_worker.prove(request, lambda _subject, _done, _total: None)["findings"]
    left_out = sum(one["left_out"] for one in found["probes"])
    if found["verdict"] != "pass" or (left_out and how != SOME):
        sys.exit(f"{found['words']}, {left_out} left out")
    sys.stdout.write(f"{sum(one['ran'] for one in found['probes'])}\n")


if __name__ == "__main__":
    way, where, *names = sys.argv[1:]
    main(way, Path(where), *names)
