"""Run by the benchmark as a process of its own: one of our commands, whose gate is looked at.

python -m tests.benchmarks.gate_process with sealift ARGUMENT …
python -m tests.benchmarks.gate_process without sealift ARGUMENT …
python -m tests.benchmarks.gate_process timed FILE sealift-sign ARGUMENT …

`without` takes the gate and the memory out, in this process only: the hub signs what it drafted.
`timed` writes to FILE how many seconds of wall and of processor each stage of signing took.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from securesystemslib.signer import Signer

from sealift_registry.cli import main as sealift
from sealift_signing import drafts, gate, keys, memory
from sealift_signing.acts.material import Ask
from sealift_signing.desk.cli import main as sealift_sign
from sealift_signing.drafts import Draft

PROGRAMS = {"sealift": sealift, "sealift-sign": sealift_sign}
OPEN, EXAMINE, REMEMBER, SIGN, KEEP = (
    "open the key",
    "examine",
    "remember what was seen",
    "sign",
    "keep what was signed",
)
STAGES = (OPEN, EXAMINE, REMEMBER, SIGN, KEEP)
"""In their order."""


class NoGate:
    """Who signs at the hub whatever the hub drafted, and remembers nothing."""

    def check(self, draft: Draft, ask: Ask, signer: Signer) -> None:
        """Check nothing."""

    def unfinished(self, draft: Draft, ask: Ask, signers: Sequence[Signer]) -> Draft:
        """Nothing was ever signed here."""
        return draft

    def sign(
        self,
        draft: Draft,
        ask: Ask,
        signer: Signer,
        cards: Sequence[bytes] = (),
        *,
        anew: bool = False,
    ) -> Draft:
        """A signature on every part, and no question."""
        for part in draft.parts:
            made = signer.sign(part.signed_data)
            signature = bytes.fromhex(made.signature)
            draft = drafts.with_signature(draft, part.name, made.keyid, signature)
        return draft


def main(how: str, *words: str) -> NoReturn:
    """Run the command that `words` are, and end as it does."""
    took: dict[str, list[float]] = {name: [0.0, 0.0] for name in STAGES}
    file, *rest = words if how == "timed" else ("", *words)
    if how == "timed":
        _time_stages(took)
    elif how == "without":
        _take_out()
    program, *sys.argv[1:] = rest
    try:
        PROGRAMS[program]()
    finally:
        if file:
            Path(file).write_text(json.dumps(took), encoding="utf-8")
    sys.exit()


def _take_out() -> None:
    from sealift_registry.cli import at_hub

    at_hub.desk_at_hub = lambda *_: NoGate()  # type: ignore[assignment]


def _time_stages(took: dict[str, list[float]]) -> None:
    """Have each stage add to its seconds."""
    for owner, name, stage in (
        (keys, "open_signer", OPEN),
        (gate, "examine", EXAMINE),
        (memory.Memory, "remember", REMEMBER),
        (gate, "sign", SIGN),
        (memory.Memory, "keep_signed", KEEP),
    ):
        setattr(owner, name, _timed(getattr(owner, name), took[stage]))


def _timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: object, **given: object) -> object:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return function(*args, **given)
        finally:
            seconds[0] += time.perf_counter() - wall
            seconds[1] += time.process_time() - cpu

    return run


if __name__ == "__main__":
    main(*sys.argv[1:])
