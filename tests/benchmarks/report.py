"""What was found, as tables and as JSON; a later run of some parts keeps the others."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import MB, Absent, Claim, Figure, Line, Measured, Timing
from tests.benchmarks.machine import Description

SCHEMA = "sealift/benchmarks/2"
WIDTH = 132
KINDS: Mapping[type[Line], str] = {
    Figure: "figure",
    Measured: "measured",
    Claim: "claim",
    Absent: "absent",
}
COLD = 0.5
"""What part of a payload must have come from the disk for its source to have been cold; not all of
it, since a backup program reads its own compressed form."""


@dataclass(frozen=True)
class Part:
    """One benchmark's findings, and under which circumstances they were made.

    Attributes:
        lines: what it found, in order.
        quick: whether it was a part of the real sizes.
        made: when it began.
        commit: of which code, with a `+` where files differed from it.
        load: how many processes wanted to run in the minute before, besides ours.
    """

    lines: Sequence[Line]
    quick: bool
    made: str
    commit: str
    load: float


def begun(*, quick: bool) -> Part:
    """The circumstances of a part that begins now."""
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Part((), quick, made, _commit(), round(os.getloadavg()[0], 2))


def ended(part: Part, lines: Sequence[Line]) -> Part:
    """The part with its findings."""
    return replace(part, lines=tuple(lines))


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


# -------------------------------------------------------------------- JSON


def write(path: Path, machine: Description, parts: Mapping[str, Part]) -> None:
    """Put `parts` into the file beside those that are there of the same machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = _kept(path, machine)
    found = {name: as_json(part) for name, part in parts.items()}
    told = {"schema": SCHEMA, "machine": machine, "parts": {**kept, **found}}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _kept(path: Path, machine: Description) -> dict[str, Any]:
    if not path.exists():
        return {}
    before = json.loads(path.read_text(encoding="utf-8"))
    if before.get("schema") != SCHEMA or not _same(before["machine"], machine):
        return {}
    parts: dict[str, Any] = before["parts"]
    return parts


def _same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether two descriptions are of one machine and its software; latencies always differ."""

    def lasting(said: Mapping[str, object]) -> dict[str, object]:
        return {name: value for name, value in said.items() if not name.endswith("_ms")}

    return lasting(one) == lasting(other)


def as_json(part: Part) -> dict[str, Any]:
    """A part as JSON has it: each line with its kind, and with what is computed from its rounds."""
    said = asdict(part)
    return said | {"lines": [{"kind": KINDS[type(line)], **_line(line)} for line in part.lines]}


def _line(line: Line) -> dict[str, Any]:
    said = asdict(line)
    if isinstance(line, Measured):
        said |= {
            "wall": line.wall,
            "cpu": line.cpu,
            "peak": line.peak,
            "read": line.read,
            "per_second": line.per_second,
            "limited_by": line.limited_by,
        }
    if isinstance(line, Claim):
        said["holds"] = line.holds
    return said


def read(path: Path) -> tuple[Description, dict[str, Part]]:
    """What `write` has written: the machine, and the parts in the order of the file."""
    said = json.loads(path.read_text(encoding="utf-8"))
    if said["schema"] != SCHEMA:
        msg = f"{path} is {said['schema']}, not {SCHEMA}"
        raise ValueError(msg)
    return said["machine"], {name: _part(part) for name, part in said["parts"].items()}


def _part(said: Mapping[str, Any]) -> Part:
    return Part(**{**said, "lines": tuple(_from_json(line) for line in said["lines"])})


def _from_json(said: Mapping[str, Any]) -> Line:
    kind = next(kind for kind, name in KINDS.items() if name == said["kind"])
    members = {one.name: said[one.name] for one in fields(kind)}
    if kind is Measured:
        members["rounds"] = tuple(Timing(**one) for one in said["rounds"])
    line: Line = kind(**members)
    return line


# -------------------------------------------------------------------- tables


def show(name: str, part: Part) -> None:
    """Print a part as tables."""
    console = Console(width=max(Console().width, WIDTH))
    quick = ", quick" if part.quick else ""
    console.print(f"\n[bold]{name}[/bold]{quick} (load before: {part.load:.1f})", highlight=False)
    for table in _tables(part.lines):
        console.print(table)
    for line in part.lines:
        if isinstance(line, Absent):
            console.print(f"absent: {line.name} ({line.why})", highlight=False)


def _tables(lines: Sequence[Line]) -> Iterator[Table]:
    measured = [line for line in lines if isinstance(line, Measured)]
    claims = [line for line in lines if isinstance(line, Claim)]
    figures = [line for line in lines if isinstance(line, Figure)]
    if measured:
        yield _table(MEASURED, [measured_row(one) for one in measured])
    if figures:
        yield _table(FIGURES, [figure_row(one) for one in figures])
    if claims:
        yield _table(CLAIMS, [claim_row(one) for one in claims])


MEASURED = ("what", "s", "MB/s", "processor s", "peak MB", "from disk MB", "left MB", "limits")
FIGURES = ("what", "count", "per second", "p50 ms", "p99 ms", "worst ms")
CLAIMS = ("what", "value", "lowest … highest", "promised", "holds")
WORDS = {"what", "limits"}
"""Columns of words; the others are of numbers."""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    columns, rows = without_empty(columns, rows)
    for name in columns:
        table.add_column(name, justify="left" if name in WORDS else "right", no_wrap=name != "what")
    for row in rows:
        table.add_row(*row)
    return table


def without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """A table without the columns that are empty in every row."""
    kept = [n for n in range(len(columns)) if any(row[n] for row in rows)]
    return [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]


def measured_row(one: Measured) -> tuple[str, ...]:
    """A command's medians, and the most memory."""
    return (
        f"({one.name})" if one.control else one.name,
        f"{one.wall:.3f}",
        f"{one.per_second / MB:,.0f}" if one.size else "",
        f"{one.cpu:.3f}",
        f"{one.peak / MB:,.1f}" if one.peak else "",
        _from_disk(one),
        f"{one.stored / MB:,.0f}" if one.stored else "",
        ", ".join(f"{name} {share:.0%}" for name, share in one.shares.items()),
    )


def _from_disk(one: Measured) -> str:
    """Marked where the source cannot have been cold."""
    if not one.size or one.control:
        return ""
    return f"{one.read / MB:,.0f}{'' if one.read >= COLD * one.size else ' !'}"


def figure_row(one: Figure) -> tuple[str, ...]:
    """An operation's rate and latencies."""
    latencies = (f"{value:,.3f}" for value in (one.p50_ms, one.p99_ms, one.worst_ms))
    return (one.name, f"{one.count:,}", f"{one.per_second:,.1f}", *latencies)


def claim_row(one: Claim) -> tuple[str, ...]:
    """A value beside its limit."""
    spread = "" if one.low is None or one.high is None else f"{one.low:,.2f} … {one.high:,.2f}"
    held = "" if one.holds is None else "yes" if one.holds else "NO"
    return (one.what, f"{one.value:,.2f} {one.unit}", spread, promise(one), held)


def promise(one: Claim) -> str:
    """The limit in words, and the aim."""
    said = [
        f"{word} {limit:,g} {one.unit}"
        for word, limit in (("at least", one.least), ("at most", one.most), ("aim", one.aim))
        if limit is not None
    ]
    return ", ".join(said)
