"""One target's run in a process of its own: `python -m tests.fuzz.engine TARGET SECONDS FOLDER`.

With atheris, libFuzzer chooses among our changes by the code that they reach. Where atheris does
not install, Hypothesis makes the inputs, and the report says so.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

OURS = ["sealift_signing", "sealift_sync", "sealift_registry.delivery"]
MOST_MEMORY = 6 * 1024**3
"""Bytes of address space: what asks for more gets a MemoryError, which is a finding."""


def main(name: str, seconds: float, folder: Path) -> None:
    """Fuzz the target `name`; the corpus that it collects and its report are left in `folder`."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        _with_hypothesis(name, seconds, folder)
        return
    with atheris.instrument_imports(include=OURS):
        from tests.fuzz.targets import TARGETS
    _with_atheris(atheris, TARGETS[name], seconds, folder, corpus)


def _with_atheris(atheris: Any, target: Any, seconds: float, folder: Path, corpus: Path) -> None:  # noqa: ANN401
    from tests.fuzz.findings import Run
    from tests.fuzz.inputs import changed, known

    crashes = folder / "crashes" / target.name
    crashes.mkdir(parents=True, exist_ok=True)
    run = Run(target, "atheris", crashes, folder / f"{target.name}.report")
    run.tell()
    seeds = known(target)
    for n, seed in enumerate(seeds):
        (corpus / f"seed-{n:04}").write_bytes(seed)

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)  # noqa: S311 - no secret
        if target.form != "tape" and random.random() < 0.85:
            made = changed(target, data, random, seeds)
            if len(made) <= most:
                return made
        return bytes(atheris.Mutate(data, most))

    options = [f"-max_total_time={int(seconds)}", f"-max_len={target.most}", "-timeout=300"]
    options += ["-rss_limit_mb=0", "-print_final_stats=1", f"-artifact_prefix={crashes}/"]
    atheris.Setup([sys.argv[0], str(corpus), *options], run.one, custom_mutator=mutator)
    atheris.Fuzz()


def _with_hypothesis(name: str, seconds: float, folder: Path) -> None:
    from hypothesis import HealthCheck, given, seed, settings

    from tests.fuzz.findings import Run
    from tests.fuzz.inputs import inputs
    from tests.fuzz.targets import TARGETS

    print(f"{name}: atheris is not installed; Hypothesis makes the inputs.", flush=True)  # noqa: T201
    target = TARGETS[name]
    run = Run(target, "hypothesis", folder / "crashes" / name, folder / f"{name}.report")
    end, turn = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        turn += 1

        @seed(turn)
        @settings(
            max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(inputs(target))
        def tried(data: bytes) -> None:
            if time.monotonic() < end:
                run.one(data)

        tried()
    run.tell()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
